/** Where a command finds captures and records: on this machine, or in a cluster where both servers are set. */
import { existsSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import type { CaptureEntry, Catalog } from "../catalog/catalog.js";
import { type Shelf, sqliteShelf } from "../catalog/shelf.js";
import { sqliteCatalog } from "../catalog/sqlite.js";
import { ThreatflowError } from "../errors.js";
import { removeRecordFiles } from "../records/files.js";
import { duckSearch } from "../search/duckdb.js";
import type { Search } from "../search/search.js";
import { isDistributed, readSettings, type Settings, settingsOf, type Value } from "../settings.js";

let flags: Readonly<Record<string, unknown>> = {};
/** What stood on the command line before or behind the command, for all commands. */
export function globalFlags(given: Readonly<Record<string, unknown>>): void {
  flags = given;
}
export const settingValues = (): Value[] => readSettings(flags);
/** `data`: a command's own --data. */
export const settings = (data?: string): Settings =>
  settingsOf(readSettings(data ? { ...flags, data } : flags).map((v) => (v.name === "data" && data ? { ...v, value: data } : v)));

export interface Place {
  readonly settings: Settings;
  readonly catalog: Catalog;
  search(): Promise<Search>;
  /** A file with the original bytes. Throws NO_EVIDENCE. */
  evidence(entry: CaptureEntry): Promise<string>;
  /** Removes a capture's records, and its bytes where this place keeps them. Returns its name. */
  remove(id: string): Promise<string>;
  close(): Promise<void>;
}

export async function openPlace(data?: string): Promise<Place> {
  const s = settings(data);
  if (!isDistributed(s)) return here(s);
  const { spread } = await import("./place-spread.js"); // its clients take a tenth of a second to load
  return spread(s);
}

/** The catalogue's shelf of this place. */
export async function withShelf<T>(data: string | undefined, work: (shelf: Shelf, s: Settings) => Promise<T>): Promise<T> {
  const s = settings(data);
  if (!isDistributed(s)) {
    const shelf = sqliteShelf(s.data as string);
    try {
      return await work(shelf, s);
    } finally {
      shelf.close();
    }
  }
  const { connectElastic } = await import("../search/elastic.js");
  const { elasticShelf } = await import("../catalog/shelf-elasticsearch.js");
  const elastic = await connectElastic(s);
  try {
    return await work(await elasticShelf(elastic), s);
  } finally {
    await elastic.client.close();
  }
}

function here(s: Settings): Place {
  const dir = s.data as string;
  const catalog = sqliteCatalog(dir);
  return {
    settings: s,
    catalog,
    search: () => duckSearch(dir),
    async evidence(entry) {
      if (entry.path && existsSync(entry.path)) return entry.path;
      throw new ThreatflowError(
        "NO_EVIDENCE",
        `the original bytes of ${entry.name} are not at ${entry.path ?? "any place"}`,
        "put the file back, or analyse with --keep",
      );
    },
    async remove(id) {
      const c = await catalog.resolve(id);
      removeRecordFiles(dir, c.id);
      if (c.path && dirname(c.path) === join(dir, "captures")) rmSync(c.path, { recursive: true, force: true });
      await catalog.remove(c.id);
      return c.name;
    },
    close: async () => catalog.close(),
  };
}
