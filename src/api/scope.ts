/**
 * What one person sees: the captures of his cases and their records, nothing else. Every route works on a View, so the cases are enforced here
 * and nowhere else: whatever is asked by an id, a prefix, a search, a flow or an event passes through.
 */
import { ALL_CASES, checkCases, type Principal } from "../access/access.js";
import {
  type CaptureEntry,
  DEFAULT_CASE,
  isIdPrefix,
  type Membership,
  membershipsOf,
  mustNotBeHeld,
  mustNotBeRecording,
  theOnly,
  withCase,
} from "../catalog/catalog.js";
import { ThreatflowError } from "../errors.js";
import type { Progress } from "../jobs/summary.js";
import type { Question, Search } from "../search/search.js";
import type { Added, Backend } from "./backend.js";

export interface View {
  readonly search: Omit<Search, "close">;
  readonly workDir: string;
  find(id: string): Promise<CaptureEntry | undefined>;
  /** By id or a unique prefix. Throws NO_SUCH_CAPTURE. */
  resolve(id: string): Promise<CaptureEntry>;
  list(): Promise<CaptureEntry[]>;
  add(name: string, input: AsyncIterable<Buffer>, key: string, force: boolean): Promise<Added>;
  evidence(entry: CaptureEntry): Promise<string>;
  /** Takes it out of the cases that are seen; what no other case has is deleted. Throws HELD. */
  remove(id: string): Promise<void>;
  /** Throws NOT_PERMITTED where a case has it that is not seen. */
  again(entry: CaptureEntry, key: string): Promise<CaptureEntry>;
  /** Throws NO_SUCH_JOB, and NOT_PERMITTED where a case has it that is not seen. */
  cancel(entry: CaptureEntry): Promise<CaptureEntry>;
  /** Changes what the cases that are seen say of it. */
  describe(id: string, change: (m: Membership) => Membership): Promise<CaptureEntry>;
  progress(entry: CaptureEntry): Promise<Progress | undefined>;
  watch(changed: (id: string, entry: CaptureEntry | undefined) => void): () => void;
}

/** `only`: one of the principal's cases; undefined: all of them. Throws NOT_PERMITTED. */
export function scoped(b: Backend, p: Principal, only: string | undefined): View {
  const everything = p.cases.includes(ALL_CASES);
  if (only !== undefined) {
    checkCases([only]);
    if (!everything && !p.cases.includes(only)) throw new ThreatflowError("NOT_PERMITTED", `${p.name} has no case ${only}`);
  }
  const inScope = (name: string): boolean => (only === undefined ? everything || p.cases.includes(name) : name === only);
  const all = everything && only === undefined;
  const outside = (e: CaptureEntry): boolean => Object.keys(membershipsOf(e)).some((c) => !inScope(c));
  /** The entry with what these cases say of it; undefined where none of them has it. */
  const seen = (e: CaptureEntry | undefined): CaptureEntry | undefined => {
    if (!e) return undefined;
    const mine = Object.entries(membershipsOf(e)).filter(([c]) => inScope(c));
    if (mine.length === 0) return undefined;
    const { name, added } = mine[0][1];
    const summary = e.summary && { ...e.summary, capture: { ...e.summary.capture, name } };
    return { ...e, name, added, summary, cases: Object.fromEntries(mine) };
  };
  const list = async (): Promise<CaptureEntry[]> => (await b.catalog.list()).flatMap((e) => seen(e) ?? []);
  const resolve = async (id: string): Promise<CaptureEntry> => {
    if (all) return seen(await b.catalog.resolve(id)) as CaptureEntry;
    const whole = id.length === 64 ? seen(await b.catalog.find(id)) : undefined;
    if (whole) return whole;
    return theOnly(id, isIdPrefix(id) ? (await list()).filter((e) => e.id.startsWith(id)) : []);
  };
  const question = async (q: Question): Promise<Question> => {
    if (all) return q;
    const mine = (await list()).map((e) => e.id);
    return { ...q, captures: q.captures ? mine.filter((id) => q.captures?.includes(id)) : mine };
  };
  /** The whole entry, of a capture that nobody else has. */
  const alone = async (entry: CaptureEntry): Promise<CaptureEntry> => {
    const whole = (await b.catalog.find(entry.id)) ?? entry;
    if (outside(whole)) throw new ThreatflowError("NOT_PERMITTED", "another case has this capture too", "ask an admin of all cases");
    return whole;
  };
  /** The case that an upload goes to. */
  const home = (): string => {
    if (only !== undefined) return only;
    if (everything || p.cases.includes(DEFAULT_CASE)) return DEFAULT_CASE;
    if (p.cases.length === 1) return p.cases[0];
    throw new ThreatflowError("USAGE", `which case does it belong to? You have ${p.cases.join(", ")}`, "add ?case=NAME");
  };
  return {
    workDir: b.workDir,
    search: {
      count: async (q) => b.search.count(await question(q)),
      async *records(q) {
        yield* b.search.records(await question(q));
      },
      top: async (q, field) => b.search.top(await question(q), field),
      histogram: async (q, most) => b.search.histogram(await question(q), most),
      links: async (q, ends) => b.search.links(await question(q), ends),
    },
    find: async (id) => seen(await b.catalog.find(id)),
    resolve,
    list,
    async add(name, input, key, force) {
      const into = home();
      const member: Membership = { name, added: new Date().toISOString(), by: p.name };
      // Bytes that another case has too answer exactly as new ones; nobody's records are replaced by somebody who does not see them.
      const added = await b.add(name, input, key, force && all, { [into]: member });
      let fresh = !added.known;
      const entry = await b.catalog.update(added.entry.id, (e) => {
        const next = withCase(e, into, member);
        fresh ||= next !== e;
        return next === e ? undefined : next;
      });
      return { entry: seen(entry ?? added.entry) as CaptureEntry, known: !fresh };
    },
    evidence: (entry) => b.evidence(entry),
    async remove(id) {
      const entry = await resolve(id);
      mustNotBeHeld(entry);
      let last = false;
      await b.catalog.update(entry.id, (e) => {
        const left = Object.entries(membershipsOf(e)).filter(([c]) => !inScope(c));
        last = left.length === 0;
        return last ? undefined : { ...e, name: left[0][1].name, cases: Object.fromEntries(left) };
      });
      if (last) await b.remove(entry.id);
    },
    async again(entry, key) {
      const whole = await alone(entry);
      mustNotBeRecording(entry);
      return seen(await b.again(whole, key)) ?? entry;
    },
    async cancel(entry) {
      return seen(await b.cancel(await alone(entry))) ?? entry;
    },
    async describe(id, change) {
      const { id: whole } = await resolve(id);
      const next = await b.catalog.update(whole, (e) => ({
        ...e,
        cases: Object.fromEntries(Object.entries(membershipsOf(e)).map(([c, m]) => [c, inScope(c) ? change(m) : m])),
      }));
      return seen(next) ?? resolve(id);
    },
    progress: (entry) => b.progress(entry),
    watch(changed) {
      const known = new Set<string>();
      void list()
        .then((there) => {
          for (const e of there) known.add(e.id);
        })
        .catch(() => undefined);
      const tell = async (id: string): Promise<void> => {
        const e = seen(await b.catalog.find(id));
        if (e) known.add(id);
        else if (!known.delete(id)) return;
        changed(id, e);
      };
      return b.watch((id) => void tell(id).catch(() => undefined));
    },
  };
}
