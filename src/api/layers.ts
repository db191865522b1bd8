/**
 * A packet layer by layer, for eyes: names, values and the bytes they stand in. It explains; it decides nothing (native/wire does that), stops
 * where it does not know the next header, and never fails: what is cut off is said.
 */
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
type Next = [kind: string, at: number] | undefined;
type Parser = (p: Packet, at: number) => Next;

const ETHERTYPE: Readonly<Record<number, [string, string]>> = {
  2048: ["IPv4", "ipv4"],
  2054: ["ARP", "arp"],
  33024: ["802.1Q VLAN", "vlan"],
  34525: ["IPv6", "ipv6"],
  34887: ["MPLS", "mpls"],
  34984: ["802.1ad VLAN", "vlan"],
};
const PROTOCOL: Readonly<Record<number, [string, string]>> = {
  0: ["hop-by-hop options", "ipv6ext"],
  1: ["ICMP", "icmp"],
  4: ["IPv4 in IP", "ipv4"],
  6: ["TCP", "tcp"],
  17: ["UDP", "udp"],
  41: ["IPv6 in IP", "ipv6"],
  43: ["routing header", "ipv6ext"],
  44: ["fragment header", "ipv6frag"],
  47: ["GRE", "gre"],
  58: ["ICMPv6", "icmp"],
  60: ["destination options", "ipv6ext"],
  132: ["SCTP", "sctp"],
};
const TCP_FLAGS = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"];
const MAX_LAYERS = 24;

class Packet {
  readonly b: Uint8Array;
  readonly layers: Layer[] = [];
  constructor(b: Uint8Array) {
    this.b = b;
  }
  has(at: number, n: number): boolean {
    return at + n <= this.b.length;
  }
  u8 = (at: number): number => this.b[at];
  u16 = (at: number): number => (this.b[at] << 8) | this.b[at + 1];
  u32 = (at: number): number => ((this.b[at] << 24) | (this.b[at + 1] << 16) | (this.b[at + 2] << 8) | this.b[at + 3]) >>> 0;
  hex = (at: number, n: number, between = ""): string =>
    Array.from(this.b.subarray(at, at + n), (x) => x.toString(16).padStart(2, "0")).join(between);
  ip4 = (at: number): string => Array.from(this.b.subarray(at, at + 4)).join(".");
  ip6(at: number): string {
    const words = Array.from({ length: 8 }, (_, i) => this.u16(at + 2 * i).toString(16));
    const runs = words.join(":").match(/\b0(:0)+\b/g);
    const longest = runs?.reduce((x, y) => (y.length > x.length ? y : x));
    return longest
      ? words
          .join(":")
          .replace(longest, "")
          .replace(/^:?:?|:?:?$/g, (x) => (x.length === 1 ? "::" : x))
          .replace(/:{3,}/, "::")
      : words.join(":");
  }
  layer(name: string, at: number, bytes: number): Layer {
    const l: Layer = { name, at, bytes: Math.min(bytes, this.b.length - at), fields: [] };
    this.layers.push(l);
    return l;
  }
  /** The header does not fit. */
  cut(name: string, at: number, needed: number): undefined {
    const l = this.layer(name, at, this.b.length - at);
    l.fields.push({ name: "cut off", value: `${needed} bytes needed, ${this.b.length - at} there`, at, bytes: this.b.length - at });
    return undefined;
  }
}
const field = (l: Layer, name: string, value: string | number, at: number, bytes: number): void =>
  void l.fields.push({ name, value: String(value), at, bytes });
const named = (table: Readonly<Record<number, [string, string]>>, n: number, hex = false): string =>
  `${table[n]?.[0] ?? "unknown"} (${hex ? `0x${n.toString(16)}` : n})`;
const byType = (p: Packet, l: Layer, at: number, next: number): Next => {
  const type = p.u16(at);
  if (type < 1536) {
    field(l, "length", type, at, 2);
    return undefined;
  }
  field(l, "type", named(ETHERTYPE, type, true), at, 2);
  const known = ETHERTYPE[type];
  return known && [known[1], next];
};

