/** The record of a flow, closed or as it stands, from the native side's columns. */
import type { At } from "../decoders/contract.js";
import { COLUMNS, column as c } from "../engine/native.js";
import type { Additions } from "../records/envelope.js";
import type { EndCause, Flow } from "./flow.js";

/** Endpoint states, in the order of native/flow/flow.h. */
const S = { inactive: 0, synSent: 1, synAckSent: 2, partial: 3, established: 4, closed: 5, reset: 6 } as const;
const PER_SIDE = c.packets1 - c.packets0;
const FLAGS = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"];
const TCP = 6;

/** Zeek's conn_state from both endpoints' states. */
export function connState(orig: number, resp: number): string {
  if (resp === S.reset) {
    if (orig === S.synSent || orig === S.synAckSent) return "REJ";
    return orig === S.inactive ? "RSTRH" : "RSTR";
  }
  if (orig === S.reset) return resp === S.inactive ? "RSTOS0" : "RSTO";
  if (orig === S.closed && resp === S.closed) return "SF";
  if (orig === S.closed) return resp === S.inactive ? "SH" : "S2";
  if (resp === S.closed) return orig === S.inactive ? "SHR" : "S3";
  if (orig === S.synSent && resp === S.inactive) return "S0";
  if (orig === S.established && resp === S.established) return "S1";
  return "OTH";
}

/** The sides that are known, as a group. */
function sides(source: string, destination: string): string {
  return `{${source && `"source":${source}`}${source && destination && ","}${destination && `"destination":${destination}`}}`;
}
const flagNames = (bits: number): string => (bits ? JSON.stringify(FLAGS.filter((_, i) => bits & (1 << i))) : "");
const flagLists: readonly string[] = Array.from({ length: 256 }, (_, bits) => flagNames(bits));
const swapCase = (s: string): string => s.replace(/[a-z]/gi, (x) => (x < "a" ? x.toLowerCase() : x.toUpperCase()));
export interface FlowTimes {
  at: At;
  start: At;
  end: At;
}

export function flowTimes(table: Float64Array, row: number): FlowTimes {
  const b = row * COLUMNS;
  return {
    at: { packet: table[b + c.firstPacket], seconds: table[b + c.firstSeconds], nanos: table[b + c.firstNanos] },
    start: { packet: 0, seconds: table[b + c.startSeconds], nanos: table[b + c.startNanos] },
    end: { packet: 0, seconds: table[b + c.endSeconds], nanos: table[b + c.endNanos] },
  };
}

/** Reads a column of a side, where side 0 is the originator as the flow has it now. */
const own = (table: Float64Array, first: number, flow: Flow, side: number): number =>
  table[first + (flow.reversed ? 1 - side : side) * PER_SIDE];

/** What the flow record adds to the groups of the envelope. */
export function flowAdditions(
  table: Float64Array,
  row: number,
  flow: Flow,
  history: string,
  final: boolean,
  cause: EndCause | undefined,
): Additions {
  const b = row * COLUMNS;
  const packets0 = own(table, b + c.packets0, flow, 0);
  const packets1 = own(table, b + c.packets0, flow, 1);
  const bytes0 = own(table, b + c.bytes0, flow, 0);
  const bytes1 = own(table, b + c.bytes0, flow, 1);
  const missed =
    flow.protocol === TCP && history !== ""
      ? `,"missed_bytes":{"source":${own(table, b + c.missed0, flow, 0)},"destination":${own(table, b + c.missed0, flow, 1)}}`
      : "";
  return {
    flow:
      `,"final":${final}${cause ? `,"end_reason":"${cause}"` : ""}${missed}` +
      `,"payload_bytes":{"source":${own(table, b + c.payload0, flow, 0)},"destination":${own(table, b + c.payload0, flow, 1)}}`,
    source: `,"packets":${packets0},"bytes":${bytes0}`,
    destination: `,"packets":${packets1},"bytes":${bytes1}`,
    network: `,"packets":${packets0 + packets1},"bytes":${bytes0 + bytes1}`,
    protocols: flow.protocols,
  };
}

/** Body of the flow record as JSON text: the groups `tcp` or `icmp`. */
export function flowBody(table: Float64Array, row: number, flow: Flow, history: string): string {
  const b = row * COLUMNS;
  if (flow.protocol === 1 || flow.protocol === 58) return `{"icmp":{"type":${table[b + c.icmpType]},"code":${table[b + c.icmpCode]}}}`;
  if (flow.protocol !== TCP || history === "") return "{}";
  const state = connState(own(table, b + c.state0, flow, 0), own(table, b + c.state0, flow, 1));
  const flags = sides(flagLists[own(table, b + c.flags0, flow, 0)], flagLists[own(table, b + c.flags0, flow, 1)]);
  const scale = [0, 1].map((side) => own(table, b + c.scale0, flow, side));
  const mss = [0, 1].map((side) => own(table, b + c.mss0, flow, side));
  const rtt = table[b + c.rtt];
  return (
    `{"tcp":{"state":"${state}","history":"${flow.reversed ? swapCase(history) : history}"` +
    `${flags === "{}" ? "" : `,"flags":${flags}`}${rtt < 0 ? "" : `,"rtt":${rtt}`}` +
    `,"retransmits":${own(table, b + c.retransmits0, flow, 0) + own(table, b + c.retransmits0, flow, 1)}` +
    `,"out_of_order":${own(table, b + c.outOfOrder0, flow, 0) + own(table, b + c.outOfOrder0, flow, 1)}` +
    `,"overlap_conflicts":${table[b + c.conflicts]}` +
    `${scale[0] >= 0 || scale[1] >= 0 ? `,"window_scale":${sides(scale[0] < 0 ? "" : String(scale[0]), scale[1] < 0 ? "" : String(scale[1]))}` : ""}` +
    `${mss[0] || mss[1] ? `,"mss":${sides(mss[0] ? String(mss[0]) : "", mss[1] ? String(mss[1]) : "")}` : ""}}}`
  );
}

export function streamLength(table: Float64Array, row: number, side: number): number {
  return table[row * COLUMNS + c.stream0 + side * PER_SIDE];
}

/** A flow that brought no payload is told only when it closes: what `open` would have said stands in the columns. */
export function packedOf(table: Float64Array, row: number): { packed: number; ports: number; iface: number } {
  const b = row * COLUMNS;
  return {
    packed:
      table[b + c.protocol] | (table[b + c.version] << 8) | (table[b + c.hasPorts] ? 0x10000 : 0) | (table[b + c.synBy] ? 0x20000 : 0),
    ports: ((table[b + c.sourcePort] << 16) | table[b + c.destinationPort]) >>> 0,
    iface: table[b + c.interface],
  };
}
