/** Records as CSV (RFC 4180), safe to open in a spreadsheet. */
export const cell = (v: unknown): string =>
  v === undefined || v === null ? "" : Array.isArray(v) ? v.map(cell).join(" ") : typeof v === "object" ? JSON.stringify(v) : String(v);
/** RFC 4180; a cell that a spreadsheet would run as a formula gets an apostrophe. */
function csvCell(s: string): string {
  const text = /^[=+\-@\t\r]/.test(s) && !/^-?\d+(\.\d+)?$/.test(s) ? `'${s}` : s;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
/** A line of values of any kind. */
export const csvLine = (values: readonly unknown[]): string => `${values.map((v) => csvCell(cell(v))).join(",")}\r\n`;
