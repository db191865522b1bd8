/** A low-level filter looked at before it is used. */
import { get } from "./api.js";
import { h } from "./dom.js";

export function filters(page: HTMLElement): void {
  const box = h("input", { type: "search", id: "filter", placeholder: "tcp port 443, or a pasted tcpdump -dd program", "aria-label": "filter" });
  const out = h("div");
  const explain = async (): Promise<void> => {
    try {
      const e = await get("/api/filters/explain", { filter: box.value });
      out.replaceChildren(
        ...e.warnings.map((w: string) => h("p", { class: "bad" }, w)),
        h("pre", {}, e.lines.map((l: any) => `(${String(l.at).padStart(3, "0")}) ${l.text.replace("\t", "  ").padEnd(40)} ; ${l.meaning}`).join("\n")),
        h("p", {}, `verdicts: ${e.verdicts.map((v: number) => (v < 0 ? "as the accumulator says" : v === 0 ? "drop" : `keep ${v} bytes`)).join(", ")}`),
      );
    } catch (error) {
      out.replaceChildren(h("p", { class: "bad" }, (error as Error).message));
    }
  };
  page.replaceChildren(
    h("h1", {}, "Filters"),
    h(
      "form",
      {
        class: "card row",
        onsubmit: (e: Event) => {
          e.preventDefault();
          void explain();
        },
      },
      h("div", { class: "grow" }, box),
      h("button", { class: "main" }, "Explain"),
    ),
    h("section", { class: "card" }, out),
  );
}
