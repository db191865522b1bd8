#!/usr/bin/env bash
# The main job on a capture from real servers, in a throw-away data folder.
set -eu
cd "$(dirname "$0")/.."
data=$(mktemp -d); trap 'rm -rf "$data"' EXIT
capture=fixtures/pcaps/mixed/everything.pcap
echo "\$ threatflow analyze $capture"
bin/threatflow analyze "$capture" --data "$data"
echo; echo "\$ threatflow query --top network.protocol --dataset flow"
bin/threatflow query --top network.protocol --dataset flow --data "$data"
echo; echo "\$ threatflow query 'http.response.status_code >= 400' --dataset http"
bin/threatflow query 'http.response.status_code >= 400' --dataset http --data "$data" --fields source.ip,http.request.method,url.full,http.response.status_code
