/** The worker's life: connect, take jobs, drain. */
import { createServer, type Server } from "node:http";
import { defaultRun } from "../config.js";
import { ThreatflowError } from "../errors.js";
import { openCluster } from "../jobs/cluster.js";
import { log } from "../jobs/log.js";
import { registry } from "../jobs/metrics.js";
import { startRunner } from "../jobs/runner.js";
import { hideCredentials, isDistributed } from "../settings.js";
import { positive } from "./options.js";
import { settings } from "./place.js";
import type { Flags } from "./worker.js";

export async function work(f: Flags): Promise<void> {
  const s = settings(f.data);
  if (!isDistributed(s))
    throw new ThreatflowError("USAGE", "a worker needs Redis and Elasticsearch", "set REDIS_URL and ELASTICSEARCH_URL");
  const concurrency = f.concurrency === undefined ? defaultRun().workers : positive(f.concurrency, "--concurrency");
  const cluster = await openCluster(s);
  const runner = startRunner(cluster, concurrency);
  const server = f.health === undefined ? undefined : serveHealth(positive(f.health, "--health"));
  log.info(
    { concurrency, redis: hideCredentials(s.redis as string), elasticsearch: cluster.elastic.url, store: cluster.store.where },
    "worker ready",
  );
  await new Promise<void>((resolve) => {
    let asked = 0;
    for (const signal of ["SIGTERM", "SIGINT"] as const)
      process.on(signal, () => {
        if (asked++ > 0) process.exit(1); // jobs at hand are found stalled and done by others
        log.info({ signal }, "finishing what is at hand; again to stop at once");
        resolve();
      });
  });
  await runner.drain();
  server?.close();
  await cluster.close();
  log.info("worker ended");
}

function serveHealth(port: number): Server {
  const server = createServer((request, response) => {
    if (request.url === "/healthz") response.end("ok\n");
    else if (request.url === "/metrics")
      registry.metrics().then(
        (text) => response.setHeader("content-type", registry.contentType).end(text),
        (error: unknown) => response.writeHead(500).end(String(error)),
      );
    else response.writeHead(404).end();
  });
  server.on("error", (error) => log.error({ port, error: error.message }, "no health endpoint"));
  return server.listen(port, "127.0.0.1");
}
