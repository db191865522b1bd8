/** Commands and their flags; each command is one file. Exit status: 0 done, 1 could not, 2 wrong usage, 3 damaged (with --strict) or partial. */
import { Command, CommanderError } from "commander";
import { systemError, ThreatflowError } from "../errors.js";
import { VERSION } from "../records/tables.js";
import { accessCommands } from "./access.js";
import { analyzeCommand } from "./analyze.js";
import { captureCommand } from "./capture.js";
import { captureCommands } from "./captures.js";
import { completionCommand } from "./completion.js";
import { doctorCommand } from "./doctor.js";
import { EXIT } from "./exit.js";
import { extractCommand } from "./extract.js";
import { fieldsCommand } from "./fields.js";
import { filterCommands } from "./filter.js";
import { jobCommands } from "./jobs.js";
import { globalFlags } from "./place.js";
import { queryCommand } from "./query.js";
import { replayCommand } from "./replay.js";
import { scheduleCommands } from "./schedule.js";
import { sendCommand } from "./send.js";
import { serveCommand } from "./serve.js";
import { workerCommand } from "./worker.js";

export async function run(args: string[]): Promise<number> {
  const program = new Command("threatflow");
  let status = 0;
  program
    .description("Turns network captures into searchable evidence.")
    .version(VERSION)
    .option("--config <file>", "settings file (default: threatflow.yaml where there is one)")
    .option("--redis <url>", "Redis of the job queue (default: $REDIS_URL)")
    .option("--elasticsearch <url>", "Elasticsearch for records (default: $ELASTICSEARCH_URL)")
    .option("--store <dir>", "capture store that all machines share (default: $THREATFLOW_STORE or DATA/store)")
    .hook("preAction", () => globalFlags(program.opts()))
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(`threatflow: ${text.replace(/^error: /, "")}`) });
  analyzeCommand(program, (s) => {
    status = Math.max(status, s);
  });
  captureCommand(program, (s) => {
    status = Math.max(status, s);
  });
  sendCommand(program);
  filterCommands(program, (s) => {
    status = Math.max(status, s);
  });
  queryCommand(program);
  extractCommand(program);
  captureCommands(program);
  fieldsCommand(program);
  replayCommand(program, (s) => {
    status = Math.max(status, s);
  });
  scheduleCommands(program);
  serveCommand(program);
  accessCommands(program);
  workerCommand(program);
  jobCommands(program);
  doctorCommand(program, (s) => {
    status = Math.max(status, s);
  });
  completionCommand(program);
  try {
    await program.parseAsync(args, { from: "user" });
    return status;
  } catch (error) {
    return report(error);
  }
}

function report(raw: unknown): number {
  const error = systemError(raw, (raw as { path?: string } | null)?.path ?? "the data folder");
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  if (error instanceof ThreatflowError) {
    process.stderr.write(`threatflow: ${error.message}${error.remedy ? `; ${error.remedy}` : ""}\n`);
    return error.code === "USAGE" ? EXIT.usage : EXIT.failed;
  }
  process.stderr.write(`threatflow: a bug of ours: ${String((error as Error).stack ?? error)}\n`);
  return EXIT.failed;
}
