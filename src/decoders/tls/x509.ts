/** X.509 certificates (RFC 5280) by our own bounded DER walk; names as RFC 4514. Malformed ones give what could be read. */
import { hash } from "node:crypto";
import { cutText, ipText, TextNotes, wireText } from "../../records/text.js";
import { Memo } from "../memo.js";

export interface Certificate {
  sha256: string;
  sha1: string;
  version?: string;
  serial?: string;
  subject?: string;
  issuer?: string;
  subjectCommonNames: string[];
  issuerCommonNames: string[];
  notBefore?: string;
  notAfter?: string;
  alternativeNames: string[];
  keyAlgorithm?: string;
  keySize?: number;
  keyCurve?: string;
  signatureAlgorithm?: string;
  malformed: boolean;
  notes: TextNotes;
}

interface Tlv {
  tag: number;
  bytes: Uint8Array;
  from: number;
  to: number;
  /** Where the element begins, header included. */
  start: number;
}
const MAX_NAMES = 100;

/** One element at `pos`; undefined where none fits before `end`. */
function tlv(b: Uint8Array, pos: number, end: number): Tlv | undefined {
  if (pos + 2 > end) return undefined;
  const tag = b[pos];
  let at = pos + 1;
  let length = b[at++];
  if (length & 0x80) {
    const n = length & 0x7f;
    if (n === 0 || n > 4 || at + n > end) return undefined;
    length = 0;
    for (let i = 0; i < n; i++) length = length * 256 + b[at++];
  }
  if (at + length > end) return undefined;
  return { tag, bytes: b, from: at, to: at + length, start: pos };
}
function* children(e: Tlv): Generator<Tlv> {
  let pos = e.from;
  while (pos < e.to) {
    const c = tlv(e.bytes, pos, e.to);
    if (!c) return;
    yield c;
    pos = c.to;
  }
}
const content = (e: Tlv): Uint8Array => e.bytes.subarray(e.from, e.to);
const hex = (b: Uint8Array): string => Buffer.from(b).toString("hex").toUpperCase();

/** No OID in use comes near; longer ones would not fit their fields. */
const MAX_OID = 64;

/** Dotted; empty where there is none that can be written so. */
function oid(e: Tlv | undefined): string {
  if (!e) return "";
  const out: number[] = [];
  let v = 0;
  for (const byte of content(e)) {
    v = v * 128 + (byte & 0x7f);
    if (v > Number.MAX_SAFE_INTEGER / 128) return "";
    if (byte & 0x80) continue;
    if (out.length === 0) out.push(Math.min(Math.floor(v / 40), 2), v - 40 * Math.min(Math.floor(v / 40), 2));
    else out.push(v);
    v = 0;
  }
  const dotted = out.join(".");
  return dotted.length > MAX_OID ? "" : dotted;
}

