/** An in-memory DuckDB that reads Parquet files: no lock between processes, no extension loaded from outside. */
import type { DuckDBConnection } from "@duckdb/node-api";

const MEMORY = "256MB";
/** DuckDB's allocator (jemalloc, which reads this when it is loaded) gives freed memory back after half a second instead of ten. */
const ALLOCATOR = "dirty_decay_ms:500,muzzy_decay_ms:0";

export async function openDuck(spill: string): Promise<{ connection: DuckDBConnection; close(): void }> {
  process.env.DUCKDB_JE_MALLOC_CONF ??= ALLOCATOR;
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
