/** The addon and the layout of what crosses it. The numbers come from the addon, so they are written once, in native/engine. */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export interface NativeSurvey {
  push(window: Uint8Array, last: boolean, rows: Uint8Array, status: Float64Array): number;
  filter(linktype: number, program: Uint32Array): void;
  filtering(on: boolean): void;
  scouting(on: boolean): void;
  verdicts(v: Uint8Array, first: number): void;
  patches(): Float64Array;
  finish(): void;
  summary(): NativeSummary;
  linktypes(): Uint32Array;
}
export interface NativeInterface {
  linktype: number;
  snaplen: number;
  ticks: bigint;
  name?: Buffer;
  description?: Buffer;
  filter?: Buffer;
  os?: Buffer;
  received?: number;
  dropped?: number;
  osDropped?: number;
}
export interface NativeSummary {
  format: "pcap" | "pcapng" | "unknown";
  bigEndian: boolean;
  nanoseconds: boolean;
  modified: boolean;
  sections: number;
  read: number;
  filtered: number;
  duplicate: number;
  undecodable: Record<string, number>;
  minTime: bigint;
  maxTime: bigint;
  clock: bigint;
  timeSteps: number;
  firstStepPacket: number;
  firstStepTime: bigint;
  fragmentLimit: number;
  brokenRecords: number;
  brokenBytes: number;
  firstBroken: number;
  truncated: boolean;
  truncatedAt: number;
  packetDrops: number;
  names: number;
  frames: [number, number][];
  linktypes: [number, number][];
  skippedBlocks: [number, number][];
  interfaces: NativeInterface[];
  comments: { packet: number; text: Buffer }[];
  /** What a user's hooks decided, where there are any (src/hooks). */
  hooks?: {
    dropped: number;
    failed: number;
    first_failed?: { packet: number; time: bigint };
    exceptions: number;
    first_exception?: string;
  };
}
export interface NativeEngine {
  interfaces(linktypes: Uint32Array): void;
  push(rows: Uint8Array, from: number, count: number, firstPacket: number, window: Uint8Array, base: number): number;
  finish(clock: bigint): boolean;
  suppress(words: Float64Array, count: number): void;
  limits(): Record<string, number>;
  save(take: (block: Buffer) => void): void;
  restore(more: () => Uint8Array | undefined): boolean;
}
export interface NativeLive {
  /** `what` is empty where it worked, else what failed with `error` (errno). */
  open(options: {
    interface: string;
    snaplen: number;
    bufferBytes: number;
    promiscuous: boolean;
    program: Uint32Array;
    /** 0: pcap records, 1: pcapng blocks. */
    form: number;
    id: number;
  }): { what: string; error: number; linktype: number; promiscuous: boolean };
  /** Waits in a thread; resolves to the bytes written, or to a negative errno. */
  read(into: Uint8Array, timeoutMs: number): Promise<number>;
  stop(): string;
  filter(program: Uint32Array): string;
  stats(): { packets: number; received: number; dropped: number; freezes: number; disagreed: number };
  close(): void;
}
export interface AnomalyText {
  name: string;
  layer: string;
  text: string;
}
interface Addon {
  Survey: new (options: { key: Uint8Array; ipOverlap: number; dedupNs: bigint; live?: boolean }) => NativeSurvey;
  Engine: new (
    options: { shard: number; shards: number; tcpOverlap: number; ipOverlap: number; interimNs: bigint; key: Uint8Array },
    rows: Uint8Array,
    closed: Float64Array,
    text: Uint8Array,
    arena: Uint8Array,
    status: Uint32Array,
  ) => NativeEngine;
  Live: new () => NativeLive;
  /** Bytes that the lines of these rows take at most, where their text has that length. */
  sealBound(rows: Uint8Array, count: number, textLength: number): number;
  /** Bytes of all lines, and of the longest one. */
  sealPart(
    rows: Uint8Array,
    count: number,
    text: Uint8Array,
    captureId: string,
    dataset: string,
    out: Uint8Array,
    keys: Uint8Array,
  ): [number, number];
  /** Writes the lines of sorted runs (buffers or paths) in order to an open file, and their keys to another (-1: nowhere); resolves to 0, or to a negative errno. */
  mergeRuns(texts: readonly (Uint8Array | string)[], keys: readonly (Uint8Array | string)[], fd: number, keysFd: number): Promise<number>;
  describePackets(rows: Uint8Array, count: number, window: Uint8Array, base: number, linktypes: Uint32Array, out: Uint8Array): void;
  /** The hash that the index has for packets of a TCP or UDP flow. */
  tupleHash(source: string, sourcePort: number, destination: string, destinationPort: number, protocol: number): number;
  /** What was freed goes back to the system: for processes that live long and need much memory now and then. */
  releaseMemory(): void;
  compileFilter(expression: string, linktype: number, snaplen: number): Uint32Array;
  verifyFilter(program: Uint32Array): { at: number; what: string }[];
  runFilter(program: Uint32Array, data: Uint8Array, length: number): number;
  countFilter(program: Uint32Array, data: Uint8Array, length: number, hits: Float64Array): number;
  knownLinktype(linktype: number): boolean;
  /** [kind, value, offset] of each header that dissection comes to; kinds as in native/wire/layers.h. */
  layers(linktype: number, packet: Uint8Array, length: number): Uint32Array;
  layout(): {
    eventBytes: number;
    indexBytes: number;
    partBytes: number;
    keyBytes: number;
    columns: string[];
    anomalies: AnomalyText[];
    libpcap: string;
  };
}

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
export const addon: Addon = createRequire(import.meta.url)(join(root, "build", "native", "threatflow.node"));
export const layout = addon.layout();
export const nativeAnomalies: AnomalyText[] = layout.anomalies;
/** Column of a closed flow by name. */
export const column: Record<string, number> = Object.fromEntries(layout.columns.map((name, i) => [name, i]));
export const COLUMNS = layout.columns.length;
/** Words (32 bits) in an event row, and bytes in an index row. */
export const EVENT_WORDS = layout.eventBytes / 4;
export const INDEX_BYTES = layout.indexBytes;
/** Event types, in the order of native/engine/batch.h. */
export const EVENT = { open: 1, data: 2, gap: 3, sideEnd: 4, datagram: 5, frame: 6, note: 7, close: 8, interim: 9 } as const;
export const NO_FLOW = 0xffffffff;
/** What a survey wants next, in the order of native/engine/survey.h. */
export const NEED = { rows: 0, bytes: 1, program: 2, end: 3, notACapture: 4 } as const;
/** Flags of an index row. */
export const INDEX_FLAG = { filtered: 1, noTuple: 2, undecodable: 4, duplicate: 8 } as const;
export const OVERLAP = ["first", "last", "linux", "bsd", "windows"] as const;
export type OverlapPolicy = (typeof OVERLAP)[number];
