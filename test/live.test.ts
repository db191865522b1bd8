/** Live capture on a veth pair between two network namespaces, with replayed traffic of real servers, beside tcpdump. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { linesIn } from "./support/cluster.js";
import { ended, serve } from "./support/serve.js";

const root = join(import.meta.dirname, "..");
const threatflow = join(root, "bin", "threatflow");
const MIXED = join(root, "fixtures", "pcaps", "mixed", "everything.pcap");
const A = `tf${process.pid}a`;
const B = `tf${process.pid}b`;
const sh = (command: string) => spawnSync("bash", ["-c", command], { encoding: "utf8" });
const made = sh(
  `ip netns add ${A} && ip netns add ${B} && ip link add va netns ${A} type veth peer name vb netns ${B} &&
   ip netns exec ${A} sh -c 'echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6'; ip netns exec ${B} sh -c 'echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6';
   ip -n ${A} link set va mtu 9000 up && ip -n ${B} link set vb mtu 9000 up`,
);
const possible = made.status === 0 && sh("command -v tcpreplay tcpdump").status === 0;
if (!possible) console.log(`live capture: skipped, no network namespaces or no tcpreplay here: ${made.stderr}`);
const live = possible ? test : test.skip;

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "threatflow-live-"));
});
afterAll(() => {
  sh(`ip netns del ${A}; ip netns del ${B}`);
  rmSync(dir, { recursive: true, force: true });
});

interface Outcome {
  status: number | null;
  stdout: string;
  stderr: string;
}
interface Capture {
  child: ChildProcess;
  /** What it said so far. */
  out: Outcome;
  done: Promise<Outcome>;
}
/** Starts a capture, on vb where nothing else is said; resolves when it captures, or when it ended. */
function launched(
  name: string,
  args: readonly string[],
  command = ["ip", "netns", "exec", B, threatflow, "capture", "-i", "vb"],
): Promise<Capture> {
  const child = spawn(command[0], [...command.slice(1), "--data", join(dir, name), ...args]);
  const out: Outcome = { status: null, stdout: "", stderr: "" };
  return new Promise((resolve) => {
    const done = new Promise<Outcome>((ended) =>
      child.on("close", (status) => {
        out.status = status;
        ended(out);
        resolve({ child, out, done });
      }),
    );
    child.stdout.on("data", (b) => (out.stdout += b));
    child.stderr.on("data", (b) => {
      out.stderr += b;
      if (out.stderr.includes("capturing on")) resolve({ child, out, done });
    });
  });
}
const capture = (name: string, ...args: string[]): Promise<Capture> =>
  launched(name, ["--ndjson", join(dir, name, "nd"), "--json", "--quiet", ...args]);
const replay = (file: string, ...flags: string[]): void => {
  const r = sh(`ip netns exec ${A} tcpreplay -i va ${flags.join(" ")} ${file}`);
  if (r.status !== 0) throw new Error(r.stderr);
};
const end = async (c: Capture): Promise<any> => {
  await sleep(300);
  c.child.kill("SIGINT");
  const r = await c.done;
  if (r.status !== 0) throw new Error(`exit ${r.status}: ${r.stderr}`);
  return JSON.parse(r.stdout);
};
/** Waits until something holds, however slow the machine is; at most half a minute. */
async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 300; i++, await sleep(100)) if (holds()) return;
  throw new Error(`it did not come to this: ${holds}`);
}
/** What a stream of events said until it told of this. */
async function said(response: Response, wanted: string): Promise<string> {
  let text = "";
  for await (const chunk of response.body as ReadableStream<Uint8Array>) {
    text += Buffer.from(chunk).toString();
    if (text.includes(wanted)) break;
  }
  return text;
}
/** Records without what differs between two captures of the same packets. */
const bare = (d: string): Map<string, string[]> =>
  new Map(
    [...linesIn(d)]
      .filter(([dataset]) => dataset !== "capture")
      .map(([dataset, lines]) => [
        dataset,
        lines
          .map((l) => {
            const r = JSON.parse(l);
            r.event.id = undefined;
            if (r.flow) r.flow.id = undefined;
            r.threatflow.capture = undefined;
            return JSON.stringify(r);
          })
          .sort(),
      ]),
  );
const segmentsOf = (name: string, id: string): string[] =>
  readdirSync(join(dir, name, "captures", id))
    .filter((f) => /^\d+\.pcap(ng)?$/.test(f))
    .sort();

