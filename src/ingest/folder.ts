/** Captures in a folder, told by their first bytes, not by their names. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { compressionOf } from "./compression.js";
import { isRolling } from "./live/join.js";
import { readHead } from "./source.js";

/** Classic pcap: microseconds, nanoseconds, modified; either byte order. */
const PCAP = new Set(["a1b2c3d4", "d4c3b2a1", "a1b23c4d", "4d3cb2a1", "a1b2cd34", "34cdb2a1"]);
const PCAPNG = "0a0d0d0a";

export const isPcap = (head: Buffer): boolean => PCAP.has(head.subarray(0, 4).toString("hex"));

export const isCapture = (head: Buffer): boolean => isPcap(head) || head.subarray(0, 4).toString("hex") === PCAPNG;

function looksLikeCapture(path: string): boolean {
  try {
    const head = readHead(path, 4);
    return isCapture(head) || compressionOf(head) !== undefined;
  } catch {
    return false;
  }
}

/**
 * Captures below a folder in name order; hidden files and folders are left out. `rolling`: a rolling capture is one, told by its folder, not its
 * segments. Throws what reading the folder throws.
 */
export function* capturesIn(dir: string, rolling = false): Generator<string> {
  for (const entry of readdirSync(dir, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(dir, entry.name);
    if (entry.name.startsWith(".")) continue;
    if (entry.isDirectory() && rolling && isRolling(path)) yield path;
    else if (entry.isDirectory()) yield* capturesIn(path, rolling);
    else if (entry.isFile() && looksLikeCapture(path)) yield path;
  }
}
