/** The laws, on the project's own fixtures: same capture same records, every packet accounted for, golden records. */
import { readFileSync, writeFileSync } from "node:fs";
import { crc32 } from "node:zlib";
import { Pool } from "../dist/jobs/pool.js";
import { validateLine } from "../dist/records/validator.js";
import { decode, decodeForgetful, forgetful, recordsOf, repeatedId } from "./support/decode.ts";
import { fixtures, goldenText } from "./support/golden.ts";
import { decodeInSegments } from "./support/segments.ts";

describe.each(fixtures())("%s", (path) => {
  test("gives the records that were agreed on, byte for byte", async () => {
    expect(goldenText(await decode(path))).toBe(readFileSync(path.replace(/\.pcap$/, ".expected.ndjson"), "utf8"));
  });
  test("gives the same bytes for any shards and windows (L1)", async () => {
    const base = goldenText(await decode(path));
    for (const shards of [1, 2, 3, 8])
      for (const windowBytes of [64 << 10, 4 << 20]) expect(goldenText(await decode(path, { shards, windowBytes }))).toBe(base);
  });
  test("gives the same bytes in segments, each going on from the checkpoint of the one before", async () => {
    const base = goldenText(await decode(path));
    for (const [segments, shards] of [
      [1e6, 1],
      [7, 2],
      [3, 3],
    ]) {
      const cut = await decodeInSegments(path, { segments, shards });
      expect(goldenText(cut)).toBe(base);
      expect(cut.resumed).toBeGreaterThan(0);
    }
  });
  test("gives the same bytes where quiet flows are forgotten at once", async () => {
    const base = goldenText(await decode(path));
    expect(goldenText(await decodeForgetful(path))).toBe(base);
    expect(goldenText(await forgetful(() => decodeInSegments(path, { segments: 1e6 })))).toBe(base);
  });
  test("accounts for every packet (L2)", async () => {
    const a = (await decode(path)).summary.accounting;
    expect(a.read).toBe(a.decoded + a.filtered + a.duplicate + Object.values(a.undecodable).reduce((x, y) => x + y, 0));
    expect(a.read).toBeGreaterThan(0);
  });
  test("every record is what the schema says, and has an id of its own", async () => {
    const d = await decode(path);
    expect(repeatedId(d)).toBeUndefined();
    for (const [dataset, text] of d.text)
      for (const line of text.split("\n").filter(Boolean)) expect(validateLine(dataset, line)).toBeUndefined();
  });
});

test.each([
  ["cut short", (bytes: Buffer) => bytes.subarray(0, bytes.length - 9)],
  ["with a byte changed", (bytes: Buffer) => bytes.fill(bytes[bytes.length >> 1] ^ 1, bytes.length >> 1, (bytes.length >> 1) + 1)],
  [
    "of another version",
    (bytes: Buffer) => Buffer.from(bytes.toString("latin1").replace(/threatflow-checkpoint \d+/, "threatflow-checkpoint 0"), "latin1"),
  ],
  ["that is empty", () => Buffer.alloc(0)],
  [
    "whole, but of a class that is not known here",
    (bytes: Buffer) => {
      const body = Buffer.from(bytes.subarray(0, -12).toString("latin1").replaceAll("StreamFlow", "StrangeOne"), "latin1");
      const last = Buffer.from(bytes.subarray(-12));
      last.writeUInt32LE(crc32(body), 8);
      return Buffer.concat([body, last]);
    },
  ],
])("a checkpoint %s is not used: the shard begins again", async (_what, change) => {
  const path = fixtures().find((f) => f.includes("everything")) as string;
  const spoil = (checkpoint: string): void => writeFileSync(checkpoint, change(readFileSync(checkpoint)));
  const cut = await decodeInSegments(path, { segments: 3, spoil });
  expect([cut.resumed, cut.anew]).toEqual([1, 1]);
  expect(goldenText(cut)).toBe(goldenText(await decode(path)));
});

test("what a summary shows of hosts and protocols is what the flow records say", async () => {
  const d = await decode(fixtures().find((f) => f.includes("everything")) as string);
  const protocols: Record<string, number> = {};
  const bytes: Record<string, number> = {};
  for (const f of recordsOf(d, "flow")) {
    const p = f.network.protocol ?? f.network.transport;
    protocols[p] = (protocols[p] ?? 0) + 1;
    for (const ip of new Set([f.source.ip, f.destination.ip])) bytes[ip] = (bytes[ip] ?? 0) + f.network.bytes;
  }
  expect(d.digest.protocols).toEqual(protocols);
  expect(Object.fromEntries(d.digest.talkers)).toEqual(bytes);
  expect(d.digest.hosts).toBe(Object.keys(bytes).length);
});

test("worker processes give the same bytes as one process", async () => {
  const path = fixtures().find((f) => f.includes("everything")) as string;
  const base = goldenText(await decode(path));
  const pool = new Pool(2);
  try {
    for (const shards of [1, 2, 3]) expect(goldenText(await decode(path, { shards, pool }))).toBe(base);
  } finally {
    pool.close();
  }
});
