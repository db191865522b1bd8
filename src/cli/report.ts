/** What `analyze` tells a person: when, who, what, what was odd, the accounting, what to try next. */
import { basename } from "node:path";
import type { Summary } from "../jobs/summary.js";
import type { Digest } from "../records/digest.js";
import { bold, dim, duration, number, safe, size } from "./text.js";

const top = (counts: Record<string, number>, n: number): string =>
  Object.entries(counts)
    .sort((a, b) => b[1] - a[1])
    .slice(0, n)
    .map(([k, v]) => `${safe(k)} ${number(v)}`)
    .join(", ");
const row = (label: string, text: string): string => `  ${dim(label.padEnd(11))} ${text}`;

export function report(s: Summary, d: Digest | undefined, stored: string | undefined): string {
  const a = s.accounting;
  const lost = Object.entries(a.undecodable);
  const out: string[] = [];
  out.push(
    `${bold(safe(basename(s.capture.name)))}  ${size(s.capture.bytes)} ${s.capture.format}${s.capture.compression ? ` (${s.capture.compression})` : ""}, ${s.capture.linktypes.join(", ") || "no packets"}`,
  );
  if (s.capture.first && s.capture.last) {
    const seconds = (Date.parse(s.capture.last) - Date.parse(s.capture.first)) / 1000;
    out.push(
      row(
        "time",
        `${s.capture.first.slice(0, 19).replace("T", " ")} – ${s.capture.last.slice(0, 19).replace("T", " ")} UTC, ${duration(seconds)}`,
      ),
    );
  }
  if (d) {
    out.push(row("hosts", number(d.hosts)));
    if (Object.keys(d.protocols).length) out.push(row("protocols", `${top(d.protocols, 10)} ${dim("(flows)")}`));
    if (d.talkers.length)
      out.push(
        row(
          "talkers",
          d.talkers
            .slice(0, 5)
            .map(([ip, n]) => `${ip} ${size(n)}`)
            .join(", "),
        ),
      );
    out.push(row("odd", Object.keys(d.anomalies).length ? top(d.anomalies, 8) : "nothing"));
  }
  out.push(row("records", top(s.records, 12) || "none"));
  const parts = [
    `${number(a.decoded)} decoded`,
    `${number(a.filtered)} filtered`,
    `${number(lost.reduce((x, [, n]) => x + n, 0))} undecodable`,
    `${number(a.duplicate)} duplicate`,
  ];
  out.push(
    row(
      "accounting",
      `${number(a.read)} packets = ${parts.join(" + ")}${lost.length ? ` (${lost.map(([k, n]) => `${k} ${number(n)}`).join(", ")})` : ""}`,
    ),
  );
  if (a.read > 0 && a.decoded === 0)
    out.push(row("why empty", a.filtered === a.read ? "the filter dropped every packet" : lost.map(([k]) => k).join(", ")));
  if (s.damage) {
    const damage: string[] = [];
    if (s.damage.truncated_at !== undefined) damage.push(`the file ends inside a record at offset ${number(s.damage.truncated_at)}`);
    if (s.damage.broken_records)
      damage.push(`${number(s.damage.broken_records)} broken records (${size(s.damage.broken_bytes ?? 0)}) were skipped`);
    out.push(row("damage", [...damage, ...(s.damage.notes ?? [])].join("; ")));
  }
  for (const x of s.set_aside)
    out.push(
      row(
        "set aside",
        `shard ${x.shard}: ${number(x.packets)} packets at offsets ${number(x.first_offset)}–${number(x.last_offset)}: ${x.reason}`,
      ),
    );
  if (Object.keys(s.limits).length) out.push(row("limits hit", top(s.limits, 8)));
  out.push(row("took", `${duration(s.seconds)}${s.already_imported ? ", already imported: nothing was written" : ""}`));
  out.push(row("id", s.capture.id));
  if (stored !== undefined) out.push("", `${dim("next:")} ${nextCommand(s, stored)}`);
  return `${out.join("\n")}\n`;
}

function nextCommand(s: Summary, dataFlag: string): string {
  const r = s.records;
  const ask = r.tls
    ? "'tls.client.server_name: *' --dataset tls"
    : r.http
      ? "'http.response.status_code >= 400' --dataset http"
      : r.dns
        ? "'dns.response_code: NXDOMAIN'"
        : r.anomaly
          ? "'*' --dataset anomaly"
          : "'*' --dataset flow";
  return `threatflow query ${ask}${dataFlag} --capture ${s.capture.id.slice(0, 8)}`;
}
