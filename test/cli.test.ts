/** What a user meets on the command line: results, errors in one line, exit statuses, nothing half-written. */
import { type SpawnSyncReturns, spawn, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";

import { numbers, packetsOf } from "./support/captures.ts";

const root = join(import.meta.dirname, "..");
const fixture = join(root, "fixtures", "pcaps", "mixed", "everything.pcap");
let dir: string;
const run = (args: string[], options: { input?: Buffer; env?: Record<string, string> } = {}): SpawnSyncReturns<string> =>
  spawnSync(join(root, "bin", "threatflow"), args, {
    encoding: "utf8",
    timeout: 60000,
    input: options.input as never,
    env: { ...process.env, THREATFLOW_DATA: join(dir, "data"), ...options.env },
    maxBuffer: 64 << 20,
  });
const json = (r: SpawnSyncReturns<string>): any => {
  if (!r.stdout) throw new Error(`exit ${r.status ?? r.signal}, nothing printed: ${r.stderr}`);
  return JSON.parse(r.stdout.trim().split("\n").at(-1) as string);
};

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "threatflow-cli-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test("analyze prints a summary object and writes sorted NDJSON", () => {
  const r = run(["analyze", fixture, "--ndjson", join(dir, "out"), "--json"]);
  expect(r.status).toBe(0);
  const s = json(r);
  expect(s.capture).toMatchObject({ format: "pcap", linktypes: ["ETHERNET"] });
  expect(s.capture.id).toMatch(/^[0-9a-f]{64}$/);
  expect(s.accounting.read).toBe(s.capture.packets);
  for (const [dataset, n] of Object.entries(s.records)) {
    const lines = readFileSync(join(dir, "out", `${dataset}.ndjson`), "utf8")
      .trim()
      .split("\n");
    expect(lines.length).toBe(n);
    const times = lines.map((l) => JSON.parse(l)["@timestamp"]);
    expect(times).toEqual([...times].sort());
  }
  expect(readdirSync(join(dir, "out")).filter((n) => n.startsWith("."))).toEqual([]);
});

test("the summary for people says when, who, what, the accounting and what to try next", () => {
  const r = run(["analyze", fixture]);
  expect(r.status).toBe(0);
  for (const word of ["time", "hosts", "protocols", "talkers", "odd", "packets = ", "decoded", "next: threatflow query"])
    expect(r.stdout).toContain(word);
});

test("importing twice changes nothing; other options need --force", () => {
  const first = json(run(["analyze", fixture, "--json"]));
  const again = json(run(["analyze", fixture, "--json", "--ndjson", join(dir, "out"), "--data", join(dir, "data")]));
  expect(again.already_imported).toBe(true);
  expect(again.records).toEqual(first.records);
  const direct = run(["analyze", fixture, "--ndjson", join(dir, "direct")]);
  expect(direct.status).toBe(0);
  for (const f of readdirSync(join(dir, "direct")))
    expect(readFileSync(join(dir, "out", f), "utf8")).toBe(readFileSync(join(dir, "direct", f), "utf8"));
  const other = run(["analyze", fixture, "--filter", "tcp"]);
  expect(other.status).toBe(1);
  expect(other.stderr).toContain("--force");
  expect(json(run(["analyze", fixture, "--filter", "tcp", "--force", "--json"])).accounting.filtered).toBeGreaterThan(0);
});

