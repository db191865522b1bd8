/** What is not a record: which captures there are, where their bytes lie, how they were analysed. One interface; node:sqlite is the embedded one. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { systemError, ThreatflowError } from "../errors.js";
import type { Summary } from "../jobs/analyze.js";

export interface CaptureEntry {
  id: string;
  /** Options and schema that made its records (SEMANTICS 14). */
  key: string;
  name: string;
  /** Where the original bytes lie; undefined: no evidence was kept. */
  path: string | undefined;
  added: string;
  summary: Summary;
}

export interface Catalog {
  find(id: string): CaptureEntry | undefined;
  /** By id or a unique prefix of at least 8 digits. */
  resolve(id: string): CaptureEntry;
  list(): CaptureEntry[];
  put(entry: CaptureEntry): void;
  remove(id: string): void;
  close(): void;
}

interface Row {
  id: string;
  key: string;
  name: string;
  path: string | null;
  added: string;
  summary: string;
}

export function openCatalog(dataDir: string): Catalog {
  let db: DatabaseSync;
  try {
    mkdirSync(dataDir, { recursive: true });
    db = new DatabaseSync(join(dataDir, "catalog.sqlite"));
    db.exec("PRAGMA journal_mode=WAL; PRAGMA busy_timeout=10000");
    db.exec(
      "CREATE TABLE IF NOT EXISTS captures (id TEXT PRIMARY KEY, key TEXT NOT NULL, name TEXT NOT NULL, path TEXT, added TEXT NOT NULL, summary TEXT NOT NULL)",
    );
  } catch (error) {
    const e = error as { code?: string; errcode?: number; message: string };
    if (e.code === "ERR_SQLITE_ERROR")
      throw new ThreatflowError(
        "NOT_WRITABLE",
        `${dataDir}: the catalogue cannot be opened: ${e.message}`,
        "name a data folder that can be written with --data",
      );
    throw systemError(error, dataDir);
  }
  const entry = (r: Row): CaptureEntry => ({ ...r, path: r.path ?? undefined, summary: JSON.parse(r.summary) as Summary });
  return {
    find(id) {
      const row = db.prepare("SELECT * FROM captures WHERE id = ?").get(id) as Row | undefined;
      return row && entry(row);
    },
    resolve(id) {
      const rows = /^[0-9a-f]{8,64}$/.test(id)
        ? (db.prepare("SELECT * FROM captures WHERE id LIKE ? LIMIT 2").all(`${id}%`) as unknown as Row[])
        : [];
      if (rows.length === 1) return entry(rows[0]);
      if (rows.length > 1) throw new ThreatflowError("NO_SUCH_CAPTURE", `more than one capture begins with ${id}`, "give more digits");
      throw new ThreatflowError("NO_SUCH_CAPTURE", `there is no capture ${id} here`, "`threatflow captures list` shows them");
    },
    list: () => (db.prepare("SELECT * FROM captures ORDER BY added, id").all() as unknown as Row[]).map(entry),
    put(e) {
      db.prepare("INSERT OR REPLACE INTO captures (id, key, name, path, added, summary) VALUES (?, ?, ?, ?, ?, ?)").run(
        e.id,
        e.key,
        e.name,
        e.path ?? null,
        e.added,
        JSON.stringify(e.summary),
      );
    },
    remove(id) {
      db.prepare("DELETE FROM captures WHERE id = ?").run(id);
    },
    close: () => db.close(),
  };
}
