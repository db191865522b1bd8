/**
 * What a decoder is. It is opened once for a flow; then bytes and gaps come in any order per side; `end` comes exactly once, and
 * nothing after a stop. Bytes are borrowed until the call returns. Side 0 is the client (the side that speaks first in the protocol).
 * The records must be the same for every interleaving of the sides that keeps each side's order.
 */

/** Where a byte came from: packet number (from 1), time (whole seconds and nanoseconds since 1970), the capture's clock (seconds). */
export interface At {
  packet: number;
  seconds: number;
  nanos: number;
  clock?: number;
}
/** The packet whose copy of byte `offset` (in the bytes at hand) was accepted. */
export type Locate = (offset: number) => At;
export type Side = 0 | 1;
export type Transport = "tcp" | "udp" | "icmp" | "ipv6-icmp" | "sctp" | "frame";

export type StopReason = "encrypted" | "finished" | "not-this-protocol" | "limit";
export type Progress =
  | { kind: "ok"; consumed: number }
  /** Again when `need` bytes stand after `consumed`. */
  | { kind: "need"; consumed: number; need: number }
  /** Count these bytes, do not deliver them. `Infinity`: to the end of the side. */
  | { kind: "skip"; consumed: number; skip: number }
  /** Again when the other side has advanced or ended. */
  | { kind: "wait"; consumed: number }
  /** CONNECT, Upgrade: both sides are probed anew from here. */
  | { kind: "handover"; consumed: number }
  | { kind: "stop"; reason: StopReason };

/** How sure a decoder is that these first bytes of a side are its protocol, and which side would send them. */
export interface Verdict {
  sure: "certain" | "unsure" | "no";
  from?: "client" | "server";
  /** False: more bytes, or the other side's, may tell; if they do not, a port that fits is not enough. */
  alone?: false;
}
export const NO: Verdict = { sure: "no" };
export const UNSURE: Verdict = { sure: "unsure" };

/** What a decoder may know of its flow. */
export interface FlowView {
  readonly transport: Transport;
  readonly protocol: number;
  readonly clientPort: number;
  readonly serverPort: number;
  /** A connection whose beginning is not in the capture: what comes first may answer what was never seen. */
  readonly midstream?: boolean;
}

/** Is one of the ports among these? */
export const onPort = (ports: readonly number[], view: FlowView): boolean =>
  ports.includes(view.serverPort) || ports.includes(view.clientPort);

/** A record as a decoder emits it; the envelope is added in src/records. */
export interface Emission {
  dataset: string;
  /** Position of the record's first byte: packet and time, side, offset in the half-stream (0 for datagrams), index at that place. */
  at: At;
  side: Side;
  stream: number;
  index?: number;
  /** Time of the last byte, where the record spans more than one. */
  until?: At;
  /** Nested fields in schema order, without the envelope; or the same as JSON text. */
  body: object | string;
  outcome?: "success" | "failure" | "unknown";
  hosts?: readonly (string | undefined)[];
  ips?: readonly (string | undefined)[];
  hashes?: readonly (string | undefined)[];
  anomalies?: readonly string[];
  /** True: seen from the responder (an answer without its question): source and destination stay the flow's. */
  type?: readonly string[];
  /** Frames without a flow name their own ends. */
  ends?: { source?: object; destination?: object; network?: object };
}

export interface AnomalyDetail {
  offset?: number;
  needed?: number;
  had?: number;
}
export interface Emit {
  record(e: Emission): void;
  /** An oddity of the flow; counted once per name and flow. */
  anomaly(name: string, at: At, detail?: AnomalyDetail): void;
}

export interface Session {
  data(side: Side, bytes: Uint8Array, at: Locate, stream: number): Progress;
  gap(side: Side, length: number, at: At): "resync" | "stop";
  skipped(side: Side, length: number, missing: number, at: At): void;
  /** A side ended (FIN), or nothing more of it is looked at: no more bytes of it. The other may go on. */
  sideEnd?(side: Side, at: At): void;
  /** Nothing more comes of either side. */
  end(): void;
  /**
   * Of flows of datagrams that are quiet: what `open` needs to go on as this session would. Undefined: it holds more than that, and stays.
   */
  park?(): Parked | undefined;
}
/** Plain data. */
export interface Parked {
  /** What the decoder makes of its session's state; nothing where that is empty. One piece of text: there can be very many. */
  readonly text: string;
  /** Something waits for more, or for the end: the session is opened again for its flow's end. */
  readonly waits: boolean;
}
/** Of a session that holds nothing. */
export const NOTHING: Parked = { text: "", waits: false };

/** A class whose objects are state: their fields are data, other such objects, and what `open` was given; never a function of their own. */
export interface StateClass {
  readonly prototype: object;
}

export interface Decoder {
  readonly name: string;
  readonly transports: readonly Transport[];
  /** Ports are hints: they order probing and decide between two unsure verdicts. */
  readonly ports: readonly number[];
  /** Dataset names that it emits. */
  readonly datasets: readonly string[];
  readonly anomalies: Readonly<Record<string, string>>;
  probe(bytes: Uint8Array, view: FlowView): Verdict;
  /** `parked`: what a session of the same flow left. */
  open(flow: FlowView, emit: Emit, settings: DecoderSettings, parked?: Parked): Session;
  /** What its sessions are made of, so that they can be written out and read back (src/flows/snapshot). */
  readonly state: readonly StateClass[];
}

export interface DecoderSettings {
  /** Keep credentials instead of writing `[redacted]`. */
  credentials: boolean;
}

export const ok = (consumed: number): Progress => ({ kind: "ok", consumed });
export const need = (consumed: number, bytes: number): Progress => ({ kind: "need", consumed, need: bytes });
export const stop = (reason: StopReason): Progress => ({ kind: "stop", reason });
