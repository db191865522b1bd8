/** The segments of a rolling capture put together again: the first one's head, then the records of all. */
import { createReadStream, existsSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { ThreatflowError } from "../../errors.js";
import { hiddenName, type Manifest, readManifest, type SegmentInfo } from "./manifest.js";
import { packedBytes } from "./pack.js";

export const isRolling = (dir: string): boolean => existsSync(join(dir, "manifest.json"));

/** ns since 1970; what is left out is not bounded. */
export interface Span {
  from?: bigint;
  to?: bigint;
}
export interface Joined {
  size: number;
  id: string;
  notes: string[];
  missing: Missing;
}
/** What of a capture is not here. */
export interface Missing {
  /** Packets before the first one that is here; of these in segments that were deleted. */
  before: number;
  deleted: number;
  /** Time of the last deleted one, ns since 1970, to the millisecond. */
  until?: bigint;
}
/** Segments know their times to the millisecond, and packets of several interfaces come a little out of order. */
const MARGIN_NS = 2_000_000_000n;

/** `part`: only segments that hold packets of that time, and of those what retention left; else all, or an error. */
export async function joinSegments(dir: string, path: string, quota: number, part?: Span): Promise<Joined> {
  const m = readManifest(dir);
  if (!m) throw new ThreatflowError("NO_EVIDENCE", `${dir} has no manifest`, "");
  const { segments, missing } = chosen(m, dir, part);
  const out = await open(path, "wx", 0o600);
  let size = 0;
  try {
    for (const [n, s] of segments.entries()) {
      for await (const chunk of recordsOf(dir, s, n === 0 ? 0 : s.head)) {
        size += chunk.length;
        if (size > quota) throw new ThreatflowError("QUOTA", `${dir}: more than ${quota} bytes`, "raise --spool-quota");
        await out.appendFile(chunk);
      }
    }
  } finally {
    await out.close();
  }
  const cut = segments.filter((s) => s.cut).map((s) => `${s.name} was cut when the capture broke off`);
  return { size, id: m.capture, notes: cut, missing };
}

function chosen(m: Manifest, dir: string, part: Span | undefined): Pick<Joined, "missing"> & { segments: SegmentInfo[] } {
  const gone = (m.before?.segments ?? 0) + m.segments.filter((s) => s.expired).length;
  if (!part && gone)
    throw new ThreatflowError(
      "NO_EVIDENCE",
      `of this capture ${gone} segments were deleted by --keep: its packets can no longer be counted from 1`,
      `what is left lies in ${dir}, each segment a capture by itself`,
    );
  let before = m.before?.packets ?? 0;
  const missing: Missing = { before, deleted: before };
  const segments: SegmentInfo[] = [];
  for (const s of m.segments) {
    const early = s.expired || (part?.from !== undefined && s.last !== undefined && nanos(s.last) < part.from - MARGIN_NS);
    const late = part?.to !== undefined && s.first !== undefined && nanos(s.first) > part.to + MARGIN_NS;
    if (early && segments.length === 0) {
      before += s.packets;
      if (s.expired) Object.assign(missing, { deleted: before, until: s.last && nanos(s.last) });
    } else if (late) break;
    else segments.push(s);
  }
  if (segments.length === 0)
    throw new ThreatflowError(
      "NO_EVIDENCE",
      `${dir}: no segment holds packets of that time`,
      gone ? `--keep deleted ${gone} segments` : "",
    );
  return { segments, missing: { ...missing, before } };
}
const nanos = (time: string): bigint => BigInt(Date.parse(time)) * 1_000_000n;

/** The segment at hand is hidden, and grows: what of it is on disk by now. */
function recordsOf(dir: string, s: SegmentInfo, from: number): AsyncIterable<Buffer> {
  if (s.packed) return packedBytes(join(dir, s.name), from, s.records);
  const named = join(dir, s.name);
  const hidden = join(dir, hiddenName(s.name));
  const path = existsSync(named) ? named : hidden;
  const end = path === hidden ? statSync(path).size : s.records;
  return createReadStream(path, { start: from, end: Math.max(from, end - 1), highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>;
}
