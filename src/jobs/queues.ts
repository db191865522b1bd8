/**
 * All queues, payloads and job ids in one table. Payloads are references: bytes, indices and results lie in the capture store, options and
 * status in the catalogue.
 *
 * | queue  | a job does                                              | payload        | leads to                    |
 * | survey | walks the capture once, writes index and survey         | CaptureJob     | the flow finish ← shard × N |
 * | shard  | decodes one shard, indexes its records                  | ShardPayload   | its result in the store     |
 * | finish | accounting, the capture's own records, what `--force` left over, status done | FinishPayload |         |
 * | capture-HOST | records what a schedule says (scheduler-spread.ts) | the schedule | its capture in the catalogue |
 */
import { FlowProducer, type JobsOptions, Queue } from "bullmq";
import { Redis } from "ioredis";
import { ThreatflowError } from "../errors.js";
import { hideCredentials, type Settings } from "../settings.js";

export const QUEUES = ["survey", "shard", "finish"] as const;
export type QueueName = (typeof QUEUES)[number];

export interface CaptureJob {
  capture: string;
  generation: number;
  /** Most shards that the survey may cut it into. */
  shards: number;
  windowBytes: number;
  /** Its turn: the lower, the sooner. */
  priority: number;
}
export interface ShardPayload extends CaptureJob {
  shard: number;
}
export type FinishPayload = CaptureJob;

/** Ids come from content: adding a job that is there changes nothing. No colons: BullMQ refuses them. */
export const jobId = (queue: QueueName, j: { capture: string; generation: number; shard?: number }): string =>
  `${queue}-${j.capture}-${j.generation}${j.shard === undefined ? "" : `-${j.shard}`}`;

/** Tries of a job whose failure may pass, and the pause before the first of them, ms; it doubles up to a minute. */
export const ATTEMPTS = 40;
const PAUSE_MS = 1000;
const PAUSE_MOST_MS = 60000;
export const backoff = (attempt: number): number =>
  Math.min(PAUSE_MOST_MS, PAUSE_MS * 2 ** Math.min(attempt - 1, 10)) * (0.75 + Math.random() / 2);

/** The larger a capture, the later its turn: 1 below 1 MiB, one more for each doubling. A small upload passes a large import. */
const priorityOf = (bytes: number): number => Math.max(1, Math.ceil(Math.log2(Math.max(1, bytes) / (1 << 20))) + 1);

/** How long a case is remembered to have queued captures, s; and what a doubling of their number puts a later one back. */
const FLOOD_SECONDS = 600;
const FLOOD_STEP = 2;
/**
 * The turn of a capture that a case queues now: by its size, and the later the more the case has queued lately. One case's ten thousand uploads
 * do not keep another's first one waiting.
 */
export async function turnOf(redis: Redis, s: Settings, caseName: string, bytes: number): Promise<number> {
  const key = `${s.queue_prefix}:queued-lately:${caseName}`;
  const done = await within(redis.multi().set(key, 0, "EX", FLOOD_SECONDS, "NX").incr(key).exec(), s);
  const lately = Number(done?.[1]?.[1] ?? 1);
  return priorityOf(bytes) + FLOOD_STEP * Math.floor(Math.log2(Math.max(1, lately)));
}

export const jobOptions = (
  queue: QueueName,
  j: { capture: string; generation: number; shard?: number },
  priority: number,
): JobsOptions => ({
  jobId: jobId(queue, j),
  attempts: ATTEMPTS,
  backoff: { type: "custom" },
  priority,
  removeOnComplete: true,
  removeOnFail: { age: 7 * 86400, count: 10000 },
});

const PING_MS = 3000;
const OLDEST = [6, 2];

/** A connection for producers and pollers: commands wait for a Redis that is away. */
export function redisConnection(s: Settings): Redis {
  const r = new Redis(s.redis as string, { maxRetriesPerRequest: null, lazyConnect: true, retryStrategy: (n) => Math.min(2000, 100 * n) });
  r.on("error", () => undefined); // told by whoever waits
  return r;
}

/** Throws REDIS where none answers in time, or one that is too old. */
export async function checkRedis(s: Settings): Promise<{ version: string; policy: string | undefined; aof: boolean }> {
  const url = hideCredentials(s.redis as string);
  const r = new Redis(s.redis as string, {
    lazyConnect: true,
    maxRetriesPerRequest: 0,
    connectTimeout: PING_MS,
    retryStrategy: () => null,
  });
  let why = "";
  r.on("error", (e) => {
    why = e.message || (e as { code?: string }).code || String(e);
  });
  const limit = new Promise<never>((_, reject) =>
    setTimeout(() => reject(new Error(`no answer within ${PING_MS / 1000} s`)), PING_MS).unref(),
  );
  try {
    const info = await Promise.race([r.connect().then(() => r.info()), limit]);
    const field = (name: string): string | undefined => new RegExp(`^${name}:(.*)$`, "m").exec(info)?.[1].trim();
    const version = field("redis_version") ?? "0";
    const [major, minor] = version.split(".").map(Number);
    if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]))
      throw new ThreatflowError("REDIS", `Redis at ${url} is ${version}`, `version ${OLDEST.join(".")} or newer is needed`);
    return { version, policy: field("maxmemory_policy"), aof: field("aof_enabled") === "1" };
  } catch (error) {
    if (error instanceof ThreatflowError) throw error;
    const text = why || (error as Error).message;
    if (/NOAUTH|WRONGPASS|invalid password|NOPERM/i.test(text + (error as Error).message))
      throw new ThreatflowError(
        "REDIS",
        `Redis at ${url} refuses these credentials`,
        "set user and password in REDIS_URL: redis://user:password@host:port",
      );
    throw new ThreatflowError("REDIS", `Redis at ${url} does not answer: ${text}`, "start it, or correct REDIS_URL");
  } finally {
    r.disconnect();
  }
}

export interface Queues {
  readonly redis: Redis;
  readonly survey: Queue<CaptureJob>;
  readonly shard: Queue<ShardPayload>;
  readonly finish: Queue<FinishPayload>;
  readonly flows: FlowProducer;
  close(): Promise<void>;
}
export function openQueues(s: Settings): Queues {
  const redis = redisConnection(s);
  const options = { connection: redis, prefix: s.queue_prefix, streams: { events: { maxLen: 1000 } } };
  const quiet = <T extends { on(event: "error", listener: () => void): unknown }>(q: T): T => {
    q.on("error", () => undefined);
    return q;
  };
  const survey = quiet(new Queue<CaptureJob>("survey", options));
  const shard = quiet(new Queue<ShardPayload>("shard", options));
  const finish = quiet(new Queue<FinishPayload>("finish", options));
  const flows = quiet(new FlowProducer({ connection: redis, prefix: s.queue_prefix }));
  return {
    redis,
    survey,
    shard,
    finish,
    flows,
    async close() {
      await Promise.allSettled([survey.close(), shard.close(), finish.close(), flows.close()]);
      redis.disconnect();
    },
  };
}
/** A command to Redis that must not hang where Redis is gone (PLATFORM 22). */
export function within<T>(work: Promise<T>, s: Settings, ms = 10000): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () =>
        reject(
          new ThreatflowError(
            "REDIS",
            `Redis at ${hideCredentials(s.redis as string)} does not answer`,
            "start it again, then run the same command",
          ),
        ),
      ms,
    );
  });
  return Promise.race([work, limit]).finally(() => clearTimeout(timer));
}
