/** Who asks, whether he may, and that it is written down: stands before every route. Login, sessions, users, tokens, the audit log. */
import rateLimit from "@fastify/rate-limit";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { Access, COOKIE, LOCAL, mayDo, type Principal } from "../access/access.js";
import { Audit } from "../access/audit.js";
import type { Backend } from "./backend.js";
import { says, type Words } from "./openapi.js";
import { scoped, type View } from "./scope.js";

declare module "fastify" {
  interface FastifyRequest {
    principal: Principal;
    /** The captures and records that this request may see. */
    view: View;
  }
}
const LOOPBACK = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/;
const CHANGES_NOTHING: readonly string[] = ["GET", "HEAD", "OPTIONS"];
/** Requests a minute of one person, where one has to log in; and of one address for one name at the login. */
const REQUESTS = 3000;
const LOGINS = 10;
const AUDITED = ["q", "dataset", "capture", "case", "field", "format", "filter", "force"] as const;
const NOBODY: Principal = { name: "", role: "viewer", cases: [] };

/** `beyond`: the server can be reached from other machines. */
export async function guard(app: FastifyInstance, b: Backend, token: string | undefined, beyond: boolean): Promise<void> {
  const access = new Access(b.shelf, token, beyond);
  const audit = new Audit(b.shelf);
  const words = (q: FastifyRequest): Partial<Words> => (q.routeOptions.config ?? {}) as Partial<Words>;
  const refuse = (reply: FastifyReply, status: number, code: string, message: string, remedy: string): unknown =>
    reply.code(status).send({ error: { code, message, remedy } });
  app.decorateRequest("principal", null as never);
  app.decorateRequest("view", null as never);

  app.addHook("onRequest", async (request, reply) => {
    request.principal = NOBODY;
    const changes = !CHANGES_NOTHING.includes(request.method);
    const foreign = (why: string): unknown => refuse(reply, 403, "FORBIDDEN", why, "use the address that `threatflow serve` printed");
    const site = request.headers.origin?.replace(/^https?:\/\//, "");
    if (!(await access.needed())) {
      // Any web page that is open in a browser here can send requests to this port: only our own page may.
      if (!LOOPBACK.test(request.headers.host ?? "")) return foreign("the Host header names another machine");
      if (changes && site !== undefined && !LOOPBACK.test(site)) return foreign("the request comes from another site");
      if (changes && request.headers["sec-fetch-site"] === "cross-site") return foreign("the request comes from another site");
      request.principal = LOCAL;
    } else if (request.url.startsWith("/api/")) {
      const known = await access.principal(request.headers.authorization, request.headers.cookie);
      if (!known && words(request).role !== "anybody")
        return refuse(
          reply.header("www-authenticate", "Bearer"),
          401,
          "UNAUTHORIZED",
          "log in, or send a token",
          "POST /api/login, or the header authorization: Bearer TOKEN",
        );
      if (changes && site !== undefined && site !== request.headers.host) return foreign("the request comes from another site");
      if (changes && known?.csrf !== undefined && request.headers["x-csrf-token"] !== known.csrf)
        return refuse(reply, 403, "FORBIDDEN", "the header x-csrf-token is missing or wrong", "GET /api/session tells it");
      if (known) request.principal = known;
    }
    const role = words(request).role ?? (changes ? "analyst" : "viewer");
    if (request.principal !== NOBODY && role !== "anybody" && !mayDo(request.principal, role))
      return refuse(
        reply,
        403,
        "NOT_PERMITTED",
        `this takes the role ${role}, ${request.principal.name} is ${request.principal.role}`,
        "ask an admin",
      );
    const wanted = (request.query as { case?: string | string[] } | undefined)?.case;
    request.view = scoped(b, request.principal, wanted === undefined ? undefined : String(wanted));
  });
  app.addHook("onResponse", async (request, reply) => {
    if (!request.routeOptions.url?.startsWith("/api/") || words(request).quiet) return;
    const asked = (request.query ?? {}) as Record<string, unknown>;
    const { "*": name_, ...named } = request.params as Record<string, string>;
    const of: Record<string, string> = { ...named, ...(name_ && { name: name_ }) };
    for (const name of AUDITED) if (asked[name] !== undefined) of[name] = String(asked[name]).slice(0, 1000);
    const name = (request.body as { name?: unknown } | undefined)?.name;
    if (typeof name === "string") of.name = name.slice(0, 100);
    await audit
      .add({
        who: request.principal.name,
        from: request.ip,
        what: `${request.method} ${request.routeOptions.url}`,
        of,
        status: reply.statusCode,
      })
      .catch((error: unknown) => process.stderr.write(`threatflow: the audit log cannot be written: ${(error as Error).message}\n`));
  });
  await app.register(rateLimit, {
    max: REQUESTS,
    timeWindow: "1 minute",
    hook: "preHandler",
    allowList: async (q) => q.principal === LOCAL,
    keyGenerator: (q) => (q.principal === NOBODY ? q.ip : q.principal.name),
  });

  const session = (p: Principal): object => ({ name: p.name, role: p.role, cases: p.cases, csrf: p.csrf });
  const cookie = (value: string, seconds: number, q: FastifyRequest): string =>
    `${COOKIE}=${value}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${seconds}${q.headers["x-forwarded-proto"] === "https" ? "; Secure" : ""}`;
  const credentials = {
    type: "object",
    required: ["name", "password"],
    properties: { name: { type: "string", maxLength: 100 }, password: { type: "string", maxLength: 1000 } },
  };
  app.post<{ Body: { name: string; password: string } }>(
    "/api/login",
    {
      schema: { body: credentials },
      config: {
        ...(says("name and password for a session cookie", { role: "anybody" }).config as object),
        rateLimit: {
          max: LOGINS,
          timeWindow: "1 minute",
          keyGenerator: (q: FastifyRequest) => `${q.ip} ${(q.body as { name?: string })?.name}`,
        },
      },
    },
    async (q, reply) => {
      const found = await access.login(q.body.name, q.body.password);
      if (!found)
        return refuse(
          reply,
          401,
          "UNAUTHORIZED",
          "there is no such name with this password",
          "an admin sets passwords: `threatflow users add`",
        );
      q.principal = found.principal;
      return reply.header("set-cookie", cookie(found.cookie, found.seconds, q)).send(session(found.principal));
    },
  );
  app.post("/api/logout", says("ends the session", { role: "viewer" }), async (q, reply) => {
    await access.logout(q.headers.cookie);
    return reply
      .header("set-cookie", cookie("", 0, q))
      .code(204)
      .send();
  });
  app.get("/api/session", says("who you are", { quiet: true }), async (q) => session(q.principal));
  const admin = { role: "admin" } as const;
  const rights = { role: { type: "string" }, cases: { type: "array", items: { type: "string" }, maxItems: 1000 } };
  app.get("/api/users", says("who may log in", admin), async () => ({ users: await access.users() }));
  app.put<{ Params: { user: string }; Body: { role: string; cases: string[]; password?: string } }>(
    "/api/users/:user",
    {
      schema: {
        body: { type: "object", required: ["role", "cases"], properties: { ...rights, password: { type: "string", maxLength: 1000 } } },
      },
      ...says("a user: role, cases, password", admin),
    },
    async (q, reply) => {
      await access.putUser(q.params.user, q.body.role, q.body.cases, q.body.password);
      return reply.code(204).send();
    },
  );
  app.delete<{ Params: { user: string } }>("/api/users/:user", says("nobody logs in under this name any more", admin), async (q, reply) => {
    await access.removeUser(q.params.user);
    return reply.code(204).send();
  });
  app.get("/api/tokens", says("API tokens, without their secrets", admin), async () => ({ tokens: await access.tokens() }));
  app.post<{ Body: { name: string; role: string; cases: string[]; days?: number } }>(
    "/api/tokens",
    {
      schema: {
        body: {
          type: "object",
          required: ["name", "role", "cases"],
          properties: { ...rights, name: { type: "string" }, days: { type: "number", exclusiveMinimum: 0, maximum: 3650 } },
        },
      },
      ...says("a new API token: it is told once", admin),
    },
    async (q, reply) =>
      reply
        .code(201)
        .send(
          await access.addToken(q.body.name, q.body.role, q.body.cases, q.body.days === undefined ? undefined : q.body.days * 86400000),
        ),
  );
  app.delete<{ Params: { token: string } }>("/api/tokens/:token", says("a token lets nobody in any more", admin), async (q, reply) => {
    await access.removeToken(q.params.token);
    return reply.code(204).send();
  });
  app.get<{ Querystring: { size?: number } }>(
    "/api/audit",
    {
      schema: { querystring: { type: "object", properties: { size: { type: "integer", minimum: 1, maximum: 10000 } } } },
      ...says("the audit log, the latest first", admin),
    },
    async (q) => ({ entries: await audit.last(q.query.size ?? 100) }),
  );
}
