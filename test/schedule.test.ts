/** Scheduled captures: due, run, missed, overlapping, paused. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { nextDue, schedulesOn } from "../dist/catalog/schedules.js";
import { sqliteShelf } from "../dist/catalog/shelf.js";

const threatflow = join(import.meta.dirname, "..", "bin", "threatflow");
const permitted = process.getuid?.() === 0;
if (!permitted) console.log("scheduled captures: skipped, capturing needs root here");
const live = permitted ? test : test.skip;
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "threatflow-schedule-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));
const alone = { ...process.env, REDIS_URL: "", ELASTICSEARCH_URL: "" };
const run = (...args: string[]) => spawnSync(threatflow, ["schedule", ...args, "--data", dir], { encoding: "utf8", env: alone });
const listed = (): any[] =>
  run("list", "--json")
    .stdout.split("\n")
    .filter(Boolean)
    .map((l) => JSON.parse(l));

test("when it is due: cron in this machine's time, every counted from when it was added", () => {
  const at = new Date(2026, 10, 24, 1, 30);
  expect(nextDue({ cron: "0 2 * * *", every: undefined }, at, at)).toEqual(new Date(2026, 10, 24, 2, 0));
  expect(nextDue({ cron: "*/15 * * * *", every: undefined }, new Date(2026, 10, 24, 1, 45), at)).toEqual(new Date(2026, 10, 24, 2, 0));
  expect(nextDue({ cron: undefined, every: 600000 }, new Date(at.getTime() + 1500000), at)).toEqual(new Date(at.getTime() + 1800000));
  expect(() => nextDue({ cron: "at noon", every: undefined }, at, at)).toThrow(/is no cron expression/);
});
test("what cannot work is refused when it is added", () => {
  expect(run("add", "--cron", "* * * * *", "--duration", "2m", "-i", "lo").stderr).toMatch(
    /overlaps itself: a run takes 120 s, the next begins 60 s after it/,
  );
  expect(run("add", "--duration", "2m", "-i", "lo").stderr).toMatch(/say when: --cron or --every/);
  expect(run("add", "--every", "1h", "--duration", "2m", "-i", "lo", "--filter", "tcp prot 80").stderr).toMatch(/syntax/);
  expect(run("remove", "nothing").stderr).toMatch(/there is no schedule nothing/);
  expect(listed()).toEqual([]);
});
live(
  "runs when due, again and again; pause, run now, remove; what was missed is recorded",
  async () => {
    const id = run("add", "--every", "2s", "--duration", "1s", "-i", "lo", "--filter", "udp port 9").stdout.trim();
    const late = run("add", "--every", "10m", "--duration", "1s", "-i", "lo").stdout.trim();
    const shelf = sqliteShelf(dir);
    const schedules = schedulesOn(shelf);
    const s = await schedules.find(late);
    const added = new Date(Date.now() - 3600000 - 60000);
    await schedules.put({ ...s, added: added.toISOString(), next: new Date(added.getTime() + 600000).toISOString() });
    const broken = await schedules.add(
      { cron: undefined, every: 3600000, durationMs: 1000, capture: ["-i", "no-such-interface", "--duration", "1s"] },
      new Date(),
    );
    // Two at once: each run is one of them's.
    const children: ChildProcess[] = [0, 1].map(() =>
      spawn(threatflow, ["schedule", "start", "--data", dir], { stdio: "ignore", env: alone }),
    );
    const socket = createSocket("udp4");
    const chatter = setInterval(() => socket.send("tick", 9, "127.0.0.1"), 100);
    run("run", broken.id);
    const finished = async (): Promise<number> => (await schedules.runs(id, 100)).filter((r) => r.state === "done").length;
    for (let i = 0; i < 120 && (await finished()) < 2; i++) await sleep(500);
    expect(JSON.stringify(await schedules.runs(id, 100))).toMatch(/("done".*){2}/);
    shelf.close();
    run("pause", id);
    await sleep(300);
    for (const child of children) child.kill("SIGINT");
    await Promise.all(children.map((child) => new Promise((resolve) => child.on("close", resolve))));
    clearInterval(chatter); // not before: a run that had begun would find nothing to record
    socket.close();
    const all = listed();
    const [mine, missed, failing] = [id, late, broken.id].map((x) => all.find((a) => a.id === x));
    expect(mine.paused).toBe(true);
    const done = mine.runs.filter((r: { state: string }) => r.state === "done");
    expect(done.length).toBeGreaterThanOrEqual(2);
    expect(new Set(done.map((r: { what: string }) => r.what)).size).toBe(done.length);
    for (const r of done) expect(r.what).toMatch(/^[0-9a-f]{64}$/);
    expect(missed.runs.every((r: { state: string }) => r.state === "missed")).toBe(true);
    expect(missed.runs).toHaveLength(5);
    expect(failing.runs[0]).toMatchObject({ state: "failed", what: expect.stringMatching(/there is no interface no-such-interface/) });
    const captures = spawnSync(threatflow, ["captures", "list", "--json", "--data", dir], {
      encoding: "utf8",
      env: alone,
    });
    expect(captures.stdout.split("\n").filter(Boolean).length).toBeGreaterThanOrEqual(2);
    expect(run("remove", id).status).toBe(0);
    expect(listed()).toHaveLength(2);
  },
  120000,
);
