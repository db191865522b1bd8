#!/usr/bin/env bash
# Runs a command beside a Redis and an Elasticsearch of its own on free ports, and stops them afterwards:
#   with-servers.sh COMMAND…      sees TEST_REDIS_URL, TEST_ELASTICSEARCH_URL, TEST_SERVERS (their folder)
# Servers that are set already (the same names) are used as they are.
set -uo pipefail
cd "$(dirname "$0")/.."
[ -n "${TEST_REDIS_URL:-}" ] && [ -n "${TEST_ELASTICSEARCH_URL:-}" ] && exec "$@"
free_ports() { .node/bin/node -e 'const n=require("net");const open=()=>new Promise(r=>{const s=n.createServer().listen(0,"127.0.0.1",()=>r(s))});Promise.all([open(),open(),open()]).then(l=>{console.log(l.map(s=>s.address().port).join(" "));l.forEach(s=>s.close())})'; }
servers=$(mktemp -d "${TMPDIR:-/tmp}/threatflow-servers-XXXXXX"); export TEST_SERVERS=$servers
read -r redis_port es_port _ <<<"$(free_ports)"
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
