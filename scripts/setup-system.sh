#!/usr/bin/env bash
# System packages that the build and the tests need: named always, installed where this may be done (apt, root or sudo).
#   setup-system.sh build|test
set -euo pipefail
missing=()
want() { command -v "$1" >/dev/null 2>&1 || missing+=("$2"); }
case ${1:-build} in
  build) want g++ g++; want cmake cmake; want make make; [ -e /usr/include/pcap/pcap.h ] || missing+=(libpcap-dev) ;;
  test) want tshark tshark; want tcpdump tcpdump; want clang clang; want clang-format clang-format
        ls /usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-*.a >/dev/null 2>&1 || missing+=("libclang-rt-14-dev") ;;
esac
[ ${#missing[@]} -eq 0 ] && exit 0
sudo=; [ "$(id -u)" = 0 ] || sudo=sudo
if command -v apt-get >/dev/null && { [ -z "$sudo" ] || command -v sudo >/dev/null; }; then
  echo "setup: installing ${missing[*]}"
  $sudo apt-get update -qq
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
else
  echo "setup: these packages are needed and could not be installed here: ${missing[*]}" >&2
  exit 1
fi
