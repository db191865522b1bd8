/** Structured logs of long-running processes: one JSON object a line on stderr. Commands that a person waits for print words instead. */
import { pino } from "pino";

export const log = pino(
  { level: process.env.THREATFLOW_LOG_LEVEL ?? "info", base: { pid: process.pid } },
  pino.destination({ dest: 2, sync: true }),
);
