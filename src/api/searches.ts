/** Saved searches: a person's own, by name; one small document a person. */
import type { FastifyInstance } from "fastify";
import type { Shelf } from "../catalog/shelf.js";
import { ThreatflowError } from "../errors.js";
import { says } from "./openapi.js";

/** Searches that one person may save. */
const MOST = 200;
interface Saved {
  name: string;
  /** What stands in the address behind `#/records?`. */
  ask: string;
}
interface Kept {
  searches: Saved[];
}
const NAMED = { type: "object", properties: { name: { type: "string", minLength: 1, maxLength: 100 } } };

export async function searchRoutes(app: FastifyInstance, shelf: Shelf): Promise<void> {
  const of = async (person: string): Promise<Saved[]> => (await shelf.get<Kept>("search", person))?.searches ?? [];
  const keep = (person: string, searches: readonly Saved[]): Promise<void> => shelf.put("search", person, { searches });
  app.get("/api/searches", says("your saved searches", { quiet: true }), async (q) => ({ searches: await of(q.principal.name) }));
  app.put<{ Params: { name: string }; Body: { ask: string } }>(
    "/api/searches/:name",
    {
      schema: { params: NAMED, body: { type: "object", required: ["ask"], properties: { ask: { type: "string", maxLength: 20000 } } } },
      ...says("save a search under a name", { role: "viewer" }),
    },
    async (q, reply) => {
      const { name } = q.params;
      const others = (await of(q.principal.name)).filter((s) => s.name !== name);
      if (others.length >= MOST) throw new ThreatflowError("USAGE", `you have ${MOST} saved searches`, "forget one first");
      await keep(
        q.principal.name,
        [...others, { name, ask: q.body.ask }].sort((a, b) => (a.name < b.name ? -1 : 1)),
      );
      return reply.code(204).send();
    },
  );
  app.delete<{ Params: { name: string } }>(
    "/api/searches/:name",
    { schema: { params: NAMED }, ...says("forget a saved search", { role: "viewer" }) },
    async (q, reply) => {
      const all = await of(q.principal.name);
      const others = all.filter((s) => s.name !== q.params.name);
      if (others.length === all.length) throw new ThreatflowError("NO_SUCH_JOB", `you have no search ${q.params.name}`);
      await keep(q.principal.name, others);
      return reply.code(204).send();
    },
  );
}
