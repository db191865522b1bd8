/** Records: a question, facets, a table that loads as it is scrolled, one record whole. */
import { type Ask, get, query, send } from "./api.js";
import { h, note, number, time } from "./dom.js";
import { timeline } from "./timeline.js";
import { both, is, recordsLink, topList } from "./top.js";

const PAGE = 200;
const COLUMNS: Record<string, string[]> = {
  "": ["@timestamp", "event.dataset", "source.ip", "destination.ip", "network.protocol", "threatflow.packet"],
  flow: ["@timestamp", "source.ip", "source.port", "destination.ip", "destination.port", "network.transport", "network.protocol", "network.packets", "network.bytes", "tcp.state"],
  dns: ["@timestamp", "source.ip", "dns.question.name", "dns.question.type", "dns.response_code", "dns.resolved_ip"],
  http: ["@timestamp", "source.ip", "http.request.method", "url.full", "http.response.status_code", "user_agent.original"],
  tls: ["@timestamp", "source.ip", "destination.ip", "tls.version", "tls.client.server_name", "tls.client.ja4", "tls.cipher", "tls.established"],
  ssh: ["@timestamp", "source.ip", "destination.ip", "ssh.client.version", "ssh.server.version", "ssh.client.hassh"],
  arp: ["@timestamp", "arp.op_code", "arp.sender.mac", "arp.sender.ip", "arp.target.ip"],
  icmp: ["@timestamp", "source.ip", "destination.ip", "icmp.type", "icmp.code", "event.outcome"],
  anomaly: ["@timestamp", "anomaly.name", "anomaly.count", "source.ip", "destination.ip", "threatflow.packet"],
  capture: ["@timestamp", "capture.format", "capture.read", "capture.decoded"],
};
const FACETS: Record<string, string[]> = {
  "": ["event.dataset", "network.protocol", "source.ip", "destination.ip", "threatflow.anomalies"],
  flow: ["network.protocol", "destination.port", "tcp.state", "source.ip", "destination.ip", "threatflow.anomalies"],
  dns: ["dns.response_code", "dns.question.type", "dns.question.registered_domain", "source.ip"],
  http: ["http.request.method", "http.response.status_code", "url.domain", "user_agent.original"],
  tls: ["tls.version", "tls.client.server_name", "tls.client.ja4", "tls.cipher"],
  ssh: ["ssh.client.version", "ssh.server.version"],
  anomaly: ["anomaly.name", "anomaly.layer"],
};

export function valueAt(r: any, name: string): string {
  let v = r;
  for (const part of name.split(".")) v = v?.[part];
  return v === undefined ? "" : Array.isArray(v) ? v.join(" ") : typeof v === "object" ? JSON.stringify(v) : String(v);
}

export async function records(page: HTMLElement, p: URLSearchParams): Promise<void> {
  const { fields, datasets } = await get("/api/fields");
  const ask: Ask = Object.fromEntries(p);
  const dataset = (ask.dataset as string) ?? "";
  const columns = ask.columns ? String(ask.columns).split(",") : (COLUMNS[dataset] ?? COLUMNS[""]);
  const asked: Ask = { ...ask, columns: undefined };
  const box = h("input", { type: "search", id: "q", value: (ask.q as string) ?? "", placeholder: "dns.question.name: *.example and not source.ip: 10.0.0.0/8", "aria-label": "query", list: "names", autocomplete: "off" });
  const names = h("datalist", { id: "names" });
  const complete = (): void => {
    const head = /^(.*?)([\w@.]*)$/.exec(box.value) ?? ["", "", ""];
    names.replaceChildren(
      ...fields.filter((f: any) => head[2].length > 1 && f.name.startsWith(head[2])).slice(0, 20).map((f: any) => h("option", { value: `${head[1]}${f.name}: ` }, f.doc)),
    );
  };
  box.addEventListener("input", complete);
  const go = (more: Ask): void => {
    location.hash = recordsLink({ ...ask, q: box.value, ...more }).slice(1);
  };
  const choice = h("select", { "aria-label": "dataset", onchange: () => go({ dataset: choice.value }) }, h("option", { value: "" }, "all datasets"), ...datasets.map((d: string) => h("option", { value: d, selected: d === dataset }, d)));
  const form = h(
    "form",
    {
      class: "card row",
      onsubmit: (e: Event) => {
        e.preventDefault();
        go({});
      },
    },
    h("div", { class: "grow" }, box, names),
    choice,
    h("button", { class: "main" }, "Search"),
    h("a", { href: `/api/export?${query({ ...asked, format: "ndjson" })}`, download: true }, "NDJSON"),
    h("a", { href: `/api/export?${query({ ...asked, format: "csv", fields: columns.join(",") })}`, download: true }, "CSV"),
    columnChoice(fields.filter((f: any) => !dataset || !f.in || f.in.includes(dataset)), columns, (chosen) => go({ columns: chosen.join(",") })),
  );
  const count = h("p", { class: "soft", id: "count" });
  const body = h("tbody");
  const detail = h("section", { class: "card", id: "detail", hidden: true });
  const scroll = h("div", { class: "scroll", tabindex: 0, "aria-label": "records" }, h("table", {}, h("thead", {}, h("tr", {}, ...columns.map((c) => h("th", { scope: "col" }, c)))), body));
  const facets = h("div");
  page.replaceChildren(h("h1", {}, "Records"), form, await saved(ask), h("div", { class: "split" }, facets, h("div", {}, detail, h("div", { class: "card" }, count, scroll))));
  let from = 0;
  let total = Infinity;
  let loading = false;
  const more = async (): Promise<void> => {
    if (loading || from >= total) return;
    loading = true;
    try {
      const answer = await get("/api/records", { ...asked, size: PAGE, from });
      total = answer.total;
      count.textContent = `${number(total)} records`;
      for (const r of answer.records) body.append(row(r, columns, detail));
      from += answer.records.length;
      if (answer.records.length === 0) total = from;
    } catch (error) {
      count.className = "bad";
      count.textContent = (error as Error).message;
      total = 0;
    } finally {
      loading = false;
    }
  };
  scroll.addEventListener("scroll", () => {
    if (scroll.scrollTop + scroll.clientHeight > scroll.scrollHeight - 400) void more();
  });
  await more();
  if (count.className === "bad") return;
  try {
    form.after(await timeline(asked, (since, until) => go({ since, until })));
    for (const f of FACETS[dataset] ?? FACETS[""]) {
      const list = await topList(f, f, asked);
      if (list) facets.append(list);
    }
  } catch (error) {
    note((error as Error).message);
  }
}

