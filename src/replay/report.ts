/** Outcomes → text for people, JUnit XML, GitHub annotations. */
import type { Difference } from "./compare.js";
import type { Outcome } from "./replay.js";

/** Differences shown of one capture, and fields of one difference. */
const MAX_SHOWN = 20;

function oneDifference(d: Difference): string[] {
  const head =
    d.kind === "missing"
      ? `missing: ${d.where}`
      : d.kind === "unexpected"
        ? `not expected: ${d.where}`
        : d.kind === "failed"
          ? `failed: ${d.message}`
          : d.where;
  const shown = d.fields.slice(0, MAX_SHOWN).flatMap((f) => [`  ${f.name}`, `    - ${f.expected}`, `    + ${f.got}`]);
  return [head, ...shown, ...(d.fields.length > MAX_SHOWN ? [`  … and ${d.fields.length - MAX_SHOWN} more fields`] : [])];
}
/** `-` is expected, `+` is what was got. */
export function describeDifferences(all: readonly Difference[]): string {
  const lines = all.slice(0, MAX_SHOWN).flatMap(oneDifference);
  if (all.length > MAX_SHOWN) lines.push(`… and ${all.length - MAX_SHOWN} more differences`);
  return lines.join("\n");
}

const xml = (s: string): string =>
  s
    .toWellFormed()
    .replace(/[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g, "�")
    .replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c] as string);

export function junit(outcomes: readonly Outcome[]): string {
  const failed = outcomes.filter((o) => o.status === "different").length;
  const skipped = outcomes.filter((o) => o.status === "no-expectation").length;
  const seconds = outcomes.reduce((a, o) => a + o.seconds, 0);
  const cases = outcomes.map((o) => {
    const head = `    <testcase classname="threatflow.replay" name="${xml(o.name)}" time="${o.seconds.toFixed(3)}"`;
    if (o.status === "no-expectation") return `${head}><skipped message="nothing is expected of it"/></testcase>`;
    if (o.status !== "different") return `${head}/>`;
    const text = xml(describeDifferences(o.differences));
    return `${head}>\n      <failure message="${o.differences.length} differences">${text}</failure>\n    </testcase>`;
  });
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    "<testsuites>",
    `  <testsuite name="threatflow replay" tests="${outcomes.length}" failures="${failed}" skipped="${skipped}" time="${seconds.toFixed(3)}">`,
    ...cases,
    "  </testsuite>",
    "</testsuites>",
    "",
  ].join("\n");
}

/** Workflow commands: an error at each capture's expectation. */
export function githubAnnotations(outcomes: readonly Outcome[]): string {
  const data = (s: string): string => s.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
  const property = (s: string): string => data(s).replaceAll(":", "%3A").replaceAll(",", "%2C");
  return outcomes
    .filter((o) => o.status === "different")
    .map((o) => {
      const file = o.case.records ?? o.case.conditions ?? o.case.path;
      return `::error file=${property(file)},title=${property(`${o.name}: ${o.differences.length} differences`)}::${data(describeDifferences(o.differences))}\n`;
    })
    .join("");
}
