/** Schedules through Redis: one firing for all that run them, in the queue of the machine; what they record goes to Elasticsearch. */
import { type ChildProcess, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type TestCluster, testCluster, threatflow } from "./support/cluster.js";

const permitted = process.getuid?.() === 0;
if (!permitted) console.log("scheduled captures in a cluster: skipped, capturing needs root here");
const live = permitted ? test : test.skip;
let c: TestCluster;
const started: ChildProcess[] = [];
beforeAll(async () => {
  c = await testCluster();
});
afterAll(async () => {
  for (const child of started) child.kill("SIGKILL");
  await c.close();
});
const schedule = (...args: string[]) => c.run("schedule", ...args);
const listed = async (): Promise<any[]> =>
  (await schedule("list", "--json")).stdout
    .split("\n")
    .filter(Boolean)
    .map((l) => JSON.parse(l));
const runsOf = async (id: string): Promise<any[]> => (await listed()).find((s) => s.id === id).runs;
const start = (): ChildProcess => {
  const child = spawn(threatflow, ["schedule", "start"], { stdio: "ignore", env: c.env as NodeJS.ProcessEnv });
  started.push(child);
  return child;
};
const end = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    child.on("close", () => resolve());
    child.kill("SIGINT");
  });

live(
  "two that run schedules: each run is recorded once, by one of them, and its records are in Elasticsearch",
  async () => {
    const socket = createSocket("udp4");
    const chatter = setInterval(() => socket.send("tick", 9, "127.0.0.1"), 50);
    chatter.unref();
    const add = async (...more: string[]): Promise<string> =>
      (await schedule("add", "--every", "5s", "--duration", "1s", "-i", "lo", "--filter", "udp port 9", ...more)).stdout.trim();
    const [id, elsewhere] = [await add(), await add("--on", "another-machine")];
    expect((await listed()).find((s) => s.id === id)).toMatchObject({ host: hostname(), paused: false });
    const two = [start(), start()];
    const done = async (): Promise<any[]> => (await runsOf(id)).filter((r) => r.state === "done");
    for (let i = 0; i < 60 && (await done()).length < 2; i++) await sleep(500);
    const runs = await done();
    expect(runs.length).toBeGreaterThanOrEqual(2);
    expect(new Set(runs.map((r) => r.what)).size).toBe(runs.length);
    expect(new Set(runs.map((r) => r.due)).size).toBe(runs.length);
    for (const r of runs) {
      const all = await c.run("query", "*", "--dataset", "flow", "--capture", r.what, "--count");
      expect(Number(all.stdout.trim())).toBeGreaterThan(0);
    }
    // Its packets lie on this machine.
    const cut = join(c.dir, "cut.pcap");
    expect((await c.run("extract", "--capture", runs[0].what, "--packets", "1-3", "-o", cut)).stderr).toMatch(/3 packets/);
    expect((await schedule("pause", id)).status).toBe(0);
    await sleep(2500);
    const paused = (await runsOf(id)).map((r) => r.due);
    await sleep(6000);
    expect((await runsOf(id)).map((r) => r.due)).toEqual(paused);
    expect(await runsOf(elsewhere)).toEqual([]);
    await Promise.all(two.map(end));
    expect((await schedule("run", id)).status).toBe(0);
    expect((await schedule("resume", id)).status).toBe(0);
    const again = start();
    for (let i = 0; i < 40 && (await runsOf(id))[0].due <= paused[0]; i++) await sleep(500);
    expect((await runsOf(id))[0].due > paused[0]).toBe(true);
    await end(again);
    expect((await schedule("remove", id)).status).toBe(0);
    expect((await listed()).map((s) => s.id)).toEqual([elsewhere]);
    clearInterval(chatter);
    socket.close();
  },
  120000,
);
