/** Captures that are to be recorded again and again, and what became of each run: documents of the catalogue's shelf. */
import { randomUUID } from "node:crypto";
import { CronExpressionParser } from "cron-parser";
import { ThreatflowError } from "../errors.js";
import type { Shelf } from "./shelf.js";

export interface Schedule {
  id: string;
  /** Five fields, in the time zone of the machine that records; or `every`, ms. */
  cron: string | undefined;
  every: number | undefined;
  /** Arguments of `threatflow capture`, --data left out. */
  capture: string[];
  durationMs: number;
  /** The machine that has the interface, where several share the schedules. */
  host?: string;
  paused: boolean;
  /** RFC 3339. */
  added: string;
  /** When it is due next. */
  next: string;
}
export type RunState = "running" | "done" | "failed" | "missed" | "overlapped";
export interface ScheduleRun {
  schedule: string;
  due: string;
  state: RunState;
  /** The capture's id, or why there is none. */
  what: string;
  /** Who runs it: machine and process. */
  by?: { host: string; pid: number };
}
export interface Schedules {
  /** Throws USAGE where it could never work. */
  add(s: Pick<Schedule, "cron" | "every" | "capture" | "durationMs" | "host">, now: Date): Promise<Schedule>;
  list(): Promise<Schedule[]>;
  /** By id or a unique prefix. Throws NO_SUCH_JOB. */
  find(id: string): Promise<Schedule>;
  put(s: Schedule): Promise<void>;
  remove(id: string): Promise<void>;
  /** The latest first. */
  runs(schedule: string | undefined, most: number): Promise<ScheduleRun[]>;
  record(r: ScheduleRun): Promise<void>;
  /** Records a run that nobody has recorded yet; false: somebody has. */
  claim(r: ScheduleRun): Promise<boolean>;
}
/** Runs that are looked through; older ones are forgotten when a schedule runs again. */
const MOST_RUNS = 10000;
const KEPT_RUNS = 100;

/** First time after `after` that a schedule is due. Throws USAGE where the cron expression is none. */
export function nextDue(s: Pick<Schedule, "cron" | "every">, after: Date, added: Date): Date {
  if (s.every !== undefined) {
    const steps = Math.floor((after.getTime() - added.getTime()) / s.every) + 1;
    return new Date(added.getTime() + Math.max(1, steps) * s.every);
  }
  try {
    return CronExpressionParser.parse(s.cron as string, { currentDate: after })
      .next()
      .toDate();
  } catch (error) {
    throw new ThreatflowError(
      "USAGE",
      `${JSON.stringify(s.cron)} is no cron expression: ${(error as Error).message}`,
      "five fields: minute hour day month weekday, e.g. '0 2 * * *'",
    );
  }
}

export function schedulesOn(shelf: Shelf): Schedules {
  const all = async (): Promise<Schedule[]> => (await shelf.list<Schedule>("schedule", MOST_RUNS)).map((x) => x.document);
  const key = (r: ScheduleRun): string => `${r.schedule}/${r.due}`;
  const runsOf = async (schedule: string | undefined): Promise<ScheduleRun[]> =>
    (await shelf.list<ScheduleRun>("schedule-run", MOST_RUNS, true))
      .map((x) => x.document)
      .filter((r) => schedule === undefined || r.schedule === schedule)
      .sort((a, b) => (a.due < b.due ? 1 : -1));
  return {
    async add(given, now) {
      if ((given.every !== undefined && given.every < 1000) || given.durationMs < 1)
        throw new ThreatflowError(
          "USAGE",
          "a schedule runs at most once a second, each run for some time",
          "e.g. --every 1h --duration 10m",
        );
      const next = nextDue(given, now, now);
      const after = nextDue(given, next, now);
      if (after.getTime() - next.getTime() < given.durationMs)
        throw new ThreatflowError(
          "USAGE",
          `this schedule overlaps itself: a run takes ${given.durationMs / 1000} s, the next begins ${(after.getTime() - next.getTime()) / 1000} s after it`,
          "make --duration shorter, or record without pause: threatflow capture --rotate",
        );
      const s: Schedule = { ...given, id: randomUUID().slice(0, 8), paused: false, added: now.toISOString(), next: next.toISOString() };
      await shelf.put("schedule", s.id, s);
      return s;
    },
    list: all,
    async find(id) {
      const found = (await all()).filter((s) => s.id.startsWith(id));
      if (id && found.length === 1) return found[0];
      throw new ThreatflowError("NO_SUCH_JOB", `there is no schedule ${id}`, "`threatflow schedule list` shows them");
    },
    put: (s) => shelf.put("schedule", s.id, s),
    async remove(id) {
      await shelf.remove("schedule", id);
      for (const r of await runsOf(id)) await shelf.remove("schedule-run", key(r));
    },
    runs: async (schedule, most) => (await runsOf(schedule)).slice(0, most),
    record: (r) => shelf.put("schedule-run", key(r), r),
    async claim(r) {
      if (!(await shelf.create("schedule-run", key(r), r))) return false;
      for (const old of (await runsOf(r.schedule)).slice(KEPT_RUNS)) await shelf.remove("schedule-run", key(old));
      return true;
    },
  };
}
