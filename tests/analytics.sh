#!/usr/bin/env bash
# Checks docs/analytics.md: sends requests to `punchcard serve --demo`, exports what it recorded, and answers five
# questions in DuckDB, with DuckDB's queries and Athena's, translated, on the export and on an archive like S3's.
# The document has DuckDB's queries and the answers; --write writes them there.
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/tools.sh
source tests/deployed.sh
trap stop EXIT
# sqlglot translates the queries for Athena, which runs nowhere but on AWS.
tool duckdb duckdb==2.0.1 sqlglot==30.30.0

case "${1:-}" in
  "") mode=check ;;
  --write) mode=write ;;
  *) echo "usage: tests/analytics.sh [--write]" >&2 && exit 2 ;;
esac
analytics() { timeout 60 "$tools/duckdb/bin/python" tests/analytics.py "$@"; }

serve_demo --data "$work/data"
analytics send "$url"
kill "$server"
wait "$server"

target/debug/punchcard export --data "$work/data" --demo --to "$work/export"
analytics "$mode" "$work/export"
