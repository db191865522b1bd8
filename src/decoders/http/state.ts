/** Messages of both sides → transactions. The k-th request and the k-th final response belong together. */
import type { At, Emit } from "../contract.js";
import { body, type Part, type Transaction } from "./record.js";

/** Transactions that wait in one flow for their other half. */
const MAX_OPEN = 16384;
/** Interim answers kept of a transaction. */
const MAX_INTERIM = 64;
/** Answers behind a hole that are remembered: a request that is delivered late may be what one of them answered. */
const MAX_ALONE = 64;

const half = (): Transaction => ({
  ordinal: 0,
  request: undefined,
  response: undefined,
  interim: [],
  requestDone: false,
  responseDone: false,
  written: false,
});

export class Exchange {
  private readonly open = new Map<number, Transaction>();
  private requests = 0;
  private responses = 0;
  /** Requests seen on the connection: the ordinal, which no gap resets. */
  private ordinal = 0;
  /** After a gap, and where a connection is picked up in the middle: responses belong to nobody until the next request line. */
  private detached: boolean;
  /** From a hole to the next pair: what was captured before a request is no answer to it. */
  private doubtful = false;
  /** Packets in which answers began that stand alone, since the last pair. */
  private readonly alone: number[] = [];
  clientOver = false;
  private readonly emit: Emit;
  private readonly keep: boolean;
  constructor(emit: Emit, keep: boolean, midstream: boolean) {
    this.emit = emit;
    this.keep = keep;
    this.detached = midstream;
  }

  private at(k: number): Transaction {
    let t = this.open.get(k);
    if (!t) {
      t = half();
      this.open.set(k, t);
      if (this.open.size > MAX_OPEN) this.flush(["http-pipeline-limit"]);
    }
    return t;
  }

  request(part: Part): Transaction {
    this.doubtful ||= this.detached;
    this.detached = false;
    const ordinal = ++this.ordinal;
    // Held back behind a hole while its answer was told: the next answer is not its own.
    const answered = this.alone.findIndex((packet) => packet > part.at.packet);
    if (answered >= 0) {
      this.alone.splice(0, answered + 1);
      return { ...half(), ordinal, request: part, responseDone: true };
    }
    const t = this.at(this.requests++);
    t.ordinal = ordinal;
    t.request = part;
    return t;
  }
  requestDone(t: Transaction, until: At): void {
    t.requestDone = true;
    if (t.request) t.request.until = until;
    this.settle(t);
  }

  /** Behind a hole, or picked up in the middle, with several requests outstanding, nothing tells which of them a response that begins here answers. */
  settleDoubt(at: At): void {
    if (!this.doubtful || this.standsAlone(at)) return;
    let waiting = 0;
    for (const t of this.open.values()) if (t.request && !t.response) waiting++;
    if (waiting > 1) this.lost();
  }
  /** The request that a response which begins here answers; undefined: not seen (yet). */
  answering(at: At): Part | undefined {
    return this.standsAlone(at) ? undefined : this.open.get(this.responses)?.request;
  }
  /** Nothing to wait for: a response that begins here stands alone. */
  nothingToWaitFor(at: At): boolean {
    return this.clientOver || this.standsAlone(at);
  }
  private standsAlone(at: At): boolean {
    const next = this.open.get(this.responses)?.request;
    return this.detached || (this.doubtful && next !== undefined && next.at.packet > at.packet);
  }
  interim(status: number, at: At): void {
    const t = this.standsAlone(at) ? undefined : this.at(this.responses);
    if (t && t.interim.length < MAX_INTERIM) t.interim.push(status);
  }
  response(part: Part): Transaction {
    if (this.standsAlone(part.at)) {
      this.toldAlone(part);
      return { ...half(), response: part, requestDone: true };
    }
    const t = this.at(this.responses++);
    t.response = part;
    if (t.request) {
      this.doubtful = false;
      this.alone.length = 0;
    }
    return t;
  }
  private toldAlone(part: Part): void {
    if (this.alone.length < MAX_ALONE) this.alone.push(part.at.packet);
  }
  responseDone(t: Transaction, until: At): void {
    t.responseDone = true;
    if (t.response) t.response.until = until;
    this.settle(t);
  }

  /**
   * A hole where no body keeps sync: pairing starts anew. What waits for its other half is written as it is; a message that the other side is in
   * the middle of, with its end.
   */
  lost(): void {
    for (const [k, t] of this.open) {
      if (t.response && !t.request) this.toldAlone(t.response);
      if ((t.request && !t.requestDone) || (t.response && !t.responseDone)) {
        t.requestDone ||= !t.request;
        t.responseDone ||= !t.response;
      } else {
        this.open.delete(k);
        this.write(t, []);
      }
    }
    this.requests = this.responses = Math.max(this.requests, this.responses);
    this.detached = true;
  }

  flush(more: string[] = []): void {
    for (const [k, t] of this.open) {
      this.open.delete(k);
      this.write(t, more);
    }
    this.requests = this.responses = Math.max(this.requests, this.responses);
  }

  private settle(t: Transaction): void {
    if (!t.requestDone || !t.responseDone) return;
    for (const [k, v] of this.open)
      if (v === t) {
        this.open.delete(k);
        break;
      }
    this.write(t, []);
  }

  private write(t: Transaction, more: string[]): void {
    const first = t.request ?? t.response;
    if (!first || t.written) return;
    t.written = true;
    const { body: b, hosts } = body(t, this.keep);
    const parts = [t.request, t.response].filter((p) => p !== undefined);
    const anomalies = parts.flatMap((p) => [...p.head.anomalies, ...p.head.notes.names()]).concat(more);
    const status = t.response?.head.status;
    this.emit.record({
      dataset: "http",
      at: first.at,
      side: t.request ? 0 : 1,
      stream: first.stream,
      until: (t.response ?? first).until,
      body: b,
      hosts,
      outcome: status === undefined ? "unknown" : status < 400 ? "success" : "failure",
      anomalies,
    });
  }
}
