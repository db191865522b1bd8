/** The backend of a cluster: imports go to workers, records and catalogue are Elasticsearch's. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { schedulesOn } from "../catalog/schedules.js";
import { elasticShelf } from "../catalog/shelf-elasticsearch.js";
import { checkedInput } from "../ingest/checked-input.js";
import { openCluster } from "../jobs/cluster.js";
import { UNFINISHED } from "../jobs/embedded.js";
import { redisTimer, startSpreadScheduler } from "../jobs/scheduler-spread.js";
import { cancel, deleteCapture, enqueue, progressOf, submit } from "../jobs/submit.js";
import { elasticSearch } from "../search/elasticsearch.js";
import type { Settings } from "../settings.js";
import type { Backend } from "./backend.js";
import { changesOf, LOOK_MS } from "./changes.js";

const SHARDS = 16;
const WINDOW = 1 << 20;

export async function clusterBackend(s: Settings): Promise<Backend> {
  const c = await openCluster(s);
  const shelf = await elasticShelf(c.elastic);
  const timer = redisTimer(s);
  return {
    catalog: c.catalog,
    shelf,
    shared: true,
    timer,
    schedule: (told) => startSpreadScheduler(s, schedulesOn(shelf), s.data as string, told),
    search: elasticSearch(c.elastic),
    dataDir: s.data as string,
    workDir: join(s.data as string, ".tmp"),
    async add(name, input, key, force, cases) {
      const { entry, already } = await submit(c, {
        name,
        input: checkedInput(name, input, Infinity),
        key,
        shards: SHARDS,
        windowBytes: WINDOW,
        force,
        cases,
      });
      return { entry, known: already };
    },
    async evidence(entry) {
      if (entry.path && existsSync(entry.path)) return entry.path; // a capture recorded on this machine
      return c.store.fetch(entry.id, "capture");
    },
    async remove(id) {
      await deleteCapture(c, id);
    },
    async again(entry, key) {
      const next = await c.catalog.update(entry.id, (e) => ({
        ...e,
        key,
        status: "queued",
        error: undefined,
        generation: Math.max(Date.now(), e.generation + 1),
        replaces: true,
        queued: new Date().toISOString(),
      }));
      if (next) await enqueue(c, next, SHARDS, WINDOW);
      return next ?? entry;
    },
    cancel: (entry) => cancel(c, entry.id),
    progress: async (entry) => (UNFINISHED.includes(entry.status) ? progressOf(c, entry) : undefined),
    watch(changed) {
      const look = changesOf(c.catalog, changed);
      void look();
      const timer = setInterval(() => void look(), LOOK_MS);
      return () => clearInterval(timer);
    },
    async close() {
      await timer.close();
      await c.close();
    },
  };
}
