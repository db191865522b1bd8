/** Times as they stand in records: RFC 3339 UTC with nine digits, from whole seconds and nanoseconds since 1970. */
import type { At } from "../decoders/contract.js";

const two: readonly string[] = Array.from({ length: 100 }, (_, i) => String(i).padStart(2, "0"));
let cachedDay = Number.NaN;
let cachedText = "";

/** `2026-11-24T03:17:00.000000001Z` */
export function timestamp(seconds: number, nanos: number): string {
  const day = Math.floor(seconds / 86400);
  if (day !== cachedDay) {
    cachedDay = day;
    cachedText = new Date(day * 86400000).toISOString().slice(0, 11);
  }
  const s = seconds - day * 86400;
  const h = (s / 3600) | 0;
  const m = ((s % 3600) / 60) | 0;
  return `${cachedText}${two[h]}:${two[m]}:${two[s % 60]}.${(1000000000 + nanos).toString().slice(1)}Z`;
}
export const timestampAt = (at: At): string => timestamp(at.seconds, at.nanos);

/** Nanoseconds from a to b in digits, exact beyond 2^53 too. */
export function nanosBetween(aSeconds: number, aNanos: number, bSeconds: number, bNanos: number): string {
  const ns = (bSeconds - aSeconds) * 1e9 + (bNanos - aNanos);
  if (ns < 9007199254740992) return String(ns);
  return (BigInt(bSeconds - aSeconds) * 1000000000n + BigInt(bNanos - aNanos)).toString();
}
export const before = (a: At, b: At): boolean => a.seconds < b.seconds || (a.seconds === b.seconds && a.nanos < b.nanos);
/** The later of two, where known; the first of equals. */
export function later(a: At | undefined, b: At | undefined): At | undefined {
  if (!a || !b) return a ?? b;
  return before(a, b) ? b : a;
}
