/** TLS 1.0–1.3 and SSL 3 (RFC 8446, 5246, 6101): the handshake as far as it is in clear. */

import { later } from "../../records/time.js";
import {
  type At,
  type Decoder,
  type Emit,
  type Locate,
  NO,
  need,
  ok,
  type Progress,
  type Session,
  type Side,
  stop,
  type Verdict,
} from "../contract.js";
import { Cursor } from "../cursor.js";
import { type ClientHello, clientHello, ja3, type ServerHello, serverHello } from "./hello.js";
import { body } from "./record.js";
import { alertName } from "./tables.js";
import { type Certificate, certificate } from "./x509.js";

/** RFC 5246 §6.2.3: ciphertext is at most 2^14 + 2048 bytes. */
const MAX_RECORD = 16384 + 2048;
/** Handshake bytes of one side that wait for the rest of their message. */
const MAX_HANDSHAKE = 256 * 1024;
const MAX_CHAIN = 32;
const MAX_ALERTS = 16;
const EMPTY = new Uint8Array(0);
const CCS = 20;
const ALERT = 21;
const HANDSHAKE = 22;
const APPLICATION = 23;

class Direction {
  /** Handshake bytes not yet a whole message. */
  pending: Uint8Array = EMPTY;
  changed = false;
  secured = false;
  over = false;
  alerts: string[] = [];
  chain: Certificate[] = [];
  last: At | undefined;
  version: number | undefined;
  fatal = false;
}

class Tls implements Session {
  private readonly sides: [Direction, Direction] = [new Direction(), new Direction()];
  private readonly emit: Emit;
  private client: ClientHello | undefined;
  private server: ServerHello | undefined;
  private retry: ServerHello | undefined;
  /** JA3 of the hello that answers a HelloRetryRequest: a search by hash finds it too. */
  private again: string | undefined;
  private group: number | undefined;
  private keyExchange = false;
  private first: { at: At; side: Side; stream: number } | undefined;
  private readonly anomalies: string[] = [];
  private written = false;
  private clientSeen = false;

  constructor(emit: Emit) {
    this.emit = emit;
  }

  data(side: Side, bytes: Uint8Array, at: Locate, stream: number): Progress {
    const d = this.sides[side];
    if (d.over) return stop("encrypted");
    if (bytes.length < 5) return need(0, 5);
    if (side === 0 && !this.clientSeen && bytes[0] & 0x80 && bytes[2] === 1) return this.sslv2(d, bytes, at, stream);
    const type = bytes[0];
    const size = (bytes[3] << 8) | bytes[4];
    if (type < CCS || type > 24 || bytes[1] !== 3) {
      this.note("tls-record-invalid");
      return this.leave(side, "not-this-protocol");
    }
    if (size > MAX_RECORD) {
      this.emit.anomaly("tls-record-too-long", at(0), { needed: size, had: MAX_RECORD });
      this.anomalies.push("tls-record-too-long");
      return this.leave(side, "not-this-protocol");
    }
    this.place(side, at(0), stream);
    if (d.changed && type === HANDSHAKE && bytes.length < Math.min(5 + size, 9)) return need(0, Math.min(5 + size, 9));
    if (type === APPLICATION || (d.changed && type === HANDSHAKE && !this.isSecondHello(side, d, bytes, size))) {
      d.secured = true;
      d.last = at(0);
      return this.leave(side, "encrypted");
    }
    if (bytes.length < 5 + size) return need(0, 5 + size);
    d.last = at(4 + size);
    d.version ??= (bytes[1] << 8) | bytes[2];
    const content = bytes.subarray(5, 5 + size);
    if (type === CCS) d.changed = this.isRealChange(side) ? true : d.changed;
    else if (type === ALERT) this.alert(side, d, content);
    else if (type === HANDSHAKE) this.handshake(side, d, content, at, stream);
    return ok(5 + size);
  }

  /** Middleboxes are shown a change of cipher before the hello that answers a HelloRetryRequest (RFC 8446 appendix D.4): it is in clear. */
  private isSecondHello(side: Side, d: Direction, b: Uint8Array, size: number): boolean {
    if (side !== 0 || d.pending.length || b.length < 9 || b[5] !== 1) return false;
    return ((b[6] << 16) | (b[7] << 8) | b[8]) + 4 === size && this.client?.versions.includes(0x0304) === true;
  }

  /** In TLS 1.3 a change of cipher specification means nothing (RFC 8446 §5); what follows is of type 23 anyway. */
  private isRealChange(side: Side): boolean {
    const selected = this.server?.selected;
    return selected === undefined || selected < 0x0304 || side === 0;
  }

