/** The HTTP API and the page on one port. Routes are in files beside this one; what holds for all of them is here. */
import { readFileSync } from "node:fs";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import Fastify, { type FastifyInstance } from "fastify";
import { ThreatflowError } from "../errors.js";
import type { Backend } from "./backend.js";
import { captureRoutes } from "./captures.js";
import { flowRoutes } from "./flows.js";
import { guard } from "./guard.js";
import { liveRoutes } from "./live.js";
import { openApi, type Route, says } from "./openapi.js";
import { recordRoutes } from "./records.js";
import { scheduleRoutes } from "./schedules.js";
import { searchRoutes } from "./searches.js";
import { uploadRoutes } from "./uploads.js";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
};
/** What the page may do: its own files and this server, nothing else. */
const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const STATUS: Readonly<Record<string, number>> = {
  USAGE: 400,
  QUERY_SYNTAX: 400,
  QUERY_FIELD: 400,
  FILTER_SYNTAX: 400,
  FILTER_INVALID: 400,
  FILTER_LINKTYPE: 400,
  NOT_PERMITTED: 403,
  NO_SUCH_USER: 404,
  NO_SUCH_CAPTURE: 404,
  NO_SUCH_JOB: 404,
  NO_SUCH_FLOW: 404,
  NO_EVIDENCE: 404,
  ALREADY_IMPORTED_OTHERWISE: 409,
  EVIDENCE_CHANGED: 409,
  HELD: 409,
  QUOTA: 413,
  NOT_A_CAPTURE: 415,
  EMPTY_FILE: 415,
  COMPRESSION: 415,
  ELASTICSEARCH: 503,
  REDIS: 503,
  DISK_FULL: 507,
};

export interface ServerOptions {
  backend: Backend;
  /** Lets an admin in; once there is one, everybody needs it, a login or a token of his own. */
  token: string | undefined;
  /** It listens beyond this machine: nobody comes in without a login. */
  beyond: boolean;
}

export async function createServer(o: ServerOptions): Promise<FastifyInstance> {
  const app = Fastify({ requestTimeout: 0, bodyLimit: 1 << 20, forceCloseConnections: true, routerOptions: { maxParamLength: 4096 } });
  const routes: Route[] = [];
  app.addHook("onRoute", (r) => {
    if (r.url.startsWith("/api/") && r.method !== "HEAD")
      routes.push({
        method: String(r.method),
        url: r.url,
        summary: (r.config as { summary?: string } | undefined)?.summary ?? "",
        query: r.schema?.querystring,
      });
  });
  app.addHook("onRequest", async (_request, reply) => {
    reply
      .header("content-security-policy", CSP)
      .header("x-content-type-options", "nosniff")
      .header("referrer-policy", "no-referrer")
      .header("cross-origin-resource-policy", "same-origin");
  });
  await guard(app, o.backend, o.token, o.beyond);
  app.setErrorHandler((raw, _request, reply) => {
    const e = raw as Error & { statusCode?: number; validation?: unknown };
    if (e instanceof ThreatflowError)
      return reply.code(STATUS[e.code] ?? 500).send({ error: { code: e.code, message: e.message, remedy: e.remedy } });
    if (e.statusCode && e.statusCode < 500)
      return reply
        .code(e.statusCode)
        .send({ error: { code: e.statusCode === 429 ? "TOO_MANY" : "USAGE", message: e.message, remedy: "" } });
    process.stderr.write(`threatflow: a bug of ours: ${e.stack}\n`);
    return reply.code(500).send({ error: { code: "INTERNAL", message: "a bug of ours: the server's log has it", remedy: "" } });
  });
  app.setNotFoundHandler((request, reply) => {
    if (request.method === "GET" && !request.url.startsWith("/api/") && !extname(request.url.split("?")[0]))
      return page("index.html", reply);
    return reply.code(404).send({
      error: {
        code: "NOT_FOUND",
        message: `there is nothing at ${request.method} ${request.url.split("?")[0].slice(0, 200)}`,
        remedy: "/api/openapi.json lists what there is",
      },
    });
  });
  const page = (
    name: string,
    reply: { header(k: string, v: string): typeof reply; send(b: unknown): unknown; code(n: number): typeof reply },
  ): unknown => {
    try {
      const folder = name.endsWith(".js") ? join(ROOT, "dist", "ui") : join(ROOT, "ui");
      return reply
        .header("content-type", TYPES[extname(name)] ?? "application/octet-stream")
        .header("cache-control", "no-cache")
        .send(readFileSync(join(folder, name)));
    } catch {
      return reply
        .header("content-type", "application/json; charset=utf-8")
        .code(404)
        .send({ error: { code: "NOT_FOUND", message: `there is no ${name}`, remedy: "" } });
    }
  };
  app.get("/healthz", async () => ({ status: "ok" }));
  app.get("/", (_q, reply) => page("index.html", reply));
  app.get<{ Params: { name: string } }>("/ui/:name", (q, reply) =>
    /^[a-z-]+\.(js|css|svg)$/.test(q.params.name) ? page(q.params.name, reply) : page("missing.svg", reply),
  );
  await captureRoutes(app);
  await recordRoutes(app);
  await flowRoutes(app);
  await searchRoutes(app, o.backend.shelf);
  scheduleRoutes(app, o.backend);
  liveRoutes(app, o.backend);
  await uploadRoutes(app, o.backend.workDir, STATUS);
  app.get("/api/openapi.json", says("this description", { quiet: true }), async () => openApi(routes));
  return app;
}
