/** A user's own drop and verify functions: the same offline, as a stream, and live. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fixture, threatflow } from "./support/cluster.js";

const MIXED = fixture("mixed/everything.pcap");
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "threatflow-hooks-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));
const env = { ...process.env, REDIS_URL: "", ELASTICSEARCH_URL: "" };
const hook = (text: string): string => {
  const path = join(dir, "hooks.ts");
  writeFileSync(path, text);
  return path;
};
const analyze = (...args: string[]): { status: number | null; stdout: string; stderr: string } =>
  spawnSync(threatflow, ["analyze", MIXED, "--quiet", "--json", ...args], { env, encoding: "utf8" });
/** Typed, as a user writes it: types are stripped. */
const NO_DNS = `
interface Packet { sourcePort?: number; destinationPort?: number }
export const drop = (p: Packet): boolean => p.sourcePort === 53 || p.destinationPort === 53;`;

test("what drop says is left out like what a filter leaves out: the same records, as a file and as a stream", () => {
  const hooks = hook(NO_DNS);
  const hooked = analyze("--hooks", hooks, "--ndjson", join(dir, "hooked"));
  expect(hooked.stderr).toBe("");
  expect(JSON.parse(hooked.stdout)).toMatchObject({
    accounting: { read: 288, decoded: 248, filtered: 40 },
    hooks: { dropped: 40, failed: 0, exceptions: 0 },
  });
  analyze("--filter", "not port 53", "--ndjson", join(dir, "filtered"));
  spawnSync(threatflow, ["analyze", "-", "--no-evidence", "--quiet", "--hooks", hooks, "--ndjson", join(dir, "stream")], {
    env,
    input: readFileSync(MIXED),
  });
  analyze("--hooks", hooks, "--shards", "3", "--window", "65536", "--ndjson", join(dir, "shards"));
  for (const dataset of ["flow", "http", "tls", "capture"])
    for (const other of ["filtered", "stream", "shards"])
      expect([dataset, other, readFileSync(join(dir, other, `${dataset}.ndjson`), "utf8")]).toEqual([
        dataset,
        other,
        readFileSync(join(dir, "hooked", `${dataset}.ndjson`), "utf8"),
      ]);
});

test("what verify says no to is decoded and counted, and an anomaly names the first", () => {
  const r = analyze(
    "--hooks",
    hook(`
import { createHash } from "node:crypto";
export function verify(p) {
  if (p.number === 7 && createHash("md5").update(p.bytes).digest("hex").length !== 32) return false;
  return !(p.tcpFlags === 2 && p.destinationPort === 80 && p.ipVersion === 4 && p.protocol === 6 && p.source.startsWith("198.51.100."));
}`),
    "--ndjson",
    dir,
  );
  const s = JSON.parse(r.stdout);
  expect(s.accounting.decoded).toBe(288);
  expect(s.hooks.failed).toBeGreaterThan(2);
  const found = readFileSync(join(dir, "anomaly.ndjson"), "utf8")
    .trim()
    .split("\n")
    .map((l) => JSON.parse(l))
    .filter((a) => a.anomaly.name === "hook-verify-failed");
  expect(found).toMatchObject([{ anomaly: { layer: "capture", count: s.hooks.failed }, threatflow: { packet: s.hooks.first_failed } }]);
});

test("headers and bytes are those of the packet, tunnels and fragments included", () => {
  const seen = join(dir, "seen");
  const path = hook(`
import { appendFileSync } from "node:fs";
export function verify(p) {
  appendFileSync(${JSON.stringify(seen)}, JSON.stringify([p.number, String(p.time), p.length, p.captured, p.vlan, p.etherType, p.ipVersion, p.source, p.destination, p.protocol, p.sourcePort, p.destinationPort, p.tcpFlags, p.fragment, p.payload.length]) + "\\n");
  return true;
}`);
  spawnSync(threatflow, ["analyze", fixture("mixed/everything.pcap"), "--hooks", path, "--discard", "--quiet"], { env });
  const ours = readFileSync(seen, "utf8")
    .trim()
    .split("\n")
    .map((l) => JSON.parse(l));
  const fields = [
    "frame.number",
    "frame.len",
    "frame.cap_len",
    "ip.src",
    "ip.dst",
    "ip.proto",
    "tcp.srcport",
    "udp.srcport",
    "tcp.flags",
    "tcp.len",
  ];
  const theirs = spawnSync("tshark", ["-r", MIXED, "-T", "fields", "-o", "ip.defragment:FALSE", ...fields.flatMap((f) => ["-e", f])], {
    encoding: "utf8",
  })
    .stdout.trim()
    .split("\n")
    .map((l) => l.split("\t"));
  expect(ours).toHaveLength(theirs.length);
  for (const [i, t] of theirs.entries()) {
    const o = ours[i];
    if (!t[3] || t[3].includes(",")) continue; // no IPv4, or an error that quotes another packet
    expect([o[0], o[2], o[3], o[7], o[8], o[9]].map(String)).toEqual(t.slice(0, 6));
    if (t[6]) expect([o[10], o[12], o[14]]).toEqual([Number(t[6]), Number(t[8]) & 0xff, Number(t[9])]);
    else if (t[7] && !t[7].includes(",")) expect(o[10]).toBe(Number(t[7]));
  }
});

test("a hook that throws loses nothing; one that hangs is ended; one that is none is refused; what it says is part of the import", () => {
  const thrown = JSON.parse(
    analyze("--discard", "--hooks", hook("export const drop = (p) => { if (p.number % 50 === 0) throw new Error('no'); };")).stdout,
  );
  expect(thrown).toMatchObject({
    accounting: { decoded: 288 },
    hooks: { dropped: 0, exceptions: 5, first_exception: expect.stringMatching(/^packet 50: Error: no/) },
  });
  const hung = analyze("--discard", "--hooks", hook("export const drop = (p) => { while (p.number === 100); };"));
  expect([hung.status, hung.stderr]).toEqual([1, expect.stringMatching(/took longer than 10 s for 288 packets, from packet 1 on/)]);
  const none = analyze("--discard", "--hooks", hook("export const dorp = () => true;"));
  expect([none.status, none.stderr]).toEqual([1, expect.stringMatching(/exports neither drop nor verify/)]);
  expect(analyze("--discard", "--hooks", hook("export const drop = (")).stderr).toMatch(/hooks\.ts: /);
  expect(analyze("--discard", "--hooks", join(dir, "nowhere.ts")).stderr).toMatch(/no such file/);
  const data = ["--data", join(dir, "data")];
  expect(analyze(...data, "--hooks", hook(NO_DNS)).status).toBe(0);
  expect(JSON.parse(analyze(...data, "--hooks", hook(NO_DNS)).stdout).already_imported).toBe(true);
  expect(analyze(...data).stderr).toMatch(/imported already with other options: hooks was/);
}, 60000);
