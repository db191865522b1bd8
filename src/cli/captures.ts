/** `threatflow captures list|show`, `delete`. */
import { rmSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Command } from "commander";
import { openCatalog } from "../catalog/catalog.js";
import { DATASETS } from "../records/fields.js";
import { recordFile } from "../sinks/parquet.js";
import { dataDir } from "./data-dir.js";
import { number, size, table } from "./text.js";

interface Flags {
  data?: string;
  json?: boolean;
}

export function captureCommands(program: Command): void {
  const captures = program.command("captures").description("the captures in the data folder");
  captures
    .command("list", { isDefault: true })
    .option("--data <dir>", "data folder")
    .option("--json", "one object a line")
    .action((f: Flags) => {
      const catalog = openCatalog(dataDir(f.data));
      const all = catalog.list();
      catalog.close();
      if (f.json) for (const c of all) process.stdout.write(`${JSON.stringify(c)}\n`);
      else if (all.length === 0) process.stderr.write("no captures; `threatflow analyze FILE` imports one\n");
      else
        process.stdout.write(
          `${table(
            ["id", "added", "packets", "bytes", "status", "name"],
            all.map((c) => [
              c.id.slice(0, 12),
              c.added.slice(0, 19),
              number(c.summary.capture.packets),
              size(c.summary.capture.bytes),
              c.summary.status,
              c.name,
            ]),
          )}\n`,
        );
    });
  captures
    .command("show <id>")
    .option("--data <dir>", "data folder")
    .action((id: string, f: Flags) => {
      const catalog = openCatalog(dataDir(f.data));
      const c = catalog.resolve(id);
      catalog.close();
      process.stdout.write(`${JSON.stringify(c, null, 2)}\n`);
    });
  program
    .command("delete <capture>")
    .description("remove a capture's records (and the copy of its bytes, where one was kept)")
    .option("--data <dir>", "data folder")
    .action((id: string, f: Flags) => {
      const dir = dataDir(f.data);
      const catalog = openCatalog(dir);
      const c = catalog.resolve(id);
      for (const d of DATASETS) rmSync(recordFile(dir, d, c.id), { force: true });
      if (c.path && dirname(c.path) === join(dir, "captures")) rmSync(c.path, { force: true });
      catalog.remove(c.id);
      catalog.close();
      process.stderr.write(`${c.name}: deleted\n`);
    });
}
