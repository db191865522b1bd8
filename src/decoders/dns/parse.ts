/** Bytes → message (RFC 1035 §4, RFC 6891). Pure: no flow, no clock. */
import { type NameReader, readName } from "./names.js";
import { rdata } from "./rdata.js";

export interface Question {
  name: string;
  type: number;
  class: number;
}
export interface Resource {
  name: string;
  type: number;
  class: number;
  ttl: number;
  data: string;
}
export interface Edns {
  version: number;
  udpSize: number;
  do: boolean;
  options: number[];
  extendedRcode: number;
}
export interface Message {
  id: number;
  response: boolean;
  opcode: number;
  flags: number;
  rcode: number;
  questions: Question[];
  answers: Resource[];
  authorities: Resource[];
  additionals: Resource[];
  edns: Edns | undefined;
  /** Bytes of the message; less than given means trailing bytes. */
  size: number;
  anomalies: string[];
  /** The message ended before its counts were satisfied. */
  truncated: boolean;
}

/** Records of a section that are kept; a message with more says so. */
export const MAX_RECORDS = 512;
const OPT = 41;
const u16 = (b: Uint8Array, at: number): number => (b[at] << 8) | b[at + 1];

/** Undefined: shorter than a header. `mdns`: the top bit of classes is a flag (RFC 6762 §10.2, §5.4). */
export function parse(b: Uint8Array, mdns: boolean): Message | undefined {
  if (b.length < 12) return undefined;
  const word = u16(b, 2);
  const m: Message = {
    id: u16(b, 0),
    response: (word & 0x8000) !== 0,
    opcode: (word >> 11) & 15,
    flags: word,
    rcode: word & 15,
    questions: [],
    answers: [],
    authorities: [],
    additionals: [],
    edns: undefined,
    size: 12,
    anomalies: [],
    truncated: false,
  };
  const r: NameReader = { bytes: b, pos: 12, wrong: undefined };
  const classMask = mdns ? 0x7fff : 0xffff;
  let counts = u16(b, 4);
  while (counts-- > 0 && !m.truncated) {
    const name = readName(r);
    if (wrong(m, r) || r.pos + 4 > b.length) {
      m.truncated = true;
      break;
    }
    if (m.questions.length < MAX_RECORDS) m.questions.push({ name, type: u16(b, r.pos), class: u16(b, r.pos + 2) & classMask });
    r.pos += 4;
  }
  section(m, r, u16(b, 6), m.answers, classMask);
  section(m, r, u16(b, 8), m.authorities, classMask);
  section(m, r, u16(b, 10), m.additionals, classMask);
  m.size = Math.min(r.pos, b.length);
  if (m.edns) m.rcode |= m.edns.extendedRcode << 4;
  return m;
}

function wrong(m: Message, r: NameReader): boolean {
  if (!r.wrong) return false;
  if (!m.anomalies.includes(r.wrong)) m.anomalies.push(r.wrong);
  return true;
}

function section(m: Message, r: NameReader, count: number, out: Resource[], classMask: number): void {
  const b = r.bytes;
  for (; count > 0 && !m.truncated; count--) {
    const name = readName(r);
    if (wrong(m, r) || r.pos + 10 > b.length) {
      m.truncated = true;
      return;
    }
    const type = u16(b, r.pos);
    const cls = u16(b, r.pos + 2);
    const ttl = ((u16(b, r.pos + 4) << 16) | u16(b, r.pos + 6)) >>> 0;
    const from = r.pos + 10;
    const to = from + u16(b, r.pos + 8);
    if (to > b.length) {
      m.truncated = true;
      return;
    }
    r.pos = to;
    if (type === OPT && !m.edns) {
      m.edns = edns(m, b, cls, ttl, from, to);
      continue;
    }
    if (out.length >= MAX_RECORDS) {
      if (!m.anomalies.includes("dns-too-many-records")) m.anomalies.push("dns-too-many-records");
      continue;
    }
    const { text, bad } = rdata(type, b, from, to);
    if (bad && !m.anomalies.includes("dns-rdata-malformed")) m.anomalies.push("dns-rdata-malformed");
    out.push({ name, type, class: cls & classMask, ttl, data: text });
  }
}

function edns(m: Message, b: Uint8Array, cls: number, ttl: number, from: number, to: number): Edns {
  const options: number[] = [];
  let at = from;
  while (at + 4 <= to) {
    options.push(u16(b, at));
    at += 4 + u16(b, at + 2);
  }
  if (at !== to) m.anomalies.push("dns-rdata-malformed");
  return { version: (ttl >>> 16) & 0xff, udpSize: cls, do: (ttl & 0x8000) !== 0, options, extendedRcode: ttl >>> 24 };
}
