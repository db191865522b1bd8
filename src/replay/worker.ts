/** A process that replays captures one after the other, as `replay --jobs` asks it. */
import { ThreatflowError } from "../errors.js";
import type { Answered, Asked } from "./jobs.js";
import { replayOne } from "./replay.js";

process.on("message", async (a: Asked) => {
  let answer: Answered;
  try {
    answer = { outcome: await replayOne(a.case, a.dir, a.tolerance, a.update) };
  } catch (error) {
    const e = error as ThreatflowError;
    answer = { usage: e.message, remedy: e instanceof ThreatflowError ? e.remedy : "" };
  }
  process.send?.(answer);
});
process.on("disconnect", () => process.exit(0));
