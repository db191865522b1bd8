/** Captures: list, upload, status, delete, again; what changes, as server-sent events. */
import { basename } from "node:path";
import multipart from "@fastify/multipart";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { CaptureEntry } from "../catalog/catalog.js";
import { DEFAULT_DECODE, type DecodeOptions } from "../config.js";
import { ThreatflowError } from "../errors.js";
import { readFilter } from "../ingest/filter.js";
import { importKey } from "../jobs/import-key.js";
import type { Added } from "./backend.js";
import { says } from "./openapi.js";
import type { View } from "./scope.js";

const MAX_NAME = 255;
interface Query {
  filter?: string;
  force?: string;
  credentials?: string;
}
const QUERY = {
  type: "object",
  properties: { filter: { type: "string", maxLength: 100000 }, force: { type: "string" }, credentials: { type: "string" } },
};

interface Described {
  tags?: string[];
  note?: string;
  hold?: string | null;
}
const DESCRIBED = {
  type: "object",
  additionalProperties: false,
  properties: {
    tags: { type: "array", maxItems: 50, items: { type: "string", minLength: 1, maxLength: 100 } },
    note: { type: "string", maxLength: 10000 },
    hold: { type: ["string", "null"], minLength: 1, maxLength: 1000 },
  },
};

export async function captureRoutes(app: FastifyInstance): Promise<void> {
  await app.register(multipart, { limits: { fileSize: Number.MAX_SAFE_INTEGER, files: 100 } });
  // Bodies of uploads are read as they come, whatever they say they are.
  app.addContentTypeParser("*", (_request, _payload, done) => done(null));

  const put = async (request: FastifyRequest, reply: { code(n: number): { send(x: unknown): unknown } }): Promise<unknown> => {
    const q = request.query as Query;
    const b = request.view;
    const key = importKey(options(q));
    const force = q.force === "true" || q.force === "1";
    if (request.isMultipart()) {
      const all: Added[] = [];
      for await (const part of request.files())
        all.push(await b.add(nameOf(part.filename), part.file as AsyncIterable<Buffer>, key, force));
      if (all.length === 0) throw new ThreatflowError("USAGE", "the form has no file", "curl -F file=@capture.pcap");
      const shown = await Promise.all(all.map((x) => answer(b, x)));
      return reply.code(all.every((x) => x.known) ? 200 : 201).send(shown.length === 1 ? shown[0] : { captures: shown });
    }
    const name = nameOf((request.params as { "*"?: string })["*"] ?? "");
    const added = await b.add(name, request.raw as AsyncIterable<Buffer>, key, force);
    return reply.code(added.known ? 200 : 201).send(await answer(b, added));
  };
  const words = says("upload a capture: the body is its bytes, or a multipart form with files; .gz and .zst too");
  for (const method of ["PUT", "POST"] as const) {
    app.route({ method, url: "/api/captures", schema: { querystring: QUERY }, ...words, handler: put });
    app.route({ method, url: "/api/captures/*", schema: { querystring: QUERY }, ...words, handler: put });
  }
  app.get("/api/captures", says("all captures, the latest first", { quiet: true }), async ({ view: b }) => ({
    captures: await Promise.all((await b.list()).reverse().map((e) => show(b, e))),
  }));
  app.get<{ Params: { id: string } }>(
    "/api/captures/:id",
    says("a capture: status, progress, accounting, summary", { quiet: true }),
    async (q) => show(q.view, await q.view.resolve(q.params.id)),
  );
  app.delete<{ Params: { id: string } }>("/api/captures/:id", says("delete a capture: its records and its bytes"), async (q, reply) => {
    await q.view.remove(q.params.id);
    return reply.code(204).send();
  });
  app.patch<{ Params: { id: string }; Body: Described }>(
    "/api/captures/:id",
    { schema: { body: DESCRIBED }, ...says("tags, a note, a hold on a capture: `hold` says why it must not be deleted, null releases it") },
    async (q) => {
      const { tags, note, hold } = q.body;
      const by = q.principal.name;
      const entry = await q.view.describe(q.params.id, (m) => ({
        ...m,
        ...(tags && { tags: [...new Set(tags)] }),
        ...(note !== undefined && { note }),
        ...(hold !== undefined && { hold: hold === null ? undefined : { by, at: new Date().toISOString(), why: hold } }),
      }));
      return show(q.view, entry);
    },
  );
  app.post<{ Params: { id: string }; Querystring: Query }>(
    "/api/captures/:id/again",
    { schema: { querystring: QUERY }, ...says("analyse a capture again, with other options") },
    async (q, reply) => {
      const b = q.view;
      const entry = await b.resolve(q.params.id);
      await b.evidence(entry);
      return reply.code(202).send(await show(b, await b.again(entry, importKey(options(q.query)))));
    },
  );
  app.get("/api/jobs", says("imports that wait, are at work, failed or were cancelled", { quiet: true }), async ({ view: b }) => ({
    jobs: await Promise.all((await b.list()).filter((e) => e.status !== "done" && !e.live).map((e) => show(b, e))),
  }));
  app.post<{ Params: { id: string } }>("/api/jobs/:id/cancel", says("stop an import; what it wrote is removed"), async (q) =>
    show(q.view, await q.view.cancel(await q.view.resolve(q.params.id))),
  );
  app.post<{ Params: { id: string } }>(
    "/api/jobs/:id/retry",
    says("do a failed or cancelled import again, with the options it had"),
    async (q, reply) => {
      const b = q.view;
      const entry = await b.resolve(q.params.id);
      if (entry.status !== "failed" && entry.status !== "cancelled")
        throw new ThreatflowError("NO_SUCH_JOB", `${entry.name} neither failed nor was cancelled: it is ${entry.status}`);
      await b.evidence(entry);
      return reply.code(202).send(await show(b, await b.again(entry, entry.key)));
    },
  );
  app.get("/api/events", says("server-sent events: `capture` with the capture that changed", { quiet: true }), (request, reply) => {
    const b = request.view;
    reply.hijack();
    const out = reply.raw;
    out.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store", "x-accel-buffering": "no" });
    out.write("retry: 2000\n\n");
    const tell = async (id: string, e: CaptureEntry | undefined): Promise<void> => {
      out.write(`event: capture\ndata: ${JSON.stringify(e ? await show(b, e) : { id, status: "deleted" })}\n\n`);
    };
    const unwatch = b.watch((id, e) => void tell(id, e).catch(() => undefined));
    const beat = setInterval(() => out.write(": beat\n\n"), 15000);
    request.raw.on("close", () => {
      clearInterval(beat);
      unwatch();
    });
  });
}

