/** Closed segments as zstd, one after the other beside the recording. */
import { createReadStream, createWriteStream, rmSync, statSync } from "node:fs";
import { open, rename } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createZstdCompress, createZstdDecompress } from "node:zlib";
import { hiddenName } from "./manifest.js";

export const packedName = (name: string): string => `${name}.zst`;

/** Writes `path`.zst hidden, syncs and renames it. Returns its bytes; the plain file is still there. Throws as files do. */
export async function packSegment(path: string): Promise<number> {
  const packed = packedName(path);
  const hidden = join(dirname(packed), hiddenName(basename(packed)));
  try {
    await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), createZstdCompress(), createWriteStream(hidden, { mode: 0o640 }));
    const file = await open(hidden, "r");
    await file.sync();
    await file.close();
    await rename(hidden, packed);
  } catch (error) {
    rmSync(hidden, { force: true });
    throw error;
  }
  return statSync(packed).size;
}

/** Bytes [from, to) of what was packed. */
export async function* packedBytes(path: string, from: number, to: number): AsyncGenerator<Buffer> {
  let at = 0;
  const plain = createReadStream(path, { highWaterMark: 1 << 20 }).pipe(createZstdDecompress()) as Readable;
  for await (const chunk of plain as AsyncIterable<Buffer>) {
    const cut = chunk.subarray(Math.max(0, from - at), Math.max(0, to - at));
    at += chunk.length;
    if (cut.length) yield cut;
    if (at >= to) return;
  }
}
