/** A live capture whose records go to Elasticsearch while it runs. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type TestCluster, testCluster, threatflow } from "./support/cluster.js";

const permitted = process.getuid?.() === 0;
if (!permitted) console.log("live capture in a cluster: skipped, capturing needs root here");
const live = permitted ? test : test.skip;
let c: TestCluster;
beforeAll(async () => {
  c = await testCluster();
});
afterAll(() => c.close());

const found = async (...args: string[]): Promise<any[]> =>
  (await c.run("query", ...args, "--format", "ndjson")).stdout
    .split("\n")
    .filter(Boolean)
    .map((l) => JSON.parse(l));
async function until<T>(look: () => Promise<T[]>, enough: number): Promise<T[]> {
  for (let i = 0; ; i++) {
    const all = await look();
    if (all.length >= enough || i === 60) return all;
    await sleep(250);
  }
}

live(
  "flows are there as they stand while it goes on, and as they ended when it is over: each once",
  async () => {
    const server = createServer((s) => void s.pipe(s)).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const child = spawn(threatflow, ["capture", "-i", "lo", "--filter", `tcp port ${port}`, "--follow", "--json", "--quiet"], {
      env: c.env as NodeJS.ProcessEnv,
    });
    let err = "";
    child.stderr.on("data", (b) => (err += b));
    while (!err.includes("capturing on")) await sleep(50);
    for (let i = 0; i < 3; i++) {
      const client = connect(port, "127.0.0.1");
      client.end("hello\n");
      client.resume();
      await once(client, "close");
    }
    const early = await until(() => found("flow.final: false", "--dataset", "flow"), 3);
    expect(early).toHaveLength(3);
    for (const f of early) expect(f).toMatchObject({ flow: { end_reason: "fin", payload_bytes: { source: 6, destination: 6 } } });
    const listed = (await c.run("captures", "list")).stdout;
    expect(listed).toMatch(/recording/);
    const [{ threatflow: of }] = early;
    expect((await c.run("delete", of.capture.id)).stderr).toMatch(/still being recorded/);
    child.kill("SIGINT");
    await once(child, "close");
    server.close();
    const late = await found("*", "--dataset", "flow");
    expect(late).toHaveLength(3);
    expect(late.map((f) => f.event.id).sort()).toEqual(early.map((f) => f.event.id).sort());
    for (const f of late) expect(f.flow.final).toBe(true);
    expect((await c.run("captures", "list")).stdout).toMatch(/complete/);
    expect((await c.run("delete", of.capture.id)).status).toBe(0);
    expect(await found("*")).toEqual([]);
  },
  120_000,
);
