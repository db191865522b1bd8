/** What a rolling capture tells of itself: its interfaces and segments; and how one that broke off is put in order. */
import {
  closeSync,
  existsSync,
  fdatasyncSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { alive } from "../../alive.js";
import { recordAt } from "./file-head.js";

export interface SegmentInfo {
  /** File name. */
  name: string;
  packets: number;
  bytes: number;
  /** Bytes of the head, and where the records end. */
  head: number;
  records: number;
  first: string | undefined;
  last: string | undefined;
  /** The capture ended in the middle of writing it: what could be read was kept. */
  cut?: boolean;
  /** Deleted by retention. */
  expired?: boolean;
  /** Compressed after it was closed; `head` and `records` are places in the plain bytes. */
  packed?: "zstd";
}
export interface Manifest {
  capture: string;
  form: "pcap" | "pcapng";
  interfaces: { name: string; linktype: number; promiscuous: boolean }[];
  filter: string | undefined;
  /** Filters that came later, each with when. */
  filters?: { from: string; filter: string | undefined }[];
  snaplen: number;
  started: string;
  ended?: string;
  /** Process that writes it. */
  pid: number;
  hold: boolean;
  /** Of a driver that cannot all that the kernel's ring can: what is missing. */
  driver?: string;
  limits?: readonly string[];
  segments: SegmentInfo[];
  /** Segments before these, long deleted by retention: how many, and what they held. */
  before?: { segments: number; packets: number; bytes: number };
  kernel?: { received: number; dropped: number; interface_dropped: number };
  disk_dropped?: number;
}
/** A segment's name while it is written. */
export const hiddenName = (name: string): string => `.${name}.part`;

const manifestPath = (dir: string): string => join(dir, "manifest.json");
export function writeManifest(dir: string, m: Manifest): void {
  const hidden = join(dir, `.manifest.${process.pid}`);
  const fd = openSync(hidden, "w", 0o640);
  try {
    writeFileSync(fd, `${JSON.stringify(m, null, 1)}\n`);
    fdatasyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(hidden, manifestPath(dir));
}
export function readManifest(dir: string): Manifest | undefined {
  return existsSync(manifestPath(dir)) ? (JSON.parse(readFileSync(manifestPath(dir), "utf8")) as Manifest) : undefined;
}

/** Captures whose process died: their hidden segment is cut behind its last whole record and named; the manifest tells which it was. */
export function recoverSegments(captures: string): string[] {
  const recovered: string[] = [];
  if (!existsSync(captures)) return recovered;
  for (const id of readdirSync(captures)) {
    const dir = join(captures, id);
    const m = statSync(dir).isDirectory() ? readManifest(dir) : undefined;
    if (!m || m.ended || alive(m.pid)) continue;
    // A compression that was broken off leaves one of the two forms too many.
    const names = new Set(m.segments.map((s) => s.name));
    for (const name of readdirSync(dir)) {
      const half = name.endsWith(".zst.part") || (name.endsWith(".zst") && !names.has(name));
      if (half || names.has(`${name}.zst`)) rmSync(join(dir, name), { force: true });
    }
    for (const s of m.segments) {
      const hidden = join(dir, hiddenName(s.name));
      if (!existsSync(hidden)) continue;
      s.cut = true;
      Object.assign(s, wholeRecords(hidden, s.head, m.form));
      truncateSync(hidden, s.records);
      renameSync(hidden, join(dir, s.name));
    }
    m.ended = new Date().toISOString();
    writeManifest(dir, m);
    recovered.push(dir);
  }
  return recovered;
}
function wholeRecords(path: string, head: number, form: Manifest["form"]): Pick<SegmentInfo, "packets" | "records" | "bytes"> {
  const b = readFileSync(path);
  const view = new DataView(b.buffer, b.byteOffset, b.length);
  const least = form === "pcap" ? 16 : 32;
  let at = Math.min(head, b.length);
  let packets = 0;
  while (at + least <= b.length) {
    const r = recordAt(view, at, form);
    if (r.to > b.length || r.to <= at) break;
    at = r.to;
    packets++;
  }
  return { packets, records: at, bytes: at };
}
