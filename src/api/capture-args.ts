/** What a route is told of a capture to record, as arguments of `threatflow capture`. */
import { ThreatflowError } from "../errors.js";
import { readFilter } from "../ingest/filter.js";

export interface Recording {
  interface: string;
  duration_s?: number;
  filter?: string;
  keep?: string;
  rotate?: string;
}
const limit = (unit: string): string => `^\\d+(\\.\\d+)?(ns|us|ms|s|m|h|d|[KMGT]i?B|${unit})$`;
export const RECORDING = {
  interface: { type: "string", pattern: "^[A-Za-z0-9_.:-]{1,32}$" },
  duration_s: { type: "number", exclusiveMinimum: 0 },
  filter: { type: "string", maxLength: 100000 },
  keep: { type: "string", pattern: limit("f") },
  rotate: { type: "string", pattern: limit("p") },
};
/** Throws USAGE, and what a filter that is none throws. */
export function captureArgs(r: Recording): string[] {
  if (r.filter?.trim().startsWith("@")) throw new ThreatflowError("USAGE", "a filter here is an expression or a program, no file");
  if (r.filter) readFilter(r.filter);
  const flag = (name: string, value: string | undefined): string[] => (value ? [name, value] : []);
  return [
    "-i",
    r.interface,
    ...flag("--duration", r.duration_s === undefined ? undefined : `${r.duration_s}s`),
    ...flag("--filter", r.filter),
    ...flag("--rotate", r.rotate),
    ...flag("--keep", r.keep),
  ];
}
