/** Commands and their flags; each command is one file. Exit status: 0 done, 1 could not, 2 wrong usage, 3 damaged (with --strict) or partial. */
import { Command, CommanderError } from "commander";
import { systemError, ThreatflowError } from "../errors.js";
import { VERSION } from "../records/tables.js";
import { EXIT } from "./exit.js";
import { globalFlags } from "./place.js";

type Add = (program: Command, exit: (status: number) => void) => void;

/** Each file of commands, with the names that it adds: what is not asked for is not loaded. */
const FILES: readonly [names: readonly string[], load: () => Promise<Add>][] = [
  [["analyze"], async () => (await import("./analyze.js")).analyzeCommand],
  [["capture", "interfaces"], async () => (await import("./capture.js")).captureCommand],
  [["send"], async () => (await import("./send.js")).sendCommand],
  [["filter"], async () => (await import("./filter.js")).filterCommands],
  [["query"], async () => (await import("./query.js")).queryCommand],
  [["extract"], async () => (await import("./extract.js")).extractCommand],
  [["captures", "export", "delete"], async () => (await import("./captures.js")).captureCommands],
  [["fields"], async () => (await import("./fields.js")).fieldsCommand],
  [["replay"], async () => (await import("./replay.js")).replayCommand],
  [["schedule"], async () => (await import("./schedule.js")).scheduleCommands],
  [["serve"], async () => (await import("./serve.js")).serveCommand],
  [["users", "tokens", "audit"], async () => (await import("./access.js")).accessCommands],
  [["worker"], async () => (await import("./worker.js")).workerCommand],
  [["jobs", "expire"], async () => (await import("./jobs.js")).jobCommands],
  [["doctor", "config"], async () => (await import("./doctor.js")).doctorCommand],
  [["completion"], async () => (await import("./completion.js")).completionCommand],
];
const HELP: readonly string[] = ["help", "--help", "-h"];

/** What adds the commands that these arguments may name; all where they name none, or ask for all. */
async function commands(args: readonly string[]): Promise<Add[]> {
  if (args[0] === "--version" || args[0] === "-V") return [];
  const asked = FILES.filter(([names]) => names.some((n) => args.includes(n)));
  const all = asked.length === 0 || HELP.includes(args[0]) || args.includes("completion");
  return Promise.all((all ? FILES : asked).map(([, load]) => load()));
}

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
  for (const add of await commands(args))
    add(program, (s) => {
      status = Math.max(status, s);
    });
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
