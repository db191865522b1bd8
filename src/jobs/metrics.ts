/** What a worker counts, as Prometheus reads it. */
import { Counter, collectDefaultMetrics, Histogram, Registry } from "prom-client";

export const registry = new Registry();
collectDefaultMetrics({ register: registry, prefix: "threatflow_" });
const seconds = new Histogram({
  name: "threatflow_job_seconds",
  help: "Time that jobs took, by queue",
  labelNames: ["queue"],
  buckets: [0.01, 0.05, 0.25, 1, 5, 30, 120, 600],
  registers: [registry],
});
const failures = new Counter({
  name: "threatflow_job_failures_total",
  help: "Tries of jobs that failed, by queue",
  labelNames: ["queue"],
  registers: [registry],
});

export const metrics = {
  done: (queue: string, s: number): void => seconds.observe({ queue }, s),
  failed: (queue: string): void => failures.inc({ queue }),
};
