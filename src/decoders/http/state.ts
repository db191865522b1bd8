/** Messages of both sides → transactions. The k-th request and the k-th final response belong together. */
import type { At, Emit } from "../contract.js";
import { body, type Part, type Transaction } from "./record.js";

/** Transactions that wait in one flow for their other half. */
const MAX_OPEN = 16384;
/** Interim answers kept of a transaction. */
const MAX_INTERIM = 64;

export class Exchange {
  private readonly open = new Map<number, Transaction>();
  private requests = 0;
  private responses = 0;
  /** Requests seen on the connection: the ordinal, which no gap resets. */
  private ordinal = 0;
  /** After a gap, and where a connection is picked up in the middle: responses belong to nobody until the next request line. */
  private detached: boolean;
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
      t = { ordinal: 0, request: undefined, response: undefined, interim: [], requestDone: false, responseDone: false, written: false };
      this.open.set(k, t);
      if (this.open.size > MAX_OPEN) this.flush(["http-pipeline-limit"]);
    }
    return t;
  }

  request(part: Part): Transaction {
    this.detached = false;
    const t = this.at(this.requests++);
    t.ordinal = ++this.ordinal;
    t.request = part;
    return t;
  }
  requestDone(t: Transaction, until: At): void {
    t.requestDone = true;
    if (t.request) t.request.until = until;
    this.settle(t);
  }

  /** The request that the next response answers; undefined: not seen (yet). */
  answering(): Part | undefined {
    return this.detached ? undefined : this.open.get(this.responses)?.request;
  }
  /** Nothing to wait for: the next response stands alone. */
  get alone(): boolean {
    return this.detached || this.clientOver;
  }
  interim(status: number): void {
    const t = this.detached ? undefined : this.at(this.responses);
    if (t && t.interim.length < MAX_INTERIM) t.interim.push(status);
  }
  response(part: Part): Transaction {
    const t = this.detached
      ? { ordinal: 0, request: undefined, response: undefined, interim: [], requestDone: true, responseDone: false, written: false }
      : this.at(this.responses++);
    t.response = part;
    return t;
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
