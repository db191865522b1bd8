/**
 * Scheduled captures where there is Redis: a BullMQ job scheduler for each, in the queue of the machine that has the interface. Any number of
 * processes may run schedules there: one of them gets the job. Schedules and runs stay in the catalogue; Redis only says when.
 */
import { hostname } from "node:os";
import { type Job, Queue, type RepeatOptions, Worker } from "bullmq";
import { nextDue, type Schedule, type Schedules } from "../catalog/schedules.js";
import type { Settings } from "../settings.js";
import { redisConnection, within } from "./queues.js";
import { ScheduledRuns } from "./scheduled-runs.js";
import type { Scheduler, Timer } from "./scheduler.js";

interface Payload {
  schedule: string;
  /** Of a run that was asked for: RFC 3339. */
  due?: string;
}
/** Captures that may run at once on a machine. */
const MOST_AT_ONCE = 64;
/** How often a run is tried whose catalogue is away, and the pause between, ms: half a day. */
const TRIES = 4320;
const PAUSE_MS = 10000;

const queueName = (host: string): string => `capture-${host.replaceAll(/[^A-Za-z0-9_.-]/g, "_")}`;
/** When a schedule is due, as text that BullMQ keeps: `nextDue` reads it again, so that all count the same way. */
const patternOf = (s: Schedule): string => JSON.stringify({ cron: s.cron, every: s.every, added: s.added });
const repeatStrategy = (millis: number, o: RepeatOptions): number => {
  const { cron, every, added } = JSON.parse(o.pattern as string) as { cron?: string; every?: number; added: string };
  return nextDue({ cron, every }, new Date(millis), new Date(added)).getTime();
};

export function redisTimer(settings: Settings): Timer {
  const connection = redisConnection(settings);
  const open = new Map<string, Queue<Payload>>();
  const queue = (s: Schedule): Queue<Payload> => {
    const name = queueName(s.host ?? hostname());
    let q = open.get(name);
    if (!q) {
      q = new Queue<Payload>(name, { connection, prefix: settings.queue_prefix, settings: { repeatStrategy } });
      q.on("error", () => undefined);
      open.set(name, q);
    }
    return q;
  };
  // A run is tried until the catalogue can be asked; if that is late it is recorded as missed.
  const kept = { attempts: TRIES, backoff: { type: "fixed", delay: PAUSE_MS }, removeOnComplete: true, removeOnFail: { count: 1000 } };
  return {
    async set(s) {
      await within(
        queue(s).upsertJobScheduler(s.id, { pattern: patternOf(s) }, { name: "capture", data: { schedule: s.id }, opts: kept }),
        settings,
      );
    },
    async clear(s) {
      await within(queue(s).removeJobScheduler(s.id), settings);
    },
    async now(s) {
      await within(queue(s).add("capture", { schedule: s.id, due: new Date().toISOString() }, kept), settings);
    },
    async close() {
      await Promise.allSettled([...open.values()].map((q) => q.close()));
      connection.disconnect();
    },
  };
}

export async function startSpreadScheduler(
  settings: Settings,
  schedules: Schedules,
  dataDir: string,
  told: (text: string) => void,
): Promise<Scheduler> {
  const runs = new ScheduledRuns(schedules, dataDir, told);
  const name = queueName(hostname());
  await runs.clearUp();
  await setAgain(settings, schedules, name);
  const connection = redisConnection(settings);
  const worker = new Worker<Payload>(
    name,
    async (job) => {
      const s = (await schedules.list()).find((x) => x.id === job.data.schedule);
      if (s && !s.paused) await runs.reached(s, dueOf(job), new Date());
    },
    {
      connection,
      prefix: settings.queue_prefix,
      concurrency: MOST_AT_ONCE,
      settings: { repeatStrategy },
    },
  );
  worker.on("error", () => undefined); // Redis is away: it comes back
  worker.on("failed", (_job, error) => told(`schedules: ${error.message}`));
  return {
    async close() {
      await worker.close();
      connection.disconnect(); // one that was handed in stays open otherwise
      await runs.close();
    },
  };
}

/** A job of a scheduler is named `repeat:<schedule>:<ms>`. */
function dueOf(job: Job<Payload>): Date {
  if (job.data.due !== undefined) return new Date(job.data.due);
  const ms = /:(\d+)$/.exec(job.id ?? "")?.[1];
  return ms === undefined ? new Date(job.timestamp) : new Date(Number(ms));
}

/** Schedules of this machine that Redis does not know (any more) are set again. */
async function setAgain(settings: Settings, schedules: Schedules, name: string): Promise<void> {
  const timer = redisTimer(settings);
  const connection = redisConnection(settings);
  const queue = new Queue<Payload>(name, { connection, prefix: settings.queue_prefix });
  queue.on("error", () => undefined);
  try {
    for (const s of await schedules.list())
      if (!s.paused && queueName(s.host ?? hostname()) === name && !(await within(queue.getJobScheduler(s.id), settings)))
        await timer.set(s);
  } finally {
    await queue.close();
    connection.disconnect();
    await timer.close();
  }
}
