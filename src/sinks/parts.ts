/**
 * Records of one shard on their way to a sink: kept as rows until a budget is full (or the end), then sealed into runs: lines of JSON, sorted
 * by time, packet and id.
 */
import { addon, layout } from "../engine/native.js";
import { Rows } from "../records/rows.js";

/** Rows and their text that wait in one worker before they are sealed into runs, and of one dataset: its lines take several times as much. */
export const PART_BYTES = 5 << 20;
const DATASET_BYTES = 2 << 20;

export interface Run {
  dataset: string;
  count: number;
  /** Bytes of the longest line. */
  longest: number;
  /** Lines in order, and 40 bytes of key for each (native/engine/part.h). */
  text: Buffer;
  keys: Buffer;
}

/** Records whose ids wait for the capture's: rows and their text as they are, good until the next ones. */
export interface Unsealed {
  dataset: string;
  count: number;
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
/** Computes the ids of records that wait, sorts them and writes their lines; the run's bytes are good until the next one. */
export class Sealer {
  private readonly text = new Scratch();
  private readonly keys = new Scratch();
  seal(u: Unsealed, captureId: string): Run {
    const text = this.text.of(addon.sealBound(u.rows, u.count, u.text.length));
    const keys = this.keys.of(u.count * layout.keyBytes);
    const [bytes, longest] = addon.sealPart(u.rows, u.count, u.text, captureId, u.dataset, text, keys);
    return { dataset: u.dataset, count: u.count, longest, text: text.subarray(0, bytes), keys };
  }
}

/** A run whose bytes stay. */
export const keptRun = (r: Run): Run => ({ ...r, text: Buffer.from(r.text), keys: Buffer.from(r.keys) });

export class Parts {
  private readonly parts = new Map<string, Rows>();
  private readonly sealer = new Sealer();
  readonly counts: Record<string, number> = {};

  /** Where the next record of this dataset is put (src/records/envelope.ts). */
  next(dataset: string): Rows {
    let rows = this.parts.get(dataset);
    if (!rows) {
      rows = new Rows();
      this.parts.set(dataset, rows);
    }
    this.counts[dataset] = (this.counts[dataset] ?? 0) + 1;
    return rows;
  }

  /** More waits than the budget allows: seal. */
  get full(): boolean {
    let bytes = 0;
    for (const rows of this.parts.values()) {
      if (rows.bytes > DATASET_BYTES) return true;
      bytes += rows.bytes;
    }
    return bytes > PART_BYTES;
  }

  /** Everything that waits, unsealed: good until the next one. */
  *spill(): Generator<Unsealed> {
    for (const [dataset, part] of this.parts) {
      const { count } = part;
      if (count === 0) continue;
      yield { dataset, count, rows: part.rows.subarray(0, count * layout.partBytes), text: part.text.subarray(0, part.used) };
      part.clear();
    }
  }

  /** Gives everything that waits as sorted runs, one after the other: a run's bytes are good until the next one. */
  *seal(captureId: string): Generator<Run> {
    for (const unsealed of this.spill()) yield this.sealer.seal(unsealed, captureId);
  }
}
