/** One conversation: who and what, both streams in time, its packets, its bytes to take away. */
import { get } from "./api.js";
import { h, number, size, time, visible } from "./dom.js";
import { valueAt } from "./records.js";

const bytesOf = (base64: string): Uint8Array => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
/** A byte as dumps show it. */
const shown = (x: number): string => (x >= 32 && x < 127 ? String.fromCharCode(x) : ".");
function hexDump(b: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < b.length; at += 16) {
    const row = [...b.subarray(at, at + 16)];
    lines.push(`${at.toString(16).padStart(6, "0")}  ${row.map((x) => x.toString(16).padStart(2, "0")).join(" ").padEnd(48)} ${row.map(shown).join("")}`);
  }
  return lines.join("\n");
}
const text = (b: Uint8Array): string => visible(new TextDecoder("utf-8").decode(b).replaceAll("\r\n", "\n"));

export async function flow(page: HTMLElement, id: string): Promise<void> {
  const { flow: f, records } = await get(`/api/flows/${id}`);
  const ends = `${valueAt(f, "source.ip")}${f.source?.port ? `:${f.source.port}` : ""} → ${valueAt(f, "destination.ip")}${f.destination?.port ? `:${f.destination.port}` : ""}`;
  const facts = [
    ["protocols", [valueAt(f, "network.transport"), ...(f.threatflow.protocols ?? [])].join(", ")],
    ["time", `${time(f.event.start)} – ${time(f.event.end)} UTC`],
    ["packets", `${number(f.source?.packets ?? 0)} → / ← ${number(f.destination?.packets ?? 0)}`],
    ["bytes", `${size(f.source?.bytes ?? 0)} → / ← ${size(f.destination?.bytes ?? 0)}`],
    ["ended", valueAt(f, "flow.end_reason")],
    ["state", valueAt(f, "tcp.state")],
    ["history", valueAt(f, "tcp.history")],
    ["odd", valueAt(f, "threatflow.anomalies")],
    ["community id", valueAt(f, "network.community_id")],
  ].filter(([, v]) => v);
  const streams = h("div", { id: "streams" }, h("p", { class: "soft" }, "reading the packets…"));
  const packets = h("div");
  page.replaceChildren(
    h("h1", {}, ends),
    h("section", { class: "card" }, h("table", {}, h("tbody", {}, ...facts.map(([k, v]) => h("tr", {}, h("th", { scope: "row" }, k), h("td", {}, v))))), h("p", {}, h("a", { href: `/api/flows/${id}.pcap`, download: true, id: "pcap" }, "Download its packets (pcap)"))),
    records.length > 0 && h("section", { class: "card" }, h("h2", {}, "Records"), ...records.map((r: any) => h("details", {}, h("summary", {}, `${r.event.dataset} · ${time(r["@timestamp"])}`), h("pre", {}, JSON.stringify(r, null, 1))))) || "",
    streams,
    packets,
  );
  const c = await get(`/api/flows/${id}/content`).catch((e: Error) => e);
  if (c instanceof Error) {
    streams.replaceChildren(h("p", { class: "bad" }, c.message));
    return;
  }
  const first = c.packets[0]?.time ?? 0;
  const draw = (hex: boolean): void => {
    const other = h("button", { onclick: () => draw(!hex) }, hex ? "as text" : "as bytes");
    const shown: { side: number; time: number; bytes: Uint8Array[]; missing: number }[] = [];
    for (const p of c.pieces) {
      const last = shown.at(-1);
      if (last && last.side === p.side && !p.missing && !last.missing) last.bytes.push(bytesOf(p.bytes));
      else shown.push({ side: p.side, time: p.time, bytes: [bytesOf(p.bytes)], missing: p.missing ?? 0 });
    }
    streams.replaceChildren(
      h(
        "section",
        { class: "card" },
        h("div", { class: "row" }, h("h2", { class: "grow" }, "Conversation"), c.cut && h("span", { class: "bad" }, "only the beginning is shown"), other),
        c.incomplete && h("p", { class: "bad" }, "Earlier packets of this flow were in segments that --keep deleted: what follows, and the download, are what is left."),
        ...(shown.length ? [] : [h("p", { class: "soft" }, "no payload")]),
        ...shown.map((s) => {
          const all = new Uint8Array(s.bytes.reduce((n, b) => n + b.length, 0));
          let at = 0;
          for (const b of s.bytes) {
            all.set(b, at);
            at += b.length;
          }
          return h(
            "div",
            { class: s.side ? "piece server" : "piece" },
            h("div", { class: "soft" }, `${s.side ? "←" : "→"} +${((s.time - first) / 1000).toFixed(6)} s, ${s.missing ? `${number(s.missing)} bytes missing` : `${number(all.length)} bytes`}`),
            h("pre", {}, hex ? hexDump(all) : text(all)),
          );
        }),
      ),
    );
  };
  draw(false);
  packets.replaceChildren(
    h(
      "section",
      { class: "card" },
      h("h2", {}, `Packets (${number(c.packets.length)})`),
      ...c.packets.slice(0, 500).map((p: any) => {
        const box = h("details", {}, h("summary", {}, `${p.number} · +${((p.time - first) / 1000).toFixed(6)} s · ${number(p.length)} bytes · ${p.layers.map((l: any) => l.name).join(" / ")}`));
        box.addEventListener("toggle", () => box.childElementCount === 1 && box.append(packet(p)), { once: true });
        return box;
      }),
    ),
  );
}

/** The tree of layers beside the bytes; what is chosen in one lights up in the other. */
function packet(p: any): HTMLElement {
  const bytes: string[] = p.bytes.match(/../g) ?? [];
  const cells = bytes.map((x, i) => h("span", { onclick: () => fieldAt(i)?.focus() }, x));
  const chars = bytes.map((x, i) => h("span", { onclick: () => fieldAt(i)?.focus() }, shown(Number.parseInt(x, 16))));
  const rows: (Node | string)[] = [];
  for (let at = 0; at < cells.length; at += 16) {
    rows.push(`${at.toString(16).padStart(4, "0")}  `);
    for (const [i, c] of cells.slice(at, at + 16).entries()) rows.push(...(i ? [" ", c] : [c]));
    rows.push("   ".repeat(Math.max(0, at + 16 - cells.length)), "  ", ...chars.slice(at, at + 16), "\n");
  }
  const dump = h("pre", { class: "dump" }, ...rows);
  const light = (at: number, n: number): void => {
    for (const [i, c] of cells.entries()) {
      c.className = i >= at && i < at + n ? "lit" : "";
      chars[i].className = c.className && "lit-text";
    }
  };
  const fields: { at: number; n: number; button: HTMLElement }[] = [];
  /** The smallest field that a byte belongs to. */
  const fieldAt = (i: number): HTMLElement | undefined =>
    fields.filter((f) => i >= f.at && i < f.at + f.n).sort((a, b) => a.n - b.n)[0]?.button;
  const entry = (words: string, at: number, n: number): HTMLElement => {
    const choose = (): void => light(at, n);
    const button = h("button", { class: "field", onclick: choose, onfocus: choose, onmouseenter: choose }, words);
    fields.push({ at, n, button });
    return button;
  };
  const tree = h(
    "ul",
    { class: "tree" },
    ...p.layers.map((l: any) =>
      h("li", {}, entry(`${l.name}, ${number(l.bytes)} bytes`, l.at, l.bytes), l.fields.length > 0 && h("ul", {}, ...l.fields.map((f: any) => h("li", {}, entry(`${f.name}: ${f.value}`, f.at, f.bytes))))),
    ),
  );
  return h("div", { class: "packet" }, tree, dump);
}
