/** The value of a dotted field in a record; of arrays of objects, those of each. */
export function fieldValue(r: unknown, name: string): unknown {
  let at: unknown = r;
  const parts = name.split(".");
  for (let i = 0; i < parts.length; i++) {
    if (Array.isArray(at)) return at.map((x) => fieldValue(x, parts.slice(i).join(".")));
    if (typeof at !== "object" || at === null) return undefined;
    const o = at as Record<string, unknown>;
    const rest = parts.slice(i).join(".");
    if (Object.hasOwn(o, rest)) return o[rest];
    at = o[parts[i]];
  }
  return at;
}
