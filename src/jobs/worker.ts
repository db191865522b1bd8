/** A worker process: decodes shards that the pool hands it, one at a time. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemError, ThreatflowError } from "../errors.js";
import { FileIndex } from "../ingest/packet-index.js";
import { decodeShard } from "../pipeline.js";
import type { FromWorker, RunFile, ShardTask, ToWorker } from "./messages.js";

const send = (m: FromWorker): void => {
  process.send?.(m, undefined, undefined, () => undefined); // the pool may be gone already
};
const captureIds = new Map<number, (id: string) => void>();

async function shard(id: number, task: ShardTask): Promise<void> {
  let runs: RunFile[] = [...(task.resume?.runs ?? [])];
  const captureId = new Promise<string>((resolve) => captureIds.set(id, resolve));
  const index = new FileIndex(task.indexPath, "open", task.indexRows);
  try {
    const job = { ...task.job, linktypes: Uint32Array.from(task.job.linktypes), scratch: task.runDir };
    const result = await decodeShard(
      job,
      index,
      captureId,
      (run) => {
        const base = join(task.runDir, `${run.dataset}.${job.shard}.${process.pid}.${runs.length}`);
        try {
          writeFileSync(`${base}.text`, run.text);
          writeFileSync(`${base}.keys`, run.keys);
        } catch (error) {
          throw systemError(error, base);
        }
        runs.push({ dataset: run.dataset, count: run.count, longest: run.longest, text: `${base}.text`, keys: `${base}.keys` });
      },
      (packets) => {
        crashForTests(job.shard, packets);
        send({ type: "progress", id, packets });
      },
      {
        rows: task.segmentRows,
        path: (cut) => join(task.runDir, `checkpoint.${job.shard}.${cut.rows}`),
        done: (cut, checkpoint) => send({ type: "segment", id, reached: { checkpoint, rows: cut.rows, runs } }),
        resume: task.resume?.checkpoint,
        only: task.resume?.only,
        anew: () => {
          runs = [];
          send({ type: "anew", id });
        },
      },
    );
    send({ type: "done", id, result, runs });
  } finally {
    index.close();
    captureIds.delete(id);
  }
}

/** THREATFLOW_TEST_CRASH=<shard>:<signal>[:<rows>]: dies in that shard once so many rows are taken, as a decoder with a bug in native code would. */
function crashForTests(shardNumber: number, rows: number): void {
  const [n, signal, from] = (process.env.THREATFLOW_TEST_CRASH ?? "").split(":");
  if (n !== "" && Number(n) === shardNumber && rows >= Number(from ?? 0))
    process.kill(process.pid, (signal || "SIGKILL") as NodeJS.Signals);
}

process.on("message", (m: ToWorker) => {
  if (m.type === "exit") process.exit(0);
  else if (m.type === "capture-id") captureIds.get(m.id)?.(m.captureId);
  else
    shard(m.id, m.task).catch((error: unknown) => {
      const e = error instanceof ThreatflowError ? error : undefined;
      send({
        type: "failed",
        id: m.id,
        code: e?.code ?? "INTERNAL",
        message: e?.message ?? String((error as Error).stack ?? error),
        remedy: e?.remedy ?? "",
      });
    });
});
process.on("disconnect", () => process.exit(0));
// Ctrl-C goes to the whole group: the pool decides, not the worker.
process.on("SIGINT", () => undefined);
send({ type: "ready" });
