#!/usr/bin/env bash
# For pre-commit (.pre-commit-hooks.yaml): builds once, then replays the folder that is named.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
[ -e "$root/dist/.built" ] || make --no-print-directory -C "$root" build >&2
exec "$root/bin/threatflow" replay --quiet "${@:-.}"
