/** `threatflow serve`: the API and the page. */
import type { Command } from "commander";
import { DEFAULT_SPOOL_QUOTA } from "../config.js";
import { ThreatflowError } from "../errors.js";
import { isDistributed, unpackQuota } from "../settings.js";
import { settings } from "./place.js";

interface Flags {
  port: string;
  host: string;
  data?: string;
}
const LOOPBACK = ["127.0.0.1", "::1", "localhost"];

export function serveCommand(program: Command): void {
  program
    .command("serve")
    .description("upload captures, watch them being analysed, look into them: an HTTP API and a page")
    .option("--port <n>", "port (0: a free one)", "8470")
    .option(
      "--host <address>",
      "address to listen on; beyond this machine there must be users (`threatflow users add`) or THREATFLOW_TOKEN",
      "127.0.0.1",
    )
    .option("--data <dir>", "data folder")
    .action(async (f: Flags) => {
      const s = settings(f.data);
      const port = Number(f.port);
      if (!Number.isInteger(port) || port < 0 || port > 65535)
        throw new ThreatflowError("USAGE", `--port takes a number to 65535, not ${JSON.stringify(f.port)}`);
      const beyond = !LOOPBACK.includes(f.host);
      const token = beyond ? process.env.THREATFLOW_TOKEN : undefined;
      const backend = isDistributed(s)
        ? await (await import("../api/cluster.js")).clusterBackend(s)
        : await (await import("../api/embedded.js")).embeddedBackend(s.data as string, unpackQuota(s, DEFAULT_SPOOL_QUOTA));
      const { Access } = await import("../access/access.js");
      if (beyond && !(await new Access(backend.shelf, token).possible())) {
        await backend.close();
        throw new ThreatflowError(
          "USAGE",
          `listening on ${f.host} lets everybody in who reaches it`,
          "`threatflow users add NAME --role admin --case '*'`, or set THREATFLOW_TOKEN; then everybody has to log in",
        );
      }
      const { createServer } = await import("../api/server.js");
      const app = await createServer({ backend, token, beyond });
      try {
        await app.listen({ port, host: f.host });
      } catch (error) {
        await backend.close();
        const e = error as NodeJS.ErrnoException;
        if (e.code === "EADDRINUSE" || e.code === "EACCES" || e.code === "EADDRNOTAVAIL")
          throw new ThreatflowError("USAGE", `${f.host}:${port} cannot be listened on: ${e.code}`, "choose another --port or --host");
        throw error;
      }
      const at = app.server.address() as { port: number };
      process.stderr.write(`threatflow: http://${f.host.includes(":") ? `[${f.host}]` : f.host}:${at.port}/\n`);
      const scheduler = await backend.schedule((text) => process.stderr.write(`threatflow: ${text}\n`));
      await new Promise<void>((resolve) => {
        for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve());
      });
      await scheduler.close();
      await app.close();
      await backend.close();
    });
}
