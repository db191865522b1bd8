/** The submitting side: takes a capture into the store, claims its import, queues it, and follows it to its end. */
import { setTimeout as sleep } from "node:timers/promises";
import type { CaptureEntry } from "../catalog/catalog.js";
import { freshAgain, freshEntry, membershipsOf } from "../catalog/catalog.js";
import { type ErrorCode, ThreatflowError } from "../errors.js";
import { deleteRecords } from "../sinks/indices.js";
import type { Cluster } from "./cluster.js";
import { difference } from "./import-key.js";
import { type CaptureJob, jobId, jobOptions, QUEUES, turnOf, within } from "./queues.js";
import type { JobProgress } from "./stages.js";
import type { Progress } from "./summary.js";
import { collectGarbage } from "./v8-flags.js";

export interface Submission {
  name: string;
  /** Standard input; undefined: the file `name`. */
  input: AsyncIterable<Buffer> | undefined;
  key: string;
  shards: number;
  windowBytes: number;
  force: boolean;
  /** Of a capture that is new. */
  cases?: CaptureEntry["cases"];
}
export interface Submitted {
  entry: CaptureEntry;
  /** It was done before. */
  already: boolean;
}
const RUNNING: readonly string[] = ["queued", "surveying", "decoding", "indexing"];
/** First and longest pause between two looks at an import, ms. */
const LOOK_MS = 25;
const LOOK_MOST_MS = 500;

/** How long servers that are away, or have too much to do, are waited for, ms. */
const PATIENCE_MS = 600_000;

/** Somebody who waits, and can stop waiting. */
export interface Waiting {
  bytes?: (n: number) => void;
  waiting: (why: string) => void;
  signal?: AbortSignal;
}

/**
 * Two submitters of the same bytes at once: one queues the work, both follow it. Throws ALREADY_IMPORTED_OTHERWISE. Without somebody who waits, a
 * server that has too much to do is an error.
 */
export async function submit(c: Cluster, s: Submission, who?: Waiting): Promise<Submitted> {
  const stored = await c.store.add(s.name, s.input, who?.bytes);
  const fresh = freshEntry({ id: stored.id, key: s.key, name: s.name, bytes: stored.bytes, path: undefined, cases: s.cases });
  let tried = fresh.generation;
  const claim = (): ReturnType<Cluster["catalog"]["claim"]> =>
    c.catalog.claim(fresh, (there) => {
      if (RUNNING.includes(there.status)) return undefined;
      if (there.status === "done" && !s.force) return undefined;
      const next = { ...freshAgain(fresh, there), replaces: true };
      tried = next.generation;
      return next;
    });
  const claimed = await (who ? patient(claim, who) : claim());
  const { entry } = claimed;
  // Or the claim was taken, and its answer got lost.
  const mine = claimed.mine || (entry.status === "queued" && entry.generation === tried && entry.key === s.key);
  if (!mine && entry.key !== s.key)
    throw new ThreatflowError(
      "ALREADY_IMPORTED_OTHERWISE",
      `${entry.name} is imported already with other options: ${difference(entry.key, s.key)}`,
      entry.status === "done" ? "--force replaces its records" : "wait for that import to end, then --force replaces its records",
    );
  if (!mine && s.force)
    throw new ThreatflowError(
      "ALREADY_IMPORTED_OTHERWISE",
      `${entry.name} is being imported now`,
      "wait for it to end, or `threatflow jobs cancel` it",
    );
  if (entry.status === "done") return { entry, already: true };
  // Queued also where another submitter claimed it: should that one have died in between, nothing is lost; the id makes it one job.
  if (entry.status === "queued") await enqueue(c, entry, s.shards, s.windowBytes);
  return { entry, already: false };
}

/** Elasticsearch remembers the versions of deleted documents for a while: a generation must be later than any before it. */
const later = (e: CaptureEntry): number => Math.max(Date.now(), e.generation + 1);

