/** Saved searches: a person's own, by name. */
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Shelf } from "../catalog/shelf.js";
import { ThreatflowError } from "../errors.js";
import { says } from "./openapi.js";

const MOST = 1000;
interface Saved {
  /** What stands in the address behind `#/records?`. */
  ask: string;
}
const NAMED = { type: "object", properties: { name: { type: "string", minLength: 1, maxLength: 100 } } };

export async function searchRoutes(app: FastifyInstance, shelf: Shelf): Promise<void> {
  /** Nobody's name has a colon (src/access): one person's ids never begin another's. */
  const own = (q: FastifyRequest): string => `${q.principal.name}:`;
  app.get("/api/searches", says("your saved searches", { quiet: true }), async (q) => {
    const all = await shelf.list<Saved>("search", MOST);
    return { searches: all.filter((s) => s.id.startsWith(own(q))).map((s) => ({ name: s.id.slice(own(q).length), ask: s.document.ask })) };
  });
  app.put<{ Params: { name: string }; Body: Saved }>(
    "/api/searches/:name",
    {
      schema: { params: NAMED, body: { type: "object", required: ["ask"], properties: { ask: { type: "string", maxLength: 20000 } } } },
      ...says("save a search under a name", { role: "viewer" }),
    },
    async (q, reply) => {
      await shelf.put("search", own(q) + q.params.name, { ask: q.body.ask });
      return reply.code(204).send();
    },
  );
  app.delete<{ Params: { name: string } }>(
    "/api/searches/:name",
    { schema: { params: NAMED }, ...says("forget a saved search", { role: "viewer" }) },
    async (q, reply) => {
      if (!(await shelf.remove("search", own(q) + q.params.name)))
        throw new ThreatflowError("NO_SUCH_JOB", `you have no search ${q.params.name}`);
      return reply.code(204).send();
    },
  );
}
