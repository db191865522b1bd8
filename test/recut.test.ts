/** However TCP cuts a stream into segments, and however often it sends them, what is said in it is told the same. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { IPV4, type Packet, packetsOf, pcap } from "./support/captures.js";
import { decode, recordsOf } from "./support/decode.js";
import { fixtures } from "./support/golden.js";

const [FIN, SYN, RST, PSH, URG] = [1, 2, 4, 8, 32];
/** Where the TCP header and its payload begin, and how long that is; undefined: not TCP, or nothing that can be cut. */
function payloadOf(p: Packet): { header: number; from: number; length: number } | undefined {
  const b = p.bytes;
  if (p.length !== b.length || b.readUInt16BE(12) !== IPV4 || b[23] !== 6 || b.readUInt16BE(20) & 0x3fff) return undefined;
  const header = 14 + (b[14] & 15) * 4;
  const from = header + (b[header + 12] >> 4) * 4;
  const length = 14 + b.readUInt16BE(16) - from;
  return length > 1 && !(b[header + 13] & (SYN | RST | URG)) ? { header, from, length } : undefined;
}
/** Its checksums are left wrong: that drops nothing. */
function cut(p: Packet, at: (length: number) => number): Packet[] {
  const t = payloadOf(p);
  if (!t) return [p];
  const n = at(t.length);
  const part = (from: number, to: number, without: number): Packet => {
    const bytes = Buffer.concat([p.bytes.subarray(0, t.from), p.bytes.subarray(t.from + from, t.from + to)]);
    bytes.writeUInt16BE(bytes.length - 14, 16);
    bytes.writeUInt32BE((bytes.readUInt32BE(t.header + 4) + from) >>> 0, t.header + 4);
    bytes[t.header + 13] &= ~without;
    return { ...p, bytes, length: bytes.length };
  };
  return [part(0, n, FIN | PSH), part(n, t.length, 0)];
}
const WAYS: Record<string, (all: readonly Packet[]) => Packet[]> = {
  "in halves": (all) => all.flatMap((p) => cut(p, (n) => n >> 1)),
  "the first byte by itself": (all) => all.flatMap((p) => cut(p, () => 1)),
  "the last byte by itself": (all) => all.flatMap((p) => cut(p, (n) => n - 1)),
  "at odd places": (all) => all.flatMap((p, i) => cut(p, (n) => 1 + ((i * 7919) % (n - 1)))),
  "in four": (all) => all.flatMap((p) => cut(p, (n) => n >> 1)).flatMap((p) => cut(p, (n) => n >> 1)),
  "each sent twice": (all) => all.flatMap((p) => (payloadOf(p) ? [p, p] : [p])),
};
async function said(file: string): Promise<string[]> {
  const d = await decode(file);
  return ["dns", "http", "ssh", "tls"].flatMap((dataset) =>
    recordsOf(d, dataset)
      .map((r) => {
        for (const o of [r.event, r.flow, r.threatflow.capture]) o.id = "";
        r.threatflow.packet = 0;
        return JSON.stringify(r);
      })
      .sort(),
  );
}

describe.each(fixtures().filter((f) => /http|tls|ssh|dns|mixed/.test(f)))("%s", (file) => {
  const dir = mkdtempSync(join(tmpdir(), "threatflow-recut-"));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));
  const at = join(dir, "cut");
  const tell = (packets: readonly Packet[]): Promise<string[]> => {
    writeFileSync(at, pcap(packets, 1, false, false));
    return said(at);
  };
  test.each([
    ["with handshakes", (): boolean => true],
    ["picked up in the middle", (p: Packet): boolean => p.bytes[23] !== 6 || (p.bytes[14 + (p.bytes[14] & 15) * 4 + 13] & SYN) === 0],
  ])("says the same however its streams are cut, %s", async (_, captured) => {
    const packets = packetsOf(file).filter(captured);
    const plain = await tell(packets);
    expect(plain.length).toBeGreaterThan(1);
    for (const [way, make] of Object.entries(WAYS)) expect([way, await tell(make(packets))]).toEqual([way, plain]);
  });
});