const PARSERS: Readonly<Record<string, Parser>> = {
  ethernet(p, at) {
    if (!p.has(at, 14)) return p.cut("Ethernet", at, 14);
    const l = p.layer("Ethernet", at, 14);
    field(l, "destination", p.hex(at, 6, ":"), at, 6);
    field(l, "source", p.hex(at + 6, 6, ":"), at + 6, 6);
    return byType(p, l, at + 12, at + 14);
  },
  vlan(p, at) {
    if (!p.has(at, 4)) return p.cut("VLAN", at, 4);
    const l = p.layer("VLAN", at, 4);
    field(l, "priority", p.u8(at) >> 5, at, 1);
    field(l, "id", p.u16(at) & 0xfff, at, 2);
    return byType(p, l, at + 2, at + 4);
  },
  sll(p, at) {
    if (!p.has(at, 16)) return p.cut("Linux cooked", at, 16);
    const l = p.layer("Linux cooked", at, 16);
    field(l, "packet type", p.u16(at), at, 2);
    field(l, "address", p.hex(at + 6, Math.min(8, p.u16(at + 4)), ":"), at + 6, 8);
    return byType(p, l, at + 14, at + 16);
  },
  sll2(p, at) {
    if (!p.has(at, 20)) return p.cut("Linux cooked v2", at, 20);
    const l = p.layer("Linux cooked v2", at, 20);
    field(l, "interface", p.u32(at + 4), at + 4, 4);
    return byType(p, l, at, at + 20);
  },
  raw: (p, at) => (p.has(at, 1) ? [p.u8(at) >> 4 === 6 ? "ipv6" : "ipv4", at] : undefined),
  null: (p, at) => (p.has(at, 5) ? [p.u8(at + 4) >> 4 === 6 ? "ipv6" : "ipv4", at + 4] : undefined),
  mpls(p, at) {
    if (!p.has(at, 4)) return p.cut("MPLS", at, 4);
    const l = p.layer("MPLS", at, 4);
    field(l, "label", p.u32(at) >>> 12, at, 3);
    field(l, "time to live", p.u8(at + 3), at + 3, 1);
    if (!(p.u8(at + 2) & 1)) return ["mpls", at + 4];
    return p.has(at + 4, 1) ? [p.u8(at + 4) >> 4 === 6 ? "ipv6" : "ipv4", at + 4] : undefined;
  },
  arp(p, at) {
    if (!p.has(at, 28)) return p.cut("ARP", at, 28);
    const l = p.layer("ARP", at, 28);
    field(l, "operation", { 1: "request", 2: "reply" }[p.u16(at + 6)] ?? p.u16(at + 6), at + 6, 2);
    field(l, "sender MAC", p.hex(at + 8, 6, ":"), at + 8, 6);
    field(l, "sender IP", p.ip4(at + 14), at + 14, 4);
    field(l, "target MAC", p.hex(at + 18, 6, ":"), at + 18, 6);
    field(l, "target IP", p.ip4(at + 24), at + 24, 4);
    return undefined;
  },
  ipv4(p, at) {
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
    field(l, "source", p.ip4(at + 12), at + 12, 4);
    field(l, "destination", p.ip4(at + 16), at + 16, 4);
    if (size > 20) field(l, "options", p.hex(at + 20, size - 20, " "), at + 20, size - 20);
    if (flags & 0x1fff) return undefined;
    const next = PROTOCOL[p.u8(at + 9)];
    return next && [next[1], at + size];
  },
  ipv6(p, at) {
    if (!p.has(at, 40)) return p.cut("IPv6", at, 40);
    const l = p.layer("IPv6", at, 40);
    field(l, "flow label", `0x${(p.u32(at) & 0xfffff).toString(16)}`, at, 4);
    field(l, "payload length", p.u16(at + 4), at + 4, 2);
    field(l, "next header", named(PROTOCOL, p.u8(at + 6)), at + 6, 1);
    field(l, "hop limit", p.u8(at + 7), at + 7, 1);
    field(l, "source", p.ip6(at + 8), at + 8, 16);
    field(l, "destination", p.ip6(at + 24), at + 24, 16);
    const next = PROTOCOL[p.u8(at + 6)];
    return next && [next[1], at + 40];
  },
  ipv6ext(p, at) {
    if (!p.has(at, 8)) return p.cut("IPv6 extension", at, 8);
    const size = (p.u8(at + 1) + 1) * 8;
    const l = p.layer("IPv6 extension", at, size);
    field(l, "next header", named(PROTOCOL, p.u8(at)), at, 1);
    field(l, "length", size, at + 1, 1);
    const next = PROTOCOL[p.u8(at)];
    return next && [next[1], at + size];
  },
  ipv6frag(p, at) {
    if (!p.has(at, 8)) return p.cut("IPv6 fragment", at, 8);
    const l = p.layer("IPv6 fragment", at, 8);
    field(l, "next header", named(PROTOCOL, p.u8(at)), at, 1);
    field(l, "offset", `${p.u16(at + 2) & 0xfff8}${p.u16(at + 2) & 1 ? ", more follow" : ""}`, at + 2, 2);
    field(l, "identification", `0x${p.hex(at + 4, 4)}`, at + 4, 4);
    const next = PROTOCOL[p.u8(at)];
    return p.u16(at + 2) & 0xfff8 ? undefined : next && [next[1], at + 8];
  },
  gre(p, at) {
    if (!p.has(at, 4)) return p.cut("GRE", at, 4);
    const flags = p.u8(at);
    const size = 4 + (flags & 0x80 ? 4 : 0) + (flags & 0x20 ? 4 : 0) + (flags & 0x10 ? 4 : 0);
    const l = p.layer("GRE", at, size);
    if (p.u16(at + 2) === 0x6558) return ["ethernet", at + size];
    return byType(p, l, at + 2, at + size);
  },
  icmp(p, at) {
    if (!p.has(at, 4)) return p.cut("ICMP", at, 4);
    const l = p.layer("ICMP", at, Math.min(8, p.b.length - at));
    field(l, "type", p.u8(at), at, 1);
    field(l, "code", p.u8(at + 1), at + 1, 1);
    field(l, "checksum", `0x${p.hex(at + 2, 2)}`, at + 2, 2);
    return ["payload", at + l.bytes];
  },
  udp(p, at) {
    if (!p.has(at, 8)) return p.cut("UDP", at, 8);
    const l = p.layer("UDP", at, 8);
    field(l, "source port", p.u16(at), at, 2);
    field(l, "destination port", p.u16(at + 2), at + 2, 2);
    field(l, "length", p.u16(at + 4), at + 4, 2);
    field(l, "checksum", `0x${p.hex(at + 6, 2)}`, at + 6, 2);
    if (p.u16(at + 2) === 4789 && p.has(at + 8, 8)) {
      const v = p.layer("VXLAN", at + 8, 8);
      field(v, "network identifier", p.u32(at + 12) >>> 8, at + 12, 3);
      return ["ethernet", at + 16];
    }
    return ["payload", at + 8];
  },
  tcp(p, at) {
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
    return ["payload", at + size];
  },
  sctp(p, at) {
    if (!p.has(at, 12)) return p.cut("SCTP", at, 12);
    const l = p.layer("SCTP", at, 12);
    field(l, "source port", p.u16(at), at, 2);
    field(l, "destination port", p.u16(at + 2), at + 2, 2);
    return ["payload", at + 12];
  },
  payload(p, at) {
    if (at < p.b.length) p.layer("payload", at, p.b.length - at);
    return undefined;
  },
};
const FIRST: Readonly<Record<number, string>> = {
  0: "null",
  1: "ethernet",
  12: "raw",
  14: "raw",
  101: "raw",
  108: "null",
  113: "sll",
  228: "ipv4",
  229: "ipv6",
  276: "sll2",
};

/** Layers from the outside in. */
export function layersOf(bytes: Uint8Array, linktype: number): Layer[] {
  const p = new Packet(bytes);
  let next: Next = FIRST[linktype] === undefined ? ["payload", 0] : [FIRST[linktype], 0];
  while (next && p.layers.length < MAX_LAYERS && next[1] <= bytes.length) next = PARSERS[next[0]](p, next[1]);
  const last = p.layers.at(-1);
  const end = last ? last.at + last.bytes : 0;
  if (end < bytes.length && p.layers.length < MAX_LAYERS) p.layer(last ? "bytes behind" : "bytes", end, bytes.length - end);
  return p.layers;
}
