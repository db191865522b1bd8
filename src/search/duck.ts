/** An in-memory DuckDB that reads Parquet files: no lock between processes, no extension loaded from outside. */
import type { DuckDBConnection } from "@duckdb/node-api";

const MEMORY = "256MB";

export async function openDuck(spill: string): Promise<{ connection: DuckDBConnection; close(): void }> {
  const { DuckDBInstance } = await import("@duckdb/node-api"); // not before it is needed: it takes a while to load
  const instance = await DuckDBInstance.create(":memory:", {
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
    memory_limit: MEMORY,
    threads: "2",
    preserve_insertion_order: "false",
    temp_directory: spill,
  });
  const connection = await instance.connect();
  await connection.run("SET parquet_metadata_cache = true"); // DuckDB looks whether the file is still the same
  return {
    connection,
    close() {
      connection.closeSync();
      instance.closeSync();
    },
  };
}

/** For writing beside a recording: one thread, rows stay in order. */
export async function openOrderedDuck(spill: string): ReturnType<typeof openDuck> {
  const duck = await openDuck(spill);
  await duck.connection.run("SET threads=1"); // the packets need the others
  await duck.connection.run("SET preserve_insertion_order=true");
  return duck;
}
