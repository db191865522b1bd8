#!/usr/bin/env bash
# A real single-node Elasticsearch for tests, without containers: assembled once from Maven Central.
#   elasticsearch.sh start DIR PORT      builds into .cache/elasticsearch, data and log in DIR, waits for an answer
#   elasticsearch.sh stop DIR
# It is no production layout: no security, no bootstrap checks, 127.0.0.1 only. ES_HEAP (512m), ES_JAVA_HOME.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd); root=$(cd "$here/../.." && pwd)
dir=$2
stop() { local p; p=$(cat "$dir/pid" 2>/dev/null) || return 0; kill "$p" 2>/dev/null || true; for _ in $(seq 100); do kill -0 "$p" 2>/dev/null || break; sleep 0.1; done; kill -9 "$p" 2>/dev/null || true; rm -f "$dir/pid"; }
[ "$1" = stop ] && { stop; exit 0; }
port=$3
jdk() { local d v; for d in "${ES_JAVA_HOME:-}" "${JAVA_HOME:-}" /usr/lib/jvm/* /opt/java/*; do
  [ -x "$d/bin/javac" ] && v=$("$d/bin/javac" -version 2>&1 | sed 's/javac \([0-9]*\).*/\1/') && [ "${v:-0}" -ge 21 ] && { echo "$d"; return; }; done; return 1; }
JAVA_HOME=$(jdk) || { echo "elasticsearch: no JDK 21 or newer: install one, set ES_JAVA_HOME, or set ELASTICSEARCH_URL to a server that may be written to" >&2; exit 1; }
export JAVA_HOME
version=$(sed -n 's:.*<es.version>\(.*\)</es.version>.*:\1:p' "$here/pom.xml")
cache=$root/.cache/elasticsearch; home=$cache/home-$version
if [ ! -e "$home/.built" ]; then
  case $(uname -m) in aarch64) platform=linux-aarch64 ;; *) platform=linux-x64 ;; esac
  rm -rf "$home" "$cache/jars"; mkdir -p "$home"/{lib/platform/$platform,config,plugins,modules/transport-netty4,modules/rest-root} "$cache/classes"
  mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies -DoutputDirectory="$cache/jars" >"$cache/maven.log" 2>&1 || { cat "$cache/maven.log" >&2; exit 1; }
  modules=$home/modules
  mv "$cache"/jars/{netty-*,transport-netty4-*,elasticsearch-ssl-config-*}.jar "$modules/transport-netty4/"; mv "$cache"/jars/*.jar "$home/lib/"; rmdir "$cache/jars"
  (cd "$modules/transport-netty4" && "$JAVA_HOME/bin/jar" xf transport-netty4-*.jar META-INF/es-plugins && mv META-INF/es-plugins/transport-netty4/* . && rm -r META-INF)
  "$JAVA_HOME/bin/javac" -nowarn -cp "$home/lib/*" -d "$cache/classes" "$here"/launcher/*.java
  "$JAVA_HOME/bin/javac" -nowarn -cp "$home/lib/*" -d "$cache/plugin" "$here"/esnode/*.java
  "$JAVA_HOME/bin/jar" cf "$modules/rest-root/rest-root.jar" -C "$cache/plugin" .
  printf 'description=GET / stand-in\nversion=%s\nname=rest-root\njava.version=21\nelasticsearch.version=%s\nclassname=esnode.RestRootPlugin\n' "$version" "$version" >"$modules/rest-root/plugin-descriptor.properties"
  # zstd (index.codec best_compression) comes from the system: Elastic ships it only in its own archive
  z=$(ls /usr/lib/*/libzstd.so.1 2>/dev/null | head -1 || true); [ -z "$z" ] || cp -L "$z" "$home/lib/platform/$platform/libzstd.so"
  printf '%s\n' 'status = error' 'appender.console.type = Console' 'appender.console.name = console' 'appender.console.layout.type = PatternLayout' \
    'appender.console.layout.pattern = [%d{ISO8601}][%-5p][%-25c{1.}] [%node_name]%marker %m%consoleException%n' 'rootLogger.level = info' \
    'rootLogger.appenderRef.console.ref = console' >"$home/config/log4j2.properties"
  touch "$home/.built"
fi
mkdir -p "$dir/config" "$dir/tmp"; cp "$home/config/log4j2.properties" "$dir/config/"
cat >"$dir/config/elasticsearch.yml" <<Y
cluster.name: threatflow-test
node.name: threatflow-test
discovery.type: single-node
network.host: 127.0.0.1
http.port: $port
transport.port: $((port + 1))
path.data: $dir/data
path.logs: $dir/logs
cluster.routing.allocation.disk.threshold_enabled: false
action.destructive_requires_name: false
Y
heap=${ES_HEAP:-512m}
setsid "$JAVA_HOME/bin/java" -Xms"$heap" -Xmx"$heap" -XX:+UseSerialGC -XX:TieredStopAtLevel="${ES_TIER:-4}" -Djava.io.tmpdir="$dir/tmp" \
  -Des.path.home="$home" -Des.path.conf="$dir/config" -Des.distribution.type=tar -Dorg.elasticsearch.nativeaccess.enableVectorLibrary=false \
  -Djava.awt.headless=true -Dfile.encoding=UTF-8 -Dlog4j.shutdownHookEnabled=false -Dlog4j2.disable.jmx=true \
  -Dio.netty.noUnsafe=true -Dio.netty.noKeySetOptimization=true -Dio.netty.recycler.maxCapacityPerThread=0 \
  --module-path "$home/lib" --add-modules=ALL-MODULE-PATH,jdk.net,jdk.management,jdk.incubator.vector \
  --enable-native-access=org.elasticsearch.nativeaccess,org.elasticsearch.foreign,org.apache.lucene.core \
  -cp "$cache/classes" launcher.NodeLauncher >"$dir/log" 2>&1 </dev/null &
pid=$!; echo $pid >"$dir/pid"
for _ in $(seq 900); do
  curl -sf -o /dev/null "http://127.0.0.1:$port/_cluster/health?wait_for_status=yellow&timeout=30s" && exit 0
  kill -0 $pid 2>/dev/null || { tail -30 "$dir/log" >&2; exit 1; }
  sleep 0.1
done
echo "elasticsearch: not up after 90 s, see $dir/log" >&2; stop; exit 1
