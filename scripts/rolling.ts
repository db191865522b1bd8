/**
 * A long rolling capture on a veth pair, with retention: replayed traffic of real servers, a connection that stays open all the time, the interface
 * taken down and up in the middle, tcpdump beside it. `node scripts/rolling.ts [MINUTES]`, 30 by default; needs root, tcpreplay and tcpdump.
 * Medians of memory and descriptors (a process that joins files comes and goes) of the last quarter must be those of the second; every packet that
 * tcpdump saw must be accounted for; segments that
 * --keep leaves must open, and no more may be there; the interface must be as it was.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { held, tree } from "./processes.ts";

const root = join(import.meta.dirname, "..");
const threatflow = join(root, "bin", "threatflow");
const minutes = Number(process.argv[2] ?? 30);
const KEPT_FILES = 30;
const A = `tfroll${process.pid}a`;
const B = `tfroll${process.pid}b`;
const dir = mkdtempSync(join(tmpdir(), "threatflow-rolling-"));
const sh = (command: string): string => {
  const r = spawnSync("bash", ["-c", command], { encoding: "utf8" });
  if (r.status !== 0) throw new Error(`${command}: ${r.stderr}`);
  return r.stdout;
};
const flags = (): number => Number.parseInt(sh(`ip netns exec ${B} cat /sys/class/net/vb/flags`), 16);
const PROMISCUOUS = 0x100;

interface Look {
  quarter: number;
  memory: number;
  descriptors: number;
  segments: number;
}
const segments = (): string[] => {
  try {
    const [id] = readdirSync(join(dir, "captures"));
    return readdirSync(join(dir, "captures", id))
      .filter((f) => /^\d+\.pcap$/.test(f))
      .map((f) => join(dir, "captures", id, f));
  } catch {
    return [];
  }
};
const inB = (...args: string[]): ChildProcess => spawn("ip", ["netns", "exec", B, ...args], { stdio: ["ignore", "pipe", "pipe"] });
const begun = (p: ChildProcess, word: string): Promise<void> =>
  new Promise((resolve, reject) => {
    let said = "";
    p.stderr?.on("data", (b) => {
      said += b;
      if (said.includes(word)) resolve();
    });
    p.on("close", () => reject(new Error(said)));
  });

const problems: string[] = [];
try {
  sh(`ip netns add ${A} && ip netns add ${B} && ip link add va netns ${A} type veth peer name vb netns ${B} &&
      ip -n ${A} link set va mtu 9000 up && ip -n ${B} link set vb mtu 9000 up &&
      ip -n ${A} addr add 10.9.0.1/24 dev va && ip -n ${B} addr add 10.9.0.2/24 dev vb`);
  await sleep(2000); // what the kernel says of itself when a link comes up
  const before = flags();
  const recorder = inB(
    ...[threatflow, "capture", "-i", "vb", "--rotate", "10s", "--keep", `${KEPT_FILES}f`, "--data", dir, "--json", "--status", "json"],
  );
  let summary = "";
  recorder.stdout?.on("data", (b) => (summary += b));
  await begun(recorder, "capturing on");
  if ((flags() & PROMISCUOUS) === 0 && (before & PROMISCUOUS) === 0 && !/promiscuity [1-9]/.test(sh(`ip -n ${B} -d link show vb`)))
    problems.push("the interface is not promiscuous");
  const tcpdump = inB("tcpdump", "-i", "vb", "-w", "/dev/null", "-B", "65536");
  let counted = "";
  tcpdump.stderr?.on("data", (b) => (counted += b));
  await begun(tcpdump, "listening");
  const server = inB(process.execPath, "-e", 'require("net").createServer((s) => s.on("error", () => 0).pipe(s)).listen(7777)');
  await sleep(500);
  const client = spawn(
    "ip",
    [
      "netns",
      "exec",
      A,
      process.execPath,
      "-e",
      'const s = require("net").connect(7777, "10.9.0.2"); setInterval(() => s.write("hello\\n"), 1000); s.resume()',
    ],
    { stdio: "ignore" },
  );
  const replay = spawn("bash", [
    "-c",
    `while ip netns exec ${A} tcpreplay -q -i va --pps=1500 --loop=20 ${join(root, "fixtures/pcaps/mixed/everything.pcap")} >/dev/null 2>&1; do :; done`,
  ]);
  const looks: Look[] = [];
  const start = Date.now();
  const length = minutes * 60_000;
  let taken = false;
  while (Date.now() - start < length) {
    await sleep(1000);
    looks.push({
      quarter: Math.floor((4 * (Date.now() - start)) / length),
      segments: segments().length,
      ...held(recorder.pid as number),
    });
    if (!taken && Date.now() - start > length * 0.4) {
      taken = true;
      sh(`ip -n ${B} link set vb down; sleep 2; ip -n ${B} link set vb up`);
    }
    if (recorder.exitCode !== null) throw new Error("the recorder ended by itself");
  }
  replay.kill("SIGKILL");
  sh(`ip netns pids ${A} | xargs -r kill`);
  client.kill();
  await sleep(2000);
  for (const p of [recorder, tcpdump]) for (const pid of tree(p.pid as number).slice(0, 1)) process.kill(pid, "SIGINT");
  await Promise.all([recorder, tcpdump].map((p) => new Promise((r) => (p.exitCode === null ? p.on("close", r) : r(undefined)))));
  server.kill();
  const s = JSON.parse(summary);
  const a = s.accounting;
  const seen = Number(/(\d+) packets received by filter/.exec(counted)?.[1]);
  const of = (n: number, what: keyof Look): number => Math.max(...looks.filter((l) => l.quarter === n).map((l) => l[what]));
  const median = (n: number, what: "memory" | "descriptors"): number => {
    const all = looks.filter((l) => l.quarter === n).map((l) => l[what]);
    return all.sort((x, y) => x - y)[all.length >> 1];
  };
  console.log(
    "| quarter | memory MB (median) | memory MB (most) | descriptors (median) | descriptors (most) | segments (most) |\n|---|---:|---:|---:|---:|---:|",
  );
  for (let n = 0; n < 4; n++)
    console.log(
      `| ${n + 1} | ${median(n, "memory").toFixed(0)} | ${of(n, "memory").toFixed(0)} | ${median(n, "descriptors")} | ${of(n, "descriptors")} | ${of(n, "segments")} |`,
    );
  if (median(3, "memory") > 1.1 * median(1, "memory")) problems.push("memory grows");
  if (median(3, "descriptors") > median(1, "descriptors")) problems.push("descriptors grow");
  if (of(3, "segments") > KEPT_FILES + 2) problems.push("--keep does not hold");
  if (a.kernel_received !== a.read + a.kernel_dropped) problems.push(`received is not read and dropped: ${JSON.stringify(a)}`);
  if (a.read !== a.decoded + a.filtered + a.duplicate + Object.values(a.undecodable as Record<string, number>).reduce((x, y) => x + y, 0))
    problems.push(`accounting: ${JSON.stringify(a)}`);
  // They start and end a moment apart.
  if (Math.abs(seen - a.kernel_received) > 50) problems.push(`tcpdump saw ${seen}, we ${a.kernel_received}`);
  for (const f of segments()) sh(`tcpdump -r ${f} -w /dev/null`);
  if (flags() !== before || !/promiscuity 0/.test(sh(`ip -n ${B} -d link show vb`))) problems.push("the interface is not as it was");
  console.log(
    `rolling: ${minutes} min, ${a.read} packets (${a.kernel_dropped} dropped by the kernel; tcpdump saw ${seen}), ${Object.values(s.records as Record<string, number>).reduce((x, y) => x + y, 0)} records, ${segments().length} segments kept, ${problems.length ? problems.join("; ") : "flat, all accounted for"}`,
  );
} finally {
  spawnSync("bash", ["-c", `for n in ${A} ${B}; do ip netns pids $n | xargs -r kill -9; ip netns del $n; done`]);
  rmSync(dir, { recursive: true, force: true });
}
process.exit(problems.length ? 1 : 0);
