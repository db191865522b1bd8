/** HTTP/1.0 and 1.1 (RFC 9112), 0.9 where it is met. Bodies are counted, not kept. */
import { latin1 } from "../../records/text.js";
import {
  type At,
  type Decoder,
  type DecoderSettings,
  type Emit,
  type Locate,
  NO,
  type Progress,
  type Session,
  type Side,
  stop,
  UNSURE,
  type Verdict,
} from "../contract.js";
import { type Framing, framing, type Head, headEnd, headerValue, lineEnd, MAX_HEAD, parseHead } from "./head.js";
import type { Part, Transaction } from "./record.js";
import { SNIFF_BYTES } from "./sniff.js";
import { Exchange } from "./state.js";

/** A response waits for its request (the method frames it) until this much of it stands there. */
const PATIENCE = 32 * 1024;
const MAX_CHUNK_LINE = 4096;
const EMPTY = new Uint8Array(0);

type Phase = "head" | "body" | "chunk-size" | "chunk-end" | "trailers" | "decide" | "resync" | "over";

/** One side: what it is in the middle of. */
class Direction {
  phase: Phase = "head";
  scanned = 0;
  part: Part | undefined;
  transaction: Transaction | undefined;
  /** Bytes of the body (or chunk) still to come; Infinity: to the end of the side. */
  remaining = 0;
  chunked = false;
}

class Http implements Session {
  private readonly sides: [Direction, Direction] = [new Direction(), new Direction()];
  private readonly exchange: Exchange;
  private readonly emit: Emit;
  private readonly ended = [false, false];
  /** The answer to CONNECT or Upgrade: what becomes of the connection. */
  private switched: "no" | "yes" | undefined;

  constructor(emit: Emit, settings: DecoderSettings, midstream: boolean) {
    this.emit = emit;
    this.exchange = new Exchange(emit, settings.credentials, midstream);
  }

  data(side: Side, bytes: Uint8Array, at: Locate, stream: number): Progress {
    const d = this.sides[side];
    for (;;) {
      const before = d.phase;
      const p = this.step(side, d, bytes, at, stream);
      if (p.kind !== "ok" || p.consumed > 0 || d.phase === before) return p; // another phase looks at the same bytes
    }
  }

  private step(side: Side, d: Direction, bytes: Uint8Array, at: Locate, stream: number): Progress {
    switch (d.phase) {
      case "head":
        return side === 0 ? this.requestHead(d, bytes, at, stream) : this.responseHead(d, bytes, at, stream);
      case "resync":
        return this.resync(side, d, bytes);
      case "decide":
        return this.decide(side, d);
      case "body":
        return this.body(side, d, bytes, at);
      case "chunk-size":
        return this.chunkSize(side, d, bytes, at);
      case "chunk-end":
        return this.chunkEnd(d, bytes, at);
      case "trailers":
        return this.trailers(side, d, bytes, at);
      case "over":
        return stop("finished");
    }
  }

  private incomplete(d: Direction, bytes: Uint8Array, at: Locate): Progress {
    if (bytes.length > MAX_HEAD) {
      this.emit.anomaly("http-header-too-long", at(0), { needed: MAX_HEAD, had: bytes.length });
      return stop("limit");
    }
    d.scanned = Math.max(0, bytes.length - 3);
    return { kind: "need", consumed: 0, need: bytes.length + 1 };
  }

  private requestHead(d: Direction, bytes: Uint8Array, at: Locate, stream: number): Progress {
    let lead = 0;
    while (lead < bytes.length && (bytes[lead] === 13 || bytes[lead] === 10)) lead++; // RFC 9112 §2.2
    if (lead) {
      d.scanned = 0;
      return { kind: "ok", consumed: lead };
    }
    const eol = lineEnd(bytes);
    let end = headEnd(bytes, d.scanned);
    if (eol < 0) return this.incomplete(d, bytes, at);
    let head = parseHead(bytes, end < 0 ? eol : end, true);
    if (!head) return this.notHttp(at, "http-request-line-invalid");
    if (head.version === "0.9" && (end < 0 || end > eol + 3)) {
      end = eol + 1;
      head = parseHead(bytes, end, true) as Head;
    }
    if (end < 0) return this.incomplete(d, bytes, at);
    d.scanned = 0;
    const f = framing(head, undefined);
    d.part = part(head, at(0), at(end - 1), stream, f);
    d.transaction = this.exchange.request(d.part);
    if (head.method === "CONNECT" || (headerValue(head, "upgrade") !== undefined && f.kind === "none")) {
      this.complete(0, d, at(end - 1));
      d.phase = "decide";
      this.switched = undefined;
      return { kind: "ok", consumed: end };
    }
    this.enter(0, d, f, at(end - 1));
    return { kind: "ok", consumed: end };
  }

