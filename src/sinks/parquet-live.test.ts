import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as immediate } from "node:timers/promises";
import { DEFAULT_DECODE } from "../config.js";
import { Online } from "../online.js";
import { duckSearch } from "../search/duckdb.js";
import type { Search } from "../search/search.js";
import { joinHere } from "./join.js";
import { idOf } from "./lines.js";
import type { StoredRun } from "./merge.js";
import { liveParquetSink } from "./parquet-live.js";
import { keptRun } from "./parts.js";

const ID = "a".repeat(64);
let dir: string;
let search: Search;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "threatflow-growing-"));
  search = await duckSearch(dir);
});
afterEach(() => {
  search.close();
  rmSync(dir, { recursive: true, force: true });
});

/** A capture in pieces: the records that came with each, and flows that are open behind it, told every tenth of a second of the clock. */
function* pieces(bytes: number): Generator<{ more: Map<string, StoredRun[]>; open: StoredRun[] }> {
  const capture = readFileSync(join(import.meta.dirname, "..", "..", "fixtures", "pcaps", "mixed", "everything.pcap"));
  const online = new Online(DEFAULT_DECODE, [], undefined, 100_000_000n);
  for (let at = 0; at < capture.length; at += bytes) {
    online.push(capture.subarray(at, at + bytes), at + bytes >= capture.length);
    yield sealed(online);
  }
  online.finish();
  yield sealed(online);
}
function sealed(online: Online) {
  const open = Array.from(online.sealInterims(ID), keptRun);
  const runs: StoredRun[] = Array.from(online.seal(ID), keptRun);
  return { more: Map.groupBy(runs, (r) => r.dataset), open };
}
const linesIn = (runs: readonly StoredRun[]): string[] => runs.flatMap((r) => (r.text as Buffer).toString().trimEnd().split("\n"));
async function all(dataset: string): Promise<string[]> {
  const found: string[] = [];
  for await (const r of search.records({ datasets: [dataset], query: "*", limit: 1e6 } as never)) found.push(r);
  return found;
}
const sorted = (a: readonly string[]): string[] => [...a].sort();

test("after each delivery: all records so far, each once, and every open flow as it stood last; in the end one file with all", async () => {
  const sink = liveParquetSink(dir, joinHere);
  await sink.begin(ID);
  const so = new Map<string, string[]>();
  const open = new Map<string, string>();
  let most = 0;
  let ever = 0;
  for (const { more, open: told } of pieces(700)) {
    await sink.grow(more, told);
    for (const l of linesIn(told)) open.set(idOf(Buffer.from(l)), l);
    for (const [dataset, runs] of more) {
      so.set(dataset, [...(so.get(dataset) ?? []), ...linesIn(runs)]);
      if (dataset === "flow") for (const l of linesIn(runs)) open.delete(idOf(Buffer.from(l)));
    }
    ever = Math.max(ever, open.size);
    for (const dataset of ["http", "flow"]) {
      const expected = [...(so.get(dataset) ?? []), ...(dataset === "flow" ? open.values() : [])];
      expect(sorted(await all(dataset))).toEqual(sorted(expected));
    }
    for (const l of open.values()) expect(JSON.parse(l).flow.final).toBe(false);
    most = Math.max(most, readdirSync(join(dir, "records", "http", `${ID}.live`)).filter((f) => f.startsWith("part-")).length);
  }
  expect(ever).toBeGreaterThan(10);
  expect(open.size).toBe(0);
  expect(most).toBeGreaterThan(8); // parts were joined, and those that were are still there for who reads them
  await sink.end();
  for (const [dataset, lines] of so) {
    expect(readdirSync(join(dir, "records", dataset))).toEqual([`${ID}.parquet`]);
    expect(sorted(await all(dataset))).toEqual(sorted(lines));
  }
});

test("who asks while parts are joined and become one file gets an answer", async () => {
  for (let round = 0; round < 3; round++) {
    const sink = liveParquetSink(dir, joinHere);
    await sink.begin(ID);
    let over = false;
    const asking = (async () => {
      for (let n = 0; !over; n++, await immediate())
        await (n % 2 ? all("http") : search.count({ datasets: [], query: "*", captures: undefined, limit: 0 }));
    })();
    try {
      for (const { more, open } of pieces(6000)) await sink.grow(more, open);
      await sink.end();
    } finally {
      over = true;
      await asking;
    }
    expect(await all("http")).toHaveLength(14);
  }
});

test("told once more from the beginning: nothing twice", async () => {
  const sink = liveParquetSink(dir, joinHere);
  await sink.begin(ID);
  let n = 0;
  for (const { more, open } of pieces(8000)) if (++n < 6) await sink.grow(more, open);
  await sink.anew();
  expect(await all("flow")).toEqual([]);
  const whole: string[] = [];
  for (const { more, open } of pieces(30_000)) {
    await sink.grow(more, open);
    whole.push(...linesIn(more.get("dns") ?? []));
  }
  await sink.end();
  expect(sorted(await all("dns"))).toEqual(sorted(whole));
});

test("a delivery that failed is given again: nothing is lost, nothing twice", async () => {
  const sink = liveParquetSink(dir, joinHere);
  await sink.begin(ID);
  const whole = new Map<string, string[]>();
  let failures = 0;
  for (const { more, open } of pieces(4000)) {
    const [last] = [...more.keys()].slice(-1);
    const bad = new Map(more);
    if (last) bad.set(last, [{ ...(more.get(last) as StoredRun[])[0], text: join(dir, "nothing"), keys: join(dir, "nothing") }]);
    await sink.grow(bad, open).catch(() => failures++);
    await sink.grow(more, open);
    for (const [dataset, runs] of more) whole.set(dataset, [...(whole.get(dataset) ?? []), ...linesIn(runs)]);
  }
  await sink.end();
  expect(failures).toBeGreaterThan(5);
  for (const [dataset, lines] of whole) expect(sorted(await all(dataset))).toEqual(sorted(lines));
  expect(existsSync(join(dir, "records", "flow", `${ID}.parquet`))).toBe(true);
});

test("a join that fails half-way is done again with the delivery: nothing is lost, nothing twice", async () => {
  let joins = 0;
  const sink = liveParquetSink(dir, async (all, spill) => {
    await joinHere(++joins % 2 ? all.slice(0, 1) : all, spill);
    if (joins % 2) throw new Error("the process that joins died");
  });
  await sink.begin(ID);
  const whole = new Map<string, string[]>();
  let failures = 0;
  const patiently = async (work: () => Promise<void>): Promise<void> => {
    await work().catch(async () => {
      failures++;
      await work();
    });
  };
  for (const { more, open } of pieces(700)) {
    await patiently(() => sink.grow(more, open));
    for (const [dataset, runs] of more) whole.set(dataset, [...(whole.get(dataset) ?? []), ...linesIn(runs)]);
  }
  await patiently(() => sink.end());
  expect(failures).toBeGreaterThan(1); // while it goes on, and at the end
  for (const [dataset, lines] of whole) expect(sorted(await all(dataset))).toEqual(sorted(lines));
});