live(
  "whatever the rotation: the same records, those of tcpdump beside us, and of the segments put together",
  async () => {
    const tcpdump = spawn(
      "ip",
      ["netns", "exec", B, "tcpdump", "-i", "vb", "-w", join(dir, "tcpdump.pcap"), "--time-stamp-precision=nano", "-U", "-B", "16384"],
      { stdio: ["ignore", "ignore", "pipe"] },
    );
    await new Promise((resolve) => tcpdump.stderr?.on("data", (b) => String(b).includes("listening") && resolve(undefined)));
    const all = await Promise.all([
      capture("whole"),
      capture("second", "--rotate", "1s"),
      capture("few", "--rotate", "20p"),
      capture("ng", "--format", "pcapng", "--rotate", "16KiB"),
    ]);
    replay(MIXED);
    const [whole, second, few, ng] = await Promise.all(all.map(end));
    tcpdump.kill("SIGINT");
    await sleep(300);
    for (const s of [whole, second, few, ng]) {
      expect(s.accounting).toMatchObject({
        read: 288,
        decoded: 288,
        kernel_received: 288,
        kernel_dropped: 0,
        disk_dropped: 0,
        filter_disagreed: 0,
      });
      expect(s.status).toBe("complete");
    }
    expect(segmentsOf("whole", whole.capture.id)).toEqual(["000001.pcap"]);
    expect(segmentsOf("few", few.capture.id)).toHaveLength(15);
    expect(segmentsOf("second", second.capture.id).length).toBeGreaterThan(1);
    expect(segmentsOf("ng", ng.capture.id).length).toBeGreaterThan(3);
    // The same packets with the same times: the same id, the same bytes.
    expect(second.capture.id).toBe(whole.capture.id);
    expect(linesIn(join(dir, "second", "nd"))).toEqual(linesIn(join(dir, "whole", "nd")));
    expect(linesIn(join(dir, "few", "nd"))).toEqual(linesIn(join(dir, "whole", "nd")));
    expect(sh(`${threatflow} analyze ${join(dir, "tcpdump.pcap")} --ndjson ${join(dir, "reference")} --quiet`).status).toBe(0);
    expect(bare(join(dir, "whole", "nd"))).toEqual(bare(join(dir, "reference")));
    // Each segment opens by itself, and together they are the capture.
    const few_ = join(dir, "few", "captures", few.capture.id);
    expect(
      sh(
        `mergecap -F nsecpcap -w ${join(dir, "merged.pcap")} ${few_}/*.pcap && ${threatflow} analyze ${join(dir, "merged.pcap")} --ndjson ${join(dir, "merged")} --quiet`,
      ).status,
    ).toBe(0);
    expect(bare(join(dir, "merged"))).toEqual(bare(join(dir, "few", "nd")));
    expect(sh(`capinfos ${join(dir, "ng", "captures", ng.capture.id)}/*.pcapng`).stdout).toMatch(/Number of packets/);
    // A flow is cut out across segments.
    const flow = JSON.parse((linesIn(join(dir, "few", "nd")).get("flow") as string[]).find((l) => l.includes('"ssh"')) as string);
    const cut = sh(`${threatflow} extract --data ${join(dir, "few")} --flow ${flow.flow.id} -o ${join(dir, "flow.pcap")}`);
    expect(cut.stderr).toBe(`${flow.network.packets} packets written to ${join(dir, "flow.pcap")}\n`);
  },
  60000,
);

live("tags that the driver took out stand in the frame again", async () => {
  const tagged = join(dir, "tagged.pcap");
  const b = readFileSync(MIXED);
  const out: Buffer[] = [b.subarray(0, 24)];
  for (let at = 24, n = 0; at + 16 <= b.length && n < 40; n++) {
    const size = b.readUInt32LE(at + 8);
    const head = Buffer.from(b.subarray(at, at + 16));
    head.writeUInt32LE(size + 4, 8);
    head.writeUInt32LE(size + 4, 12);
    out.push(head, b.subarray(at + 16, at + 28), Buffer.from([0x81, 0, 0, 42]), b.subarray(at + 28, at + 16 + size));
    at += 16 + size;
  }
  writeFileSync(tagged, Buffer.concat(out));
  const c = await capture("vlan");
  replay(tagged, "--topspeed");
  const s = await end(c);
  expect(s.accounting.read).toBe(40);
  for (const line of linesIn(join(dir, "vlan", "nd")).get("flow") as string[]) expect(JSON.parse(line).network.vlan).toEqual({ id: "42" });
});

live("a program as tcpdump -dd printed it filters in the kernel", async () => {
  const dd = sh("tcpdump -y EN10MB -dd 'udp port 53'").stdout;
  const c = await capture("filtered", "--filter", dd);
  replay(MIXED, "--topspeed");
  const s = await end(c);
  const all = sh(`tcpdump -r ${MIXED} 'udp port 53' | wc -l`).stdout.trim();
  expect(s.accounting).toMatchObject({ read: Number(all), kernel_received: Number(all), filter_disagreed: 0 });
  expect(Object.keys(s.records)).toContain("dns");
});

