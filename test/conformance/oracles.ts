/** What other tools say of a capture, as sets of (file, field, value). Folder: shared/pcaps/expected. */
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
    if (r.dns_id && r.dns_qname)
      for (const [i, name] of r.dns_qname.split(",").entries()) {
        const type = r.dns_qtype.split(",")[i];
        // What tshark could not print is no name to compare: an error text, bytes lost to the table, a name cut by it.
        if (/^<(?!Root>)|\ufffd/.test(name) || !type) continue;
        add(facts, "dns.question", r.file, `${name === "<Root>" ? "." : name.toLowerCase()} ${type}`);
      }
    if (r.udp_stream) continue; // QUIC and SSDP are not what these decoders read
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
  for (const [f, n] of dns) if (n >= 150) capped.add(f);
  for (const [f, n] of other) if (n >= 400) capped.add(f);
  return { facts, capped };
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
