#!/usr/bin/env bash
# Opens the console of `punchcard serve --demo` in Chromium: every page in light and dark, on a desk and on a phone, by the
# rules of axe; by keyboard alone; an adjustment, a void, a faulty catalog, sample requests, hostile ids, and figures that
# move. `--screenshots FOLDER` keeps pictures of the pages. `--pictures` takes those of the README instead, in four minutes,
# and writes them to docs/images. Needs cargo, python3, npm, and Debian's chromium and
# chromium-driver. With --if-possible, a missing browser is no failure.
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/tools.sh
source tests/deployed.sh
source tests/engine.sh
trap stop EXIT

pictures=
case "${1:-}" in
  --pictures) pictures=docs/images ;;
  "") screenshots="$work/screenshots" ;;
  --screenshots) screenshots="${2:?"--screenshots needs a folder"}" ;;
  *) echo "usage: tests/console.sh [--if-possible] [--screenshots FOLDER | --pictures]" >&2 && exit 2 ;;
esac

name="the console in Chromium"
browser_is_there() { have chromium && have chromedriver && have npm; }
browser_is_there || in_ci chromium chromium-driver npm
browser_is_there || without "$name" "there is no chromium, chromedriver or npm; on Debian: apt-get install chromium chromium-driver npm"

tool selenium selenium==4.51.0
if [ "$pictures" ]; then
  serve_demo --memory
  timeout 600 "$tools/selenium/bin/python" tests/console.py --pictures "$url" "$pictures"
  ls -l "$pictures"
  exit
fi
axe="$tools/axe-core-4.14.1.js"
if [ ! -f "$axe" ]; then
  tarball="$work/$(cd "$work" && timeout 120 npm pack --loglevel error axe-core@4.14.1)"
  sha256sum --check --quiet <<<"e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745  $tarball"
  tar -xzf "$tarball" -C "$work" package/axe.min.js
  mv "$work/package/axe.min.js" "$axe"
fi

serve_demo --data "$work/data"
background store.log target/debug/punchcard store --memory --demo --addr 127.0.0.1:0 --access-key "$AWS_ACCESS_KEY_ID"
eventually grep -q '^tables' "$work/store.log"
store="$(grep -oE -m 1 'http://[0-9.:]+' "$work/store.log")"
timeout 600 "$tools/selenium/bin/python" tests/console.py "$url" "$store" "$axe" "$screenshots"
