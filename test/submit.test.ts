/** Between who submits a capture and Elasticsearch something goes wrong: an answer is lost, or there is too much to do. */
import { type ChildProcess, spawn } from "node:child_process";
import { createServer, type IncomingMessage, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { fixture, type Run, type TestCluster, testCluster, threatflow } from "./support/cluster.js";

const CAPTURE = fixture("dns/queries.pcap");
let c: TestCluster;
let server: Server;
/** What becomes of a request; by default it is passed on. */
let fate: (q: IncomingMessage) => "pass" | "lose the answer" | "refuse";
let lost = 0;
beforeAll(async () => {
  c = await testCluster();
  await c.worker(1);
  const target = new URL(process.env.TEST_ELASTICSEARCH_URL as string);
  server = createServer((q, a) => {
    const what = fate(q);
    if (what === "refuse") {
      q.resume();
      a.writeHead(429, { "content-type": "application/json", "x-elastic-product": "Elasticsearch" }).end(
        '{"error":{"type":"circuit_breaking_exception","reason":"too much"},"status":429}',
      );
      return;
    }
    const up = request({ host: target.hostname, port: target.port, path: q.url, method: q.method, headers: q.headers }, (r) => {
      if (what === "lose the answer") {
        lost++;
        r.resume();
        r.on("end", () => a.destroy());
      } else {
        a.writeHead(r.statusCode ?? 502, r.headers);
        r.pipe(a);
      }
    });
    up.on("error", () => a.destroy());
    q.pipe(up);
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
});
afterAll(async () => {
  server.close();
  server.closeAllConnections();
  await c.close();
});
beforeEach(() => {
  fate = () => "pass";
  lost = 0;
});

/** The command line behind the proxy; `said` is told all that it writes to standard error so far. */
function submitter(said: (text: string, child: ChildProcess) => void, ...args: string[]): Promise<Run> {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const child = spawn(threatflow, args, {
    env: { ...c.env, ELASTICSEARCH_URL: url } as NodeJS.ProcessEnv,
    stdio: ["ignore", "pipe", "pipe"],
  });
  said("", child);
  return new Promise((resolve) => {
    const out: Run = { status: null, stdout: "", stderr: "" };
    child.stdout.on("data", (b) => (out.stdout += b));
    child.stderr.on("data", (b) => {
      out.stderr += b;
      said(out.stderr, child);
    });
    child.on("close", (code) => resolve({ ...out, status: code }));
  });
}
const isWrite = (q: IncomingMessage): boolean =>
  /-catalog\//.test(q.url ?? "") && (q.method === "PUT" || q.method === "POST") && !/_search|_refresh|_mget/.test(q.url ?? "");

test.each([[[]], [["--force"]]])("the answer to its claim is lost: the import is its own all the same (%s)", async (more) => {
  fate = (q) => (isWrite(q) && lost === 0 ? "lose the answer" : "pass");
  const r = await submitter(() => undefined, "analyze", CAPTURE, "--json", "--quiet", ...more);
  expect(r.stderr).toBe("");
  expect(r.status).toBe(0);
  expect(lost).toBe(1);
  const { records } = JSON.parse(r.stdout);
  const documents = await c.documents("dns");
  expect(documents.size).toBe(records.dns);
});

test.each([
  ["at the first refusals, of which nothing is said yet", 1],
  ["when the command has said so", Infinity],
])("Elasticsearch has too much to do, and Ctrl-C %s ends the command at once", async (_when, refusals) => {
  let pressed = 0;
  let refused = 0;
  let child: ChildProcess | undefined;
  const press = (): void => {
    pressed ||= performance.now();
    child?.kill("SIGINT");
  };
  fate = (q) => {
    // That the index is there is asked before.
    if (!isWrite(q) && !/_doc\//.test(q.url ?? "")) return "pass";
    if (++refused === refusals) setTimeout(press, 200);
    return "refuse";
  };
  const r = await submitter(
    (text, it) => {
      child = it;
      if (refusals === Infinity && !pressed && /queries.pcap: waiting: Elasticsearch .* answers 429/.test(text)) press();
    },
    "analyze",
    CAPTURE,
    "--force",
  );
  expect(pressed).toBeGreaterThan(0);
  expect(performance.now() - pressed).toBeLessThan(5000);
  expect(r.status).toBe(1);
  expect(r.stderr).toMatch(/no longer waiting/);
});
