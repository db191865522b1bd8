/**
 * Packets that a capture lacks: what is told of an exchange stays true. A request and an answer, or both hellos, that stand in one record stood in
 * one record of the whole capture. Over the fixtures and, where it is there, the corpus's HTTP captures. LOSSES: rounds a capture (default 6).
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Decoded, decode, recordsOf } from "./support/decode.ts";

const ROUNDS = Number(process.env.LOSSES ?? 6);
const FIXTURES = join(import.meta.dirname, "..", "fixtures", "pcaps");
const CORPUS = join(process.env.CORPUS ?? "", "http");
const MOST_BYTES = 256 << 10;
const HEAD = 24;

/** Records of a classic little-endian pcap, each with its head. */
function packetsOf(file: Buffer): Buffer[] {
  const out: Buffer[] = [];
  for (let at = HEAD; at + 16 <= file.length; ) {
    const end = at + 16 + file.readUInt32LE(at + 8);
    if (end > file.length) break;
    out.push(file.subarray(at, end));
    at = end;
  }
  return out;
}
const captures = [FIXTURES, CORPUS]
  .filter((d) => existsSync(d))
  .flatMap((d) => readdirSync(d, { recursive: true, encoding: "utf8" }).map((f) => join(d, f)))
  .filter((f) => f.endsWith(".pcap") && statSync(f).size <= MOST_BYTES)
  .filter((f) => readFileSync(f).readUInt32LE(0) === 0xa1b2c3d4)
  .sort();

/** Exchanges of which both halves are told, and how often. */
function exchanges(d: Decoded): Map<string, number> {
  const out = new Map<string, number>();
  const tell = (r: Record<string, any>, ...what: unknown[]): void => {
    const key = [r.event.dataset, r.source?.ip, r.source?.port, ...what].join(" ");
    out.set(key, (out.get(key) ?? 0) + 1);
  };
  for (const r of recordsOf(d, "http"))
    if (r.http.request && r.http.response) tell(r, r.http.request.method, r.url?.original, r.http.response.status_code);
  for (const r of recordsOf(d, "dns"))
    if (r.dns.question && r.dns.response_code) tell(r, r.dns.id, r.dns.question.name, r.dns.question.type, r.dns.response_code);
  for (const r of recordsOf(d, "tls")) if (r.tls?.client?.ja3 && r.tls.server?.ja3s) tell(r, r.tls.client.ja3, r.tls.server.ja3s);
  return out;
}

/** The same numbers in each run. */
function numbers(seed: number): () => number {
  let s = seed;
  return () => {
    s = (Math.imul(s, 1103515245) + 12345) & 0x7fffffff;
    return s / 0x80000000;
  };
}

test("nothing is made up where packets are lost: at the beginning, here and there, or many in a row", async () => {
  const dir = mkdtempSync(join(tmpdir(), "threatflow-loss-"));
  const path = join(dir, "lossy.pcap");
  const next = numbers(20261126);
  let told = 0;
  try {
    for (const capture of captures) {
      const file = readFileSync(capture);
      const packets = packetsOf(file);
      const whole = exchanges(await decode(capture));
      for (let round = 0; round < ROUNDS && whole.size > 0; round++) {
        const [at, share, row] = [Math.floor(next() * packets.length), 0.01 + next() * 0.1, 1 + Math.floor(next() * 10)];
        const kept = packets.filter((_, i) => (round % 3 === 0 ? i >= at : round % 3 === 1 ? next() >= share : i < at || i >= at + row));
        writeFileSync(path, Buffer.concat([file.subarray(0, HEAD), ...kept]));
        for (const [exchange, times] of exchanges(await decode(path))) {
          told++;
          if (times > (whole.get(exchange) ?? 0)) expect(`${capture}, round ${round}: ${exchange}`).toBe("");
        }
      }
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
  expect(told).toBeGreaterThan(100);
}, 3_600_000);
