/** A live capture from its first packet to its summary: the recorder moves bytes to disk, a process behind it decodes what stands there. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { DecodeOptions } from "../config.js";
import { ThreatflowError } from "../errors.js";
import type { Filter } from "../ingest/filter.js";
import { LiveInterface, type LiveOptions, type LiveSource } from "../ingest/live/driver.js";
import { pcapHead, pcapngHead, recordAt, recordEnd, statisticsBlock } from "../ingest/live/file-head.js";
import type { Manifest } from "../ingest/live/manifest.js";
import { PORTABLE_LIMITS, PortableInterface } from "../ingest/live/portable.js";
import { type Retention, type Rotation, rollingId, type SegmentListener, SegmentWriter } from "../ingest/live/segments.js";
import { type Accounting, accountingOf, fileAnomalies, type LiveDrops } from "../records/capture-record.js";
import { type Digest, DigestBuilder } from "../records/digest.js";
import type { Observer } from "../records/envelope.js";
import { linktypeName } from "../records/protocols.js";
import type { LiveSink, Sink } from "../sinks/sink.js";
import { writeRuns } from "./analyze.js";
import { LiveDecoder } from "./live-decoder.js";
import { LiveDelivery } from "./live-delivery.js";
import { captureRuns } from "./plan.js";
import { type Summary, summarize } from "./summary.js";
import { collectGarbage } from "./v8-flags.js";

export interface RecordRequest {
  interfaces: readonly string[];
  /** What reads the interfaces: the kernel's ring, or the portable package. */
  driver: "af_packet" | "cap";
  live: LiveOptions;
  decode: DecodeOptions;
  rotation: Rotation;
  retention: Retention;
  hold: boolean;
  /** Nothing is decoded: the capture waits for its analysis. */
  recordOnly: boolean;
  /** Closed segments become zstd once they are decoded. */
  compress: boolean;
  /** Ends after so many packets, or ms. */
  packets: number;
  durationMs: number;
  /** Folder of captures, and for work. */
  captures: string;
  workDir: string;
  /** Told the capture's id and the folder of its segments with the first packet. */
  begun?: (captureId: string, dir: string) => void;
  /** Records go there while it is recorded. */
  store: LiveSink;
  /** And there when it is over. */
  sinks: readonly Sink[];
  signal: AbortSignal;
  /** Handed a function that changes the filter of all interfaces between two packets. */
  refilter?: (change: (f: Filter | undefined) => void) => void;
  /** Records as they are ready (`--follow`): JSON lines. */
  follow?: (lines: string) => void;
  status?: (s: LiveStatus) => void;
  ready?: (promiscuous: boolean[]) => void;
}
export interface LiveStatus {
  packets: number;
  bytes: number;
  dropped: number;
  segments: number;
  behind: number;
  /** Its id, once a packet came. */
  capture: string | undefined;
  trouble: string | undefined;
}
export interface LiveAccounting extends Accounting, LiveDrops {
  /** Kept by the kernel's filter and not by ours: a bug of one of the two. */
  filter_disagreed: number;
}
export interface Recorded {
  summary: Summary;
  digest: Digest | undefined;
  dir: string | undefined;
}

const WINDOW = 2 << 20;
/** Longest wait for a packet, ms: how soon an end is noticed. */
const WAIT_MS = 50;
/** Waits of an empty ring after `stop`, until nothing can be left in it. */
const DRAIN_ROUNDS = 3;
const UPKEEP_MS = 500;
/** How often records are told and delivered, with and without --follow, ms. */
const FOLLOW = { sealMs: 500, deliverMs: 1000 };
const BEHIND = { sealMs: 10_000, deliverMs: 10_000 };

export async function record(r: RecordRequest): Promise<Recorded> {
  const begun = performance.now();
  const opened: LiveSource[] = [];
  let recorder: Recorder | undefined;
  try {
    for (const [id, name] of r.interfaces.entries())
      opened.push(r.driver === "cap" ? new PortableInterface(name, id, r.live) : new LiveInterface(name, id, r.live));
    r.ready?.(opened.map((i) => i.promiscuous));
    const recording = new Recorder(r, opened);
    recorder = recording;
    r.refilter?.((f) => recording.filter(f));
    await recorder.run();
    return await recorder.end((performance.now() - begun) / 1000);
  } finally {
    for (const i of opened) i.close();
    recorder?.dispose();
  }
}

