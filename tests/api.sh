#!/usr/bin/env bash
# Tries the API against its description: openapi.json is an OpenAPI document, and what schemathesis makes up from it, valid
# and not, is answered by `punchcard serve --demo` as it says. The same requests every time; with --thorough many more,
# others every time.
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/tools.sh
source tests/deployed.sh
trap stop EXIT
# The generated requests depend on Hypothesis' version too.
tool schemathesis schemathesis==4.32.5 hypothesis==6.170.15 openapi-spec-validator==0.9.0

case "${1:-}" in
  "") amount=(--generation-deterministic --max-examples 25) ;;
  --thorough) amount=(--seed "$RANDOM" --max-examples 1000) ;;
  *) echo "usage: tests/api.sh [--thorough]" >&2 && exit 2 ;;
esac

openapi-spec-validator openapi.json

serve_demo --memory

# In a folder of its own, where it leaves what it leaves.
tests="$PWD/tests"
(cd "$work" && SCHEMATHESIS_HOOKS="$tests/api.py" schemathesis --config-file "$tests/api.toml" \
  run "$url/openapi.json" --url "$url" "${amount[@]}")
kill -0 "$server"
echo "openapi.json: 2 passed, 0 failed"
