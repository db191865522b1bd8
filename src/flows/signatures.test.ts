/** First bytes that give a protocol away, each beside one that nearly does. */
import { signature } from "./signatures.js";

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
  ["udp", "rtp", hex("80 00 0001 00000001 00000001"), hex("80 00 0001 00000001 00000000")],
  ["udp", "rtp", hex("80 e0 0001 00000001 00000001"), hex("80 a3 0001 00000001 00000001")],
] as const)("%s %s", (transport, name, bytes, near) => {
  expect(signature(transport, bytes, 40000, 40001)).toBe(name);
  expect(signature(transport, near, 40000, 40001)).not.toBe(name);
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
  ["tcp", 88, hex("00000009 6a00")],
  ["udp", 40000, hex("00")],
] as const)("%s port %i: %o is nothing", (transport, port, bytes) => {
  expect(signature(transport, bytes, port, 40000)).toBeUndefined();
});