class Recorder implements SegmentListener {
  private readonly r: RecordRequest;
  private readonly opened: LiveSource[];
  private writer: SegmentWriter | undefined;
  private decoder: LiveDecoder | undefined;
  private delivery: LiveDelivery | undefined;
  private work = "";
  private id = "";
  private taken = 0;
  private full: ThreatflowError | undefined;
  private lastUpkeep = 0;
  private trouble: string | undefined;

  constructor(r: RecordRequest, opened: LiveSource[]) {
    this.r = r;
    this.opened = opened;
  }

  /** Reads all interfaces until the end that was asked for, or until none can be read. */
  async run(): Promise<void> {
    const over = new AbortController();
    const end = (): void => over.abort();
    this.r.signal.addEventListener("abort", end, { once: true });
    const timer = this.r.durationMs < Infinity ? setTimeout(end, this.r.durationMs) : undefined;
    if (this.r.signal.aborted) end();
    const upkeep = setInterval(() => {
      try {
        this.upkeep();
      } catch (error) {
        this.trouble = (error as Error).message; // a folder that cannot be looked at costs retention, not the capture
      }
    }, UPKEEP_MS);
    try {
      const rest = await Promise.allSettled(this.opened.map((i) => this.pump(i, over)));
      const failed = rest.find((x) => x.status === "rejected");
      if (failed && !this.writer) throw (failed as PromiseRejectedResult).reason;
      if (failed) this.full ??= (failed as PromiseRejectedResult).reason as ThreatflowError;
    } finally {
      clearTimeout(timer);
      clearInterval(upkeep);
      this.r.signal.removeEventListener("abort", end);
    }
  }

  private async pump(i: LiveSource, over: AbortController): Promise<void> {
    const window = new Uint8Array(WINDOW);
    let stopped = false;
    let empty = 0; // waits in a row that brought nothing, since it was stopped
    try {
      for (;;) {
        if (over.signal.aborted && !stopped) {
          i.stop();
          stopped = true;
        }
        const n = await i.read(window, WAIT_MS);
        if (n > 0) this.take(window.subarray(0, n), over);
        empty = n > 0 || !stopped ? 0 : empty + 1;
        if (empty >= DRAIN_ROUNDS) return;
      }
    } catch (error) {
      over.abort();
      throw error;
    }
  }

  private take(window: Uint8Array, over: AbortController): void {
    if (!this.writer) this.begin(window);
    const writer = this.writer as SegmentWriter;
    const all = (): number => count(window, this.r.live.form);
    if (this.full) {
      writer.diskDropped += all();
      return;
    }
    const most = Math.max(0, this.r.packets - this.taken);
    const before = writer.packets + writer.diskDropped;
    try {
      const took = writer.write(window, most);
      this.taken += took;
      if (most < Infinity) this.beyond += all() - took;
      if (this.taken >= this.r.packets) over.abort();
    } catch (error) {
      if (!(error instanceof ThreatflowError && error.code === "DISK_FULL")) throw error;
      // What of the window is neither written nor counted is lost too.
      writer.diskDropped += all() - (writer.packets + writer.diskDropped - before);
      if (writer.expire({ ...this.r.retention, files: 2 }, 0n, (path) => this.busy(path)) === 0 || !hasRetention(this.r.retention)) {
        this.full = error;
        over.abort();
      }
    }
  }
  /** Packets that came behind the last one asked for (-c). */
  private beyond = 0;

