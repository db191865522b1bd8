/**
 * The flows that are open, by slot, each in as little as it takes: with its decoder while it is lively; as a text when it has been idle (its
 * state, as a checkpoint has it); as a session's few words when it is quiet; as a number when nothing more is looked for in it. Of the last
 * two the native side tells the rest again.
 */
import type { Engine } from "../engine/engine.js";
import { briefOf, read, type Written, written } from "./brief.js";
import { DatagramFlow, type Quiet } from "./datagram-flow.js";
import type { Flow } from "./flow.js";
import type { StateCodec } from "./snapshot.js";
import type { StreamFlow } from "./stream-flow.js";

export interface Open {
  flow: Flow;
  work: StreamFlow | DatagramFlow | undefined;
  /** The last batch that brought anything to it. */
  touched: number;
}
type QuietFlow = Quiet & { brief: number };
/** An open flow of which only what is here is kept: in it, or in it and a session to go on with. */
export type Brief = number | QuietFlow;
const isOpen = (o: Open | QuietFlow): o is Open => "flow" in o;
/** A flow as another process can read it. */
type Saved = Open | Written | (Quiet & { brief: Written });

/**
 * After so many batches without anything a flow is quiet, or idle. A text of more characters is not kept: it takes more memory than the state does,
 * much of which is shared.
 */
interface Rest {
  datagrams: number;
  streams: number;
  text: number;
}
/** Flows are looked through after so many batches; when so many were opened at once and not waited for as long. Tests have them otherwise. */
export const QUIET: { every: number; flows: number; usual: Rest; many: Rest } = {
  every: 16,
  flows: 8192,
  usual: { datagrams: 16, streams: 48, text: 1024 },
  many: { datagrams: 1, streams: 16, text: 4096 },
};
/** In `touched`: not to be looked at before its next bytes. */
const STAYS = 0x3fffffff;
/** Open flows in one block of a snapshot. */
const SNAPSHOT_FLOWS = 256;

export class OpenFlows {
  private readonly slots: (Open | Brief | string | undefined)[] = [];
  private readonly engine: Engine;
  private readonly codec: StateCodec;
  private batches = 0;
  /** Opened since all were looked through. */
  private fresh = 0;
  /** Nothing more is looked for in them since this batch. */
  private done: Open[] = [];

  constructor(engine: Engine, codec: StateCodec) {
    this.engine = engine;
    this.codec = codec;
  }

  /** Undefined: there is no such flow, or little is kept of it. */
  at(slot: number): Open | undefined {
    const o = this.slots[slot];
    if (typeof o === "object") return isOpen(o) ? o : undefined;
    return typeof o === "string" ? this.wake(slot, o) : undefined;
  }
  brief(slot: number): Brief | undefined {
    const o = this.slots[slot];
    return typeof o === "number" || (typeof o === "object" && !isOpen(o)) ? o : undefined;
  }
  open(flow: Flow, work: StreamFlow | DatagramFlow): void {
    this.slots[flow.slot] = { flow, work, touched: this.batches };
    this.fresh++;
  }
  close(slot: number): void {
    this.slots[slot] = undefined;
  }
  touch(o: Open): void {
    o.touched = this.batches;
  }
  /** Nothing more is looked for in it; events of this batch know it as it was. */
  over(o: Open): void {
    o.work = undefined;
    this.done.push(o);
  }
  /** A batch was taken. */
  rest(): void {
    this.batches++;
    for (const o of this.done) if (this.slots[o.flow.slot] === o) this.keep(o);
    if (this.done.length) this.done = [];
    if (this.fresh > QUIET.flows) this.lookThrough(QUIET.many);
    else if (QUIET.every === 0 || this.batches % QUIET.every === 0) this.lookThrough(QUIET.usual);
  }

  private lookThrough(rest: Rest): void {
    const [datagrams, streams] = [this.batches - rest.datagrams, this.batches - rest.streams];
    this.fresh = 0;
    for (let slot = 0; slot < this.slots.length; slot++) {
      const o = this.slots[slot];
      if (typeof o !== "object" || !isOpen(o)) continue;
      const datagram = o.work instanceof DatagramFlow ? o.work : undefined;
      if (o.touched > (datagram ? datagrams : streams)) continue;
      const left = datagram?.park();
      if (left && this.keep(o, left === "done" ? undefined : left)) continue;
      const text = this.codec.text([o.flow, o.work]);
      if (text.length <= rest.text) this.slots[slot] = text;
      else o.touched = STAYS;
    }
  }
  /** Keeps of a flow as little as is needed; false: there is more to tell of it. */
  private keep(o: Open, quiet?: Quiet): boolean {
    const brief = briefOf(o.flow);
    if (brief === undefined) return false;
    this.slots[o.flow.slot] = quiet ? { brief, decoder: quiet.decoder, parked: quiet.parked } : brief;
    this.engine.forget(o.flow.slot, o.flow.serial);
    return true;
  }
  private idle(text: string): Open {
    const [flow, work] = this.codec.fromText(text) as [Flow, Open["work"]];
    return { flow, work, touched: this.batches };
  }
  private wake(slot: number, text: string): Open {
    const o = this.idle(text);
    this.slots[slot] = o;
    return o;
  }

  get length(): number {
    return this.slots.length;
  }
  /** Between batches: everything that is open, in blocks, for `restore` of the same shard's. */
  *save(codec: StateCodec): Generator<Buffer> {
    let block: [number, Saved][] = [];
    for (let slot = 0; slot < this.slots.length; slot++) {
      const o = this.slots[slot];
      if (o === undefined) continue;
      if (typeof o === "number") block.push([slot, written(o)]);
      else if (typeof o === "string") block.push([slot, this.idle(o)]);
      else block.push([slot, isOpen(o) ? o : { ...o, brief: written(o.brief) }]);
      if (block.length < SNAPSHOT_FLOWS) continue;
      yield codec.encode(block);
      block = [];
    }
    if (block.length) yield codec.encode(block);
  }
  /** One of the blocks; `length` as it was. */
  restore(block: unknown, length: number): void {
    this.slots.length = length;
    for (const [slot, o] of block as [number, Saved][]) {
      if ("flow" in o) this.slots[slot] = { ...o, touched: 0 };
      else this.slots[slot] = "brief" in o ? { ...o, brief: read(o.brief) } : read(o);
    }
  }
}
