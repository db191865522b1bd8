/**
 * Protocols without a decoder that a flow's first bytes give away: a name for `network.protocol`, nothing more. A row is a protocol, its
 * transport, the ports it is wanted on (none: any) and a test of the first bytes of either side.
 */
import { latin1 } from "../records/text.js";

type Test = (b: Uint8Array, text: string) => boolean;
interface Row {
  name: string;
  transport: "tcp" | "udp";
  ports?: readonly number[];
  test: Test;
}
const be32 = (b: Uint8Array, at: number): number => ((b[at] << 24) | (b[at + 1] << 16) | (b[at + 2] << 8) | b[at + 3]) >>> 0;
const starts =
  (...words: string[]): Test =>
  (_b, text) =>
    words.some((w) => text.startsWith(w));

const ROWS: readonly Row[] = [
  { name: "smb", transport: "tcp", test: (b) => b.length >= 8 && b[0] === 0 && (be32(b, 4) === 0xff534d42 || be32(b, 4) === 0xfe534d42) },
  { name: "bittorrent", transport: "tcp", test: (_b, t) => t.startsWith("\x13BitTorrent protocol") },
  { name: "redis", transport: "tcp", test: (_b, t) => /^\*[1-9][0-9]{0,5}\r\n\$[0-9]{1,9}\r\n/.test(t) },
  { name: "mqtt", transport: "tcp", test: (b, t) => b[0] === 0x10 && (t.slice(4, 8) === "MQTT" || t.slice(4, 10) === "MQIsdp") },
  { name: "kerberos", transport: "tcp", ports: [88], test: (b) => b.length > 5 && be32(b, 0) <= b.length && (b[4] & 0xe0) === 0x60 },
  {
    name: "sip",
    transport: "tcp",
    test: (_b, t) => /^(INVITE|REGISTER|OPTIONS|SUBSCRIBE|NOTIFY|ACK|BYE|MESSAGE) sips?:/.test(t) || t.startsWith("SIP/2.0 "),
  },
  { name: "irc", transport: "tcp", test: (_b, t) => /^(NICK |PASS |CAP LS|:[^ ]+ NOTICE )/.test(t) },
  { name: "rfb", transport: "tcp", test: starts("RFB 00") },
  {
    name: "rtsp",
    transport: "tcp",
    test: (_b, t) => /^(DESCRIBE|SETUP|PLAY|OPTIONS|ANNOUNCE) [^ ]+ RTSP\/1/.test(t) || t.startsWith("RTSP/1"),
  },
  {
    name: "quic",
    transport: "udp",
    test: (b) => b.length >= 20 && (b[0] & 0xc0) === 0xc0 && [1, 0x6b3343cf, 0].includes(be32(b, 1)) && b[5] <= 20,
  },
  { name: "quic", transport: "udp", test: (b) => b.length >= 20 && (b[0] & 0x80) !== 0 && be32(b, 1) >>> 8 === 0xff0000 && b[5] <= 20 },
  {
    name: "dhcp",
    transport: "udp",
    ports: [67, 68],
    test: (b) => b.length >= 240 && (b[0] === 1 || b[0] === 2) && be32(b, 236) === 0x63825363,
  },
  { name: "dhcpv6", transport: "udp", ports: [546, 547], test: (b) => b.length >= 4 && b[0] >= 1 && b[0] <= 13 },
  { name: "stun", transport: "udp", test: (b) => b.length >= 20 && (b[0] & 0xc0) === 0 && be32(b, 4) === 0x2112a442 },
  { name: "ntp", transport: "udp", ports: [123], test: (b) => b.length >= 48 && (b[0] & 7) >= 1 && ((b[0] >> 3) & 7) <= 4 },
  { name: "snmp", transport: "udp", ports: [161, 162], test: (b) => b[0] === 0x30 && b.length > 10 },
  { name: "kerberos", transport: "udp", ports: [88], test: (b) => (b[0] & 0xe0) === 0x60 },
  { name: "ldap", transport: "udp", ports: [389], test: (b) => b[0] === 0x30 },
  {
    name: "sip",
    transport: "udp",
    test: (_b, t) => /^(INVITE|REGISTER|OPTIONS|SUBSCRIBE|NOTIFY|ACK|BYE|MESSAGE) sips?:/.test(t) || t.startsWith("SIP/2.0 "),
  },
  { name: "ssdp", transport: "udp", ports: [1900], test: starts("M-SEARCH ", "NOTIFY ", "HTTP/1.") },
  {
    name: "wireguard",
    transport: "udp",
    test: (b) => (b.length === 148 && be32(b, 0) === 0x01000000) || (b.length === 92 && be32(b, 0) === 0x02000000),
  },
  { name: "bittorrent", transport: "udp", test: (_b, t) => /^d1:[arq]/.test(t) },
  { name: "tftp", transport: "udp", ports: [69], test: (b) => b[0] === 0 && b[1] >= 1 && b[1] <= 5 },
  { name: "syslog", transport: "udp", ports: [514], test: (_b, t) => /^<[0-9]{1,3}>/.test(t) },
  { name: "netbios-ns", transport: "udp", ports: [137], test: (b) => b.length >= 12 },
  { name: "netbios-dgm", transport: "udp", ports: [138], test: (b) => b.length >= 14 },
  {
    name: "rtp",
    transport: "udp",
    test: (b) =>
      b.length >= 12 && b[0] >> 6 === 2 && ((b[1] & 0x7f) <= 34 || ((b[1] & 0x7f) >= 96 && (b[1] & 0x7f) <= 127)) && be32(b, 8) !== 0,
  },
];

/** The protocol that the first bytes of a side give away, if any. */
export function signature(transport: "tcp" | "udp", bytes: Uint8Array, portA: number, portB: number): string | undefined {
  if (bytes.length < 2) return undefined;
  const text = latin1(bytes, 0, 128);
  for (const row of ROWS) {
    if (row.transport !== transport) continue;
    if (row.ports && !row.ports.includes(portA) && !row.ports.includes(portB)) continue;
    if (row.test(bytes, text)) return row.name;
  }
  return undefined;
}
