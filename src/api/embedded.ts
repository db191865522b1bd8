/** The backend of one machine: a data folder that one server at a time works in. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { alive } from "../alive.js";
import { freshAgain, freshEntry } from "../catalog/catalog.js";
import { schedulesOn } from "../catalog/schedules.js";
import { sqliteShelf } from "../catalog/shelf.js";
import { sqliteCatalog } from "../catalog/sqlite.js";
import { ThreatflowError } from "../errors.js";
import { receive } from "../ingest/capture-store.js";
import { checkedInput } from "../ingest/checked-input.js";
import { CANCELLED, EmbeddedImports, UNFINISHED } from "../jobs/embedded.js";
import { difference } from "../jobs/import-key.js";
import { localTimer, startScheduler } from "../jobs/scheduler.js";
import { removeRecordFiles } from "../records/files.js";
import { duckSearch } from "../search/duckdb.js";
import type { Backend } from "./backend.js";
import { changesOf, LOOK_MS } from "./changes.js";

/** Free bytes that an upload leaves on the disk. */
const LEAVE_FREE = 1 << 30;

/** `quota`: bytes that a compressed upload may unpack to. */
export async function embeddedBackend(dataDir: string, quota?: number): Promise<Backend> {
  mkdirSync(join(dataDir, "captures"), { recursive: true });
  const unlock = lock(dataDir);
  const catalog = sqliteCatalog(dataDir);
  const watchers = new Set<(id: string) => void>();
  const changed = (id: string): void => {
    for (const w of watchers) w(id);
  };
  const imports = new EmbeddedImports(dataDir, catalog, changed, quota);
  const search = await duckSearch(dataDir);
  imports.wake(); // what an earlier server left
  // Captures that end, and imports and deletions from a terminal, beside this server.
  const look = changesOf(catalog, changed);
  await look();
  let version = catalog.version();
  const timer = setInterval(() => {
    const before = version;
    try {
      version = catalog.version();
    } catch {
      return; // the disk: what asks for records says so
    }
    if (version === before) return;
    void look();
    imports.wake();
  }, LOOK_MS).unref();
  const shelf = sqliteShelf(dataDir);
  const schedules = schedulesOn(shelf);
  return {
    catalog,
    shelf,
    shared: false,
    timer: localTimer(schedules),
    schedule: async (told) => startScheduler(schedules, dataDir, told),
    search,
    dataDir,
    workDir: join(dataDir, ".tmp"),
    async add(name, input, key, force, cases) {
      const hidden = join(dataDir, "captures", `.upload-${process.pid}-${Math.random().toString(36).slice(2)}`);
      try {
        const fs = statfsSync(dataDir);
        const room = fs.bavail * fs.bsize - LEAVE_FREE;
        const { id, bytes } = await receive(name, checkedInput(name, input, room), hidden);
        const path = join(dataDir, "captures", id);
        if (!existsSync(path)) renameSync(hidden, path);
        const fresh = freshEntry({ id, key, name, bytes, path, cases });
        const { mine, entry } = await catalog.claim(fresh, (there) =>
          there.status === "failed" || there.status === "cancelled" || (force && there.status === "done")
            ? freshAgain(fresh, there)
            : undefined,
        );
        if (!mine && entry.key !== key)
          throw new ThreatflowError(
            "ALREADY_IMPORTED_OTHERWISE",
            `${entry.name} is imported already with other options: ${difference(entry.key, key)}`,
            "force replaces its records",
          );
        changed(id);
        imports.wake();
        return { entry, known: !mine };
      } finally {
        rmSync(hidden, { force: true });
      }
    },
    async evidence(entry) {
      if (entry.path && existsSync(entry.path)) return entry.path;
      throw new ThreatflowError("NO_EVIDENCE", `the original bytes of ${entry.name} are not kept here`, "upload the capture again");
    },
    async remove(id) {
      const entry = await catalog.resolve(id);
      await catalog.update(entry.id, (e) => (UNFINISHED.includes(e.status) ? { ...e, status: "cancelled" } : undefined));
      imports.cancel(entry.id);
      removeRecordFiles(dataDir, entry.id);
      if (entry.path?.startsWith(join(dataDir, "captures"))) rmSync(entry.path, { recursive: true, force: true });
      await catalog.remove(entry.id);
      changed(entry.id);
    },
    async again(entry, key) {
      const next = await catalog.update(entry.id, (e) => ({
        ...e,
        key,
        status: "queued",
        error: undefined,
        generation: Math.max(Date.now(), e.generation + 1),
        queued: new Date().toISOString(),
      }));
      imports.wake();
      return next ?? entry;
    },
    async cancel(entry) {
      let stopped = false;
      const next = await catalog.update(entry.id, (e) => {
        stopped = UNFINISHED.includes(e.status) && !e.live;
        return stopped ? { ...e, status: "cancelled", error: CANCELLED } : undefined;
      });
      if (!stopped || !next) throw new ThreatflowError("NO_SUCH_JOB", `${entry.name} is not being imported: it is ${entry.status}`);
      imports.cancel(entry.id);
      changed(entry.id);
      return next;
    },
    progress: async (entry) => imports.progressOf(entry.id),
    watch(w) {
      watchers.add(w);
      return () => watchers.delete(w);
    },
    async close() {
      clearInterval(timer);
      imports.close();
      search.close();
      shelf.close();
      catalog.close();
      unlock();
    },
  };
}

/** One server a folder. Throws NOT_WRITABLE where another one lives. */
function lock(dataDir: string): () => void {
  const path = join(dataDir, "server.pid");
  for (let tries = 0; tries < 2; tries++) {
    try {
      writeFileSync(path, String(process.pid), { flag: "wx" });
      return () => rmSync(path, { force: true });
    } catch (error) {
      if ((error as { code?: string }).code !== "EEXIST") throw error;
      const pid = Number(readFileSync(path, "utf8"));
      if (pid && pid !== process.pid && serving(pid))
        throw new ThreatflowError(
          "NOT_WRITABLE",
          `another server (process ${pid}) works in ${dataDir}`,
          "stop it, or name another folder with --data",
        );
      rmSync(path, { force: true });
    }
  }
  throw new ThreatflowError("NOT_WRITABLE", `${path} cannot be taken`, "");
}
/** A process id is used again after a while: it must be a server. */
function serving(pid: number): boolean {
  if (!alive(pid)) return false;
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("serve");
  } catch {
    return true; // no /proc here: believe it
  }
}
