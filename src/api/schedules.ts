/** Captures at fixed times on the server's machine: list, add, pause, run now, remove; the interfaces there are. For admins: they belong to no case. */
import type { FastifyInstance } from "fastify";
import { openSchedules, type Schedules } from "../catalog/schedules.js";
import { ThreatflowError } from "../errors.js";
import { readFilter } from "../ingest/filter.js";
import { interfaces } from "../ingest/live/interfaces.js";
import { says } from "./openapi.js";

const RUNS = 10;
interface New {
  cron?: string;
  every_s?: number;
  duration_s: number;
  interface: string;
  filter?: string;
  keep?: string;
  rotate?: string;
}
const NEW = {
  type: "object",
  required: ["duration_s", "interface"],
  additionalProperties: false,
  properties: {
    cron: { type: "string", maxLength: 200 },
    every_s: { type: "number", minimum: 1 },
    duration_s: { type: "number", exclusiveMinimum: 0 },
    interface: { type: "string", pattern: "^[A-Za-z0-9_.:-]{1,32}$" },
    filter: { type: "string", maxLength: 100000 },
    keep: { type: "string", pattern: "^\\d+(\\.\\d+)?(ns|us|ms|s|m|h|d|[KMGT]i?B|f)$" },
    rotate: { type: "string", pattern: "^\\d+(\\.\\d+)?(ns|us|ms|s|m|h|d|[KMGT]i?B|p)$" },
  },
};
const admin = { role: "admin" } as const;

export async function scheduleRoutes(app: FastifyInstance, dataDir: string): Promise<void> {
  const schedules: Schedules = openSchedules(dataDir);
  app.addHook("onClose", async () => schedules.close());
  app.get("/api/interfaces", says("the interfaces of the server's machine", { ...admin, quiet: true }), async () => ({
    interfaces: interfaces(),
  }));
  app.get("/api/schedules", says("captures at fixed times, and their last runs", { ...admin, quiet: true }), async () => ({
    schedules: schedules.list().map((s) => ({ ...s, runs: schedules.runs(s.id, RUNS) })),
  }));
  app.post<{ Body: New }>(
    "/api/schedules",
    { schema: { body: NEW }, ...says("record from an interface at fixed times", admin) },
    async (q, reply) => {
      const n = q.body;
      if ((n.cron === undefined) === (n.every_s === undefined)) throw new ThreatflowError("USAGE", "say when: cron or every_s");
      if (n.filter?.trim().startsWith("@")) throw new ThreatflowError("USAGE", "a filter here is an expression or a program, no file");
      if (n.filter) readFilter(n.filter);
      const flag = (name: string, value: string | undefined): string[] => (value ? [name, value] : []);
      const s = schedules.add(
        {
          cron: n.cron,
          every: n.every_s === undefined ? undefined : n.every_s * 1000,
          durationMs: n.duration_s * 1000,
          capture: [
            "-i",
            n.interface,
            "--duration",
            `${n.duration_s}s`,
            ...flag("--filter", n.filter),
            ...flag("--rotate", n.rotate),
            ...flag("--keep", n.keep),
          ],
        },
        new Date(),
      );
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
      const s = schedules.find(q.params.schedule);
      const next = {
        ...s,
        ...(q.body.paused !== undefined && { paused: q.body.paused }),
        ...(q.body.now && { next: new Date().toISOString() }),
      };
      schedules.put(next);
      return next;
    },
  );
  app.delete<{ Params: { schedule: string } }>(
    "/api/schedules/:schedule",
    says("forget a schedule; its captures stay", admin),
    async (q, reply) => {
      schedules.remove(schedules.find(q.params.schedule).id);
      return reply.code(204).send();
    },
  );
}
