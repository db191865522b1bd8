/**
 * The way of a packet while a capture grows: the survey and one shard side by side, over windows as they come. The records are those that an
 * analysis of the finished capture gives: the same native code sees the same bytes in the same order.
 */
import { randomBytes } from "node:crypto";
import type { DecodeOptions } from "./config.js";
import { Engine } from "./engine/engine.js";
import { addon, INDEX_BYTES, type NativeSummary, NEED, OVERLAP } from "./engine/native.js";
import { ThreatflowError } from "./errors.js";
import { Flows } from "./flows/flows.js";
import { Hooks } from "./hooks/hooks.js";
import type { ShardResult } from "./pipeline.js";
import type { Observer } from "./records/envelope.js";
import { Parts, type Run, type Unsealed } from "./sinks/parts.js";

const ROWS_AT_ONCE = 16 * 1024;

export class Online {
  private readonly survey: InstanceType<typeof addon.Survey>;
  private readonly engine: Engine;
  private readonly parts = new Parts();
  private readonly interims = new Parts();
  private readonly flows: Flows;
  private readonly rows = new Uint8Array(ROWS_AT_ONCE * INDEX_BYTES);
  private readonly status = new Float64Array(4);
  /** Bytes not yet walked, and where they begin in the capture. */
  private pending: Uint8Array = new Uint8Array(0);
  /** Where they are put together with the next ones, again and again. */
  private together: Uint8Array = new Uint8Array(0);
  private base = 0;
  private linktypes = 0;
  private readonly filter: { program(linktype: number): Uint32Array } | undefined;
  private readonly observe: ((s: NativeSummary) => readonly (Observer | undefined)[]) | undefined;
  private readonly observers: (Observer | undefined)[];
  private readonly hooks: Hooks | undefined;
  packets = 0;

  /** `observers`: of the interfaces, or how they are told from what the capture says of them; `interimNs`: see EngineOptions; `scratch`: see FlowsOptions. */
  constructor(
    decode: DecodeOptions,
    observers: readonly (Observer | undefined)[] | ((s: NativeSummary) => readonly (Observer | undefined)[]),
    filter?: { program(linktype: number): Uint32Array },
    interimNs = 0n,
    scratch?: string,
  ) {
    this.filter = filter;
    this.observe = typeof observers === "function" ? observers : undefined;
    this.observers = typeof observers === "function" ? [] : [...observers];
    this.survey = new addon.Survey({
      key: randomBytes(16),
      ipOverlap: OVERLAP.indexOf(decode.ipOverlap),
      dedupNs: decode.dedupNs,
      live: true,
    });
    this.engine = new Engine({ shard: 0, shards: 1, tcpOverlap: decode.tcpOverlap, ipOverlap: decode.ipOverlap, interimNs });
    this.flows = new Flows(this.engine, this.parts, {
      credentials: decode.credentials,
      observers: this.observers,
      interims: this.interims,
      scratch,
    });
    if (filter) this.survey.filtering(true);
    this.hooks = decode.hooks && new Hooks(decode.hooks, filter, true);
  }

  /** The next bytes of the capture; `last`: nothing follows. */
  push(bytes: Uint8Array, last: boolean): void {
    let window = bytes;
    if (this.pending.length) {
      const size = this.pending.length + bytes.length;
      if (this.together.length < size) this.together = new Uint8Array(Math.ceil(size * 1.25));
      window = this.together.subarray(0, size);
      window.set(this.pending);
      window.set(bytes, this.pending.length);
    }
    this.hooks?.ahead(this.survey, window, this.base, last);
    for (let at = this.base; ; ) {
      const need = this.survey.push(window.subarray(at - this.base), last, this.rows, this.status);
      const [count, , consumed, linktype] = this.status;
      if (count) this.decode(count, window);
      if (need === NEED.notACapture)
        throw new ThreatflowError("NOT_A_CAPTURE", "these bytes are no capture", "pcap and pcapng are read, plain or as .gz or .zst");
      if (need === NEED.program) {
        if (!this.filter) throw new ThreatflowError("INTERNAL", "the survey wants a filter program without a filter");
        this.survey.filter(linktype, this.filter.program(linktype));
        continue;
      }
      if (need === NEED.bytes || need === NEED.end) {
        this.survey.patches(); // one shard has every packet: whose flow a fragment is of is nobody's question here
        this.pending = window.slice(consumed - this.base);
        this.base = consumed;
        return;
      }
      at = consumed;
    }
  }

  private decode(count: number, window: Uint8Array): void {
    const types = this.survey.linktypes();
    if (types.length !== this.linktypes) {
      this.linktypes = types.length;
      this.engine.interfaces(types);
      if (this.observe) this.observers.splice(0, this.observers.length, ...this.observe(this.survey.summary()));
    }
    for (let from = 0; from < count; ) {
      const took = this.engine.push(this.rows, from, count - from, this.packets + from + 1, window, this.base);
      if (took === 0 && this.engine.batch.rows === 0) throw new ThreatflowError("INTERNAL", "a packet lies outside its window");
      this.flows.take(this.engine.batch, window);
      from += took;
    }
    this.packets += count;
  }

  /** More waits than is good: seal. */
  get full(): boolean {
    return this.parts.full || this.interims.full;
  }
  /** What is ready, as sorted runs; a run's bytes are good until the next one. */
  seal(captureId: string): Generator<Run> {
    return this.parts.seal(captureId);
  }
  /** Open flows as they stood when they were last told, the newest of a flow last; a run's bytes are good until the next one. */
  sealInterims(captureId: string): Generator<Run> {
    return this.interims.seal(captureId);
  }
  /** What is ready, set apart until the capture's id is known. */
  spill(): Generator<Unsealed> {
    return this.parts.spill();
  }
  /** After the last push: everything that is still open ends. `full` is called whenever more waits than is good. */
  finish(full?: () => void): { summary: NativeSummary; linktypes: Uint32Array } {
    this.survey.finish();
    const summary = { ...this.survey.summary(), hooks: this.hooks?.counts() };
    this.hooks?.close();
    for (let done = false; !done; ) {
      done = this.engine.finish(summary.clock);
      this.flows.take(this.engine.batch, new Uint8Array(0));
      if (this.full) full?.();
    }
    this.flows.finish();
    this.flows.release();
    return { summary, linktypes: this.survey.linktypes() };
  }
  result(): ShardResult {
    const e = this.flows.firstException as Error | undefined;
    return {
      counts: this.parts.counts,
      limits: this.engine.limits(),
      digest: this.flows.digest.result(),
      exceptions: this.flows.exceptions,
      firstException: e === undefined ? undefined : String(e.stack ?? e),
    };
  }
}
