/** Captures that somebody starts, watches and stops from elsewhere: each a `threatflow capture` of its own that tells how it goes. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { ThreatflowError } from "../errors.js";
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
  private readonly running = new Map<string, ChildProcess>();
  constructor(dataDir: string) {
    this.dataDir = dataDir;
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
    const child = spawn(
      process.execPath,
      [
        "--disable-warning=ExperimentalWarning",
        fileURLToPath(new URL("../cli/main.js", import.meta.url)),
        "capture",
        ...capture,
        "--data",
        this.dataDir,
        "--json",
        "--status",
        "json",
      ],
      { stdio: ["ignore", "pipe", "pipe"] },
    );
    this.running.set(c.id, child);
    this.all.push(c);
    while (this.all.length > REMEMBERED && this.all[0].state !== "running") this.all.shift();
    let out = "";
    let said = "";
    child.stdout.on("data", (b) => (out += b));
    createInterface({ input: child.stderr }).on("line", (line) => {
      if (line.startsWith("{")) c.status = (JSON.parse(line) as { status: LiveCapture["status"] }).status;
      else said = line;
    });
    child.on("error", () => undefined);
    child.on("close", (status) => {
      this.running.delete(c.id);
      c.ended = new Date().toISOString();
      try {
        c.what = (JSON.parse(out) as { capture: { id: string } }).capture.id || "no packet came";
      } catch {
        // it told why on stderr
      }
      c.state = c.what !== undefined && (status === 0 || status === 3) ? "done" : "failed";
      c.what ??= said || `exit ${status}`;
    });
    return c;
  }

  /** Ends it as Ctrl-C does. Throws NO_SUCH_JOB. */
  stop(id: string): LiveCapture {
    const c = this.all.find((x) => x.id === id);
    if (!c) throw new ThreatflowError("NO_SUCH_JOB", `there is no live capture ${id}`, "");
    this.running.get(id)?.kill("SIGINT");
    return c;
  }

  async close(): Promise<void> {
    await Promise.all(
      [...this.running.values()].map(
        (child) =>
          new Promise<void>((resolve) => {
            child.on("close", () => resolve());
            child.kill("SIGINT");
          }),
      ),
    );
  }
}
