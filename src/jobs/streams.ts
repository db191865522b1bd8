/** Both streams of a flow as they were put together, and its packets: what a person reads. */
import { closeSync, openSync } from "node:fs";
import { DEFAULT_DECODE, DEFAULT_WINDOW_BYTES } from "../config.js";
import { Engine } from "../engine/engine.js";
import { EVENT, EVENT_WORDS, INDEX_BYTES } from "../engine/native.js";
import { readFully } from "../file-bytes.js";
import { MemoryIndex } from "../ingest/packet-index.js";
import { openSource } from "../ingest/source.js";
import { survey } from "../ingest/survey.js";
import { type Layer, layersOf } from "./layers.js";

/** Bytes of streams, and packets, that are shown. */
export const MOST_BYTES = 1 << 20;
export const MOST_PACKETS = 2000;

/** A piece of one side's stream: side of the first packet's sender is 0. A gap has no bytes. */
export interface Piece {
  side: number;
  offset: number;
  packet: number;
  time: number;
  /** Base64. */
  bytes: string;
  missing?: number;
}
export interface ShownPacket {
  /** Number in the flow, from 1. */
  number: number;
  time: number;
  length: number;
  linktype: number;
  /** Hex digits. */
  bytes: string;
  /** From the outside in. */
  layers: Layer[];
}
export interface Shown {
  pieces: Piece[];
  packets: ShownPacket[];
  /** There is more than is shown. */
  cut: boolean;
}

/** Of a capture that holds the packets of one flow only. */
export async function show(path: string, workDir: string): Promise<Shown> {
  const source = await openSource(path, { spoolDir: workDir, quota: Infinity });
  const index = new MemoryIndex();
  const out: Shown = { pieces: [], packets: [], cut: false };
  const { surveyed } = await survey(source, index, { decode: DEFAULT_DECODE, filter: undefined, windowBytes: DEFAULT_WINDOW_BYTES });
  const engine = new Engine({ shard: 0, shards: 1, tcpOverlap: "linux", ipOverlap: "linux" });
  engine.interfaces(surveyed.linktypes);
  const fd = openSync(source.path, "r");
  let total = 0;
  const take = (window: Uint8Array): void => {
    const { words: w, doubles: d, arena, rows } = engine.batch;
    for (let i = 0, at = 0; i < rows; i++, at += EVENT_WORDS) {
      const half = at >> 1;
      const where = { side: w[at + 11], offset: d[half + 4], packet: d[half + 2], time: d[half + 3] * 1000 + w[at + 10] / 1e6 };
      if (w[at] === EVENT.data || w[at] === EVENT.datagram) {
        const bytes = (w[at + 12] ? arena : window).subarray(w[at + 2], w[at + 2] + w[at + 3]);
        total += bytes.length;
        if (total > MOST_BYTES) out.cut = true;
        else out.pieces.push({ ...where, bytes: Buffer.from(bytes).toString("base64") });
      } else if (w[at] === EVENT.gap) out.pieces.push({ ...where, bytes: "", missing: w[at + 3] });
    }
  };
  try {
    const row = Buffer.alloc(INDEX_BYTES);
    for (let n = 0; n < index.rows; n++) {
      index.read(n, 1, row);
      const bytes = new Uint8Array(row.readUInt32LE(28));
      const offset = Number(row.readBigUInt64LE(0));
      readFully(fd, bytes, bytes.length, offset);
      engine.push(row, 0, 1, n + 1, bytes, offset);
      take(bytes);
      if (out.packets.length < MOST_PACKETS)
        out.packets.push({
          number: n + 1,
          time: Number(row.readBigInt64LE(16)) / 1e6,
          length: row.readUInt32LE(32),
          linktype: surveyed.linktypes[row.readUInt16LE(36)],
          bytes: Buffer.from(bytes).toString("hex"),
          layers: layersOf(bytes, surveyed.linktypes[row.readUInt16LE(36)], row.readUInt32LE(32)),
        });
      else out.cut = true;
    }
    for (let done = false; !done; ) {
      done = engine.finish(surveyed.summary.clock);
      take(new Uint8Array(0));
    }
  } finally {
    closeSync(fd);
    engine.release();
    source.dispose();
  }
  return out;
}
