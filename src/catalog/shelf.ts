/**
 * What the catalogue holds besides captures, as small documents: users, tokens, sessions, the audit log, schedules and their runs. One interface, one conformance
 * suite (test/catalog.test.ts), two implementations: a table beside the embedded catalogue, an index where work is spread (shelf-elasticsearch.ts).
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

export type Kind = "user" | "token" | "session" | "audit" | "search" | "schedule" | "schedule-run";
export interface Shelved<T> {
  id: string;
  document: T;
}
export interface Shelf {
  get<T>(kind: Kind, id: string): Promise<T | undefined>;
  /** The first ones by id, at most `most` of them; `descending`: the last ones, the last first. */
  list<T>(kind: Kind, most: number, descending?: boolean): Promise<Shelved<T>[]>;
  put(kind: Kind, id: string, document: object): Promise<void>;
  /** False: there is one already, and it stays as it is. Of several that create at once one does. */
  create(kind: Kind, id: string, document: object): Promise<boolean>;
  /** False: there was none. */
  remove(kind: Kind, id: string): Promise<boolean>;
  close(): void;
}

export function sqliteShelf(dataDir: string): Shelf {
  mkdirSync(dataDir, { recursive: true });
  const db = new DatabaseSync(join(dataDir, "catalog.sqlite"));
  db.exec("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA busy_timeout=10000");
  db.exec("CREATE TABLE IF NOT EXISTS shelf (kind TEXT NOT NULL, id TEXT NOT NULL, document TEXT NOT NULL, PRIMARY KEY (kind, id))");
  return {
    async get<T>(kind: Kind, id: string) {
      const row = db.prepare("SELECT document FROM shelf WHERE kind = ? AND id = ?").get(kind, id) as { document: string } | undefined;
      return row && (JSON.parse(row.document) as T);
    },
    async list<T>(kind: Kind, most: number, descending = false) {
      const rows = db
        .prepare(`SELECT id, document FROM shelf WHERE kind = ? ORDER BY id ${descending ? "DESC" : "ASC"} LIMIT ?`)
        .all(kind, most) as { id: string; document: string }[];
      return rows.map((r) => ({ id: r.id, document: JSON.parse(r.document) as T }));
    },
    async put(kind, id, document) {
      db.prepare("INSERT OR REPLACE INTO shelf (kind, id, document) VALUES (?, ?, ?)").run(kind, id, JSON.stringify(document));
    },
    create: async (kind, id, document) =>
      db.prepare("INSERT OR IGNORE INTO shelf (kind, id, document) VALUES (?, ?, ?)").run(kind, id, JSON.stringify(document)).changes > 0,
    remove: async (kind, id) => db.prepare("DELETE FROM shelf WHERE kind = ? AND id = ?").run(kind, id).changes > 0,
    close: () => db.close(),
  };
}
