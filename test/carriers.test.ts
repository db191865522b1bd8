/** Whatever file form and link layer carry the packets, the records are the same, but for what names the carrier: ids, MACs, VLANs, tunnels. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decode } from "./support/decode.js";
import { fixtures } from "./support/golden.js";

interface Packet {
  seconds: number;
  nanos: number;
  length: number;
  bytes: Buffer;
}
/** Of a classic little-endian pcap with microseconds: packets of IP. */
function packetsOf(file: string): Packet[] {
  const b = readFileSync(file);
  const out: Packet[] = [];
  for (let at = 24; at < b.length; at += 16 + b.readUInt32LE(at + 8)) {
    const bytes = b.subarray(at + 16, at + 16 + b.readUInt32LE(at + 8));
    const packet = { seconds: b.readUInt32LE(at), nanos: b.readUInt32LE(at + 4) * 1000, length: b.readUInt32LE(at + 12), bytes };
    if ([IPV4, IPV6].includes(bytes.readUInt16BE(12))) out.push(packet);
  }
  return out;
}
const IPV4 = 0x0800;
const IPV6 = 0x86dd;

type Numbers = (...values: [bytes: 2 | 4, value: number][]) => Buffer;
const numbers =
  (big: boolean): Numbers =>
  (...values) =>
    Buffer.concat(
      values.map(([bytes, v]) => {
        const b = Buffer.alloc(bytes);
        if (big) b.writeUIntBE(v, 0, bytes);
        else b.writeUIntLE(v, 0, bytes);
        return b;
      }),
    );
function pcap(packets: readonly Packet[], link: number, big: boolean, nanos: boolean): Buffer {
  const n = numbers(big);
  const head = n([4, nanos ? 0xa1b23c4d : 0xa1b2c3d4], [2, 2], [2, 4], [4, 0], [4, 0], [4, 65535], [4, link]);
  const records = packets.flatMap((p) => [
    n([4, p.seconds], [4, nanos ? p.nanos : p.nanos / 1000], [4, p.bytes.length], [4, p.length]),
    p.bytes,
  ]);
  return Buffer.concat([head, ...records]);
}
/** `resolution`: if_tsresol; the packets' times are whole microseconds. */
function pcapng(packets: readonly Packet[], link: number, big: boolean, resolution: number): Buffer {
  const n = numbers(big);
  const block = (type: number, body: Buffer): Buffer =>
    Buffer.concat([n([4, type], [4, body.length + 12]), body, n([4, body.length + 12])]);
  const unit = 10n ** BigInt(9 - resolution);
  return Buffer.concat([
    block(0x0a0d0d0a, Buffer.concat([n([4, 0x1a2b3c4d], [2, 1], [2, 0]), Buffer.alloc(8, 0xff)])),
    block(1, Buffer.concat([n([2, link], [2, 0], [4, 65535], [2, 9], [2, 1]), Buffer.of(resolution, 0, 0, 0), n([2, 0], [2, 0])])),
    ...packets.map((p) => {
      const time = (BigInt(p.seconds) * 1000000000n + BigInt(p.nanos)) / unit;
      const head = n([4, 0], [4, Number(time >> 32n)], [4, Number(time & 0xffffffffn)], [4, p.bytes.length], [4, p.length]);
      return block(6, Buffer.concat([head, p.bytes, Buffer.alloc(-p.bytes.length & 3)]));
    }),
  ]);
}
/** Other bytes before the IP header; the rest as it is. */
const carried = (packets: readonly Packet[], before: (ethernet: Buffer, version: 4 | 6, ipBytes: number) => Buffer): Packet[] =>
  packets.map((p) => {
    const ip = p.bytes.subarray(14);
    const bytes = Buffer.concat([before(p.bytes.subarray(0, 14), p.bytes.readUInt16BE(12) === IPV4 ? 4 : 6, ip.length), ip]);
    return { ...p, bytes, length: p.length + bytes.length - p.bytes.length };
  });
