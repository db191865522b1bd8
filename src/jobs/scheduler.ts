/** Starts scheduled captures when they are due, each as a process of its own. Runs that were missed are recorded, never silently skipped. */
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { nextDue, type Schedule, type Schedules } from "../catalog/schedules.js";

/** How late a run may begin; later it counts as missed. */
const GRACE_MS = 30000;
const TICK_MS = 250;
/** Missed runs recorded at once. */
const MOST_MISSED = 100;

export class Scheduler {
  private readonly schedules: Schedules;
  private readonly dataDir: string;
  private readonly told: (text: string) => void;
  private readonly running = new Map<string, ChildProcess>();
  private readonly timer: NodeJS.Timeout;

  constructor(schedules: Schedules, dataDir: string, told: (text: string) => void) {
    this.schedules = schedules;
    this.dataDir = dataDir;
    this.told = told;
    // What another process left running when it died did not end well.
    for (const r of schedules.runs(undefined, 1000))
      if (r.state === "running") schedules.record({ ...r, state: "failed", what: "the scheduler ended while it ran" });
    this.timer = setInterval(() => {
      try {
        this.tick(new Date());
      } catch (error) {
        told(`schedules: ${(error as Error).message}`); // the catalogue is busy or its disk full: the next tick tries again
      }
    }, TICK_MS);
  }

  private tick(now: Date): void {
    for (const s of this.schedules.list()) {
      if (new Date(s.next) > now) continue;
      let due = new Date(s.next);
      let missed = 0;
      for (; now.getTime() - due.getTime() > GRACE_MS && missed < MOST_MISSED; missed++) {
        if (!s.paused)
          this.schedules.record({ schedule: s.id, due: due.toISOString(), state: "missed", what: "nothing that runs schedules was there" });
        due = nextDue(s, due, new Date(s.added));
      }
      if (due <= now && now.getTime() - due.getTime() <= GRACE_MS) {
        if (!s.paused) this.fire(s, due);
        due = nextDue(s, now, new Date(s.added));
      } else if (due <= now) due = nextDue(s, now, new Date(s.added));
      if (missed) this.told(`schedule ${s.id}: ${missed} runs were missed`);
      this.schedules.put({ ...s, next: due.toISOString() });
    }
  }

  /** Starts a run. */
  fire(s: Schedule, due: Date): void {
    const run = { schedule: s.id, due: due.toISOString() };
    if (this.running.has(s.id)) {
      this.schedules.record({ ...run, state: "overlapped", what: "the run before was not over" });
      this.told(`schedule ${s.id}: the run before was not over`);
      return;
    }
    const child = spawn(
      process.execPath,
      [
        "--disable-warning=ExperimentalWarning",
        fileURLToPath(new URL("../cli/main.js", import.meta.url)),
        "capture",
        ...s.capture,
        "--data",
        this.dataDir,
        "--json",
        "--quiet",
      ],
      {
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    this.running.set(s.id, child);
    this.schedules.record({ ...run, state: "running", what: `process ${child.pid}` });
    this.told(`schedule ${s.id}: capture begun`);
    let out = "";
    let err = "";
    child.stdout.on("data", (b) => (out += b));
    child.stderr.on("data", (b) => (err = (err + b).slice(-2000)));
    child.on("error", () => undefined);
    child.on("close", (status) => {
      this.running.delete(s.id);
      let id = "";
      try {
        id = (JSON.parse(out) as { capture: { id: string } }).capture.id || "no packet came";
      } catch {
        // it told why on stderr
      }
      const well = status === 0 && id !== "";
      this.schedules.record({
        ...run,
        state: well ? "done" : "failed",
        what: well ? id : err.trim().split("\n").at(-1) || `exit ${status}`,
      });
      this.told(`schedule ${s.id}: ${well ? `capture ${id.slice(0, 12)}` : `failed: ${err.trim().split("\n").at(-1)}`}`);
    });
  }

  /** No more runs; those at work end as on Ctrl-C and keep what they have. */
  async close(): Promise<void> {
    clearInterval(this.timer);
    await Promise.all(
      [...this.running.values()].map(
        (c) =>
          new Promise<void>((resolve) => {
            c.on("close", () => resolve());
            c.kill("SIGINT");
          }),
      ),
    );
    this.schedules.close();
  }
}
