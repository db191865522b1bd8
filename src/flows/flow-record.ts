/** The record of a closed flow, from the native side's columns. */
import type { At, EndCause } from "../decoders/contract.js";
import { COLUMNS, column as c } from "../engine/native.js";
import { some } from "../records/envelope.js";
import type { Flow } from "./flow.js";

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

const flagNames = (bits: number): string[] | undefined => (bits ? FLAGS.filter((_, i) => bits & (1 << i)) : undefined);
const swapCase = (s: string): string => s.replace(/[a-z]/gi, (x) => (x < "a" ? x.toLowerCase() : x.toUpperCase()));
const known = (n: number): number | undefined => (n < 0 ? undefined : n);

export interface Closed {
  at: At;
  start: At;
  end: At;
  cause: EndCause;
}

export function closedTimes(table: Float64Array, row: number, cause: EndCause): Closed {
  const b = row * COLUMNS;
  return {
    at: { packet: table[b + c.firstPacket], seconds: table[b + c.firstSeconds], nanos: table[b + c.firstNanos] },
    start: { packet: 0, seconds: table[b + c.startSeconds], nanos: table[b + c.startNanos] },
    end: { packet: 0, seconds: table[b + c.endSeconds], nanos: table[b + c.endNanos] },
    cause,
  };
}

/** Body of the flow record; side 0 is the originator as the flow has it now. */
export function flowBody(table: Float64Array, row: number, flow: Flow, history: string, cause: EndCause): object {
  const b = row * COLUMNS;
  const o = flow.reversed ? 1 : 0;
  const own = (name: string, side: number): number => table[b + c[`${name}0`] + (side ^ o) * PER_SIDE];
  const tcp = flow.protocol === TCP && history !== "";
  const icmp = flow.protocol === 1 || flow.protocol === 58;
  const scale = [own("scale", 0), own("scale", 1)];
  const mss = [own("mss", 0), own("mss", 1)];
  const missed = [own("missed", 0), own("missed", 1)];
  const packets = [own("packets", 0), own("packets", 1)];
  const bytes = [own("bytes", 0), own("bytes", 1)];
  return {
    flow: {
      final: true,
      end_reason: cause,
      missed_bytes: tcp ? { source: missed[0], destination: missed[1] } : undefined,
      payload_bytes: { source: own("payload", 0), destination: own("payload", 1) },
    },
    threatflow: { protocols: flow.protocols },
    source: { packets: packets[0], bytes: bytes[0] },
    destination: { packets: packets[1], bytes: bytes[1] },
    network: { packets: packets[0] + packets[1], bytes: bytes[0] + bytes[1] },
    tcp: tcp
      ? {
          state: connState(own("state", 0), own("state", 1)),
          history: o ? swapCase(history) : history,
          flags: some({ source: flagNames(own("flags", 0)), destination: flagNames(own("flags", 1)) }),
          rtt: known(table[b + c.rtt]),
          retransmits: own("retransmits", 0) + own("retransmits", 1),
          out_of_order: own("outOfOrder", 0) + own("outOfOrder", 1),
          overlap_conflicts: table[b + c.conflicts],
          window_scale: scale[0] >= 0 || scale[1] >= 0 ? { source: known(scale[0]), destination: known(scale[1]) } : undefined,
          mss: mss[0] || mss[1] ? { source: mss[0] || undefined, destination: mss[1] || undefined } : undefined,
        }
      : undefined,
    icmp: icmp ? { type: table[b + c.icmpType], code: table[b + c.icmpCode] } : undefined,
  };
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
