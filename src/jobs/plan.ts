/** What the survey of a capture leads to: which shards there are, and the records that are the capture's own. */
import type { DecodeOptions } from "../config.js";
import { anomalyLayer } from "../decoders/anomalies.js";
import { INDEX_BYTES, type NativeSummary } from "../engine/native.js";
import type { PacketIndex } from "../ingest/packet-index.js";
import type { Surveyed } from "../ingest/survey.js";
import type { ShardJob } from "../pipeline.js";
import { type Accounting, captureEmission, fileAnomalies, type LiveDrops } from "../records/capture-record.js";
import { type Observer, putRecord } from "../records/envelope.js";
import { TextNotes, wireText } from "../records/text.js";
import type { StoredRun } from "../sinks/merge.js";
import { keptRun, Parts } from "../sinks/parts.js";
import type { SetAside, ShardOutcome } from "./pool.js";
import type { SetAsideShard } from "./summary.js";

/** Captures below this many packets get fewer shards: starting one costs more than it saves. */
const SMALL = 20000;
const PACKETS_PER_SHARD = 5000;

/** How many shards a capture of so many packets is worth. */
export function shardCount(packets: number, most: number): number {
  return Math.max(1, packets < SMALL ? Math.min(most, 1 + Math.floor(packets / PACKETS_PER_SHARD)) : most);
}

export function shardJobs(path: string, shards: number, windowBytes: number, decode: DecodeOptions, surveyed: Surveyed): ShardJob[] {
  const s = surveyed.summary;
  return Array.from({ length: shards }, (_, shard) => ({
    path,
    shard,
    shards,
    windowBytes,
    decode,
    linktypes: surveyed.linktypes,
    observers: observersOf(s),
    clock: s.clock,
  }));
}

/** Interfaces are named in records where the capture has several, or where one has a name. */
export function observersOf(s: NativeSummary): (Observer | undefined)[] {
  if (s.format !== "pcapng") return [];
  return s.interfaces.map((i, n) => {
    const name = i.name?.length ? wireText(i.name, 256, new TextNotes()) : undefined;
    return s.interfaces.length > 1 || name ? { id: String(n), name } : undefined;
  });
}

/** What a shard that was given up (behind a row of the index) would have decoded. */
function describeSetAside(index: PacketIndex, shard: number, shards: number, reason: string, fromRow = 0): SetAsideShard {
  const rows = Buffer.alloc(4096 * INDEX_BYTES);
  const out: SetAsideShard = { shard, packets: 0, first_offset: -1, last_offset: -1, reason };
  for (let from = fromRow; from < index.rows; from += 4096) {
    const n = index.read(from, 4096, rows);
    for (let i = 0; i < n; i++) {
      const at = i * INDEX_BYTES;
      const flags = rows.readUInt16LE(at + 38);
      if (flags & (1 | 4 | 8)) continue;
      if ((flags & 2 ? 0 : rows.readUInt32LE(at + 24) % shards) !== shard) continue;
      const offset = Number(rows.readBigUInt64LE(at));
      out.packets++;
      if (out.first_offset < 0) out.first_offset = offset;
      out.last_offset = offset;
    }
  }
  return out;
}

/** What an outcome gave up: nothing, the rest behind a checkpoint, or all. */
export function setAsideOf(
  o: SetAside | Pick<ShardOutcome, "setAside">,
  index: PacketIndex,
  shard: number,
  shards: number,
): SetAsideShard[] {
  if ("reason" in o) return [describeSetAside(index, shard, shards, o.reason)];
  return o.setAside ? [describeSetAside(index, shard, shards, o.setAside.reason, o.setAside.fromRow)] : [];
}

export function captureRuns(
  s: NativeSummary,
  accounting: Accounting & Partial<LiveDrops>,
  source: { givenBytes: number; compression: string | undefined },
  captureId: string,
): StoredRun[] {
  const parts = new Parts();
  const capture = captureEmission(s, accounting, source.givenBytes, source.compression);
  putRecord(parts.next(capture.dataset), capture, undefined, undefined);
  fileAnomalies(s).forEach((a, i) => {
    const body = { anomaly: { name: a.name, layer: anomalyLayer(a.name), count: a.count, offset: a.offset, needed_bytes: a.needed } };
    const index = 0x80000000 + i;
    putRecord(
      parts.next("anomaly"),
      { dataset: "anomaly", at: a.at, side: 0, stream: 0, index, body, anomalies: [a.name] },
      undefined,
      undefined,
    );
  });
  return Array.from(parts.seal(captureId), keptRun);
}
