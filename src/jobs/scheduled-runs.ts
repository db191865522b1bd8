/** Runs of scheduled captures on this machine, each a process of its own. Runs that were missed are recorded, never silently skipped. */
import { hostname } from "node:os";
import { alive } from "../alive.js";
import { nextDue, type Schedule, type Schedules } from "../catalog/schedules.js";
import { type CaptureProcess, endCaptures, startCapture } from "./capture-process.js";

/** How late a run may begin; later it counts as missed. */
const GRACE_MS = 30000;
/** Missed runs recorded at once. */
const MOST_MISSED = 100;
const MOST_RUNS = 1000;

export class ScheduledRuns {
  private readonly schedules: Schedules;
  private readonly dataDir: string;
  private readonly told: (text: string) => void;
  private readonly running = new Map<string, CaptureProcess>();
  private readonly by = { host: hostname(), pid: process.pid };

  constructor(schedules: Schedules, dataDir: string, told: (text: string) => void) {
    this.schedules = schedules;
    this.dataDir = dataDir;
    this.told = told;
  }

  /** What a process of this machine left running when it died did not end well. */
  async clearUp(): Promise<void> {
    for (const r of await this.schedules.runs(undefined, MOST_RUNS))
      if (r.state === "running" && r.by?.host === this.by.host && !(r.by.pid !== this.by.pid && alive(r.by.pid)))
        await this.schedules.record({ ...r, state: "failed", what: "the scheduler ended while it ran" });
  }

  /** A schedule is due since `due`: runs it if that is not long ago, and records what was missed. Returns when it is due next. */
  async reached(s: Schedule, due: Date, now: Date): Promise<Date> {
    const added = new Date(s.added);
    let missed = 0;
    for (; now.getTime() - due.getTime() > GRACE_MS && missed < MOST_MISSED; missed++) {
      if (!s.paused)
        await this.schedules.claim({
          schedule: s.id,
          due: due.toISOString(),
          state: "missed",
          what: "nothing that runs schedules was there",
        });
      due = nextDue(s, due, added);
    }
    if (missed) this.told(`schedule ${s.id}: ${missed} runs were missed`);
    if (due > now) return due;
    if (!s.paused && now.getTime() - due.getTime() <= GRACE_MS) await this.run(s, due);
    return nextDue(s, now, added);
  }

  /** Starts a run, unless somebody else has started it. */
  private async run(s: Schedule, due: Date): Promise<void> {
    const run = { schedule: s.id, due: due.toISOString(), by: this.by };
    if (this.running.has(s.id)) {
      if (await this.schedules.claim({ ...run, state: "overlapped", what: "the run before was not over" }))
        this.told(`schedule ${s.id}: the run before was not over`);
      return;
    }
    if (!(await this.schedules.claim({ ...run, state: "running", what: "" }))) return;
    const started = startCapture([...s.capture, "--quiet"], this.dataDir);
    this.running.set(s.id, started);
    this.told(`schedule ${s.id}: capture begun`);
    void started.ended.then(({ well, what }) => {
      this.running.delete(s.id);
      this.recording = this.recording
        .then(() => this.schedules.record({ ...run, state: well ? "done" : "failed", what }))
        .catch((error: Error) => this.told(`schedule ${s.id}: ${error.message}`));
      this.told(`schedule ${s.id}: ${well ? `capture ${what.slice(0, 12)}` : `failed: ${what}`}`);
    });
  }
  private recording: Promise<void> = Promise.resolve();

  /** Those at work end as on Ctrl-C and keep what they have. */
  async close(): Promise<void> {
    await endCaptures(this.running.values());
    await this.recording;
  }
}
