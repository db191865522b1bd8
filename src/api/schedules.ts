/** Captures at fixed times on the server's machine: list, add, pause, run now, remove; the interfaces there are. For admins: they belong to no case. */

import { hostname } from "node:os";
import type { FastifyInstance } from "fastify";
import { nextDue, type Schedule, schedulesOn } from "../catalog/schedules.js";
import { ThreatflowError } from "../errors.js";
import { interfaces } from "../ingest/live/interfaces.js";
import type { Backend } from "./backend.js";
import { captureArgs, RECORDING, type Recording } from "./capture-args.js";
import { says } from "./openapi.js";

const RUNS = 10;
type New = Recording & { cron?: string; every_s?: number; duration_s: number };
const NEW = {
  type: "object",
  required: ["duration_s", "interface"],
  additionalProperties: false,
  properties: { cron: { type: "string", maxLength: 200 }, every_s: { type: "number", minimum: 1 }, ...RECORDING },
};
const admin = { role: "admin" } as const;

export function scheduleRoutes(app: FastifyInstance, b: Backend): void {
  const schedules = schedulesOn(b.shelf);
  const { timer } = b;
  const shown = async (s: Schedule) => ({
    ...s,
    next: b.shared ? nextDue(s, new Date(), new Date(s.added)).toISOString() : s.next,
    runs: await schedules.runs(s.id, RUNS),
  });
  app.get("/api/interfaces", says("the interfaces of the server's machine", { ...admin, quiet: true }), async () => ({
    interfaces: interfaces(),
  }));
  app.get("/api/schedules", says("captures at fixed times, and their last runs", { ...admin, quiet: true }), async () => ({
    schedules: await Promise.all((await schedules.list()).map(shown)),
  }));
  app.post<{ Body: New }>(
    "/api/schedules",
    { schema: { body: NEW }, ...says("record from an interface at fixed times", admin) },
    async (q, reply) => {
      const n = q.body;
      if ((n.cron === undefined) === (n.every_s === undefined)) throw new ThreatflowError("USAGE", "say when: cron or every_s");
      const s = await schedules.add(
        {
          host: b.shared ? hostname() : undefined,
          cron: n.cron,
          every: n.every_s === undefined ? undefined : n.every_s * 1000,
          durationMs: n.duration_s * 1000,
          capture: captureArgs(n),
        },
        new Date(),
      );
      await timer.set(s);
      return reply.code(201).send(s);
    },
  );
  app.patch<{ Params: { schedule: string }; Body: { paused?: boolean; now?: boolean } }>(
    "/api/schedules/:schedule",
    {
      schema: { body: { type: "object", properties: { paused: { type: "boolean" }, now: { type: "boolean" } } } },
      ...says("pause, resume, or let it be due now", admin),
    },
    async (q) => {
      const s = await schedules.find(q.params.schedule);
      const { paused, now } = q.body;
      if (paused !== undefined) {
        await schedules.put({ ...s, paused });
        await (paused ? timer.clear(s) : timer.set(s));
      }
      const next = await schedules.find(s.id);
      if (now) await timer.now(next);
      return shown(await schedules.find(s.id));
    },
  );
  app.delete<{ Params: { schedule: string } }>(
    "/api/schedules/:schedule",
    says("forget a schedule; its captures stay", admin),
    async (q, reply) => {
      const s = await schedules.find(q.params.schedule);
      await timer.clear(s);
      await schedules.remove(s.id);
      return reply.code(204).send();
    },
  );
}