  private responseHead(d: Direction, bytes: Uint8Array, at: Locate, stream: number): Progress {
    this.exchange.settleDoubt(at(0));
    const request = this.exchange.answering(at(0));
    if (!request && !this.exchange.nothingToWaitFor(at(0)) && bytes.length <= PATIENCE) return { kind: "wait", consumed: 0 };
    if (bytes.length < 5 && !this.ended[1]) return { kind: "need", consumed: 0, need: 5 };
    let lead = 0;
    while (lead < bytes.length && (bytes[lead] === 13 || bytes[lead] === 10)) lead++;
    if (lead) return { kind: "ok", consumed: lead };
    if (request?.head.version === "0.9") {
      const head: Head = { ...request.head, method: undefined, target: "", status: 0, headers: [], anomalies: [] };
      d.part = part(head, at(0), at(0), stream, { kind: "close" });
      d.part.head.status = 200;
      d.transaction = this.exchange.response(d.part);
      this.enter(1, d, { kind: "close" }, at(0));
      return { kind: "ok", consumed: 0 };
    }
    const end = headEnd(bytes, d.scanned);
    if (end < 0) {
      const eol = lineEnd(bytes);
      if (eol >= 0 && !parseHead(bytes, eol + 1, false)) return this.notHttp(at, "http-status-line-invalid");
      return this.incomplete(d, bytes, at);
    }
    const head = parseHead(bytes, end, false);
    if (!head) return this.notHttp(at, "http-status-line-invalid");
    d.scanned = 0;
    const method = request?.head.method;
    if (head.status >= 100 && head.status < 200 && head.status !== 101) {
      this.exchange.interim(head.status, at(0));
      return { kind: "ok", consumed: end };
    }
    const tunnel = head.status === 101 || (method === "CONNECT" && head.status >= 200 && head.status < 300);
    const f: Framing = tunnel ? { kind: "none" } : framing(head, method);
    d.part = part(head, at(0), at(end - 1), stream, f);
    d.transaction = this.exchange.response(d.part);
    if (tunnel) {
      this.complete(1, d, at(end - 1));
      this.switched = "yes";
      d.phase = "decide";
      return { kind: "ok", consumed: end };
    }
    if (this.sides[0].phase === "decide") this.switched = "no";
    this.enter(1, d, f, at(end - 1));
    return { kind: "ok", consumed: end };
  }

  private notHttp(at: Locate, name: string): Progress {
    this.emit.anomaly(name, at(0));
    return stop("not-this-protocol");
  }

  /** After a head: what comes next on this side. */
  private enter(side: Side, d: Direction, f: Framing, at: At): void {
    d.chunked = f.kind === "chunked";
    if (f.kind === "chunked") d.phase = "chunk-size";
    else if (f.kind === "length" && f.length > 0) {
      d.phase = "body";
      d.remaining = f.length;
    } else if (f.kind === "close") {
      d.phase = "body";
      d.remaining = Infinity;
    } else this.complete(side, d, at);
  }

  private complete(side: Side, d: Direction, at: At): void {
    d.phase = "head";
    d.scanned = 0;
    const t = d.transaction;
    d.part = d.transaction = undefined;
    if (!t) return;
    if (side === 0) this.exchange.requestDone(t, at);
    else this.exchange.responseDone(t, at);
  }

  private decide(side: Side, d: Direction): Progress {
    if (this.switched === "yes") {
      d.phase = "over";
      return { kind: "handover", consumed: 0 };
    }
    if (this.switched === "no" || this.ended[1 - side]) {
      d.phase = "head";
      return { kind: "ok", consumed: 0 };
    }
    return { kind: "wait", consumed: 0 };
  }

  private body(side: Side, d: Direction, bytes: Uint8Array, at: Locate): Progress {
    const p = d.part as Part;
    const wanted = Math.min(SNIFF_BYTES - p.start.length, d.remaining, bytes.length);
    if (wanted > 0 && p.start.length === p.bodyBytes) {
      p.start = concat(p.start, bytes.subarray(0, wanted));
      p.bodyBytes += wanted;
      d.remaining -= wanted;
      p.until = at(wanted - 1);
      if (d.remaining === 0) this.bodyOver(side, d, p.until);
      return { kind: "ok", consumed: wanted };
    }
    return { kind: "skip", consumed: 0, skip: d.remaining };
  }

