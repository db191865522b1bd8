/** Captures that somebody starts, watches and stops from elsewhere: each a `threatflow capture` of its own that tells how it goes. */
import { randomUUID } from "node:crypto";
import { ThreatflowError } from "../errors.js";
import { type CaptureProcess, endCaptures, startCapture } from "./capture-process.js";
import type { LiveStatus } from "./record.js";

export interface LiveCapture {
  id: string;
  /** Arguments of `threatflow capture`, --data left out. */
  capture: readonly string[];
  /** RFC 3339. */
  started: string;
  ended?: string;
  state: "running" | "done" | "failed";
  status?: LiveStatus & { rate: number };
  /** The capture's id once it is over, or why there is none. */
  what?: string;
}
/** At once, and ended ones that are remembered. */
const MOST_RUNNING = 16;
const REMEMBERED = 50;

export class LiveCaptures {
  private readonly dataDir: string;
  private readonly all: LiveCapture[] = [];
  private readonly running = new Map<string, CaptureProcess>();
  private readonly broken: () => void;
  /** `broken` is told when a capture's process is no more, however that came. */
  constructor(dataDir: string, broken: () => void) {
    this.dataDir = dataDir;
    this.broken = broken;
  }

  /** Newest first. */
  list(): readonly LiveCapture[] {
    return [...this.all].reverse();
  }

  /** Throws QUOTA where too many run already. */
  start(capture: readonly string[]): LiveCapture {
    if (this.running.size >= MOST_RUNNING)
      throw new ThreatflowError("QUOTA", `${MOST_RUNNING} captures are running already`, "stop one of them first");
    const c: LiveCapture = { id: randomUUID().slice(0, 8), capture, started: new Date().toISOString(), state: "running" };
    const started = startCapture([...capture, "--status", "json"], this.dataDir, (line) => {
      try {
        c.status = (JSON.parse(line) as { status: LiveCapture["status"] }).status;
      } catch {
        // a line for people, or one that was cut short when the process died
      }
    });
    this.running.set(c.id, started);
    this.all.push(c);
    while (this.all.length > REMEMBERED && this.all[0].state !== "running") this.all.shift();
    void started.ended.then(({ well, what }) => {
      this.running.delete(c.id);
      this.broken();
      Object.assign(c, { ended: new Date().toISOString(), state: well ? "done" : "failed", what });
    });
    return c;
  }

  /** Ends it as Ctrl-C does. Throws NO_SUCH_JOB. */
  stop(id: string): LiveCapture {
    const c = this.all.find((x) => x.id === id);
    if (!c) throw new ThreatflowError("NO_SUCH_JOB", `there is no live capture ${id}`, "");
    this.running.get(id)?.child.kill("SIGINT");
    return c;
  }

  close(): Promise<void> {
    return endCaptures(this.running.values());
  }
}
