/** What the native side reads of the packet that an ICMP error quotes, handed to the ICMP decoder beside its bytes. */
export interface Quoted {
  source: string;
  destination: string;
  sport: number;
  dport: number;
  protocol: number;
  hasPorts: boolean;
  communityId: string;
}
let current = "";
export function setQuoted(text: string): void {
  current = text;
}
export function takeQuoted(): Quoted | undefined {
  if (!current) return undefined;
  const [source, destination, sport, dport, protocol, hasPorts, communityId] = current.split("\t");
  return {
    source,
    destination,
    sport: Number(sport),
    dport: Number(dport),
    protocol: Number(protocol),
    hasPorts: hasPorts === "1",
    communityId,
  };
}
