/**
 * A user's own functions above the filter (`--hooks FILE`): they look at each packet's headers and bytes and say what is left out (`drop`) and
 * what is wrong (`verify`). They run in a thread of their own, ahead of the survey, over the same windows; one that takes too long is ended.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { MessageChannel, receiveMessageOnPort, Worker } from "node:worker_threads";
import { addon, INDEX_BYTES, NEED } from "../engine/native.js";
import { systemError, ThreatflowError } from "../errors.js";
import { HEADER_BYTES } from "./packet.js";
import { type HookMemory, STATE, VERDICT } from "./states.js";

/** Packets at a time, and how long a hook file may take for them, and to load. */
const ROWS = 16 * 1024;
const BUDGET_MS = 10_000;

/** Where a hook file lies, and what stands in it: the bytes are part of what makes records. */
export interface HookSource {
  path: string;
  /** SHA-256 of the file, lower-case hex. */
  sha256: string;
}
export interface HookCounts {
  dropped: number;
  /** `verify` said false of so many packets, first of this one. */
  failed: number;
  first_failed?: { packet: number; time: bigint };
  /** Packets that a hook threw at: they are kept. */
  exceptions: number;
  first_exception?: string;
}

export function hookSource(path: string): HookSource {
  try {
    return { path: resolve(path), sha256: createHash("sha256").update(readFileSync(path)).digest("hex") };
  } catch (error) {
    throw systemError(error, path);
  }
}

type Filter = { program(linktype: number): Uint32Array };
export class Hooks {
  private readonly path: string;
  private readonly worker: Worker;
  private readonly channel = new MessageChannel();
  private readonly control = new Int32Array(new SharedArrayBuffer(16));
  private readonly places = new Float64Array(new SharedArrayBuffer(16));
  private readonly rows = new Uint8Array(new SharedArrayBuffer(ROWS * INDEX_BYTES));
  private readonly headers = new Uint8Array(new SharedArrayBuffer(ROWS * HEADER_BYTES));
  private readonly verdicts = new Uint8Array(new SharedArrayBuffer(ROWS));
  private window = new Uint8Array(new SharedArrayBuffer(0));
  private readonly scout: InstanceType<typeof addon.Survey>;
  private readonly status = new Float64Array(4);
  private readonly filter: Filter | undefined;
  private packets = 0;
  private readonly counted: HookCounts = { dropped: 0, failed: 0, exceptions: 0 };

  /** `live`: as of the survey that it goes ahead of. Throws HOOK where the file cannot be loaded. */
  constructor(source: HookSource, filter: Filter | undefined, live = false) {
    this.path = source.path;
    this.filter = filter;
    this.scout = new addon.Survey({ key: new Uint8Array(16), ipOverlap: 0, dedupNs: 0n, live });
    this.scout.scouting(true);
    if (filter) this.scout.filtering(true);
    const memory: HookMemory = {
      path: source.path,
      port: this.channel.port2,
      control: this.control,
      places: this.places,
      rows: this.rows.buffer as SharedArrayBuffer,
      headers: this.headers.buffer as SharedArrayBuffer,
      verdicts: this.verdicts.buffer as SharedArrayBuffer,
    };
    this.worker = new Worker(fileURLToPath(new URL("./worker.js", import.meta.url)), {
      workerData: memory,
      transferList: [this.channel.port2],
      execArgv: ["--disable-warning=ExperimentalWarning"],
    });
    this.worker.unref();
    this.channel.port1.unref();
    this.wait(STATE.loading, "to load");
  }

  private wait(while_: number, what: string): void {
    if (Atomics.wait(this.control, 0, while_, BUDGET_MS) === "timed-out") {
      this.close();
      throw new ThreatflowError(
        "HOOK",
        `${this.path}: took longer than ${BUDGET_MS / 1000} s ${what}`,
        "a hook answers from the packet alone, in microseconds",
      );
    }
    if (Atomics.load(this.control, 0) !== STATE.broken) return;
    const why = this.message();
    this.close();
    throw new ThreatflowError(
      "HOOK",
      `${this.path}: ${why ?? "ended"}`,
      "it exports drop(packet) or verify(packet), or both (docs/live.md)",
    );
  }
  private message(): string | undefined {
    return receiveMessageOnPort(this.channel.port1)?.message as string | undefined;
  }

  /** Looks at the packets of a window before the survey does, and tells it what is left out. `base`: where the window begins. */
  ahead(survey: { verdicts(v: Uint8Array, first: number): void }, window: Uint8Array, base: number, last: boolean): void {
    if (window.length > this.window.length) {
      const shared = new SharedArrayBuffer(window.length);
      this.window = new Uint8Array(shared);
      this.channel.port1.postMessage(shared);
    }
    this.window.set(window);
    const first = this.packets;
    const all: Uint8Array[] = [];
    for (let at = base; ; ) {
      const need = this.scout.push(this.window.subarray(at - base, window.length), last, this.rows, this.status);
      const [count, , consumed, linktype] = this.status;
      if (count) all.push(this.judge(count, base, window.length));
      if (need === NEED.program) {
        this.scout.filter(linktype, (this.filter as Filter).program(linktype));
        continue;
      }
      if (need !== NEED.rows) break; // a file that is none is the survey's to refuse
      at = consumed;
    }
    survey.verdicts(Buffer.concat(all), first);
  }
  private judge(count: number, base: number, length: number): Uint8Array {
    addon.describePackets(this.rows, count, this.window.subarray(0, length), base, this.scout.linktypes(), this.headers);
    this.places[0] = this.packets + 1;
    this.places[1] = base;
    this.control[1] = count;
    this.control[3] = length;
    Atomics.store(this.control, 0, STATE.asked);
    Atomics.notify(this.control, 0);
    this.wait(STATE.asked, `for ${count} packets, from packet ${this.packets + 1} on`);
    const out = new Uint8Array(count);
    for (let i = 0; i < count; i++) {
      const v = this.verdicts[i];
      if (v === VERDICT.drop) {
        out[i] = 1;
        this.counted.dropped++;
      } else if (v === VERDICT.failed && this.counted.failed++ === 0)
        this.counted.first_failed = {
          packet: this.packets + i + 1,
          time: new DataView(this.rows.buffer).getBigInt64(i * INDEX_BYTES + 16, true),
        };
    }
    this.packets += count;
    return out;
  }

  counts(): HookCounts {
    const exceptions = this.control[2];
    if (exceptions && !this.counted.first_exception) this.counted.first_exception = this.message();
    return { ...this.counted, exceptions };
  }
  close(): void {
    void this.worker.terminate();
    this.channel.port1.close();
  }
}
