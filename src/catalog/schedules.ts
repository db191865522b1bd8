/** Captures that are to be recorded again and again, and what became of each run. In the data folder's catalogue. */
import { randomUUID } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { CronExpressionParser } from "cron-parser";
import { ThreatflowError } from "../errors.js";

export interface Schedule {
  id: string;
  /** Five fields, in this machine's time zone; or `every`, ms. */
  cron: string | undefined;
  every: number | undefined;
  /** Arguments of `threatflow capture`, --data left out. */
  capture: string[];
  durationMs: number;
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
}
export interface Schedules {
  add(s: Pick<Schedule, "cron" | "every" | "capture" | "durationMs">, now: Date): Schedule;
  list(): Schedule[];
  find(id: string): Schedule;
  put(s: Schedule): void;
  remove(id: string): void;
  /** The latest first. */
  runs(schedule: string | undefined, most: number): ScheduleRun[];
  record(r: ScheduleRun): void;
  close(): void;
}

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

export function openSchedules(dataDir: string): Schedules {
  mkdirSync(dataDir, { recursive: true });
  const db = new DatabaseSync(join(dataDir, "catalog.sqlite"));
  db.exec("PRAGMA journal_mode=WAL; PRAGMA busy_timeout=10000");
  db.exec("CREATE TABLE IF NOT EXISTS schedules (id TEXT PRIMARY KEY, schedule TEXT NOT NULL)");
  db.exec(
    "CREATE TABLE IF NOT EXISTS schedule_runs (schedule TEXT NOT NULL, due TEXT NOT NULL, run TEXT NOT NULL, PRIMARY KEY (schedule, due))",
  );
  const put = (s: Schedule): void =>
    void db.prepare("INSERT OR REPLACE INTO schedules (id, schedule) VALUES (?, ?)").run(s.id, JSON.stringify(s));
  const all = (): Schedule[] =>
    db
      .prepare("SELECT schedule FROM schedules ORDER BY id")
      .all()
      .map((r) => JSON.parse((r as { schedule: string }).schedule) as Schedule);
  return {
    add(given, now) {
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
      put(s);
      return s;
    },
    list: all,
    find(id) {
      const found = all().filter((s) => s.id.startsWith(id));
      if (id && found.length === 1) return found[0];
      throw new ThreatflowError("NO_SUCH_JOB", `there is no schedule ${id}`, "`threatflow schedule list` shows them");
    },
    put,
    remove(id) {
      db.prepare("DELETE FROM schedules WHERE id = ?").run(id);
      db.prepare("DELETE FROM schedule_runs WHERE schedule = ?").run(id);
    },
    runs(schedule, most) {
      const rows = schedule
        ? db.prepare("SELECT run FROM schedule_runs WHERE schedule = ? ORDER BY due DESC LIMIT ?").all(schedule, most)
        : db.prepare("SELECT run FROM schedule_runs ORDER BY due DESC LIMIT ?").all(most);
      return rows.map((r) => JSON.parse((r as { run: string }).run) as ScheduleRun);
    },
    record(r) {
      db.prepare("INSERT OR REPLACE INTO schedule_runs (schedule, due, run) VALUES (?, ?, ?)").run(r.schedule, r.due, JSON.stringify(r));
    },
    close: () => db.close(),
  };
}