const macs = (ethernet: Buffer): Buffer => ethernet.subarray(0, 12);
const type = (ethernet: Buffer): Buffer => ethernet.subarray(12);
const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(" ", ""), "hex");
const ETHERNET = 1;
const CARRIERS: Record<string, (p: readonly Packet[]) => Buffer> = {
  "pcap, big-endian": (p) => pcap(p, ETHERNET, true, false),
  "pcap, nanoseconds": (p) => pcap(p, ETHERNET, false, true),
  "pcap, big-endian, nanoseconds": (p) => pcap(p, ETHERNET, true, true),
  "pcapng, microseconds": (p) => pcapng(p, ETHERNET, false, 6),
  "pcapng, big-endian, nanoseconds": (p) => pcapng(p, ETHERNET, true, 9),
  "a VLAN tag": (p) =>
    pcap(
      carried(p, (e) => Buffer.concat([macs(e), bytes("8100 0007"), type(e)])),
      ETHERNET,
      false,
      false,
    ),
  "two VLAN tags": (p) =>
    pcap(
      carried(p, (e) => Buffer.concat([macs(e), bytes("88a8 0009 8100 0007"), type(e)])),
      ETHERNET,
      false,
      false,
    ),
  MPLS: (p) =>
    pcap(
      carried(p, (e) => Buffer.concat([macs(e), bytes("8847 00010140")])),
      ETHERNET,
      false,
      false,
    ),
  PPPoE: (p) =>
    pcap(
      carried(p, (e, version, n) =>
        Buffer.concat([macs(e), bytes("8864 1100 0005"), numbers(true)([2, n + 2]), bytes(version === 4 ? "0021" : "0057")]),
      ),
      ETHERNET,
      false,
      false,
    ),
  "raw IP": (p) =>
    pcap(
      carried(p, () => Buffer.alloc(0)),
      101,
      false,
      false,
    ),
  PPP: (p) =>
    pcap(
      carried(p, (_, version) => bytes(version === 4 ? "0021" : "0057")),
      9,
      false,
      false,
    ),
  "Linux cooked": (p) =>
    pcap(
      carried(p, (e) => Buffer.concat([bytes("0000 0001 0006"), e.subarray(6, 12), bytes("0000"), type(e)])),
      113,
      false,
      false,
    ),
  "Linux cooked, version 2": (p) =>
    pcap(
      carried(p, (e) => Buffer.concat([type(e), bytes("0000 00000001 0001 00 06"), e.subarray(6, 12), bytes("0000")])),
      276,
      false,
      false,
    ),
  "BSD loopback": (p) =>
    pcap(
      carried(p, (_, version) => bytes(version === 4 ? "02000000" : "18000000")),
      0,
      false,
      false,
    ),
  "GRE over IPv6": (p) =>
    pcap(
      carried(p, (e, version, n) =>
        Buffer.concat([
          macs(e),
          bytes("86dd 60000000"),
          numbers(true)([2, n + 4]),
          bytes("2f40 20010db8000000000000000000000001 20010db8000000000000000000000002 0000"),
          bytes(version === 4 ? "0800" : "86dd"),
        ]),
      ),
      ETHERNET,
      false,
      false,
    ),
};

/** What is told of the packets, not of what carried them. */
async function told(file: string): Promise<string[]> {
  const { text, summary } = await decode(file);
  const a = summary.accounting;
  expect([a.undecodable, a.read]).toEqual([{}, a.decoded]);
  return [...text]
    .filter(([dataset]) => dataset !== "capture")
    .flatMap(([, lines]) => lines.split("\n").filter(Boolean))
    .map((line) => {
      const r = JSON.parse(line);
      for (const o of [r.event, r.flow ?? {}, r.threatflow.capture]) o.id = "";
      for (const side of [r.source, r.destination]) if (side) side.mac = undefined;
      if (r.network) Object.assign(r.network, { vlan: undefined, inner: undefined });
      r.threatflow.tunnel = undefined;
      if (r.anomaly) r.anomaly.offset = undefined;
      return JSON.stringify(r);
    })
    .sort();
}

describe.each(fixtures().filter((f) => !f.includes("/arp/")))("%s", (file) => {
  const dir = mkdtempSync(join(tmpdir(), "threatflow-carriers-"));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));
  test("gives the same records whatever carries its packets", async () => {
    const packets = packetsOf(file);
    const at = join(dir, "carried");
    writeFileSync(at, pcap(packets, ETHERNET, false, false));
    const plain = await told(at);
    expect(plain.length).toBeGreaterThan(5);
    for (const [carrier, make] of Object.entries(CARRIERS)) {
      writeFileSync(at, make(packets));
      expect([carrier, await told(at)]).toEqual([carrier, plain]);
    }
  });
});
