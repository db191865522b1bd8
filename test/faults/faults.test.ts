/**
 * Exactly once under faults: while a large capture is imported workers are killed, the disk of one is full, Redis and Elasticsearch are restarted, a
 * proxy answers 429.
 * In the end the documents are those of one machine, none missing, none twice. It restarts servers, so it runs alone: `make faults`.
 */
import { type ChildProcess, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { createServer, request as httpRequest, type Server } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { linesIn, type TestCluster, testCluster } from "../support/cluster.js";

const root = join(import.meta.dirname, "..", "..");
const CAPTURE = join(root, ".cache", "test", "faults.pcap");
const SMALL = join(root, ".cache", "test", "faults-small.pcap");
const servers = process.env.TEST_SERVERS as string;
const sh = (command: string): void => {
  const r = spawnSync("bash", ["-c", command], { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  if (r.status !== 0) throw new Error(`${command}: ${r.stderr}`);
};

/** Passes requests on; answers 429 to a part of the bulk requests, whole or for some of their items, and to half of what is asked of the catalogue. */
function grumpyProxy(to: string): Promise<{ server: Server; url: string; refused: () => number }> {
  let n = 0;
  let looks = 0;
  let refused = 0;
  const target = new URL(to);
  const server = createServer((q, a) => {
    const bulk = q.url?.includes("_bulk");
    if ((bulk && ++n % 3 === 0) || (q.url?.includes("-catalog/") && ++looks % 2 === 0)) {
      if (bulk) refused++;
      q.resume();
      q.on("end", () =>
        a
          .writeHead(429, { "content-type": "application/json", "x-elastic-product": "Elasticsearch" })
          .end('{"error":{"type":"es_rejected_execution_exception","reason":"queue is full"},"status":429}'),
      );
      return;
    }
    const { "accept-encoding": _, ...headers } = q.headers;
    const up = httpRequest({ host: target.hostname, port: target.port, path: q.url, method: q.method, headers }, (r) => {
      if (!bulk || n % 3 !== 1) {
        a.writeHead(r.statusCode ?? 502, r.headers);
        r.pipe(a);
        return;
      }
      let text = "";
      r.on("data", (b) => (text += b));
      r.on("end", () => {
        const body = JSON.parse(text);
        // The first items were done and yet are told as refused: doing them again must change nothing.
        for (const item of body.items?.slice(0, 5) ?? []) {
          item.index.status = 429;
          item.index.error = { type: "es_rejected_execution_exception", reason: "told so by the proxy" };
        }
        const out = Buffer.from(JSON.stringify(body));
        const { "transfer-encoding": _, ...answered } = r.headers;
        a.writeHead(r.statusCode ?? 502, { ...answered, "content-length": out.length }).end(out);
      });
    });
    up.on("error", () => a.destroy());
    q.pipe(up);
  });
  return new Promise((resolve) =>
    server.listen(0, "127.0.0.1", () =>
      resolve({ server, url: `http://127.0.0.1:${(server.address() as { port: number }).port}`, refused: () => refused }),
    ),
  );
}

/** A folder that is full after 2 MB; undefined where this machine does not let us. */
function smallDisk(path: string): string | undefined {
  mkdirSync(path);
  if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", path]).status !== 0) return undefined;
  mounted.push(path);
  return path;
}
const mounted: string[] = [];

let c: TestCluster;
let proxy: Awaited<ReturnType<typeof grumpyProxy>>;
beforeAll(async () => {
  mkdirSync(join(root, ".cache", "test"), { recursive: true });
  if (!existsSync(CAPTURE)) sh(`.node/bin/node scripts/generate-capture.ts ${CAPTURE} 560`);
  if (!existsSync(SMALL)) sh(`.node/bin/node scripts/generate-capture.ts ${SMALL} 150`);
  proxy = await grumpyProxy(process.env.TEST_ELASTICSEARCH_URL as string);
  c = await testCluster();
});
afterAll(async () => {
  for (const path of mounted) spawnSync("umount", ["-l", path]);
  await c.close();
  proxy.server.closeAllConnections();
  proxy.server.close();
});

async function expectSameDocuments(here: string): Promise<void> {
  for (const [dataset, lines] of linesIn(here)) {
    const documents = await c.documents(dataset);
    expect(documents.size).toBe(lines.length);
    let different = 0;
    for (const line of lines) {
      const record = JSON.parse(line);
      if (documents.get(record.event.id)?.line !== JSON.stringify(record)) different++;
    }
    expect([dataset, different]).toEqual([dataset, 0]);
    expect(new Set([...documents.values()].map((d) => d.version)).size).toBe(1);
  }
}

test("a shard whose worker is killed goes on from its last checkpoint, in another worker", async () => {
  const here = join(c.dir, "before");
  expect((await c.alone("analyze", SMALL, "--ndjson", here, "--quiet")).status).toBe(0);
  const env = { THREATFLOW_CHECKPOINT_ROWS: "8000" };
  const first = await c.worker(1, env);
  const imported = c.run("analyze", SMALL, "--shards", "1", "--json", "--quiet");
  const store = join(c.dir, "data", "store");
  const kept = (): string | undefined =>
    existsSync(store) ? readdirSync(store, { recursive: true, encoding: "utf8" }).find((n) => n.endsWith("-at")) : undefined;
  while (!kept()) await sleep(20);
  first.kill("SIGKILL");
  await c.worker(1, env);
  expect(JSON.parse((await imported).stdout)).toMatchObject({ status: "complete", set_aside: [], refused_documents: 0 });
  await expectSameDocuments(here);
  const resumed = readFileSync(join(c.dir, "workers.log"), "utf8").match(/"rows":(\d+),"msg":"goes on from its checkpoint"/);
  expect(Number(resumed?.[1])).toBeGreaterThanOrEqual(8000);
  expect(readdirSync(store, { recursive: true, encoding: "utf8" }).filter((n) => /-at$|-state-/.test(n))).toEqual([]);
  expect((await c.run("delete", JSON.parse((await imported).stdout).capture.id)).status).toBe(0);
}, 120000);

test("a worker whose disk is full gives the survey back, and another does it", async () => {
  const full = smallDisk(join(c.dir, "full"));
  if (!full) return console.log("full disk: skipped, no file system can be mounted here");
  const cramped = await c.worker(1, { TMPDIR: full });
  const imported = c.run("analyze", SMALL, "--json", "--quiet");
  while (!readFileSync(join(c.dir, "workers.log"), "utf8").includes("DISK_FULL")) await sleep(50);
  cramped.kill("SIGKILL");
  await c.worker(1);
  const r = await imported;
  expect({ status: r.status, said: r.stderr }).toEqual({ status: 0, said: "" });
  expect(JSON.parse(r.stdout)).toMatchObject({ status: "complete", set_aside: [], refused_documents: 0 });
  expect((await c.run("delete", JSON.parse(r.stdout).capture.id)).status).toBe(0);
}, 120000);

test("the documents are those of one machine, whatever happens on the way", async () => {
  const here = join(c.dir, "here");
  expect((await c.alone("analyze", CAPTURE, "--ndjson", here, "--quiet")).status).toBe(0);
  const env = { ELASTICSEARCH_URL: proxy.url, THREATFLOW_CHECKPOINT_ROWS: "150000" };
  const workers: ChildProcess[] = [await c.worker(2, env), await c.worker(2, env)];
  const cramped = smallDisk(join(c.dir, "cramped"));
  const short = cramped === undefined ? undefined : await c.worker(1, { ...env, TMPDIR: cramped });
  let over = false;
  const imported = c.run("analyze", CAPTURE, "--shards", "12", "--json", "--quiet").finally(() => {
    over = true;
  });
  let kills = 0;
  const killer = (async () => {
    while (!over && kills < 12) {
      await sleep(1000 + Math.random() * 700);
      const i = kills % workers.length;
      workers[i].kill("SIGKILL");
      kills++;
      // A server may be away just now: a worker that finds none says so and ends, as under a supervisor it is started again.
      for (;;) {
        try {
          workers[i] = await c.worker(2, env);
          break;
        } catch {
          await sleep(1000);
        }
      }
    }
  })();
  const full = (async () => {
    const told = (): boolean => readFileSync(join(c.dir, "workers.log"), "utf8").includes("DISK_FULL");
    while (short && !over && !told()) await sleep(200);
    short?.kill("SIGKILL");
  })();
  // A command that begins while Redis is away says so and ends: the faults are for one that is on its way.
  while (!over && !(await c.run("jobs", "list", "--json")).stdout.includes('"decoding"')) await sleep(100);
  const port = new URL(process.env.TEST_REDIS_URL as string).port;
  sh(`redis-cli -p ${port} shutdown nosave || true`);
  await sleep(2000);
  sh(
    `redis-server --port ${port} --bind 127.0.0.1 --appendonly yes --maxmemory-policy noeviction --dir ${servers}/redis --daemonize yes --pidfile ${servers}/redis.pid --logfile ${servers}/redis.log`,
  );
  await sleep(2000);
  const es = new URL(process.env.TEST_ELASTICSEARCH_URL as string).port;
  sh(`bash scripts/servers/elasticsearch.sh stop ${servers}/elasticsearch`);
  await sleep(10000);
  sh(`bash scripts/servers/elasticsearch.sh start ${servers}/elasticsearch ${es}`);
  const r = await imported;
  await killer;
  await full;
  expect({ status: r.status, said: r.stderr }).toEqual({ status: 0, said: "" });
  const summary = JSON.parse(r.stdout);
  expect(summary).toMatchObject({ status: "complete", refused_documents: 0, set_aside: [] });
  expect(kills).toBeGreaterThan(2);
  expect(proxy.refused()).toBeGreaterThan(0);
  await expectSameDocuments(here);
  const log = readFileSync(join(c.dir, "workers.log"), "utf8");
  if (cramped) expect(log).toMatch(/DISK_FULL/);
  expect(readFileSync(join(servers, "redis.log"), "utf8")).toMatch(/ready to accept/i);
}, 600000);
