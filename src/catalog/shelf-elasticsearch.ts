/** The shelf as an index: one document each, found by `<kind>:<id>`. */
import { errors } from "@elastic/elasticsearch";
import { asking, type Elastic, ensureIndex, notFound } from "../search/elastic.js";
import type { Kind, Shelf } from "./shelf.js";

/** Elasticsearch answers with at most so many hits. */
const MOST = 10000;

export async function elasticShelf(e: Elastic): Promise<Shelf> {
  const index = `${e.prefix}-shelf`;
  const ask = asking(e);
  await ask(() =>
    ensureIndex(e, index, { kind: { type: "keyword" }, id: { type: "keyword" }, document: { type: "object", enabled: false } }),
  );
  const key = (kind: Kind, id: string): string => `${kind}:${id}`;
  return {
    get: <T>(kind: Kind, id: string) =>
      ask(async () => {
        try {
          return ((await e.client.get<{ document: T }>({ index, id: key(kind, id) }))._source as { document: T }).document;
        } catch (error) {
          if (notFound(error)) return undefined;
          throw error;
        }
      }),
    list: <T>(kind: Kind, most: number, descending = false) =>
      ask(async () => {
        await e.client.indices.refresh({ index });
        const answer = await e.client.search<{ id: string; document: T }>({
          index,
          size: Math.min(most, MOST),
          query: { term: { kind } },
          sort: [{ id: descending ? "desc" : "asc" }],
        });
        return answer.hits.hits.map((h) => {
          const { id, document } = h._source as { id: string; document: T };
          return { id, document };
        });
      }),
    put: (kind, id, document) =>
      ask(async () => void (await e.client.index({ index, id: key(kind, id), document: { kind, id, document } }))),
    create: (kind, id, document) =>
      ask(async () => {
        try {
          await e.client.index({ index, id: key(kind, id), document: { kind, id, document }, op_type: "create" });
          return true;
        } catch (error) {
          if (error instanceof errors.ResponseError && error.statusCode === 409) return false;
          throw error;
        }
      }),
    remove: (kind, id) =>
      ask(async () => {
        try {
          await e.client.delete({ index, id: key(kind, id) });
          return true;
        } catch (error) {
          if (notFound(error)) return false;
          throw error;
        }
      }),
    close: () => undefined,
  };
}
