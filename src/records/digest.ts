/** What a summary for people needs of the flows, counted while they close: bounded, mergeable, and no part of any record. */
export interface Digest {
  /** [address, IP bytes] of the busiest. */
  talkers: [string, number][];
  hosts: number;
  protocols: Record<string, number>;
  anomalies: Record<string, number>;
}
/** Addresses counted apart; beyond, hosts are "at least". */
const MAX_HOSTS = 50000;
const TOP = 50;

export class DigestBuilder {
  private readonly bytes = new Map<string, number>();
  readonly protocols: Record<string, number> = {};
  readonly anomalies: Record<string, number> = {};
  flow(source: string, sourceBytes: number, destination: string, destinationBytes: number, protocol: string): void {
    this.host(source, sourceBytes + destinationBytes);
    this.host(destination, sourceBytes + destinationBytes);
    this.protocols[protocol] = (this.protocols[protocol] ?? 0) + 1;
  }
  anomaly(name: string, count: number): void {
    this.anomalies[name] = (this.anomalies[name] ?? 0) + count;
  }
  private host(address: string, n: number): void {
    const known = this.bytes.get(address);
    if (known !== undefined) this.bytes.set(address, known + n);
    else if (this.bytes.size < MAX_HOSTS) this.bytes.set(address, n);
  }
  merge(d: Digest): void {
    for (const [a, n] of d.talkers) this.host(a, n);
    for (const [p, n] of Object.entries(d.protocols)) this.protocols[p] = (this.protocols[p] ?? 0) + n;
    for (const [p, n] of Object.entries(d.anomalies)) this.anomaly(p, n);
  }
  /** `top` addresses only, for people; all of them to merge. */
  result(top = Infinity): Digest {
    const talkers = [...this.bytes].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, Math.max(TOP, top));
    return { talkers, hosts: this.bytes.size, protocols: this.protocols, anomalies: this.anomalies };
  }
}
