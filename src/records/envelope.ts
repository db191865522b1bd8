/**
 * What every record says in the same words (when, who, whom, which flow, which packet, stable ids) is written by native/engine/line.cc once
 * the capture's id is known. Here a record becomes what that is written from: a row, and its own members as JSON.
 */
import type { Emission } from "../decoders/contract.js";
import { COLUMNS, column as c } from "../engine/native.js";
import type { Flow } from "../flows/flow.js";
import { protocolName } from "./protocols.js";
import { PIECE, type Rows } from "./rows.js";

/** ECS event.type of the datasets that are not a protocol's. */
const PROTOCOL: readonly string[] = ["protocol"];
const TYPES: Readonly<Record<string, readonly string[]>> = {
  flow: ["connection", "end"],
  arp: ["info"],
  icmp: ["info"],
  anomaly: ["info"],
  capture: ["info"],
};
/** ECS event.type of a flow that goes on. */
const OPEN: readonly string[] = ["connection"];

/** Flags of a row, as in native/engine/part.h. */
const FLAG = { ofFlow: 1, whole: 2, reversed: 4, final: 8 } as const;
const OUTCOME = { success: 1 << 8, failure: 2 << 8, unknown: 3 << 8 } as const;

export interface Observer {
  id: string;
  name?: string;
}

/** Sorted and unique; undefined where nothing is known. */
function sorted(values: readonly (string | undefined)[]): string[] | undefined {
  const out: string[] = [];
  for (const v of values) if (v !== undefined && v !== "" && !out.includes(v)) out.push(v);
  if (out.length === 0) return undefined;
  return out.length === 1 ? out : out.sort(bytewise);
}
const bytewise = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const json = JSON.stringify;
/** Names of ours need no escaping. */
const names = (list: readonly string[]): string => (list.length === 1 ? `["${list[0]}"]` : `["${list.join('","')}"]`);
const itself = (text: string): string => text;
const told = (flow: Flow): string => flow.told;
const observed = (observer: Observer): string => json({ ingress: { interface: observer } });

/** The group of a record without a flow, where anything in it is known. */
function loose(name: string, group: object | undefined): string {
  const text = group ? json(group) : "{}";
  return text === "{}" ? "" : `,"${name}":${text}`;
}

const flowFlags = (flow: Flow): number => (flow.reversed ? FLAG.ofFlow | FLAG.reversed : FLAG.ofFlow);

function common(to: Rows, types: readonly string[], flow: Flow | undefined, observer: Observer | undefined): void {
  to.share(PIECE.types, types, names);
  if (observer) to.share(PIECE.observer, observer, observed);
  if (!flow) return;
  to.share(PIECE.transport, flow.protocol, protocolName);
  if (flow.protocols.length) to.share(PIECE.protocol, flow.protocols[0], itself);
}

/** A decoder's record, or an oddity's. */
export function putRecord(to: Rows, e: Emission, flow: Flow | undefined, observer: Observer | undefined): void {
  const flags = (flow ? flowFlags(flow) : 0) | (e.outcome ? OUTCOME[e.outcome] : 0);
  to.begin(e.at.seconds, e.at.nanos, e.at.packet, e.stream, e.side, e.index ?? 0, flags, flow?.packed ?? 0, flow?.ports ?? 0);
  const until = e.until ?? e.at;
  to.times(e.at.seconds, e.at.nanos, until.seconds, until.nanos);
  common(to, e.type ?? TYPES[e.dataset] ?? PROTOCOL, flow, observer);
  if (flow) to.share(PIECE.flow, flow, told);
  if (e.anomalies?.length) to.put(PIECE.anomalies, names(sorted(e.anomalies) as string[]));
  if (e.ips) {
    const ips = sorted(flow ? [...flow.addresses, ...e.ips] : e.ips);
    if (ips) to.put(PIECE.ips, json(ips));
  }
  const hosts = e.hosts && sorted(e.hosts);
  const hash = e.hashes && sorted(e.hashes);
  if (hosts || hash) to.put(PIECE.names, json({ hosts, hash }).slice(1, -1));
  if (!flow && e.ends) {
    const ends = loose("source", e.ends.source) + loose("destination", e.ends.destination) + loose("network", e.ends.network);
    if (ends) to.put(PIECE.ends, ends);
  }
  to.put(PIECE.body, typeof e.body === "string" ? e.body : json(e.body));
}

/**
 * A flow's own record: `row` of the table of flows, and `text` that came with it, a tab and the history at its end. What the flow's text was
 * when it opened is not told again.
 */
export function putFlow(
  to: Rows,
  flow: Flow,
  observer: Observer | undefined,
  table: Float64Array,
  row: number,
  text: Uint8Array,
  final: boolean,
): void {
  const b = row * COLUMNS;
  const flags = flowFlags(flow) | FLAG.whole | (final ? FLAG.final : 0);
  to.begin(table[b + c.firstSeconds], table[b + c.firstNanos], table[b + c.firstPacket], 0, 0, 0, flags, flow.packed, flow.ports);
  to.times(table[b + c.startSeconds], table[b + c.startNanos], table[b + c.endSeconds], table[b + c.endNanos]);
  common(to, table[b + c.endReason] === GOES_ON ? OPEN : TYPES.flow, flow, observer);
  const at = to.copy(text);
  const tab = text.lastIndexOf(TAB);
  if (tab > 0) to.point(PIECE.flow, at, tab);
  else to.share(PIECE.flow, flow, told);
  to.point(PIECE.history, at + tab + 1, text.length - tab - 1);
  if (flow.protocols.length) to.put(PIECE.protocols, names(flow.protocols));
  if (flow.anomalies) to.put(PIECE.anomalies, names(sorted([...flow.anomalies.keys()]) as string[]));
  const columns = to.copy(new Uint8Array(table.buffer, table.byteOffset + b * 8, COLUMNS * 8));
  to.point(PIECE.columns, columns, COLUMNS * 8);
}
const TAB = 9;
/** EndReason::none (native/engine/batch.h). */
const GOES_ON = 4;
