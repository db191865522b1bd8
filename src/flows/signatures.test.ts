/** First bytes that give a protocol away, each beside one that nearly does. */
import { beginning, signature } from "./signatures.js";

const hex = (text: string, length = 0): Uint8Array => Buffer.concat([Buffer.from(text.replace(/ /g, ""), "hex"), Buffer.alloc(length)]);
const text = (t: string): Uint8Array => Buffer.from(t, "latin1");

test.each([
  ["tcp", "smb", hex("00000040 ff534d42"), hex("01000040 ff534d42")],
  ["tcp", "smb", hex("00000040 fe534d42"), hex("00000040 fe534d43")],
  ["tcp", "bittorrent", text("\x13BitTorrent protocol"), text("\x12BitTorrent protocol")],
  ["tcp", "redis", text("*1\r\n$4\r\nPING\r\n"), text("*0\r\n$4\r\nPING\r\n")],
  ["tcp", "mqtt", text("\x10\x10\x00\x04MQTT"), text("\x20\x10\x00\x04MQTT")],
  ["tcp", "mqtt", text("\x10\x10\x00\x06MQIsdp"), text("\x10\x10\x00\x06MQIsdx")],
  ["tcp", "sip", text("INVITE sip:a@b SIP/2.0\r\n"), text("INVITE http:a@b SIP/2.0\r\n")],
  ["tcp", "irc", text("NICK me\r\n"), text("NICKER\r\n")],
  ["tcp", "rfb", text("RFB 003.008\n"), text("RFB 103.008\n")],
  ["tcp", "rtsp", text("DESCRIBE rtsp://x RTSP/1.0\r\n"), text("DESCRIBE rtsp://x HTTP/1.0\r\n")],
  ["udp", "quic", hex("c0 00000001 08", 20), hex("80 00000001 08", 20)],
  ["udp", "quic", hex("c0 6b3343cf 14", 20), hex("c0 6b3343cf 15", 20)],
  ["udp", "quic", hex("80 ff00001d 08", 20), hex("00 ff00001d 08", 20)],
  ["udp", "stun", hex("0001 0000 2112a442", 12), hex("0001 0000 2112a442", 11)],
  ["udp", "stun", hex("0141 0000 2112a442", 12), hex("4001 0000 2112a442", 12)],
  ["udp", "wireguard", hex("01000000", 144), hex("01000000", 145)],
  ["udp", "wireguard", hex("02000000", 88), hex("03000000", 88)],
  ["udp", "bittorrent", text("d1:ad2:id20:"), text("d1:bd2:id20:")],
  ["tcp", "http2", text("PRI * HTTP/2.0\r\n\r\nSM"), text("PRI * HTTP/1.0\r\n\r\nSM")],
  ["tcp", "dcerpc", hex("05000b03 10000000 48000000 01000000"), hex("05000b03 10000001 48000000 01000000")],
  ["tcp", "amqp", text("AMQP\0\0\x09\x01"), text("AMQQ\0\0\x09\x01")],
  ["tcp", "telnet", hex("fffd18 fffd20"), hex("fff918 fffd20")],
  ["tcp", "bgp", hex(`${"ff".repeat(16)}001d01`), hex(`${"ff".repeat(16)}001d06`)],
  ["tcp", "pptp", hex("009c0001 1a2b3c4d 0001 0000"), hex("009c0001 1a2b3c4e 0001 0000")],
  ["tcp", "tds", hex("1201000a00000000 0000"), hex("1201000b00000000 0000")],
  ["tcp", "git", text("0032git-upload-pack /x\0host=y\0"), text("0032git-uploads /x")],
  ["tcp", "rsync", text("@RSYNCD: 31.0\n"), text("@RSYNC 31.0\n")],
  ["tcp", "fix", text("8=FIX.4.4\x019=70\x01"), text("8=FIX.4.4;9=70;")],
  [
    "tcp",
    "nfs",
    hex("8000007c 00000001 00000000 00000002 000186a3 00000003 00000000"),
    hex("0000007c 00000001 00000000 00000002 000186a3 00000003 00000000"),
  ],
  ["tcp", "thrift", hex("00000011 80010001 00000004 70696e67"), hex("00000011 80020001 00000004 70696e67")],
  ["tcp", "dnp3", hex("0564 05c0 01000004 e921"), hex("0564 04c0 01000004 e921")],
  ["tcp", "opcua", hex("48454c46 10000000 00000000 00000000"), hex("48454c46 11000000 00000000 00000000")],
  ["tcp", "stun", hex("0001 0000 2112a442", 12), hex("0001 0000 2112a442", 11)],
  ["udp", "quic", Buffer.concat([hex("0d 0102030405060708"), text("Q043")]), Buffer.concat([hex("04 0102030405060708"), text("Q043")])],
  ["udp", "quic", Buffer.concat([hex("c3"), text("Q050"), hex("50")]), Buffer.concat([hex("43"), text("Q050"), hex("50")])],
  ["udp", "dtls", hex("16 fefd 0000 000000000001 0003 010203"), hex("16 fefd 0000 000000000001 0004 010203")],
  ["udp", "ipfix", hex("000a 0010", 12), hex("000a 0011", 12)],
  [
    "udp",
    "portmap",
    hex("00000001 00000000 00000002 000186a0 00000002 00000003"),
    hex("00000001 00000001 00000002 000186a0 00000002 00000003"),
  ],
  [
    "udp",
    "mount",
    hex("00000001 00000000 00000002 000186a5 00000003 00000001"),
    hex("00000001 00000000 00000003 000186a5 00000003 00000001"),
  ],
  [
    "udp",
    "sunrpc",
    hex("00000001 00000000 00000002 000186a7 00000003 00000001"),
    hex("00000001 00000000 00000002 600186a7 00000003 00000001"),
  ],
  ["udp", "rtcp", hex("80c80001 00000001"), hex("80c80002 00000001")],
] as const)("%s %s", (transport, name, bytes, near) => {
  expect(signature(transport, bytes, 40000, 40001)).toBe(name);
  expect(signature(transport, near, 40000, 40001)).not.toBe(name);
});
// One datagram looks like RTP by chance; a second of the same source, soon behind it, does not.
test("udp rtp", () => {
  const packet = (more: string): Uint8Array => hex(`8000 ${more}`);
  const second = (first: string, next: Uint8Array) => signature("udp", next, 40000, 40001, beginning(packet(first)));
  const first = "ffff 00000001 00000001";
  expect(signature("udp", packet(first), 40000, 40001)).toBeUndefined();
  expect(second(first, packet("0002 000000a1 00000001"))).toBe("rtp");
  expect(second(first, packet("ffff 00000001 00000001"))).toBeUndefined(); // the same again
  expect(second(first, packet("0102 000000a1 00000001"))).toBeUndefined();
  expect(second(first, packet("0002 000000a1 00000002"))).toBeUndefined();
  expect(second("ffff 00000001 00000000", packet("0002 000000a1 00000000"))).toBeUndefined();
  expect(second(first, hex("80a3 0002 000000a1 00000001"))).toBeUndefined(); // no such payload type
  expect(second(first, hex("4000 0002 000000a1 00000001"))).toBeUndefined(); // version 1
});
test.each([
  ["udp", "dhcp", 67, Buffer.concat([hex("01", 235), hex("63825363")])],
  ["udp", "dhcp", 68, Buffer.concat([hex("02", 235), hex("63825363")])],
  ["udp", "dhcpv6", 547, hex("01000000")],
  ["udp", "dhcpv6", 546, hex("0d000000")],
  ["udp", "ntp", 123, hex("23", 47)],
  ["udp", "snmp", 161, hex("30", 10)],
  ["udp", "kerberos", 88, hex("6a00")],
  ["tcp", "kerberos", 88, hex("00000002 6a00")],
  ["udp", "ldap", 389, hex("3000")],
  ["udp", "ssdp", 1900, text("M-SEARCH * HTTP/1.1\r\n")],
  ["udp", "tftp", 69, hex("0001")],
  ["udp", "tftp", 69, hex("0005")],
  ["udp", "syslog", 514, text("<34>Oct 11")],
  ["udp", "netbios-ns", 137, hex("", 12)],
  ["udp", "netbios-dgm", 138, hex("", 14)],
  ["udp", "dhcp", 67, hex("010106", 27)],
  ["udp", "openvpn", 1194, hex("38", 13)],
  ["udp", "ike", 500, hex("0102030405060708 0000000000000000 21 20 22 08 00000000 0000001c")],
  ["udp", "ike", 4500, hex("00000000 0102030405060708 0000000000000000 21 20 22 08 00000000 0000001c")],
  ["udp", "radius", 1812, hex("01000014", 16)],
  ["udp", "rip", 520, hex("02020000", 20)],
  ["udp", "ripng", 521, hex("02010000", 20)],
  ["udp", "hsrp", 1985, hex("", 20)],
  ["udp", "bfd", 3784, hex("20c00318", 20)],
  ["udp", "ldp", 646, hex("0001001e", 30)],
  ["udp", "coap", 5683, hex("40010001")],
  ["udp", "nat-pmp", 5351, hex("0000")],
  ["udp", "slp", 427, hex("02010000 0c", 7).fill(12, 4, 5)],
  ["udp", "netflow", 2055, hex("00050001", 68)],
  ["udp", "netflow", 9995, hex("00090001", 20)],
  ["udp", "sflow", 6343, hex("00000005 00000001", 20)],
  ["udp", "gtp-c", 2123, hex("48200004", 4)],
  ["udp", "pfcp", 8805, hex("20010004", 4)],
  ["udp", "bacnet", 47808, hex("810a0004")],
  ["udp", "someip", 30490, hex("ffff8100 00000008 00000001 01010200")],
  ["udp", "ws-discovery", 3702, text('<?xml version="1.0"?>')],
  ["udp", "dropbox", 17500, text('{"host_int": 1}')],
  ["udp", "spotify", 57621, text("SpotUdp0")],
  ["tcp", "netbios-ssn", 139, hex("81000044", 68)],
  ["tcp", "nntp", 119, text("200 news\r\n")],
  ["tcp", "diameter", 3868, hex("01000014 80000101", 12)],
  ["tcp", "tacacs", 49, hex("c0010100", 8)],
  ["tcp", "tns", 1521, Buffer.concat([hex("00700000 0100", 52), text("(DESCRIPTION=")])],
  ["tcp", "mongodb", 27017, hex("10000000 01000000 00000000 dd070000")],
  ["tcp", "memcached", 11211, text("get x\r\n")],
  ["tcp", "rtmp", 1935, hex("0300000001 00000000")],
  ["tcp", "syslog", 514, text("<34>Oct 11")],
  ["tcp", "openflow", 6653, hex("04000008 00000001")],
  ["tcp", "modbus", 502, hex("0001 0000 0006 01 03")],
  ["tcp", "enip", 44818, hex("6500 0400", 20)],
  ["tcp", "iec104", 2404, hex("6804 07000000")],
  ["tcp", "cotp", 102, hex("03000016 11 e0 0000 0001 00 c0010ac1020100c2020102")],
  ["tcp", "doip", 13400, hex("02fd0005 00000007")],
] as const)("%s %s on port %i only, of either side", (transport, name, port, bytes) => {
  expect(signature(transport, bytes, port, 40000)).toBe(name);
  expect(signature(transport, bytes, 40000, port)).toBe(name);
  expect(signature(transport, bytes, 40000, 40001)).not.toBe(name);
});
test.each([
  ["udp", 123, hex("23", 46)],
  ["udp", 123, hex("2b", 47)],
  ["udp", 123, hex("20", 47)],
  ["udp", 161, hex("30", 9)],
  ["udp", 547, hex("0e000000")],
  ["udp", 69, hex("0006")],
  ["udp", 67, Buffer.concat([hex("03", 235), hex("63825363")])],
  ["udp", 137, hex("", 11)],
  ["udp", 138, hex("", 13)],
  ["tcp", 88, hex("00000009 5a00")],
  ["udp", 40000, hex("00")],
] as const)("%s port %i: %o is nothing", (transport, port, bytes) => {
  expect(signature(transport, bytes, port, 40000)).toBeUndefined();
});
