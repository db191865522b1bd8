#!/usr/bin/env bash
# System packages that the build and the tests need: named always, installed where this may be done (apt, root or sudo).
#   setup-system.sh build|test|coverage
set -euo pipefail
missing=()
want() { command -v "$1" >/dev/null 2>&1 || missing+=("$2"); }
case ${1:-build} in
  build) want g++ g++; want cmake cmake; want make make; [ -e /usr/include/pcap/pcap.h ] || missing+=(libpcap-dev) ;;
  test) want tshark tshark; want tcpdump tcpdump; want clang clang; want clang-format clang-format
        want redis-server redis-server; want chromium chromium; want tcpreplay tcpreplay; want ip iproute2; want ping iputils-ping; want curl curl; want mvn maven
        newest_jdk() { for d in "${ES_JAVA_HOME:-}" "${JAVA_HOME:-}" /usr/lib/jvm/* /opt/java/*; do [ -x "$d/bin/javac" ] && "$d/bin/javac" -version 2>&1 | grep -qE ' (2[1-9]|[3-9][0-9])' && return; done; return 1; }
        newest_jdk || missing+=(JDK)
        ls /usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-*.a >/dev/null 2>&1 || missing+=("libclang-rt-14-dev") ;;
  coverage) want gcovr gcovr ;;
esac
# An S3-compatible server for the tests of the capture store in a bucket, where Go is there; without it they are skipped
s3_server() {
  [ "${1:-}" = test ] && command -v go >/dev/null && [ ! -x .cache/bin/versitygw ] || return 0
  mkdir -p .cache/bin
  GOBIN=$PWD/.cache/bin timeout 300 go install github.com/versity/versitygw/cmd/versitygw@v1.8.0 >/dev/null 2>&1 || echo "setup: versitygw could not be built: the S3 tests are skipped"
}
s3_server "${1:-build}"
[ ${#missing[@]} -eq 0 ] && exit 0
sudo=; [ "$(id -u)" = 0 ] || sudo=sudo
if command -v apt-get >/dev/null && { [ -z "$sudo" ] || command -v sudo >/dev/null; }; then
  echo "setup: installing ${missing[*]}"
  $sudo apt-get update -qq
  # The newest JDK that is packaged here: Elasticsearch needs 21
  for i in "${!missing[@]}"; do
    [ "${missing[$i]}" = JDK ] || continue
    jdk=$(apt-cache search --names-only '^openjdk-[0-9]+-jdk-headless$' | sed 's/ .*//' | sort -V | tail -1)
    case ${jdk#openjdk-} in 2[1-9]*|[3-9]*) missing[$i]=$jdk ;; *) echo "setup: no JDK 21 or newer is packaged here: install one (Temurin), set ES_JAVA_HOME, or TEST_ELASTICSEARCH_URL and TEST_REDIS_URL" >&2; exit 1 ;; esac
  done
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
else
  echo "setup: these packages are needed and could not be installed here: ${missing[*]}" >&2
  exit 1
fi
