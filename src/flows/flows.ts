/** Takes batches of the engine apart: events go to their flows, records of decoders and of flows go to the parts. */

import { anomalyLayer } from "../decoders/anomalies.js";
import { arp } from "../decoders/arp/index.js";
import type { AnomalyDetail, At, DecoderSettings, Emission, Emit } from "../decoders/contract.js";
import { setQuoted } from "../decoders/quoted.js";
import type { Batch, Engine } from "../engine/engine.js";
import { COLUMNS, column, EVENT, EVENT_WORDS, NO_FLOW, nativeAnomalies } from "../engine/native.js";
import { type Digest, DigestBuilder } from "../records/digest.js";
import { type Observer, putFlow, putRecord } from "../records/envelope.js";
import { protocolName } from "../records/protocols.js";
import type { Parts } from "../sinks/parts.js";
import { originKnown, recall } from "./brief.js";
import { DatagramFlow, type Quiet } from "./datagram-flow.js";
import { type AnomalyCount, Flow, ORIGIN_KNOWN } from "./flow.js";
import { endOf, packedOf, streamLength } from "./flow-record.js";
import { type Open, OpenFlows } from "./open-flows.js";
import { StateCodec } from "./snapshot.js";
import { type Skip, StreamFlow } from "./stream-flow.js";

export interface FlowsOptions extends DecoderSettings {
  /** Interfaces to name in records, by number; empty where the capture has one without a name. */
  observers: readonly (Observer | undefined)[];
  /** Where records of open flows go, if the engine tells any: each replaces the one before. */
  interims?: Parts;
  /** A folder for what is known of idle flows; none: it stays in memory. */
  scratch?: string;
}

/** A name's place in an anomaly record's id (SEMANTICS 25: the name in place of the position): FNV-1a. */
function nameHash(name: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) h = Math.imul(h ^ name.charCodeAt(i), 0x01000193) >>> 0;
  return h;
}

/** Where a flow's decoders write to. */
class FlowEmit implements Emit {
  private readonly flows: Flows;
  private readonly flow: Flow;
  constructor(flows: Flows, flow: Flow) {
    this.flows = flows;
    this.flow = flow;
  }
  record(e: Emission): void {
    this.flows.record(e, this.flow);
  }
  anomaly(name: string, at: At, detail?: AnomalyDetail): void {
    this.flow.note(name, at, detail);
  }
}

export class Flows {
  private readonly open: OpenFlows;
  private readonly engine: Engine;
  private readonly parts: Parts;
  private readonly options: FlowsOptions;
  private readonly loose = new Map<string, AnomalyCount>();
  readonly digest = new DigestBuilder();
  /** Exceptions of decoders: our bugs. They cost their flow, never the run. */
  exceptions = 0;
  firstException: unknown;

  constructor(engine: Engine, parts: Parts, options: FlowsOptions) {
    this.engine = engine;
    this.parts = parts;
    this.options = options;
    this.open = new OpenFlows(engine, this.codec(), options.scratch);
  }

  /** Takes one batch; `window` is what was pushed with it. */
  take(batch: Batch, window: Uint8Array): void {
    const w = batch.words;
    const d = batch.doubles;
    for (let i = 0, at = 0; i < batch.rows; i++, at += EVENT_WORDS) {
      const type = w[at];
      const slot = w[at + 1];
      const half = at >> 1;
      switch (type) {
        case EVENT.open:
          this.begin(slot, w[at + 11], batch, at);
          break;
        case EVENT.data:
        case EVENT.datagram: {
          const o = this.open.at(slot);
          if (!o?.work) break;
          this.open.touch(o);
          const from = w[at + 2];
          const bytes = (w[at + 12] ? batch.arena : window).subarray(from, from + w[at + 3]);
          const when = { packet: d[half + 2], seconds: d[half + 3], nanos: w[at + 10], clock: d[half + 8] };
          try {
            if (o.work instanceof StreamFlow) {
              o.work.data(w[at + 11], bytes, d[half + 4], when);
              if (o.work.over) this.open.over(o);
            } else {
              setQuoted(w[at + 14] ? batch.text.latin1Slice(w[at + 13], w[at + 13] + w[at + 14]) : "");
              o.work.data(w[at + 11], bytes, w[at + 15], when);
            }
          } catch (error) {
            this.failed(o, when, error);
          }
          break;
        }
        case EVENT.gap:
        case EVENT.sideEnd: {
          const o = this.open.at(slot);
          if (!(o?.work instanceof StreamFlow)) break;
          this.open.touch(o);
          const work = o.work;
          const when = { packet: d[half + 2], seconds: d[half + 3], nanos: w[at + 10] };
          const side = w[at + 11];
          const stream = d[half + 4];
          const length = w[at + 3];
          try {
            if (type === EVENT.gap) work.gap(side, length, stream, when);
            else {
              work.reached(side, stream);
              work.sideEnd(side, when);
            }
            if (work.over) this.open.over(o);
          } catch (error) {
            this.failed(o, when, error);
          }
          break;
        }
        case EVENT.frame:
          this.frame(batch, window, at);
          break;
        case EVENT.note:
          this.note(slot, batch, at);
          break;
        case EVENT.close:
          this.close(slot, batch, at);
          break;
        case EVENT.interim:
          this.interim(slot, batch, at);
          break;
      }
    }
    this.open.rest();
  }

