/** SSH 2 (RFC 4253): identification, key exchange, host key; everything after NEWKEYS is encrypted. SSH 1: identification only. */
import { latin1, TextNotes, wireText } from "../../records/text.js";
import { later } from "../../records/time.js";
import {
  type At,
  type Decoder,
  type Emit,
  type Locate,
  NO,
  need,
  ok,
  onPort,
  type Progress,
  type Session,
  type Side,
  stop,
  type Verdict,
} from "../contract.js";
import { hostKey, type Kexinit, kexinit } from "./parse.js";
import { body } from "./record.js";

/** RFC 4253 §4.2: 255 with CR LF; some send more. */
const MAX_BANNER = 255;
/** Lines that a server may send before its identification. */
const MAX_BEFORE = 8192;
/** RFC 4253 §6.1 wants 35,000 at least. */
const MAX_PACKET = 256 * 1024;
const MSG = { kexinit: 20, newkeys: 21, first: 30, reply: 31, last: 49, gexReply: 33 } as const;

class Direction {
  version: string | undefined;
  kex: Kexinit | undefined;
  newkeys = false;
  over = false;
  last: At | undefined;
  before = 0;
}

class Ssh implements Session {
  private readonly sides: [Direction, Direction] = [new Direction(), new Direction()];
  private readonly emit: Emit;
  private key: string | undefined;
  private readonly first: ({ at: At; stream: number } | undefined)[] = [undefined, undefined];
  private readonly anomalies: string[] = [];
  private written = false;

  constructor(emit: Emit) {
    this.emit = emit;
  }

  data(side: Side, bytes: Uint8Array, at: Locate, stream: number): Progress {
    const d = this.sides[side];
    if (d.over) return stop("encrypted");
    this.first[side] ??= { at: at(0), stream };
    return d.version === undefined ? this.banner(side, d, bytes, at) : this.packet(side, d, bytes, at);
  }

  private banner(side: Side, d: Direction, bytes: Uint8Array, at: Locate): Progress {
    const eol = bytes.indexOf(10);
    const end = eol < 0 ? bytes.length : eol > 0 && bytes[eol - 1] === 13 ? eol - 1 : eol;
    const isBanner = bytes[0] === 0x53 && bytes[1] === 0x53 && bytes[2] === 0x48 && bytes[3] === 0x2d;
    if (eol < 0 && bytes.length <= MAX_BANNER) return need(0, bytes.length + 1);
    if (!isBanner) {
      d.before += eol < 0 ? bytes.length : eol + 1;
      if (d.before > MAX_BEFORE || eol < 0) return this.leave(side, "not-this-protocol");
      return ok(eol + 1);
    }
    if (end > MAX_BANNER) this.note("ssh-banner-too-long");
    const notes = new TextNotes();
    const line = bytes.subarray(0, Math.min(end, MAX_BANNER));
    const nul = line.indexOf(0); // RFC 4253 §4.2: the null character must not be sent
    if (nul >= 0) this.note("ssh-banner-nul");
    d.version = wireText(nul >= 0 ? line.subarray(0, nul) : line, MAX_BANNER, notes).replace(/\r$/, "");
    for (const n of notes.names()) this.note(n);
    d.last = at(Math.max(0, end - 1));
    if (eol < 0) return this.leave(side, "not-this-protocol");
    if (!/^SSH-(2\.0|1\.99)-/.test(d.version)) {
      return this.leave(side, "finished");
    }
    return ok(eol + 1);
  }

  private packet(side: Side, d: Direction, bytes: Uint8Array, at: Locate): Progress {
    if (bytes.length < 6) return need(0, 6);
    const size = ((bytes[0] << 24) | (bytes[1] << 16) | (bytes[2] << 8) | bytes[3]) >>> 0;
    const padding = bytes[4];
    if (size < 2 || size > MAX_PACKET || padding + 1 > size) {
      this.note("ssh-packet-length-invalid");
      return this.leave(side, "not-this-protocol");
    }
    if (bytes.length < 4 + size) return need(0, 4 + size);
    d.last = at(3 + size);
    const payload = bytes.subarray(6, 4 + size - padding);
    const type = bytes[5];
    if (type === MSG.kexinit) {
      if (!d.kex) {
        d.kex = kexinit(payload);
        if (!d.kex) this.note("ssh-kexinit-malformed");
      }
    } else if (type === MSG.newkeys) {
      d.newkeys = true;
      return this.leave(side, "encrypted");
    } else if (side === 1 && (type === MSG.reply || type === MSG.gexReply) && this.key === undefined) {
      // 31 is a reply, or the group of a group exchange (RFC 4419): a host key has the form of one
      this.key = hostKey(payload)?.sha256;
    }
    return ok(4 + size);
  }

  private note(name: string): void {
    if (!this.anomalies.includes(name)) this.anomalies.push(name);
  }
  private leave(side: Side, why: "encrypted" | "not-this-protocol" | "finished"): Progress {
    this.sides[side].over = true;
    if (this.sides[0].over && this.sides[1].over) this.write();
    return stop(why);
  }
  gap(side: Side): "stop" {
    this.leave(side, "not-this-protocol");
    return "stop";
  }
  skipped(): void {}
  end(): void {
    this.write();
  }

  private write(): void {
    const [c, s] = this.sides;
    if (this.written || (!c.version && !s.version && !c.kex && !s.kex)) return;
    this.written = true;
    const established = c.newkeys && s.newkeys;
    const side: Side = this.first[0] ? 0 : 1;
    const { at, stream } = this.first[side] as { at: At; stream: number };
    const until = later(c.last, s.last);
    this.emit.record({
      dataset: "ssh",
      at,
      side,
      stream,
      until,
      body: body({ versions: [c.version, s.version], kex: [c.kex, s.kex], hostKey: this.key, established }),
      hashes: [c.kex?.hassh[0], s.kex?.hassh[1], this.key],
      outcome: established ? "success" : "unknown",
      anomalies: this.anomalies,
    });
  }
}

const PORTS = [22, 2222];

function probe(b: Uint8Array, here: boolean): Verdict {
  const text = latin1(b, 0, 8);
  if (/^SSH-[12]\./.test(text)) return { sure: "certain" };
  if ("SSH-".startsWith(text.slice(0, 4))) return { sure: "unsure" };
  // A server may speak before its identification (RFC 4253 §4.2); and a capture may begin behind it, at KEXINIT.
  if (b.length >= 22 && b[0] === 0 && b[1] === 0 && b[5] === MSG.kexinit && here) return { sure: "unsure" };
  if (!/^[\t\r\n\x20-\x7e\x80-\xff]+$/.test(text)) return NO;
  if (/\nSSH-[12]\.[0-9]+-/.test(latin1(b))) return { sure: "certain", from: "server" };
  return here ? { sure: "unsure", alone: false } : NO;
}

export const ssh: Decoder = {
  name: "ssh",
  transports: ["tcp"],
  ports: PORTS,
  datasets: ["ssh"],
  anomalies: {
    "ssh-banner-too-long": "An identification string of more than 255 bytes was cut.",
    "ssh-banner-nul": "An identification string holds a NUL byte; it ends there.",
    "ssh-packet-length-invalid": "A packet length before encryption that cannot be.",
    "ssh-kexinit-malformed": "A name-list of KEXINIT does not fit its packet.",
  },
  probe: (bytes, view) => probe(bytes, onPort(PORTS, view)),
  open: (_flow, emit) => new Ssh(emit),
  state: [Ssh, Direction],
};
