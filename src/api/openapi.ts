/** OpenAPI 3.1 of the routes that are there. */
import { VERSION } from "../records/tables.js";

export interface Route {
  method: string;
  url: string;
  summary: string;
  query: unknown;
}
export function openApi(routes: readonly Route[]): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const r of routes) {
    const path = r.url.replace(/:([A-Za-z]+)/g, "{$1}").replace("*", "{name}");
    const parameters: object[] = [...path.matchAll(/\{([A-Za-z]+)\}/g)].map((m) => ({
      name: m[1],
      in: "path",
      required: true,
      schema: { type: "string" },
    }));
    const query = (r.query as { properties?: Record<string, object> } | undefined)?.properties ?? {};
    for (const [name, schema] of Object.entries(query)) parameters.push({ name, in: "query", schema });
    paths[path] ??= {};
    for (const method of r.method.split(","))
      paths[path][method.toLowerCase()] = {
        summary: r.summary,
        parameters,
        responses: { default: { description: "JSON; errors are {error: {code, message, remedy}}" } },
      };
  }
  return { openapi: "3.1.0", info: { title: "Threat Flow Analyzer", version: VERSION, license: { name: "Apache-2.0" } }, paths };
}
/** A route's words. */
export const says = (summary: string): { config: never } => ({ config: { summary } as never });