const ATTRIBUTES: Readonly<Record<string, string>> = {
  "2.5.4.3": "CN",
  "2.5.4.4": "SN",
  "2.5.4.5": "serialNumber",
  "2.5.4.6": "C",
  "2.5.4.7": "L",
  "2.5.4.8": "ST",
  "2.5.4.9": "STREET",
  "2.5.4.10": "O",
  "2.5.4.11": "OU",
  "2.5.4.12": "title",
  "2.5.4.13": "description",
  "2.5.4.15": "businessCategory",
  "2.5.4.17": "postalCode",
  "2.5.4.42": "GN",
  "2.5.4.97": "organizationIdentifier",
  "0.9.2342.19200300.100.1.1": "UID",
  "0.9.2342.19200300.100.1.25": "DC",
  "1.2.840.113549.1.9.1": "emailAddress",
  "1.3.6.1.4.1.311.60.2.1.1": "jurisdictionL",
  "1.3.6.1.4.1.311.60.2.1.2": "jurisdictionST",
  "1.3.6.1.4.1.311.60.2.1.3": "jurisdictionC",
};
const KEYS: Readonly<Record<string, string>> = {
  "1.2.840.113549.1.1.1": "RSA",
  "1.2.840.113549.1.1.10": "RSA-PSS",
  "1.2.840.10045.2.1": "EC",
  "1.2.840.10040.4.1": "DSA",
  "1.3.101.110": "X25519",
  "1.3.101.112": "Ed25519",
  "1.3.101.113": "Ed448",
  "2.16.840.1.101.3.4.3.17": "ML-DSA-44",
  "2.16.840.1.101.3.4.3.18": "ML-DSA-65",
};
const CURVES: Readonly<Record<string, string>> = {
  "1.2.840.10045.3.1.7": "secp256r1",
  "1.3.132.0.34": "secp384r1",
  "1.3.132.0.35": "secp521r1",
  "1.3.132.0.10": "secp256k1",
  "1.3.132.0.33": "secp224r1",
};
const SIGNATURES: Readonly<Record<string, string>> = {
  "1.2.840.113549.1.1.2": "MD2-RSA",
  "1.2.840.113549.1.1.4": "MD5-RSA",
  "1.2.840.113549.1.1.5": "SHA1-RSA",
  "1.2.840.113549.1.1.10": "RSA-PSS",
  "1.2.840.113549.1.1.11": "SHA256-RSA",
  "1.2.840.113549.1.1.12": "SHA384-RSA",
  "1.2.840.113549.1.1.13": "SHA512-RSA",
  "1.2.840.113549.1.1.14": "SHA224-RSA",
  "1.2.840.10045.4.1": "ECDSA-SHA1",
  "1.2.840.10045.4.3.2": "ECDSA-SHA256",
  "1.2.840.10045.4.3.3": "ECDSA-SHA384",
  "1.2.840.10045.4.3.4": "ECDSA-SHA512",
  "1.2.840.10040.4.3": "DSA-SHA1",
  "1.3.101.112": "Ed25519",
  "1.3.101.113": "Ed448",
};

function text(e: Tlv, notes: TextNotes): string {
  const b = content(e);
  if (e.tag === 30) {
    const swapped = Buffer.from(b.subarray(0, b.length & ~1)); // BMPString: UTF-16, big endian
    return cut(swapped.swap16().toString("utf16le").toWellFormed(), notes);
  }
  return cut(e.tag === 20 ? Buffer.from(b).latin1Slice() : wireText(b, 1024, notes), notes);
}
const cut = (s: string, notes: TextNotes): string => {
  return cutText(s.replaceAll("\0", "\\0"), 1024, notes);
};

