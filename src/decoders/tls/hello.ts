/** ClientHello and ServerHello (RFC 8446 §4.1, RFC 5246 §7.4.1), and the fingerprints made of them. Pure. */
import { hash } from "node:crypto";
import { hexText, TextNotes, wireText } from "../../records/text.js";
import { Cursor } from "../cursor.js";
import { Memo } from "../memo.js";
import { isGrease } from "./tables.js";

export interface ClientHello {
  version: number;
  ciphers: number[];
  extensions: number[];
  groups: number[];
  pointFormats: number[];
  signatureAlgorithms: number[];
  versions: number[];
  alpn: Uint8Array[];
  serverName: string | undefined;
  ticket: boolean;
  ech: boolean;
  anomalies: string[];
  notes: TextNotes;
}
export interface ServerHello {
  version: number;
  selected: number | undefined;
  cipher: number;
  extensions: number[];
  alpn: Uint8Array | undefined;
  group: number | undefined;
  psk: boolean;
  retry: boolean;
  anomalies: string[];
}

/** SHA-256 of "HelloRetryRequest" (RFC 8446 §4.1.3), its first bytes. */
const RETRY = "cf21ad74e59a6111";

const u16list = (c: Cursor): number[] => {
  const out: number[] = [];
  while (c.left >= 2) out.push(c.u16());
  return out;
};

/** Undefined: not even the fixed part is there. */
export function clientHello(bytes: Uint8Array): ClientHello | undefined {
  const c = new Cursor(bytes);
  const version = c.u16();
  c.skip(32);
  c.skip(c.u8()); // session id
  const ciphers = u16list(c.sub(c.u16()));
  c.skip(c.u8());
  if (c.bad) return undefined;
  const h: ClientHello = {
    version,
    ciphers,
    extensions: [],
    groups: [],
    pointFormats: [],
    signatureAlgorithms: [],
    versions: [],
    alpn: [],
    serverName: undefined,
    ticket: false,
    ech: false,
    anomalies: [],
    notes: new TextNotes(),
  };
  if (c.left >= 2) extensions(h, c, (type, e) => clientExtension(h, type, e));
  return h;
}

function extensions(h: { extensions: number[]; anomalies: string[] }, c: Cursor, each: (type: number, e: Cursor) => void): void {
  const size = c.u16();
  if (size > c.left) note(h, "tls-extensions-malformed");
  const all = c.sub(Math.min(size, c.left));
  while (all.left >= 4) {
    const type = all.u16();
    const length = all.u16();
    if (length > all.left) {
      note(h, "tls-extensions-malformed");
      return;
    }
    h.extensions.push(type);
    const e = all.sub(length);
    each(type, e);
    if (e.bad) note(h, "tls-extensions-malformed");
  }
  if (all.left) note(h, "tls-extensions-malformed");
}
function note(h: { anomalies: string[] }, name: string): void {
  if (!h.anomalies.includes(name)) h.anomalies.push(name);
}

function clientExtension(h: ClientHello, type: number, e: Cursor): void {
  switch (type) {
    case 0: {
      // server_name (RFC 6066 §3)
      const list = e.sub(e.u16());
      while (list.left > 0 && !list.bad) {
        const kind = list.u8();
        const name = list.take(list.u16());
        if (kind !== 0 || list.bad) continue;
        if (h.serverName !== undefined) note(h, "tls-multiple-server-names");
        else h.serverName = wireText(name, 1024, h.notes);
      }
      return;
    }
    case 10:
      h.groups = u16list(e.sub(e.u16()));
      return;
    case 11:
      h.pointFormats = Array.from(e.take(e.u8()));
      return;
    case 13:
      h.signatureAlgorithms = u16list(e.sub(e.u16()));
      return;
    case 16:
      h.alpn = protocols(e);
      return;
    case 35:
      h.ticket = e.left > 0;
      return;
    case 43:
      h.versions = u16list(e.sub(e.u8()));
      return;
    case 0xfe0d:
      h.ech = true;
      return;
  }
}
function protocols(e: Cursor): Uint8Array[] {
  const list = e.sub(e.u16());
  const out: Uint8Array[] = [];
  while (list.left > 0 && !list.bad) out.push(new Uint8Array(list.take(list.u8())));
  return out;
}

