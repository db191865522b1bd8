/** The process pool: hands shards to worker processes; one that dies is replaced and its shard done again, up to a limit of deaths. */
import { type ChildProcess, fork } from "node:child_process";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { MAX_DEATHS } from "../config.js";
import { type ErrorCode, ThreatflowError } from "../errors.js";
import type { ShardResult } from "../pipeline.js";
import type { FromWorker, Reached, RunFile, ShardTask, ToWorker } from "./messages.js";
import { SHARD_FLAGS } from "./v8-flags.js";

export interface ShardOutcome {
  result: ShardResult;
  runs: RunFile[];
  /** Packets behind this row of the index were given up; what came before is in the result. */
  setAside?: SetAside & { fromRow: number };
}
/** A shard that was given up. */
export interface SetAside {
  reason: string;
}
export interface Watching {
  progress?: (packets: number) => void;
  signal?: AbortSignal;
  /** A segment is done; its checkpoint stays where it is until somebody removes it. Without this the pool removes those it no longer needs. */
  segment?: (r: Reached) => void;
  /** The checkpoint to go on from did not fit: all is done again. */
  anew?: () => void;
}

interface Pending {
  id: number;
  task: ShardTask;
  captureId: Promise<string>;
  deaths: number;
  /** Why what lies behind the last checkpoint was given up. */
  lost: string | undefined;
  watching: Watching;
  resolve(o: ShardOutcome | SetAside): void;
  reject(e: unknown): void;
}
interface Worker {
  child: ChildProcess;
  busy: Pending | undefined;
}

export class Pool {
  private readonly size: number;
  private readonly workers: Worker[] = [];
  private readonly queue: Pending[] = [];
  private next = 1;
  private closed = false;

  constructor(size: number) {
    this.size = size;
  }
  /** Starts processes ahead of work, so that their start-up is over when it comes. */
  warm(count = this.size): void {
    while (this.workers.length < Math.min(count, this.size)) this.spawn();
  }

  run(task: ShardTask, captureId: Promise<string>, watching: Watching = {}): Promise<ShardOutcome | SetAside> {
    const { signal } = watching;
    const { promise, resolve, reject } = Promise.withResolvers<ShardOutcome | SetAside>();
    const pending: Pending = { id: this.next++, task, captureId, deaths: 0, lost: undefined, watching, resolve, reject };
    const cancelled = (): void => this.cancel(pending, signal?.reason);
    signal?.addEventListener("abort", cancelled, { once: true });
    this.queue.push(pending);
    this.dispatch();
    // Node keeps a signal made of others, and all that hangs on it, for as long as somebody listens to it.
    return promise.finally(() => signal?.removeEventListener("abort", cancelled));
  }

  /** No longer wanted: out of the queue, or its process ends. */
  private cancel(p: Pending, why: unknown): void {
    const waiting = this.queue.indexOf(p);
    if (waiting >= 0) this.queue.splice(waiting, 1);
    const w = this.workers.find((x) => x.busy === p);
    if (w) this.drop(w, p, why);
    else p.reject(why);
  }

  /** Nothing to decode for a while: idle processes go, and their memory with them. */
  rest(): void {
    if (this.queue.length) return;
    for (const w of this.workers.filter((x) => !x.busy)) {
      this.workers.splice(this.workers.indexOf(w), 1);
      w.child.kill("SIGKILL"); // it holds nothing: its results are files
    }
  }

  private dispatch(): void {
    while (this.queue.length) {
      let w = this.workers.find((x) => !x.busy && !x.child.killed);
      if (!w) {
        if (this.workers.filter((x) => !x.child.killed).length >= this.size) return;
        w = this.spawn();
      }
      const p = this.queue.shift() as Pending;
      w.busy = p;
      this.send(w, { type: "shard", id: p.id, task: p.task });
      const owner = w;
      p.captureId.then(
        (captureId) => {
          if (owner.busy === p) this.send(owner, { type: "capture-id", id: p.id, captureId });
        },
        (why: unknown) => this.drop(owner, p, why),
      );
    }
  }

  /** The capture turned out not to be wanted: its shards end, their process with them. */
  private drop(w: Worker, p: Pending, why: unknown): void {
    p.reject(why);
    if (w.busy !== p) return;
    w.busy = undefined;
    w.child.kill("SIGKILL");
  }

  private send(w: Worker, m: ToWorker): void {
    if (w.child.connected) w.child.send(m, () => undefined);
  }

  private spawn(): Worker {
    const child = fork(fileURLToPath(new URL("./worker.js", import.meta.url)), [], {
      serialization: "advanced",
      execArgv: ["--disable-warning=ExperimentalWarning", ...SHARD_FLAGS],
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    const w: Worker = { child, busy: undefined };
    child.on("message", (m: FromWorker) => this.heard(w, m));
    child.on("exit", (code, signal) => this.died(w, signal ?? `exit ${code}`));
    child.on("error", () => undefined);
    this.workers.push(w);
    return w;
  }

  private heard(w: Worker, m: FromWorker): void {
    const p = w.busy;
    if (m.type === "ready" || !p || m.id !== p.id) return;
    if (m.type === "progress") p.watching.progress?.(m.packets);
    else if (m.type === "segment") this.reached(p, m.reached);
    else if (m.type === "anew") {
      p.task = { ...p.task, resume: undefined };
      p.watching.anew?.();
    } else {
      w.busy = undefined;
      if (m.type === "done")
        p.resolve({
          result: m.result,
          runs: m.runs,
          setAside: p.lost === undefined ? undefined : { reason: p.lost, fromRow: p.task.resume?.rows ?? 0 },
        });
      else p.reject(new ThreatflowError(m.code as ErrorCode, m.message, m.remedy));
      this.dispatch();
    }
  }

  /** Whoever does the shard again goes on from here. */
  private reached(p: Pending, r: Reached): void {
    const before = p.task.resume;
    p.task = { ...p.task, resume: r };
    p.deaths = 0;
    if (p.watching.segment) p.watching.segment(r);
    else if (before) rmSync(before.checkpoint, { force: true });
  }

  private died(w: Worker, how: string): void {
    const place = this.workers.indexOf(w);
    if (place >= 0) this.workers.splice(place, 1);
    const p = w.busy;
    if (this.closed) {
      p?.reject(new ThreatflowError("CANCELLED", "cancelled"));
      return;
    }
    if (p) {
      p.deaths++;
      const { resume } = p.task;
      const reason = `its worker process died ${p.deaths} times (${how})`;
      if (p.deaths < MAX_DEATHS) this.queue.unshift(p);
      else if (!resume || resume.only) p.resolve({ reason: p.lost ?? reason });
      else {
        // What was reached is kept: the shard ends there.
        p.lost = reason;
        p.deaths = MAX_DEATHS - 1;
        p.task = { ...p.task, resume: { ...resume, only: true } };
        this.queue.unshift(p);
      }
    }
    this.dispatch();
  }

  close(): void {
    this.closed = true;
    for (const w of this.workers) {
      if (w.busy) {
        w.busy.reject(new ThreatflowError("CANCELLED", "cancelled"));
        w.child.kill("SIGKILL");
      } else this.send(w, { type: "exit" });
      w.child.unref();
      w.child.channel?.unref();
    }
    for (const p of this.queue.splice(0)) p.reject(new ThreatflowError("CANCELLED", "cancelled"));
  }
}
