/** A cluster for a test: names of its own on the servers that scripts/with-servers.sh started, workers as processes, the command line. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createWriteStream, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "@elastic/elasticsearch";

const root = join(import.meta.dirname, "..", "..");
export const threatflow = join(root, "bin", "threatflow");
export const fixture = (name: string): string => join(root, "fixtures", "pcaps", name);

/** Time that a worker gets to end what it has in hand. */
const DRAIN_MS = 5000;

export interface Run {
  status: number | null;
  stdout: string;
  stderr: string;
}
export interface TestCluster {
  dir: string;
  prefix: string;
  env: Record<string, string | undefined>;
  client: Client;
  /** Starts a worker; resolves when it is ready. */
  worker(concurrency?: number, env?: Record<string, string>): Promise<ChildProcess>;
  run(...args: string[]): Promise<Run>;
  /** The same without a cluster. */
  alone(...args: string[]): Promise<Run>;
  /** Documents with their versions, by id, without `event.ingested`. */
  documents(dataset: string): Promise<Map<string, { version: number; line: string }>>;
  close(): Promise<void>;
}

export async function testCluster(more: Record<string, string> = {}): Promise<TestCluster> {
  const { TEST_REDIS_URL, TEST_ELASTICSEARCH_URL } = process.env;
  if (!TEST_REDIS_URL || !TEST_ELASTICSEARCH_URL) throw new Error("no servers: run this through scripts/with-servers.sh (make jest does)");
  const dir = mkdtempSync(join(tmpdir(), "threatflow-cluster-"));
  const prefix = `test-${process.pid}-${Math.random().toString(36).slice(2, 8)}`;
  const plain: Record<string, string | undefined> = {
    ...process.env,
    REDIS_URL: undefined,
    ELASTICSEARCH_URL: undefined,
    THREATFLOW_DATA: join(dir, "data"),
  };
  const env = {
    ...plain,
    REDIS_URL: TEST_REDIS_URL,
    ELASTICSEARCH_URL: TEST_ELASTICSEARCH_URL,
    THREATFLOW_QUEUE_PREFIX: prefix,
    THREATFLOW_INDEX_PREFIX: prefix,
    ...more,
  };
  const client = new Client({ node: TEST_ELASTICSEARCH_URL });
  const workers: ChildProcess[] = [];
  const log = createWriteStream(join(dir, "workers.log"), { flags: "a" });
  const run = (e: Record<string, string | undefined>, args: string[]): Promise<Run> =>
    new Promise((resolve) => {
      const child = spawn(threatflow, args, { env: e, stdio: ["ignore", "pipe", "pipe"] });
      const out: Run = { status: null, stdout: "", stderr: "" };
      child.stdout.on("data", (b) => (out.stdout += b));
      child.stderr.on("data", (b) => (out.stderr += b));
      child.on("close", (status) => resolve({ ...out, status }));
    });
  return {
    dir,
    prefix,
    env,
    client,
    worker(concurrency = 2, extra = {}) {
      const child = spawn(threatflow, ["worker", "--concurrency", String(concurrency)], {
        env: { ...env, ...extra },
        stdio: ["ignore", "ignore", "pipe"],
      });
      workers.push(child);
      return new Promise((resolve, reject) => {
        let text = "";
        child.stderr.on("data", (b) => {
          log.write(b);
          if (text.length < 1e5) text += b;
          if (text.includes("worker ready")) resolve(child);
        });
        child.on("exit", () => reject(new Error(`the worker ended: ${text}`)));
      });
    },
    run: (...args) => run(env, args),
    alone: (...args) => run(plain, args),
    async documents(dataset) {
      const out = new Map<string, { version: number; line: string }>();
      await client.indices.refresh({ index: `${prefix}-*` });
      for (let after: unknown[] | undefined; ; ) {
        const page = await client.search({
          index: `${prefix}-${dataset}`,
          size: 2000,
          version: true,
          sort: [{ "event.id": "asc" }],
          search_after: after as never,
          ignore_unavailable: true,
        });
        for (const h of page.hits.hits) {
          const source = h._source as { event: { ingested?: string } };
          if (typeof source.event.ingested !== "string") throw new Error(`${h._id} has no event.ingested`);
          source.event.ingested = undefined;
          if (out.has(h._id as string)) throw new Error(`${h._id} is there twice`);
          out.set(h._id as string, { version: h._version as number, line: JSON.stringify(source) });
        }
        after = page.hits.hits.at(-1)?.sort as unknown[] | undefined;
        if (!after) return out;
      }
    },
    async close() {
      await Promise.all(
        workers.map(
          (w) =>
            new Promise<void>((resolve) => {
              if (w.exitCode !== null || w.signalCode !== null) return resolve();
              const late = setTimeout(() => w.kill("SIGKILL"), DRAIN_MS);
              w.on("exit", () => {
                clearTimeout(late);
                resolve();
              });
              w.kill("SIGTERM");
            }),
        ),
      );
      await client.indices.delete({ index: `${prefix}-*`, ignore_unavailable: true }).catch(() => undefined);
      for (const t of (await client.indices.getIndexTemplate({ name: `${prefix}-*` }).catch(() => ({ index_templates: [] })))
        .index_templates)
        await client.indices.deleteIndexTemplate({ name: t.name }).catch(() => undefined);
      await client.close();
      spawnSync("sh", [
        "-c",
        `redis-cli -u ${TEST_REDIS_URL} --scan --pattern '${prefix}:*' | xargs -r -n 500 redis-cli -u ${TEST_REDIS_URL} del`,
      ]);
      log.end();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Lines of a folder of NDJSON by dataset. */
export function linesIn(dir: string): Map<string, string[]> {
  const out = new Map<string, string[]>();
  for (const name of readdirSync(dir).sort())
    if (name.endsWith(".ndjson")) out.set(name.slice(0, -7), readFileSync(join(dir, name), "utf8").split("\n").filter(Boolean));
  return out;
}
