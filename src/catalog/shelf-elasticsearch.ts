/** The shelf as an index: one document each, found by `<kind>:<id>`. */
import { errors } from "@elastic/elasticsearch";
import { type Elastic, elasticError, reasonOf } from "../search/elastic.js";
import type { Kind, Shelf } from "./shelf.js";

/** Elasticsearch answers with at most so many hits. */
const MOST = 10000;

export async function elasticShelf(e: Elastic): Promise<Shelf> {
  const index = `${e.prefix}-shelf`;
  const ask = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw elasticError(error, e.url);
    }
  };
  const missing = (error: unknown): boolean => error instanceof errors.ResponseError && error.statusCode === 404;
  await ask(async () => {
    if (await e.client.indices.exists({ index })) return;
    try {
      await e.client.indices.create({
        index,
        settings: { "index.number_of_shards": 1 },
        mappings: {
          dynamic: "strict",
          properties: { kind: { type: "keyword" }, id: { type: "keyword" }, document: { type: "object", enabled: false } },
        },
      });
    } catch (error) {
      if (!/resource_already_exists/.test(reasonOf(error))) throw error;
    }
  });
  const key = (kind: Kind, id: string): string => `${kind}:${id}`;
  return {
    get: <T>(kind: Kind, id: string) =>
      ask(async () => {
        try {
          return ((await e.client.get<{ document: T }>({ index, id: key(kind, id) }))._source as { document: T }).document;
        } catch (error) {
          if (missing(error)) return undefined;
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
    remove: (kind, id) =>
      ask(async () => {
        try {
          await e.client.delete({ index, id: key(kind, id) });
          return true;
        } catch (error) {
          if (missing(error)) return false;
          throw error;
        }
      }),
    close: () => undefined,
  };
}
