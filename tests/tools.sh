# To be sourced. Puts the tools of requirements.txt on the path, installed into target/tools the first time, and gives
# `tool NAME PACKAGE==VERSION…`, which does the same for one that wants an environment of its own.
tests="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
tools="$tests/../target/tools"

# install FOLDER WANTED PIP-ARGUMENTS…
install() {
  local folder="$1" wanted="$2"
  shift 2
  [ "$(cat "$folder/installed.txt" 2>/dev/null)" = "$wanted" ] && return
  echo "Installing $(basename "$folder") into target/tools …" >&2
  rm -rf "$folder"
  if ! python3 -m venv "$folder" 2>/dev/null; then
    rm -rf "$folder"
    if [ "${CI:-}" ]; then
      apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null
      python3 -m venv "$folder"
    else
      echo "python3 can't make a virtual environment; on Debian: apt-get install python3-venv" >&2
      return 1
    fi
  fi
  "$folder/bin/pip" install --quiet --disable-pip-version-check "$@"
  printf '%s' "$wanted" >"$folder/installed.txt"
}

tool() {
  local name="$1"
  shift
  install "$tools/$name" "$*" "$@"
  export PATH="$PATH:$tools/$name/bin"
}

install "$tools/sam" "$(cat "$tests/requirements.txt")" -r "$tests/requirements.txt"
export PATH="$tools/sam/bin:$PATH" SAM_CLI_TELEMETRY=0
