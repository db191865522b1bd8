/**
 * A packet layer by layer, for eyes: names, values and the bytes they stand in. Where headers begin is what the native dissection says; this
 * explains them. It never fails: what is cut off is said.
 */
import { addon } from "../engine/native.js";
import { linktypeName } from "../records/protocols.js";
import { ipText } from "../records/text.js";

export interface Field {
  name: string;
  value: string;
  /** First byte, and how many. */
  at: number;
  bytes: number;
}
export interface Layer {
  name: string;
  at: number;
  bytes: number;
  fields: Field[];
}

/** native/wire/layers.h */
const KINDS = ["done", "ethernet", "ethertype", "llc", "ppp", "mpls", "ip", "ipv4", "ipv6", "protocol"] as const;
const ETHERTYPE: Readonly<Record<number, string>> = {
  2048: "IPv4",
  2054: "ARP",
  32821: "RARP",
  33024: "802.1Q VLAN",
  34525: "IPv6",
  34827: "PPP",
  34878: "WCCP",
  34887: "MPLS",
  34888: "MPLS multicast",
  34915: "PPPoE discovery",
  34916: "PPPoE session",
  34984: "802.1ad VLAN",
  35020: "LLDP",
  35045: "MACsec",
  35078: "VN-Tag",
};
const VLAN = [0x8100, 0x88a8, 0x9100, 0x9200];
const PROTOCOL: Readonly<Record<number, string>> = {
  0: "hop-by-hop options",
  1: "ICMP",
  2: "IGMP",
  4: "IPv4 in IP",
  6: "TCP",
  17: "UDP",
  41: "IPv6 in IP",
  43: "routing header",
  44: "fragment header",
  47: "GRE",
  50: "ESP",
  51: "authentication header",
  58: "ICMPv6",
  60: "destination options",
  97: "EtherIP",
  132: "SCTP",
  135: "mobility header",
  137: "MPLS in IP",
};
const EXTENSIONS = [0, 43, 44, 51, 60, 135, 139, 140];
const FRAGMENT = 44;
const AUTHENTICATION = 51;
/** What stands between UDP and the packet in it, by the port that says so. */
const UDP_TUNNELS: Readonly<Record<number, string>> = {
  1701: "L2TP",
  2152: "GTP-U",
  3544: "Teredo",
  4789: "VXLAN",
  4790: "VXLAN-GPE",
  6081: "Geneve",
  8472: "VXLAN",
};
const TCP_FLAGS = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"];

class Packet {
  readonly b: Uint8Array;
  readonly layers: Layer[] = [];
  /** Where the innermost IP packet ends, by its own length: behind it the link pads. */
  end: number;
  /** Protocol whose header stands in a first fragment: dissection waits for the datagram. */
  first: number | undefined;
  constructor(b: Uint8Array) {
    this.b = b;
    this.end = b.length;
  }
  has(at: number, n: number): boolean {
    return at + n <= this.b.length;
  }
  u8 = (at: number): number => this.b[at];
  u16 = (at: number): number => (this.b[at] << 8) | this.b[at + 1];
  u32 = (at: number): number => ((this.b[at] << 24) | (this.b[at + 1] << 16) | (this.b[at + 2] << 8) | this.b[at + 3]) >>> 0;
  hex = (at: number, n: number, between = ""): string =>
    Array.from(this.b.subarray(at, at + n), (x) => x.toString(16).padStart(2, "0")).join(between);
  ip = (at: number, n: 4 | 16): string => ipText(this.b.subarray(at, at + n));
  layer(name: string, at: number, bytes: number): Layer {
    const l: Layer = { name, at, bytes: Math.min(bytes, this.b.length - at), fields: [] };
    this.layers.push(l);
    return l;
  }
  /** The header does not fit. */
  cut(name: string, at: number, needed: number): number {
    const l = this.layer(name, at, this.b.length - at);
    l.fields.push({ name: "cut off", value: `${needed} bytes needed, ${this.b.length - at} there`, at, bytes: this.b.length - at });
    return this.b.length;
  }
}
const field = (l: Layer, name: string, value: string | number, at: number, bytes: number): void =>
  void l.fields.push({ name, value: String(value), at, bytes });
const named = (table: Readonly<Record<number, string>>, n: number, hex = false): string =>
  `${table[n] ?? "unknown"} (${hex ? `0x${n.toString(16)}` : n})`;
const type = (p: Packet, l: Layer, at: number): void => {
  const t = p.u16(at);
  if (t < 1536) field(l, "length", t, at, 2);
  else field(l, "type", named(ETHERTYPE, t, true), at, 2);
};

