#!/usr/bin/env bash
# Runs a command beside a Redis and an Elasticsearch of its own on free ports, and stops them afterwards:
#   with-servers.sh COMMAND…      sees TEST_REDIS_URL, TEST_ELASTICSEARCH_URL, TEST_SERVERS (their folder)
# Servers that are set already (the same names) are used as they are.
set -uo pipefail
cd "$(dirname "$0")/.."
[ -n "${TEST_REDIS_URL:-}" ] && [ -n "${TEST_ELASTICSEARCH_URL:-}" ] && exec "$@"
# Below the range that outgoing connections take theirs from: a server that is stopped for a while finds its port free when it comes back.
free_ports() {
  .node/bin/node -e '
    const { createServer } = require("net");
    const listen = (port) => new Promise((yes, no) => { const s = createServer().on("error", no).listen(port, "127.0.0.1", () => yes(s)); });
    (async () => {
      const found = [], held = [];
      while (found.length < 2) {
        const port = 10000 + 2 * Math.floor(Math.random() * 11000);
        // Elasticsearch takes the next one too.
        try { held.push(await listen(port), await listen(port + 1)); found.push(port); } catch {}
      }
      console.log(found.join(" "));
      held.forEach((s) => s.close());
    })();'
}
servers=$(mktemp -d "${TMPDIR:-/tmp}/threatflow-servers-XXXXXX"); export TEST_SERVERS=$servers
read -r redis_port es_port <<<"$(free_ports)"
cleanup() {
  kill "$(cat "$servers/redis.pid" 2>/dev/null)" 2>/dev/null
  bash scripts/servers/elasticsearch.sh stop "$servers/elasticsearch"
  rm -rf "$servers"
}
trap cleanup EXIT INT TERM
mkdir -p "$servers/redis" "$servers/elasticsearch"
redis-server --port "$redis_port" --bind 127.0.0.1 --appendonly yes --maxmemory-policy noeviction --dir "$servers/redis" --daemonize yes --pidfile "$servers/redis.pid" --logfile "$servers/redis.log" >/dev/null || { echo "with-servers: redis-server did not start" >&2; exit 1; }
bash scripts/servers/elasticsearch.sh start "$servers/elasticsearch" "$es_port" || exit 1
export TEST_REDIS_URL=redis://127.0.0.1:$redis_port TEST_ELASTICSEARCH_URL=http://127.0.0.1:$es_port
"$@"
