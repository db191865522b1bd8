/** The command line. */
import { enableCompileCache } from "node:module";

enableCompileCache?.();
const { run } = await import("./run.js");
process.exitCode = await run(process.argv.slice(2));
