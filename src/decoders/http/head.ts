/** Bytes → message head (RFC 9112 §2–5). Pure. Lenient where hosts are, and says what is odd. */
import { isAscii, latin1, TextNotes, wireText } from "../../records/text.js";

export interface Header {
  name: string;
  value: string;
}
export interface Head {
  /** Request: method and target; response: status. */
  method: string | undefined;
  target: string;
  version: string;
  status: number;
  /** In order as sent; names lower case. */
  headers: Header[];
  anomalies: string[];
  notes: TextNotes;
}

/** Longest head; a longer one is `http-header-too-long`. */
export const MAX_HEAD = 128 * 1024;
/** Headers kept of a head. */
const MAX_HEADERS = 512;
const MAX_VALUE = 8191;
const MAX_NAME = 256;

const LF = 10;
const CR = 13;

/** Where the head ends (behind the empty line), or -1; the search begins at `from`. A request of one line is HTTP/0.9. */
export function headEnd(b: Uint8Array, from: number): number {
  for (let i = Math.max(0, from); ; i++) {
    i = b.indexOf(LF, i);
    if (i < 0) return -1;
    let j = i + 1;
    while (b[j] === CR) j++; // one CR, or as many as somebody thought of
    if (b[j] === LF) return j + 1;
  }
}

export function lineEnd(b: Uint8Array, from = 0): number {
  return b.indexOf(LF, from);
}

/** Parses the head in b[0, end). Undefined: the first line is none of HTTP. */
export function parseHead(b: Uint8Array, end: number, request: boolean): Head | undefined {
  const notes = new TextNotes();
  let eol = lineEnd(b);
  if (eol < 0 || eol >= end) eol = end;
  const first = request ? requestLine(b, trimRight(b, 0, eol), notes) : statusLine(b, trimRight(b, 0, eol));
  if (!first) return undefined;
  const { method, target, version, status, anomalies } = first;
  const head: Head = { method, target, version, status, headers: [], anomalies, notes };
  let pos = eol + 1;
  if (isAscii(b, pos, end)) pos += plainHeaders(head, latin1(b, pos, end));
  while (pos < end) {
    let next = lineEnd(b, pos);
    if (next < 0 || next >= end) next = end;
    const stop = trimRight(b, pos, next);
    if (stop > pos) header(head, b, pos, stop);
    pos = next + 1;
  }
  return head;
}

/**
 * Header lines as almost all are, taken from one string: ASCII, nothing to cut, no white space where it should not be. Returns how far that
 * went: what is odd is left to `header`, and so is all behind it.
 */
function plainHeaders(head: Head, text: string): number {
  let pos = 0;
  while (pos < text.length && head.headers.length < MAX_HEADERS) {
    const next = text.indexOf("\n", pos);
    if (next < 0) break;
    let stop = next;
    while (stop > pos && text.charCodeAt(stop - 1) === CR) stop--;
    if (stop > pos) {
      const colon = text.indexOf(":", pos);
      if (colon <= pos || colon >= stop || colon - pos > MAX_NAME || stop - colon > MAX_VALUE) break;
      if (isBlank(text.charCodeAt(pos)) || isBlank(text.charCodeAt(colon - 1))) break;
      let from = colon + 1;
      while (from < stop && isBlank(text.charCodeAt(from))) from++;
      while (stop > from && isBlank(text.charCodeAt(stop - 1))) stop--;
      head.headers.push({ name: text.slice(pos, colon).toLowerCase(), value: text.slice(from, stop) });
    }
    pos = next + 1;
  }
  return pos;
}
const isBlank = (c: number): boolean => c === 32 || c === 9;

function trimRight(b: Uint8Array, from: number, to: number): number {
  while (to > from && b[to - 1] === CR) to--;
  return to;
}

function note(head: { anomalies: string[] }, name: string): void {
  if (!head.anomalies.includes(name)) head.anomalies.push(name);
}