/** Explains what begins at `at`; what is inside begins at `to`. Returns where its own bytes end. */
type Explain = (p: Packet, at: number, to: number) => number;

const ethernet: Explain = (p, at) => {
  if (!p.has(at, 14)) return p.cut("Ethernet", at, 14);
  const l = p.layer("Ethernet", at, 14);
  field(l, "destination", p.hex(at, 6, ":"), at, 6);
  field(l, "source", p.hex(at + 6, 6, ":"), at + 6, 6);
  type(p, l, at + 12);
  return at + 14;
};
const vlan: Explain = (p, at) => {
  if (!p.has(at, 4)) return p.cut("VLAN", at, 4);
  const l = p.layer("VLAN", at, 4);
  field(l, "priority", p.u8(at) >> 5, at, 1);
  field(l, "id", p.u16(at) & 0xfff, at, 2);
  type(p, l, at + 2);
  return at + 4;
};
const pppoe: Explain = (p, at, to) => {
  if (!p.has(at, 6)) return p.cut("PPPoE", at, 6);
  const l = p.layer("PPPoE", at, to - at);
  field(l, "code", `0x${p.hex(at + 1, 1)}`, at + 1, 1);
  field(l, "session", p.u16(at + 2), at + 2, 2);
  field(l, "length", p.u16(at + 4), at + 4, 2);
  return to;
};
const arp: Explain = (p, at) => {
  if (!p.has(at, 28)) return p.cut("ARP", at, 28);
  const l = p.layer("ARP", at, 28);
  field(l, "operation", { 1: "request", 2: "reply" }[p.u16(at + 6)] ?? p.u16(at + 6), at + 6, 2);
  field(l, "sender MAC", p.hex(at + 8, 6, ":"), at + 8, 6);
  field(l, "sender IP", p.ip(at + 14, 4), at + 14, 4);
  field(l, "target MAC", p.hex(at + 18, 6, ":"), at + 18, 6);
  field(l, "target IP", p.ip(at + 24, 4), at + 24, 4);
  return at + 28;
};
const llc: Explain = (p, at, to) => {
  const l = p.layer(p.has(at, 8) && p.u16(at) === 0xaaaa ? "LLC/SNAP" : "LLC", at, to - at);
  if (p.has(at, 3)) field(l, "DSAP, SSAP, control", p.hex(at, 3, " "), at, 3);
  if (l.name === "LLC/SNAP") {
    field(l, "organization", p.hex(at + 3, 3, "-"), at + 3, 3);
    field(l, "type", named(ETHERTYPE, p.u16(at + 6), true), at + 6, 2);
  }
  return to;
};
const ppp: Explain = (p, at, to) => {
  const l = p.layer("PPP", at, to - at);
  const from = p.has(at, 2) && p.u16(at) === 0xff03 ? at + 2 : at;
  if (p.has(from, 1)) {
    const short = p.u8(from) & 1;
    if (short || p.has(from, 2)) field(l, "protocol", `0x${p.hex(from, short ? 1 : 2)}`, from, short ? 1 : 2);
  }
  return to;
};
const mpls: Explain = (p, at, to) => {
  let from = at;
  for (let bottom = false; !bottom && p.has(from, 4) && from < to; from += 4) {
    const l = p.layer("MPLS", from, 4);
    field(l, "label", p.u32(from) >>> 12, from, 3);
    field(l, "time to live", p.u8(from + 3), from + 3, 1);
    bottom = (p.u8(from + 2) & 1) === 1;
  }
  return from === at ? p.cut("MPLS", at, 4) : from;
};
const ipv4: Explain = (p, at) => {
  if (!p.has(at, 20)) return p.cut("IPv4", at, 20);
  const size = Math.max(20, (p.u8(at) & 15) * 4);
  const l = p.layer("IPv4", at, size);
  field(l, "version, header length", `${p.u8(at) >> 4}, ${(p.u8(at) & 15) * 4} bytes`, at, 1);
  field(l, "total length", p.u16(at + 2), at + 2, 2);
  field(l, "identification", `0x${p.hex(at + 4, 2)}`, at + 4, 2);
  const flags = p.u16(at + 6);
  field(
    l,
    "fragment",
    `${flags & 0x4000 ? "don't fragment, " : ""}${flags & 0x2000 ? "more follow, " : ""}offset ${(flags & 0x1fff) * 8}`,
    at + 6,
    2,
  );
  field(l, "time to live", p.u8(at + 8), at + 8, 1);
  field(l, "protocol", named(PROTOCOL, p.u8(at + 9)), at + 9, 1);
  field(l, "checksum", `0x${p.hex(at + 10, 2)}`, at + 10, 2);
  field(l, "source", p.ip(at + 12, 4), at + 12, 4);
  field(l, "destination", p.ip(at + 16, 4), at + 16, 4);
  if (size > 20) field(l, "options", p.hex(at + 20, size - 20, " "), at + 20, size - 20);
  if ((flags & 0x3fff) === 0x2000) p.first = p.u8(at + 9);
  if (p.u16(at + 2) >= size) p.end = Math.min(p.end, at + p.u16(at + 2));
  return at + size;
};
const ipv6: Explain = (p, at, to) => {
  if (!p.has(at, 40)) return p.cut("IPv6", at, 40);
  const l = p.layer("IPv6", at, 40);
  field(l, "flow label", `0x${(p.u32(at) & 0xfffff).toString(16)}`, at, 4);
  field(l, "payload length", p.u16(at + 4), at + 4, 2);
  field(l, "next header", named(PROTOCOL, p.u8(at + 6)), at + 6, 1);
  field(l, "hop limit", p.u8(at + 7), at + 7, 1);
  field(l, "source", p.ip(at + 8, 16), at + 8, 16);
  field(l, "destination", p.ip(at + 24, 16), at + 24, 16);
  if (p.u16(at + 4)) p.end = Math.min(p.end, at + 40 + p.u16(at + 4));
  return extensions(p, at + 40, to, p.u8(at + 6));
};
/** From a header that is one to the upper layer, or to where nothing is known to begin. */
function extensions(p: Packet, at: number, to: number, first: number): number {
  let from = at;
  for (let head = first; from < to && EXTENSIONS.includes(head); ) {
    if (!p.has(from, 8)) return p.cut("IPv6 extension", from, 8);
    const size = head === FRAGMENT ? 8 : head === AUTHENTICATION ? (p.u8(from + 1) + 2) * 4 : (p.u8(from + 1) + 1) * 8;
    const l = p.layer(PROTOCOL[head] ?? "IPv6 extension", from, size);
    field(l, "next header", named(PROTOCOL, p.u8(from)), from, 1);
    if (head === FRAGMENT) {
      field(l, "offset", `${p.u16(from + 2) & 0xfff8}${p.u16(from + 2) & 1 ? ", more follow" : ""}`, from + 2, 2);
      field(l, "identification", `0x${p.hex(from + 4, 4)}`, from + 4, 4);
    } else field(l, "length", size, from + 1, 1);
    const place = head === FRAGMENT ? p.u16(from + 2) & 0xfff9 : 0;
    head = p.u8(from);
    from = Math.min(from + size, p.b.length);
    if (place === 1) p.first = head;
    if (place) break;
  }
  return from;
}
const gre: Explain = (p, at, to) => {
  if (!p.has(at, 4)) return p.cut("GRE", at, 4);
  const flags = p.u16(at);
  const erspan = p.u16(at + 2) === 0x88be || p.u16(at + 2) === 0x22eb;
  const size = 4 + (flags & 0xc000 ? 4 : 0) + (flags & 0x2000 ? 4 : 0) + (flags & 0x1000 ? 4 : 0) + (flags & 7 && flags & 0x80 ? 4 : 0);
  const l = p.layer("GRE", at, size);
  field(l, "flags, version", `0x${p.hex(at, 2)}`, at, 2);
  field(l, "type", erspan ? `ERSPAN (0x${p.hex(at + 2, 2)})` : named(ETHERTYPE, p.u16(at + 2), true), at + 2, 2);
  if (erspan && to > at + size && p.has(at + size, 4)) {
    const e = p.layer("ERSPAN", at + size, to - at - size);
    field(e, "version", p.u8(at + size) >> 4, at + size, 1);
    field(e, "session", p.u16(at + size + 2) & 0x3ff, at + size + 2, 2);
    return to;
  }
  return Math.min(at + size, p.b.length);
};
const icmp: Explain = (p, at) => {
  if (!p.has(at, 4)) return p.cut("ICMP", at, 4);
  const l = p.layer("ICMP", at, Math.min(8, p.b.length - at));
  field(l, "type", p.u8(at), at, 1);
  field(l, "code", p.u8(at + 1), at + 1, 1);
  field(l, "checksum", `0x${p.hex(at + 2, 2)}`, at + 2, 2);
  return at + l.bytes;
};
const udp: Explain = (p, at, to) => {
  if (!p.has(at, 8)) return p.cut("UDP", at, 8);
  const l = p.layer("UDP", at, 8);
  field(l, "source port", p.u16(at), at, 2);
  field(l, "destination port", p.u16(at + 2), at + 2, 2);
  field(l, "length", p.u16(at + 4), at + 4, 2);
  field(l, "checksum", `0x${p.hex(at + 6, 2)}`, at + 6, 2);
  if (to >= p.b.length) return at + 8;
  const name = UDP_TUNNELS[p.u16(at + 2)] ?? UDP_TUNNELS[p.u16(at)] ?? "tunnel";
  if (to === at + 8) return to;
  const t = p.layer(name, at + 8, to - at - 8);
  if (name.startsWith("VXLAN") || name === "Geneve") field(t, "network identifier", p.u32(at + 12) >>> 8, at + 12, 3);
  if (name === "GTP-U") field(t, "tunnel endpoint identifier", `0x${p.hex(at + 12, 4)}`, at + 12, 4);
  return to;
};
const tcp: Explain = (p, at) => {
  if (!p.has(at, 20)) return p.cut("TCP", at, 20);
  const size = Math.max(20, (p.u8(at + 12) >> 4) * 4);
  const l = p.layer("TCP", at, size);
  field(l, "source port", p.u16(at), at, 2);
  field(l, "destination port", p.u16(at + 2), at + 2, 2);
  field(l, "sequence", p.u32(at + 4), at + 4, 4);
  field(l, "acknowledgement", p.u32(at + 8), at + 8, 4);
  field(l, "header length", size, at + 12, 1);
  field(l, "flags", TCP_FLAGS.filter((_, i) => p.u8(at + 13) & (1 << i)).join(" ") || "none", at + 13, 1);
  field(l, "window", p.u16(at + 14), at + 14, 2);
  field(l, "checksum", `0x${p.hex(at + 16, 2)}`, at + 16, 2);
  if (p.u8(at + 13) & 32) field(l, "urgent pointer", p.u16(at + 18), at + 18, 2);
  if (size > 20) field(l, "options", p.hex(at + 20, size - 20, " "), at + 20, size - 20);
  return Math.min(at + size, p.b.length);
};
const sctp: Explain = (p, at) => {
  if (!p.has(at, 12)) return p.cut("SCTP", at, 12);
  const l = p.layer("SCTP", at, 12);
  field(l, "source port", p.u16(at), at, 2);
  field(l, "destination port", p.u16(at + 2), at + 2, 2);
  return at + 12;
};
/** A header of which only the name is known here. */
const opaque =
  (name: string): Explain =>
  (p, at, to) => {
    if (to > at) p.layer(name, at, to - at);
    return to;
  };

