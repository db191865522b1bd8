/** The survey: walks a capture once, checks and counts it, writes the packet index; the SHA-256 runs beside it. */
import { createHash, type Hash, randomBytes } from "node:crypto";
import { closeSync, openSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { type DecodeOptions, RESYNC_BYTES } from "../config.js";
import { addon, INDEX_BYTES, type NativeSummary, NEED, OVERLAP } from "../engine/native.js";
import { ThreatflowError } from "../errors.js";
import { readFully } from "../file-bytes.js";
import { Hooks } from "../hooks/hooks.js";
import type { Filter } from "./filter.js";
import { isPcap } from "./folder.js";
import type { PacketIndex } from "./packet-index.js";
import { looksLike, readHead, type Source } from "./source.js";

const ROWS_AT_ONCE = 16 * 1024;
const BUFFERS = 4;
/** Bytes of the shortest record of any format: no more rows than that many to a file. */
const LEAST_RECORD = 16;

export interface Surveyed {
  summary: NativeSummary;
  linktypes: Uint32Array;
}
export interface SurveyOptions {
  decode: DecodeOptions;
  filter: Filter | undefined;
  windowBytes: number;
  progress?: (bytes: number) => void;
  signal?: AbortSignal;
}

/** Runs the survey; `hash` resolves to the SHA-256 of the bytes as given, perhaps later than the survey. */
export async function survey(
  source: Source,
  index: PacketIndex,
  options: SurveyOptions,
): Promise<{ surveyed: Surveyed; hash: Promise<string> }> {
  const hooks = options.decode.hooks && new Hooks(options.decode.hooks, options.filter);
  const native = new addon.Survey({
    key: randomBytes(16),
    ipOverlap: OVERLAP.indexOf(options.decode.ipOverlap),
    dedupNs: options.decode.dedupNs,
  });
  if (options.filter) native.filtering(true);
  const fd = openSync(source.path, "r");
  const hasher = source.sha256 === undefined && source.size > SMALL ? new Hasher(options.windowBytes) : undefined;
  const small = source.sha256 === undefined && !hasher ? createSmallHash() : undefined;
  try {
    await walk(fd, source, native, index, options, hasher, small, hooks);
  } catch (error) {
    hasher?.stop();
    throw error;
  } finally {
    closeSync(fd);
    hooks?.close();
  }
  native.finish();
  index.patch(native.patches());
  const hash =
    source.sha256 !== undefined ? Promise.resolve(source.sha256) : hasher ? hasher.digest() : Promise.resolve(small?.digest("hex") ?? "");
  return { surveyed: { summary: { ...native.summary(), hooks: hooks?.counts() }, linktypes: native.linktypes() }, hash };
}

/** Files up to this size are hashed in place: a thread costs more. */
const SMALL = 8 << 20;
const createSmallHash = (): Hash => createHash("sha256");

async function walk(
  fd: number,
  source: Source,
  native: InstanceType<typeof addon.Survey>,
  index: PacketIndex,
  options: SurveyOptions,
  hasher: Hasher | undefined,
  small: Hash | undefined,
  hooks: Hooks | undefined,
): Promise<void> {
  const windowBytes = Math.min(options.windowBytes, source.size);
  const rows = new Uint8Array(Math.min(ROWS_AT_ONCE, Math.ceil(source.size / LEAST_RECORD)) * INDEX_BYTES);
  const status = new Float64Array(4);
  let hashed = 0;
  let base = 0;
  let want = windowBytes;
  for (;;) {
    options.signal?.throwIfAborted();
    const size = Math.max(windowBytes, want);
    const slot = hasher && size <= windowBytes ? await hasher.buffer() : undefined;
    const window = slot?.bytes ?? new Uint8Array(size);
    const got = readFully(fd, window, size, base);
    const last = base + got >= source.size || got < size;
    const fresh = base + got - hashed;
    if (fresh > 0) {
      const from = hashed - base;
      if (slot) hasher?.update(slot.n, from, fresh);
      else if (hasher) await hasher.copy(window.subarray(from, got));
      else small?.update(window.subarray(from, got));
      hashed += fresh;
    } else if (slot) hasher?.free(slot.n);
    const view = window.subarray(0, got);
    hooks?.ahead(native, view, base, last);
    const next = drain(native, view, base, last, rows, status, index, options.filter, source);
    if (next.end) break;
    want = next.needed;
    if (last && next.consumed === base && want <= got)
      throw new ThreatflowError("INTERNAL", `${source.name}: the survey does not advance at offset ${base}`);
    base = next.consumed;
    options.progress?.(base);
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  // What the walker did not look at (behind a broken end) still belongs to the hash.
  for (; hashed < source.size; ) {
    const rest = new Uint8Array(Math.min(RESYNC_BYTES, source.size - hashed));
    const got = readFully(fd, rest, rest.length, hashed);
    if (got === 0) break;
    if (hasher) await hasher.copy(rest.subarray(0, got));
    else small?.update(rest.subarray(0, got));
    hashed += got;
  }
}

interface Step {
  end: boolean;
  consumed: number;
  needed: number;
}
/** Pushes one window until it gives no more rows. */
function drain(
  native: InstanceType<typeof addon.Survey>,
  window: Uint8Array,
  base: number,
  last: boolean,
  rows: Uint8Array,
  status: Float64Array,
  index: PacketIndex,
  filter: Filter | undefined,
  source: Source,
): Step {
  let at = base;
  for (;;) {
    const need = native.push(window.subarray(at - base), last, rows, status);
    const [count, needed, consumed, linktype] = status;
    if (count) index.append(rows.subarray(0, count * INDEX_BYTES));
    const patches = native.patches();
    if (patches.length) index.patch(patches);
    if (need === NEED.notACapture) throw notACapture(source);
    if (need === NEED.end) return { end: true, consumed, needed };
    if (need === NEED.bytes) return { end: false, consumed, needed };
    if (need === NEED.program) {
      if (!filter) throw new ThreatflowError("INTERNAL", "the survey wants a filter program without a filter");
      native.filter(linktype, filter.program(linktype));
      continue; // the same window again: the walk goes on where it stood
    }
    at = consumed;
  }
}

function notACapture(source: Source): ThreatflowError {
  const head = readHead(source.path);
  if (isPcap(head))
    return new ThreatflowError(
      "NOT_A_CAPTURE",
      `${source.name} ends inside its file header (${source.size} of 24 bytes)`,
      "check how it was copied",
    );
  return new ThreatflowError(
    "NOT_A_CAPTURE",
    `${source.name} is no capture: it looks like ${looksLike(head)}`,
    "pcap and pcapng are read, plain or as .gz or .zst",
  );
}

/** A ring of shared buffers: the survey reads into one while the thread hashes others. */
class Hasher {
  private readonly shared: SharedArrayBuffer[];
  private readonly free_: number[];
  private readonly worker: Worker;
  private waiting: (() => void) | undefined;
  private readonly done: Promise<string>;
  constructor(windowBytes: number) {
    this.shared = Array.from({ length: BUFFERS }, () => new SharedArrayBuffer(windowBytes));
    this.free_ = this.shared.map((_, i) => i);
    this.worker = new Worker(fileURLToPath(new URL("./hash-worker.js", import.meta.url)), { workerData: this.shared });
    this.done = new Promise((resolve, reject) => {
      this.worker.on("message", (m: number | string) => {
        if (typeof m === "string") resolve(m);
        else this.free(m);
      });
      this.worker.on("error", reject);
    });
    this.done.catch(() => undefined);
  }
  free(n: number): void {
    this.free_.push(n);
    this.waiting?.();
    this.waiting = undefined;
  }
  async buffer(): Promise<{ n: number; bytes: Uint8Array }> {
    while (this.free_.length === 0)
      await new Promise<void>((resolve) => {
        this.waiting = resolve;
      });
    const n = this.free_.pop() as number;
    return { n, bytes: new Uint8Array(this.shared[n]) };
  }
  update(n: number, from: number, length: number): void {
    this.worker.postMessage([n, from, length]);
  }
  /** Bytes that lie elsewhere. */
  async copy(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const slot = await this.buffer();
      const n = Math.min(slot.bytes.length, bytes.length - at);
      slot.bytes.set(bytes.subarray(at, at + n));
      this.update(slot.n, 0, n);
      at += n;
    }
  }
  async digest(): Promise<string> {
    this.worker.postMessage([-1, 0, 0]);
    const hex = await this.done;
    await this.worker.terminate();
    return hex;
  }
  stop(): void {
    void this.worker.terminate();
  }
}
