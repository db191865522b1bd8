/** `npm run new-protocol NAME`: copies src/decoders/_template to src/decoders/NAME and registers it: decoder, dataset, fields. */
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const [name, root = join(import.meta.dirname, "..")] = process.argv.slice(2);
if (!/^[a-z][a-z0-9]{1,15}$/.test(name ?? "")) {
  console.error("usage: npm run new-protocol NAME   (lower-case letters and digits, 2 to 16, a letter first)");
  process.exit(2);
}
const folder = join(root, "src", "decoders", name);
if (existsSync(folder)) {
  console.error(`${folder} is there already`);
  process.exit(1);
}
const rename = (text) => text.replaceAll("template", name).replaceAll("TEMPLATE", name.toUpperCase()).replaceAll("Template", name[0].toUpperCase() + name.slice(1));
cpSync(join(root, "src", "decoders", "_template"), folder, { recursive: true });
for (const file of readdirSync(folder)) {
  const path = join(folder, file);
  writeFileSync(path, rename(readFileSync(path, "utf8")));
  if (rename(file) !== file) renameSync(path, join(folder, rename(file)));
}
/** Puts text before the first match, or stops: a file that changed its shape is not to be guessed at. */
function insert(path, before, text) {
  const full = join(root, path);
  const old = readFileSync(full, "utf8");
  const at = old.search(before);
  if (at < 0) throw new Error(`${path}: ${before} is not there`);
  writeFileSync(full, old.slice(0, at) + text + old.slice(at));
}
const rows = readFileSync(join(folder, "fields.txt"), "utf8");
rmSync(join(folder, "fields.txt"));
insert("src/decoders/registry.ts", /\nexport const decoders/, `import { ${name} } from "./${name}/index.js";\n`);
insert("src/decoders/registry.ts", /\];\s*$/, `, ${name}`);
insert("src/records/fields.ts", /, "anomaly", "capture"\] as const/, `, "${name}"`);
insert("src/records/fields.ts", /const ANOMALY =/, `const ${name.toUpperCase()} = ["${name}"] as const;\n`);
insert("src/records/fields.ts", / {2}\{ name: "anomaly\./, rows);
console.log(`src/decoders/${name} is there and registered. Next: write parse.ts and its test, put a capture into fixtures/pcaps/${name}/, \`make test\`.`);
