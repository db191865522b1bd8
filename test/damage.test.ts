/**
 * Captures that were damaged after they were taken: a bit of a record's head turned, bytes lost or put in, a page of zeros, two writers into one
 * file. What is whole behind the damage is found again, whatever the window.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { decode, recordsOf } from "./support/decode.ts";
import { goldenText } from "./support/golden.ts";

const dir = mkdtempSync(join(tmpdir(), "threatflow-damage-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const pcap = readFileSync(join(import.meta.dirname, "..", "fixtures", "pcaps", "mixed", "everything.pcap"));
/** Where records begin. */
function heads(file: Buffer, first: number, size: (at: number) => number): number[] {
  const out: number[] = [];
  for (let at = first; at < file.length; at += size(at)) out.push(at);
  return out;
}
/** The same packets in blocks of a pcapng. */
function asPcapng(file: Buffer): Buffer {
  const words = (...w: number[]): Buffer => Buffer.from(Uint32Array.from(w).buffer);
  const blocks = [words(0x0a0d0d0a, 28, 0x1a2b3c4d, 1, 0xffffffff, 0xffffffff, 28), words(1, 20, file.readUInt32LE(20), 0, 20)];
  for (const at of heads(file, 24, (x) => 16 + file.readUInt32LE(x + 8))) {
    const [seconds, micros, caplen, length] = [0, 4, 8, 12].map((x) => file.readUInt32LE(at + x));
    const time = BigInt(seconds) * 1_000_000n + BigInt(micros);
    const bytes = Buffer.alloc((caplen + 3) & ~3);
    file.copy(bytes, 0, at + 16, at + 16 + caplen);
    const size = 32 + bytes.length;
    blocks.push(words(6, size, 0, Number(time >> 32n), Number(time & 0xffffffffn), caplen, length), bytes, words(size));
  }
  return Buffer.concat(blocks);
}
const pcapng = asPcapng(pcap);
const FORMATS = [
  { name: "pcap", file: pcap, records: heads(pcap, 24, (at) => 16 + pcap.readUInt32LE(at + 8)), head: 16 },
  { name: "pcapng", file: pcapng, records: heads(pcapng, 48, (at) => pcapng.readUInt32LE(at + 4)), head: 28 },
];

let files = 0;
/** How many packets are read, in any window. */
async function packetsIn(bytes: Buffer): Promise<number> {
  const path = join(dir, `${files++}`);
  writeFileSync(path, bytes);
  const one = await decode(path, { windowBytes: 64 << 10 });
  const other = await decode(path, { windowBytes: 4 << 20, shards: 2 });
  expect(goldenText(one)).toBe(goldenText(other));
  rmSync(path);
  return one.summary.accounting.read;
}

describe.each(FORMATS)("a damaged $name", ({ file, records, head }) => {
  const record = fc.nat(records.length - 1);
  const check = (a: fc.IAsyncProperty<any>): Promise<void> => fc.assert(a, { numRuns: 60, seed: 11 });

  test("one bit of a record's head: no other record is lost", () =>
    check(
      fc.asyncProperty(record, fc.nat(head - 1), fc.nat(7), async (n, byte, bit) => {
        const bytes = Buffer.from(file);
        bytes[records[n] + byte] ^= 1 << bit;
        expect(await packetsIn(bytes)).toBeGreaterThanOrEqual(records.length - 1);
      }),
    ));
  test("bytes are lost: the record that they were in, and one beside it", () =>
    check(
      fc.asyncProperty(record, fc.nat(50), fc.integer({ min: 1, max: 60 }), async (n, place, length) => {
        const at = records[n] + place;
        const bytes = Buffer.concat([file.subarray(0, at), file.subarray(at + length)]);
        expect(await packetsIn(bytes)).toBeGreaterThanOrEqual(records.length - 2);
      }),
    ));
  test("bytes are put in", () =>
    check(
      fc.asyncProperty(record, fc.nat(50), fc.uint8Array({ minLength: 1, maxLength: 300 }), async (n, place, more) => {
        const at = records[n] + place;
        const bytes = Buffer.concat([file.subarray(0, at), more, file.subarray(at)]);
        expect(await packetsIn(bytes)).toBeGreaterThanOrEqual(records.length - 1);
      }),
    ));
  test("a page of zeros: the records that it touches", () =>
    check(
      fc.asyncProperty(record, async (n) => {
        const [from, to] = [records[n], Math.min(records[n] + 4096, file.length)];
        const bytes = Buffer.from(file).fill(0, from, to);
        const touched = records.filter((at, k) => at < to && (records[k + 1] ?? file.length) > from).length;
        expect(await packetsIn(bytes)).toBeGreaterThanOrEqual(records.length - touched - 1);
      }),
    ));
});