  /** Between batches, with all records sealed: everything that is open, in blocks, for `restore` of the same shard's. */
  *save(): Generator<Buffer> {
    const codec = this.codec();
    const { loose, exceptions, parts, open } = this;
    yield codec.encode([loose, this.digest.result(), exceptions, this.firstException?.toString(), parts.counts, open.length]);
    yield* open.save(codec);
  }
  /** Throws where the blocks are no such state. */
  restore(blocks: Iterable<Uint8Array>): void {
    const codec = this.codec();
    let length: number | undefined;
    for (const bytes of blocks) {
      const block = codec.decode(bytes);
      if (length === undefined) length = this.restoreHead(block);
      else this.open.restore(block, length);
    }
  }
  private restoreHead(block: unknown): number {
    const [loose, digest, exceptions, exception, counts, slots] = block as [
      Map<string, AnomalyCount>,
      Digest,
      number,
      string | undefined,
      Record<string, number>,
      number,
    ];
    for (const [name, a] of loose) this.loose.set(name, a);
    this.digest.merge(digest);
    this.exceptions = exceptions;
    this.firstException = exception;
    Object.assign(this.parts.counts, counts);
    return slots;
  }
  private codec(): StateCodec {
    return new StateCodec([this, this.engine, this.parts, this.options, this.skip], { FlowEmit });
  }

  /** After the engine's last batch. Oddities without a flow are told here. */
  finish(): void {
    for (const [name, a] of this.loose) this.anomaly(undefined, name, a);
    this.loose.clear();
  }
  /** Nothing is taken any more. */
  release(): void {
    this.open.release();
  }

  private begin(slot: number, packed: number, batch: Batch, at: number): void {
    const w = batch.words;
    const told = batch.text.latin1Slice(w[at + 13], w[at + 13] + w[at + 14]);
    const flow = new Flow(slot, w[at + 3], packed, w[at + 2], w[at + 15], told);
    const emit = new FlowEmit(this, flow);
    if (flow.protocol === 6) {
      this.open.open(flow, new StreamFlow(flow, emit, this.options, this.skip));
      return;
    }
    const known = this.open.brief(slot);
    if (typeof known === "object") recall(flow, known.brief);
    this.open.open(flow, typeof known === "object" ? this.resumed(flow, known) : new DatagramFlow(flow, emit, this.options, this.skip));
  }
  /** A quiet flow's decoder goes on. */
  private resumed(flow: Flow, quiet: Quiet): DatagramFlow {
    const work = new DatagramFlow(flow, new FlowEmit(this, flow), this.options, this.skip);
    work.resume(quiet);
    return work;
  }
  private readonly skip: Skip = (f, side, stop, upto) => this.engine.skip(f.slot, f.serial, side, stop, upto);

  /** A decoder's record; `flow` is the one that it belongs to. */
  record(e: Emission, flow: Flow | undefined): void {
    putRecord(this.parts.next(e.dataset), e, flow, this.observer(flow?.interface));
    if (e.anomalies) for (const name of e.anomalies) this.tell(flow, name, e.at);
  }
  private tell(flow: Flow | undefined, name: string, at: At, detail?: AnomalyDetail): void {
    if (flow) flow.note(name, at, detail);
    else {
      const known = this.loose.get(name);
      if (known) known.count++;
      else this.loose.set(name, { count: 1, at, ...detail });
    }
  }

  private observer(iface: number | undefined): Observer | undefined {
    return iface === undefined ? undefined : this.options.observers[iface];
  }

  /** A decoder threw: our bug. It costs its flow, never the run. */
  private failed(o: Open, at: At, error: unknown): void {
    this.exceptions++;
    this.firstException ??= error;
    o.work = undefined;
    o.flow.note("decoder-exception", at);
    for (const side of [0, 1]) this.engine.skip(o.flow.slot, o.flow.serial, side, true, 0);
  }

