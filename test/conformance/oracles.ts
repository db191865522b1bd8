/** What other tools say of a capture, as sets of (file, field, value). Folder: shared/pcaps/expected. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

export type Facts = Map<string, Map<string, Set<string>>>; // field → file → values

/** A CSV file with a header line; quotes doubled inside quotes. */
export function csv(path: string): Record<string, string>[] {
  const text = readFileSync(path, "utf8");
  const rows: string[][] = [];
  let row: string[] = [];
  let cell = "";
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const ch = text[i];
    if (quoted) {
      if (ch === '"' && text[i + 1] === '"') {
        cell += '"';
        i++;
      } else if (ch === '"') quoted = false;
      else cell += ch;
    } else if (ch === '"') quoted = true;
    else if (ch === ",") {
      row.push(cell);
      cell = "";
    } else if (ch === "\n") {
      row.push(cell.replace(/\r$/, ""));
      cell = "";
      rows.push(row);
      row = [];
    } else cell += ch;
  }
  const [head, ...rest] = rows;
  return rest.map((r) => Object.fromEntries(head.map((h, i) => [h, r[i] ?? ""])));
}

export function add(facts: Facts, field: string, file: string, value: string | undefined): void {
  if (value === undefined || value === "") return;
  if (!facts.has(field)) facts.set(field, new Map());
  const byFile = facts.get(field) as Map<string, Set<string>>;
  if (!byFile.has(file)) byFile.set(file, new Set());
  (byFile.get(file) as Set<string>).add(value);
}

type Row = Record<string, string>;
/** What one row of tshark's fields says of a packet. */
function tsharkRow(facts: Facts, r: Row): void {
  if (r.dns_id && r.dns_qname)
    for (const [i, name] of r.dns_qname.split(",").entries()) {
      const type = r.dns_qtype.split(",")[i];
      // What tshark could not print is no name to compare: an error text, bytes lost to the table, a name cut by it.
      if (/^<(?!Root>)|\ufffd/.test(name) || !type) continue;
      add(facts, "dns.question", r.file, `${name === "<Root>" ? "." : name.toLowerCase()} ${type}`);
    }
  if (r.udp_stream) return; // QUIC and SSDP are not what these decoders read
  add(facts, "http.method", r.file, r.http_method);
  add(facts, "http.host", r.file, r.http_host);
  add(facts, "http.target", r.file, r.http_uri.slice(0, 290)); // the table cuts at 300
  for (const s of r.http_status.split(",")) add(facts, "http.status", r.file, s);
  add(facts, "tls.sni", r.file, r.sni);
  add(facts, "tls.ja3", r.file, r.ja3);
  add(facts, "tls.ja3s", r.file, r.ja3s);
  add(facts, "ssh.banner", r.file, r.ssh_protocol);
  add(facts, "ssh.hassh", r.file, r.hassh);
  add(facts, "ssh.hasshserver", r.file, r.hasshserver);
}

/** tshark 4.0.17, as recorded in tshark_events.csv; capped there at 150 DNS and 400 other rows a file. */
export function tsharkEvents(dir: string): { facts: Facts; capped: Set<string> } {
  const facts: Facts = new Map();
  const capped = new Set<string>();
  const path = join(dir, "tshark_events.csv");
  if (!existsSync(path)) return { facts, capped };
  const dns = new Map<string, number>();
  const other = new Map<string, number>();
  for (const r of csv(path)) {
    const counts = r.dns_id ? dns : other;
    counts.set(r.file, (counts.get(r.file) ?? 0) + 1);
    tsharkRow(facts, r);
  }
  for (const [f, n] of dns) if (n >= 150) capped.add(f);
  for (const [f, n] of other) if (n >= 400) capped.add(f);
  return { facts, capped };
}

const LIVE = {
  udp_stream: "udp.stream",
  dns_id: "dns.id",
  dns_qname: "dns.qry.name",
  dns_qtype: "dns.qry.type",
  http_method: "http.request.method",
  http_host: "http.host",
  http_uri: "http.request.uri",
  http_status: "http.response.code",
  sni: "tls.handshake.extensions_server_name",
  ja3: "tls.handshake.ja3",
  ja3s: "tls.handshake.ja3s",
  ssh_protocol: "ssh.protocol",
  hassh: "ssh.kex.hassh",
  hasshserver: "ssh.kex.hasshserver",
} as const;
/** The tshark on PATH, asked now: for a folder that says nothing of what its captures hold. */
export function tsharkNow(facts: Facts, path: string, file: string): boolean {
  const r = spawnSync(
    "tshark",
    [
      "-n",
      "-r",
      path,
      "-Y",
      "dns or http or tls.handshake or ssh",
      "-T",
      "fields",
      "-E",
      "aggregator=,",
      ...Object.values(LIVE).flatMap((f) => ["-e", f]),
    ],
    { encoding: "utf8", maxBuffer: 1 << 30, timeout: 120_000 },
  );
  if (r.error) return false;
  for (const line of r.stdout.split("\n").filter(Boolean)) {
    const cells = line.split("\t");
    const row: Row = { file };
    for (const [i, name] of Object.keys(LIVE).entries()) row[name] = cells[i] ?? "";
    row.dns_qtype = row.dns_qtype
      .split(",")
      .map((t) => (t ? String(Number(t)) : ""))
      .join(",");
    // Packets in one TCP segment share a row: fields with several values are told apart.
    for (const name of ["http_method", "http_host", "http_uri", "sni", "ja3", "ja3s", "ssh_protocol", "hassh", "hasshserver"] as const)
      for (const value of row[name].split(",")) tsharkRow(facts, { ...EMPTY, file, udp_stream: row.udp_stream, [name]: value });
    tsharkRow(facts, { ...EMPTY, file, udp_stream: row.udp_stream, http_status: row.http_status });
    tsharkRow(facts, { ...EMPTY, file, dns_id: row.dns_id, dns_qname: row.dns_qname, dns_qtype: row.dns_qtype });
  }
  return true;
}
const EMPTY: Row = Object.fromEntries(Object.keys(LIVE).map((name) => [name, ""]));

