/** Longer keys are not remembered: somebody may send what never repeats. */
const MAX_KEY = 4096;

/** What repeats from connection to connection is worked out once: results of a pure function, by what they are made of. Bounded. */
export class Memo<V> {
  private readonly known = new Map<string, V>();
  private readonly most: number;
  constructor(most: number) {
    this.most = most;
  }
  get(key: string, make: () => V): V {
    if (key.length > MAX_KEY) return make();
    let v = this.known.get(key);
    if (v === undefined) {
      v = make();
      if (this.known.size >= this.most) this.known.clear();
      this.known.set(key, v);
    }
    return v;
  }
}
