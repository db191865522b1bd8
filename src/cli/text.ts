/** Text for people: numbers, sizes, durations; what comes from the wire cannot steer the terminal. */
export const safe = (s: string): string =>
  s.replace(/[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
export const number = (n: number): string => n.toLocaleString("en-US");
export function size(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let i = 0;
  while (bytes >= 1024 && i < units.length - 1) {
    bytes /= 1024;
    i++;
  }
  return `${i === 0 ? bytes : bytes.toFixed(1)} ${units[i]}`;
}
export function duration(seconds: number): string {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 120) return `${seconds.toFixed(1)} s`;
  if (seconds < 7200) return `${(seconds / 60).toFixed(1)} min`;
  return seconds < 172800 ? `${(seconds / 3600).toFixed(1)} h` : `${(seconds / 86400).toFixed(1)} days`;
}
const color = process.stdout.isTTY && !process.env.NO_COLOR;
export const bold = (s: string): string => (color ? `\x1b[1m${s}\x1b[22m` : s);
export const dim = (s: string): string => (color ? `\x1b[2m${s}\x1b[22m` : s);

/** Rows as a table; columns as wide as their content, numbers to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[], width = process.stdout.columns || 160): string {
  const all = [head, ...rows].map((r) => r.map(safe));
  const widths = head.map((_, i) => Math.max(...all.map((r) => (r[i] ?? "").length)));
  const right = head.map((_, i) => rows.length > 0 && rows.every((r) => /^[\d,.]*$/.test(r[i] ?? "")));
  const cut = (s: string): string => (process.stdout.isTTY && s.length > width ? `${s.slice(0, width - 1)}…` : s);
  const line = (r: readonly string[]): string =>
    cut(
      r
        .map((c, i) => (right[i] ? c.padStart(widths[i]) : c.padEnd(widths[i])))
        .join("  ")
        .trimEnd(),
    );
  return [bold(line(all[0])), ...all.slice(1).map(line)].join("\n");
}