/** Which fields are columns. */
function columnChoice(fields: { name: string; doc: string }[], columns: string[], done: (chosen: string[]) => void): HTMLElement {
  const box = h("input", { type: "search", placeholder: "find a field", "aria-label": "find a field" });
  const list = h("div", { class: "choices" });
  const chosen = new Set(columns);
  const fill = (): void => {
    const shown = [...columns.map((name) => fields.find((f) => f.name === name) ?? { name, doc: "" }), ...fields.filter((f) => !columns.includes(f.name))];
    list.replaceChildren(
      ...shown
        .filter((f) => f.name.includes(box.value))
        .slice(0, 60)
        .map((f) => {
          const tick = h("input", {
            type: "checkbox",
            checked: chosen.has(f.name),
            onchange: () => {
              if (tick.checked) chosen.add(f.name);
              else chosen.delete(f.name);
            },
          });
          return h("label", { title: f.doc }, tick, f.name);
        }),
    );
  };
  box.addEventListener("input", fill);
  fill();
  return h("details", { id: "columns" }, h("summary", {}, "Columns"), box, list, h("button", { type: "button", onclick: () => chosen.size && done([...chosen]) }, "Show these"));
}

/** Searches that were saved: a link each. */
async function saved(ask: Ask): Promise<HTMLElement> {
  const place = h("p", { id: "saved", class: "row soft" });
  const again = async (): Promise<void> => {
    const { searches } = await get<{ searches: { name: string; ask: string }[] }>("/api/searches");
    place.replaceChildren(
      "Saved searches: ",
      ...searches.flatMap((s) => [
        h("span", { class: "tag" }, h("a", { href: `#/records?${s.ask}` }, s.name), " ", h("button", { class: "field", "aria-label": `forget ${s.name}`, onclick: () => void act(send("DELETE", `/api/searches/${encodeURIComponent(s.name)}`)) }, "×")),
      ]),
      h("button", { id: "save", onclick: save }, "Save this one"),
    );
  };
  const act = async (work: Promise<unknown>): Promise<void> => {
    try {
      await work;
      await again();
    } catch (error) {
      note((error as Error).message);
    }
  };
  const save = (): void => {
    const name = prompt("Name of this search");
    if (name) void act(send("PUT", `/api/searches/${encodeURIComponent(name)}`, { ask: query(ask) }));
  };
  await again();
  return place;
}

function row(r: any, columns: string[], detail: HTMLElement): HTMLElement {
  const open = (): void => {
    const flow = r.flow?.id;
    detail.hidden = false;
    detail.replaceChildren(
      h(
        "div",
        { class: "row" },
        h("h2", { class: "grow" }, `${r.event.dataset} record`),
        flow && h("a", { href: `#/flow/${flow}` }, "Its flow"),
        h("button", {
          onclick: () => {
            void navigator.clipboard?.writeText(both("", is("event.id", r.event.id)));
            note("copied as a query");
          },
        }, "Copy as query"),
        h("button", {
          onclick: () => {
            detail.hidden = true;
          },
        }, "Close"),
      ),
      h("pre", {}, JSON.stringify(r, null, 1)),
    );
    detail.scrollIntoView({ block: "nearest" });
  };
  return h(
    "tr",
    {
      tabindex: 0,
      onclick: open,
      onkeydown: (e: KeyboardEvent) => {
        if (e.key === "Enter") open();
      },
    },
    ...columns.map((c) => h("td", {}, c === "@timestamp" ? time(valueAt(r, c)) : valueAt(r, c))),
  );
}