  private begin(window: Uint8Array): void {
    const { r, opened } = this;
    const { form, snaplen, filter } = r.live;
    const firstRecord = recordAt(new DataView(window.buffer, window.byteOffset, window.byteLength), 0, form);
    this.id = rollingId(opened[firstRecord.interfaceId].linktype, firstRecord, window);
    const manifest: Manifest = {
      capture: this.id,
      form,
      interfaces: opened.map((i) => ({ name: i.name, linktype: i.linktype, promiscuous: i.promiscuous })),
      filter: filter?.text,
      snaplen,
      started: new Date().toISOString(),
      pid: process.pid,
      ...(r.driver === "cap" && { driver: "cap", limits: PORTABLE_LIMITS }),
      hold: r.hold,
      segments: [],
    };
    const head = form === "pcap" ? pcapHead(opened[0].linktype, snaplen) : pcapngHead(opened, snaplen, filter?.text);
    this.writer = new SegmentWriter(join(r.captures, this.id), manifest, head, r.rotation, () => this.statistics(), this);
    mkdirSync(r.workDir, { recursive: true });
    r.begun?.(this.id, this.writer.dir);
    if (r.recordOnly) return;
    this.work = mkdtempSync(join(r.workDir, ".live-"));
    const observers: (Observer | undefined)[] = form === "pcapng" ? opened.map((i, n) => ({ id: String(n), name: i.name })) : [];
    const { sealMs, deliverMs } = r.follow ? FOLLOW : BEHIND;
    this.delivery = new LiveDelivery(this.id, r.store, { everyMs: deliverMs, keep: r.sinks.length > 0, follow: r.follow });
    this.decoder = new LiveDecoder(this.id, r.decode, observers, this.work, sealMs, this.delivery);
  }

  /** Interface statistics close a pcapng segment. */
  private statistics(): Buffer {
    if (this.r.live.form === "pcap") return Buffer.alloc(0);
    const now = BigInt(Date.now()) * 1000000n;
    return Buffer.concat(
      this.opened.map((i, id) => {
        const c = i.counts();
        return statisticsBlock(id, now, c.received, c.dropped);
      }),
    );
  }

  grown(path: string, head: number, records: number): void {
    this.decoder?.grown(path, head, records);
  }
  closed(hidden: string, path: string): void {
    this.decoder?.renamed(hidden, path);
  }
  private busy(path: string): boolean {
    return this.decoder?.busy(path) ?? false;
  }

  /** One segment after the other; a disk without room for both forms keeps the plain one. */
  private async pack(): Promise<void> {
    if (this.packing || !this.writer) return;
    this.packing = true;
    try {
      while (await this.writer.pack((path) => this.busy(path)));
    } catch (error) {
      this.trouble = `a segment was not compressed: ${(error as Error).message}`;
    } finally {
      this.packing = false;
    }
  }
  private packing = false;

  /** Another filter from now on; the manifest tells when. */
  filter(f: Filter | undefined): void {
    for (const i of this.opened) i.filter(f);
    const m = this.writer?.manifest;
    if (!m) return;
    m.filters = [...(m.filters ?? []), { from: new Date().toISOString(), filter: f?.text }];
    this.writer?.save();
  }

  private upkeep(): void {
    const now = performance.now();
    if (now - this.lastUpkeep < UPKEEP_MS / 2) return;
    this.lastUpkeep = now;
    collectGarbage();
    const w = this.writer;
    if (this.r.compress) void this.pack();
    if (w && hasRetention(this.r.retention)) w.expire(this.r.retention, BigInt(Date.now()) * 1000000n, (path) => this.busy(path));
    this.r.status?.({
      packets: w?.packets ?? 0,
      bytes: w?.bytes ?? 0,
      dropped: this.opened.reduce((a, i) => a + i.counts().dropped, 0) + (w?.diskDropped ?? 0),
      segments: w?.manifest.segments.length ?? 0,
      behind: this.decoder ? (w?.packets ?? 0) - this.decoder.packets : 0,
      capture: this.id || undefined,
      trouble:
        this.opened.map((i) => i.trouble).find((x) => x) ??
        this.full?.message ??
        this.decoder?.failure ??
        this.trouble ??
        this.delivery?.trouble,
    });
  }

