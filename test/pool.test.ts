/** Worker processes serve for weeks: a task that is done leaves nothing behind. */
import { getEventListeners } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DEFAULT_DECODE } from "../dist/config.js";
import { FileIndex } from "../dist/ingest/packet-index.js";
import { openSource } from "../dist/ingest/source.js";
import { survey } from "../dist/ingest/survey.js";
import { shardJobs } from "../dist/jobs/plan.js";
import { Pool } from "../dist/jobs/pool.js";

const fixture = join(import.meta.dirname, "..", "fixtures", "pcaps", "mixed", "everything.pcap");

test("nothing listens to the signal of a shard that is done, or that was cancelled", async () => {
  const dir = mkdtempSync(join(tmpdir(), "threatflow-pool-"));
  const source = await openSource(fixture, { spoolDir: dir, quota: 1 << 30 });
  const index = new FileIndex(join(dir, "index"), "create");
  const pool = new Pool(1);
  try {
    const { surveyed, hash } = await survey(source, index, { decode: DEFAULT_DECODE, filter: undefined, windowBytes: 1 << 20 });
    const [job] = shardJobs(source.path, 1, 1 << 20, DEFAULT_DECODE, surveyed);
    const task = { job, indexPath: index.path, indexRows: index.rows, runDir: dir, segmentRows: 1 << 20 };
    const stop = new AbortController();
    const signal = AbortSignal.any([stop.signal, new AbortController().signal]);
    const [first, second] = [pool.run(task, hash, { signal }), pool.run(task, hash, { signal })];
    expect(getEventListeners(signal, "abort")).toHaveLength(2);
    expect(await first).toMatchObject({ result: { exceptions: 0 } });
    expect(getEventListeners(signal, "abort")).toHaveLength(1);
    stop.abort(new Error("no longer wanted"));
    await expect(second).rejects.toThrow("no longer wanted");
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
  } finally {
    pool.close();
    index.close();
    source.dispose();
    rmSync(dir, { recursive: true, force: true });
  }
});
