/** Replays in several processes; outcomes come in the order of the captures. A capture that ends its process has failed; the rest goes on. */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { ThreatflowError } from "../errors.js";
import type { Tolerance } from "./compare.js";
import { type Case, failed, type Outcome, replayOne } from "./replay.js";

/** What a replaying process is asked, and answers. */
export interface Asked {
  case: Case;
  dir: string;
  tolerance: Tolerance;
  update: boolean;
}
export type Answered = { outcome: Outcome } | { usage: string; remedy: string };

export async function* replayAll(
  cases: readonly Case[],
  dir: string,
  tolerance: Tolerance,
  update: boolean,
  jobs: number,
): AsyncGenerator<Outcome> {
  if (jobs === 1 || cases.length < 2) {
    for (const c of cases) yield await replayOne(c, dir, tolerance, update);
    return;
  }
  const children: ChildProcess[] = [];
  const outcomes: (Promise<Outcome> | undefined)[] = [];
  const settle: ((o: Promise<Outcome>) => void)[] = [];
  for (const [n] of cases.entries()) {
    const o = new Promise<Outcome>((resolve) => {
      settle[n] = resolve;
    });
    o.catch(() => undefined); // told when its turn comes; until then nobody waits for it
    outcomes[n] = o;
  }
  let next = 0;
  const work = async (): Promise<void> => {
    let child: ChildProcess | undefined;
    while (next < cases.length) {
      const n = next++;
      if (!child?.connected) {
        child = fork(fileURLToPath(new URL("./worker.js", import.meta.url)), [], {
          execArgv: ["--disable-warning=ExperimentalWarning"],
          stdio: ["ignore", "inherit", "inherit", "ipc"],
        });
        children.push(child);
      }
      const asked = one(child, { case: cases[n], dir, tolerance, update });
      settle[n](asked);
      await asked.catch(() => undefined);
    }
  };
  const all = Array.from({ length: Math.min(jobs, cases.length) }, work);
  try {
    for (const o of outcomes) yield await (o as Promise<Outcome>);
    await Promise.all(all);
  } finally {
    next = cases.length;
    for (const c of children) c.kill();
  }
}

function one(child: ChildProcess, asked: Asked): Promise<Outcome> {
  const begun = performance.now();
  return new Promise((resolve, reject) => {
    const ended = (code: number | null, signal: string | null): void => {
      child.off("message", answered);
      resolve(failed(asked.case, asked.dir, begun, `the process that analysed it ended (${signal ?? `exit ${code}`})`));
    };
    const answered = (a: Answered): void => {
      child.off("exit", ended);
      if ("usage" in a) reject(new ThreatflowError("USAGE", a.usage, a.remedy));
      else resolve(a.outcome);
    };
    child.once("exit", ended);
    child.once("message", answered);
    child.send(asked, () => undefined);
  });
}
