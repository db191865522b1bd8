/** Runs merged at once or in steps: the same bytes, and nothing left behind. */
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
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
      const text = `{"id":"${"0".repeat(32)}","capture":"${"0".repeat(64)}","r":${r},"i":${i}}`;
      parts.add(
        "flow",
        { text, eventAt: 7, flowAt: 0, captureAt: 52 },
        { at, side: 0, stream: 0, index: i, seed: undefined, whole: false },
      );
    }
    for (const run of parts.seal(ID)) {
      if (r % 5 === 4) runs.push({ ...run, text: Buffer.from(run.text), keys: Buffer.from(run.keys) });
      else {
        const base = join(dir, `flow.${r}`);
        writeFileSync(`${base}.text`, run.text);
        writeFileSync(`${base}.keys`, run.keys);
        runs.push({ dataset: "flow", count: run.count, longest: run.longest, text: `${base}.text`, keys: `${base}.keys` });
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
