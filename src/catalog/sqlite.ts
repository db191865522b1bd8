/** The embedded catalogue: one file, several processes. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { systemError, ThreatflowError } from "../errors.js";
import { type CaptureEntry, type Catalog, isIdPrefix, theOnly } from "./catalog.js";

/** `version` changes when another process has written. */
export interface SqliteCatalog extends Catalog {
  version(): number;
}

export function sqliteCatalog(dataDir: string): SqliteCatalog {
  let db: DatabaseSync;
  try {
    mkdirSync(dataDir, { recursive: true });
    db = new DatabaseSync(join(dataDir, "catalog.sqlite"));
    db.exec("PRAGMA journal_mode=WAL; PRAGMA busy_timeout=10000");
    db.exec("CREATE TABLE IF NOT EXISTS entries (id TEXT PRIMARY KEY, added TEXT NOT NULL, entry TEXT NOT NULL)");
  } catch (error) {
    const e = error as { code?: string; message: string };
    if (e.code === "ERR_SQLITE_ERROR")
      throw new ThreatflowError(
        "NOT_WRITABLE",
        `${dataDir}: the catalogue cannot be opened: ${e.message}`,
        "name a data folder that can be written with --data",
      );
    throw systemError(error, dataDir);
  }
  const entry = (row: unknown): CaptureEntry => JSON.parse((row as { entry: string }).entry) as CaptureEntry;
  const get = (id: string): CaptureEntry | undefined => {
    const row = db.prepare("SELECT entry FROM entries WHERE id = ?").get(id);
    return row && entry(row);
  };
  const put = (e: CaptureEntry): void => {
    db.prepare("INSERT OR REPLACE INTO entries (id, added, entry) VALUES (?, ?, ?)").run(e.id, e.added, JSON.stringify(e));
  };
  /** Nobody else writes meanwhile. */
  const alone = <T>(work: () => T): T => {
    db.exec("BEGIN IMMEDIATE");
    try {
      const result = work();
      db.exec("COMMIT");
      return result;
    } catch (error) {
      db.exec("ROLLBACK");
      throw error;
    }
  };
  return {
    find: async (id) => get(id),
    findAll: async (ids) => ids.flatMap((id) => get(id) ?? []),
    async resolve(id) {
      return theOnly(
        id,
        isIdPrefix(id) ? db.prepare("SELECT entry FROM entries WHERE id LIKE ? ORDER BY id LIMIT 2").all(`${id}%`).map(entry) : [],
      );
    },
    list: async () => db.prepare("SELECT entry FROM entries ORDER BY added, id").all().map(entry),
    put: async (e) => put(e),
    update: async (id, change) =>
      alone(() => {
        const there = get(id);
        const next = there && change(there);
        if (next) put(next);
        return next ?? there;
      }),
    claim: async (e, replace) =>
      alone(() => {
        const there = get(e.id);
        const next = there ? replace(there) : e;
        if (next) put(next);
        return { mine: next !== undefined, entry: next ?? (there as CaptureEntry) };
      }),
    async remove(id) {
      db.prepare("DELETE FROM entries WHERE id = ?").run(id);
    },
    version: () => (db.prepare("PRAGMA data_version").get() as { data_version: number }).data_version,
    close: () => db.close(),
  };
}
