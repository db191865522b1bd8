/** Parts of the files of the embedded store, as the ends of the files describe them: which times lie where is known without reading records. */

/** Its file, its rows, and the times of its first and last record, ns. */
export interface RowGroup {
  file: string;
  rows: number;
  first: bigint;
  last: bigint;
}

/** The time, ns, up to which (`descending`: from the last one down to which) there are so many rows at least; undefined: that takes all of them. */
export function reach(groups: readonly RowGroup[], rows: number, descending: boolean): bigint | undefined {
  const ordered = groups.toSorted((a, b) => Number(descending ? b.first - a.first : a.last - b.last));
  let found = 0;
  for (const [n, g] of ordered.entries()) {
    found += g.rows;
    if (found >= rows) return n === ordered.length - 1 ? undefined : descending ? g.first : g.last;
  }
  return undefined;
}

/** Files with records between two times, ns, the second left out. */
export const filesBetween = (groups: readonly RowGroup[], since: bigint | undefined, until: bigint | undefined): Set<string> =>
  new Set(groups.filter((g) => (since === undefined || g.last >= since) && (until === undefined || g.first < until)).map((g) => g.file));

/** From the first time to the last, ms. */
export function span(groups: readonly RowGroup[]): number {
  const times = groups.flatMap((g) => [Number(g.first / 1000000n), Number(g.last / 1000000n)]).sort((a, b) => a - b);
  return times.length ? (times.at(-1) as number) - times[0] : 0;
}
