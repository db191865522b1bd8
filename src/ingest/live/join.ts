/** The segments of a rolling capture put together again: the first one's head, then the records of all. */
import { createReadStream, existsSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { ThreatflowError } from "../../errors.js";
import { readManifest } from "./manifest.js";
import { packedBytes } from "./pack.js";

export const isRolling = (dir: string): boolean => existsSync(join(dir, "manifest.json"));

export async function joinSegments(dir: string, path: string, quota: number): Promise<{ size: number; id: string; notes: string[] }> {
  const m = readManifest(dir);
  if (!m) throw new ThreatflowError("NO_EVIDENCE", `${dir} has no manifest`, "");
  const gone = m.segments.filter((s) => s.expired);
  if (gone.length)
    throw new ThreatflowError(
      "NO_EVIDENCE",
      `of this capture ${gone.length} segments were deleted by --keep: its packets can no longer be counted from 1`,
      `what is left lies in ${dir}, each segment a capture by itself`,
    );
  const out = await open(path, "wx", 0o600);
  let size = 0;
  try {
    for (const [n, s] of m.segments.entries()) {
      const from = n === 0 ? 0 : s.head;
      const bytes = s.packed
        ? packedBytes(join(dir, s.name), from, s.records)
        : (createReadStream(join(dir, s.name), { start: from, end: s.records - 1, highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>);
      for await (const chunk of bytes) {
        size += chunk.length;
        if (size > quota) throw new ThreatflowError("QUOTA", `${dir}: more than ${quota} bytes`, "raise --spool-quota");
        await out.write(chunk);
      }
    }
  } finally {
    await out.close();
  }
  const cut = m.segments.filter((s) => s.cut).map((s) => `${s.name} was cut when the capture broke off`);
  return { size, id: m.capture, notes: cut };
}
