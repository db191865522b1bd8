/** A capture's frames on their way to an interface, as they are. */
import { closeSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DEFAULT_DECODE, DEFAULT_SPOOL_QUOTA, DEFAULT_WINDOW_BYTES } from "../config.js";
import { INDEX_BYTES, INDEX_FLAG } from "../engine/native.js";
import { ThreatflowError } from "../errors.js";
import { readFully } from "../file-bytes.js";
import type { Filter } from "../ingest/filter.js";
import { sendFrames } from "../ingest/live/portable.js";
import { FileIndex } from "../ingest/packet-index.js";
import { openSource } from "../ingest/source.js";
import { survey } from "../ingest/survey.js";
import { linktypeName } from "../records/protocols.js";

const ETHERNET = 1;
const BLOCK = 4096;

/** Returns how many were sent. Throws where the capture is not of Ethernet, and as `sendFrames` does. */
export async function sendCapture(
  file: string,
  to: string,
  o: { filter: Filter | undefined; perSecond: number; loops: number; workDir: string; signal: AbortSignal },
): Promise<number> {
  const source = await openSource(file, { spoolDir: o.workDir, quota: DEFAULT_SPOOL_QUOTA });
  const work = mkdtempSync(join(o.workDir, ".work-"));
  const index = new FileIndex(join(work, "index"), "create");
  try {
    const { surveyed } = await survey(source, index, { decode: DEFAULT_DECODE, filter: o.filter, windowBytes: DEFAULT_WINDOW_BYTES });
    const other = [...surveyed.linktypes].find((l) => l !== ETHERNET);
    if (other !== undefined)
      throw new ThreatflowError("CAPTURE", `${file} is of ${linktypeName(other)}: only Ethernet frames are sent`, "");
    const fd = openSync(source.path, "r");
    const frames = function* (): Generator<Buffer> {
      const rows = Buffer.alloc(BLOCK * INDEX_BYTES);
      for (let loop = 0; loop < o.loops; loop++)
        for (let from = 0; from < index.rows; from += BLOCK) {
          const n = index.read(from, BLOCK, rows);
          for (let at = 0; at < n * INDEX_BYTES; at += INDEX_BYTES) {
            if (rows.readUInt16LE(at + 38) & INDEX_FLAG.filtered) continue;
            const frame = Buffer.alloc(rows.readUInt32LE(at + 28));
            readFully(fd, frame, frame.length, Number(rows.readBigUInt64LE(at)));
            yield frame;
          }
        }
    };
    try {
      return await sendFrames(to, frames(), o.perSecond, o.signal);
    } finally {
      closeSync(fd);
    }
  } finally {
    index.close();
    source.dispose();
    rmSync(work, { recursive: true, force: true });
  }
}
