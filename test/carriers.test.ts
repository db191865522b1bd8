/** Whatever file form and link layer carry the packets, the records are the same, but for what names the carrier: ids, MACs, VLANs, tunnels. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Layer, layersOf } from "../dist/jobs/layers.js";
import { IPV4, numbers, type Packet, packetsOf, pcap, pcapng } from "./support/captures.js";
import { decode } from "./support/decode.js";
import { fixtures } from "./support/golden.js";

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
/** IPv4 from 192.0.2.1 to 192.0.2.2 around so many bytes. */
function outer(protocol: number, length: number): Buffer {
  const h = bytes("4500 0000 0001 4000 4000 0000 c0000201 c0000202");
  h.writeUInt16BE(20 + length, 2);
  h[9] = protocol;
  let sum = 0;
  for (let i = 0; i < 20; i += 2) sum += h.readUInt16BE(i);
  h.writeUInt16BE(0xffff - ((sum & 0xffff) + (sum >> 16)), 10);
  return h;
}
/** A UDP header without a checksum, with the IPv4 header before it. */
const udp = (port: number, length: number): Buffer =>
  Buffer.concat([outer(17, 8 + length), numbers(true)([2, 40000], [2, port], [2, 8 + length], [2, 0])]);
const tunnelled = (before: (ethernet: Buffer, version: 4 | 6, ipBytes: number) => Buffer) => (p: readonly Packet[]) =>
  pcap(
    carried(p, (e, version, n) => Buffer.concat([macs(e), bytes("0800"), before(e, version, n)])),
    ETHERNET,
    false,
    false,
  );
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
  "IP in IPv4": tunnelled((_, version, n) => outer(version === 4 ? 4 : 41, n)),
  GRE: tunnelled((_, version, n) => Buffer.concat([outer(47, n + 4), bytes(version === 4 ? "0000 0800" : "0000 86dd")])),
  VXLAN: tunnelled((e, _, n) => Buffer.concat([udp(4789, n + 22), bytes("08000000 00002a00"), e])),
  Geneve: tunnelled((e, _, n) => Buffer.concat([udp(6081, n + 22), bytes("0000 6558 00002a00"), e])),
  "GTP-U": tunnelled((_, __, n) => Buffer.concat([udp(2152, n + 8), bytes("30ff"), numbers(true)([2, n], [4, 42])])),
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

/** What a person sees of the innermost IP packet. */
function innermost(layers: readonly Layer[]): unknown {
  const from = layers.findLastIndex((l) => l.name === "IPv4" || l.name === "IPv6");
  return layers
    .slice(from)
    .filter((l) => l.name !== "bytes behind")
    .map((l) => [l.name, l.bytes, l.fields.map((f) => [f.name, f.value])]);
}
/** Of a classic pcap of either byte order. */
function framesOf(file: Buffer): { linktype: number; frames: Buffer[] } | undefined {
  const little = [0xa1b2c3d4, 0xa1b23c4d].includes(file.readUInt32LE(0));
  if (!little && ![0xa1b2c3d4, 0xa1b23c4d].includes(file.readUInt32BE(0))) return undefined;
  const u32 = (at: number): number => (little ? file.readUInt32LE(at) : file.readUInt32BE(at));
  const frames: Buffer[] = [];
  for (let at = 24; at < file.length; at += 16 + u32(at + 8)) frames.push(file.subarray(at + 16, at + 16 + u32(at + 8)));
  return { linktype: u32(20), frames };
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
  test("shows the same packet in it, layer by layer", () => {
    const packets = packetsOf(file);
    const plain = packets.map((p) => innermost(layersOf(p.bytes, ETHERNET)));
    for (const [carrier, make] of Object.entries(CARRIERS)) {
      const read = framesOf(make(packets));
      if (read) expect([carrier, read.frames.map((f) => innermost(layersOf(f, read.linktype)))]).toEqual([carrier, plain]);
    }
  });
});
