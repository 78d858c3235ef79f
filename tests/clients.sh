#!/usr/bin/env bash
# Runs the clients that are published for the vendor's player events (for Python and React Native, and Segment's
# connector) against `punchcard serve --demo`. Only their base URL is changed, so that they prove which requests are
# sent and which answers are understood. Needs cargo, python3, curl and npm with Node.js 18 or later. With
# --if-possible, a missing npm is no failure.
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/tools.sh
source tests/deployed.sh
source tests/engine.sh
trap stop EXIT

name="published clients"
node_is_there() { have npm && have node && [ "$(node -p 'parseInt(process.versions.node)')" -ge 18 ]; }
node_is_there || in_ci nodejs npm
node_is_there || without "$name" "there is no npm with Node.js 18 or later; on Debian: apt-get install nodejs npm"

tool gb-alpha gb-alpha==3.0.0 requests==2.34.2
clients=tests/published-clients
installed="$tools/published-clients"

# unpack PACKAGE VERSION SHA256 [FOLDER]: adds one of the clients, or a folder of it, without its dependencies: hundreds
# of packages, for the screens of an app and for the connectors of other vendors.
unpack() {
  local target="$installed/node_modules/$1" tarball
  tarball="$work/$(cd "$work" && timeout 120 npm pack --loglevel error "$1@$2")"
  sha256sum --check --quiet <<<"$3  $tarball"
  mkdir -p "$target"
  tar -xzf "$tarball" -C "$target" --strip-components=1 "package${4:+/$4}"
}

node_clients() {
  unpack @segment/action-destinations 3.497.0 cb06220f44229808ccd74e486373fdc16d889ef8aafbf94c20a3fd49bfd48e67 \
    dist/destinations/gameball
  unpack react-native-gameball 1.1.12 9bf348ac1b1717d994b68d52082eedf122a9dc401f97c2e20a47e4e76075af3d
}

wanted="$(cat "$clients/package-lock.json"; declare -f unpack node_clients)"
if [ "$(cat "$installed/installed.txt" 2>/dev/null)" != "$wanted" ]; then
  echo "Installing published-clients into target/tools …" >&2
  rm -rf "$installed"
  mkdir -p "$installed"
  cp "$clients"/package*.json "$installed"
  (cd "$installed" && quietly npm.log timeout 300 npm ci --ignore-scripts --no-audit --no-fund)
  node_clients
  printf '%s' "$wanted" >"$installed/installed.txt"
fi

serve_demo --data "$work/data"

# The example in the README of gb-alpha. Each client sends it twice; of the demo's campaigns it meets three.
sent='{"place_order":{"total_amount":100,"category":["electronics","cosmetics"]},"review":{}}'
points=150

# client PROGRAM EVENTS COMMAND…: checks the lines `WHAT<tab>WANTED<tab>GOT` of a program, and what it came to.
client() {
  local program="$1" events="$2" player="${1%.*}-1" what wanted got status=0 recorded
  shift 2
  timeout 60 "$@" "$clients/$program" "$url" "$player" "$sent" "$points" >"$work/results" 2>"$work/errors" || status=$?
  while IFS=$'\t' read -r what wanted got; do
    check "$program: $what" "$wanted" "$got"
  done <"$work/results"
  check "$program: exit status" 0 "$status" "" "$(cat "$work/errors")"
  recorded="$(target/debug/punchcard history --player "$player" --data "$work/data" --demo --json | python3 -c \
    'import json, sys; print(sum(len(record["events"]) for record in json.load(sys.stdin)["records"]))')"
  check "$program: recorded events" "$events" "$recorded"
  call "$program: GET player" 200 "\"playerUniqueId\":\"$player\",\"points\":$points" \
    "$url/integrations/player/$player" "${key[@]}"
  call "$program: GET balance" 200 "\"pointsBalance\":$points," "$url/integrations/player/$player/balance" "${key[@]}"
}

key=(-H 'APIKey: demo-api-key')
client python.py 5 "$tools/gb-alpha/bin/python"
client segment.mjs 5 node
client react-native.mjs 4 node
result "$name"
