/** `threatflow schedule add|list|pause|resume|remove|run|start`: captures at fixed times. */
import { mkdirSync } from "node:fs";
import type { Command } from "commander";
import { openSchedules, type Schedules } from "../catalog/schedules.js";
import { ThreatflowError } from "../errors.js";
import { readFilter } from "../ingest/filter.js";
import { durationNs } from "./options.js";
import { settings } from "./place.js";
import { table } from "./text.js";

interface Flags {
  cron?: string;
  every?: string;
  duration: string;
  interface: string[];
  filter?: string;
  keep?: string;
  rotate?: string;
  data?: string;
  json?: boolean;
}
const several = (v: string, all: string[] = []): string[] => [...all, ...v.split(",")];

export function scheduleCommands(program: Command): void {
  const schedule = program.command("schedule").description("captures at fixed times; `threatflow serve` runs them, or `schedule start`");
  const open = (data: string | undefined): { dir: string; schedules: Schedules } => {
    const dir = settings(data).data as string;
    mkdirSync(dir, { recursive: true });
    return { dir, schedules: openSchedules(dir) };
  };
  const change = (name: string, words: string, work: (s: Schedules, id: string, dir: string) => string): void => {
    schedule
      .command(`${name} <id>`)
      .description(words)
      .option("--data <dir>", "data folder")
      .action((id: string, f: { data?: string }) => {
        const { dir, schedules } = open(f.data);
        try {
          process.stderr.write(`${work(schedules, schedules.find(id).id, dir)}\n`);
        } finally {
          schedules.close();
        }
      });
  };
  schedule
    .command("add")
    .description("record from an interface at fixed times")
    .option("--cron <expr>", "minute hour day month weekday, e.g. '0 2 * * *'")
    .option("--every <time>", "instead of --cron: e.g. 6h, counted from now")
    .requiredOption("--duration <time>", "how long each run records")
    .requiredOption("-i, --interface <name>", "interface, or any; may be given several times", several)
    .option("--filter <expr>", "as for capture")
    .option("--rotate <limit>", "as for capture")
    .option("--keep <limit>", "as for capture")
    .option("--data <dir>", "data folder")
    .action((f: Flags) => {
      if ((f.cron === undefined) === (f.every === undefined)) throw new ThreatflowError("USAGE", "say when: --cron or --every");
      if (f.filter !== undefined) readFilter(f.filter); // what cannot be compiled is said now, not at two in the morning
      const { schedules } = open(f.data);
      try {
        const s = schedules.add(
          {
            cron: f.cron,
            every: f.every === undefined ? undefined : Number(durationNs(f.every) / 1000000n),
            durationMs: Number(durationNs(f.duration) / 1000000n),
            capture: [
              ...f.interface.flatMap((i) => ["-i", i]),
              "--duration",
              f.duration,
              ...(f.filter === undefined ? [] : ["--filter", f.filter]),
              ...(f.rotate === undefined ? [] : ["--rotate", f.rotate]),
              ...(f.keep === undefined ? [] : ["--keep", f.keep]),
            ],
          },
          new Date(),
        );
        process.stdout.write(`${s.id}\n`);
        process.stderr.write(`due next at ${s.next}; \`threatflow serve\` or \`threatflow schedule start\` runs it\n`);
      } finally {
        schedules.close();
      }
    });
  schedule
    .command("list", { isDefault: true })
    .description("schedules and their last runs")
    .option("--json", "one object a line")
    .option("--data <dir>", "data folder")
    .action((f: Flags) => {
      const { schedules } = open(f.data);
      try {
        const all = schedules.list().map((s) => ({ ...s, runs: schedules.runs(s.id, 5) }));
        if (f.json) for (const s of all) process.stdout.write(`${JSON.stringify(s)}\n`);
        else if (all.length === 0) process.stderr.write("no schedule; `threatflow schedule add` makes one\n");
        else
          process.stdout.write(
            `${table(
              ["id", "when", "next", "capture", "last runs"],
              all.map((s) => [
                s.id,
                s.cron ?? `every ${(s.every as number) / 1000} s`,
                s.paused ? "paused" : s.next.slice(0, 19),
                s.capture.join(" "),
                s.runs.map((r) => r.state).join(" "),
              ]),
            )}\n`,
          );
      } finally {
        schedules.close();
      }
    });
  change("pause", "no runs until resume", (s, id) => {
    s.put({ ...s.find(id), paused: true });
    return `${id}: paused`;
  });
  change("resume", "runs again", (s, id) => {
    s.put({ ...s.find(id), paused: false });
    return `${id}: due next at ${s.find(id).next}`;
  });
  change("remove", "forget a schedule and its runs; captures stay", (s, id) => {
    s.remove(id);
    return `${id}: removed`;
  });
  change("run", "let it be due now", (s, id) => {
    s.put({ ...s.find(id), next: new Date().toISOString() });
    return `${id}: due now`;
  });
  schedule
    .command("start")
    .description("run schedules until Ctrl-C")
    .option("--data <dir>", "data folder")
    .action(async (f: Flags) => {
      const { Scheduler } = await import("../jobs/scheduler.js");
      const { dir, schedules } = open(f.data);
      const scheduler = new Scheduler(schedules, dir, (text) => process.stderr.write(`${text}\n`));
      process.stderr.write("running schedules\n");
      await new Promise<void>((resolve) => {
        for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve());
      });
      await scheduler.close();
    });
}