live("-c ends after so many packets; --keep deletes the oldest segments", async () => {
  const counted = await capture("counted", "-c", "25");
  replay(MIXED, "--topspeed");
  const r = await counted.done;
  expect(JSON.parse(r.stdout).accounting).toMatchObject({ read: 25, kernel_dropped: 0 });
  const c = await capture("kept", "--rotate", "20p", "--keep", "3f");
  replay(MIXED, "--pps", "150");
  const kept = join(dir, "kept", "captures");
  await until(() =>
    readdirSync(kept).some(
      (id) => segmentsOf("kept", id).length < 4 && readFileSync(join(kept, id, "manifest.json"), "utf8").includes("000015.pcap"),
    ),
  );
  const s = await end(c);
  expect(s.accounting.read).toBe(288);
  expect(segmentsOf("kept", s.capture.id).length).toBeLessThan(6);
  const manifest = JSON.parse(readFileSync(join(dir, "kept", "captures", s.capture.id, "manifest.json"), "utf8"));
  expect(manifest.segments).toHaveLength(15);
  expect(manifest.segments[0].expired).toBe(true);
  // What is left of a deleted capture is nothing: records, segments, entry.
  expect(sh(`${threatflow} delete --data ${join(dir, "kept")} ${s.capture.id.slice(0, 12)}`).status).toBe(0);
  expect(existsSync(join(dir, "kept", "captures", s.capture.id))).toBe(false);
  expect(sh(`${threatflow} query '*' --count --data ${join(dir, "kept")}`).stdout.trim()).toBe("0");
});

live(
  "killed in the middle: the next capture closes its segment behind the last whole packet; the promiscuous flag is given back",
  async () => {
    const flags = (): number => Number(sh(`ip netns exec ${B} cat /sys/class/net/vb/flags`).stdout);
    const c = await capture("killed", "--rotate", "50p");
    expect(sh(`ip -n ${B} -d link show vb`).stdout).toMatch(/promiscuity 1/);
    replay(MIXED, "--topspeed");
    // All is on disk: five whole segments of 50 packets, and the hidden one.
    const written = (): number => {
      const where = join(dir, "killed", "captures");
      const [id] = existsSync(where) ? readdirSync(where) : [];
      const files = id ? readdirSync(join(where, id)).filter((f) => f.includes(".pcap")) : [];
      return files.reduce((a, f) => a + statSync(join(where, id, f)).size, 0);
    };
    await until(() => written() === statSync(MIXED).size + 5 * 24);
    c.child.kill("SIGKILL"); // ip netns exec became threatflow
    await c.done;
    await sleep(300);
    expect(sh(`ip -n ${B} -d link show vb`).stdout).toMatch(/promiscuity 0/);
    expect(flags() & 0x100).toBe(0);
    const captures = join(dir, "killed", "captures");
    const [id] = readdirSync(captures);
    // A record cut at any byte: as if the kill had come in the middle of a write.
    const hidden = join(captures, id, readdirSync(join(captures, id)).find((f) => f.endsWith(".part")) as string);
    const bytes = readFileSync(hidden);
    writeFileSync(hidden, bytes.subarray(0, bytes.length - 7));
    const again = await capture("killed", "-c", "1");
    replay(MIXED, "--topspeed");
    expect((await again.done).stderr).toMatch(/an earlier capture broke off/);
    const manifest = JSON.parse(readFileSync(join(captures, id, "manifest.json"), "utf8"));
    expect(manifest.segments.filter((s: { cut?: boolean }) => s.cut)).toHaveLength(1);
    let packets = 0;
    for (const f of readdirSync(join(captures, id)).filter((x) => x.endsWith(".pcap"))) {
      const r = sh(`tcpdump -r ${join(captures, id, f)} | wc -l`);
      expect(r.stderr).not.toMatch(/truncated/);
      packets += Number(r.stdout);
    }
    expect(packets).toBe(287);
  },
);

