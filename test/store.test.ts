/** One capture store, two implementations: a folder, and a bucket of a real S3-compatible server (versitygw). */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CaptureStore, folderStore } from "../dist/ingest/capture-store.js";
import { s3Store } from "../dist/ingest/s3-store.js";
import { fixture, linesIn, testCluster } from "./support/cluster.js";

const gateway = join(import.meta.dirname, "..", ".cache", "bin", "versitygw");
const kinds = existsSync(gateway) ? ["folder", "s3"] : ["folder"];
if (kinds.length === 1) console.log("S3 store: skipped, no versitygw (it is built where Go is installed)");

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const s = createServer().listen(0, "127.0.0.1", () => {
      const { port } = s.address() as { port: number };
      s.close(() => resolve(port));
    });
  });

describe.each(kinds)("%s", (kind) => {
  let dir: string;
  let store: CaptureStore;
  let server: ChildProcess | undefined;
  let env: Record<string, string> = {};
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), "threatflow-store-"));
    if (kind === "folder") {
      store = folderStore(join(dir, "store"));
      return;
    }
    const port = await freePort();
    mkdirSync(join(dir, "buckets", "evidence"), { recursive: true });
    server = spawn(gateway, ["--access", "key", "--secret", "secret", "--port", `127.0.0.1:${port}`, "posix", join(dir, "buckets")], {
      stdio: "ignore",
    });
    Object.assign(process.env, { AWS_ACCESS_KEY_ID: "key", AWS_SECRET_ACCESS_KEY: "secret", AWS_REGION: "us-east-1" });
    env = { THREATFLOW_STORE: "s3://evidence/tf", THREATFLOW_S3_ENDPOINT: `http://127.0.0.1:${port}` };
    for (let i = 0; i < 100; i++) {
      if (
        await fetch(env.THREATFLOW_S3_ENDPOINT).then(
          () => true,
          () => false,
        )
      )
        break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    store = s3Store({ store: env.THREATFLOW_STORE, s3_endpoint: env.THREATFLOW_S3_ENDPOINT, data: join(dir, "data") } as never);
  });
  afterAll(() => {
    server?.kill();
    rmSync(dir, { recursive: true, force: true });
  });

  test.each([
    ["small", 5000],
    ["in several parts", 70 << 20],
  ])("%s: bytes come back as they went in, under their SHA-256", async (_name, size) => {
    const bytes = randomBytes(size);
    const path = join(dir, "given");
    writeFileSync(path, bytes);
    const first = await store.add(path, undefined);
    expect(first).toEqual({ id: createHash("sha256").update(bytes).digest("hex"), bytes: size, fresh: true });
    expect((await store.add(path, undefined)).fresh).toBe(false);
    rmSync(join(dir, "data", "cache"), { recursive: true, force: true }); // another machine
    mkdirSync(join(dir, "data", "cache", ".incoming"), { recursive: true });
    expect(readFileSync(await store.fetch(first.id, "capture")).equals(bytes)).toBe(true);
    await store.remove(first.id);
    expect(await store.has(first.id, "capture")).toBe(false);
    await expect(store.fetch(first.id, "capture")).rejects.toMatchObject({ code: "NO_EVIDENCE" });
  });
  test("parts beside a capture are kept, replaced and dropped", async () => {
    const { id } = await store.add(
      "-",
      (async function* () {
        yield Buffer.from("bytes of a capture");
      })(),
    );
    for (const text of ["one", "two"]) {
      writeFileSync(join(store.scratch, "part"), text);
      await store.keep(id, "index", join(store.scratch, "part"));
      expect(readFileSync(await store.fetch(id, "index"), "utf8")).toBe(text);
    }
    await store.drop(id, "index");
    expect(await store.has(id, "index")).toBe(false);
    expect(await store.has(id, "capture")).toBe(true);
  });
  test("nothing is refused with a reason", async () => {
    await expect(store.add("-", (async function* () {})())).rejects.toMatchObject({ code: "EMPTY_FILE" });
    await expect(store.add(join(dir, "nowhere"), undefined)).rejects.toMatchObject({ code: "NO_SUCH_FILE" });
  });
  test("workers analyse what lies in it; who added what stands in the log", async () => {
    const c = await testCluster(env);
    try {
      await c.worker(2);
      const r = await c.run("analyze", fixture("mixed/everything.pcap"), "--ndjson", join(c.dir, "there"), "--json", "--quiet");
      expect(r.stderr).toBe("");
      await c.alone("analyze", fixture("mixed/everything.pcap"), "--ndjson", join(c.dir, "here"), "--quiet");
      expect(linesIn(join(c.dir, "there"))).toEqual(linesIn(join(c.dir, "here")));
      const { capture } = JSON.parse(r.stdout);
      const log =
        kind === "folder"
          ? readFileSync(join(c.dir, "data", "store", "custody.ndjson"), "utf8")
              .trim()
              .split("\n")
          : readdirSync(join(dir, "buckets", "evidence", "tf", "custody")).map((f) =>
              readFileSync(join(dir, "buckets", "evidence", "tf", "custody", f), "utf8"),
            );
      expect(log.map((l) => JSON.parse(l)).filter((l) => l.id === capture.id)).toMatchObject([
        { what: "added", bytes: 77063, name: expect.stringMatching(/everything\.pcap$/), by: expect.stringMatching(/@/) },
      ]);
    } finally {
      await c.close();
    }
  });
});
