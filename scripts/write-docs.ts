/** Writes docs/fields.md and docs/anomalies.md: `npm run docs`. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { anomalies } from "../dist/decoders/anomalies.js";
import { anomaliesMarkdown, fieldsMarkdown } from "../dist/records/formats/markdown.js";

const docs = join(import.meta.dirname, "..", "docs");
writeFileSync(join(docs, "fields.md"), fieldsMarkdown());
writeFileSync(join(docs, "anomalies.md"), anomaliesMarkdown(anomalies));
