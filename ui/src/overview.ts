/** What happened in a capture: when, who, what, what was odd; each number leads to its records. */
import { type Ask, type Capture, get } from "./api.js";
import { accountingText } from "./captures.js";
import { h, number, size, time } from "./dom.js";
import { timeline } from "./timeline.js";
import { recordsLink, topList } from "./top.js";

const LISTS: [string, string, string][] = [
  ["Protocols", "network.protocol", "flow"],
  ["Talkers", "source.ip", "flow"],
  ["Servers", "destination.ip", "flow"],
  ["Services", "destination.port", "flow"],
  ["What was odd", "anomaly.name", "anomaly"],
  ["DNS names", "dns.question.name", "dns"],
  ["DNS answers", "dns.response_code", "dns"],
  ["Web hosts", "url.domain", "http"],
  ["HTTP status", "http.response.status_code", "http"],
  ["User agents", "user_agent.original", "http"],
  ["TLS names", "tls.client.server_name", "tls"],
  ["TLS versions", "tls.version", "tls"],
  ["JA4", "tls.client.ja4", "tls"],
  ["SSH clients", "ssh.client.version", "ssh"],
  ["SSH servers", "ssh.server.version", "ssh"],
];

export async function overview(page: HTMLElement, id: string, p: URLSearchParams): Promise<void> {
  const c = await get<Capture>(`/api/captures/${id}`);
  const span: Ask = { capture: c.id, since: p.get("since") ?? undefined, until: p.get("until") ?? undefined };
  const s = c.summary;
  if (!s) {
    page.replaceChildren(h("h1", {}, c.name), h("p", {}, c.error ? `${c.error.message}; ${c.error.remedy}` : `${c.status}…`));
    return;
  }
  const counts = Object.entries(s.records as Record<string, number>).map(([d, n]) => h("a", { href: recordsLink({ ...span, dataset: d }) }, `${d} ${number(n)}`));
  const head = h(
    "section",
    { class: "card", id: "summary" },
    h("div", {}, `${size(s.capture.bytes)} ${s.capture.format}, ${s.capture.linktypes.join(", ")}${s.capture.first ? `, ${time(s.capture.first)} – ${time(s.capture.last)} UTC` : ""}`),
    h("div", {}, accountingText(s.accounting)),
    h("div", { class: "row" }, ...counts),
    s.damage && h("div", { class: "bad" }, `damaged: ${JSON.stringify(s.damage)}`),
    s.status === "partial" && h("div", { class: "bad" }, `partial: ${s.set_aside.map((x: any) => `shard ${x.shard}: ${x.reason}`).join("; ")}`),
    h("div", { class: "row" }, h("a", { href: `#/topology?capture=${c.id}` }, "Topology"), h("a", { href: recordsLink(span) }, "All records"), h("span", { class: "soft" }, `SHA-256 ${c.id}`)),
  );
  const lists = h("div", { class: "grid" });
  const time_ = await timeline(span, (since, until) => {
    location.hash = `#/capture/${c.id}${since ? `?since=${since}&until=${until}` : ""}`;
  });
  page.replaceChildren(h("h1", {}, c.name), head, time_, lists);
  const found = await Promise.all(LISTS.map(([title, field, dataset]) => topList(title, field, { ...span, dataset })));
  for (const x of found) if (x) lists.append(x);
}