function header(head: Head, b: Uint8Array, from: number, to: number): void {
  if (b[from] === 32 || b[from] === 9) {
    const last = head.headers.at(-1); // obsolete line folding (RFC 9112 §5.2)
    note(head, "http-header-folded");
    if (last) last.value = `${last.value} ${wireText(trim(b.subarray(from, to)), MAX_VALUE, head.notes)}`.slice(0, MAX_VALUE);
    return;
  }
  const inLine = b.subarray(from, to).indexOf(58); // not beyond: there may be thousands of lines without one
  let colon = from + inLine;
  if (inLine < 0) {
    note(head, "http-header-invalid");
    return;
  }
  const value = trim(b.subarray(colon + 1, to));
  if (colon > from && (b[colon - 1] === 32 || b[colon - 1] === 9)) {
    note(head, "http-header-space-before-colon");
    while (colon > from && (b[colon - 1] === 32 || b[colon - 1] === 9)) colon--;
  }
  if (head.headers.length >= MAX_HEADERS) {
    note(head, "http-too-many-headers");
    return;
  }
  const name = wireText(b.subarray(from, colon), MAX_NAME, head.notes).toLowerCase();
  head.headers.push({ name, value: wireText(value, MAX_VALUE, head.notes) });
}

function trim(b: Uint8Array): Uint8Array {
  let from = 0;
  let to = b.length;
  while (from < to && (b[from] === 32 || b[from] === 9)) from++;
  while (to > from && (b[to - 1] === 32 || b[to - 1] === 9)) to--;
  return b.subarray(from, to);
}

type First = Omit<Head, "headers" | "notes">;

function requestLine(b: Uint8Array, end: number, notes: TextNotes): First | undefined {
  const line = latin1(b, 0, Math.min(end, 64));
  const method = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,48}(?= )/.exec(line)?.[0];
  if (!method) return undefined;
  let at = method.length;
  while (b[at] === 32) at++;
  const anomalies: string[] = [];
  let stop = end;
  let version = "0.9";
  const tail = latin1(b, Math.max(at, end - 12), end);
  const v = /[ \t]+HTTP\/(\d+\.\d+|\d+)[ \t]*$/i.exec(tail);
  if (v) {
    version = v[1];
    stop = Math.max(at, end - (tail.length - v.index));
  } else if (method !== "GET") return undefined;
  const target = wireText(b.subarray(at, stop), MAX_VALUE, notes);
  if (target.includes(" ")) anomalies.push("http-target-has-space");
  return { method, target, version, status: 0, anomalies };
}

function statusLine(b: Uint8Array, end: number): First | undefined {
  const line = latin1(b, 0, Math.min(end, 40));
  const m = /^(?:HTTP\/(\d+(?:\.\d+)?)|ICY)[ \t]+(\d{3})(?!\d)/.exec(line);
  if (!m) return undefined;
  return { method: undefined, target: "", version: m[1] ?? "1.0", status: Number(m[2]), anomalies: [] };
}

export function headerValue(head: Head, name: string): string | undefined {
  for (const h of head.headers) if (h.name === name) return h.value;
  return undefined;
}
function headerValues(head: Head, name: string): string[] {
  const out: string[] = [];
  for (const h of head.headers) if (h.name === name) out.push(h.value);
  return out;
}

export type Framing = { kind: "none" } | { kind: "length"; length: number } | { kind: "chunked" } | { kind: "close" };

/** How the body is framed (RFC 9112 §6.3). `method`: of the request that a response answers. */
export function framing(head: Head, method: string | undefined): Framing {
  const request = head.method !== undefined;
  const s = head.status;
  if (!request && ((s >= 100 && s < 200) || s === 204 || s === 304 || method === "HEAD")) return { kind: "none" };
  const encodings = headerValues(head, "transfer-encoding").join(",").toLowerCase();
  const lengths: string[] = [];
  for (const v of headerValues(head, "content-length")) for (const x of v.split(",")) lengths.push(x.trim());
  if (encodings) {
    if (lengths.length) note(head, "http-length-and-chunked");
    const last = encodings.split(",").at(-1)?.trim();
    if (last === "chunked") {
      if (head.version === "1.0") note(head, "http-chunked-in-1.0");
      return { kind: "chunked" };
    }
    if (last !== "identity") return request ? { kind: "none" } : { kind: "close" };
  }
  if (lengths.length) {
    if (lengths.some((l) => l !== lengths[0])) note(head, "http-conflicting-content-length");
    if (/^\d{1,15}$/.test(lengths[0])) return { kind: "length", length: Number(lengths[0]) };
    note(head, "http-content-length-invalid");
    return request ? { kind: "none" } : { kind: "close" };
  }
  return request ? { kind: "none" } : { kind: "close" };
}
