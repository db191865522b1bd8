/** Layers of packets for eyes: against tshark on the fixtures, and never an exception on any cut. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { layersOf } from "./layers.js";

const fixture = join(import.meta.dirname, "..", "..", "fixtures", "pcaps", "mixed", "everything.pcap");
const b = readFileSync(fixture);
const packets: Buffer[] = [];
for (let at = 24; at + 16 <= b.length; at += 16 + b.readUInt32LE(at + 8))
  packets.push(b.subarray(at + 16, at + 16 + b.readUInt32LE(at + 8)));
const value = (layers: ReturnType<typeof layersOf>, layer: string, name: string): string | undefined =>
  layers.findLast((l) => l.name === layer)?.fields.find((f) => f.name === name)?.value;

test("addresses, ports and sequence numbers are those of tshark", () => {
  const fields = [
    "ip.src",
    "ip.dst",
    "ipv6.src",
    "ipv6.dst",
    "tcp.srcport",
    "tcp.dstport",
    "tcp.seq_raw",
    "udp.srcport",
    "udp.dstport",
    "eth.src",
  ];
  const r = spawnSync("tshark", ["-r", fixture, "-T", "fields", "-E", "occurrence=l", ...fields.flatMap((f) => ["-e", f])], {
    encoding: "utf8",
  });
  const rows = r.stdout.trimEnd().split("\n");
  expect(rows).toHaveLength(packets.length);
  rows.forEach((row, i) => {
    const layers = layersOf(packets[i], 1);
    if (layers.some((l) => l.name === "ICMP")) return; // tshark goes on into the packet that an error quotes
    const own = [
      value(layers, "IPv4", "source"),
      value(layers, "IPv4", "destination"),
      value(layers, "IPv6", "source"),
      value(layers, "IPv6", "destination"),
      value(layers, "TCP", "source port"),
      value(layers, "TCP", "destination port"),
      value(layers, "TCP", "sequence"),
      value(layers, "UDP", "source port"),
      value(layers, "UDP", "destination port"),
      value(layers, "Ethernet", "source"),
    ].map((v) => v ?? "");
    const theirs = row.split("\t");
    // A later fragment has no ports of its own here; tshark shows those of the datagram it completes.
    if (own.slice(4, 9).every((v) => v === "")) theirs.splice(4, 5, "", "", "", "", "");
    expect(own).toEqual(theirs);
  });
});
test("any packet cut anywhere, and any link type: layers lie inside, in order", () => {
  for (const p of packets.slice(0, 60))
    for (let n = 0; n <= Math.min(p.length, 120); n++)
      for (const linktype of [0, 1, 101, 113, 276, 9999]) {
        let at = 0;
        for (const l of layersOf(p.subarray(0, n), linktype)) {
          expect(l.at).toBeGreaterThanOrEqual(at);
          expect(l.at + l.bytes).toBeLessThanOrEqual(n);
          at = l.at;
        }
      }
});
