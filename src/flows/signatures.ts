/**
 * Protocols without a decoder that a flow's first bytes give away: a name for `network.protocol`, nothing more. A row is a protocol, a test of
 * the first bytes of either side (and of what this side's datagram before began with), and the ports it is wanted on (none: any). The first
 * row that fits counts.
 */
import { latin1 } from "../records/text.js";

type Test = (b: Uint8Array, text: string, before: string) => boolean;
type Row = readonly [name: string, test: Test, ...ports: number[]];
const be16 = (b: Uint8Array, at: number): number => (b[at] << 8) | b[at + 1];
const be24 = (b: Uint8Array, at: number): number => (be16(b, at) << 8) | b[at + 2];
const be32 = (b: Uint8Array, at: number): number => ((be16(b, at) << 16) | be16(b, at + 2)) >>> 0;
const le16 = (b: Uint8Array, at: number): number => b[at] | (b[at + 1] << 8);
const le32 = (b: Uint8Array, at: number): number => (le16(b, at) | (le16(b, at + 2) << 16)) >>> 0;
const starts =
  (...words: string[]): Test =>
  (_b, text) =>
    words.some((w) => text.startsWith(w));
const matches =
  (what: RegExp): Test =>
  (_b, text) =>
    what.test(text);

const SIP = matches(
  /^(INVITE|REGISTER|OPTIONS|SUBSCRIBE|NOTIFY|ACK|BYE|CANCEL|MESSAGE|PUBLISH|REFER|INFO|UPDATE|PRACK) sips?:|^SIP\/2\.0 /,
);
const STUN: Test = (b) => b.length >= 20 && (b[0] & 0xc0) === 0 && be32(b, 4) === 0x2112a442;
const DNP3: Test = (b) => b.length >= 10 && b[0] === 0x05 && b[1] === 0x64 && b[2] >= 5;
/** An APPLICATION tag of RFC 4120 §5.10, from AS-REQ to KRB-ERROR. */
const kerberos = (b: Uint8Array, at: number): boolean => b[at] >= 0x6a && b[at] <= 0x7e;
/** A call of ONC RPC version 2 (RFC 5531 §9). */
const rpcCall = (b: Uint8Array, at: number): boolean => b.length >= at + 24 && be32(b, at + 4) === 0 && be32(b, at + 8) === 2;
const rpcOf =
  (at: number, program?: number): Test =>
  (b) =>
    rpcCall(b, at) && (program === undefined ? be32(b, at + 12) < 0x60000000 : be32(b, at + 12) === program);
/** Portmapper, NFS and mount have names of their own. */
const rpc = (at: number): readonly Row[] => [
  ["portmap", rpcOf(at, 100000)],
  ["nfs", rpcOf(at, 100003)],
  ["mount", rpcOf(at, 100005)],
  ["sunrpc", rpcOf(at)],
];

/** Version 2 and a payload type that is assigned or dynamic (RFC 3550, RFC 3551 §6). */
function rtp(text: string): boolean {
  const type = text.charCodeAt(1) & 0x7f;
  return text.charCodeAt(0) >> 6 === 2 && (type <= 34 || type >= 96) && text.slice(8, 12) !== "\0\0\0\0";
}
/** Of the same source, and soon behind it. */
function follows(text: string, before: string): boolean {
  const number = (t: string): number => (t.charCodeAt(2) << 8) | t.charCodeAt(3);
  const ahead = (number(text) - number(before)) & 0xffff;
  return text.slice(8, 12) === before.slice(8, 12) && ahead >= 1 && ahead <= 100;
}