/** Both ends of a conversation as one text, whoever began. */
export const tuple = (protocol: string, a: string, portA: string | number, b: string, portB: string | number): string =>
  `${protocol} ${[`${plain(a)} ${portA}`, `${plain(b)} ${portB}`].sort().join(" ")}`;
/** An IPv6 address as RFC 5952 writes it: some write one group of zeros as `::` too. */
const plain = (ip: string): string =>
  ip.includes(":") && URL.canParse(`http://[${ip}]`) ? new URL(`http://[${ip}]`).hostname.slice(1, -1) : ip;

/** Conversations as nDPI and Arkime saw them: who with whom, and of conversations that are the only one of their kind in a file, packets. */
export function conversations(dir: string): Map<string, Facts> {
  const tools = new Map<string, Facts>();
  const rows: { tool: string; file: string; key: string; packets: number; community: string }[] = [];
  const ndpi = join(dir, "ndpi_flows.csv");
  if (existsSync(ndpi))
    for (const r of csv(ndpi)) {
      if (r.l4 !== "TCP" && r.l4 !== "UDP") continue;
      rows.push({
        tool: "ndpi",
        file: r.file,
        key: tuple(r.l4.toLowerCase(), r.a, r.a_port, r.b, r.b_port),
        packets: Number(r.a_pkts) + Number(r.b_pkts),
        community: "",
      });
    }
  const arkime = join(dir, "arkime_sessions.csv");
  if (existsSync(arkime))
    for (const r of csv(arkime)) {
      const protocol = { "6": "tcp", "17": "udp" }[r.ipproto];
      if (protocol)
        rows.push({
          tool: "arkime",
          file: r.file,
          key: tuple(protocol, r.src, r.sport, r.dst, r.dport),
          packets: Number(r.packets),
          community: r.community_id,
        });
    }
  const seen = new Map<string, number>();
  for (const r of rows) seen.set(`${r.tool} ${r.file} ${r.key}`, (seen.get(`${r.tool} ${r.file} ${r.key}`) ?? 0) + 1);
  for (const r of rows) {
    if (!tools.has(r.tool)) tools.set(r.tool, new Map());
    const facts = tools.get(r.tool) as Facts;
    add(facts, "flow.tuple", r.file, r.key);
    add(facts, "network.community_id", r.file, r.community);
    if (seen.get(`${r.tool} ${r.file} ${r.key}`) === 1) add(facts, "flow.packets", r.file, `${r.key} ${r.packets}`);
  }
  return tools;
}

/** Packets in a file, as tshark counts them; files that it gave up are left out. */
export function packetCounts(dir: string): Facts {
  const facts: Facts = new Map();
  const path = join(dir, "tshark_facts.csv");
  if (existsSync(path)) for (const r of csv(path)) if (r.tshark_rc === "0") add(facts, "capture.read", r.file, r.tshark_packets);
  return facts;
}

/** JA4, JA3 and HASSH as other tools print them. */
export function fingerprints(dir: string): Map<string, Facts> {
  const tools = new Map<string, Facts>();
  const of = (tool: string): Facts => {
    if (!tools.has(tool)) tools.set(tool, new Map());
    return tools.get(tool) as Facts;
  };
  for (const r of csv(join(dir, "ja4.csv"))) {
    if (!["JA4", "ja4", "JA4.1"].includes(r.field) || !r.value.startsWith("t")) continue;
    add(of(`ja4/${r.tool}`), "tls.ja4", r.file, r.value);
  }
  for (const r of csv(join(dir, "ja3.csv"))) add(of(`ja3/${r.source}`), r.kind === "ja3" ? "tls.ja3" : "tls.ja3s", r.file, r.value);
  for (const r of csv(join(dir, "hassh.csv")))
    add(of(`hassh/${r.source}`), r.kind === "hassh" ? "ssh.hassh" : "ssh.hasshserver", r.file, r.value);
  return tools;
}
