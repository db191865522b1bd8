/** One catalogue, two implementations: what holds for one holds for the other. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "@elastic/elasticsearch";
import type { CaptureEntry, Catalog } from "../dist/catalog/catalog.js";
import { elasticCatalog } from "../dist/catalog/elasticsearch.js";
import type { Shelf } from "../dist/catalog/shelf.js";
import { sqliteShelf } from "../dist/catalog/shelf.js";
import { elasticShelf } from "../dist/catalog/shelf-elasticsearch.js";
import { sqliteCatalog } from "../dist/catalog/sqlite.js";

const url = process.env.TEST_ELASTICSEARCH_URL as string;
const entry = (n: number, more: Partial<CaptureEntry> = {}): CaptureEntry => ({
  id: n.toString(16).padStart(8, "a").padEnd(64, "0"),
  key: "{}",
  name: `capture ${n}`,
  bytes: n,
  path: undefined,
  added: `2026-11-24T00:00:0${n}.000Z`,
  status: "queued",
  generation: 1,
  month: "2026.11",
  summary: undefined,
  ...more,
});

describe.each(["sqlite", "elasticsearch"])("%s", (kind) => {
  let catalog: Catalog;
  let shelf: Shelf;
  let end: () => Promise<void>;
  beforeAll(async () => {
    if (kind === "sqlite") {
      const dir = mkdtempSync(join(tmpdir(), "threatflow-catalog-"));
      catalog = sqliteCatalog(dir);
      shelf = sqliteShelf(dir);
      end = async () => {
        shelf.close();
        catalog.close();
        rmSync(dir, { recursive: true });
      };
    } else {
      const client = new Client({ node: url });
      const prefix = `catalog-${process.pid}`;
      catalog = await elasticCatalog({ client, prefix, url, version: "9" });
      shelf = await elasticShelf({ client, prefix, url, version: "9" });
      end = async () => {
        await client.indices.delete({ index: [`${prefix}-catalog`, `${prefix}-shelf`] });
        await client.close();
      };
    }
  });
  afterAll(() => end());
  const plain = (e: unknown): unknown => JSON.parse(JSON.stringify(e));

  test("what was put is found, listed by time, and named by a prefix", async () => {
    await catalog.put(entry(2));
    await catalog.put(entry(1));
    expect(plain(await catalog.find(entry(1).id))).toEqual(plain(entry(1)));
    expect(await catalog.find("f".repeat(64))).toBeUndefined();
    expect((await catalog.list()).map((e) => e.bytes)).toEqual([1, 2]);
    expect((await catalog.findAll([entry(2).id, "f".repeat(64)])).map((e) => e.bytes)).toEqual([2]);
    expect((await catalog.resolve("aaaaaaa1")).bytes).toBe(1);
    expect((await catalog.resolve(entry(2).id)).bytes).toBe(2);
    await expect(catalog.resolve("aaaaaaa")).rejects.toMatchObject({ code: "NO_SUCH_CAPTURE" });
    await expect(catalog.resolve("ffffffff")).rejects.toMatchObject({ code: "NO_SUCH_CAPTURE" });
  });
  test("a prefix of two is refused", async () => {
    await catalog.put(entry(3, { id: `${"c".repeat(63)}1` }));
    await catalog.put(entry(4, { id: `${"c".repeat(63)}2` }));
    await expect(catalog.resolve("cccccccc")).rejects.toThrow(/more than one/);
  });
  test("of many that claim at once one wins; later ones see it", async () => {
    const claims = await Promise.all(Array.from({ length: 8 }, (_, i) => catalog.claim(entry(5, { name: `claim ${i}` }), () => undefined)));
    expect(claims.filter((x) => x.mine)).toHaveLength(1);
    const winner = claims.find((x) => x.mine)?.entry.name;
    expect(new Set(claims.map((x) => x.entry.name))).toEqual(new Set([winner]));
    const replaced = await catalog.claim(entry(5, { name: "new" }), (there) => ({ ...there, generation: there.generation + 1 }));
    expect(replaced).toMatchObject({ mine: true, entry: { generation: 2, name: winner } });
  });
  test("of many that change at once every change counts", async () => {
    await catalog.put(entry(6, { generation: 0 }));
    await Promise.all(Array.from({ length: 8 }, () => catalog.update(entry(6).id, (e) => ({ ...e, generation: e.generation + 1 }))));
    expect((await catalog.find(entry(6).id))?.generation).toBe(8);
    expect((await catalog.update(entry(6).id, () => undefined))?.generation).toBe(8);
    expect(await catalog.update("e".repeat(64), (e) => e)).toBeUndefined();
  });
  test("small documents: kinds are apart, lists are in order of ids from either end", async () => {
    for (const id of ["b", "c", "a"]) await shelf.put("user", id, { role: id });
    await shelf.put("token", "a", { name: "of another kind" });
    await shelf.put("user", "b", { role: "changed" });
    expect(await shelf.get("user", "b")).toEqual({ role: "changed" });
    expect(await shelf.get("user", "d")).toBeUndefined();
    expect((await shelf.list("user", 10)).map((x) => x.id)).toEqual(["a", "b", "c"]);
    expect(await shelf.list("user", 2, true)).toEqual([
      { id: "c", document: { role: "c" } },
      { id: "b", document: { role: "changed" } },
    ]);
    const created = await Promise.all([1, 2, 3].map((n) => shelf.create("schedule-run", "x/1", { n })));
    expect(created.filter(Boolean)).toHaveLength(1);
    expect(await shelf.get("schedule-run", "x/1")).toEqual({ n: created.indexOf(true) + 1 });
    expect(await shelf.remove("user", "a")).toBe(true);
    expect(await shelf.remove("user", "a")).toBe(false);
    expect(await shelf.get("token", "a")).toEqual({ name: "of another kind" });
  });
  test("what is removed is gone; removing again is no error", async () => {
    await catalog.remove(entry(1).id);
    await catalog.remove(entry(1).id);
    expect(await catalog.find(entry(1).id)).toBeUndefined();
  });
});
