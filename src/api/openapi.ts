/** OpenAPI 3.1 of the routes that are there. */
import { COOKIE, type Role } from "../access/access.js";
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
  return {
    openapi: "3.1.0",
    info: { title: "Threat Flow Analyzer", version: VERSION, license: { name: "Apache-2.0" } },
    components: {
      securitySchemes: {
        token: { type: "http", scheme: "bearer", description: "`threatflow tokens add`" },
        session: {
          type: "apiKey",
          in: "cookie",
          name: COOKIE,
          description: "POST /api/login; what changes something sends x-csrf-token too",
        },
      },
    },
    security: [{ token: [] }, { session: [] }, {}],
    paths,
  };
}
export interface Words {
  summary: string;
  /** Who may; without it: viewers where it only reads, analysts where it changes something. */
  role?: Role | "anybody";
  /** What is asked again and again while a page is open stands in no audit log. */
  quiet?: boolean;
}
/** A route's words. */
export const says = (summary: string, more: Omit<Words, "summary"> = {}): { config: never } => ({ config: { summary, ...more } as never });
