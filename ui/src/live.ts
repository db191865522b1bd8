/** A capture that begins now: started, watched, stopped. */
import { acting, get } from "./api.js";
import { h, note, number, size, time } from "./dom.js";
import { explainLink } from "./filters.js";

interface Live {
  id: string;
  capture: string[];
  started: string;
  state: "running" | "done" | "failed";
  status?: { packets: number; bytes: number; rate: number; dropped: number; segments: number; behind: number; capture?: string; trouble?: string };
  what?: string;
}
const REFRESH_MS = 1000;

export async function live(names: readonly string[], alive: AbortSignal): Promise<HTMLElement> {
  const list = h("div", { id: "live" });
  const show = async (): Promise<void> => {
    const { captures } = await get<{ captures: Live[] }>("/api/live");
    if (!alive.aborted) list.replaceChildren(...captures.map(card));
  };
  const act = acting(show, note);
  const card = (c: Live): HTMLElement => {
    const s = c.status;
    const how = s && `${number(s.packets)} packets, ${size(s.bytes)}, ${number(s.rate)}/s, ${number(s.dropped)} dropped, ${s.segments} segments, ${number(s.behind)} to decode`;
    return h(
      "article",
      { class: "card", "data-state": c.state },
      h(
        "div",
        { class: "row" },
        h("h2", { class: "grow" }, `capture ${c.capture.join(" ")}`),
        h("span", { class: c.state === "failed" ? "bad" : "soft" }, `${c.state}, begun ${time(c.started).slice(11, 19)}`),
        c.state === "running" && h("button", { onclick: () => void act("DELETE", `/api/live/${c.id}`) }, "Stop"),
      ),
      how && h("p", { class: "soft" }, how, " ", c.state === "running" && s.capture && h("a", { href: `#/capture/${s.capture}` }, "what came so far")),
      s?.trouble && h("p", { class: "bad" }, s.trouble),
      c.what && h("p", { class: c.state === "failed" ? "bad" : "" }, /^[0-9a-f]{64}$/.test(c.what) ? h("a", { href: `#/capture/${c.what}` }, `capture ${c.what.slice(0, 12)}`) : c.what),
    );
  };
  const input = (label: string, more: Record<string, string> = {}): HTMLInputElement => h("input", { "aria-label": `${label} (live)`, placeholder: label, ...more });
  const iface = h("select", { "aria-label": "interface (live)" }, ...names.map((n) => h("option", {}, n)));
  const filter = input("filter, e.g. not port 22");
  const rotate = input("new segment: 60s or 256MB");
  const keep = input("keep, e.g. 24h or 10GB");
  const duration = input("seconds, or until Stop", { type: "number", min: "1" });
  const f = h("form", { class: "card row" }, iface, filter, explainLink(filter), rotate, keep, duration, h("button", { class: "main" }, "Start"));
  f.addEventListener("submit", (e) => {
    e.preventDefault();
    void act("POST", "/api/live", {
      interface: iface.value,
      ...(filter.value && { filter: filter.value }),
      ...(rotate.value && { rotate: rotate.value }),
      ...(keep.value && { keep: keep.value }),
      ...(duration.value && { duration_s: Number(duration.value) }),
    });
  });
  await show();
  const timer = setInterval(() => void show().catch(() => undefined), REFRESH_MS);
  alive.addEventListener("abort", () => clearInterval(timer));
  return h("div", {}, f, list);
}