describe("bad input is one clear line", () => {
  const bad = (name: string, content: Buffer | undefined, words: RegExp): void => {
    const path = join(dir, name);
    if (content) writeFileSync(path, content);
    const r = run(["analyze", path, "--ndjson", join(dir, "out")]);
    expect(r.status).toBe(1);
    expect(r.stderr.trim().split("\n")).toHaveLength(1);
    expect(r.stderr).toMatch(words);
    expect(existsSync(join(dir, "out")) ? readdirSync(join(dir, "out")) : []).toEqual([]);
  };
  test("no file", () => bad("absent.pcap", undefined, /no such file/));
  test("an empty file", () => bad("empty.pcap", Buffer.alloc(0), /is empty/));
  test("a JPEG", () => bad("photo.pcap", Buffer.from("ffd8ffe000104a464946", "hex"), /JPEG/));
  test("half a file header", () => bad("half.pcap", readFileSync(fixture).subarray(0, 20), /ends inside its file header/));
  test("a gzip of nothing", () => bad("nothing.pcap.gz", gzipSync(Buffer.alloc(0)), /nothing/));
  test("a gzip cut at its beginning", () => bad("cut.gz", gzipSync(readFileSync(fixture)).subarray(0, 8), /nothing|empty/));
  test("a folder without captures", () => {
    mkdirSync(join(dir, "folder"));
    const r = run(["analyze", join(dir, "folder")]);
    expect(r.status).toBe(1);
    expect(r.stderr).toMatch(/no capture/);
  });
  test("a filter that is none", () => {
    const r = run(["analyze", fixture, "--filter", "tcp port frog"]);
    expect(r.status).toBe(1);
    expect(r.stderr).toMatch(/filter/);
  });
  test("wrong usage is exit 2", () => {
    expect(run(["analyze"]).status).toBe(2);
    expect(run(["analyze", fixture, "--workers", "none"]).status).toBe(2);
    expect(run(["frobnicate"]).status).toBe(2);
  });
});

test("a pcap header alone is a capture without packets", () => {
  const path = join(dir, "header.pcap");
  writeFileSync(path, readFileSync(fixture).subarray(0, 24));
  const s = json(run(["analyze", path, "--ndjson", join(dir, "out"), "--json"]));
  expect(s.accounting).toEqual({ read: 0, decoded: 0, filtered: 0, undecodable: {}, duplicate: 0 });
});

test("a file cut short gives every whole packet and says where it ends; --strict makes that exit 3", () => {
  const path = join(dir, "cut.pcap");
  copyFileSync(fixture, path);
  truncateSync(path, readFileSync(fixture).length - 7);
  const r = run(["analyze", path, "--ndjson", join(dir, "out"), "--json", "--strict"]);
  expect(r.status).toBe(3);
  const s = json(r);
  const whole = json(run(["analyze", fixture, "--ndjson", join(dir, "whole"), "--json"]));
  expect(s.capture.packets).toBe(whole.capture.packets - 1);
  expect(s.damage.truncated_at).toBeGreaterThan(0);
});

test("a record length of 4 GB is skipped and counted, the packets behind it are found again", () => {
  const bytes = Buffer.from(readFileSync(fixture));
  let at = 24;
  for (let i = 0; i < 10; i++) at += 16 + bytes.readUInt32LE(at + 8);
  bytes.writeUInt32LE(0xfffffff0, at + 8);
  const path = join(dir, "broken.pcap");
  writeFileSync(path, bytes);
  const s = json(run(["analyze", path, "--ndjson", join(dir, "out"), "--json"]));
  expect(s.damage.broken_records).toBe(1);
  const whole = json(run(["analyze", fixture, "--ndjson", join(dir, "whole"), "--json"]));
  expect(s.capture.packets).toBe(whole.capture.packets - 1);
});

test("compressed captures and stdin give the records of the plain file, all frames of a .zst included", () => {
  const plain = readFileSync(fixture);
  const flows = (file: string[], input?: Buffer): number =>
    json(run(["analyze", ...file, "--ndjson", join(dir, "o"), "--json"], { input })).records.flow;
  const expected = flows([fixture]);
  writeFileSync(join(dir, "a.gz"), gzipSync(plain));
  const half = plain.length >> 1;
  writeFileSync(join(dir, "a.zst"), Buffer.concat([zstdCompressSync(plain.subarray(0, half)), zstdCompressSync(plain.subarray(half))]));
  writeFileSync(
    join(dir, "members.gz"),
    Buffer.concat([gzipSync(plain.subarray(0, half)), gzipSync(plain.subarray(half)), Buffer.from("junk")]),
  );
  expect(flows([join(dir, "a.gz")])).toBe(expected);
  expect(flows([join(dir, "a.zst")])).toBe(expected);
  expect(flows([join(dir, "members.gz")])).toBe(expected);
  expect(flows(["-"], plain)).toBe(expected);
});

