/** A TCP flow above reassembly: probing, then one session that both sides feed. */
import type { At, Decoder, DecoderSettings, Emit, Progress, Session, Side } from "../decoders/contract.js";
import type { Flow } from "./flow.js";
import { Half, locate, MAX_UNCONSUMED, readFrom } from "./half.js";
import { type Candidate, orient, PROBE_BYTES, probe } from "./probing.js";
import { signature } from "./signatures.js";

/** What a flow wants no more of: told to the native side as data. */
export type Skip = (flow: Flow, side: number, stop: boolean, upto: number) => void;

export class StreamFlow {
  private session: Session | undefined;
  private candidate: Candidate | undefined;
  private readonly halves: [Half, Half] = [new Half(), new Half()];
  private readonly flow: Flow;
  private readonly emit: Emit;
  private readonly settings: DecoderSettings;
  private readonly tellSkip: Skip;
  private finished = false;
  /** A side with a hole, whose next bytes (held back until now) may tell more to the other, which waits. */
  private hole: number | undefined;
  /** How far each side's stream is known to reach, skipped bytes and gaps included. */
  private readonly ends: [number, number] = [0, 0];

  constructor(flow: Flow, emit: Emit, settings: DecoderSettings, tellSkip: Skip) {
    this.flow = flow;
    this.emit = emit;
    this.settings = settings;
    this.tellSkip = tellSkip;
  }

  data(side: number, bytes: Uint8Array, stream: number, at: At): void {
    const h = this.halves[side];
    if (h.stopped || this.finished) return;
    this.reached(side, stream + bytes.length);
    if (h.skipping) {
      if (stream + bytes.length < h.skipUntil) {
        h.last = at;
        return;
      }
      if (stream < h.skipUntil) {
        bytes = bytes.subarray(h.skipUntil - stream);
        stream = h.skipUntil;
      }
      this.skipped(side, at);
      if (bytes.length === 0) return;
    }
    h.append(bytes, stream, at);
    this.run(side);
    this.wakeBehindHole();
    h.keep();
    if (h.available > MAX_UNCONSUMED) {
      this.emit.anomaly("stream-buffer-limit", at, { needed: h.available, had: MAX_UNCONSUMED });
      this.stop(side);
    }
  }

  gap(side: number, length: number, stream: number, at: At): void {
    const h = this.halves[side];
    this.wakeBehindHole();
    if (h.stopped || this.finished) return;
    this.reached(side, stream + length);
    if (h.skipping) {
      const inside = Math.min(length, h.skipUntil - stream);
      if (inside > 0) h.missing += inside;
      h.last = at;
      if (stream + length < h.skipUntil) return;
      const beyond = stream + length - h.skipUntil;
      this.skipped(side, at);
      if (beyond === 0) return;
      length = beyond;
    }
    h.clear();
    if (!this.session) return;
    if (h.handed) return;
    h.waiting = false;
    if (this.session.gap(this.role(side), length, at) === "stop") this.stop(side);
    else this.hole = side;
  }

  /** What the native side tells of a stopped side depends on when it learnt of the stop: nothing of it counts. */
  sideEnd(side: number, at: At): void {
    if (this.halves[side].stopped) return;
    this.endSide(side, at);
    if (this.session && this.halves.every((h) => h.ended)) this.close();
  }
  private endSide(side: number, at: At): void {
    this.wakeBehindHole();
    const h = this.halves[side];
    if (h.ended || this.finished) return;
    h.ended = true;
    h.last = at;
    if (h.skipping) this.skipped(side, at);
    if (this.session) this.session.sideEnd?.(this.role(side), at);
    if (this.halves[1 - side].handed) this.handover();
    this.wake(side);
    if (!this.session) this.conclude();
  }

  /** The flow ended, at this time. */
  end(at: At): void {
    if (this.finished) return;
    if (!this.session) this.conclude(true);
    // Each side ends, the client's first: who waits for the other learns that nothing more will come.
    for (const side of [this.flow.flip, 1 - this.flow.flip]) {
      const h = this.halves[side];
      if (this.session && !h.ended) this.endSide(side, at);
    }
    this.close();
  }
  /** Nothing more is wanted, or nothing more can come: the session has ended. */
  get over(): boolean {
    if (!this.finished && this.halves[0].stopped && this.halves[1].stopped) this.close();
    return this.finished;
  }

  private role(side: number): Side {
    return (side ^ this.flow.flip) as Side;
  }
  private close(): void {
    if (this.finished) return;
    this.session?.end();
    this.finished = true;
    this.session = undefined;
    for (const side of [0, 1]) this.stop(side);
  }
  private stop(side: number): void {
    const h = this.halves[side];
    if (h.stopped) return;
    h.stopped = true;
    h.skipUntil = -1;
    h.clear();
    this.tellSkip(this.flow, side, true, 0);
    if (this.session) this.endSide(side, h.last); // who waits for this side learns that nothing more will come
  }
  private skipped(side: number, at: At): void {
    const h = this.halves[side];
    const done = Math.min(h.skipUntil, Math.max(h.skipFrom, this.ends[side])) - h.skipFrom;
    h.pos = h.skipFrom + done;
    h.skipUntil = -1;
    const missing = h.missing;
    h.missing = 0;
    this.session?.skipped(this.role(side), done, missing, at);
    this.wake(side);
  }
  /** The native side tells a stream's length with its end: what was skipped is not delivered. */
  reached(side: number, stream: number): void {
    if (stream > this.ends[side]) this.ends[side] = stream;
  }

