/** All records of a capture as one text: by time, packet, dataset, id (SEMANTICS 27). */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { Decoded } from "./decode.ts";

const FIXTURES = join(import.meta.dirname, "..", "..", "fixtures", "pcaps");

export function fixtures(): string[] {
  return readdirSync(FIXTURES, { recursive: true, encoding: "utf8" })
    .filter((n) => n.endsWith(".pcap"))
    .sort()
    .map((n) => join(FIXTURES, n));
}

export function goldenText(d: Decoded): string {
  const rows: [string, number, string, string, string][] = [];
  for (const [dataset, text] of d.text)
    for (const line of text.split("\n")) {
      if (!line) continue;
      const r = JSON.parse(line);
      rows.push([r["@timestamp"], r.threatflow.packet ?? 0, dataset, r.event.id, line]);
    }
  rows.sort((a, b) => {
    for (const i of [0, 1, 2, 3] as const) if (a[i] !== b[i]) return a[i] < b[i] ? -1 : 1;
    return 0;
  });
  return rows.map((r) => `${r[4]}\n`).join("");
}
