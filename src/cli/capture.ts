/** `threatflow capture -i IF`: record, roll, analyse as it comes. `threatflow interfaces`. */
import { join } from "node:path";
import type { Command } from "commander";
import { DEFAULT_DECODE } from "../config.js";
import { ThreatflowError } from "../errors.js";
import { hookSource } from "../hooks/hooks.js";
import { readFilter } from "../ingest/filter.js";
import { interfaces } from "../ingest/live/interfaces.js";
import { recoverSegments } from "../ingest/live/manifest.js";
import type { Retention, Rotation } from "../ingest/live/segments.js";
import { type LiveStatus, record } from "../jobs/record.js";
import { isDistributed } from "../settings.js";
import { ndjsonSink } from "../sinks/ndjson.js";
import { capturePlace } from "./capture-place.js";
import { EXIT } from "./exit.js";
import { durationNs, positive } from "./options.js";
import { settings } from "./place.js";
import { report } from "./report.js";
import { number, size, table } from "./text.js";

interface Flags {
  interface?: string[];
  filter?: string;
  rotate?: string[];
  keep?: string[];
  driver: string;
  recordOnly?: boolean;
  compress?: boolean;
  hold?: boolean;
  duration?: string;
  count?: string;
  snaplen: string;
  buffer: string;
  promiscuous: boolean;
  format?: string;
  follow?: boolean;
  hooks?: string;
  data?: string;
  ndjson?: string;
  json?: boolean;
  status: string;
  quiet?: boolean;
}
const several = (v: string, all: string[] = []): string[] => [...all, ...v.split(",")];

export function captureCommand(program: Command, exit: (status: number) => void): void {
  program
    .command("capture")
    .description("record from an interface and analyse as it comes; Ctrl-C ends it like --duration")
    .option("-i, --interface <name>", "interface, or any; may be given several times", several)
    .option("--filter <expr>", "libpcap expression, @file (read again on SIGHUP), or pasted `tcpdump -dd` output; runs in the kernel")
    .option("--hooks <file>", "your own drop(packet) and verify(packet): what is decoded; all is recorded")
    .option("--rotate <limit>", "a new segment after a time (60s), a size (256MB) or packets (100000p)", several)
    .option("--keep <limit>", "delete the oldest segments beyond an age (24h), a size (10GB) or a number of files (48f)", several)
    .option("--driver <name>", "af_packet (Linux), or cap (libpcap, portable; without the kernel's times and drop counters)", "af_packet")
    .option("--record-only", "decode nothing: the capture waits, `serve` or `analyze FOLDER` looks into it later")
    .option("--compress", "closed segments become .zst once they are decoded")
    .option("--hold", "keep every segment, whatever --keep says")
    .option("--duration <time>", "end after this time")
    .option("-c, --count <n>", "end after this many packets")
    .option("-s, --snaplen <bytes>", "bytes kept of each packet", "262144")
    .option("-B, --buffer <MiB>", "capture buffer of an interface", "64")
    .option("-p, --no-promiscuous", "do not put the interface into promiscuous mode")
    .option("--format <form>", "segments as pcap or pcapng (default: pcap, with several interfaces pcapng)")
    .option("--follow", "print records on standard output as they are ready")
    .option("--data <dir>", "data folder")
    .option("--ndjson <dir>", "write <dir>/<dataset>.ndjson")
    .option("--json", "print the summary as one JSON object")
    .option("--status <form>", "how it goes, on standard error: line, or json (an object a second)", "line")
    .option("--quiet", "no status line")
    .action(async (f: Flags) => exit(await capture(f)));
  program
    .command("interfaces")
    .description("the interfaces that can be captured from")
    .option("--json", "one object a line")
    .action((f: { json?: boolean }) => {
      const all = interfaces();
      if (f.json) for (const i of all) process.stdout.write(`${JSON.stringify(i)}\n`);
      else
        process.stdout.write(
          `${table(
            ["name", "link type", "state", "mac", "addresses"],
            all.map((i) => [
              i.name,
              i.linktype,
              [i.up ? "up" : "down", i.running ? "running" : "", i.promiscuous ? "promiscuous" : ""].filter(Boolean).join(" "),
              i.mac ?? "",
              i.addresses.join(" "),
            ]),
          )}\n`,
        );
    });
}

