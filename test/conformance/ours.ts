/** Our records of a capture as the same facts. */
import { type Decoded, recordsOf } from "../support/decode.ts";
import { add, type Facts, tuple } from "./oracles.ts";

const TYPE_NUMBERS: Record<string, number> = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  HINFO: 13,
  MX: 15,
  TXT: 16,
  RP: 17,
  AFSDB: 18,
  AAAA: 28,
  LOC: 29,
  SRV: 33,
  NAPTR: 35,
  CERT: 37,
  DNAME: 39,
  OPT: 41,
  DS: 43,
  SSHFP: 44,
  RRSIG: 46,
  NSEC: 47,
  DNSKEY: 48,
  NSEC3: 50,
  NSEC3PARAM: 51,
  TLSA: 52,
  CDS: 59,
  CDNSKEY: 60,
  OPENPGPKEY: 61,
  SVCB: 64,
  HTTPS: 65,
  SPF: 99,
  NULL: 10,
  ANY: 255,
  AXFR: 252,
  IXFR: 251,
  CAA: 257,
  URI: 256,
  KEY: 25,
  SIG: 24,
  TKEY: 249,
  TSIG: 250,
  DLV: 32769,
  WKS: 11,
  NXT: 30,
  APL: 42,
  NSAP: 22,
  DHCID: 49,
  ZONEMD: 63,
};
const typeNumber = (t: string): string => String(TYPE_NUMBERS[t] ?? t.replace(/^TYPE/, ""));
const headerOf = (h: Record<string, string[]> | undefined, name: string): string | undefined => h?.[name]?.[0];

export function ourFacts(facts: Facts, file: string, d: Decoded): void {
  add(facts, "capture.read", file, String(d.summary.accounting.read));
  const packets = new Map<string, number>();
  for (const r of recordsOf(d, "flow")) {
    add(facts, "network.community_id", file, r.network?.community_id);
    if (r.network?.transport !== "tcp" && r.network?.transport !== "udp") continue;
    const key = tuple(r.network.transport, r.source.ip, r.source.port ?? 0, r.destination.ip, r.destination.port ?? 0);
    add(facts, "flow.tuple", file, key);
    packets.set(key, (packets.get(key) ?? 0) + r.network.packets);
  }
  for (const [key, n] of packets) add(facts, "flow.packets", file, `${key} ${n}`);
  for (const r of recordsOf(d, "dns")) {
    const q = r.dns.question;
    const port = r.destination?.port ?? r.source?.port;
    if (q && port !== 5353 && port !== 5355) add(facts, "dns.question", file, `${q.name} ${typeNumber(q.type)}`);
  }
  for (const r of recordsOf(d, "http")) {
    add(facts, "http.method", file, r.http.request?.method);
    add(facts, "http.host", file, headerOf(r.http.request?.headers, "host"));
    add(facts, "http.target", file, r.url?.original.slice(0, 290));
    if (r.http.response?.status_code !== undefined) add(facts, "http.status", file, String(r.http.response.status_code));
    for (const s of r.http.response?.interim_status_codes ?? []) add(facts, "http.status", file, String(s));
  }
  for (const r of recordsOf(d, "tls")) {
    add(facts, "tls.sni", file, r.tls.client?.server_name);
    add(facts, "tls.ja3", file, r.tls.client?.ja3);
    for (const h of r.related.hash ?? [])
      if (h.length === 32 && h !== r.tls.client?.ja3 && h !== r.tls.server?.ja3s) add(facts, "tls.ja3", file, h);
    add(facts, "tls.ja4", file, r.tls.client?.ja4);
    add(facts, "tls.ja3s", file, r.tls.server?.ja3s);
  }
  for (const r of recordsOf(d, "ssh")) {
    add(facts, "ssh.banner", file, r.ssh.client?.version);
    add(facts, "ssh.banner", file, r.ssh.server?.version);
    add(facts, "ssh.hassh", file, r.ssh.client?.hassh);
    add(facts, "ssh.hasshserver", file, r.ssh.server?.hassh);
  }
}
