/** Elements made in code: text is always text, whatever a packet put into it. */
export type Child = Node | string | number | undefined | null | false;
type Attributes = Record<string, string | number | boolean | ((e: any) => void) | undefined>;

export function h<K extends keyof HTMLElementTagNameMap>(tag: K, attributes: Attributes = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    if (typeof value === "function") e.addEventListener(name.slice(2), value);
    else e.setAttribute(name, value === true ? "" : String(value));
  }
  e.append(...children.filter((c) => c !== undefined && c !== null && c !== false).map((c) => (c instanceof Node ? c : visible(String(c)))));
  return e;
}
/** Control and direction characters are shown, not obeyed. */
export const visible = (s: string): string =>
  s.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);

export const number = (n: number): string => n.toLocaleString("en-US");
export function size(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let i = 0;
  for (; bytes >= 1024 && i < units.length - 1; i++) bytes /= 1024;
  return `${i ? bytes.toFixed(1) : bytes} ${units[i]}`;
}
export const time = (t: string | number): string => (typeof t === "number" ? new Date(t).toISOString() : t).replace("T", " ").replace(/(\.\d{1,6})?\d*Z$/, "$1");

let timer = 0;
/** Tells something for a while. */
export function note(text: string): void {
  const e = document.getElementById("note") as HTMLElement;
  e.textContent = visible(text);
  clearTimeout(timer);
  timer = window.setTimeout(() => {
    e.textContent = "";
  }, 6000);
}