  private place(side: Side, at: At, stream: number): void {
    if (!this.first || (side === 0 && this.first.side === 1)) this.first = { at, side, stream };
  }
  private note(name: string): void {
    if (!this.anomalies.includes(name)) this.anomalies.push(name);
  }
  private leave(side: Side, why: "encrypted" | "not-this-protocol"): Progress {
    this.sides[side].over = true;
    if (this.sides[0].over && this.sides[1].over) this.write();
    return stop(why);
  }

  private alert(side: Side, d: Direction, content: Uint8Array): void {
    if (d.changed || content.length !== 2) return; // protected: nothing to read
    if (d.alerts.length < MAX_ALERTS) d.alerts.push(`${side === 0 ? "client" : "server"}:${alertName(content[0], content[1])}`);
    if (content[0] === 2) d.fatal = true;
  }

  private handshake(side: Side, d: Direction, content: Uint8Array, at: Locate, stream: number): void {
    let bytes = content;
    if (d.pending.length) {
      bytes = new Uint8Array(d.pending.length + content.length);
      bytes.set(d.pending);
      bytes.set(content, d.pending.length);
    }
    let pos = 0;
    while (bytes.length - pos >= 4) {
      const size = (bytes[pos + 1] << 16) | (bytes[pos + 2] << 8) | bytes[pos + 3];
      if (size > MAX_HANDSHAKE) {
        this.note("tls-handshake-too-long");
        d.changed = true;
        pos = bytes.length;
        break;
      }
      if (bytes.length - pos - 4 < size) break;
      this.message(side, d, bytes[pos], bytes.subarray(pos + 4, pos + 4 + size), at(0), stream);
      pos += 4 + size;
    }
    d.pending = pos < bytes.length ? new Uint8Array(bytes.subarray(pos)) : EMPTY;
  }

  private message(side: Side, d: Direction, type: number, m: Uint8Array, at: At, stream: number): void {
    if (side === 0 && type === 1) {
      this.clientSeen = true;
      const hello = clientHello(m);
      if (!hello) this.note("tls-hello-malformed");
      else if (!this.client) {
        this.client = hello;
        this.anomalies.push(...hello.anomalies, ...hello.notes.names());
        this.place(0, at, stream);
      } else this.again = ja3(hello);
    } else if (side === 1 && type === 2) {
      const hello = serverHello(m);
      if (!hello) this.note("tls-hello-malformed");
      else if (hello.retry) this.retry ??= hello;
      else if (!this.server) {
        this.server = hello;
        for (const a of hello.anomalies) this.note(a);
      }
    } else if (type === 11) this.certificates(d, m);
    else if (side === 1 && type === 12) {
      this.keyExchange = true;
      if (m[0] === 3 && m.length >= 3) this.group ??= (m[1] << 8) | m[2]; // named_curve (RFC 8422 §5.4)
    }
  }

  private certificates(d: Direction, m: Uint8Array): void {
    if (d.chain.length) return;
    const c = new Cursor(m);
    const all = c.sub(Math.min(c.u24(), Math.max(0, c.left)));
    while (all.left >= 3 && d.chain.length < MAX_CHAIN) {
      const der = all.take(all.u24());
      if (all.bad) {
        this.note("tls-certificate-malformed");
        return;
      }
      const cert = certificate(der);
      if (cert.malformed) this.note("tls-certificate-malformed");
      for (const name of cert.notes.names()) this.note(name);
      d.chain.push(cert);
    }
  }

  /** A hello in SSL 2 form that offers a later version (RFC 5246 appendix E.2). */
  private sslv2(d: Direction, bytes: Uint8Array, at: Locate, stream: number): Progress {
    const size = ((bytes[0] & 0x7f) << 8) | bytes[1];
    if (bytes.length < 2 + size) return need(0, 2 + size);
    const c = new Cursor(bytes, 3, 2 + size);
    const version = c.u16();
    const specs = c.u16();
    c.skip(4); // lengths of session id and challenge
    const list = c.sub(specs);
    this.clientSeen = true;
    this.place(0, at(0), stream);
    if (c.bad) {
      this.note("tls-hello-malformed");
      return this.leave(0, "not-this-protocol");
    }
    const ciphers: number[] = [];
    while (list.left >= 3) {
      const spec = list.u24();
      if (spec <= 0xffff) ciphers.push(spec);
    }
    d.version = version;
    d.last = at(1 + size);
    this.note("tls-sslv2-hello");
    return ok(2 + size);
  }