export function serverHello(bytes: Uint8Array): ServerHello | undefined {
  const c = new Cursor(bytes);
  const version = c.u16();
  const random = c.take(32);
  // TLS 1.3 drafts 18 to 21 have no session id and no compression method in the ServerHello.
  const draft = version >>> 8 === 0x7f && (version & 0xff) <= 21;
  if (!draft) c.skip(c.u8()); // session id
  const cipher = c.u16();
  if (!draft) c.u8();
  if (c.bad) return undefined;
  const h: ServerHello = {
    version,
    selected: undefined,
    cipher,
    extensions: [],
    alpn: undefined,
    group: undefined,
    psk: false,
    retry: hexText(random, 0, 8) === RETRY,
    anomalies: [],
  };
  if (c.left >= 2)
    extensions(h, c, (type, e) => {
      if (type === 43) h.selected = e.u16();
      else if (type === 16) h.alpn = protocols(e)[0];
      else if (type === 51) h.group = e.u16();
      else if (type === 41) h.psk = true;
    });
  return h;
}

const md5 = (s: string): string => hash("md5", s);
const sha12 = (s: string): string => (s ? hash("sha256", s).slice(0, 12) : "000000000000");
function plain(list: readonly number[]): number[] {
  const out: number[] = [];
  for (const n of list) if (!isGrease(n)) out.push(n);
  return out;
}

const fingerprints = new Memo<string>(4096);

/** JA3 as the original: GREASE left out. */
export function ja3(h: ClientHello): string {
  const [ciphers, extensions, groups] = [plain(h.ciphers).join("-"), plain(h.extensions).join("-"), plain(h.groups).join("-")];
  const text = `${h.version},${ciphers},${extensions},${groups},${h.pointFormats.join("-")}`;
  return fingerprints.get(text, () => md5(text));
}
export function ja3s(h: ServerHello): string {
  const text = `${h.version},${h.cipher},${plain(h.extensions).join("-")}`;
  return fingerprints.get(`s${text}`, () => md5(text));
}

const JA4_VERSION: Readonly<Record<number, string>> = {
  772: "13",
  771: "12",
  770: "11",
  769: "10",
  768: "s3",
  2: "s2",
  65279: "d1",
  65277: "d2",
  65276: "d3",
};
const alnum = (c: number): boolean => (c >= 0x30 && c <= 0x39) || (c >= 0x41 && c <= 0x5a) || (c >= 0x61 && c <= 0x7a);
const count = (n: number): string => String(Math.min(n, 99)).padStart(2, "0");
/** Four digits each. */
function hexList(list: readonly number[]): string {
  let out = "";
  for (const n of list) out += `${out && ","}${(0x10000 + n).toString(16).slice(1)}`;
  return out;
}
const ascending = (x: number, y: number): number => x - y;

/** First and last character of the first ALPN value; of its hex where either is not alphanumeric (JA4.md, ALPN). */
function ja4Alpn(alpn: readonly Uint8Array[]): string {
  const first = alpn[0];
  if (!first?.length) return "00";
  const a = first[0];
  const z = first[first.length - 1];
  if (alnum(a) && alnum(z)) return String.fromCharCode(a, z);
  const hex = hexText(first);
  return hex[0] + hex[hex.length - 1];
}

/** JA4 by the text of technical_details/JA4.md. `transport`: t for TCP, q for QUIC, d for DTLS. */
export function ja4(h: ClientHello, transport: "t" | "q" | "d"): string {
  const ciphers = plain(h.ciphers);
  const extensions = plain(h.extensions);
  const versions = plain(h.versions);
  const version = versions.length ? Math.max(...versions) : h.version;
  const a = `${transport}${JA4_VERSION[version] ?? "00"}${h.extensions.includes(0) ? "d" : "i"}${count(ciphers.length)}${count(extensions.length)}${ja4Alpn(h.alpn)}`;
  const b = hexList(ciphers.sort(ascending));
  const sorted = hexList(extensions.filter((n) => n !== 0 && n !== 16).sort(ascending));
  const c = h.signatureAlgorithms.length && sorted ? `${sorted}_${hexList(plain(h.signatureAlgorithms))}` : sorted;
  return fingerprints.get(`4${a}${b}${c}`, () => `${a}_${sha12(b)}_${sha12(c)}`);
}
