/** Resource record data in presentation format (RFC 1035 §5.1, 1876, 3123, 3597, 4034, 6742, 8005, 9460); what does not parse stands as RFC 3597 does. */
import { hexText as hex, ipText } from "../../records/text.js";
import { Cursor } from "../cursor.js";
import { type NameReader, readName } from "./names.js";
import { SVC_KEYS, typeName } from "./tables.js";

const base64 = (b: Uint8Array): string => Buffer.from(b.buffer, b.byteOffset, b.length).base64Slice();
const generic = (b: Uint8Array): string => (b.length ? `\\# ${b.length} ${hex(b)}` : "\\# 0");

/** A name inside record data: it may point anywhere before it in the message. */
function name(c: Cursor): string {
  const r: NameReader = { bytes: c.bytes.length > c.end ? c.bytes.subarray(0, c.end) : c.bytes, pos: c.pos, wrong: undefined };
  const text = readName(r);
  if (r.wrong) c.bad = true;
  c.pos = r.pos;
  return text;
}

/** <character-string> in quotes (RFC 1035 §5.1). */
function quoted(b: Uint8Array): string {
  let s = '"';
  for (const c of b) {
    if (c === 0x22 || c === 0x5c) s += `\\${String.fromCharCode(c)}`;
    else if (c >= 0x20 && c <= 0x7e) s += String.fromCharCode(c);
    else s += `\\${String(c).padStart(3, "0")}`;
  }
  return `${s}"`;
}
const string = (c: Cursor): string => quoted(c.take(c.u8()));
const rest = (c: Cursor): Uint8Array => c.take(c.left);

function strings(c: Cursor): string {
  const out: string[] = [];
  while (!c.bad && c.left > 0) out.push(string(c));
  return out.join(" ");
}

/** Type bit maps (RFC 4034 §4.1.2). */
function bitmap(c: Cursor): string {
  const out: string[] = [];
  while (!c.bad && c.left > 0) {
    const window = c.u8();
    const bytes = c.take(c.u8());
    for (let i = 0; i < bytes.length * 8; i++) if (bytes[i >> 3] & (0x80 >> (i & 7))) out.push(typeName(window * 256 + i));
  }
  return out.join(" ");
}

/** YYYYMMDDHHmmSS (RFC 4034 §3.2). */
const when = (seconds: number): string => new Date(seconds * 1000).toISOString().replace(/[-:T]/g, "").slice(0, 14);

const BASE32 = "0123456789abcdefghijklmnopqrstuv";
function base32(b: Uint8Array): string {
  let s = "";
  let bits = 0;
  let value = 0;
  for (const byte of b) {
    value = ((value << 8) | byte) & 0xffff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      s += BASE32[(value >> bits) & 31];
    }
  }
  return bits ? s + BASE32[(value << (5 - bits)) & 31] : s;
}

function svcb(c: Cursor): string {
  const priority = c.u16();
  const out = [`${priority} ${dot(name(c))}`];
  while (!c.bad && c.left > 0) {
    const key = c.u16();
    const value = c.sub(c.u16());
    out.push(svcParam(key, value));
  }
  return out.join(" ");
}

function svcParam(key: number, v: Cursor): string {
  const label = SVC_KEYS[key] ?? `key${key}`;
  const list: string[] = [];
  switch (key) {
    case 0:
      while (!v.bad && v.left >= 2) {
        const k = v.u16();
        list.push(SVC_KEYS[k] ?? `key${k}`);
      }
      return `${label}=${list.join(",")}`;
    case 1:
      while (!v.bad && v.left > 0) list.push(quoted(v.take(v.u8())).slice(1, -1).replace(/,/g, "\\\\,"));
      return `${label}="${list.join(",")}"`;
    case 2:
      return label;
    case 3:
      return `${label}=${v.u16()}`;
    case 4:
    case 6: {
      const size = key === 4 ? 4 : 16;
      while (v.left >= size) list.push(ipText(v.take(size)));
      return `${label}=${list.join(",")}`;
    }
    case 5:
      return `${label}=${base64(rest(v))}`;
    default:
      return v.left ? `${label}=${quoted(rest(v))}` : label;
  }
}

const dot = (n: string): string => (n === "." ? "." : n);

type Format = (c: Cursor, raw: Uint8Array) => string;
const digest: Format = (c) => `${c.u16()} ${c.u8()} ${c.u8()} ${hex(rest(c))}`;
const key: Format = (c) => `${c.u16()} ${c.u8()} ${c.u8()} ${base64(rest(c))}`;
const tlsa: Format = (c) => `${c.u8()} ${c.u8()} ${c.u8()} ${hex(rest(c))}`;
const preference: Format = (c) => `${c.u16()} ${name(c)}`;
const signature: Format = (c) =>
  `${typeName(c.u16())} ${c.u8()} ${c.u8()} ${c.u32()} ${when(c.u32())} ${when(c.u32())} ${c.u16()} ${name(c)} ${base64(rest(c))}`;
const salt = (c: Cursor): string => {
  const s = c.take(c.u8());
  return s.length ? hex(s) : "-";
};
const eui: Format = (c) => Array.from(rest(c), (b) => b.toString(16).padStart(2, "0")).join("-");

const fours = (b: Uint8Array): string => hex(b).replace(/(?<=.)(?=(....)+$)/g, ":");
const locator: Format = (c) => `${c.u16()} ${fours(c.take(8))}`;