live("--compress: closed segments become zstd, and are still one capture: the same records, packets that can be cut out", async () => {
  const packed = await capture("packed", "--rotate", "50p", "--compress");
  const plain = await capture("unpacked", "--rotate", "50p");
  replay(MIXED, "--topspeed");
  const s = await end(packed);
  await end(plain);
  expect(s.accounting).toMatchObject({ read: 288, decoded: 288, kernel_dropped: 0 });
  expect(bare(join(dir, "packed", "nd"))).toEqual(bare(join(dir, "unpacked", "nd")));
  const where = join(dir, "packed", "captures", s.capture.id);
  expect(readdirSync(where).sort()).toEqual([...[1, 2, 3, 4, 5, 6].map((n) => `00000${n}.pcap.zst`), "manifest.json"]);
  const cut = join(dir, "packed.pcap");
  expect(sh(`${threatflow} extract --data ${join(dir, "packed")} --packets 45-130 -o ${cut}`).stderr).toMatch(/86 packets/);
  expect(sh(`tcpdump -r ${cut} 2>/dev/null | wc -l`).stdout.trim()).toBe("86");
  const whole = join(dir, "whole.pcap");
  expect(sh(`${threatflow} extract --data ${join(dir, "packed")} --packets 1-288 -o ${whole}`).stderr).toMatch(/288 packets/);
  expect(sh(`${threatflow} analyze ${whole} --ndjson ${join(dir, "again")} --quiet`).status).toBe(0);
  expect(bare(join(dir, "again"))).toEqual(bare(join(dir, "packed", "nd")));
  // Broken off between two steps of a compression: one form too many goes, the one that the manifest names stays.
  const manifest = JSON.parse(readFileSync(join(where, "manifest.json"), "utf8"));
  writeFileSync(join(where, "manifest.json"), JSON.stringify({ ...manifest, ended: undefined, pid: 2 ** 22 }));
  for (const left of ["000001.pcap", "000009.pcap.zst", ".000007.pcap.zst.part"]) writeFileSync(join(where, left), "half");
  const next = await capture("packed", "-c", "1");
  replay(MIXED, "--topspeed");
  await next.done;
  expect(readdirSync(where)).toHaveLength(7);
});

live(
  "--record-only: nothing is decoded; a server, or analyze, does it later, and the records are those of a capture that was decoded as it came",
  async () => {
    const c = await capture("decoded", "--rotate", "100p");
    const bare_ = await launched("recorded", ["--record-only", "--rotate", "100p", "--json", "--quiet"]);
    replay(MIXED, "--topspeed");
    const [decoded, recorded] = await Promise.all([end(c), end(bare_)]);
    expect(recorded).toMatchObject({
      status: "queued",
      capture: { id: decoded.capture.id, bytes: decoded.capture.bytes, packets: 288, first: expect.stringMatching(/Z$/) },
      accounting: { read: 0, decoded: 0, kernel_received: 288, kernel_dropped: 0, disk_dropped: 0 },
      records: {},
    });
    const list = (): any => entries("recorded")[0];
    expect(list()).toMatchObject({ id: decoded.capture.id, status: "queued", bytes: recorded.capture.bytes });
    const segments = join(dir, "recorded", "captures", recorded.capture.id);
    expect(segmentsOf("recorded", recorded.capture.id)).toHaveLength(3);
    // Its folder is one capture, also where others are beside it.
    for (const folder of [segments, join(dir, "recorded", "captures")])
      expect(sh(`${threatflow} analyze ${folder} --json --discard --quiet | head -1`).stdout).toContain(`"id":"${recorded.capture.id}"`);
    expect(sh(`${threatflow} analyze ${segments} --ndjson ${join(dir, "recorded", "nd")} --quiet`).status).toBe(0);
    expect(linesIn(join(dir, "recorded", "nd")).get("flow")).toEqual(linesIn(join(dir, "decoded", "nd")).get("flow"));
    const s = await serve(join(dir, "recorded"), process.env);
    try {
      await until(() => list().status === "done");
      for (const dataset of ["flow", "http", "dns", "tls"])
        expect(asked("recorded", "*", "--dataset", dataset, "--format", "ndjson")).toEqual(
          linesIn(join(dir, "decoded", "nd")).get(dataset),
        );
      // One that ends beside a server that runs already.
      const events = await fetch(`${s.url}/api/events`);
      const beside = await launched("recorded", ["--record-only", "--filter", "udp", "--json", "--quiet"]);
      replay(MIXED, "--topspeed");
      const { id } = (await end(beside)).capture;
      await until(() => entries("recorded").find((e) => e.id === id)?.status === "done");
      expect(await said(events, id)).toContain(`"id":"${id}"`);
    } finally {
      await ended(s.child);
    }
    for (const other of ["--follow", "--ndjson x"])
      expect(sh(`${threatflow} capture -i lo --record-only ${other} --data ${join(dir, "recorded")}`).stderr).toMatch(/gives no records/);
  },
);

live("the portable driver: the same packets and records, but for its times; what it cannot is in the manifest; it sends too", async () => {
  const ring = await capture("ring", "--filter", "tcp or udp");
  const cap = await capture("cap", "--driver", "cap", "--filter", "tcp or udp", "--rotate", "50p");
  const sent = sh(`ip netns exec ${A} ${threatflow} send ${MIXED} -i va --pps 2000 --data ${join(dir, "sender")}`);
  expect(sent.stderr).toMatch(/^288 frames sent in /m);
  const [a, b] = [await end(ring), await end(cap)];
  expect(b.accounting).toMatchObject({ read: a.accounting.read, kernel_received: a.accounting.read, kernel_dropped: 0 });
  const told = (name: string): string[] =>
    [...bare(join(dir, name, "nd"))]
      .flatMap(([dataset, lines]) => (dataset === "flow" || dataset === "anomaly" ? [] : lines))
      .map((l) => {
        const r = JSON.parse(l);
        for (const t of ["start", "end", "duration"]) r.event[t] = undefined;
        r["@timestamp"] = undefined;
        return JSON.stringify(r);
      })
      .sort();
  expect(told("cap")).toEqual(told("ring"));
  const manifest = JSON.parse(readFileSync(join(dir, "cap", "captures", b.capture.id, "manifest.json"), "utf8"));
  expect(manifest).toMatchObject({ driver: "cap", limits: [expect.stringMatching(/times/), expect.stringMatching(/drops/)] });
});

