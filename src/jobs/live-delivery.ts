/** Records of a live capture on their way from the decoding process to where they are looked for, while it goes on. */
import { readFileSync, rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { StoredRun } from "../sinks/merge.js";
import type { LiveSink } from "../sinks/sink.js";
import type { Takes } from "./live-decoder.js";
import type { RunFile } from "./messages.js";

/** After a delivery that failed, ms. */
const RETRY_MS = 3000;
/** A delivery may take this part of the time, so that many small ones do not take the machine. */
const SHARE = 0.5;

export interface DeliveryOptions {
  /** Between the beginnings of two deliveries at least, ms. */
  everyMs: number;
  /** Runs are wanted again at the end. */
  keep: boolean;
  /** Records as they are ready: JSON lines. */
  follow: ((lines: string) => void) | undefined;
}

interface Batch {
  more: StoredRun[];
  open: StoredRun[];
}

export class LiveDelivery implements Takes {
  /** All that came, where they are kept. */
  kept: RunFile[] = [];
  /** Records by dataset; open flows are not counted. */
  records: Record<string, number> = {};
  /** Why nothing is delivered now. */
  trouble: string | undefined;
  private readonly sink: LiveSink;
  private readonly options: DeliveryOptions;
  private readonly captureId: string;
  private begun = false;
  private next: Batch = { more: [], open: [] };
  /** Under way; one that failed is given again as it was. */
  private now: Batch | undefined;
  private ended = false;
  private failure: unknown;
  private wake: () => void = () => undefined;
  private at: Promise<void>;

  constructor(captureId: string, sink: LiveSink, options: DeliveryOptions) {
    this.sink = sink;
    this.options = options;
    this.captureId = captureId;
    this.at = this.deliver();
  }

  take(run: RunFile, open: boolean): void {
    if (this.options.follow && run.dataset !== "capture") this.options.follow(readFileSync(run.text, "utf8"));
    if (open) this.next.open.push(run);
    else {
      this.next.more.push(run);
      this.records[run.dataset] = (this.records[run.dataset] ?? 0) + run.count;
      if (this.options.keep) this.kept.push(run);
    }
    this.wake();
  }

  async anew(): Promise<void> {
    await this.stop();
    for (const b of [this.now, this.next]) for (const run of b ? [...b.more, ...b.open] : []) dispose(run);
    for (const run of this.kept) dispose(run);
    this.now = undefined;
    this.next = { more: [], open: [] };
    this.kept = [];
    this.records = {};
    if (this.begun) await this.sink.anew();
    this.ended = false;
    this.failure = undefined;
    this.at = this.deliver();
  }

  /** The last records. Throws what keeps them from being delivered. */
  async end(last: readonly StoredRun[]): Promise<void> {
    this.next.more.push(...last);
    for (const run of last) this.records[run.dataset] = (this.records[run.dataset] ?? 0) + run.count;
    await this.stop();
    if (this.failure) throw this.failure;
    await this.sink.end();
  }

  private async stop(): Promise<void> {
    this.ended = true;
    this.wake();
    await this.at;
  }

  /** Until the end: what waits, in one go, not too often. At the end a failure is final. */
  private async deliver(): Promise<void> {
    const { everyMs, keep } = this.options;
    for (;;) {
      if (!this.now && !this.next.more.length && !this.next.open.length) {
        if (this.ended) return;
        await new Promise<void>((resolve) => {
          this.wake = resolve;
        });
        continue;
      }
      const begun = performance.now();
      if (!this.now) {
        this.now = this.next;
        this.next = { more: [], open: [] };
      }
      const { more, open } = this.now;
      let rest = 0;
      try {
        if (!this.begun) await this.sink.begin(this.captureId);
        this.begun = true;
        await this.sink.grow(
          Map.groupBy(more, (r) => r.dataset),
          open,
        );
        this.now = undefined;
        this.trouble = undefined;
        for (const run of keep ? open : [...more, ...open]) dispose(run);
        const took = performance.now() - begun;
        rest = Math.max(everyMs - took, took / SHARE - took);
      } catch (error) {
        this.trouble = `records wait: ${(error as Error).message}`;
        if (this.ended) {
          this.failure = error;
          return;
        }
        rest = RETRY_MS;
      }
      const wait = new AbortController();
      this.wake = () => this.ended && wait.abort();
      if (!this.ended) await sleep(rest, undefined, { signal: wait.signal }).catch(() => undefined);
      this.wake = () => undefined;
    }
  }
}

function dispose(run: StoredRun): void {
  for (const path of [run.text, run.keys]) if (typeof path === "string") rmSync(path, { force: true });
}
