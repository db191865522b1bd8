/** Captures on the server's machine that are started, watched and stopped here. For admins: what is on the wire belongs to no case yet. */
import type { FastifyInstance } from "fastify";
import { LiveCaptures } from "../jobs/live-captures.js";
import { settleBroken } from "../jobs/live-entries.js";
import type { Backend } from "./backend.js";
import { captureArgs, RECORDING, type Recording } from "./capture-args.js";
import { says } from "./openapi.js";

const admin = { role: "admin" } as const;

export function liveRoutes(app: FastifyInstance, b: Backend): void {
  const settle = (): void => void settleBroken(b.dataDir, b.catalog).catch(() => undefined); // the next one settles it too
  settle();
  const live = new LiveCaptures(b.dataDir, settle);
  app.addHook("onClose", () => live.close());
  app.get("/api/live", says("captures that are running, and how the last ones ended", { ...admin, quiet: true }), async () => ({
    captures: live.list(),
  }));
  app.post<{ Body: Recording }>(
    "/api/live",
    {
      schema: { body: { type: "object", required: ["interface"], additionalProperties: false, properties: RECORDING } },
      ...says("record from an interface, from now on", admin),
    },
    async (q, reply) => reply.code(201).send(live.start(captureArgs(q.body))),
  );
  app.delete<{ Params: { live: string } }>("/api/live/:live", says("end a capture; what it has is kept", admin), async (q) =>
    live.stop(q.params.live),
  );
}