live("a filter in a file is read again on SIGHUP: nothing is lost in between, and one that is none changes nothing", async () => {
  const file = join(dir, "filter");
  writeFileSync(file, "udp");
  const c = await capture("swap", "--filter", `@${file}`);
  const captured = join(dir, "swap", "captures");
  const packets = (): number =>
    readdirSync(captured)
      .map((id) => join(captured, id, ".000001.pcap.part"))
      .reduce((a, path) => a + (existsSync(path) ? statSync(path).size : 0), 0);
  replay(MIXED, "--topspeed");
  await until(() => existsSync(captured) && packets() > 24);
  await sleep(500);
  const only = packets();
  for (const [text, answer] of [
    ["tcp port", /the filter stays as it was/],
    ["tcp or udp", /the filter was read again/],
  ] as const) {
    writeFileSync(file, text);
    c.child.kill("SIGHUP");
    let said = "";
    c.child.stderr?.on("data", (b) => (said += b));
    await until(() => answer.test(said));
    expect(said).toMatch(answer);
  }
  replay(MIXED, "--topspeed");
  await sleep(500);
  expect(packets()).toBeGreaterThan(3 * only);
  const s = await end(c);
  expect(s.accounting).toMatchObject({ kernel_received: s.accounting.read, kernel_dropped: 0, filter_disagreed: 0 });
  const manifest = JSON.parse(readFileSync(join(captured, s.capture.id, "manifest.json"), "utf8"));
  expect([manifest.filter, manifest.filters]).toEqual(["udp", [{ from: expect.any(String), filter: "tcp or udp" }]]);
});

live("a decoding process that dies is replaced and told everything again", async () => {
  const c = await capture("death", "--rotate", "50p", "--compress");
  replay(MIXED, "--topspeed");
  const captured = join(dir, "death", "captures");
  await until(
    () =>
      existsSync(captured) &&
      readdirSync(captured).some((id) => readdirSync(join(captured, id)).filter((f) => f.endsWith(".zst")).length === 5),
  );
  sh(`pkill -KILL -P ${c.child.pid} -f online-worker`);
  const s = await end(c);
  expect(s).toMatchObject({ status: "complete", accounting: { read: 288, decoded: 288, kernel_received: 288 } });
  expect(bare(join(dir, "death", "nd")).get("http")).toHaveLength(14);
});

live("a decoding process that dies when --keep has deleted what it read: the capture goes on and says so, retention too", async () => {
  const c = await launched("lost", ["--rotate", "50p", "--keep", "3f", "--status", "json", "--json"]);
  const names = (): string[] => {
    const [id] = existsSync(join(dir, "lost", "captures")) ? readdirSync(join(dir, "lost", "captures")) : [];
    return id ? segmentsOf("lost", id) : [];
  };
  replay(MIXED, "--pps", "200");
  await until(() => (names()[0] ?? "") > "000003");
  sh(`pkill -KILL -P ${c.child.pid} -f online-worker`);
  await until(() => c.out.stderr.includes("deleted by --keep"));
  replay(MIXED, "--pps", "400");
  await until(() => (names()[0] ?? "") >= "000009");
  expect(names().length).toBeLessThanOrEqual(3);
  c.child.kill("SIGINT");
  expect((await c.done).status).toBe(1);
  expect(entries("lost")).toMatchObject([{ status: "failed", error: { code: "WORKER_CRASH" } }]);
});

live("the interface goes down and up and gets another name: what came before and after is there, and counted", async () => {
  const c = await capture("updown", "--rotate", "100p");
  const passed = (): number => readdirSync(join(dir, "updown", "captures")).flatMap((id) => segmentsOf("updown", id)).length;
  replay(MIXED, "--topspeed");
  await until(() => existsSync(join(dir, "updown", "captures")) && passed() === 2);
  expect(
    sh(`ip -n ${B} link set vb down && sleep 0.3 && ip -n ${B} link set vb name vbx && ip -n ${B} link set vbx up && sleep 0.3`).stderr,
  ).toBe("");
  replay(MIXED, "--topspeed");
  await until(() => passed() === 5);
  expect(sh(`ip -n ${B} link set vbx down && ip -n ${B} link set vbx name vb && ip -n ${B} link set vb up`).stderr).toBe("");
  const s = await end(c);
  expect(s).toMatchObject({ status: "complete", accounting: { read: 576, decoded: 576, kernel_received: 576, kernel_dropped: 0 } });
  const [own] = (linesIn(join(dir, "updown", "nd")).get("capture") as string[]).map((l) => JSON.parse(l));
  expect(own.capture).toMatchObject({ read: 576, kernel_received: 576, kernel_dropped: 0, interface_dropped: 0, disk_dropped: 0 });
});