const TCP: readonly Row[] = [
  ["http2", starts("PRI * HTTP/2.0\r\n")],
  ["smb", (b) => b.length >= 8 && b[0] === 0 && (be32(b, 4) === 0xff534d42 || be32(b, 4) === 0xfe534d42)],
  ["netbios-ssn", (b) => b[0] === 0x81 && be16(b, 2) === 68, 139],
  // DCE 1.1 RPC (C706) §12.6.3.1
  ["dcerpc", (b) => b.length >= 16 && b[0] === 5 && b[1] <= 1 && b[2] <= 19 && (b[4] & 0xee) === 0 && be16(b, 6) === 0],
  ["bittorrent", starts("\x13BitTorrent protocol")],
  ["redis", matches(/^\*[1-9][0-9]{0,5}\r\n\$[0-9]{1,9}\r\n/)],
  ["mqtt", (b, t) => b[0] === 0x10 && (t.slice(4, 8) === "MQTT" || t.slice(4, 10) === "MQIsdp")],
  ["amqp", starts("AMQP\0", "AMQP\x01", "AMQP\x02", "AMQP\x03")],
  ["kerberos", (b) => b.length > 5 && be32(b, 0) < 1 << 20 && kerberos(b, 4), 88, 464],
  ["sip", SIP],
  ["stun", STUN],
  ["irc", matches(/^(NICK |PASS |CAP LS|:[^ ]+ NOTICE )/)],
  ["rfb", starts("RFB 00")],
  ["rtsp", matches(/^(DESCRIBE|SETUP|PLAY|OPTIONS|ANNOUNCE) [^ ]+ RTSP\/1|^RTSP\/1/)],
  ["nntp", matches(/^20[01][ -]/), 119],
  ["gnutella", starts("GNUTELLA ")],
  ["rsync", starts("@RSYNCD: ")],
  ["git", matches(/^[0-9a-f]{4}git-(upload|receive)-/)],
  ["fix", matches(/^8=FIX(T\.1|\.[45])\.[0-9]\x019=/)],
  // Commands and their options (RFC 854): WILL, WON'T, DO, DON'T, or a subnegotiation.
  ["telnet", (b) => b.length >= 3 && b[0] === 0xff && b[1] >= 0xfa && b[1] <= 0xfe],
  ["bgp", (b) => b.length >= 19 && b.subarray(0, 16).every((x) => x === 0xff) && be16(b, 16) >= 19 && b[18] >= 1 && b[18] <= 5],
  ["pptp", (b) => b.length >= 12 && be16(b, 2) === 1 && be32(b, 4) === 0x1a2b3c4d],
  ["diameter", (b) => b.length >= 20 && b[0] === 1 && be24(b, 1) >= 20 && be24(b, 1) % 4 === 0 && (b[4] & 0x0f) === 0, 3868],
  ["tacacs", (b) => b.length >= 12 && b[0] >> 4 === 0xc && b[1] >= 1 && b[1] <= 3, 49],
  ["ldp", (b) => b.length >= 10 && be16(b, 0) === 1 && be16(b, 2) >= 6, 646],
  // [MS-TDS] 2.2.3.1: PRELOGIN or LOGIN7, in one packet
  ["tds", (b) => b.length >= 8 && (b[0] === 0x12 || b[0] === 0x10) && b[1] === 1 && be16(b, 2) === b.length && be16(b, 6) < 0x200],
  ["tns", (b, t) => b.length >= 8 && be16(b, 0) >= 58 && be16(b, 2) === 0 && b[4] === 1 && b[5] === 0 && t.includes("("), 1521, 1526],
  ["mongodb", (b) => b.length >= 16 && le32(b, 0) >= 16 && be32(b, 8) === 0 && [1, 2004, 2010, 2012, 2013].includes(le32(b, 12)), 27017],
  ["memcached", matches(/^(gets?|set|add|stats|version|incr|delete)( [^\r]*)?\r\n/), 11211],
  ["rtmp", (b) => b.length >= 9 && b[0] === 3 && be32(b, 5) === 0, 1935],
  ["syslog", matches(/^([0-9]{1,5} )?<[0-9]{1,3}>/), 514, 601, 1514],
  ...rpc(4).map(([name, test]): Row => [name, (b, ...more) => b[0] >> 7 === 1 && test(b, ...more)]),
  ["thrift", (b) => b.length >= 12 && be16(b, 4) === 0x8001 && be16(b, 0) === 0],
  ["openflow", (b) => b.length >= 8 && b[0] >= 1 && b[0] <= 6 && b[1] <= 35 && be16(b, 2) >= 8, 6633, 6653],
  ["modbus", (b) => b.length >= 8 && be16(b, 2) === 0 && be16(b, 4) >= 2 && be16(b, 4) <= 254, 502],
  ["enip", (b) => b.length >= 24 && [4, 0x63, 0x64, 0x65, 0x66, 0x6f, 0x70].includes(le16(b, 0)) && le32(b, 8) === 0, 44818],
  ["dnp3", DNP3],
  ["iec104", (b) => b[0] === 0x68 && b[1] >= 4 && b[1] <= 253, 2404],
  // RFC 1006 and ISO 8073: a connection request
  ["cotp", (b) => b.length >= 7 && be16(b, 0) === 0x0300 && be16(b, 2) === b.length && b[5] === 0xe0, 102],
  ["opcua", (b, t) => /^(HEL|ACK|ERR)F/.test(t) && le32(b, 4) === b.length],
  ["doip", (b) => b.length >= 8 && (b[0] ^ b[1]) === 0xff, 13400],
];

