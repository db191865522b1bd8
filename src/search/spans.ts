/** Times in questions: a time as written covers a span (a year, a day, a second, a nanosecond); both ends as RFC 3339 with nine digits. */
import type { Field } from "../records/fields.js";
import { bad } from "./target.js";

const WRITTEN = /^(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[T ](\d\d)(?::(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?)?)?)?Z?$/;

/** First instant of the span, and the first one behind it. */
export function timeSpan(f: Field, value: string): [string, string] {
  const m = WRITTEN.exec(value);
  if (!m) throw bad(f.name, `${f.name} is a time like 2026-11-24T03:17:00, not ${JSON.stringify(value)}`);
  const part = [m[1], m[2] ?? "01", m[3] ?? "01", m[4] ?? "00", m[5] ?? "00", m[6] ?? "00"].map(Number);
  const start = Date.UTC(part[0], part[1] - 1, part[2], part[3], part[4], part[5]);
  const text = (ms: number, fraction: string): string => `${new Date(ms).toISOString().slice(0, -5)}.${fraction}Z`;
  if (m[7]) {
    const next = BigInt(m[7].padEnd(9, "0")) + 10n ** BigInt(9 - m[7].length);
    return [text(start, m[7].padEnd(9, "0")), text(start + Number(next / 1000000000n) * 1000, String(next % 1000000000n).padStart(9, "0"))];
  }
  const given = [2, 3, 4, 5, 6].findIndex((i) => m[i] === undefined);
  const unit = given < 0 ? 5 : given;
  const next = [...part];
  next[unit]++;
  return [text(start, "000000000"), text(Date.UTC(next[0], next[1] - 1, next[2], next[3], next[4], next[5]), "000000000")];
}