  private frame(batch: Batch, window: Uint8Array, at: number): void {
    const w = batch.words;
    const d = batch.doubles;
    const half = at >> 1;
    const from = w[at + 2];
    const bytes = (w[at + 12] ? batch.arena : window).subarray(from, from + w[at + 3]);
    const when = { packet: d[half + 2], seconds: d[half + 3], nanos: w[at + 10] };
    const fields = batch.text.latin1Slice(w[at + 13], w[at + 13] + w[at + 14]).split("\t");
    const observer = this.observer(w[at + 15]);
    const emit: Emit = {
      record: (e) => {
        const network = { vlan: fields[2] ? { id: fields[2] } : undefined, inner: fields[3] ? { vlan: { id: fields[3] } } : undefined };
        const ends = {
          network,
          source: { ...e.ends?.source, mac: fields[0] || undefined },
          destination: { ...e.ends?.destination, mac: fields[1] || undefined },
        };
        putRecord(this.parts.next(e.dataset), { ...e, ends, side: 0, stream: 0, index: 0 }, undefined, observer);
        if (e.anomalies) for (const name of e.anomalies) this.tell(undefined, name, e.at);
      },
      anomaly: (name, a, detail) => this.tell(undefined, name, a, detail),
    };
    try {
      arp(bytes, when, emit);
    } catch (error) {
      this.exceptions++;
      this.firstException ??= error;
    }
  }

  private note(slot: number, batch: Batch, at: number): void {
    const w = batch.words;
    const d = batch.doubles;
    const half = at >> 1;
    const name = nativeAnomalies[w[at + 15]].name;
    const a: AnomalyCount = {
      count: d[half + 4],
      at: { packet: d[half + 2], seconds: d[half + 3], nanos: w[at + 10] },
      offset: w[at + 2],
      needed: w[at + 3],
      had: w[at + 11],
    };
    if (slot === NO_FLOW) {
      this.loose.set(name, a);
      return;
    }
    // A flow without payload, or of which little is kept, has no place for notes: they wait for its close, which follows at once.
    const o = this.open.at(slot);
    if (o) o.flow.note(name, a.at, a, a.count);
    else this.waiting.push([name, a]);
  }
  private waiting: [string, AnomalyCount][] = [];

  private close(slot: number, batch: Batch, at: number): void {
    const row = batch.words[at + 2];
    const table = batch.closed;
    const quiet = this.open.brief(slot);
    const o = this.told(slot, batch, at);
    const { flow } = o;
    const work = o.work ?? (typeof quiet === "object" && quiet.parked.waits ? this.resumed(flow, quiet) : undefined);
    for (const [name, a] of this.waiting) flow.note(name, a.at, a, a.count);
    this.waiting = [];
    if (work) {
      const end = endOf(table, row);
      try {
        if (work instanceof StreamFlow) for (const side of [0, 1]) work.reached(side, streamLength(table, row, side));
        work.end(end);
      } catch (error) {
        this.failed(o, end, error);
      }
    }
    this.open.close(slot);
    this.write(this.parts, flow, batch, at, true);
    if (flow.anomalies) for (const [name, a] of flow.anomalies) this.anomaly(flow, name, a);
    const b = row * COLUMNS;
    const [one, other] = flow.addresses;
    this.digest.flow(one, table[b + column.bytes0], other, table[b + column.bytes1], flow.protocols[0] ?? protocolName(flow.protocol));
  }

  /** An open flow as it stands. */
  private interim(slot: number, batch: Batch, at: number): void {
    if (this.options.interims) this.write(this.options.interims, this.told(slot, batch, at).flow, batch, at, false);
  }

  /** The flow of a slot; one that brought no payload, or of which little is kept, is known only from the row that tells of it. */
  private told(slot: number, batch: Batch, at: number): Open {
    const open = this.open.at(slot);
    if (open) return open;
    const w = batch.words;
    const { packed, ports, iface } = packedOf(batch.closed, w[at + 2]);
    const text = batch.text.latin1Slice(w[at + 13], w[at + 13] + w[at + 14]);
    const known = this.open.brief(slot);
    const brief = typeof known === "object" ? known.brief : known;
    // Who began is as it was when the flow was opened: a handshake that came later does not count.
    const as = brief === undefined ? packed : originKnown(brief) ? packed | ORIGIN_KNOWN : packed & ~ORIGIN_KNOWN;
    const flow = new Flow(slot, 0, as, ports, iface, text.slice(0, text.lastIndexOf("\t")));
    if (brief !== undefined) recall(flow, brief);
    return { flow, work: undefined, touched: 0 };
  }

  /** A flow's own record. */
  private write(to: Parts, flow: Flow, batch: Batch, at: number, final: boolean): void {
    const w = batch.words;
    const text = batch.text.subarray(w[at + 13], w[at + 13] + w[at + 14]);
    putFlow(to.next("flow"), flow, this.observer(flow.interface), batch.closed, w[at + 2], text, final);
  }

  private anomaly(flow: Flow | undefined, name: string, a: AnomalyCount): void {
    this.digest.anomaly(name, a.count);
    const body = {
      anomaly: {
        name,
        layer: anomalyLayer(name),
        count: a.count,
        offset: a.offset,
        needed_bytes: a.needed || undefined,
        had_bytes: a.had || undefined,
      },
    };
    putRecord(
      this.parts.next("anomaly"),
      { dataset: "anomaly", at: a.at, side: 0, stream: 0, index: nameHash(name), body, anomalies: [name] },
      flow,
      this.observer(flow?.interface),
    );
  }
}
