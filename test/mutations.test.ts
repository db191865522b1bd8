/**
 * Hostile bytes: fixtures, and the small captures of the corpus where it is there, with bytes changed, cut out, repeated and exchanged, behind
 * valid packet headers and anywhere in the file. Whatever comes: no exception, every packet accounted for, every record valid, and the same for two shards. MUTATIONS
 * sets how many (default 300), SEED which.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { ThreatflowError } from "../dist/errors.js";
import { validateLine } from "../dist/records/validator.js";
import { decode, repeatedId } from "./support/decode.ts";

const FIXTURES = join(import.meta.dirname, "..", "fixtures", "pcaps");
const CORPUS = process.env.CORPUS ?? "";
/** What packetsOf reads: little-endian, µs. */
const MAGIC = 0xa1b2c3d4;
const MOST_BYTES = 32 << 10;

const capturesIn = (dir: string): Buffer[] =>
  readdirSync(dir, { recursive: true, encoding: "utf8" })
    .sort()
    .filter((f) => /\.(p?cap|pcapng)$/.test(f) && statSync(join(dir, f)).size <= MOST_BYTES)
    .map((f) => readFileSync(join(dir, f)))
    .filter((b) => b.length > 40);

/** Packets of a classic little-endian pcap: [offset of the bytes, their number]. */
function packetsOf(file: Buffer): [number, number][] {
  const out: [number, number][] = [];
  for (let at = 24; at + 16 <= file.length; ) {
    const n = file.readUInt32LE(at + 8);
    if (at + 16 + n > file.length) break;
    out.push([at + 16, n]);
    at += 16 + n;
  }
  return out;
}

const change = fc.record({
  packet: fc.nat(),
  place: fc.nat(),
  kind: fc.constantFrom("byte", "bits", "zeros", "ones", "copy", "length", "swap"),
  value: fc.integer({ min: 0, max: 255 }),
  length: fc.integer({ min: 1, max: 64 }),
});
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

function apply(file: Buffer, changes: readonly Change[]): Buffer {
  const out = Buffer.from(file);
  const packets = packetsOf(file);
  for (const c of changes) {
    const [start, size] = packets[c.packet % packets.length];
    if (size === 0) continue;
    // Most changes behind the Ethernet, IP and TCP headers: what decoders read.
    const first = c.value % 4 === 0 ? 0 : Math.min(54, size - 1);
    const at = start + first + (c.place % (size - first));
    const n = Math.min(c.length, start + size - at);
    if (c.kind === "byte") out[at] = c.value;
    else if (c.kind === "bits") out[at] ^= 1 << (c.value & 7);
    else if (c.kind === "zeros") out.fill(0, at, at + n);
    else if (c.kind === "ones") out.fill(0xff, at, at + n);
    else if (c.kind === "copy") out.copyWithin(at, start, start + n);
    else if (c.kind === "length" && n >= 2) out.writeUInt16BE(c.value * 257, at);
    else if (c.kind === "swap") {
      const [s, m] = packets[(c.packet + 1) % packets.length];
      const k = Math.min(n, m);
      const here = Buffer.from(out.subarray(at, at + k));
      out.copy(out, at, s, s + k);
      here.copy(out, s);
    }
  }
  return out;
}

const choices = { numRuns: Number(process.env.MUTATIONS ?? 300), seed: process.env.SEED ? Number(process.env.SEED) : 20261124 };
const HOURS = 3_600_000;

/** What holds for any bytes that are a capture. */
async function holds(path: string): Promise<void> {
  const one = await decode(path);
  const { accounting: a, limits, firstException } = one.summary;
  expect({ limits, firstException }).toEqual({ limits: {}, firstException: undefined });
  const lost = Object.values(a.undecodable).reduce((x, y) => x + y, 0);
  expect(a.decoded + a.filtered + a.duplicate + lost).toBe(a.read);
  expect(repeatedId(one)).toBeUndefined();
  for (const [dataset, text] of one.text)
    for (const line of text.split("\n").filter(Boolean)) {
      const wrong = validateLine(dataset, line);
      if (wrong) expect(`${wrong}: ${line}`).toBe("");
    }
  const two = await decode(path, { shards: 2, windowBytes: 64 * 1024 });
  expect([...two.text].sort()).toEqual([...one.text].sort());
}
async function inFolder(work: (path: string) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "threatflow-mutations-"));
  try {
    await work(join(dir, "m.pcap"));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
const seedsOf = (wanted: (b: Buffer) => boolean): Buffer[] =>
  [FIXTURES, CORPUS].filter((d) => existsSync(d)).flatMap((d) => capturesIn(d).filter(wanted));

test(
  "mutated captures: no exception, all packets accounted for, valid records, two shards agree",
  async () => {
    const seeds = seedsOf((b) => b.readUInt32LE(0) === MAGIC && packetsOf(b).length > 0);
    await inFolder((path) =>
      fc.assert(
        fc.asyncProperty(fc.nat(seeds.length - 1), fc.array(change, { minLength: 1, maxLength: 20 }), async (which, changes) => {
          writeFileSync(path, apply(seeds[which], changes));
          await holds(path);
        }),
        choices,
      ),
    );
  },
  12 * HOURS,
);

const damage = fc.record({
  place: fc.nat(),
  kind: fc.constantFrom("byte", "bits", "ones", "cut out", "repeat", "insert", "end"),
  value: fc.integer({ min: 0, max: 255 }),
  length: fc.integer({ min: 1, max: 64 }),
});
type Damage = typeof damage extends fc.Arbitrary<infer T> ? T : never;

/** Anywhere in the file: its header, blocks, records' heads and lengths. */
function damaged(file: Buffer, all: readonly Damage[]): Buffer {
  let out = Buffer.from(file);
  for (const { place, kind, value, length } of all) {
    if (out.length === 0) break;
    const at = place % out.length;
    const piece = out.subarray(at, at + length);
    if (kind === "byte") out[at] = value;
    else if (kind === "bits") out[at] ^= 1 << (value & 7);
    else if (kind === "ones") piece.fill(0xff);
    else if (kind === "cut out") out = Buffer.concat([out.subarray(0, at), out.subarray(at + length)]);
    else if (kind === "repeat") out = Buffer.concat([out.subarray(0, at), piece, out.subarray(at)]);
    else if (kind === "insert") out = Buffer.concat([out.subarray(0, at), Buffer.alloc(length, value), out.subarray(at)]);
    else out = out.subarray(0, at);
  }
  return out;
}

test(
  "damaged files, pcapng too: an error that says what is wrong, or all that holds for a capture",
  async () => {
    const seeds = seedsOf(() => true);
    await inFolder((path) =>
      fc.assert(
        fc.asyncProperty(fc.nat(seeds.length - 1), fc.array(damage, { minLength: 1, maxLength: 8 }), async (which, all) => {
          writeFileSync(path, damaged(seeds[which], all));
          try {
            await holds(path);
          } catch (error) {
            if (!(error instanceof ThreatflowError) || error.code === "INTERNAL") throw error;
          }
        }),
        choices,
      ),
    );
  },
  12 * HOURS,
);
