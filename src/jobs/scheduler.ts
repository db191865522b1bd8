/** Looks again and again which scheduled capture is due, on one machine. Where there is Redis, src/jobs/scheduler-spread.ts does it. */
import type { Schedule, Schedules } from "../catalog/schedules.js";
import { ScheduledRuns } from "./scheduled-runs.js";

const TICK_MS = 250;

/** What makes schedules due: told of each that is new or changed. */
export interface Timer {
  set(s: Schedule): Promise<void>;
  clear(s: Schedule): Promise<void>;
  /** Lets it be due at once. */
  now(s: Schedule): Promise<void>;
  close(): Promise<void>;
}
export interface Scheduler {
  /** No more runs; those at work end as on Ctrl-C and keep what they have. */
  close(): Promise<void>;
}

/** One machine: the scheduler reads from the schedule itself when it is due. */
export const localTimer = (schedules: Schedules): Timer => ({
  set: async () => undefined,
  clear: async () => undefined,
  now: (s) => schedules.put({ ...s, next: new Date().toISOString() }),
  close: async () => undefined,
});

export function startScheduler(schedules: Schedules, dataDir: string, told: (text: string) => void): Scheduler {
  const runs = new ScheduledRuns(schedules, dataDir, told);
  let working = runs.clearUp().catch((error: Error) => told(`schedules: ${error.message}`));
  let busy = false;
  const tick = async (now: Date): Promise<void> => {
    for (const s of await schedules.list()) {
      const due = new Date(s.next);
      if (due > now) continue;
      const next = await runs.reached(s, due, now);
      const there = await schedules.find(s.id).catch(() => undefined); // it may have been paused or removed meanwhile
      if (there && there.next === s.next) await schedules.put({ ...there, next: next.toISOString() });
    }
  };
  const timer = setInterval(() => {
    if (busy) return;
    busy = true;
    working = working
      .then(() => tick(new Date()))
      .catch((error: Error) => told(`schedules: ${error.message}`)) // the catalogue is busy or its disk full: the next tick tries again
      .finally(() => {
        busy = false;
      });
  }, TICK_MS);
  return {
    async close() {
      clearInterval(timer);
      await working;
      await runs.close();
    },
  };
}
