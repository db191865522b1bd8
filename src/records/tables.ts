/** Dates of the tables that change records (SEMANTICS 15). */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string; dependencies: Record<string, string> };

/** The public-suffix list comes with tldts, whose version is pinned. */
export const SUFFIX_LIST = `tldts-${manifest.dependencies.tldts}`;
export const IANA_DATE = "2026-11";
export const VERSION = manifest.version;