  gap(side: Side): "stop" {
    this.sides[side].over = true;
    if (this.sides[0].over && this.sides[1].over) this.write();
    return "stop";
  }
  skipped(): void {}
  end(): void {
    this.write();
  }

  private write(): void {
    if (this.written || !this.first) return;
    this.written = true;
    const [c, s] = this.sides;
    // Application data alone (midstream) is no handshake.
    if (!this.client && !this.server && !c.alerts.length && !s.alerts.length && !s.chain.length && !this.anomalies.length) return;
    const established = c.secured && s.secured && !c.fatal && !s.fatal;
    const old = this.server && (this.server.selected ?? this.server.version) < 0x0304;
    const resumed = this.server ? this.server.psk || (old === true && s.changed && s.chain.length === 0 && !this.keyExchange) : undefined;
    const server = this.server ?? this.retry;
    const b = body({
      client: this.client,
      server,
      group: this.group,
      chains: [c.chain, s.chain],
      alerts: [...c.alerts, ...s.alerts],
      established,
      resumed,
      version: c.version ?? s.version,
    });
    const { at, side, stream } = this.first;
    const until = later(c.last, s.last) ?? at;
    const outcome = established ? "success" : c.fatal || s.fatal ? "failure" : "unknown";
    this.emit.record({
      dataset: "tls",
      at,
      side,
      stream,
      until,
      ...b,
      hashes: [...b.hashes, this.again],
      outcome,
      anomalies: this.anomalies,
    });
  }
}

/** Records of nothing before the first (RFC 8446 §5.1 forbids them; most readers pass over them). */
const MAX_EMPTY = 4;

function probe(b: Uint8Array): Verdict {
  let empty = 0;
  while (empty < MAX_EMPTY && b.length >= 5 && b[0] === HANDSHAKE && b[1] === 3 && b[3] === 0 && b[4] === 0) {
    b = b.subarray(5);
    empty++;
  }
  if (empty && b.length === 0) return { sure: "unsure" };
  if (b.length < 3) return (b[0] === HANDSHAKE && (b.length < 2 || b[1] === 3)) || b[0] & 0x80 ? { sure: "unsure" } : NO;
  if (b[0] >= CCS && b[0] <= APPLICATION && b[1] === 3 && b[2] <= 4) {
    if (b.length < 6) return { sure: "unsure" };
    const size = (b[3] << 8) | b[4];
    if (size === 0 || size > MAX_RECORD) return NO;
    if (b[0] === HANDSHAKE) {
      if (b[5] === 1) return { sure: "certain", from: "client" };
      if (b[5] === 2) return { sure: "certain", from: "server" };
      return { sure: "certain" };
    }
    if (b[0] === CCS) return size === 1 && b[5] === 1 ? { sure: "certain" } : NO;
    if (b[0] === ALERT) return size === 2 && (b[5] === 1 || b[5] === 2) ? { sure: "certain" } : { sure: "unsure" };
    return { sure: "certain" };
  }
  if (b[0] & 0x80 && b.length >= 11 && b[2] === 1 && ((b[3] === 3 && b[4] <= 3) || (b[3] === 0 && b[4] === 2))) {
    const specs = (b[5] << 8) | b[6];
    const size = ((b[0] & 0x7f) << 8) | b[1];
    const rest = ((b[7] << 8) | b[8]) + ((b[9] << 8) | b[10]);
    return specs > 0 && specs % 3 === 0 && size === 9 + specs + rest ? { sure: "certain", from: "client" } : NO;
  }
  return NO;
}

export const tls: Decoder = {
  name: "tls",
  transports: ["tcp"],
  ports: [443, 8443, 853, 993, 995, 465, 636, 5061],
  datasets: ["tls"],
  anomalies: {
    "tls-record-invalid": "What stands where a TLS record should is none.",
    "tls-record-too-long": "A record longer than 2^14 + 2048 bytes.",
    "tls-handshake-too-long": "A handshake message longer than 256 KiB was not read.",
    "tls-hello-malformed": "A hello that ends inside its fixed part.",
    "tls-extensions-malformed": "An extension's length does not fit the hello.",
    "tls-multiple-server-names": "More than one host name in the server_name extension.",
    "tls-certificate-malformed": "A certificate that could not be read in whole.",
    "tls-sslv2-hello": "A client hello in SSL 2 form.",
  },
  probe,
  open: (_flow, emit) => new Tls(emit),
  state: [Tls, Direction],
};