test("a worker that dies is replaced; after a second death its shard is set aside, counted and named", () => {
  const r = run(["analyze", fixture, "--ndjson", join(dir, "out"), "--json", "--workers", "2", "--shards", "1"], {
    env: { THREATFLOW_TEST_CRASH: "0:SIGSEGV" },
  });
  expect(r.status).toBe(3);
  const s = json(r);
  expect(s.status).toBe("partial");
  expect(s.set_aside).toHaveLength(1);
  expect(s.set_aside[0].reason).toMatch(/died 2 times/);
  expect(s.accounting.undecodable["worker-crash"]).toBe(s.set_aside[0].packets);
  expect(s.accounting.read).toBe(s.accounting.decoded + s.accounting.undecodable["worker-crash"]);
});

test("what a worker came to before it died is kept: it goes on from its checkpoint, and only what lies behind the last one is set aside", () => {
  const env = { THREATFLOW_CHECKPOINT_ROWS: "100" };
  const all = json(run(["analyze", fixture, "--ndjson", join(dir, "all"), "--json", "--workers", "1", "--shards", "1"], { env }));
  expect(all.capture.packets).toBeGreaterThan(250);
  const r = run(["analyze", fixture, "--ndjson", join(dir, "part"), "--json", "--workers", "1", "--shards", "1", "--force"], {
    env: { ...env, THREATFLOW_TEST_CRASH: "0:SIGSEGV:250" },
  });
  expect(r.status).toBe(3);
  const s = json(r);
  expect(s.set_aside).toEqual([expect.objectContaining({ shard: 0, packets: all.accounting.decoded - 200 })]);
  expect(s.accounting.undecodable["worker-crash"]).toBe(s.set_aside[0].packets);
  const lines = (name: string): string[] =>
    readFileSync(join(dir, name, "dns.ndjson"), "utf8")
      .trim()
      .split("\n");
  const whole = new Set(lines("all"));
  expect(lines("part").filter((l) => whole.has(l)).length).toBeGreaterThan(5);
});

test("query answers with the language, top and CSV; extract gives a capture that tcpdump reads", () => {
  run(["analyze", fixture]);
  expect(run(["query", "dns.question.name: *.example and not dns.response_code: NXDOMAIN", "--count"]).stdout.trim()).toMatch(/^[1-9]/);
  expect(run(["query", "source.ip: 198.51.100.0/24", "--dataset", "flow", "--count"]).stdout.trim()).toBe(
    run(["query", "source.ip: 198.51.100.*", "--dataset", "flow", "--count"]).stdout.trim(),
  );
  expect(run(["query", "--top", "network.protocol", "--dataset", "flow"]).stdout).toContain("http");
  expect(run(["query", "*", "--dataset", "http", "--format", "csv", "--fields", "http.request.method,url.path"]).stdout).toMatch(
    /^http\.request\.method,url\.path\r\n/,
  );
  expect(run(["query", "no.such.field: 1"]).status).toBe(1);
  expect(run(["query", "( a"]).stderr).toMatch(/character/);
  const flow = JSON.parse(run(["query", "network.protocol: http", "--dataset", "flow", "--limit", "1", "--format", "ndjson"]).stdout);
  const out = join(dir, "flow.pcap");
  const r = run(["extract", "--flow", flow.flow.id, "-o", out]);
  expect(r.status).toBe(0);
  const listed = spawnSync("tcpdump", ["-nr", out], { encoding: "utf8" });
  expect(listed.stdout.trim().split("\n")).toHaveLength(flow.network.packets);
});

