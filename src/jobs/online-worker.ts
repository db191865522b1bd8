/** The process that decodes a capture while it is recorded: it reads the segment files behind the writer, so that a slow decoder loses no packet. */
import { closeSync, openSync, readFileSync, readSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { zstdDecompressSync } from "node:zlib";
import { type DecodeOptions, INTERIM_NS } from "../config.js";
import type { NativeSummary } from "../engine/native.js";
import { type ErrorCode, systemError, ThreatflowError } from "../errors.js";
import { Online } from "../online.js";
import type { ShardResult } from "../pipeline.js";
import type { Observer } from "../records/envelope.js";
import type { Run } from "../sinks/parts.js";
import type { RunFile } from "./messages.js";
import { collectGarbage } from "./v8-flags.js";

export type ToOnline =
  | { type: "start"; captureId: string; decode: DecodeOptions; observers: (Observer | undefined)[]; runDir: string; sealEveryMs: number }
  /** Records of this file go on to this offset. */
  | { type: "grown"; path: string; head: number; records: number }
  | { type: "end" };
export type FromOnline =
  /** So far was read of this file. */
  | { type: "reached"; path: string; records: number; packets: number }
  /** Records; `open`: flows as they stand. */
  | { type: "run"; run: RunFile; open: boolean }
  | { type: "done"; summary: NativeSummary; result: ShardResult; bytes: number }
  | { type: "failed"; message: string; code: ErrorCode; remedy: string };

/** Read into again and again; who keeps bytes copies them. */
const window = new Uint8Array(4 << 20);
const send = (m: FromOnline): void => {
  process.send?.(m, undefined, undefined, () => undefined);
};

let online: Online | undefined;
let start: Extract<ToOnline, { type: "start" }>;
let fd = -1;
let open = "";
let at = 0;
let first = true;
let bytes = 0;
let runs = 0;
let sealed = performance.now();

function seal(): void {
  sealed = performance.now();
  const o = online as Online;
  for (const run of o.sealInterims(start.captureId)) tell(run, true);
  for (const run of o.seal(start.captureId)) tell(run, false);
  collectGarbage();
}
function tell(run: Run, open: boolean): void {
  const base = join(start.runDir, `${run.dataset}.${runs++}`);
  try {
    writeFileSync(`${base}.text`, run.text);
    writeFileSync(`${base}.keys`, run.keys);
  } catch (error) {
    throw systemError(error, base);
  }
  const { dataset, count, longest } = run;
  send({ type: "run", run: { dataset, count, longest, text: `${base}.text`, keys: `${base}.keys` }, open });
}

/** A segment is hidden while it is written, and may have been closed and named since this was told. */
function namedPath(path: string): string {
  const named = /^\.(.+)\.part$/.exec(basename(path))?.[1];
  return named ? join(dirname(path), named) : path;
}
function openSegment(path: string): number {
  if (path.endsWith(".zst")) return openPacked(path);
  try {
    return openSync(path, "r");
  } catch (error) {
    if (namedPath(path) === path) throw error;
    return openSync(namedPath(path), "r");
  }
}
/** One that is read a second time, after a process died, may have been compressed meanwhile. */
function openPacked(path: string): number {
  const plain = join(start.runDir, "segment");
  writeFileSync(plain, zstdDecompressSync(readFileSync(path)));
  const opened = openSync(plain, "r");
  rmSync(plain);
  return opened;
}

/** Reads a segment on to `records`; the head of later segments repeats the first one's and is left out. */
function grown(m: Extract<ToOnline, { type: "grown" }>): void {
  if (namedPath(m.path) !== open) {
    if (fd >= 0) closeSync(fd);
    fd = openSegment(m.path);
    open = namedPath(m.path);
    at = first ? 0 : m.head;
    first = false;
  }
  while (at < m.records) {
    const n = readSync(fd, window, 0, Math.min(window.length, m.records - at), at);
    if (n === 0) throw new Error(`${m.path} ends at ${at}, ${m.records} were written`);
    at += n;
    bytes += n;
    (online as Online).push(window.subarray(0, n), false);
    if ((online as Online).full) seal();
  }
  if (performance.now() - sealed > start.sealEveryMs) seal();
  send({ type: "reached", path: m.path, records: at, packets: (online as Online).packets });
}

function heard(m: ToOnline): void {
  if (m.type === "start") {
    start = m;
    online = new Online(m.decode, m.observers, undefined, INTERIM_NS, m.runDir);
    setInterval(() => guarded(seal), m.sealEveryMs).unref();
  } else if (m.type === "grown") grown(m);
  else {
    const o = online as Online;
    o.push(new Uint8Array(0), true);
    const { summary } = o.finish(seal);
    seal();
    send({ type: "done", summary, result: o.result(), bytes });
  }
}
/** What fails is told. */
function guarded(work: () => void): void {
  try {
    work();
  } catch (error) {
    const known = error instanceof ThreatflowError;
    send({
      type: "failed",
      message: known ? error.message : String((error as Error).stack ?? error),
      code: known ? error.code : "INTERNAL",
      remedy: known ? error.remedy : "",
    });
  }
}
process.on("message", (m: ToOnline) => guarded(() => heard(m)));
process.on("disconnect", () => process.exit(0));
process.on("SIGINT", () => undefined);
process.on("SIGTERM", () => undefined);