/** RFC 4514 §2.4. */
function escaped(s: string): string {
  return s
    .replace(/[",+;<>\\]/g, "\\$&")
    .replace(/^([ #])/, "\\$1")
    .replace(/ $/, "\\ ");
}

/** RFC 4514: the last RDN first. Common names come beside. */
function nameOf(e: Tlv, notes: TextNotes): { text: string; common: string[] } {
  const rdns: string[] = [];
  const common: string[] = [];
  for (const rdn of children(e)) {
    const parts: string[] = [];
    for (const pair of children(rdn)) {
      const [type, value] = children(pair);
      if (!type || !value) continue;
      const id = oid(type);
      const v = text(value, notes);
      if (id === "2.5.4.3" && v !== "") common.push(v);
      parts.push(`${ATTRIBUTES[id] ?? id}=${escaped(v)}`);
    }
    if (rdns.length < MAX_NAMES && parts.length) rdns.push(parts.join("+"));
  }
  return { text: cutText(rdns.reverse().join(","), 2048, notes), common };
}

/** UTCTime and GeneralizedTime (RFC 5280 §4.1.2.5) as RFC 3339. */
function time(e: Tlv | undefined): string | undefined {
  if (!e) return undefined;
  const s = Buffer.from(content(e)).latin1Slice();
  const m = /^(\d{2}|\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})?Z$/.exec(s);
  if (!m || (e.tag === 23) !== (m[1].length === 2)) return undefined;
  const year = m[1].length === 2 ? String(Number(m[1]) + (Number(m[1]) < 50 ? 2000 : 1900)) : m[1];
  const out = `${year}-${m[2]}-${m[3]}T${m[4]}:${m[5]}:${m[6] ?? "00"}.000Z`;
  return Number.isNaN(Date.parse(out)) ? undefined : out;
}

function alternatives(e: Tlv, out: string[], notes: TextNotes): void {
  const list = tlv(e.bytes, e.from, e.to);
  if (!list) return;
  for (const n of children(list)) {
    if (out.length >= MAX_NAMES) return;
    const kind = n.tag & 0x1f;
    if (kind === 1 || kind === 2 || kind === 6) {
      const name = wireText(content(n), 1024, notes);
      if (name !== "") out.push(name);
    } else if (kind === 7 && (n.to - n.from === 4 || n.to - n.from === 16)) out.push(ipText(content(n)));
  }
}

const certificates = new Memo<Certificate>(512);
/** Of larger ones too much would stay. */
const MEMO_BYTES = 4096;
/** One that was seen lately is the same object: it is not to be changed. */
export function certificate(der: Uint8Array): Certificate {
  const sha256 = hash("sha256", der).toUpperCase();
  return der.length > MEMO_BYTES ? parse(der, sha256) : certificates.get(sha256, () => parse(der, sha256));
}

function parse(der: Uint8Array, sha256: string): Certificate {
  const c: Certificate = {
    sha256,
    sha1: hash("sha1", der).toUpperCase(),
    subjectCommonNames: [],
    issuerCommonNames: [],
    alternativeNames: [],
    malformed: true,
    notes: new TextNotes(),
  };
  const outer = tlv(der, 0, der.length);
  const tbs = outer && tlv(der, outer.from, outer.to);
  if (!outer || !tbs) return c;
  const signature = tlv(der, tbs.to, outer.to);
  const algorithm = signature && oid(children(signature).next().value as Tlv | undefined);
  if (algorithm) c.signatureAlgorithm = SIGNATURES[algorithm] ?? algorithm;
  const fields = [...children(tbs)];
  let i = 0;
  c.version = "1";
  if (fields[0]?.tag === 0xa0) {
    const v = tlv(der, fields[0].from, fields[0].to);
    if (v) c.version = String((content(v)[0] ?? 0) + 1);
    i = 1;
  }
  const [serial, , issuer, validity, subject, key] = fields.slice(i);
  if (serial)
    c.serial = hex(content(serial))
      .replace(/^00(?=.)/, "")
      .slice(0, 128);
  if (issuer) {
    const n = nameOf(issuer, c.notes);
    c.issuer = n.text;
    c.issuerCommonNames = n.common;
  }
  if (validity) {
    const [a, b] = children(validity);
    c.notBefore = time(a);
    c.notAfter = time(b);
  }
  if (subject) {
    const n = nameOf(subject, c.notes);
    c.subject = n.text;
    c.subjectCommonNames = n.common;
  }
  if (key) publicKey(c, key);
  for (const f of fields.slice(i + 6)) if (f.tag === 0xa3) extensions(c, f);
  c.malformed = !key || !c.notAfter;
  return c;
}

function publicKey(c: Certificate, key: Tlv): void {
  const [algorithm, bits] = children(key);
  if (!algorithm || !bits) return;
  const [id, parameters] = children(algorithm);
  const name = oid(id);
  c.keyAlgorithm = KEYS[name] ?? (name || undefined);
  if (c.keyAlgorithm === "EC" && parameters?.tag === 6) {
    const curve = oid(parameters);
    if (curve === "") return;
    c.keyCurve = CURVES[curve] ?? curve;
    c.keySize = { secp256r1: 256, secp384r1: 384, secp521r1: 521, secp256k1: 256, secp224r1: 224 }[c.keyCurve];
  } else if (c.keyAlgorithm === "RSA" || c.keyAlgorithm === "RSA-PSS") {
    const pair = tlv(bits.bytes, bits.from + 1, bits.to);
    const modulus = pair && (children(pair).next().value as Tlv | undefined);
    if (modulus) {
      const b = content(modulus);
      const skip = b[0] === 0 ? 1 : 0;
      if (b.length > skip) c.keySize = (b.length - skip) * 8 - Math.clz32(b[skip]) + 24;
    }
  } else if (c.keyAlgorithm === "DSA" && parameters) {
    const p = children(parameters).next().value as Tlv | undefined;
    if (p) c.keySize = (p.to - p.from - (p.bytes[p.from] === 0 ? 1 : 0)) * 8;
  }
}

function extensions(c: Certificate, f: Tlv): void {
  const list = tlv(f.bytes, f.from, f.to);
  if (!list) return;
  for (const e of children(list)) {
    const parts = [...children(e)];
    const value = parts.at(-1);
    if (oid(parts[0]) === "2.5.29.17" && value?.tag === 4) alternatives(value, c.alternativeNames, c.notes);
  }
}
