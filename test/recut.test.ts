/** However TCP cuts a stream into segments and IP those into fragments, and however often they are sent, what is said is told the same. */
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
/** A datagram in two fragments (RFC 791 §3.2; RFC 8200 §4.5), the first one of `first` × 8 bytes; those that are short, or fragments, stay. */
function fragments(p: Packet, id: number, first: (eighths: number) => number): Packet[] {
  const b = p.bytes;
  const v4 = b.readUInt16BE(12) === IPV4;
  const header = v4 ? (b[14] & 15) * 4 : 40;
  const length = v4 ? b.readUInt16BE(16) - header : b.readUInt16BE(18);
  const fragment = v4 ? (b.readUInt16BE(20) & 0x3fff) !== 0 : b[20] === 44;
  if (length <= 8 || fragment || p.length !== b.length || b.length < 14 + header + length) return [p];
  const middle = 8 * first((length - 1) >> 3);
  return [
    [0, middle],
    [middle, length],
  ].map(([from, to]) => {
    const head = Buffer.from(b.subarray(0, 14 + header));
    const more = to < length ? 1 : 0;
    const extra = v4 ? Buffer.alloc(0) : Buffer.alloc(8);
    if (v4) {
      head.writeUInt16BE(header + to - from, 16);
      head.writeUInt16BE(id & 0xffff, 18);
      head.writeUInt16BE((more << 13) | (from >> 3), 20);
    } else {
      head.writeUInt16BE(8 + to - from, 18);
      extra[0] = head[20];
      head[20] = 44;
      extra.writeUInt16BE(from | more, 2);
      extra.writeUInt32BE(id, 4);
    }
    const bytes = Buffer.concat([head, extra, b.subarray(14 + header + from, 14 + header + to)]);
    return { ...p, bytes, length: bytes.length };
  });
}
const WAYS: Record<string, (all: readonly Packet[]) => Packet[]> = {
  "in halves": (all) => all.flatMap((p) => cut(p, (n) => n >> 1)),
  "the first byte by itself": (all) => all.flatMap((p) => cut(p, () => 1)),
  "the last byte by itself": (all) => all.flatMap((p) => cut(p, (n) => n - 1)),
  "at odd places": (all) => all.flatMap((p, i) => cut(p, (n) => 1 + ((i * 7919) % (n - 1)))),
  "in four": (all) => all.flatMap((p) => cut(p, (n) => n >> 1)).flatMap((p) => cut(p, (n) => n >> 1)),
  "in IP fragments": (all) => all.flatMap((p, i) => fragments(p, i + 1, (n) => (n + 1) >> 1)),
  "in IP fragments, the last one first": (all) => all.flatMap((p, i) => fragments(p, i + 1, () => 1).reverse()),
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
    for (const [way, make] of Object.entries(WAYS)) {
      const all = make(packets);
      expect([way, all.length > packets.length]).toEqual([way, true]);
      expect([way, await tell(all)]).toEqual([way, plain]);
    }
  });
});
