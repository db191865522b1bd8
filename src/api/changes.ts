/** What others changed in the catalogue: other processes on the same folder, other servers of the cluster. */
import type { Catalog } from "../catalog/catalog.js";

/** Time between two looks, ms. */
export const LOOK_MS = 700;

/** Returns a look at the catalogue that tells the ids of captures that came, went, or took a step since the one before it. */
export function changesOf(catalog: Catalog, changed: (id: string) => void): () => Promise<void> {
  let seen: Map<string, string> | undefined;
  return async () => {
    const all = await catalog.list().catch(() => undefined);
    if (!all) return; // it is away: what changed meanwhile is told afterwards
    const now = new Map(all.map((e) => [e.id, `${e.status} ${e.generation}`]));
    if (seen) {
      for (const [id, state] of now) if (seen.get(id) !== state) changed(id);
      for (const id of seen.keys()) if (!now.has(id)) changed(id);
    }
    seen = now;
  };
}
