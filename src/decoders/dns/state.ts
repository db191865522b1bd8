/** Messages → transactions: a query and its answer pair within a flow by id and question (SEMANTICS 33). */
import { type At, type Emit, NOTHING, type Parked, type Side } from "../contract.js";
import type { Message } from "./parse.js";
import { body } from "./record.js";

/** A query without an answer is given up this many seconds of clock later. */
export const GIVE_UP_SECONDS = 60;
/** Queries that wait in one flow; beyond, the oldest is written as unanswered. */
const MAX_WAITING = 4096;
/** Answered questions remembered in one flow, to tell a second answer. */
const MAX_ANSWERED = 256;

/** So many waiting queries are parked, none longer than so many bytes. */
const MAX_PARKED = 4;
const MAX_PARKED_BYTES = 512;

interface Waiting {
  message: Message;
  at: At;
  stream: number;
  side: Side;
  /** The message as it came, in datagrams. */
  bytes: string | undefined;
}

export class Transactions {
  /** Most flows are one query and its answer: what stands empty is not kept. */
  private waiting: Map<string, Waiting[]> | undefined;
  private count = 0;
  private answered: string[] | undefined;
  private readonly emit: Emit;
  constructor(emit: Emit) {
    this.emit = emit;
  }

  /** The answered questions, and the queries that wait. */
  park(): Parked | undefined {
    if (!this.waiting && !this.answered) return NOTHING;
    if (this.count > MAX_PARKED) return undefined;
    const rows: unknown[] = [];
    for (const list of this.waiting?.values() ?? [])
      for (const { at, side, bytes } of list) {
        if (bytes === undefined || bytes.length > MAX_PARKED_BYTES) return undefined;
        rows.push([at.packet, at.seconds, at.nanos, at.clock ?? null, side, bytes]);
      }
    return { text: JSON.stringify([this.answered ?? [], ...rows]), waits: rows.length > 0 };
  }
  /** `read`: a message as the session reads it. */
  resume({ text }: Parked, read: (bytes: Uint8Array) => Message | undefined): void {
    if (text === "") return;
    const [answered, ...rows] = JSON.parse(text);
    if (answered.length) this.answered = answered;
    for (const [packet, seconds, nanos, clock, side, bytes] of rows) {
      const message = read(Buffer.from(bytes, "latin1"));
      if (!message) throw new RangeError("a parked query that is none");
      this.wait({ message, at: { packet, seconds, nanos, clock: clock ?? undefined }, stream: 0, side, bytes });
    }
  }

  query(message: Message, side: Side, at: At, stream: number, bytes: string | undefined): void {
    this.expire(at);
    this.wait({ message, at, stream, side, bytes });
    if (this.count > MAX_WAITING) this.giveUpOldest();
  }
  private wait(entry: Waiting): void {
    const key = keyOf(entry.message);
    this.waiting ??= new Map();
    const list = this.waiting.get(key);
    if (list) list.push(entry);
    else this.waiting.set(key, [entry]);
    this.count++;
  }

  answer(message: Message, side: Side, at: At, stream: number): void {
    this.expire(at);
    const key = this.match(message);
    const list = key === undefined ? undefined : this.waiting?.get(key);
    if (key === undefined || !list) {
      const own = keyOf(message);
      const repeated = this.answered?.includes(own);
      this.write(undefined, message, at, side, stream, undefined, repeated ? ["dns-answer-repeated"] : []);
      return;
    }
    const q = list.shift() as Waiting;
    this.count--;
    if (list.length === 0) this.remove(key);
    if (this.answered && this.answered.length >= MAX_ANSWERED) this.answered = this.answered.slice(MAX_ANSWERED / 2);
    if (this.answered) this.answered.push(key);
    else this.answered = [key];
    this.write(q.message, message, q.at, q.side, q.stream, at, []);
  }

  /** A message that is a record by itself (mDNS). */
  single(message: Message, side: Side, at: At, stream: number): void {
    this.write(message.response ? undefined : message, message.response ? message : undefined, at, side, stream, undefined, []);
  }

  end(): void {
    for (const list of this.waiting?.values() ?? [])
      for (const q of list) this.write(q.message, undefined, q.at, q.side, q.stream, undefined, []);
    this.waiting = undefined;
    this.count = 0;
  }

  private remove(key: string): void {
    this.waiting?.delete(key);
    if (this.waiting?.size === 0) this.waiting = undefined;
  }
  private match(message: Message): string | undefined {
    const key = keyOf(message);
    if (!this.waiting) return undefined;
    if (this.waiting.has(key)) return key;
    if (message.questions.length) return undefined;
    const prefix = `${message.id}/`; // an answer without a question: the first query with this id
    for (const k of this.waiting.keys()) if (k.startsWith(prefix)) return k;
    return undefined;
  }

  private expire(now: At): void {
    if (now.clock === undefined || !this.waiting) return;
    for (const [key, list] of this.waiting) {
      while (list.length && (list[0].at.clock ?? 0) + GIVE_UP_SECONDS < now.clock) {
        const q = list.shift() as Waiting;
        this.count--;
        this.write(q.message, undefined, q.at, q.side, q.stream, undefined, []);
      }
      if (list.length) break; // insertion order is time order
      this.remove(key);
    }
  }

  private giveUpOldest(): void {
    for (const [key, list] of this.waiting ?? []) {
      const q = list.shift() as Waiting;
      this.count--;
      if (list.length === 0) this.remove(key);
      this.write(q.message, undefined, q.at, q.side, q.stream, undefined, ["dns-waiting-limit"]);
      return;
    }
  }

  private write(
    query: Message | undefined,
    answer: Message | undefined,
    at: At,
    side: Side,
    stream: number,
    until: At | undefined,
    more: string[],
  ): void {
    const { body: b, ips, hosts } = body(query, answer);
    const anomalies = [...(query?.anomalies ?? []), ...(answer?.anomalies ?? []), ...more];
    this.emit.record({
      dataset: "dns",
      at,
      side,
      stream,
      until,
      body: b,
      ips,
      hosts,
      outcome: answer ? (answer.rcode === 0 ? "success" : "failure") : "unknown",
      anomalies,
    });
  }
}

function keyOf(m: Message): string {
  const q = m.questions[0];
  return q ? `${m.id}/${q.name}/${q.type}/${q.class}` : `${m.id}/`;
}
