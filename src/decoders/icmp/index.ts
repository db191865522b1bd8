/** ICMP and ICMPv6 (RFC 792, 4443): a record for each echo or timestamp pair, and for each other message. */
import { protocolName } from "../../records/protocols.js";
import {
  type At,
  type Decoder,
  type Emit,
  type FlowView,
  type Locate,
  NOTHING,
  ok,
  type Parked,
  type Progress,
  type Session,
  type Side,
  stop,
} from "../contract.js";
import { type Quoted, takeQuoted } from "../quoted.js";

/** So many waiting requests are parked. */
const MAX_PARKED = 4;
/** Requests that wait in one flow for their replies. */
const MAX_WAITING = 1024;
const GIVE_UP_SECONDS = 60;

/** Reply types and the request each answers. */
const REPLY4: Readonly<Record<number, number>> = { 0: 8, 14: 13, 16: 15, 18: 17 };
const REPLY6: Readonly<Record<number, number>> = { 129: 128 };
const REQUESTS4 = new Set([8, 13, 15, 17]);

interface Waiting {
  at: At;
  side: Side;
  type: number;
  code: number;
  id: number;
  sequence: number;
}

class Icmp implements Session {
  private readonly emit: Emit;
  private readonly six: boolean;
  private readonly waiting = new Map<string, Waiting>();
  constructor(flow: FlowView, emit: Emit, parked: Parked = NOTHING) {
    this.emit = emit;
    this.six = flow.transport === "ipv6-icmp";
    for (const [key, packet, seconds, nanos, clock, side, type, code, id, sequence] of parked.text ? JSON.parse(parked.text) : [])
      this.waiting.set(key, { at: { packet, seconds, nanos, clock: clock ?? undefined }, side, type, code, id, sequence });
  }

  data(side: Side, bytes: Uint8Array, locate: Locate): Progress {
    const at = locate(0);
    if (bytes.length < 4) return stop("not-this-protocol");
    this.expire(at);
    const type = bytes[0];
    const code = bytes[1];
    const request = this.six ? REPLY6[type] : REPLY4[type];
    const asks = this.six ? type === 128 : REQUESTS4.has(type);
    if ((request === undefined && !asks) || bytes.length < 8) {
      this.single(side, type, code, at);
      return ok(bytes.length);
    }
    const id = (bytes[4] << 8) | bytes[5];
    const sequence = (bytes[6] << 8) | bytes[7];
    const key = `${request ?? type}/${id}/${sequence}`;
    if (asks) {
      const before = this.waiting.get(key);
      if (before) this.write(before, undefined);
      this.waiting.delete(key);
      this.waiting.set(key, { at, side, type, code, id, sequence });
      if (this.waiting.size > MAX_WAITING) {
        const [k, first] = this.waiting.entries().next().value as [string, Waiting];
        this.waiting.delete(k);
        this.write(first, undefined);
      }
    } else {
      const q = this.waiting.get(key);
      this.waiting.delete(key);
      if (q) this.write(q, at);
      else this.write({ at, side, type, code, id, sequence }, undefined, "unknown");
    }
    return ok(bytes.length);
  }

  private single(side: Side, type: number, code: number, at: At): void {
    const q = takeQuoted();
    this.emit.record({
      dataset: "icmp",
      at,
      side,
      stream: 0,
      body: { icmp: { type, code, original: q ? original(q) : undefined } },
      ips: q ? [q.source, q.destination] : undefined,
    });
  }

  private write(q: Waiting, answer: At | undefined, outcome?: "unknown"): void {
    this.emit.record({
      dataset: "icmp",
      at: q.at,
      side: q.side,
      stream: 0,
      until: answer,
      body: { icmp: { type: q.type, code: q.code, id: q.id, sequence: q.sequence } },
      outcome: answer ? "success" : (outcome ?? "unknown"),
    });
  }

  private expire(now: At): void {
    for (const [key, q] of this.waiting) {
      if ((q.at.clock ?? 0) + GIVE_UP_SECONDS >= (now.clock ?? 0)) return;
      this.waiting.delete(key);
      this.write(q, undefined);
    }
  }

  gap(): "stop" {
    return "stop";
  }
  skipped(): void {}
  park(): Parked | undefined {
    if (this.waiting.size === 0) return NOTHING;
    if (this.waiting.size > MAX_PARKED) return undefined;
    const rows: unknown[] = [];
    for (const [key, { at, side, type, code, id, sequence }] of this.waiting)
      rows.push([key, at.packet, at.seconds, at.nanos, at.clock ?? null, side, type, code, id, sequence]);
    return { text: JSON.stringify(rows), waits: true };
  }
  end(): void {
    for (const q of this.waiting.values()) this.write(q, undefined);
    this.waiting.clear();
  }
}

function original(q: Quoted): object {
  return {
    source: { ip: q.source, port: q.hasPorts ? q.sport : undefined },
    destination: { ip: q.destination, port: q.hasPorts ? q.dport : undefined },
    transport: protocolName(q.protocol),
    community_id: q.communityId,
  };
}

export const icmp: Decoder = {
  name: "icmp",
  transports: ["icmp", "ipv6-icmp"],
  ports: [],
  datasets: ["icmp"],
  anomalies: {},
  probe: () => ({ sure: "certain" }),
  open: (flow, emit, _settings, parked) => new Icmp(flow, emit, parked),
  state: [Icmp],
};
