# Puts the tools of requirements.txt on the path, in target/tools, installing them the first time. To be sourced.
tools="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/target/tools"
wanted="$(dirname "${BASH_SOURCE[0]}")/requirements.txt"
if ! cmp -s "$wanted" "$tools/installed.txt"; then
  echo "Installing the tools of tests/requirements.txt into target/tools …" >&2
  rm -rf "$tools"
  python3 -m venv "$tools" 2>/dev/null || {
    echo "python3 can't make a virtual environment; on Debian: apt-get install python3-venv" >&2
    [ "${CI:-}" ] && apt-get update -qq && apt-get install -y -qq python3-venv >&2 && python3 -m venv "$tools"
  }
  "$tools/bin/pip" install --quiet --disable-pip-version-check -r "$wanted"
  cp "$wanted" "$tools/installed.txt"
fi
export PATH="$tools/bin:$PATH" SAM_CLI_TELEMETRY=0