live("an interface that is never quiet: --duration ends the capture all the same, each time", async () => {
  const chatter = spawn("ip", ["netns", "exec", A, "tcpreplay", "-q", "-i", "va", "--pps", "400", "--loop", "1000", MIXED], {
    stdio: "ignore",
  });
  try {
    for (let i = 0; i < 3; i++) {
      const c = await capture(`busy${i}`, "--duration", "1s");
      const r = await Promise.race([c.done, sleep(15000).then(() => undefined)]);
      if (!r) c.child.kill("SIGKILL");
      expect(r?.status).toBe(0);
      const s = JSON.parse((r as { stdout: string }).stdout);
      expect(s.accounting).toMatchObject({ kernel_received: s.accounting.read, kernel_dropped: 0 });
      expect(s.accounting.read).toBeGreaterThan(100);
    }
  } finally {
    chatter.kill("SIGKILL");
  }
});

live("hooks decide live what they decide of the recorded packets", async () => {
  const hooks = join(dir, "hooks.ts");
  writeFileSync(hooks, "export const drop = (p: { protocol?: number }): boolean => p.protocol !== 6;");
  const c = await capture("hooks", "--hooks", hooks, "--rotate", "100p");
  replay(MIXED, "--topspeed");
  const s = await end(c);
  expect(s.accounting.filtered).toBe(s.hooks.dropped);
  expect(s).toMatchObject({ accounting: { read: 288, kernel_received: 288 }, hooks: { failed: 0, exceptions: 0 } });
  expect(s.hooks.dropped).toBe(47);
  const segments = join(dir, "hooks", "captures", s.capture.id);
  expect(sh(`${threatflow} analyze ${segments} --join --hooks ${hooks} --ndjson ${join(dir, "hooked")} --quiet`).status).toBe(0);
  expect(bare(join(dir, "hooked"))).toEqual(bare(join(dir, "hooks", "nd")));
});

live("records reach the terminal while the capture runs", async () => {
  const c = await launched("follow", ["--follow", "--quiet"]);
  replay(MIXED, "--topspeed");
  const wanted = ["dns", "http", "tls", "ssh"];
  const seen = (): Set<string> =>
    new Set(
      c.out.stdout
        .split("\n")
        .filter((l) => l.endsWith("}"))
        .map((l) => JSON.parse(l).event.dataset),
    );
  await until(() => wanted.every((d) => seen().has(d)));
  expect([...seen()]).toEqual(expect.arrayContaining(wanted));
  c.child.kill("SIGINT");
  await c.done;
});

const asked = (name: string, ...args: string[]): string[] => {
  const r = spawnSync(threatflow, ["query", ...args, "--data", join(dir, name)], { encoding: "utf8", maxBuffer: 1 << 28 });
  if (r.status !== 0) throw new Error(r.stderr);
  return r.stdout.trimEnd().split("\n");
};
const entries = (name: string): any[] =>
  sh(`${threatflow} captures list --json --data ${join(dir, name)}`)
    .stdout.split("\n")
    .filter(Boolean)
    .map((l) => JSON.parse(l));

live(
  "--follow: records are searched while it runs, with flows as they stand; in the end each once, as in NDJSON",
  async () => {
    const c = await capture("grow", "--follow");
    for (let i = 0; i < 12; i++) {
      replay(MIXED, "--topspeed");
      await sleep(1000); // a delivery
    }
    await until(() => asked("grow", "*", "--dataset", "arp", "--count")[0] === String(12 * 3));
    expect(asked("grow", "*", "--dataset", "http", "--count")).toEqual(["14"]); // packets that came before are retransmissions
    const open = asked("grow", "flow.final: false", "--dataset", "flow", "--format", "ndjson").map((l) => JSON.parse(l));
    const ended = open.filter((f) => f.flow.end_reason === "fin");
    expect(ended.length).toBeGreaterThan(5);
    expect(ended[0]).toMatchObject({ event: { type: ["connection", "end"] }, tcp: { state: "SF" } });
    expect(new Set(open.map((f) => f.event.id)).size).toBe(open.length);
    const [entry] = entries("grow");
    expect(entry).toMatchObject({ status: "decoding", live: { pid: c.child.pid }, name: "vb" });
    expect(sh(`${threatflow} delete ${entry.id} --data ${join(dir, "grow")}`).stderr).toMatch(/still being recorded/);
    c.child.kill("SIGINT");
    const r = await c.done;
    expect(r.status).toBe(0);
    const s = JSON.parse(r.stderr.slice(r.stderr.indexOf("{")));
    expect(s.accounting.read).toBe(12 * 288);
    const written = linesIn(join(dir, "grow", "nd"));
    for (const [dataset, lines] of written) {
      expect(lines).toHaveLength(s.records[dataset]);
      expect(asked("grow", "*", "--dataset", dataset, "--format", "ndjson", "--limit", "1000000")).toEqual(lines);
    }
    expect(readdirSync(join(dir, "grow", "records", "flow"))).toEqual([`${entry.id}.parquet`]);
    expect(entries("grow")).toMatchObject([{ status: "done", summary: { status: "complete" } }]);
    expect(entries("grow")[0].live).toBeUndefined();
  },
  180_000,
);

