/**
 * The flows that are open, by slot, each in as little as it takes: with its decoder while it is lively; as a text when it has been idle (its
 * state, as a checkpoint has it), in memory or, where there are many, on disk; as a session's few words when it is quiet; as a number when
 * nothing more is looked for in it. Of the last two the native side tells the rest again.
 */
import type { Engine } from "../engine/engine.js";
import { briefOf, read, type Written, written } from "./brief.js";
import { DatagramFlow, type Quiet } from "./datagram-flow.js";
import type { Flow } from "./flow.js";
import { Shelf } from "./shelf.js";
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
/**
 * Flows are looked through after so many batches; when so many were opened at once and not waited for as long. Where there is a disk, more quiet flows
 * than that go there, and texts that are longer, or of more characters together, up to a length. Tests have them otherwise.
 */
export const QUIET: { every: number; flows: number; quiet: number; held: number; shelved: number; usual: Rest; many: Rest } = {
  every: 16,
  flows: 8192,
  quiet: 32_768,
  held: 1 << 20,
  shelved: 32 << 10,
  usual: { datagrams: 16, streams: 48, text: 1024 },
  many: { datagrams: 1, streams: 4, text: 4096 },
};
/** In `touched`: not to be looked at before its next bytes. */
const STAYS = 0x3fffffff;
/** In a slot: its text is on the shelf, an idle flow's or a quiet one's. */
const SHELVED = Symbol("shelved");
const SHELVED_QUIET = Symbol("shelved quiet");
/** Open flows in one block of a snapshot. */
const SNAPSHOT_FLOWS = 256;

export class OpenFlows {
  private readonly slots: (Open | Brief | string | typeof SHELVED | typeof SHELVED_QUIET | undefined)[] = [];
  private readonly engine: Engine;
  private readonly codec: StateCodec;
  private batches = 0;
  /** Opened since all were looked through. */
  private fresh = 0;
  /** Nothing more is looked for in them since this batch. */
  private done: Open[] = [];
  private readonly shelf: Shelf | undefined;
  /** Characters of the texts in memory, and quiet flows there. */
  private held = 0;
  private quiet = 0;

  /** `scratch`: a folder for what is not kept in memory; none: all is. */
  constructor(engine: Engine, codec: StateCodec, scratch?: string) {
    this.engine = engine;
    this.codec = codec;
    if (scratch !== undefined) this.shelf = new Shelf(scratch);
  }

  /** Undefined: there is no such flow, or little is kept of it. */
  at(slot: number): Open | undefined {
    const o = this.slots[slot];
    if (typeof o === "object") return isOpen(o) ? o : undefined;
    return typeof o === "string" || o === SHELVED ? this.wake(slot, o) : undefined;
  }
  brief(slot: number): Brief | undefined {
    const o = this.slots[slot];
    if (o === SHELVED_QUIET) return this.quietText(slot);
    return typeof o === "number" || (typeof o === "object" && !isOpen(o)) ? o : undefined;
  }
  open(flow: Flow, work: StreamFlow | DatagramFlow): void {
    this.takeDown(flow.slot);
    this.slots[flow.slot] = { flow, work, touched: this.batches };
    this.fresh++;
  }
  close(slot: number): void {
    this.takeDown(slot);
    this.slots[slot] = undefined;
  }
  /** After the last batch. */
  release(): void {
    this.shelf?.close();
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
      if (!this.putAway(slot, this.codec.text([o.flow, o.work]), rest.text)) o.touched = STAYS;
    }
  }
  /** An idle flow's text, of at most so many characters where it stays in memory. */
  private putAway(slot: number, text: string, most: number): boolean {
    const fits = text.length <= most;
    if (!(fits && this.held + text.length <= QUIET.held) && text.length <= QUIET.shelved && this.shelf?.put(slot, text)) {
      this.slots[slot] = SHELVED;
      return true;
    }
    if (!fits) return false;
    this.slots[slot] = text;
    this.held += text.length;
    return true;
  }
  /** Keeps of a flow as little as is needed; false: there is more to tell of it. */
  private keep(o: Open, quiet?: Quiet): boolean {
    const brief = briefOf(o.flow);
    if (brief === undefined) return false;
    if (quiet) this.putQuiet(o.flow.slot, { brief, decoder: quiet.decoder, parked: quiet.parked });
    else this.slots[o.flow.slot] = brief;
    this.engine.forget(o.flow.slot, o.flow.serial);
    return true;
  }
  private putQuiet(slot: number, flow: QuietFlow): void {
    const shelved = this.quiet >= QUIET.quiet && this.shelf?.put(slot, this.codec.text(flow));
    this.slots[slot] = shelved ? SHELVED_QUIET : flow;
    if (!shelved) this.quiet++;
  }
  private quietText(slot: number): QuietFlow {
    return this.codec.fromText((this.shelf as Shelf).read(slot)) as QuietFlow;
  }
  private idle(text: string): Open {
    const [flow, work] = this.codec.fromText(text) as [Flow, Open["work"]];
    return { flow, work, touched: this.batches };
  }
  private wake(slot: number, from: string | typeof SHELVED): Open {
    const o = this.idle(this.textOf(slot, from));
    this.takeDown(slot);
    this.slots[slot] = o;
    return o;
  }
  /** What was put away goes. */
  private takeDown(slot: number): void {
    const there = this.slots[slot];
    if (there === SHELVED || there === SHELVED_QUIET) this.shelf?.drop(slot);
    else if (typeof there === "string") this.held -= there.length;
    else if (typeof there === "object" && !isOpen(there)) this.quiet--;
  }
  private textOf(slot: number, from: string | typeof SHELVED): string {
    return from === SHELVED ? (this.shelf as Shelf).read(slot) : from;
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
      else if (typeof o === "string" || o === SHELVED) block.push([slot, this.idle(this.textOf(slot, o))]);
      else if (typeof o === "object" && isOpen(o)) block.push([slot, o]);
      else {
        const quiet = o === SHELVED_QUIET ? this.quietText(slot) : o;
        block.push([slot, { ...quiet, brief: written(quiet.brief) }]);
      }
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
      else if ("brief" in o) this.putQuiet(slot, { ...o, brief: read(o.brief) });
      else this.slots[slot] = read(o);
    }
  }
}
