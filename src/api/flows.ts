/** One flow: its record and those of its protocols, its streams and packets, its bytes as a capture. */
import { createReadStream, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { FastifyInstance } from "fastify";
import { DEFAULT_DECODE } from "../config.js";
import { ThreatflowError } from "../errors.js";
import { type Choice, extract } from "../jobs/extract.js";
import { chooseFlow } from "../jobs/flow-choice.js";
import { show } from "../jobs/streams.js";
import { says } from "./openapi.js";
import type { View } from "./scope.js";

const MOST_RECORDS = 1000;
interface Named {
  Params: { id: string };
}

export async function flowRoutes(app: FastifyInstance): Promise<void> {
  /** The flow's packets in a file of their own. */
  const cut = async (b: View, id: string): Promise<{ path: string; incomplete: boolean }> => {
    const choice: Choice = {};
    const entry = await b.resolve(await chooseFlow(b.search, id, choice));
    mkdirSync(b.workDir, { recursive: true });
    const path = join(b.workDir, `.flow-${process.pid}-${Math.random().toString(36).slice(2)}.pcap`);
    const { incomplete } = await extract(await b.evidence(entry), entry.id, DEFAULT_DECODE, choice, path, b.workDir);
    return { path, incomplete };
  };
  app.get<Named>(
    "/api/flows/:id",
    says(
      "a flow: its record, and the records of its protocols; with .pcap its packets; `x-threatflow-incomplete` says that not all are there any more",
    ),
    async (q, reply) => {
      const id = q.params.id.replace(/\.pcap$/, "");
      if (!/^[0-9a-f]{8,32}$/.test(id)) throw new ThreatflowError("NO_SUCH_FLOW", "a flow id has 32 hex digits");
      if (id !== q.params.id) {
        const { path, incomplete } = await cut(q.view, id);
        const stream = createReadStream(path);
        stream.on("close", () => rmSync(path, { force: true }));
        if (incomplete) reply.header("x-threatflow-incomplete", "earlier packets were in segments that --keep deleted");
        return reply
          .header("content-type", "application/vnd.tcpdump.pcap")
          .header("content-disposition", `attachment; filename="${id}.pcap"`)
          .send(stream);
      }
      const lines: string[] = [];
      for await (const line of q.view.search.records({
        query: `flow.id: ${id}${id.length < 32 ? "*" : ""}`,
        datasets: [],
        captures: undefined,
        limit: MOST_RECORDS,
      }))
        lines.push(line);
      const flow = lines.find((l) => l.includes('"dataset":"flow"'));
      if (!flow) throw new ThreatflowError("NO_SUCH_FLOW", `there is no flow ${id} here`);
      return reply
        .header("content-type", "application/json; charset=utf-8")
        .send(`{"flow":${flow},"records":[${lines.filter((l) => l !== flow).join(",")}]}`);
    },
  );
  app.get<Named>(
    "/api/flows/:id/content",
    says("both streams piece by piece, and the packets; `incomplete`: earlier ones were in segments that --keep deleted"),
    async (q) => {
      const { path, incomplete } = await cut(q.view, q.params.id);
      try {
        return { ...(await show(path, q.view.workDir)), incomplete };
      } finally {
        rmSync(path, { force: true });
      }
    },
  );
}
