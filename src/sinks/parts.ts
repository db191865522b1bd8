/**
 * Records of one shard on their way to a sink: serialized at once, with what their ids and order are made of beside them; when a
 * budget is full (or at the end) sealed into runs, sorted by time, packet and id.
 */

import type { At } from "../decoders/contract.js";
import { addon, layout } from "../engine/native.js";
import type { Line } from "../records/envelope.js";

/** Text that waits in one worker before it is sealed into a run. */
export const PART_BYTES = 12 << 20;

export interface Run {
  dataset: string;
  count: number;
  /** Bytes of the longest line. */
  longest: number;
  /** Lines in order, and 40 bytes of key for each (native/engine/part.h). */
  text: Buffer;
  keys: Buffer;
}

/** Records whose ids wait for the capture's: rows and lines as they are, good until the next ones. */
export interface Unsealed {
  dataset: string;
  count: number;
  longest: number;
  rows: Buffer;
  text: Buffer;
}

const EMPTY: Buffer = Buffer.alloc(0);

/** Bytes that are used again and again, and grow to the most that was asked for. */
export class Scratch {
  private buffer: Buffer = EMPTY;
  of(bytes: number): Buffer {
    if (this.buffer.length < bytes) this.buffer = Buffer.allocUnsafeSlow(Math.ceil(bytes * 1.25));
    return this.buffer.subarray(0, bytes);
  }
}
/** Stamps the ids of records that were set apart, and sorts them; the run's bytes are good until the next one. */
export class Sealer {
  private readonly text = new Scratch();
  private readonly keys = new Scratch();
  seal(u: Unsealed, captureId: string): Run {
    const text = this.text.of(u.text.length);
    const keys = this.keys.of(u.count * layout.keyBytes);
    addon.sealPart(u.rows, u.count, u.text, captureId, u.dataset, text, keys);
    return { dataset: u.dataset, count: u.count, longest: u.longest, text, keys };
  }
}

/** A run whose bytes stay. */
export const keptRun = (r: Run): Run => ({ ...r, text: Buffer.from(r.text), keys: Buffer.from(r.keys) });

class Part {
  readonly dataset: string;
  text = Buffer.allocUnsafe(64 * 1024);
  rows = Buffer.alloc(64 * layout.partBytes);
  doubles = new Float64Array(this.rows.buffer, this.rows.byteOffset, this.rows.length / 8);
  words = new Uint32Array(this.rows.buffer, this.rows.byteOffset, this.rows.length / 4);
  used = 0;
  count = 0;
  longest = 0;
  constructor(dataset: string) {
    this.dataset = dataset;
  }
  room(chars: number): void {
    if (this.used + chars * 3 + 1 > this.text.length) {
      const bigger = Buffer.allocUnsafe(Math.max(this.text.length * 2, this.used + chars * 3 + 1));
      this.text.copy(bigger, 0, 0, this.used);
      this.text = bigger;
    }
    if ((this.count + 1) * layout.partBytes > this.rows.length) {
      const bigger = Buffer.alloc(this.rows.length * 2);
      this.rows.copy(bigger);
      this.rows = bigger;
      this.doubles = new Float64Array(bigger.buffer, bigger.byteOffset, bigger.length / 8);
      this.words = new Uint32Array(bigger.buffer, bigger.byteOffset, bigger.length / 4);
    }
  }
}

const ROW_DOUBLES = layout.partBytes / 8;
const ROW_WORDS = layout.partBytes / 4;

export interface Position {
  at: At;
  side: number;
  stream: number;
  index: number;
  /** 32 hex digits of the flow, or undefined for a record without a flow. */
  seed: string | undefined;
  /** The flow's own record: its id has no position. */
  whole: boolean;
}

export class Parts {
  private readonly parts = new Map<string, Part>();
  private bytes = 0;
  private text: Buffer = EMPTY;
  private keys: Buffer = EMPTY;
  readonly counts: Record<string, number> = {};

  /** Keeps a record's line with its position. */
  add(dataset: string, line: Line, p: Position): void {
    const json = line.text;
    let part = this.parts.get(dataset);
    if (!part) {
      part = new Part(dataset);
      this.parts.set(dataset, part);
    }
    part.room(json.length);
    const start = part.used;
    part.used += part.text.utf8Write(json, start);
    part.text[part.used++] = 10;
    this.bytes += part.used - start;
    part.longest = Math.max(part.longest, part.used - start);
    this.counts[dataset] = (this.counts[dataset] ?? 0) + 1;
    const d = part.count * ROW_DOUBLES;
    const w = part.count * ROW_WORDS;
    part.doubles[d] = p.at.seconds;
    part.doubles[d + 1] = p.at.packet;
    part.doubles[d + 2] = p.stream;
    part.words[w + 6] = p.at.nanos;
    part.words[w + 7] = start;
    part.words[w + 8] = part.used - start;
    part.words[w + 9] = p.side;
    part.words[w + 10] = p.index;
    part.words[w + 11] = (p.seed ? 1 : 0) | (p.whole ? 2 : 0);
    part.words[w + 12] = line.eventAt;
    part.words[w + 13] = line.flowAt;
    part.words[w + 14] = line.captureAt;
    if (p.seed) part.rows.hexWrite(p.seed, part.count * layout.partBytes + 64, 16);
    part.count++;
  }

  /** More waits than the budget allows: seal. */
  get full(): boolean {
    return this.bytes > PART_BYTES;
  }

  /** Everything that waits, unsealed: good until the next one. */
  *spill(): Generator<Unsealed> {
    for (const part of this.parts.values()) {
      if (part.count === 0) continue;
      const { dataset, count, longest } = part;
      yield { dataset, count, longest, rows: part.rows.subarray(0, count * layout.partBytes), text: part.text.subarray(0, part.used) };
      part.count = 0;
      part.used = 0;
      part.longest = 0;
    }
    this.bytes = 0;
  }

  /** Stamps the ids and gives everything that waits as sorted runs, one after the other: a run's bytes are good until the next one. */
  *seal(captureId: string): Generator<Run> {
    for (const part of this.parts.values()) {
      if (part.count === 0) continue;
      if (this.text.length < part.used) this.text = Buffer.allocUnsafeSlow(part.text.length);
      const keyBytes = part.count * layout.keyBytes;
      if (this.keys.length < keyBytes) this.keys = Buffer.allocUnsafeSlow(keyBytes * 2);
      const text = this.text.subarray(0, part.used);
      const keys = this.keys.subarray(0, keyBytes);
      addon.sealPart(part.rows, part.count, part.text.subarray(0, part.used), captureId, part.dataset, text, keys);
      yield { dataset: part.dataset, count: part.count, longest: part.longest, text, keys };
      part.count = 0;
      part.used = 0;
      part.longest = 0;
    }
    this.bytes = 0;
  }
}
