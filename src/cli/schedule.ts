/** `threatflow schedule add|list|pause|resume|remove|run|start`: captures at fixed times. */
import { hostname } from "node:os";
import type { Command } from "commander";
import { nextDue, type Schedule, type Schedules, schedulesOn } from "../catalog/schedules.js";
import { ThreatflowError } from "../errors.js";
import { readFilter } from "../ingest/filter.js";
import { localTimer, type Scheduler, startScheduler, type Timer } from "../jobs/scheduler.js";
import { isDistributed } from "../settings.js";
import { durationNs } from "./options.js";
import { withShelf } from "./place.js";
import { table } from "./text.js";

interface Flags {
  cron?: string;
  every?: string;
  duration: string;
  interface: string[];
  filter?: string;
  keep?: string;
  rotate?: string;
  on?: string;
  data?: string;
  json?: boolean;
}
const several = (v: string, all: string[] = []): string[] => [...all, ...v.split(",")];

export function scheduleCommands(program: Command): void {
  const schedule = program.command("schedule").description("captures at fixed times; `threatflow serve` runs them, or `schedule start`");
  const change = (name: string, words: string, work: (p: Planning, s: Schedule) => Promise<string>): void => {
    schedule
      .command(`${name} <id>`)
      .description(words)
      .option("--data <dir>", "data folder")
      .action((id: string, f: { data?: string }) =>
        planning(f.data, async (p) => void process.stderr.write(`${await work(p, await p.schedules.find(id))}\n`)),
      );
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
    .option("--on <host>", "the machine that records, where several share Redis (default: this one)")
    .option("--data <dir>", "data folder")
    .action((f: Flags) => planning(f.data, (p) => add(p, f)));
  schedule
    .command("list", { isDefault: true })
    .description("schedules and their last runs")
    .option("--json", "one object a line")
    .option("--data <dir>", "data folder")
    .action((f: Flags) => planning(f.data, (p) => list(p, f.json === true)));
  change("pause", "no runs until resume", async (p, s) => {
    await p.schedules.put({ ...s, paused: true });
    await p.timer.clear(s);
    return `${s.id}: paused`;
  });
  change("resume", "runs again", async (p, s) => {
    await p.schedules.put({ ...s, paused: false });
    await p.timer.set(s);
    return `${s.id}: due next at ${p.next(s)}`;
  });
  change("remove", "forget a schedule and its runs; captures stay", async (p, s) => {
    await p.timer.clear(s);
    await p.schedules.remove(s.id);
    return `${s.id}: removed`;
  });
  change("run", "let it be due now", async (p, s) => {
    await p.timer.now(s);
    return `${s.id}: due now`;
  });
  schedule
    .command("start")
    .description("run schedules until Ctrl-C")
    .option("--data <dir>", "data folder")
    .action((f: Flags) =>
      planning(f.data, async (p) => {
        const scheduler = await p.start((text) => process.stderr.write(`${text}\n`));
        process.stderr.write("running schedules\n");
        await new Promise<void>((resolve) => {
          for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve());
        });
        await scheduler.close();
      }),
    );
}

/** Schedules of this place and what makes them due. */
interface Planning {
  readonly schedules: Schedules;
  readonly timer: Timer;
  readonly shared: boolean;
  next(s: Schedule): string;
  start(told: (text: string) => void): Promise<Scheduler>;
}
const planning = (data: string | undefined, work: (p: Planning) => Promise<void>): Promise<void> =>
  withShelf(data, async (shelf, s) => {
    const schedules = schedulesOn(shelf);
    const shared = isDistributed(s);
    const dir = s.data as string;
    const spread = shared ? await import("../jobs/scheduler-spread.js") : undefined;
    const timer = spread ? spread.redisTimer(s) : localTimer(schedules);
    try {
      await work({
        schedules,
        timer,
        shared,
        next: (x) => (shared ? nextDue(x, new Date(), new Date(x.added)).toISOString() : x.next),
        start: async (told) => (spread ? spread.startSpreadScheduler(s, schedules, dir, told) : startScheduler(schedules, dir, told)),
      });
    } finally {
      await timer.close();
    }
  });

async function add(p: Planning, f: Flags): Promise<void> {
  if ((f.cron === undefined) === (f.every === undefined)) throw new ThreatflowError("USAGE", "say when: --cron or --every");
  if (f.on !== undefined && !p.shared)
    throw new ThreatflowError(
      "USAGE",
      "--on names a machine of several that share Redis",
      "set REDIS_URL and ELASTICSEARCH_URL, or leave it out",
    );
  if (f.filter !== undefined) readFilter(f.filter); // what cannot be compiled is said now, not at two in the morning
  const s = await p.schedules.add(
    {
      cron: f.cron,
      every: f.every === undefined ? undefined : Number(durationNs(f.every) / 1000000n),
      durationMs: Number(durationNs(f.duration) / 1000000n),
      host: p.shared ? (f.on ?? hostname()) : undefined,
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
  await p.timer.set(s);
  process.stdout.write(`${s.id}\n`);
  process.stderr.write(
    `due next at ${s.next}; \`threatflow serve\` or \`threatflow schedule start\`${s.host ? ` on ${s.host}` : ""} runs it\n`,
  );
}

async function list(p: Planning, json: boolean): Promise<void> {
  const all = await Promise.all(
    (await p.schedules.list()).map(async (s) => ({ ...s, next: p.next(s), runs: await p.schedules.runs(s.id, 5) })),
  );
  if (json) for (const s of all) process.stdout.write(`${JSON.stringify(s)}\n`);
  else if (all.length === 0) process.stderr.write("no schedule; `threatflow schedule add` makes one\n");
  else
    process.stdout.write(
      `${table(
        ["id", ...(p.shared ? ["machine"] : []), "when", "next", "capture", "last runs"],
        all.map((s) => [
          s.id,
          ...(p.shared ? [s.host ?? ""] : []),
          s.cron ?? `every ${(s.every as number) / 1000} s`,
          s.paused ? "paused" : s.next.slice(0, 19),
          s.capture.join(" "),
          s.runs.map((r) => r.state).join(" "),
        ]),
      )}\n`,
    );
}
