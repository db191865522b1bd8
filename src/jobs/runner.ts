/**
 * Takes jobs from the queues and does them: decoding in child processes, so that this process renews its locks in time. SIGTERM drains; killed
 * at any instant it loses nothing: its jobs are found stalled within seconds and done again.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Job, UnrecoverableError, Worker } from "bullmq";
import { alive } from "../alive.js";
import { systemError, ThreatflowError } from "../errors.js";
import type { Cluster } from "./cluster.js";
import { log } from "./log.js";
import { metrics } from "./metrics.js";
import { Pool } from "./pool.js";
import { ATTEMPTS, backoff, type CaptureJob, type QueueName, redisConnection, type ShardPayload } from "./queues.js";
import { finishJob, type JobContext, type JobProgress, shardJob, surveyJob } from "./stages.js";
import { collectGarbage } from "./v8-flags.js";

/** How locks are held: a dead worker's job is taken over within seconds, however often (PLATFORM 20). */
const LOCK = { lockDuration: 5000, stalledInterval: 2000, maxStalledCount: 1000 };
/** Surveys and finishes at once: the first read in this process, the second mostly wait for Elasticsearch. */
const SURVEYS = 2;
const FINISHES = 8;
/** Least time between two reports of a job's progress, and between two looks whether it was cancelled, ms. */
const REPORT_MS = 500;
const WATCH_MS = 1000;
/** Codes of failures that may pass by themselves. */
const PASSING: ReadonlySet<string> = new Set(["REDIS", "ELASTICSEARCH", "STORE", "DISK_FULL"]);
const FOLDER = "threatflow-worker-";

export interface Runner {
  /** Takes no more jobs and waits for those at hand. */
  drain(): Promise<void>;
}

export function startRunner(cluster: Cluster, concurrency: number): Runner {
  const tmp = ownFolder();
  const pool = new Pool(concurrency);
  const workers = [
    worker("survey", SURVEYS, (job, ctx) => surveyJob(job.data, ctx)),
    worker("shard", concurrency, (job, ctx) => shardJob(job.data as ShardPayload, ctx)),
    worker("finish", FINISHES, async (job, ctx) => finishJob(job.data, ctx, Object.values(await job.getIgnoredChildrenFailures()))),
  ];

  function worker(name: QueueName, most: number, work: (job: Job<CaptureJob>, ctx: JobContext) => Promise<void>): Worker {
    const w = new Worker<CaptureJob>(name, (job) => attempt(name, job, work), {
      connection: redisConnection(cluster.settings),
      prefix: cluster.settings.queue_prefix,
      concurrency: most,
      settings: { backoffStrategy: backoff },
      ...LOCK,
    });
    w.on("error", (error) => log.debug({ queue: name, error: error.message }, "queue"));
    w.on("stalled", (id) => log.warn({ queue: name, job: id }, "a worker died: its job is done again"));
    return w;
  }

  async function attempt(
    name: QueueName,
    job: Job<CaptureJob>,
    work: (job: Job<CaptureJob>, ctx: JobContext) => Promise<void>,
  ): Promise<void> {
    const abort = new AbortController();
    const stop = watch(cluster, job, abort);
    const begun = performance.now();
    const ctx: JobContext = { cluster, pool, tmp, signal: abort.signal, progress: reporter(job) };
    log.info({ queue: name, job: job.id, attempt: job.attemptsMade + 1 }, "begun");
    try {
      await work(job, ctx);
      const seconds = (performance.now() - begun) / 1000;
      metrics.done(name, seconds);
      log.info({ queue: name, job: job.id, seconds: Math.round(seconds * 1000) / 1000 }, "done");
    } catch (raw) {
      const error = abort.signal.aborted ? abort.signal.reason : systemError(raw, (raw as { path?: string } | null)?.path ?? tmp);
      metrics.failed(name);
      if (error !== raw) log.debug({ queue: name, job: job.id, error: String((raw as Error)?.stack ?? raw) }, "as it was told");
      const e = error instanceof ThreatflowError ? error : new ThreatflowError("INTERNAL", String((error as Error)?.stack ?? error));
      const passing = PASSING.has(e.code) && job.attemptsMade + 1 < ATTEMPTS;
      log[passing ? "warn" : "error"]({ queue: name, job: job.id, code: e.code, error: e.message, again: passing }, "failed");
      if (passing) throw e;
      if (e.code !== "CANCELLED") await giveUp(cluster, job.data, e);
      throw new UnrecoverableError(e.message);
    } finally {
      stop();
      collectGarbage();
    }
  }

  return {
    async drain() {
      await Promise.all(workers.map((w) => w.close()));
      pool.close();
      rmSync(tmp, { recursive: true, force: true });
    },
  };
}

/** The capture says why it failed. */
async function giveUp(cluster: Cluster, j: CaptureJob, e: ThreatflowError): Promise<void> {
  try {
    await cluster.catalog.update(j.capture, (entry) =>
      entry.generation === j.generation && entry.status !== "done" && entry.status !== "cancelled" && entry.status !== "failed"
        ? { ...entry, status: "failed", error: { code: e.code, message: e.message, remedy: e.remedy } }
        : undefined,
    );
  } catch (error) {
    log.error({ capture: j.capture, error: (error as Error).message }, "the catalogue could not be told");
  }
}

/** Looks now and then whether the import is still wanted. */
function watch(cluster: Cluster, job: Job<CaptureJob>, abort: AbortController): () => void {
  const { capture, generation } = job.data;
  let looking = false;
  const timer = setInterval(() => {
    if (looking) return;
    looking = true;
    cluster.catalog
      .find(capture)
      .then((e) => {
        if (!e || e.generation !== generation || e.status === "cancelled")
          abort.abort(new ThreatflowError("CANCELLED", "this import is no longer wanted"));
      })
      .catch(() => undefined)
      .finally(() => {
        looking = false;
      });
  }, WATCH_MS);
  return () => clearInterval(timer);
}

function reporter(job: Job<CaptureJob>): (p: JobProgress) => void {
  let last = 0;
  return (p) => {
    const now = performance.now();
    if (now - last < REPORT_MS) return;
    last = now;
    if (p.waiting) log.warn({ job: job.id, why: p.waiting }, "waiting");
    job.updateProgress({ ...p }).catch(() => undefined);
  };
}

/** A folder of this process; those of processes that are gone are cleared away. */
function ownFolder(): string {
  for (const name of readdirSync(tmpdir())) {
    const pid = Number(new RegExp(`^${FOLDER}(\\d+)-`).exec(name)?.[1]);
    if (pid && !alive(pid)) rmSync(join(tmpdir(), name), { recursive: true, force: true });
  }
  mkdirSync(tmpdir(), { recursive: true });
  return mkdtempSync(join(tmpdir(), `${FOLDER}${process.pid}-`));
}