test("two programs wrote into one file: what each wrote in one piece is found", async () => {
  const { file, records } = FORMATS[0];
  const half = records.length >> 1;
  // The second began at the file's beginning while the first went on where it was, days later by its clock.
  const later = Buffer.from(file.subarray(records[half]));
  for (let at = 0; at < later.length; at += 16 + later.readUInt32LE(at + 8)) later.writeUInt32LE(later.readUInt32LE(at) + 9 * 86400, at);
  const cut = records[half - 20] + 33;
  const bytes = Buffer.concat([file.subarray(0, cut), later.subarray(7)]);
  expect(await packetsIn(bytes)).toBeGreaterThanOrEqual(records.length - 20 - 3);
});

test("captures written one behind the other are read as one, each with its own link layer", async () => {
  const fixtures = join(import.meta.dirname, "..", "fixtures", "pcaps");
  const [dns, tls] = ["dns/queries.pcap", "tls/handshakes.pcap"].map((f) => readFileSync(join(fixtures, f)));
  // The second without its Ethernet headers: raw IP.
  const raw: Buffer[] = [Buffer.from(tls.subarray(0, 24))];
  raw[0].writeUInt32LE(101, 20);
  for (const at of heads(tls, 24, (x) => 16 + tls.readUInt32LE(x + 8))) {
    if (tls.readUInt16BE(at + 28) !== 0x0800) continue;
    const size = tls.readUInt32LE(at + 8);
    const head = Buffer.from(tls.subarray(at, at + 16));
    head.writeUInt32LE(size - 14, 8);
    head.writeUInt32LE(size - 14, 12);
    raw.push(head, tls.subarray(at + 30, at + 16 + size));
  }
  const path = join(dir, "both.pcap");
  writeFileSync(path, Buffer.concat([dns, ...raw, dns.subarray(0, 24)]));
  const both = await decode(path);
  expect(both.summary.damage).toBeUndefined();
  for (const [dataset, file] of [
    ["dns", dns],
    ["tls", Buffer.concat(raw)],
  ] as const) {
    writeFileSync(join(dir, "one.pcap"), file);
    expect(recordsOf(both, dataset)).toHaveLength(recordsOf(await decode(join(dir, "one.pcap")), dataset).length);
  }
});

test("a capture inside the payload of another is not taken for its records", async () => {
  const { file, records } = FORMATS[0];
  // A packet of an older capture's records, and damage right before it.
  const inner = Buffer.from(file.subarray(24, records[12]));
  for (let at = 0; at < inner.length; at += 16 + inner.readUInt32LE(at + 8)) inner.writeUInt32LE(inner.readUInt32LE(at) - 400 * 86400, at);
  const outer = Buffer.alloc(16 + inner.length);
  file.copy(outer, 0, records[40], records[40] + 8);
  outer.writeUInt32LE(inner.length, 8);
  outer.writeUInt32LE(inner.length, 12);
  inner.copy(outer, 16);
  const broken = Buffer.from(file.subarray(records[39], records[40]));
  broken.writeUInt32LE(0x7fffffff, 8);
  const bytes = Buffer.concat([file.subarray(0, records[39]), broken, outer, file.subarray(records[40])]);
  expect(await packetsIn(bytes)).toBe(records.length);
});
