/** Questions asked of records, whatever answers them. The order is always (@timestamp, threatflow.packet, event.id) unless sorted otherwise. */
export interface Question {
  /** KQL. */
  query: string;
  datasets: readonly string[];
  /** Captures to look into; undefined: all. */
  captures: readonly string[] | undefined;
  sort?: { field: string; descending: boolean };
  limit: number;
  from?: number;
}
export interface TopValue {
  value: string;
  count: number;
}
export interface Search {
  count(q: Question): Promise<number>;
  /** Records as the JSON lines they were written as. */
  records(q: Question): AsyncIterable<string>;
  top(q: Question, field: string): Promise<TopValue[]>;
  close(): void;
}