export async function enqueue(c: Cluster, entry: CaptureEntry, shards: number, windowBytes: number): Promise<void> {
  const priority = await turnOf(c.queues.redis, c.settings, Object.keys(membershipsOf(entry))[0], entry.bytes);
  const j: CaptureJob = { capture: entry.id, generation: entry.generation, shards, windowBytes, priority };
  await within(c.queues.survey.add("survey", j, jobOptions("survey", j, priority)), c.settings);
}

/** Waits until the import is over. Throws what it failed with. */
export async function follow(
  c: Cluster,
  id: string,
  generation: number,
  progress: (p: Progress) => void,
  signal?: AbortSignal,
): Promise<CaptureEntry> {
  for (let pause = LOOK_MS; ; pause = Math.min(LOOK_MOST_MS, pause * 1.3)) {
    signal?.throwIfAborted();
    const waiting = (why: string): void => progress({ stage: "decode", done: 0, total: 1, waiting: why });
    const e = await patient(() => c.catalog.find(id), { waiting, signal });
    if (!e) throw new ThreatflowError("CANCELLED", "the capture was deleted while it was imported");
    collectGarbage(); // some submit ten thousand captures
    if (e.status === "done") return e;
    if (e.status === "failed" && e.generation === generation)
      throw new ThreatflowError((e.error?.code ?? "INTERNAL") as ErrorCode, `${e.name}: ${e.error?.message ?? "failed"}`, e.error?.remedy);
    if (e.status === "cancelled")
      throw new ThreatflowError("CANCELLED", `${e.name}: the import was cancelled`, "run the same command again");
    progress(await progressOf(c, e));
    await sleep(pause, undefined, { signal });
  }
}

/** Servers may go away, or have too much to do, while an import is queued or followed: the work waits, and so does this. */
async function patient<T>(work: () => Promise<T>, { waiting, signal }: Waiting): Promise<T> {
  for (const until = Date.now() + PATIENCE_MS; ; ) {
    try {
      return await unlessAborted(work(), signal);
    } catch (error) {
      if (!(error instanceof ThreatflowError && error.passing) || Date.now() > until) throw error;
      waiting(error.message);
      await sleep(1000, undefined, { signal });
    }
  }
}

/** Who asks Elasticsearch asks again for a while; nobody needs to wait for that who does not want the answer any more. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  let stop = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener("abort", stop);
  });
  try {
    signal.throwIfAborted();
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** How long an import may wait in the queue before it is asked whether anybody works there, ms. */
const ALONE_MS = 2000;
async function nobody(c: Cluster, e: CaptureEntry): Promise<string | undefined> {
  if (Date.now() - Date.parse(e.queued ?? e.added) < ALONE_MS) return undefined;
  const workers = await within(c.queues.survey.getWorkersCount(), c.settings).catch(() => 1);
  return workers === 0 ? "no worker is running; `threatflow worker` starts one" : undefined;
}

/** How far an import is, from its jobs. */
export async function progressOf(c: Cluster, e: CaptureEntry): Promise<Progress & { records?: number }> {
  const none: JobProgress = { done: 0, total: 0 };
  if (e.status === "queued" || e.status === "surveying") {
    const p = ((
      await within(c.queues.survey.getJob(jobId("survey", { capture: e.id, generation: e.generation })), c.settings).catch(() => undefined)
    )?.progress || none) as JobProgress;
    const waiting = p.waiting ?? (e.status === "queued" ? await nobody(c, e) : undefined);
    return { stage: "survey", done: p.done, total: p.total, waiting };
  }
  if (e.status === "indexing") return { stage: "write", done: 0, total: 1 };
  const sum = { stage: "decode" as const, done: 0, total: 0, records: 0, waiting: undefined as string | undefined };
  for (let shard = 0; ; shard++) {
    const job = await within(c.queues.shard.getJob(jobId("shard", { capture: e.id, generation: e.generation, shard })), c.settings).catch(
      () => undefined,
    );
    if (!job) {
      // A shard that is done is gone: its share counts as done while later ones are there.
      const data = (
        await within(c.queues.finish.getJob(jobId("finish", { capture: e.id, generation: e.generation })), c.settings).catch(
          () => undefined,
        )
      )?.data;
      if (!data || shard >= data.shards) break;
      continue;
    }
    const p = (job.progress || none) as JobProgress;
    sum.done += p.done;
    sum.total += p.total;
    sum.records += p.records ?? 0;
    sum.waiting ??= p.waiting;
  }
  return sum;
}

