/**
 * Every cut: what TCP delivers can be cut anywhere. The streams of the fixtures are given to the decoders again with one more cut at each
 * byte, and once more ending at each byte: the records must be the same, and nothing may throw.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { At, Emission } from "../dist/decoders/contract.js";
import { DatagramFlow } from "../dist/flows/datagram-flow.js";
import { Flow } from "../dist/flows/flow.js";
import { StreamFlow } from "../dist/flows/stream-flow.js";
import { decode } from "./support/decode.ts";

const FIXTURES = join(import.meta.dirname, "..", "fixtures", "pcaps");
/** Cuts tried in one flow; a longer stream is cut at each of its first bytes and then at equal distances. */
const DENSE = 700;
const SPARSE = 50;

type Step =
  | { kind: "data"; side: number; bytes: Uint8Array; stream: number; cut: number; at: At }
  | { kind: "gap"; side: number; length: number; stream: number; at: At }
  | { kind: "reached"; side: number; stream: number }
  | { kind: "side-end"; side: number; at: At }
  | { kind: "end"; at: At };
interface Recorded {
  args: [number, number, number, number, number, string];
  tcp: boolean;
  steps: Step[];
}

/** Decodes a capture and keeps what each flow was given. */
async function record(path: string): Promise<Recorded[]> {
  const flows = new Map<object, Recorded>();
  const of = (work: object): Step[] => {
    let r = flows.get(work);
    if (!r) {
      const f = (work as unknown as { flow: Flow }).flow;
      r = { args: [f.slot, f.serial, f.packed, f.ports, f.interface, f.told], tcp: work instanceof StreamFlow, steps: [] };
      flows.set(work, r);
    }
    return r.steps;
  };
  const undo: (() => void)[] = [];
  const spy = (proto: any, name: string, note: (steps: Step[], args: any[]) => void): void => {
    const original = proto[name];
    let inside = false;
    proto[name] = function (this: object, ...args: any[]) {
      if (inside) return original.apply(this, args);
      note(of(this), args);
      inside = true;
      try {
        return original.apply(this, args);
      } finally {
        inside = false;
      }
    };
    undo.push(() => {
      proto[name] = original;
    });
  };
  const S = StreamFlow.prototype;
  spy(S, "data", (l, [side, bytes, stream, at]) => l.push({ kind: "data", side, bytes: Uint8Array.from(bytes), stream, cut: 0, at }));
  spy(S, "gap", (l, [side, length, stream, at]) => l.push({ kind: "gap", side, length, stream, at }));
  spy(S, "sideEnd", (l, [side, at]) => l.push({ kind: "side-end", side, at }));
  spy(S, "end", (l, [at]) => l.push({ kind: "end", at }));
  spy(DatagramFlow.prototype, "data", (l, [side, bytes, cut, at]) =>
    l.push({ kind: "data", side, bytes: Uint8Array.from(bytes), stream: 0, cut, at }),
  );
  spy(DatagramFlow.prototype, "end", (l) => l.push({ kind: "end", at: { packet: 0, seconds: 0, nanos: 0 } }));
  try {
    await decode(path);
  } finally {
    for (const u of undo) u();
  }
  return [...flows.values()];
}

function replay(r: Recorded, steps: readonly Step[]): string {
  const out: string[] = [];
  const flow = new Flow(...r.args);
  const emit = {
    record: (e: Emission) => out.push(JSON.stringify(e)),
    anomaly: (name: string, at: At) => out.push(`${name} ${at.packet}`),
  };
  const settings = { credentials: false };
  const work = r.tcp ? new StreamFlow(flow, emit, settings, () => undefined) : new DatagramFlow(flow, emit, settings, () => undefined);
  for (const s of steps) {
    if (work instanceof DatagramFlow) {
      if (s.kind === "data") work.data(s.side, s.bytes, s.cut, s.at);
      else if (s.kind === "end") work.end();
    } else if (s.kind === "data") {
      work.data(s.side, s.bytes, s.stream, s.at);
      void work.over;
    } else if (s.kind === "gap") work.gap(s.side, s.length, s.stream, s.at);
    else if (s.kind === "side-end") {
      for (const p of steps) if (p.kind === "data" && p.side === s.side) work.reached(p.side, p.stream + p.bytes.length);
      work.sideEnd(s.side, s.at);
    } else if (s.kind === "end") work.end(s.at);
  }
  return [...out, flow.protocols.join()].join("\n");
}

function* places(length: number): Generator<number> {
  for (let i = 1; i < Math.min(length, DENSE); i++) yield i;
  const step = Math.max(1, Math.floor((length - DENSE) / SPARSE));
  for (let i = DENSE; i < length; i += step) yield i;
}

const captures = readdirSync(FIXTURES, { recursive: true, encoding: "utf8" }).filter((f) => /\.pcap(ng)?$/.test(f));

/** Captures of others for what the fixtures do not hold: upgrades to TLS, proxies, damaged streams. */
const CORPUS = process.env.CORPUS ?? join(import.meta.dirname, "..", "..", "shared", "pcaps");
const OTHERS = [
  "tls/sv__smtp-startssl.pcap",
  "tls/ndpi__ftp-start-tls.pcap",
  "tls/ndpi__pgsql2.pcapng",
  "tls/ndpi__mysql.pcapng",
  "tls/zeek__ldap-ldap-starttls.pcap",
  "http/zeek__socks.pcap",
  "http/malcolm__http.trace",
  "dns/packetq__sample-rfc1035escape.pcap.gz",
];

async function everyCut(path: string): Promise<number> {
  let cuts = 0;
  for (const flow of await record(path)) {
    const whole = replay(flow, flow.steps);
    flow.steps.forEach((s, n) => {
      if (s.kind !== "data") return;
      const before = flow.steps.slice(0, n);
      const after = flow.steps.slice(n + 1);
      const ofOther = after.filter((x) => x.kind !== "data" || x.side !== s.side);
      for (const at of places(s.bytes.length)) {
        const head = { ...s, bytes: s.bytes.subarray(0, at) };
        if (flow.tcp) {
          const tail = { ...s, bytes: s.bytes.subarray(at), stream: s.stream + at };
          const got = replay(flow, [...before, head, tail, ...after]);
          if (got !== whole) expect(`cut at ${at} of step ${n}\n${got}`).toBe(whole);
        }
        replay(flow, [...before, head, ...ofOther]); // the side ends here; the other goes on
        cuts++;
      }
    });
  }
  return cuts;
}

describe("a cut at any byte: the same records, and nothing throws", () => {
  test.each(captures.filter((c) => !c.startsWith("mixed")))("%s", async (capture) => {
    expect(await everyCut(join(FIXTURES, capture))).toBeGreaterThan(capture.startsWith("arp") ? -1 : 0);
  });
  const there = OTHERS.filter((f) => existsSync(join(CORPUS, f)));
  if (there.length === 0) console.log(`captures of others skipped: no folder ${CORPUS}`);
  for (const f of there)
    test(f, async () => {
      expect(await everyCut(join(CORPUS, f))).toBeGreaterThan(0);
    });
});