test("extract over two link types writes pcapng, each packet with its own and its time to the nanosecond", () => {
  const n = numbers(false);
  const block = (type: number, ...body: Buffer[]): Buffer => {
    const all = Buffer.concat(body);
    return Buffer.concat([n([4, type], [4, all.length + 12]), all, n([4, all.length + 12])]);
  };
  const [ethernet] = packetsOf(fixture);
  const ip = ethernet.bytes.subarray(14);
  const linktype = (link: number): Buffer =>
    block(1, n([2, link], [2, 0], [4, 65535], [2, 9], [2, 1]), Buffer.of(9, 0, 0, 0), n([2, 0], [2, 0]));
  const packet = (iface: number, bytes: Buffer): Buffer =>
    block(6, n([4, iface], [4, 0], [4, 7], [4, bytes.length], [4, bytes.length]), bytes, Buffer.alloc(-bytes.length & 3));
  const two = join(dir, "two.pcapng");
  const section = block(0x0a0d0d0a, n([4, 0x1a2b3c4d], [2, 1], [2, 0]), Buffer.alloc(8, 0xff));
  writeFileSync(two, Buffer.concat([section, linktype(1), linktype(101), packet(0, ethernet.bytes), packet(1, ip)]));
  const { capture } = JSON.parse(run(["analyze", two, "--json"]).stdout);
  const out = join(dir, "both.pcapng");
  expect(run(["extract", "--packets", "1-2", "--capture", capture.id, "-o", out]).status).toBe(0);
  const r = spawnSync("tshark", ["-r", out, "-T", "fields", "-e", "frame.encap_type", "-e", "frame.time_epoch", "-e", "ip.src"], {
    encoding: "utf8",
  });
  const [a, b] = r.stdout
    .trim()
    .split("\n")
    .map((l) => l.split("\t"));
  expect([a.slice(0, 2), b.slice(0, 2), a[2] === b[2]]).toEqual([["1", "0.000000007"], ["7", "0.000000007"], true]);
});

describe("filter", () => {
  const program = (format: string): string => run(["filter", "compile", "tcp port 80", "--format", format]).stdout;
  test("compile prints what tcpdump does, and each form is read again", () => {
    for (const [format, flag] of [
      ["dd", "-dd"],
      ["ddd", "-ddd"],
    ]) {
      const theirs = spawnSync("tcpdump", [flag, "-y", "EN10MB", "tcp port 80"], { encoding: "utf8" }).stdout;
      expect(program(format).replace(/\s+/g, " ").trim()).toBe(theirs.replace(/\s+/g, " ").trim());
    }
    const want = run(["filter", "run", "tcp port 80", fixture, "--json"]).stdout;
    for (const format of ["dd", "ddd", "iptables"]) expect(run(["filter", "run", program(format), fixture, "--json"]).stdout).toBe(want);
    expect(program("d")).toMatch(/^\(000\) ldh/);
    expect(run(["filter", "compile", "tcp", "--format", "xml"]).stderr).toMatch(/--format is dd, ddd, d or iptables/);
    expect(run(["filter", "compile", "no such thing"]).status).not.toBe(0);
  });
  test("run counts as tcpdump does, tells how often each instruction is reached, and where two filters differ", () => {
    const count = Number(spawnSync("sh", ["-c", `tcpdump -nr ${fixture} tcp port 80 2>/dev/null | wc -l`], { encoding: "utf8" }).stdout);
    const one = JSON.parse(run(["filter", "run", "tcp port 80", fixture, "--json"]).stdout);
    expect(one).toMatchObject({ packets: 288, filters: [{ matched: count, dropped: 288 - count }], differing: 0 });
    expect(one.filters[0].hits.ETHERNET[0]).toBe(288);
    expect(run(["filter", "run", "tcp port 80", fixture]).stdout).toMatch(
      new RegExp(`^288 packets = ${count} matched \\+ ${288 - count} dropped`),
    );
    const two = run(["filter", "run", "tcp port 80", fixture, "--beside", "tcp port 80 and ip6"]).stdout;
    const six = Number(
      spawnSync("sh", ["-c", `tcpdump -nr ${fixture} ip6 and tcp port 80 2>/dev/null | wc -l`], { encoding: "utf8" }).stdout,
    );
    expect(two).toMatch(new RegExp(`the two differ in ${count - six} packets:\\n  packet \\d+: \\d+ bytes \\| dropped`));
    expect(run(["filter", "run", "udp", fixture, "--beside", "ip proto 17 or ip6 proto 17"]).stdout).toContain(
      "the two agree on every packet",
    );
  });
  test("verify names the instruction and the rule; explain says what loads mean and which verdicts there are", () => {
    expect(run(["filter", "verify", program("dd")]).status).toBe(0);
    const bad = run(["filter", "verify", "2\n40 0 0 12\n21 9 0 2048\n"]);
    expect([bad.status === 0, `${bad.stdout}${bad.stderr}`]).toEqual([false, expect.stringMatching(/instruction 1/)]);
    expect(run(["filter", "explain", "tcp port 80"]).stdout).toMatch(/ethertype/);
  });
});

