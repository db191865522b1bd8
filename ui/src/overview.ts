/** What happened in a capture: when, who, what, what was odd; each number leads to its records. */
import { type Ask, type Capture, get } from "./api.js";
import { accountingText } from "./captures.js";
import { h, note, number, size, time } from "./dom.js";
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
  const told = c.error ? `${c.error.message}; ${c.error.remedy}` : c.live ? "It is being recorded: this is what came so far." : `${c.status}…`;
  // What was recorded before it failed is there.
  if (!s && !c.live && c.status !== "failed") {
    page.replaceChildren(h("h1", {}, c.name), h("p", {}, told));
    return;
  }
  const links = h("div", { class: "row" }, h("a", { href: `#/topology?capture=${c.id}` }, "Topology"), h("a", { href: recordsLink(span) }, "All records"), h("span", { class: "soft" }, s ? `SHA-256 ${c.id}` : ""));
  const head = s ? summaryOf(s, span, links) : soFar(told, links, c.live && (() => void overview(page, id, p).catch((e: Error) => note(e.message))));
   const lists = h("div", { class: "grid" });
  const time_ = await timeline(span, (since, until) => {
    location.hash = `#/capture/${c.id}${since ? `?since=${since}&until=${until}` : ""}`;
  });
  page.replaceChildren(h("h1", {}, c.name), head, time_, lists);
  const found = await Promise.all(LISTS.map(([title, field, dataset]) => topList(title, field, { ...span, dataset })));
  for (const x of found) if (x) lists.append(x);
}

function summaryOf(s: any, span: Ask, links: HTMLElement): HTMLElement {
  const counts = Object.entries(s.records as Record<string, number>).map(([d, n]) => h("a", { href: recordsLink({ ...span, dataset: d }) }, `${d} ${number(n)}`));
  return h(
    "section",
    { class: "card", id: "summary" },
    h("div", {}, `${size(s.capture.bytes)} ${s.capture.format}, ${s.capture.linktypes.join(", ")}${s.capture.first ? `, ${time(s.capture.first)} – ${time(s.capture.last)} UTC` : ""}`),
    h("div", {}, accountingText(s.accounting)),
    h("div", { class: "row" }, ...counts),
    s.damage && h("div", { class: "bad" }, `damaged: ${JSON.stringify(s.damage)}`),
    s.status === "partial" && h("div", { class: "bad" }, `partial: ${s.set_aside.map((x: any) => `shard ${x.shard}: ${x.reason}`).join("; ")}`),
    links,
  );
}
/** Of a capture that is not over, or that broke off. */
function soFar(told: string, links: HTMLElement, again: (() => void) | undefined): HTMLElement {
  return h("section", { class: "card", id: "summary" }, h("div", {}, told), links, again && h("button", { onclick: again }, "Look again"));
}