function explainerOf(kind: (typeof KINDS)[number], value: number): Explain | undefined {
  switch (kind) {
    case "ethernet":
      return ethernet;
    case "llc":
      return llc;
    case "ppp":
      return ppp;
    case "mpls":
      return mpls;
    case "ipv4":
      return ipv4;
    case "ipv6":
      return ipv6;
    case "ethertype":
      if (VLAN.includes(value)) return vlan;
      if (value === 0x8864) return pppoe;
      if (value === 0x0806 || value === 0x8035) return arp;
      return value === 0x8926 || value === 0x88e5 ? opaque(ETHERTYPE[value]) : undefined;
    case "protocol":
      if (EXTENSIONS.includes(value)) return (p, at, to) => extensions(p, at, to, value);
      return { 1: icmp, 6: tcp, 17: udp, 47: gre, 58: icmp, 97: opaque("EtherIP"), 132: sctp }[value];
    default:
      return undefined;
  }
}

/** Layers from the outside in; `length`: of the packet on the wire. */
export function layersOf(bytes: Uint8Array, linktype: number, length = bytes.length): Layer[] {
  const p = new Packet(bytes);
  const steps = addon.layers(linktype, bytes, length);
  const begins = (i: number): number => (i * 3 < steps.length ? steps[i * 3 + 2] : bytes.length);
  let at = 0;
  if (begins(0) > 0) at = opaque(linktypeName(linktype))(p, 0, begins(0));
  for (let i = 0; i * 3 < steps.length; i++) {
    if (begins(i) > at) p.layer("header", at, begins(i) - at); // what no explainer claims
    // A header that names another at the same place (an ethertype, a protocol number) has no bytes of its own.
    const to = begins(i + 1);
    at =
      to === begins(i) ? to : Math.min(explainerOf(KINDS[steps[i * 3]], steps[i * 3 + 1])?.(p, begins(i), to) ?? begins(i), bytes.length);
  }
  if (p.first !== undefined && at < bytes.length) at = explainerOf("protocol", p.first)?.(p, at, bytes.length) ?? at;
  const end = Math.max(at, Math.min(p.end, bytes.length));
  if (at < end) p.layer("payload", at, end - at);
  if (end < bytes.length) p.layer("bytes behind", end, bytes.length - end);
  return p.layers;
}