  private run(side: number): void {
    const h = this.halves[side];
    if (!this.session && !this.find(side)) return;
    while (!h.stopped && !h.handed && !h.skipping && this.session) {
      if (h.available === 0 || h.available < h.need) return;
      h.need = 1;
      readFrom(h);
      const p = this.session.data(this.role(side), h.bytes(), locate, h.pos);
      if (!this.apply(side, h, p)) return;
      this.wake(side);
    }
  }

  /** Does what the session answered; false: nothing more to do with this side for now. */
  private apply(side: number, h: Half, p: Progress): boolean {
    switch (p.kind) {
      case "ok":
        if (p.consumed === 0) {
          h.need = h.available + 1;
          return false;
        }
        h.consume(p.consumed);
        return true;
      case "need":
        h.consume(p.consumed);
        h.need = Math.max(p.need, 1);
        if (h.available >= h.need) return p.consumed > 0;
        if (p.consumed > 0) this.wake(side);
        return false;
      case "wait":
        h.consume(p.consumed);
        h.waiting = true;
        if (p.consumed > 0) this.wake(side);
        return false;
      case "skip": {
        h.consume(p.consumed);
        const here = Math.min(p.skip, h.available);
        h.skipFrom = h.pos;
        h.skipUntil = h.pos + p.skip;
        const at = here > 0 ? h.packetOf(here - 1) : h.last;
        h.consume(here);
        if (here < p.skip) {
          h.clear();
          this.tellSkip(this.flow, side, false, h.skipUntil);
          return false;
        }
        this.skipped(side, at);
        h.pos = h.skipFrom + p.skip;
        return true;
      }
      case "handover": {
        h.consume(p.consumed);
        h.handed = true;
        this.wake(side);
        const other = this.halves[1 - side];
        if (other.handed || other.stopped || other.ended) this.handover();
        return false;
      }
      case "stop":
        this.stop(side);
        return false;
    }
  }

  private handover(): void {
    const session = this.session;
    this.session = undefined;
    session?.end();
    this.candidate = undefined;
    for (const half of this.halves) {
      half.handed = false;
      half.exhausted = false;
      half.waiting = false;
      half.need = 1;
    }
    for (const side of [0, 1]) if (this.halves[side].available) this.run(side);
  }

  private wakeBehindHole(): void {
    const side = this.hole;
    this.hole = undefined;
    if (side !== undefined) this.wake(side);
  }
  private wake(side: number): void {
    const other = this.halves[1 - side];
    if (!other.waiting || other.stopped) return;
    other.waiting = false;
    other.need = 1;
    this.run(1 - side);
  }

  /** Probing of one side's first bytes; true when a session stands afterwards. */
  private find(side: number): boolean {
    const h = this.halves[side];
    if (h.exhausted || h.available === 0) return false;
    const bytes = h.bytes();
    const best = probe(this.flow, side, bytes.length > PROBE_BYTES ? bytes.subarray(0, PROBE_BYTES) : bytes);
    if (best?.verdict.sure === "certain") {
      this.open(best);
      return true;
    }
    // What a side's first bytes made likely, its later ones can rule out.
    if (this.candidate?.side === side) this.candidate = undefined;
    if (best && (!this.candidate || (best.hinted && !this.candidate.hinted))) this.candidate = best;
    if (!best || h.available >= PROBE_BYTES) {
      h.exhausted = true;
      if (!this.candidate) this.name(bytes);
      this.conclude();
    }
    return this.session !== undefined;
  }

  private name(bytes: Uint8Array): void {
    const known = signature("tcp", bytes, this.flow.port(0), this.flow.port(1));
    if (known && !this.flow.protocols.includes(known)) this.flow.found(known);
  }

  /** Probing is over when neither side has more to say to it (or the flow ends): an unsure verdict with a fitting port stands. */
  private conclude(last = false): void {
    const over = this.halves.every((h) => h.exhausted || h.ended || h.stopped);
    if (!over && !last) {
      for (const side of [0, 1]) if (this.halves[side].exhausted && !this.candidate) this.stop(side);
      return;
    }
    if (this.candidate?.hinted && this.halves[this.candidate.side].available) {
      this.open(this.candidate);
      for (const side of [0, 1]) this.run(side);
      return;
    }
    for (const side of [0, 1]) {
      if (this.flow.protocols.length === 0 && this.halves[side].available) this.name(this.halves[side].bytes());
      this.stop(side);
    }
  }

  private open(c: Candidate): void {
    orient(this.flow, c);
    const decoder: Decoder = c.decoder;
    this.flow.found(decoder.name);
    this.session = decoder.open(this.flow.view(), this.emit, this.settings);
    this.candidate = undefined;
    for (const h of this.halves) h.exhausted = false;
    for (const side of [0, 1]) {
      const h = this.halves[side];
      if (h.ended || h.stopped) this.session.sideEnd?.(this.role(side), h.last);
      h.ended ||= h.stopped;
    }
    if (this.halves[1 - c.side].available) this.run(1 - c.side);
  }
}
