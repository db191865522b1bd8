/** The command line. */
import { enableCompileCache } from "node:module";

enableCompileCache?.();
// `threatflow … | head`: the reader has seen enough.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));
const { run } = await import("./run.js");
process.exitCode = await run(process.argv.slice(2));