  private bodyOver(side: Side, d: Direction, at: At): void {
    if (d.chunked) d.phase = "chunk-end";
    else this.complete(side, d, at);
  }

  skipped(side: Side, length: number, _missing: number, at: At): void {
    const d = this.sides[side];
    if (!d.part || d.phase !== "body") return;
    d.part.bodyBytes += length;
    d.part.until = at;
    const whole = length >= d.remaining;
    d.remaining -= Math.min(length, d.remaining);
    if (whole || d.remaining === Infinity) {
      if (d.remaining === Infinity) this.complete(side, d, at);
      else this.bodyOver(side, d, at);
    }
  }

  private chunkSize(side: Side, d: Direction, bytes: Uint8Array, at: Locate): Progress {
    const eol = lineEnd(bytes);
    if (eol < 0) {
      if (bytes.length <= MAX_CHUNK_LINE) return { kind: "need", consumed: 0, need: bytes.length + 1 };
    } else {
      const text = latin1(bytes, 0, Math.min(eol, 64));
      const m = /^\s*([0-9A-Fa-f]{1,13})\s*(?:;|\r?$)/.exec(text);
      if (m) {
        const size = Number.parseInt(m[1], 16);
        d.remaining = size;
        d.phase = size === 0 ? "trailers" : "body";
        return { kind: "ok", consumed: eol + 1 };
      }
    }
    this.emit.anomaly("http-chunk-size-invalid", at(0));
    if (d.transaction) this.complete(side, d, at(0));
    return stop("not-this-protocol");
  }
  private chunkEnd(d: Direction, bytes: Uint8Array, at: Locate): Progress {
    if (bytes[0] === 13 && bytes.length < 2) return { kind: "need", consumed: 0, need: 2 };
    d.phase = "chunk-size";
    if (bytes[0] === 13 && bytes[1] === 10) return { kind: "ok", consumed: 2 };
    if (bytes[0] === 10) return { kind: "ok", consumed: 1 };
    this.emit.anomaly("http-chunk-size-invalid", at(0));
    return { kind: "ok", consumed: 0 };
  }
  private trailers(side: Side, d: Direction, bytes: Uint8Array, at: Locate): Progress {
    const eol = lineEnd(bytes);
    if (eol < 0) return this.incomplete(d, bytes, at);
    const empty = eol === 0 || (eol === 1 && bytes[0] === 13);
    if (empty) this.complete(side, d, at(eol));
    return { kind: "ok", consumed: eol + 1 };
  }

  /** Looks for the next first line of a message after a gap. */
  private resync(side: Side, d: Direction, bytes: Uint8Array): Progress {
    for (let from = 0; ; ) {
      const rest = bytes.subarray(from);
      const verdict = rest.length ? (side === 0 ? requestVerdict(rest) : responseVerdict(rest)) : NO;
      if (verdict.sure === "certain") {
        d.phase = "head";
        d.scanned = 0;
        return { kind: "ok", consumed: from };
      }
      const eol = lineEnd(bytes, from);
      if (eol < 0)
        return verdict.sure === "unsure" ? { kind: "need", consumed: from, need: rest.length + 1 } : { kind: "ok", consumed: bytes.length };
      from = eol + 1;
    }
  }

  gap(side: Side, length: number, at: At): "resync" | "stop" {
    const d = this.sides[side];
    if (d.phase === "over") return "stop";
    if (d.phase === "body" && d.part && length <= d.remaining) {
      d.part.bodyBytes += length;
      d.remaining -= length;
      if (d.remaining === 0) this.bodyOver(side, d, at);
      return "resync";
    }
    if (d.transaction) this.complete(side, d, at);
    this.exchange.lost();
    d.phase = "resync";
    return "resync";
  }

  sideEnd(side: Side, at: At): void {
    this.ended[side] = true;
    if (side === 0) this.exchange.clientOver = true;
    const d = this.sides[side];
    if (d.transaction) this.complete(side, d, d.part && d.phase === "body" ? d.part.until : at);
    if (side === 1 && this.sides[0].phase === "decide" && this.switched === undefined) this.switched = "no";
  }
  end(): void {
    this.exchange.flush();
  }
}

