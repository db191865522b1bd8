/** The process of `joinApart`: what it is sent, and its failure on standard error. */
import { type Joining, joinHere } from "./join.js";

// Ctrl-C or the end of a service goes to all of its processes: whoever records ends in order.
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => undefined);
process.on("disconnect", () => process.exit(1)); // nobody waits for it
process.on("message", (all: Joining[]) => {
  joinHere(all, process.argv[2]).then(
    () => process.exit(0),
    (error: Error) => {
      process.stderr.write(error.message);
      process.exit(1);
    },
  );
});
