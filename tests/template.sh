#!/usr/bin/env bash
# Checks template.yaml: SAM's own validation and cfn-lint. Needs no region, credentials or network.
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/tools.sh
sam validate --lint --template template.yaml
cfn-lint template.yaml
echo "template.yaml: 2 passed, 0 failed"