async function capture(f: Flags): Promise<number> {
  if (f.status !== "line" && f.status !== "json")
    throw new ThreatflowError("USAGE", `--status is line or json, not ${JSON.stringify(f.status)}`);
  if (f.driver !== "af_packet" && f.driver !== "cap")
    throw new ThreatflowError("USAGE", `--driver is af_packet or cap, not ${JSON.stringify(f.driver)}`);
  const names = f.interface ?? [];
  if (names.length === 0)
    throw new ThreatflowError("USAGE", "name an interface with -i", `there are ${[...interfaces().map((i) => i.name), "any"].join(", ")}`);
  const form = f.format ?? (names.length > 1 ? "pcapng" : "pcap");
  if (form !== "pcap" && form !== "pcapng")
    throw new ThreatflowError("USAGE", `--format is pcap or pcapng, not ${JSON.stringify(f.format)}`);
  if (form === "pcap" && names.length > 1) throw new ThreatflowError("USAGE", "several interfaces need --format pcapng");
  if (f.recordOnly && (f.follow || f.ndjson || f.hooks))
    throw new ThreatflowError("USAGE", "--record-only gives no records: not with --follow, --ndjson or --hooks");
  const s = settings(f.data);
  if (f.recordOnly && isDistributed(s))
    throw new ThreatflowError(
      "USAGE",
      "--record-only is for one machine: in a cluster no worker could read the segments",
      "unset REDIS_URL and ELASTICSEARCH_URL",
    );
  const dir = s.data as string;
  const captures = join(dir, "captures");
  for (const cut of recoverSegments(captures))
    process.stderr.write(`threatflow: ${cut}: an earlier capture broke off; its last segment was closed behind the last whole packet\n`);
  const filter = f.filter === undefined ? undefined : readFilter(f.filter);
  const abort = new AbortController();
  const interrupted = (): void => abort.abort();
  process.on("SIGINT", interrupted);
  process.on("SIGTERM", interrupted);
  let onHup = (): void => undefined;
  const hangup = (): void => onHup();
  if (f.filter?.trim().startsWith("@")) process.on("SIGHUP", hangup);
  const decode = { ...DEFAULT_DECODE, filter: undefined, ...(f.hooks !== undefined && { hooks: hookSource(f.hooks) }) };
  const place = await capturePlace(s, (why) => process.stderr.write(`threatflow: ${why}\n`));
  let beginning: Promise<void> | undefined;
  try {
    const {
      summary,
      digest,
      dir: segments,
    } = await record({
      interfaces: names,
      driver: f.driver,
      live: {
        snaplen: positive(f.snaplen, "-s"),
        bufferBytes: Math.min(2047, positive(f.buffer, "-B")) * 2 ** 20,
        promiscuous: f.promiscuous,
        filter,
        form,
      },
      decode,
      rotation: limits(f.rotate, "--rotate") as Rotation,
      retention: retention(f.keep),
      hold: f.hold === true,
      recordOnly: f.recordOnly === true,
      compress: f.compress === true,
      packets: f.count === undefined ? Infinity : positive(f.count, "-c"),
      durationMs: f.duration === undefined ? Infinity : Number(durationNs(f.duration) / 1000000n),
      captures,
      workDir: join(dir, ".tmp"),
      begun: (id, segments) => {
        beginning = place.begin({ id, name: names.join(",") }, decode, segments).catch((error: Error) => {
          process.stderr.write(`threatflow: the capture will stand in the catalogue when it is over: ${error.message}\n`);
        });
      },
      store: place.store,
      sinks: f.ndjson ? [ndjsonSink(f.ndjson)] : [],
      signal: abort.signal,
      refilter: (change) => {
        onHup = () => {
          try {
            change(readFilter(f.filter as string));
            process.stderr.write("threatflow: the filter was read again\n");
          } catch (error) {
            process.stderr.write(`threatflow: the filter stays as it was: ${(error as Error).message}\n`);
          }
        };
      },
      follow: f.follow ? (lines) => process.stdout.write(lines) : undefined,
      status: f.quiet ? undefined : f.status === "json" ? statusJson() : statusLine(),
      ready: (promiscuous) =>
        process.stderr.write(
          `capturing on ${names.map((n, i) => `${n}${f.promiscuous && n !== "any" ? (promiscuous[i] ? " (promiscuous)" : " (not promiscuous: the kernel refused)") : ""}`).join(", ")}\n`,
        ),
    });
    if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
    await beginning;
    if (segments && f.recordOnly) await place.waits(summary);
    else if (segments) await place.done(summary);
    else if (f.ndjson) await emptyNdjson(f.ndjson);
    const shown = f.follow ? process.stderr : process.stdout;
    if (f.json) shown.write(`${JSON.stringify(summary)}\n`);
    else if (f.recordOnly && segments)
      shown.write(`${number(summary.capture.packets)} packets recorded, none decoded yet: threatflow analyze ${segments}\n`);
    else shown.write(report(summary, digest, f.data ? ` --data ${f.data}` : ""));
    return summary.status === "partial" ? EXIT.damaged : EXIT.done;
  } catch (error) {
    await beginning;
    await place.failed(error).catch(() => undefined); // the error itself is told
    throw error;
  } finally {
    process.off("SIGINT", interrupted);
    process.off("SIGTERM", interrupted);
    process.off("SIGHUP", hangup);
    await place.close();
  }
}
/** No packet came: files of an earlier capture in the same folder go. */
async function emptyNdjson(dir: string): Promise<void> {
  await ndjsonSink(dir).commit();
}