test("Ctrl-C says what was kept, and running again completes", async () => {
  const big = join(dir, "big.pcap");
  const bytes = readFileSync(fixture);
  writeFileSync(big, Buffer.concat([bytes.subarray(0, 24), ...Array(400).fill(bytes.subarray(24))]));
  const child = spawn(join(root, "bin", "threatflow"), ["analyze", big, "--ndjson", join(dir, "out"), "--quiet"], { detached: true });
  let stderr = "";
  child.stderr.on("data", (b: Buffer) => {
    stderr += b.toString();
  });
  await new Promise((r) => setTimeout(r, 450));
  process.kill(-(child.pid as number), "SIGINT");
  const code = await new Promise((r) => child.on("exit", r));
  if (code !== 0) {
    expect(stderr).toMatch(/cancelled/);
    expect(existsSync(join(dir, "out")) ? readdirSync(join(dir, "out")).filter((n) => n.endsWith(".ndjson")) : []).toEqual([]);
  }
  expect(run(["analyze", big, "--ndjson", join(dir, "out")]).status).toBe(0);
});

test("a full disk: one line that says so, nothing that looks whole, and the same command works when there is space", () => {
  const small = join(dir, "small");
  mkdirSync(small);
  if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=250k", "tmpfs", small]).status !== 0) {
    console.log("full disk: skipped, a small file system cannot be mounted here");
    return;
  }
  try {
    for (const to of [
      ["--ndjson", join(small, "n")],
      ["--data", join(small, "d")],
    ]) {
      const r = run(["analyze", fixture, ...to, "--quiet"]);
      expect(r.status).toBe(1);
      expect(r.stderr.trim().split("\n")).toHaveLength(1);
      expect(r.stderr).toMatch(/no space left.*free some space and run the same command again/);
      const left = readdirSync(small, { recursive: true, encoding: "utf8" });
      expect(left.filter((n) => /\.(ndjson|parquet|part|text|keys|lines)$/.test(n))).toEqual([]);
    }
    spawnSync("mount", ["-o", "remount,size=50m", small]);
    expect(run(["analyze", fixture, "--data", join(small, "d"), "--quiet"]).status).toBe(0);
    expect(run(["query", "event.dataset: dns", "--data", join(small, "d"), "--count"]).status).toBe(0);
  } finally {
    spawnSync("umount", [small]);
  }
});

