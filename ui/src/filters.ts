/** A low-level filter looked at before it is used. */
import { get } from "./api.js";
import { h } from "./dom.js";

/** Beside a box with a filter: what it says, on the page of filters. */
export function explainLink(box: HTMLInputElement): HTMLAnchorElement {
  const link = h("a", { href: "#/filters" }, "Explain");
  box.addEventListener("input", () => link.setAttribute("href", `#/filters?${new URLSearchParams({ filter: box.value })}`));
  return link;
}

export function filters(page: HTMLElement, p: URLSearchParams): void {
  const box = h("input", { type: "search", id: "filter", value: p.get("filter") ?? "", placeholder: "tcp port 443, or a pasted tcpdump -dd program", "aria-label": "filter" });
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
  if (box.value) void explain();
}