/** File names are for people; they never reach a path. */
export function nameOf(given: string): string {
  const plain = basename(given.replace(/\\/g, "/"))
    .replace(/[\x00-\x1f\x7f]/g, "")
    .slice(0, MAX_NAME);
  return plain === "" || plain === "." || plain === ".." ? "capture" : plain;
}
function options(q: Query): DecodeOptions {
  const filter = q.filter ? readFilter(q.filter.replace(/^@+/, "")) : undefined;
  return { ...DEFAULT_DECODE, filter: filter?.text, credentials: q.credentials === "true" };
}
/** What an upload answers: a capture that is new here is waiting, whatever others know of its bytes. */
async function answer(b: View, added: Added): Promise<object> {
  const shown = await show(b, added.entry);
  return added.known
    ? shown
    : { ...shown, status: "queued", progress: 0, accounting: undefined, records: undefined, summary: undefined, digest: undefined };
}
async function show(b: View, e: CaptureEntry): Promise<object> {
  const p = await b.progress(e);
  const { key, path: _path, generation: _g, month: _m, queued: _q, replaces: _r, ...rest } = e;
  const s = e.summary;
  return {
    ...rest,
    options: JSON.parse(key),
    progress: e.status === "done" ? 1 : p?.total ? Math.min(1, p.done / p.total) : 0,
    waiting: p?.waiting,
    accounting: s?.accounting,
    records: s?.records,
    link: `/#/capture/${e.id}`,
  };
}