/** Stops an import that is under way; with its records, of which some may be there already. */
export async function cancel(c: Cluster, id: string): Promise<CaptureEntry> {
  const entry = await c.catalog.resolve(id);
  if (!RUNNING.includes(entry.status))
    throw new ThreatflowError(
      "NO_SUCH_JOB",
      `${entry.name} is not being imported: it is ${entry.status}`,
      "`threatflow jobs list` shows what is",
    );
  const cancelled = await c.catalog.update(entry.id, (e) => (RUNNING.includes(e.status) ? { ...e, status: "cancelled" } : undefined));
  await removeJobs(c, entry);
  await settled(c, entry);
  await deleteRecords(c.elastic, entry.id);
  return cancelled ?? entry;
}

/** Takes an import's jobs out of the queues; those at work stop by themselves. */
export async function removeJobs(c: Cluster, entry: CaptureEntry): Promise<void> {
  const j = { capture: entry.id, generation: entry.generation };
  const survey = await c.queues.survey.getJob(jobId("survey", j));
  const finish = await c.queues.finish.getJob(jobId("finish", j));
  await survey?.remove().catch(() => undefined);
  for (let shard = 0; shard < (finish?.data.shards ?? 0); shard++)
    await (await c.queues.shard.getJob(jobId("shard", { ...j, shard })))?.remove().catch(() => undefined);
  await finish?.remove().catch(() => undefined);
}
/** Waits until no job of the import is at work. */
async function settled(c: Cluster, entry: CaptureEntry): Promise<void> {
  for (let i = 0; i < 100; i++) {
    let busy = false;
    for (const name of QUEUES) for (const job of await c.queues[name].getActive()) busy ||= job?.data.capture === entry.id;
    if (!busy) return;
    await sleep(100);
  }
}

/** A capture's records, jobs, bytes and entry: everywhere. */
export async function deleteCapture(c: Cluster, id: string): Promise<CaptureEntry> {
  const entry = await c.catalog.resolve(id);
  await c.catalog.update(entry.id, (e) => (RUNNING.includes(e.status) ? { ...e, status: "cancelled" } : undefined));
  await removeJobs(c, entry);
  await settled(c, entry);
  await deleteRecords(c.elastic, entry.id);
  await c.store.remove(entry.id);
  await c.catalog.remove(entry.id);
  return entry;
}

/** Does a failed or cancelled import again, with the options it had. */
export async function retry(c: Cluster, id: string, shards: number, windowBytes: number): Promise<CaptureEntry> {
  const there = await c.catalog.resolve(id);
  if (there.status !== "failed" && there.status !== "cancelled")
    throw new ThreatflowError(
      "NO_SUCH_JOB",
      `${there.name} is ${there.status}`,
      "only what failed or was cancelled is done again; `analyze --force` replaces what is done",
    );
  await removeJobs(c, there);
  const entry = await c.catalog.update(there.id, (e) =>
    e.generation === there.generation
      ? { ...e, status: "queued", error: undefined, generation: later(e), replaces: true, queued: new Date().toISOString() }
      : undefined,
  );
  if (!entry) throw new ThreatflowError("NO_SUCH_CAPTURE", `${there.name} was deleted`);
  await enqueue(c, entry, shards, windowBytes);
  return entry;
}
