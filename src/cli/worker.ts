/** `threatflow worker`: takes jobs from Redis until it is told to stop. */
import type { Command } from "commander";

export interface Flags {
  concurrency?: string;
  health?: string;
  data?: string;
}

export function workerCommand(program: Command): void {
  program
    .command("worker")
    .description("do the work of a cluster: take jobs from Redis, decode, index into Elasticsearch (SIGTERM: finish what is at hand)")
    .option("--concurrency <n>", "shards decoded at once, each in a process of its own (default: all cores)")
    .option("--health <port>", "answer /healthz and /metrics (Prometheus) on this port of 127.0.0.1")
    .option("--data <dir>", "data folder")
    .action(async (f: Flags) => (await import("./worker-run.js")).work(f));
}