  async end(seconds: number): Promise<Recorded> {
    const { r, writer, decoder, delivery } = this;
    const kernel = this.opened.map((i) => i.counts());
    const sum = (of: (c: (typeof kernel)[number]) => number): number => kernel.reduce((a, c) => a + of(c), 0);
    if (!writer) return { summary: nothing(r, seconds, sum), digest: undefined, dir: undefined };
    writer.close();
    const m = writer.manifest;
    m.ended = new Date().toISOString();
    m.kernel = { received: sum((c) => c.received), dropped: sum((c) => c.dropped), interface_dropped: sum((c) => c.interfaceDropped) };
    m.disk_dropped = writer.diskDropped;
    writer.save();
    const done = await decoder?.finish();
    while (this.packing) await sleep(WAIT_MS);
    if (r.compress) await this.pack();
    const drops = {
      kernel_received: m.kernel.received - this.beyond,
      kernel_dropped: m.kernel.dropped,
      interface_dropped: m.kernel.interface_dropped,
      disk_dropped: writer.diskDropped,
      filter_disagreed: sum((c) => c.disagreed),
    };
    if (!done || !delivery)
      return { summary: this.broken(recorded(writer, nothing(r, seconds, sum), drops)), digest: undefined, dir: writer.dir };
    const accounting: LiveAccounting = { ...accountingOf(done.summary), ...drops };
    const given = { name: r.interfaces.join(","), givenBytes: done.bytes, compression: undefined, notes: [] };
    const last = captureRuns(done.summary, accounting, given, this.id);
    await delivery.end(last);
    await writeRuns(r.sinks, [...delivery.kept, ...last], this.id);
    const digest = new DigestBuilder();
    digest.merge(done.result.digest);
    for (const a of fileAnomalies(done.summary)) digest.anomaly(a.name, a.count);
    const summary = summarize(given, this.id, done.summary, accounting, delivery.records, [], [done.result], seconds);
    return { summary: this.broken(summary), digest: digest.result(), dir: writer.dir };
  }
  /** What ended the capture before its end is told. */
  private broken(s: Summary): Summary {
    if (!this.full) return s;
    const notes = [...(s.damage?.notes ?? []), `${this.full.message}: the capture ended there`];
    return { ...s, status: "partial", damage: { ...s.damage, notes } };
  }

  dispose(): void {
    this.decoder?.dispose();
    if (this.work) rmSync(this.work, { recursive: true, force: true });
  }
}

const hasRetention = (k: Retention): boolean =>
  k.ns !== undefined || k.bytes !== undefined || k.files !== undefined || k.free !== undefined;
function count(window: Uint8Array, form: "pcap" | "pcapng"): number {
  const view = new DataView(window.buffer, window.byteOffset, window.byteLength);
  let n = 0;
  for (let at = 0; at < window.length; n++) at = recordEnd(view, at, form);
  return n;
}

/** What can be said of a capture that nobody has looked into. */
function recorded(w: SegmentWriter, s: Summary, drops: Omit<LiveAccounting, keyof Accounting>): Summary {
  const { capture, form, interfaces, segments } = w.manifest;
  return {
    ...s,
    capture: {
      ...s.capture,
      id: capture,
      bytes: w.bytes + (segments.at(-1)?.head ?? 0), // later heads repeat the first one's
      format: form,
      linktypes: [...new Set(interfaces.map((i) => linktypeName(i.linktype)))],
      packets: w.packets,
      first: segments[0]?.first,
      last: segments.at(-1)?.last,
    },
    accounting: { ...s.accounting, ...drops } as LiveAccounting,
    status: "queued",
  };
}

/** No packet came, or none was decoded. */
function nothing(r: RecordRequest, seconds: number, sum: (of: (c: ReturnType<LiveSource["counts"]>) => number) => number): Summary {
  const accounting: LiveAccounting = {
    read: 0,
    decoded: 0,
    filtered: 0,
    undecodable: {},
    duplicate: 0,
    kernel_received: sum((c) => c.received),
    kernel_dropped: sum((c) => c.dropped),
    interface_dropped: sum((c) => c.interfaceDropped),
    disk_dropped: 0,
    filter_disagreed: 0,
  };
  return {
    capture: { id: "", bytes: 0, format: r.live.form, linktypes: [], packets: 0, name: r.interfaces.join(",") },
    accounting,
    records: {},
    seconds: Math.round(seconds * 1000) / 1000,
    status: "complete",
    set_aside: [],
    limits: {},
    refused_documents: 0,
  };
}
