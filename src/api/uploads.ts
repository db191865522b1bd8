/** Resumable uploads (tus 1.0): a connection that breaks costs what was in flight, not the file. What is abandoned goes after a day. */
import { AsyncLocalStorage } from "node:async_hooks";
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { FileStore } from "@tus/file-store";
import { Server } from "@tus/server";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Principal } from "../access/access.js";
import { DEFAULT_DECODE } from "../config.js";
import { ThreatflowError } from "../errors.js";
import { bytesOf } from "../ingest/capture-store.js";
import { importKey } from "../jobs/import-key.js";
import { nameOf } from "./captures.js";
import { says } from "./openapi.js";

const EXPIRE_MS = 24 * 3600 * 1000;
const CLEAN_MS = 3600 * 1000;

export async function uploadRoutes(app: FastifyInstance, workDir: string, status: Readonly<Record<string, number>>): Promise<void> {
  const dir = join(workDir, "uploads");
  mkdirSync(dir, { recursive: true });
  const store = new FileStore({ directory: dir, expirationPeriodInMilliseconds: EXPIRE_MS });
  /** Whose request is at work: the server below knows only bare requests. */
  const asking = new AsyncLocalStorage<FastifyRequest>();
  const server = new Server({
    path: "/api/uploads",
    datastore: store,
    respectForwardedHeaders: false,
    relativeLocation: true,
    maxSize: Number.MAX_SAFE_INTEGER,
    namingFunction: () => `${ownerMark((asking.getStore() as FastifyRequest).principal)}${randomBytes(16).toString("hex")}`,
    async onUploadFinish(_request, upload) {
      const path = join(dir, upload.id);
      try {
        const { entry, known } = await (asking.getStore() as FastifyRequest).view.add(
          nameOf(upload.metadata?.filename ?? ""),
          bytesOf(path),
          importKey(DEFAULT_DECODE),
          false,
        );
        return {
          status_code: known ? 200 : 201,
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ id: entry.id, name: entry.name, status: entry.status }),
        };
      } catch (error) {
        if (!(error instanceof ThreatflowError)) throw error;
        throw {
          status_code: status[error.code] ?? 500,
          body: JSON.stringify({ error: { code: error.code, message: error.message, remedy: error.remedy } }),
        };
      } finally {
        rmSync(path, { force: true });
        rmSync(`${path}.json`, { force: true });
      }
    },
  });
  const clean = setInterval(() => void server.cleanUpExpiredUploads().catch(() => undefined), CLEAN_MS);
  app.addHook("onClose", async () => clearInterval(clean));
  app.addContentTypeParser("application/offset+octet-stream", (_request, _payload, done) => done(null));
  for (const url of ["/api/uploads", "/api/uploads/*"])
    app.route({
      method: ["POST", "PATCH", "HEAD", "DELETE", "OPTIONS"],
      url,
      ...says("resumable uploads: tus 1.0"),
      handler: async (request, reply) => {
        const id = (request.params as { "*"?: string })["*"];
        if (id && !id.startsWith(ownerMark(request.principal)))
          throw new ThreatflowError("NO_SUCH_CAPTURE", "there is no such upload", "begin it again");
        reply.hijack();
        asking.run(request, () => server.handle(request.raw, reply.raw)).catch(() => reply.raw.destroy());
      },
    });
}
/** Begins the names of one person's uploads: nobody else goes on with them. */
const ownerMark = (p: Principal): string => createHash("sha256").update(p.name).digest("hex").slice(0, 12);
