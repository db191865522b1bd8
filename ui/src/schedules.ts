/** Captures on the server's machine: live ones, and those at fixed times with how their runs ended. */
import { acting, get } from "./api.js";
import { h, note, time } from "./dom.js";
import { explainLink } from "./filters.js";
import { live } from "./live.js";

interface Run {
  due: string;
  state: string;
  what: string;
}
interface Schedule {
  id: string;
  cron?: string;
  every?: number;
  capture: string[];
  paused: boolean;
  next: string;
  runs: Run[];
}
const REFRESH_MS = 3000;

export async function schedules(page: HTMLElement, alive: AbortSignal): Promise<void> {
  const list = h("div", { id: "schedules" });
  const show = async (): Promise<void> => {
    const { schedules: all } = await get<{ schedules: Schedule[] }>("/api/schedules");
    if (alive.aborted) return;
    list.replaceChildren(...(all.length ? all.map(card) : [h("p", { class: "soft" }, "No schedule yet.")]));
  };
  const act = acting(show, note);
  const card = (s: Schedule): HTMLElement => {
    const path = `/api/schedules/${s.id}`;
    return h(
      "article",
      { class: "card", "data-id": s.id },
      h(
        "div",
        { class: "row" },
        h("h2", { class: "grow" }, s.cron ?? `every ${(s.every as number) / 1000} s`),
        h("span", { class: "soft" }, s.paused ? "paused" : `next ${time(s.next).slice(0, 19)}`),
        h("button", { onclick: () => void act("PATCH", path, { now: true }) }, "Run now"),
        h("button", { onclick: () => void act("PATCH", path, { paused: !s.paused }) }, s.paused ? "Resume" : "Pause"),
        h("button", { onclick: () => void act("DELETE", path) }, "Remove"),
      ),
      h("p", { class: "soft" }, `capture ${s.capture.join(" ")}`),
      s.runs.length > 0 &&
        h(
          "table",
          {},
          h("thead", {}, h("tr", {}, ...["due", "state", "capture, or why there is none"].map((x) => h("th", { scope: "col" }, x)))),
          h(
            "tbody",
            {},
            ...s.runs.map((r) =>
              h(
                "tr",
                {},
                h("td", {}, time(r.due).slice(0, 19)),
                h("td", { class: r.state === "done" || r.state === "running" ? "" : "bad" }, r.state),
                h("td", {}, /^[0-9a-f]{64}$/.test(r.what) ? h("a", { href: `#/capture/${r.what}` }, r.what.slice(0, 12)) : r.what),
              ),
            ),
          ),
        ),
    );
  };
  const { interfaces } = await get<{ interfaces: { name: string }[] }>("/api/interfaces");
  const names = [...interfaces.map((i) => i.name), "any"];
  page.replaceChildren(h("h1", {}, "Live"), await live(names, alive), h("h1", {}, "Schedules"), form(names, act), list);
  await show();
  const timer = setInterval(() => void show().catch(() => undefined), REFRESH_MS);
  alive.addEventListener("abort", () => clearInterval(timer));
}

function form(names: readonly string[], act: (method: string, path: string, body: object) => Promise<void>): HTMLElement {
  const input = (label: string, more: Record<string, string | boolean> = {}): HTMLInputElement => h("input", { "aria-label": label, placeholder: label, ...more });
  const iface = h("select", { "aria-label": "interface" }, ...names.map((n) => h("option", {}, n)));
  const cron = input("cron, e.g. 0 2 * * *");
  const every = input("or every so many seconds", { type: "number", min: "1" });
  const duration = input("seconds to record", { type: "number", min: "1", required: true });
  const filter = input("filter, e.g. not port 22");
  const keep = input("keep, e.g. 7d or 10GB");
  const f = h("form", { class: "card row" }, iface, cron, every, duration, filter, explainLink(filter), keep, h("button", { class: "main" }, "Add"));
  f.addEventListener("submit", (e) => {
    e.preventDefault();
    void act("POST", "/api/schedules", {
      interface: iface.value,
      ...(cron.value && { cron: cron.value }),
      ...(every.value && { every_s: Number(every.value) }),
      duration_s: Number(duration.value),
      ...(filter.value && { filter: filter.value }),
      ...(keep.value && { keep: keep.value }),
    });
  });
  return f;
}
