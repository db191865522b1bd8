/** Parts of the store that become one file, as they follow each other. */
import { fork } from "node:child_process";
import { renameSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { quoteText } from "../records/columns.js";
import { openOrderedDuck } from "../search/duck.js";
import { FORM } from "./parquet.js";

export interface Joining {
  files: readonly string[];
  /** Where it is written, before it is renamed. */
  hidden: string;
  target: string;
}
/** One after the other. `spill`: a folder for what does not fit into memory. */
export type Join = (all: readonly Joining[], spill: string) => Promise<void>;

export async function joinHere(all: readonly Joining[], spill: string): Promise<void> {
  const duck = await openOrderedDuck(spill);
  try {
    for (const { files, hidden, target } of all)
      try {
        await duck.connection.run(`COPY (SELECT * FROM read_parquet([${files.map(quoteText).join(",")}])) TO ${quoteText(hidden)} ${FORM}`);
        renameSync(hidden, target);
      } finally {
        rmSync(hidden, { force: true });
      }
  } finally {
    duck.close();
  }
}

/** In a process of its own: what DuckDB takes for large parts goes with it, and whoever records for weeks does not grow. */
export function joinApart(all: readonly Joining[], spill: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(new URL("./join-process.js", import.meta.url)), [spill], {
      execArgv: ["--disable-warning=ExperimentalWarning"],
      stdio: ["ignore", "inherit", "pipe", "ipc"],
    });
    let said = "";
    child.stderr?.on("data", (b) => {
      said += b;
    });
    child.on("error", reject);
    child.send(all, () => undefined); // one that is gone already says so below
    child.on("close", (code, signal) =>
      code === 0 ? resolve() : reject(new Error(said.trim() || `parts were not joined: ${signal ?? `exit ${code}`}`)),
    );
  });
}