/** RFC 1876 §2, 3: degrees, minutes and seconds; altitude and precision in metres. Version 0 is the only one. */
function location(c: Cursor): string {
  if (c.u8() !== 0) c.bad = true;
  const metres = (cm: number): string => `${String(cm / 100)}m`;
  const power = (b: number): string => {
    if (b >> 4 > 9 || (b & 15) > 9) c.bad = true;
    return metres((b >> 4) * 10 ** (b & 15));
  };
  const [size, across, up] = [power(c.u8()), power(c.u8()), power(c.u8())];
  const angle = (thousandths: number, names: string): string => {
    const n = thousandths - 2 ** 31;
    const a = Math.abs(n);
    return `${Math.floor(a / 3_600_000)} ${Math.floor(a / 60_000) % 60} ${((a % 60_000) / 1000).toFixed(3)} ${names[n < 0 ? 1 : 0]}`;
  };
  const [north, east] = [angle(c.u32(), "NS"), angle(c.u32(), "EW")];
  return `${north} ${east} ${((c.u32() - 10_000_000) / 100).toFixed(2)}m ${size} ${across} ${up}`;
}

/** RFC 3123 §4: address families, prefixes, and addresses without the zeros at their end. */
function prefixes(c: Cursor): string {
  const out: string[] = [];
  while (!c.bad && c.left > 0) {
    const family = c.u16();
    const prefix = c.u8();
    const n = c.u8();
    const bytes = c.take(n & 0x7f);
    const size = { 1: 4, 2: 16 }[family];
    if (size === undefined || bytes.length > size) c.bad = true;
    else out.push(`${n & 0x80 ? "!" : ""}${family}:${ipText(Buffer.concat([bytes, Buffer.alloc(size - bytes.length)]))}/${prefix}`);
  }
  return out.join(" ");
}

/** RFC 8005 §5, 6: algorithm, host identity tag, public key, rendezvous servers. */
function identity(c: Cursor): string {
  const [tag, algorithm, key] = [c.u8(), c.u8(), c.u16()];
  const out = [`${algorithm} ${hex(c.take(tag))} ${base64(c.take(key))}`];
  while (!c.bad && c.left > 0) out.push(name(c));
  return out.join(" ");
}

const FORMATS: Readonly<Record<number, Format>> = {
  1: (c, raw) => (raw.length === 4 ? ipText(c.take(4)) : generic(rest(c))),
  2: name,
  3: name,
  4: name,
  5: name,
  7: name,
  8: name,
  9: name,
  12: name,
  23: name,
  39: name,
  6: (c) => `${name(c)} ${name(c)} ${c.u32()} ${c.u32()} ${c.u32()} ${c.u32()} ${c.u32()}`,
  13: (c) => `${string(c)} ${string(c)}`,
  14: (c) => `${name(c)} ${name(c)}`,
  15: preference,
  18: preference,
  21: preference,
  36: preference,
  107: preference,
  16: strings,
  99: strings,
  55: identity,
  56: strings,
  258: strings,
  261: strings,
  17: (c) => `${name(c)} ${name(c)}`,
  19: string,
  20: strings,
  27: strings,
  24: signature,
  46: signature,
  25: key,
  48: key,
  60: key,
  57: key,
  26: (c) => `${c.u16()} ${name(c)} ${name(c)}`,
  28: (c, raw) => (raw.length === 16 ? ipText(c.take(16)) : generic(rest(c))),
  29: location,
  33: (c) => `${c.u16()} ${c.u16()} ${c.u16()} ${name(c)}`,
  35: (c) => `${c.u16()} ${c.u16()} ${string(c)} ${string(c)} ${string(c)} ${name(c)}`,
  37: (c) => `${c.u16()} ${c.u16()} ${c.u8()} ${base64(rest(c))}`,
  42: prefixes,
  43: digest,
  59: digest,
  32768: digest,
  32769: digest,
  44: (c) => `${c.u8()} ${c.u8()} ${hex(rest(c))}`,
  47: (c) => `${name(c)} ${bitmap(c)}`.trimEnd(),
  49: (c) => base64(rest(c)),
  61: (c) => base64(rest(c)),
  50: (c) => `${c.u8()} ${c.u8()} ${c.u16()} ${salt(c)} ${base32(c.take(c.u8()))} ${bitmap(c)}`.trimEnd(),
  51: (c) => `${c.u8()} ${c.u8()} ${c.u16()} ${salt(c)}`,
  52: tlsa,
  53: tlsa,
  62: (c) => `${c.u32()} ${c.u16()} ${bitmap(c)}`.trimEnd(),
  63: (c) => `${c.u32()} ${c.u8()} ${c.u8()} ${hex(rest(c))}`,
  64: svcb,
  65: svcb,
  104: locator,
  105: (c) => `${c.u16()} ${ipText(c.take(4))}`,
  106: locator,
  108: eui,
  109: eui,
  256: (c) => `${c.u16()} ${c.u16()} ${quoted(rest(c))}`,
  257: (c) => {
    const flags = c.u8();
    const tag = quoted(c.take(c.u8())).slice(1, -1);
    return `${flags} ${tag} ${quoted(rest(c))}`;
  },
};

/** Data of a record of `type` that stands at [from, to) of the message. `bad`: it did not parse and stands in generic form. */
export function rdata(type: number, message: Uint8Array, from: number, to: number): { text: string; bad: boolean } {
  const raw = message.subarray(from, to);
  const format = FORMATS[type];
  if (!format) return { text: generic(raw), bad: false };
  if (raw.length === 0) return { text: "", bad: false };
  const c = new Cursor(message, from, to);
  const text = format(c, raw);
  if (c.bad || c.pos !== to) return { text: generic(raw), bad: true };
  return { text, bad: false };
}
