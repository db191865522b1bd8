/** The decoding process of a live capture, seen from the recorder. */
import { type ChildProcess, fork } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { DecodeOptions } from "../config.js";
import { ThreatflowError } from "../errors.js";
import type { Observer } from "../records/envelope.js";
import type { RunFile } from "./messages.js";
import type { FromOnline, ToOnline } from "./online-worker.js";
import { LIVE_FLAGS } from "./v8-flags.js";

/** Who gets the records. */
export interface Takes {
  take(run: RunFile, open: boolean): void;
  /** All are told once more; resolves when what was told before is in nobody's way. */
  anew(): Promise<void>;
}
export interface Decoded {
  summary: Extract<FromOnline, { type: "done" }>["summary"];
  result: Extract<FromOnline, { type: "done" }>["result"];
  bytes: number;
}

interface Segment {
  path: string;
  head: number;
  records: number;
  reached: number;
}

/** The decoding process and what it was told; one that dies is replaced and told everything again, once. */
export class LiveDecoder {
  packets = 0;
  private child: ChildProcess | undefined;
  private readonly start: Extract<ToOnline, { type: "start" }>;
  private readonly to: Takes;
  private begins = false;
  private lost = false;
  /** Segments in order: where they lie now, and how far their records go. */
  private readonly segments: Segment[] = [];
  /** What it reads now. */
  private asked: Segment | undefined;
  private over = false;
  private deaths = 0;
  private ended = false;
  private outcome: { resolve(d: Decoded): void; reject(e: unknown): void } | undefined;
  private early: Decoded | Error | undefined;

  constructor(
    captureId: string,
    decode: DecodeOptions,
    observers: (Observer | undefined)[],
    runDir: string,
    sealEveryMs: number,
    to: Takes,
  ) {
    this.start = { type: "start", captureId, decode, observers, runDir, sealEveryMs };
    this.to = to;
    this.spawn();
  }

  private spawn(): void {
    const child = fork(fileURLToPath(new URL("./online-worker.js", import.meta.url)), [], {
      serialization: "advanced",
      execArgv: ["--disable-warning=ExperimentalWarning", ...LIVE_FLAGS],
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    this.child = child;
    child.on("message", (m: FromOnline) => this.heard(m));
    child.on("error", () => undefined);
    child.on("exit", (code, signal) => {
      if (this.child !== child) return;
      this.over = false;
      if (++this.deaths > 1)
        this.settle(
          new ThreatflowError(
            "WORKER_CRASH",
            `decoding failed twice (${signal ?? `exit ${code}`})`,
            "the segments are there: analyze them",
          ),
        );
      else this.again();
    });
    this.tell(this.start);
  }
  /** Everything once more, if it is all still there. */
  private again(): void {
    if (this.lost || this.segments.some((s) => !existsSync(s.path))) {
      this.settle(
        new ThreatflowError(
          "WORKER_CRASH",
          "decoding failed, and segments that it needs were deleted by --keep",
          "the segments that are left can be analysed",
        ),
      );
      return;
    }
    this.packets = 0;
    this.asked = undefined;
    for (const s of this.segments) s.reached = 0;
    this.begins = true;
    void this.to.anew().then(
      () => {
        this.begins = false;
        this.spawn();
        this.ask();
      },
      (error: Error) => this.settle(error),
    );
  }
  private tell(m: ToOnline): void {
    if (this.child?.connected) this.child.send(m, () => undefined);
  }
  /** Tells how far to read, one segment at a time: nothing piles up before a decoder that is behind. */
  private ask(): void {
    if (this.asked || this.over || this.begins) return;
    this.asked = this.segments.find((s) => s.reached < s.records);
    if (this.asked) this.tell({ type: "grown", path: this.asked.path, head: this.asked.head, records: this.asked.records });
    else if (this.ended) {
      this.over = true;
      this.tell({ type: "end" });
    }
  }

  grown(path: string, head: number, records: number): void {
    let s = this.segments.at(-1);
    if (!s || s.path !== path) {
      s = { path, head, records, reached: 0 };
      this.forget();
      this.segments.push(s);
    }
    s.records = records;
    this.ask();
  }
  /** Segments that were read and that --keep deleted since. */
  private forget(): void {
    while (this.segments.length && this.segments[0].reached === this.segments[0].records && !existsSync(this.segments[0].path)) {
      this.segments.shift();
      this.lost = true;
    }
  }
  /** The file has another name now; the process has it open, or finds it (src/jobs/online-worker.ts). */
  renamed(hidden: string, path: string): void {
    const s = this.segments.find((x) => x.path === hidden);
    if (s) s.path = path;
  }
  /** Why nothing is decoded any more, while the recording goes on. */
  get failure(): string | undefined {
    return this.early instanceof Error ? this.early.message : undefined;
  }
  /** It is still to be read. */
  busy(path: string): boolean {
    if (this.failure) return false; // nobody will: retention goes on, or the disk would fill
    const s = this.segments.find((x) => x.path === path);
    return s !== undefined && s.reached < s.records;
  }

  private heard(m: FromOnline): void {
    if (m.type === "reached") {
      this.packets = m.packets;
      if (this.asked) this.asked.reached = m.records;
      this.asked = undefined;
      this.ask();
    } else if (m.type === "run") this.to.take(m.run, m.open);
    else if (m.type === "done") this.settle({ summary: m.summary, result: m.result, bytes: m.bytes });
    else this.settle(new ThreatflowError(m.code, m.message, m.remedy));
  }
  private settle(d: Decoded | Error): void {
    if (!this.outcome) {
      this.early ??= d;
      return;
    }
    if (d instanceof Error) this.outcome.reject(d);
    else this.outcome.resolve(d);
  }

  /** Nothing more comes. */
  finish(): Promise<Decoded> {
    this.ended = true;
    return new Promise((resolve, reject) => {
      this.outcome = { resolve, reject };
      if (this.early) this.settle(this.early);
      else this.ask();
    });
  }
  dispose(): void {
    const child = this.child;
    this.child = undefined;
    child?.kill("SIGKILL");
  }
}
