/** The shared catalogue: an index of Elasticsearch, one document a capture; changes are compare-and-swap (if_seq_no, if_primary_term). */
import { errors } from "@elastic/elasticsearch";
import { ThreatflowError } from "../errors.js";
import { asking, type Elastic, ensureIndex, notFound } from "../search/elastic.js";
import { type CaptureEntry, type Catalog, isIdPrefix, theOnly } from "./catalog.js";

const PAGE = 1000;
/** Changers of one entry at once that are tried against before giving up. */
const TRIES = 50;

export async function elasticCatalog(e: Elastic): Promise<Catalog> {
  const index = `${e.prefix}-catalog`;
  const ask = asking(e);
  await ask(() =>
    ensureIndex(e, index, {
      id: { type: "keyword" },
      added: { type: "date" },
      status: { type: "keyword" },
      entry: { type: "object", enabled: false },
    }),
  );
  const document = (entry: CaptureEntry) => ({ id: entry.id, added: entry.added, status: entry.status, entry });
  const read = async (id: string): Promise<{ entry: CaptureEntry; seq: number; term: number } | undefined> => {
    try {
      const d = await e.client.get<{ entry: CaptureEntry }>({ index, id });
      return { entry: (d._source as { entry: CaptureEntry }).entry, seq: d._seq_no as number, term: d._primary_term as number };
    } catch (error) {
      if (notFound(error)) return undefined;
      throw error;
    }
  };
  /** False: somebody else was first. */
  const swap = async (entry: CaptureEntry, seen: { seq: number; term: number } | undefined): Promise<boolean> => {
    try {
      await e.client.index({
        index,
        id: entry.id,
        document: document(entry),
        ...(seen ? { if_seq_no: seen.seq, if_primary_term: seen.term } : { op_type: "create" }),
      });
      return true;
    } catch (error) {
      if (error instanceof errors.ResponseError && error.statusCode === 409) return false;
      throw error;
    }
  };
  const busy = (id: string): ThreatflowError =>
    new ThreatflowError("ELASTICSEARCH", `the catalogue's entry ${id} changes all the time`, "run the same command again");
  const found = async (query: object, size: number): Promise<CaptureEntry[]> => {
    const out: CaptureEntry[] = [];
    for (let after: unknown[] | undefined; ; ) {
      const page = await e.client.search<{ entry: CaptureEntry }>({
        index,
        size: Math.min(PAGE, size - out.length),
        query: query as never,
        sort: [{ added: "asc" }, { id: "asc" }],
        search_after: after as never,
      });
      for (const h of page.hits.hits) out.push((h._source as { entry: CaptureEntry }).entry);
      if (page.hits.hits.length < PAGE || out.length >= size) return out;
      after = page.hits.hits.at(-1)?.sort as unknown[];
    }
  };
  const seen = (): Promise<unknown> => e.client.indices.refresh({ index });
  return {
    find: (id) => ask(async () => (await read(id))?.entry),
    findAll: (ids) =>
      ask(async () => {
        if (ids.length === 0) return [];
        const answer = await e.client.mget<{ entry: CaptureEntry }>({ index, ids: [...ids] });
        return answer.docs.flatMap((d) => ("found" in d && d.found && d._source ? [d._source.entry] : []));
      }),
    resolve: (id) =>
      ask(async () => {
        if (id.length === 64) {
          const whole = await read(id);
          return theOnly(id, whole ? [whole.entry] : []);
        }
        if (!isIdPrefix(id)) return theOnly(id, []);
        await seen();
        return theOnly(id, await found({ prefix: { id } }, 2));
      }),
    list: () =>
      ask(async () => {
        await seen();
        return found({ match_all: {} }, Infinity);
      }),
    put: (entry) => ask(async () => void (await e.client.index({ index, id: entry.id, document: document(entry) }))),
    update: (id, change) =>
      ask(async () => {
        for (let i = 0; i < TRIES; i++) {
          const there = await read(id);
          if (!there) return undefined;
          const next = change(there.entry);
          if (!next) return there.entry;
          if (await swap(next, there)) return next;
        }
        throw busy(id);
      }),
    claim: (entry, replace) =>
      ask(async () => {
        for (let i = 0; i < TRIES; i++) {
          const there = await read(entry.id);
          const next = there ? replace(there.entry) : entry;
          if (!next) return { mine: false, entry: (there as { entry: CaptureEntry }).entry };
          if (await swap(next, there)) return { mine: true, entry: next };
        }
        throw busy(entry.id);
      }),
    remove: (id) =>
      ask(async () => {
        try {
          await e.client.delete({ index, id });
        } catch (error) {
          if (!notFound(error)) throw error;
        }
      }),
    close: () => undefined,
  };
}