const UDP: readonly Row[] = [
  ["quic", (b) => b.length >= 20 && (b[0] & 0xc0) === 0xc0 && [1, 0x6b3343cf, 0].includes(be32(b, 1)) && b[5] <= 20],
  ["quic", (b) => b.length >= 20 && (b[0] & 0x80) !== 0 && be32(b, 1) >>> 8 === 0xff0000 && b[5] <= 20],
  // Google's, before the IETF's: a public header with a connection id and a version, and the first with a long header
  ["quic", (b, t) => (b[0] & 0x09) === 0x09 && /^Q0[0-9]{2}$/.test(t.slice(9, 13))],
  ["quic", (b, t) => (b[0] & 0xc0) === 0xc0 && /^[QT]0[45][0-9]$/.test(t.slice(1, 5))],
  ["dhcp", (b) => b.length >= 28 && (b[0] === 1 || b[0] === 2) && (b.length < 240 ? b[2] === 6 : be32(b, 236) === 0x63825363), 67, 68],
  ["dhcpv6", (b) => b.length >= 4 && b[0] >= 1 && b[0] <= 13, 546, 547],
  ["stun", STUN],
  ["ntp", (b) => b.length >= 48 && (b[0] & 7) >= 1 && ((b[0] >> 3) & 7) <= 4, 123],
  ["snmp", (b) => b[0] === 0x30 && b.length > 10, 161, 162],
  ["kerberos", (b) => (b[0] & 0xe0) === 0x60, 88],
  ["ldap", (b) => b[0] === 0x30, 389],
  ["sip", SIP],
  ["ssdp", starts("M-SEARCH ", "NOTIFY ", "HTTP/1."), 1900],
  ["ws-discovery", (_b, t) => t.includes("<?xml") || t.includes("Envelope"), 3702],
  ["wireguard", (b) => (b.length === 148 && be32(b, 0) === 0x01000000) || (b.length === 92 && be32(b, 0) === 0x02000000)],
  ["openvpn", (b) => b.length >= 14 && b[0] >> 3 >= 1 && b[0] >> 3 <= 10, 1194],
  // RFC 7296 §3.1, behind four zeros where it is not on port 500 (RFC 3948 §2.2)
  ["ike", (b) => b.length >= 28 && (b[17] >> 4 === 1 || b[17] >> 4 === 2) && be32(b, 24) === b.length, 500],
  ["ike", (b) => b.length >= 32 && be32(b, 0) === 0 && (b[21] >> 4 === 1 || b[21] >> 4 === 2) && be32(b, 28) === b.length - 4, 4500],
  ["dtls", (b) => b.length >= 13 && b[0] >= 20 && b[0] <= 23 && [0xfeff, 0xfefd].includes(be16(b, 1)) && be16(b, 11) + 13 <= b.length],
  ["radius", (b) => b.length >= 20 && b[0] >= 1 && b[0] <= 45 && be16(b, 2) >= 20 && be16(b, 2) <= b.length, 1645, 1646, 1812, 1813, 3799],
  ["bittorrent", matches(/^d1:[arq]/)],
  ["tftp", (b) => b[0] === 0 && b[1] >= 1 && b[1] <= 5, 69],
  ["syslog", matches(/^<[0-9]{1,3}>/), 514],
  ["netbios-ns", (b) => b.length >= 12, 137],
  ["netbios-dgm", (b) => b.length >= 14, 138],
  ["rip", (b) => b.length >= 24 && (b[0] === 1 || b[0] === 2) && (b[1] === 1 || b[1] === 2) && (b.length - 4) % 20 === 0, 520],
  ["ripng", (b) => b.length >= 24 && (b[0] === 1 || b[0] === 2) && b[1] === 1 && (b.length - 4) % 20 === 0, 521],
  ["hsrp", (b) => b.length >= 16 && b[1] <= 3, 1985],
  ["bfd", (b) => b.length >= 24 && b[0] >> 5 === 1 && b[3] === b.length, 3784, 4784],
  ["ldp", (b) => b.length >= 10 && be16(b, 0) === 1 && be16(b, 2) === b.length - 4, 646],
  ["coap", (b) => b.length >= 4 && b[0] >> 6 === 1 && (b[0] & 15) <= 8, 5683],
  ["nat-pmp", (b) => b.length >= 2 && b[0] <= 2, 5350, 5351],
  ["slp", (b) => b.length >= 12 && (b[0] === 2 ? be24(b, 2) === b.length : b[0] === 1 && be16(b, 2) === b.length), 427],
  [
    "netflow",
    (b) => b.length >= 24 && ((be16(b, 0) === 5 && b.length === 24 + 48 * be16(b, 2)) || be16(b, 0) === 9),
    2055,
    9555,
    9995,
    9996,
  ],
  ["ipfix", (b) => b.length >= 16 && be16(b, 0) === 10 && be16(b, 2) === b.length],
  ["sflow", (b) => b.length >= 28 && be32(b, 0) === 5 && (be32(b, 4) === 1 || be32(b, 4) === 2), 6343],
  ["gtp-c", (b) => b.length >= 8 && (b[0] >> 5 === 1 || b[0] >> 5 === 2) && be16(b, 2) <= b.length, 2123],
  ["pfcp", (b) => b.length >= 8 && b[0] >> 5 === 1 && be16(b, 2) === b.length - 4, 8805],
  ["bacnet", (b) => b.length >= 4 && b[0] === 0x81 && be16(b, 2) === b.length, 47808],
  ["someip", (b) => b.length >= 16 && be32(b, 4) === b.length - 8 && b[12] === 1, 30490, 30491],
  ["doip", (b) => b.length >= 8 && (b[0] ^ b[1]) === 0xff, 13400],
  ["dnp3", DNP3],
  ...rpc(0),
  ["dropbox", starts('{"host_int"'), 17500],
  ["spotify", starts("SpotUdp"), 57621],
  ["rtcp", (b) => b.length >= 8 && b[0] >> 6 === 2 && b[1] >= 200 && b[1] <= 207 && (be16(b, 2) + 1) * 4 <= b.length && be32(b, 4) !== 0],
  ["rtp", (b, text, before) => b.length >= 12 && rtp(text) && rtp(before) && follows(text, before)],
];
const ROWS = { tcp: TCP, udp: UDP };

/** What is kept of a datagram for the next one of its side. */
export const beginning = (bytes: Uint8Array): string => latin1(bytes, 0, 12);

/** The protocol that the first bytes of a side give away, if any. */
export function signature(transport: "tcp" | "udp", bytes: Uint8Array, portA: number, portB: number, before = ""): string | undefined {
  if (bytes.length < 2) return undefined;
  const text = latin1(bytes, 0, 256);
  for (const [name, test, ...ports] of ROWS[transport]) {
    if (ports.length && !ports.includes(portA) && !ports.includes(portB)) continue;
    if (test(bytes, text, before)) return name;
  }
  return undefined;
}
