/** The options that change records, as one text (SEMANTICS 14): what makes two imports of the same bytes the same import. */
import { type DecodeOptions, SCHEMA_VERSION } from "../config.js";
import { ThreatflowError } from "../errors.js";

interface Key extends Omit<DecodeOptions, "dedupNs" | "hooks"> {
  schema: number;
  dedup: string;
  hooks?: string;
}

export function importKey(d: DecodeOptions): string {
  return JSON.stringify({
    schema: SCHEMA_VERSION,
    filter: d.filter,
    tcpOverlap: d.tcpOverlap,
    ipOverlap: d.ipOverlap,
    dedup: String(d.dedupNs),
    credentials: d.credentials,
    hooks: d.hooks?.sha256,
  } satisfies Key);
}
export function optionsOf(key: string): DecodeOptions {
  const k = JSON.parse(key) as Key;
  if (k.hooks)
    throw new ThreatflowError("HOOK", "it was imported with a file of hooks", "hooks are named on the command line: analyze --hooks FILE");
  return { filter: k.filter, tcpOverlap: k.tcpOverlap, ipOverlap: k.ipOverlap, dedupNs: BigInt(k.dedup), credentials: k.credentials };
}
/** In words: which options differ. */
export function difference(a: string, b: string): string {
  const x = JSON.parse(a) as Record<string, unknown>;
  const y = JSON.parse(b) as Record<string, unknown>;
  const names = [...new Set([...Object.keys(x), ...Object.keys(y)])].filter((k) => x[k] !== y[k]);
  return names.map((k) => `${k} was ${JSON.stringify(x[k] ?? null)}, now ${JSON.stringify(y[k] ?? null)}`).join("; ");
}
