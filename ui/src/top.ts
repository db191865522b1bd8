/** A list of the most frequent values, each a link to the records behind it. */
import { type Ask, get, query } from "./api.js";
import { h, number } from "./dom.js";

export const recordsLink = (ask: Ask): string => `#/records?${query(ask)}`;
/** `field: "value"` in the query language. */
export const is = (field: string, value: string): string => `${field}: "${value.replace(/(["\\])/g, "\\$1")}"`;
export const both = (a: string | undefined, b: string): string => (a?.trim() && a.trim() !== "*" ? `(${a}) and ${b}` : b);

export async function topList(title: string, field: string, ask: Ask): Promise<HTMLElement | undefined> {
  const { values } = await get<{ values: { value: string; count: number }[] }>("/api/top", { ...ask, field, size: 8 });
  if (values.length === 0) return undefined;
  const most = values[0].count;
  const list = h("ul", { class: "top" });
  for (const v of values) {
    const bar = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    bar.setAttribute("preserveAspectRatio", "none");
    bar.setAttribute("viewBox", "0 0 100 1");
    bar.setAttribute("aria-hidden", "true");
    const r = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    r.setAttribute("width", String((100 * v.count) / most));
    r.setAttribute("height", "1");
    bar.append(r);
    list.append(h("li", {}, bar, h("a", { href: recordsLink({ ...ask, q: both(ask.q as string, is(field, v.value)) }) }, v.value), h("span", {}, number(v.count))));
  }
  return h("section", { class: "card", "data-field": field }, h("h2", {}, title), list);
}