test("a ring of files is one capture: the same id and records as the file that was never rotated", () => {
  const ring = join(dir, "ring");
  mkdirSync(ring);
  const whole = readFileSync(fixture);
  for (let at = 24, n = 0, from = 24; at < whole.length; n++) {
    at += 16 + whole.readUInt32LE(at + 8);
    if (n % 100 !== 99 && at < whole.length) continue;
    writeFileSync(join(ring, `ring_${String(n).padStart(5, "0")}.pcap`), Buffer.concat([whole.subarray(0, 24), whole.subarray(from, at)]));
    from = at;
  }
  const joined = run(["analyze", ring, "--join", "--ndjson", join(dir, "joined"), "--json", "--quiet"]);
  const plain = run(["analyze", fixture, "--ndjson", join(dir, "plain"), "--json", "--quiet"]);
  expect(JSON.parse(joined.stdout).capture.id).toBe(JSON.parse(plain.stdout).capture.id);
  for (const f of readdirSync(join(dir, "plain")))
    expect(readFileSync(join(dir, "joined", f), "utf8")).toBe(readFileSync(join(dir, "plain", f), "utf8"));
});
test("export gives what analyze gave; what is held is neither deleted nor expired; verify sees a changed byte", () => {
  const copy = join(dir, "copy.pcap");
  copyFileSync(fixture, copy);
  const { capture } = json(run(["analyze", copy, "--ndjson", join(dir, "out"), "--data", join(dir, "data"), "--json"]));
  const id = capture.id.slice(0, 12);
  expect(run(["export", id, "--ndjson", join(dir, "again")]).status).toBe(0);
  for (const f of readdirSync(join(dir, "out"))) expect(readFileSync(join(dir, "again", f))).toEqual(readFileSync(join(dir, "out", f)));
  expect(readdirSync(join(dir, "again")).sort()).toEqual(readdirSync(join(dir, "out")).sort());
  expect(run(["captures", "hold", id, "--why", "court"]).stderr).toMatch(/held \(court\)/);
  expect(run(["captures", "tag", id, "apt", "seen before", "--note", "look here"]).stderr).toMatch(/apt, seen before/);
  expect(JSON.parse(run(["captures", "show", id]).stdout).cases.default).toMatchObject({
    tags: ["apt", "seen before"],
    note: "look here",
    hold: { why: "court" },
  });
  expect(run(["delete", id]).stderr).toMatch(/is kept: case default holds it: court/);
  expect(run(["expire", "--older-than", "0s"]).stdout).toMatch(/kept, case default holds it/);
  expect(run(["captures", "verify", id]).stdout).toMatch(/unchanged/);
  const bytes = readFileSync(copy);
  bytes[1000] ^= 1;
  writeFileSync(copy, bytes);
  expect(run(["captures", "verify", id]).stderr).toMatch(/is not what was imported/);
  // Analysed again, with other options: what people said of it stays.
  copyFileSync(fixture, copy);
  expect(run(["analyze", copy, "--force", "--credentials", "--quiet"]).status).toBe(0);
  expect(JSON.parse(run(["captures", "show", id]).stdout).cases.default.tags).toEqual(["apt", "seen before"]);
  run(["captures", "hold", id, "--release"]);
  expect(run(["delete", id]).status).toBe(0);
});
test("each command that is listed works when it is the only one that is loaded", () => {
  const listed = run(["--help"])
    .stdout.split("Commands:")[1]
    .matchAll(/^ {2}([a-z]+) /gm);
  const names = Array.from(listed, (m) => m[1]).filter((n) => n !== "help");
  expect(names.length).toBeGreaterThan(20);
  for (const name of names)
    expect([name, run([name, "--help"]).stdout.split("\n")[0]]).toEqual([name, expect.stringContaining(`threatflow ${name} `)]);
  expect(run(["--version"]).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  expect(run(["analyse", "x"]).stderr).toContain("(Did you mean analyze?)");
});

test("completion knows the commands and their flags", () => {
  const asked = (line: string): string[] =>
    spawnSync(
      "bash",
      [
        "-c",
        `source <(${join(root, "bin", "threatflow")} completion bash); COMP_WORDS=(${line} ""); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _threatflow; echo "\${COMPREPLY[*]}"`,
      ],
      { encoding: "utf8" },
    )
      .stdout.trim()
      .split(" ");
  expect(asked("threatflow")).toEqual(expect.arrayContaining(["analyze", "capture", "replay", "serve", "--config"]));
  expect(asked("threatflow captures")).toEqual(expect.arrayContaining(["list", "hold", "verify"]));
  expect(asked("threatflow analyze x.pcap")).toEqual(expect.arrayContaining(["--ndjson", "--hooks", "--discard"]));
  expect(run(["completion", "fish"]).status).toBe(2);
});
test("a reader that has seen enough is no error", () => {
  const r = spawnSync("bash", ["-c", `${join(root, "bin", "threatflow")} fields | head -1`], { encoding: "utf8" });
  expect(r.stderr).toBe("");
});

test.each([
  ["everything.pcap", (b: Buffer) => b, []],
  ["gzip", (b: Buffer) => gzipSync(b), []],
  ["filtered", (b: Buffer) => b, ["--filter", "udp"]],
])("--no-evidence, %s: the records of the same bytes, and nothing kept", (_name, pack, flags) => {
  const input = pack(readFileSync(fixture));
  writeFileSync(join(dir, "given"), input);
  const kept = run(["analyze", join(dir, "given"), "--ndjson", join(dir, "kept"), "--json", "--quiet", ...flags]);
  const through = run(
    ["analyze", "-", "--no-evidence", "--ndjson", join(dir, "through"), "--data", join(dir, "data"), "--json", "--quiet", ...flags],
    { input },
  );
  expect(through.stderr).toBe("");
  expect(json(through)).toMatchObject({
    evidence: false,
    capture: { id: json(kept).capture.id },
    accounting: json(kept).accounting,
    records: json(kept).records,
  });
  for (const f of readdirSync(join(dir, "kept")))
    expect(readFileSync(join(dir, "through", f), "utf8")).toBe(readFileSync(join(dir, "kept", f), "utf8"));
  expect(existsSync(join(dir, "data", "captures"))).toBe(false);
  const cut = run(["extract", "--packets", "1", "-o", join(dir, "x.pcap"), "--data", join(dir, "data")]);
  expect(cut.status).toBe(1);
  expect(cut.stderr).toMatch(/the original bytes of - are not at any place/);
});
test("--no-evidence: what is no capture is refused, an empty one too", () => {
  expect(run(["analyze", "-", "--no-evidence", "--ndjson", join(dir, "o")], { input: Buffer.from("hello, hello, hello") }).stderr).toMatch(
    /no capture/,
  );
  expect(run(["analyze", "-", "--no-evidence", "--ndjson", join(dir, "o")], { input: Buffer.alloc(0) }).stderr).toMatch(
    /standard input is empty/,
  );
});
test("an answer of 160,000 records fits into memory, in either order", () => {
  const capture = join(dir, "many.pcap");
  expect(spawnSync(process.execPath, [join(root, "scripts", "generate-capture.ts"), capture, "2000", "3"]).status).toBe(0);
  const s = json(run(["analyze", capture, "--json", "--quiet"]));
  const total = Object.values(s.records as Record<string, number>).reduce((a, b) => a + b, 0);
  expect(total).toBeGreaterThan(150000);
  for (const order of ["", "--sort -network.bytes"]) {
    const r = spawnSync(
      "bash",
      [
        "-c",
        `${join(root, "bin", "threatflow")} query '*' --limit all --format ndjson --data ${join(dir, "data")} ${order} | cut -c1-80 | sort -u | wc -l`,
      ],
      { encoding: "utf8" },
    );
    expect(r.stderr).toBe("");
    expect(Number(r.stdout)).toBe(total);
  }
}, 120000);