live("killed while it follows: what was delivered stays, and the capture says that it broke off", async () => {
  const c = await capture("broke", "--follow");
  replay(MIXED, "--topspeed");
  await until(() => existsSync(join(dir, "broke", "records")) && asked("broke", "*", "--dataset", "http", "--count")[0] === "14");
  c.child.kill("SIGKILL");
  await c.done;
  expect(entries("broke")).toMatchObject([{ status: "failed", error: { message: "the capture broke off" } }]);
  expect(asked("broke", "*", "--dataset", "http", "--count")).toEqual(["14"]);
  const [{ id }] = entries("broke");
  expect(sh(`${threatflow} delete ${id} --data ${join(dir, "broke")}`).status).toBe(0);
  for (const d of readdirSync(join(dir, "broke", "records"))) expect(readdirSync(join(dir, "broke", "records", d))).toEqual([]);
});

live(
  "an endless capture with --keep: a flow's packets are cut out while it runs, of one that began earlier those that are left",
  async () => {
    const c = await capture("endless", "--rotate", "40p", "--keep", "6f", "--follow");
    sh(`ip -n ${A} addr add 10.77.0.1/24 dev va; ip -n ${B} addr add 10.77.0.2/24 dev vb`);
    const server = spawn("ip", [
      "netns",
      "exec",
      B,
      process.execPath,
      "-e",
      'require("net").createServer({ noDelay: true }, (s) => s.pipe(s)).listen(7777, "10.77.0.2", () => console.log("ready"))',
    ]);
    await once(server.stdout, "data");
    const client = spawn("ip", [
      "netns",
      "exec",
      A,
      process.execPath,
      "-e",
      'const s = require("net").connect({ port: 7777, host: "10.77.0.2", noDelay: true }); setInterval(() => s.write("hello\\n"), 20); s.resume(); process.stdin.on("data", () => s.end()); process.stdin.on("end", () => process.exit())',
    ]);
    try {
      const kept = (): string[] => {
        const [id] = existsSync(join(dir, "endless", "captures")) ? readdirSync(join(dir, "endless", "captures")) : [];
        return id ? segmentsOf("endless", id) : [];
      };
      await until(() => kept().length > 0 && kept()[0] > "000004");
      client.stdin.write("end"); // both sides end: the flow shows as it stands
      await until(() => asked("endless", "destination.port: 7777", "--dataset", "flow", "--count")[0] === "1");
      const [flow] = asked("endless", "destination.port: 7777", "--dataset", "flow", "--format", "ndjson").map((l) => JSON.parse(l));
      const cut = join(dir, "endless", "cut.pcap");
      const r = sh(`${threatflow} extract --flow ${flow.flow.id} -o ${cut} --data ${join(dir, "endless")}`);
      expect(r.stderr).toMatch(/packets written .*; earlier ones were in segments that --keep deleted/);
      const n = Number(/^([\d,]+) packets/.exec(r.stderr)?.[1].replace(",", ""));
      expect(n).toBeGreaterThan(100);
      expect(n).toBeLessThan(flow.network.packets);
      expect(Number(sh(`tcpdump -r ${cut} tcp port 7777 2>/dev/null | wc -l`).stdout)).toBe(n);
      const s = await serve(join(dir, "endless"), process.env);
      try {
        expect((await fetch(`${s.url}/api/flows/${flow.flow.id}.pcap`)).headers.get("x-threatflow-incomplete")).toMatch(/deleted/);
        expect(await (await fetch(`${s.url}/api/flows/${flow.flow.id}/content`)).json()).toMatchObject({ incomplete: true });
      } finally {
        await ended(s.child);
      }
      // What came last is in the segment at hand.
      replay(MIXED, "--topspeed");
      const ssh = (...more: string[]): string[] => asked("endless", "destination.port: 22", "--dataset", "flow", ...more);
      await until(() => ssh("--count")[0] === "2");
      const last = JSON.parse(ssh("--format", "ndjson", "--sort", "-@timestamp", "--limit", "1")[0]);
      const own = sh(`${threatflow} extract --flow ${last.flow.id} -o ${cut} --data ${join(dir, "endless")}`);
      expect(own.stderr).toMatch(new RegExp(`^${last.network.packets} packets written`));
    } finally {
      client.kill("SIGKILL");
      server.kill("SIGKILL");
      sh(`ip -n ${A} addr del 10.77.0.1/24 dev va; ip -n ${B} addr del 10.77.0.2/24 dev vb`);
      c.child.kill("SIGINT");
    }
    expect((await c.done).status).toBe(0);
  },
  180_000,
);