const SIZES: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};
/** `60s`, `256MB`, `1000p`, `48f` → what they limit. */
function limits(given: readonly string[] | undefined, flag: string): { ns?: bigint; bytes?: number; packets?: number; files?: number } {
  const out: { ns?: bigint; bytes?: number; packets?: number; files?: number } = {};
  for (const text of given ?? []) {
    const m = /^(\d+(?:\.\d+)?)\s*([a-zA-Z]+)$/.exec(text);
    const unit = m?.[2].toLowerCase() ?? "";
    if (m && unit in SIZES) out.bytes = Math.round(Number(m[1]) * SIZES[unit]);
    else if (m && unit === "p" && flag === "--rotate") out.packets = positive(m[1], flag);
    else if (m && unit === "f" && flag === "--keep") out.files = positive(m[1], flag);
    else if (m && /^(ns|us|ms|s|m|h|d)$/.test(m[2])) out.ns = durationNs(text);
    else
      throw new ThreatflowError(
        "USAGE",
        `${flag} takes a time (60s), a size (256MB) or ${flag === "--keep" ? "files (48f)" : "packets (100000p)"}, not ${JSON.stringify(text)}`,
      );
  }
  return out;
}
const retention = (given: readonly string[] | undefined): Retention => limits(given, "--keep");

/** Calls back not more often than every so many ms, with the packets a second since the last time. */
function seldom(ms: number, tell: (s: LiveStatus, rate: number) => void): (s: LiveStatus) => void {
  let last = 0;
  let before = { packets: 0, at: performance.now() };
  return (s) => {
    const now = performance.now();
    if (now - last < ms) return;
    last = now;
    const rate = ((s.packets - before.packets) / (now - before.at)) * 1000;
    before = { packets: s.packets, at: now };
    tell(s, Math.round(rate));
  };
}
const statusJson = (): ((s: LiveStatus) => void) =>
  seldom(900, (s, rate) => void process.stderr.write(`${JSON.stringify({ status: { ...s, rate } })}\n`));
/** A line that is written over on a terminal, one now and then elsewhere. */
function statusLine(): (s: LiveStatus) => void {
  const tty = process.stderr.isTTY;
  return seldom(tty ? 900 : 10000, (s, rate) => {
    const text = `${number(s.packets)} packets, ${size(s.bytes)}, ${number(rate)}/s, ${number(s.dropped)} dropped, ${s.segments} segments, ${number(s.behind)} to decode${s.trouble ? `; ${s.trouble}` : ""}`;
    process.stderr.write(tty ? `\r\x1b[K${text}` : `${text}\n`);
  });
}
