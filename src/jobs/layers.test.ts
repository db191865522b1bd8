/** Layers of packets for eyes: against tshark on the fixtures, and never an exception on any cut. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
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
/** Of each way to carry a packet, one capture of the corpus. */
const CARRIED = [
  "linktypes/libpcap__arcnet-rfc1051-arp-icmp-http.pcap",
  "linktypes/ndpi__dlt_ppp.pcap",
  "linktypes/pcpp__CiscoHDLC.pcap",
  "linktypes/tcpdump__LINKTYPE_PKTAP.pcap",
  "linktypes/tcpdump__nflog.pcap",
  "linktypes/bulk_extractor__wifi_ipv6.pcap",
  "other-proto/tcpdump__macsec-short-valid.pcap",
  "tunnels/arkime__dot1ad.pcap",
  "tunnels/arkime__gtp-u.pcap",
  "tunnels/ndpi__6in4tunnel.pcap",
  "tunnels/pcpp__MplsPackets.pcap",
  "tunnels/sv__pppoe.pcap",
  "tunnels/tcpdump__erspan-type-ii-1.pcap",
  "tunnels/tcpdump__erspan-type-iii-pb-1.pcap",
  "tunnels/tcpdump__gso-ipv6-geneve-ipv6.pcap",
  "tunnels/tcpdump__gso-ipv6-vxlan-ipv4.pcap",
  "tunnels/tcpdump__wccp_redirect_gre.pcap",
];
const there = CARRIED.map((f) => join(process.env.CORPUS ?? "", f)).filter((f) => existsSync(f));
(there.length ? test : test.skip)(
  "and of any link layer and tunnel, all addresses from the outside in",
  () => {
    for (const path of there) {
      const file = readFileSync(path);
      const little = file.readUInt32LE(0) === 0xa1b2c3d4;
      const u32 = (at: number): number => (little ? file.readUInt32LE(at) : file.readUInt32BE(at));
      const fields = ["ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "udp.srcport"];
      const r = spawnSync(
        "tshark",
        ["-r", path, "-T", "fields", "-E", "occurrence=a", "-E", "aggregator=|", ...fields.flatMap((f) => ["-e", f])],
        {
          encoding: "utf8",
        },
      );
      const rows = r.stdout.split("\n");
      let n = 0;
      for (let at = 24; at < file.length; at += 16 + u32(at + 8), n++) {
        const layers = layersOf(file.subarray(at + 16, at + 16 + u32(at + 8)), u32(20) & 0xffff, u32(at + 12));
        if (layers.some((l) => l.name === "ICMP")) continue; // tshark goes on into the packet that an error quotes
        const all = (layer: string, name: string): string =>
          layers.flatMap((l) => (l.name === layer ? l.fields.filter((f) => f.name === name).map((f) => f.value) : [])).join("|");
        const own = [
          all("IPv4", "source"),
          all("IPv4", "destination"),
          all("IPv6", "source"),
          all("IPv6", "destination"),
          all("UDP", "source port"),
        ];
        expect([path, n + 1, own.join("\t")]).toEqual([path, n + 1, rows[n] ?? ""]);
      }
    }
  },
  120_000,
);
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