live("the loopback interface, alone and among all: each packet once, though the kernel shows it twice", async () => {
  for (const [name, on] of [
    ["loop", "lo"],
    ["loopany", "any"],
  ]) {
    const c = await launched(
      name,
      ["--filter", "udp port 9", "--ndjson", join(dir, name, "nd"), "--json", "--quiet"],
      [threatflow, "capture", "-i", on],
    );
    sh("for i in 1 2 3 4 5; do echo hello > /dev/udp/127.0.0.1/9; echo no > /dev/udp/127.0.0.1/10; done");
    await sleep(300);
    c.child.kill("SIGINT");
    expect(JSON.parse((await c.done).stdout).accounting).toMatchObject({ read: 5, decoded: 5, kernel_received: 5, kernel_dropped: 0 });
    const flows = (linesIn(join(dir, name, "nd")).get("flow") as string[]).map((l) => JSON.parse(l));
    expect(flows.map((f) => [f.source.packets, f.flow.payload_bytes.source])).toEqual(Array(5).fill([1, 6]));
  }
});

live("a full disk ends the capture with what was kept, counted", async () => {
  const captures = join(dir, "diskfull", "captures");
  mkdirSync(captures, { recursive: true });
  expect(sh(`mount -t tmpfs -o size=64k tmpfs ${captures}`).status).toBe(0); // before the capture: its namespace sees mounts that are there
  try {
    const c = await capture("diskfull");
    replay(MIXED, "--pps", "300");
    const r = await c.done;
    expect(r.status).toBe(3);
    const s = JSON.parse(r.stdout);
    expect(s.status).toBe("partial");
    expect(s.accounting.disk_dropped).toBeGreaterThan(0);
    expect(s.accounting.kernel_received).toBe(s.accounting.read + s.accounting.kernel_dropped + s.accounting.disk_dropped);
    expect(s.damage.notes[0]).toMatch(/no space left/);
  } finally {
    sh(`umount ${captures}`);
  }
});

describe("what goes wrong is said, with what to do", () => {
  const run = (args: string, user = "") => sh(`ip netns exec ${B} ${user} ${threatflow} capture --data ${join(dir, "wrong")} ${args} 2>&1`);
  live("no such interface", () => expect(run("-i nothing").stdout).toMatch(/there is no interface nothing; there are lo, vb, any/));
  live("no interface named", () => expect(run("").stdout).toMatch(/name an interface with -i; there are/));
  live("an interface that is down", () => {
    sh(`ip -n ${B} link add dm0 type dummy 2>/dev/null || ip -n ${B} link set lo down`);
    const name = sh(`ip -n ${B} link show dm0`).status === 0 ? "dm0" : "lo";
    expect(run(`-i ${name}`).stdout).toMatch(new RegExp(`${name} is down; ip link set ${name} up`));
  });
  live("a filter that does not compile", () => expect(run("-i vb --filter 'tcp prot 80'").stdout).toMatch(/filter "tcp prot 80".*syntax/));
  live("a program that the kernel would refuse", () =>
    expect(run("-i vb --filter '{ 0x28, 0, 0, 12 }'").stdout).toMatch(/breaks a rule of the kernel at instruction 0/),
  );
  live("not permitted", () => {
    const r = run("-i vb", "setpriv --inh-caps=-all --bounding-set=-all");
    expect(r.stdout).toMatch(/capturing is not permitted; run as root, or once: sudo setcap cap_net_raw,cap_net_admin=ep/);
  });
  live("a rotation that is none", () => expect(run("-i vb --rotate often").stdout).toMatch(/--rotate takes a time \(60s\), a size/));
});
test("the program of the original design is explained and verified as it stands", () => {
  const example = join(root, "..", "shared", "filters", "example.dd");
  const given = existsSync(example) ? `@${example}` : "ip and tcp and not port 22";
  const r = sh(`${threatflow} filter explain '${given}'`);
  expect(r.stdout).toMatch(/ethertype == IPv4/);
  expect(r.stdout).toMatch(/port == 22/);
  expect(r.stdout).toMatch(/verdicts: drop, keep 262144 bytes/);
  expect(sh(`${threatflow} filter verify '${given}'`).stdout).toMatch(/the kernel takes it/);
});
