/** `threatflow replay DIR`: captures beside expected records; CI fails when they differ. */
import { writeFileSync } from "node:fs";
import type { Command } from "commander";
import { systemError, ThreatflowError } from "../errors.js";
import { replayAll } from "../replay/jobs.js";
import { casesIn, type Outcome, readConfig } from "../replay/replay.js";
import { describeDifferences, githubAnnotations, junit } from "../replay/report.js";
import { EXIT } from "./exit.js";
import { positive } from "./options.js";
import { dim, duration, safe } from "./text.js";

interface Flags {
  update?: boolean;
  junit?: string;
  github?: boolean;
  json?: boolean;
  quiet?: boolean;
  jobs: string;
}

export function replayCommand(program: Command, exit: (status: number) => void): void {
  program
    .command("replay <dir>")
    .description("analyse every capture below a folder and compare with <name>.expected.ndjson or <name>.expect.yaml beside it")
    .option("--update", "write what is got as what is expected")
    .option("--jobs <n>", "processes that analyse captures beside each other", "1")
    .option("--junit <file>", "also write JUnit XML")
    .option("--github", "also print GitHub annotations (default where GITHUB_ACTIONS is set)")
    .option("--json", "one object a capture")
    .option("--quiet", "only what differs")
    .action(async (dir: string, f: Flags) => exit(await replay(dir, f)));
}

async function replay(dir: string, f: Flags): Promise<number> {
  const begun = performance.now();
  const cases = casesIn(dir);
  if (cases.length === 0) throw new ThreatflowError("USAGE", `${dir}: no captures`, "name a folder that holds .pcap or .pcapng files");
  const tolerance = readConfig(dir);
  const outcomes: Outcome[] = [];
  for await (const o of replayAll(cases, dir, tolerance, f.update === true, positive(f.jobs, "--jobs"))) {
    outcomes.push(o);
    tell(o, f);
  }
  if (f.junit)
    try {
      writeFileSync(f.junit, junit(outcomes));
    } catch (error) {
      throw systemError(error, f.junit);
    }
  if (f.github || process.env.GITHUB_ACTIONS === "true") process.stdout.write(githubAnnotations(outcomes));
  const count = (s: Outcome["status"]): number => outcomes.filter((o) => o.status === s).length;
  const failed = count("different");
  if (!f.json) {
    const parts = [`${count("same")} as expected`, `${failed} different`];
    if (count("updated")) parts.push(`${count("updated")} updated`);
    if (count("no-expectation")) parts.push(`${count("no-expectation")} without expectation (--update writes one)`);
    process.stdout.write(`${parts.join(", ")} in ${duration((performance.now() - begun) / 1000)}\n`);
  }
  return failed ? EXIT.failed : EXIT.done;
}

function tell(o: Outcome, f: Flags): void {
  if (f.json) {
    const { name, status, differences } = o;
    process.stdout.write(`${JSON.stringify({ capture: name, status, seconds: Math.round(o.seconds * 1000) / 1000, differences })}\n`);
  } else if (o.status === "different") {
    const text = describeDifferences(o.differences).split("\n").map(safe).join("\n    ");
    process.stdout.write(`✗ ${safe(o.name)}\n    ${text}\n`);
  } else if (!f.quiet) {
    const note = o.status === "same" ? "" : dim(` (${o.status === "updated" ? "updated" : "nothing is expected of it"})`);
    process.stdout.write(`${o.status === "no-expectation" ? "-" : "✓"} ${safe(o.name)}${note}\n`);
  }
}
