/** Runs merged at once or in steps: the same bytes, and nothing left behind. */
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { putRecord } from "../../dist/records/envelope.js";
import { mergeRuns, type StoredRun } from "../../dist/sinks/merge.js";
import { Parts } from "../../dist/sinks/parts.js";

const ID = "ab".repeat(32);

test("in steps of any size", async () => {
  const dir = mkdtempSync(join(tmpdir(), "threatflow-merge-"));
  const runs: StoredRun[] = [];
  for (let r = 0; r < 23; r++) {
    const parts = new Parts();
    for (let i = 0; i < 40; i++) {
      const at = { packet: 1 + ((r * 37 + i * 101) % 997), seconds: (i * 7919 + r * 13) % 300, nanos: r };
      putRecord(parts.next("dns"), { dataset: "dns", at, side: 0, stream: 0, index: i, body: { r, i } }, undefined, undefined);
    }
    for (const run of parts.seal(ID)) {
      if (r % 5 === 4) runs.push({ ...run, text: Buffer.from(run.text), keys: Buffer.from(run.keys) });
      else {
        const base = join(dir, `dns.${r}`);
        writeFileSync(`${base}.text`, run.text);
        writeFileSync(`${base}.keys`, run.keys);
        runs.push({ dataset: "dns", count: run.count, longest: run.longest, text: `${base}.text`, keys: `${base}.keys` });
      }
    }
  }
  const before = readdirSync(dir).length;
  const outcomes: string[] = [];
  for (const most of [1000, 48, 7, 3, 2]) {
    const out = join(dir, "..", `${Math.random()}.merged`);
    const fd = openSync(out, "w");
    await mergeRuns(runs, fd, most);
    closeSync(fd);
    outcomes.push(readFileSync(out, "utf8"));
    rmSync(out);
    expect(readdirSync(dir)).toHaveLength(before);
  }
  expect(outcomes[0].trim().split("\n")).toHaveLength(23 * 40);
  for (const o of outcomes) expect(o === outcomes[0]).toBe(true);
  rmSync(dir, { recursive: true });
});
