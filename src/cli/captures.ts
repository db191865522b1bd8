/** `threatflow captures list|show`, `delete`, `fields`. */
import { rmSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Command } from "commander";
import { openCatalog } from "../catalog/catalog.js";
import { ThreatflowError } from "../errors.js";
import { DATASETS, FIELDS, type Field } from "../records/fields.js";
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
  program
    .command("fields [name]")
    .description("the fields that records have")
    .option("--json", "one object a line")
    .action((name: string | undefined, f: Flags) => {
      const found = (FIELDS as readonly Field[]).filter((x) => !name || x.name === name || x.name.startsWith(`${name}.`));
      if (found.length === 0) throw new ThreatflowError("QUERY_FIELD", `there is no field ${name}`, "`threatflow fields` lists them");
      if (f.json) for (const x of found) process.stdout.write(`${JSON.stringify(x)}\n`);
      else
        process.stdout.write(
          `${table(
            ["field", "type", "in", "meaning"],
            found.map((x) => [x.name + (x.list ? "[]" : ""), x.type, (x.in ?? ["all"]).join(" "), x.doc]),
          )}\n`,
        );
    });
}
