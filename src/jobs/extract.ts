/** Cuts packets out of an original capture, unchanged: those of a flow, of a filter, or a range. */
import { closeSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { DecodeOptions } from "../config.js";
import { DEFAULT_WINDOW_BYTES } from "../config.js";
import { INDEX_BYTES, INDEX_FLAG } from "../engine/native.js";
import { ThreatflowError } from "../errors.js";
import { readFully } from "../file-bytes.js";
import type { Filter } from "../ingest/filter.js";
import type { Missing } from "../ingest/live/join.js";
import { FileIndex } from "../ingest/packet-index.js";
import { type OutPacket, writeCapture } from "../ingest/pcap-writer.js";
import { openSource } from "../ingest/source.js";
import { survey } from "../ingest/survey.js";

export interface Choice {
  /** Packet numbers from 1, inclusive. */
  packets?: [number, number];
  /** ns since 1970, inclusive. */
  from?: bigint;
  to?: bigint;
  filter?: Filter;
  /** A flow. */
  flow?: {
    /** Number of its first packet. */
    packet: number;
    /** What its packets have in the index, where addresses and ports tell: for one whose first packet is no longer there. */
    hash: number | undefined;
  };
}
export interface Extracted {
  packets: number;
  /** Packets that were asked for, or may have been, were in segments that --keep deleted. */
  incomplete: boolean;
}
const BLOCK = 8192;

/** The capture must still have the SHA-256 it had. */
export async function extract(
  path: string,
  captureId: string,
  decode: DecodeOptions,
  choice: Choice,
  out: string,
  workDir: string,
): Promise<Extracted> {
  const work = mkdtempSync(join(workDir, ".work-"));
  const source = await openSource(path, { spoolDir: work, quota: Infinity, part: { from: choice.from, to: choice.to } });
  const { before } = source.missing;
  const index = new FileIndex(join(work, "index"), "create");
  try {
    const { surveyed, hash } = await survey(source, index, {
      decode: { ...decode, dedupNs: 0n },
      filter: choice.filter,
      windowBytes: DEFAULT_WINDOW_BYTES,
    });
    const id = await hash;
    if (id !== captureId)
      throw new ThreatflowError(
        "EVIDENCE_CHANGED",
        `${path} has changed since it was analysed (SHA-256 ${id.slice(0, 12)}…, was ${captureId.slice(0, 12)}…)`,
        "analyse it again",
      );
    const flow = choice.flow && hashOf(index, choice.flow, before);
    const incomplete = wantsDeleted(choice, source.missing);
    const chosen = function* (): Generator<{ row: Buffer; at: number }> {
      const rows = Buffer.alloc(BLOCK * INDEX_BYTES);
      for (let from = 0; from < index.rows; from += BLOCK) {
        const n = index.read(from, BLOCK, rows);
        for (let i = 0; i < n; i++)
          if (matches(rows, i * INDEX_BYTES, before + from + i + 1, choice, flow)) yield { row: rows, at: i * INDEX_BYTES };
      }
    };
    const types = new Set<number>();
    let finer = false;
    for (const { row, at } of chosen()) {
      types.add(surveyed.linktypes[row.readUInt16LE(at + 36)]);
      finer ||= row.readBigInt64LE(at + 16) % 1000n !== 0n;
    }
    const fd = openSync(source.path, "r");
    try {
      const packets = function* (): Generator<OutPacket> {
        for (const { row, at } of chosen()) {
          const bytes = Buffer.alloc(row.readUInt32LE(at + 28));
          readFully(fd, bytes, bytes.length, Number(row.readBigUInt64LE(at)));
          yield {
            time: row.readBigInt64LE(at + 16),
            length: row.readUInt32LE(at + 32),
            linktype: surveyed.linktypes[row.readUInt16LE(at + 36)],
            bytes,
          };
        }
      };
      const fallback = surveyed.linktypes[0] ?? 1;
      return { packets: writeCapture(out, types.size ? [...types] : [fallback], finer, packets()), incomplete };
    } finally {
      closeSync(fd);
    }
  } finally {
    index.close();
    source.dispose();
    rmSync(work, { recursive: true, force: true });
  }
}

function wantsDeleted(c: Choice, { deleted, until }: Missing): boolean {
  const first = c.flow?.packet ?? c.packets?.[0];
  return first === undefined ? until !== undefined && (c.from === undefined || c.from <= until) : first <= deleted;
}
function hashOf(index: FileIndex, { packet, hash }: NonNullable<Choice["flow"]>, before: number): number {
  if (packet <= before) {
    if (hash !== undefined) return hash;
    throw new ThreatflowError(
      "NO_EVIDENCE",
      "the flow's first packet was in a segment that --keep deleted",
      "cut out its time: --from, --to",
    );
  }
  const row = Buffer.alloc(INDEX_BYTES);
  if (index.read(packet - before - 1, 1, row) !== 1) throw new ThreatflowError("EVIDENCE_CHANGED", `the capture has no packet ${packet}`);
  return row.readUInt32LE(24);
}

function matches(rows: Buffer, at: number, packet: number, c: Choice, flow: number | undefined): boolean {
  const flags = rows.readUInt16LE(at + 38);
  if (flags & INDEX_FLAG.filtered) return false;
  if (flow !== undefined && (flags & (INDEX_FLAG.noTuple | INDEX_FLAG.undecodable) || rows.readUInt32LE(at + 24) !== flow)) return false;
  if (c.packets && (packet < c.packets[0] || packet > c.packets[1])) return false;
  const time = rows.readBigInt64LE(at + 16);
  return (c.from === undefined || time >= c.from) && (c.to === undefined || time <= c.to);
}
