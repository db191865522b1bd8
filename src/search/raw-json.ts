/** Finds the text of values in JSON without parsing it: numbers beyond 2^53 and the order of keys stay as they were written. */

/** Where the value that begins at `at` ends. */
export function valueEnd(s: string, at: number): number {
  const c = s[at];
  if (c === '"') return stringEnd(s, at);
  if (c !== "{" && c !== "[") {
    while (at < s.length && !",]} \n".includes(s[at])) at++;
    return at;
  }
  for (let depth = 0; at < s.length; at++) {
    const x = s[at];
    if (x === '"') at = stringEnd(s, at) - 1;
    else if (x === "{" || x === "[") depth++;
    else if ((x === "}" || x === "]") && --depth === 0) return at + 1;
  }
  return at;
}
function stringEnd(s: string, at: number): number {
  for (let i = at + 1; ; ) {
    const quote = s.indexOf('"', i);
    if (quote < 0) return s.length;
    let back = quote - 1;
    while (s[back] === "\\") back--;
    if ((quote - back) % 2 === 1) return quote + 1;
    i = quote + 1;
  }
}
/** Members of the object that begins at `at`: name and text of each value. */
export function* members(s: string, at: number): Generator<[string, string, number]> {
  for (let i = at + 1; i < s.length; ) {
    while (s[i] === "," || s[i] === " " || s[i] === "\n") i++;
    if (s[i] !== '"') return;
    const nameEnd = stringEnd(s, i);
    const start = nameEnd + 1;
    const end = valueEnd(s, start);
    yield [s.slice(i + 1, nameEnd - 1), s.slice(start, end), start];
    i = end;
  }
}
/** Texts of the items of the array `s`. */
export function* items(s: string): Generator<string> {
  for (let i = 1; i < s.length; ) {
    while (s[i] === "," || s[i] === " " || s[i] === "\n") i++;
    if (i >= s.length || s[i] === "]") return;
    const end = valueEnd(s, i);
    yield s.slice(i, end);
    i = end;
  }
}
export const member = (s: string, name: string): string | undefined => {
  for (const [n, text] of members(s, 0)) if (n === name) return text;
  return undefined;
};