function part(head: Head, at: At, until: At, stream: number, f: Framing): Part {
  const hasBody = f.kind === "chunked" || f.kind === "close" || f.kind === "length";
  return { head, at, until, stream, bodyBytes: 0, hasBody, start: EMPTY };
}
function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  if (a.length === 0) return new Uint8Array(b);
  const out = new Uint8Array(a.length + b.length);
  out.set(a);
  out.set(b, a.length);
  return out;
}

const METHODS =
  /^(GET|POST|HEAD|PUT|DELETE|OPTIONS|CONNECT|TRACE|PATCH|PROPFIND|PROPPATCH|MKCOL|COPY|MOVE|LOCK|UNLOCK|REPORT|SEARCH|MERGE|CHECKOUT|MKACTIVITY|SUBSCRIBE|UNSUBSCRIBE|NOTIFY|BITS_POST|CCM_POST|RPC_IN_DATA|RPC_OUT_DATA|PURGE|LINK|UNLINK|BIND|REBIND|UNBIND|ACL|MKCALENDAR|SOURCE) +/;

function requestVerdict(b: Uint8Array): Verdict {
  const all = latin1(b, 0, 2048);
  const text = all.replace(/^[\r\n]{1,8}/, ""); // RFC 9112 §2.2
  if (text === "") return all === "" ? NO : UNSURE;
  const eol = text.indexOf("\n");
  const line = eol < 0 ? text : text.slice(0, eol).trimEnd();
  if (line.startsWith("PRI * HTTP/2")) return NO;
  if (eol >= 0) {
    if (/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,48} .*[ \t]HTTP\/\d(\.\d+)?$/i.test(line)) return { sure: "certain", from: "client" };
    return /^GET +\/\S*$/.test(line) ? { sure: "certain", from: "client" } : NO;
  }
  const m = METHODS.exec(line);
  if (m) {
    const target = line.slice(m[0].length);
    if (/^(\/|https?:\/\/)/i.test(target) || target === "" || /^(\*|ht?t?p?s?:?\/?)$/i.test(target))
      return target.length > 8 ? { sure: "certain", from: "client" } : { sure: "unsure", from: "client" };
    return m[1] === "CONNECT" || /^[!-~]*$/.test(target) ? { sure: "unsure", from: "client" } : NO;
  }
  return /^[A-Z_-]{1,16}$/.test(line) || /^[A-Z_-]{3,16} [!-~]*( (H(T(T(P(\/[0-9.]*)?)?)?)?)?)?$/.test(line) ? UNSURE : NO;
}
function responseVerdict(b: Uint8Array): Verdict {
  const text = latin1(b, 0, 16);
  if (/^HTTP\/\d(\.\d)? +\d/.test(text) || /^ICY \d{3}/.test(text)) return { sure: "certain", from: "server" };
  return "HTTP/1.1 ".startsWith(text) || "HTTP/1.0 ".startsWith(text) || "ICY ".startsWith(text) ? { sure: "unsure", from: "server" } : NO;
}

export const http: Decoder = {
  name: "http",
  transports: ["tcp"],
  ports: [80, 8080, 8000, 8008, 8081, 8888, 3128, 5985],
  datasets: ["http"],
  anomalies: {
    "http-request-line-invalid": "What stands where a request line should is none.",
    "http-status-line-invalid": "What stands where a status line should is none.",
    "http-header-too-long": "A message head of more than 128 KiB.",
    "http-too-many-headers": "More than 512 header lines: the rest was left out.",
    "http-header-invalid": "A header line without a colon.",
    "http-header-folded": "Obsolete line folding (RFC 9112 §5.2).",
    "http-header-space-before-colon": "White space between a header's name and its colon.",
    "http-target-has-space": "The request target holds a space.",
    "http-conflicting-content-length": "Content-Length values that differ.",
    "http-content-length-invalid": "A Content-Length that is no number.",
    "http-length-and-chunked": "Content-Length beside Transfer-Encoding: request smuggling looks like this.",
    "http-chunked-in-1.0": "Chunked coding in an HTTP/1.0 message.",
    "http-chunk-size-invalid": "A chunk's size or end is not where it should be.",
    "http-pipeline-limit": "More than 16,384 requests waiting for answers in one flow.",
  },
  probe(bytes) {
    const q = requestVerdict(bytes);
    if (q.sure === "certain") return q;
    const s = responseVerdict(bytes);
    return s.sure === "no" ? q : s;
  },
  open: (flow, emit, settings) => new Http(emit, settings, flow.midstream === true),
  state: [Http, Direction, Exchange],
};
