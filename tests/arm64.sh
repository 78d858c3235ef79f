#!/usr/bin/env bash
# Builds the function `send-activity` as it ships, and the command line unoptimised, for arm64, and runs them with qemu:
# the function behind a Lambda Runtime API and on a store of this machine's own architecture, which it reaches over TLS
# as it reaches DynamoDB; the command line as a server. qemu imitates the processor that Lambda has; the kernel, the C
# library and the services are not those of Lambda. Needs Linux, cargo, python3, curl, openssl, readelf and, on x86_64,
# apt-get and dpkg-deb with Debian's keys, for tools from Debian 13. The Rust toolchain is the installed one if it has
# the target (`rustup target add aarch64-unknown-linux-gnu`), or else Debian's.
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/tools.sh
source tests/deployed.sh
trap stop EXIT

target=aarch64-unknown-linux-gnu

# debian NAME PACKAGE…: unpacks packages of Debian 13 into the folder NAME of target/tools, without installing them. A
# package after `--closure` comes with all that it depends on.
debian() {
  local folder="$tools/$1" wanted="$*" package
  shift
  [ "$(cat "$folder/installed.txt" 2>/dev/null)" = "$wanted" ] && return
  echo "Unpacking $(basename "$folder") into target/tools …" >&2
  rm -rf "$folder"
  apt_of_debian
  (
    cd "$apt/cache/archives"
    rm -f ./*.deb
    if [ "$1" = --closure ]; then
      quietly apt.log "${apt_get[@]}" --download-only --no-install-recommends --yes install "$2"
      shift 2
    fi
    quietly apt.log "${apt_get[@]}" download "$@"
    mkdir -p "$folder"
    for package in *.deb; do dpkg-deb --extract "$package" "$folder"; done
  )
  printf '%s' "$wanted" >"$folder/installed.txt"
}

# Leaves an apt-get in $apt_get that knows Debian 13 for both architectures, and nothing that is installed.
apt_of_debian() {
  [ "${apt:-}" ] && return
  local keys=/usr/share/keyrings/debian-archive-keyring.gpg
  if [ ! -f "$keys" ] || ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
    echo "there is no apt-get with Debian's keys; on Debian and Ubuntu: apt-get install debian-archive-keyring" >&2
    return 1
  fi
  apt="$work/apt"
  mkdir -p "$apt"/state/lists/partial "$apt"/cache/archives/partial
  : >"$apt/status"
  echo "deb [signed-by=$keys] http://deb.debian.org/debian trixie main" >"$apt/sources.list"
  apt_get=(apt-get -o Dir::State="$apt/state" -o Dir::State::status="$apt/status" -o Dir::Cache="$apt/cache"
    -o Dir::Etc::sourcelist="$apt/sources.list" -o Dir::Etc::sourceparts=/dev/null -o Dir::Etc::preferences=/dev/null
    -o Dir::Etc::preferencesparts=/dev/null -o APT::Architecture=amd64 -o APT::Architectures::=amd64
    -o APT::Architectures::=arm64 -o APT::Sandbox::User= -o Acquire::Languages=none)
  quietly apt.log "${apt_get[@]}" update
}

# Leaves in $rustc a compiler with the target.
compiler() {
  rustc="$(rustup which rustc 2>/dev/null || command -v rustc)"
  [ -d "$("$rustc" --print target-libdir --target "$target" 2>/dev/null)" ] && return
  if [ "$(uname -m)" != x86_64 ]; then
    echo "run: rustup target add $target" >&2
    return 1
  fi
  debian rust-arm64 --closure libstd-rust-web-dev:amd64 rustc-web:amd64 libstd-rust-web-dev:arm64
  # With the C library of its own Debian: this machine's may be older.
  rustc="$tools/rust-arm64/rustc"
  cat >"$rustc" <<'END'
#!/bin/sh
root="$(dirname "$0")/usr"
exec "$root/lib64/ld-linux-x86-64.so.2" --library-path "$root/lib/x86_64-linux-gnu" \
  "$root/bin/rustc" --sysroot "$root" "$@"
END
  chmod +x "$rustc"
}

# Leaves in $run the command that runs a program of the target: none, where the processor does.
emulator() {
  run=()
  [ "$(uname -m)" = aarch64 ] && return
  debian qemu-arm64 qemu-user:amd64 libc6:arm64 libgcc-s1:arm64
  find "$tools/qemu-arm64/usr/bin" -name 'qemu-*' ! -name qemu-aarch64 -delete
  # Where the programs look for their loader.
  ln -sfn usr/lib "$tools/qemu-arm64/lib"
  # Graviton2, which Lambda has. An instruction that it lacks ends the program.
  run=("$tools/qemu-arm64/usr/bin/qemu-aarch64" -L "$tools/qemu-arm64" -cpu neoverse-n1)
}

# build_arm64 PACKAGE ARGUMENT…: builds a package, and leaves its program in $program. Without cargo-lambda's check of
# the target, which adds a missing one to the user's toolchain.
build_arm64() {
  local package="$1" since=$SECONDS
  shift
  echo "cargo lambda build --package $package: many minutes the first time …"
  quietly "$package.log" env RUSTC="$rustc" cargo lambda build --arm64 --skip-target-check --locked \
    --package "$package" --lambda-dir target/arm64 "$@"
  program="target/arm64/$package/bootstrap"
  echo "$package: $(($(wc -c <"$program") / 1000)) kB, built in $((SECONDS - since)) s"
}

# is_arm64 NAME PROGRAM: a program is for arm64, and for the C library that Amazon Linux 2023 has.
is_arm64() {
  local glibc page
  check "$1 is a program for" AArch64 "$(readelf --file-header "$2" | sed -n 's/^ *Machine: *//p')"
  glibc="$(readelf --version-info --wide "$2" | grep -oE 'GLIBC_[0-9]+\.[0-9]+' | sort -uV | tail -n 1)"
  glibc="${glibc#GLIBC_}"
  check "$1 asks for glibc $glibc, at most 2.34" 2.34 "$(printf '%s\n' 2.34 "$glibc" | sort -V | tail -n 1)"
  # Kernels for arm64 have pages of 4, 16 or 64 KiB, and start no program whose segments are aligned to less.
  page="$(readelf --program-headers --wide "$2" | sed -nE 's/^ *LOAD .* (0x[0-9a-f]+)$/\1/p' | sort -u)"
  check "$1 has segments for pages of up to 64 KiB" yes "$([ $((page)) -ge 65536 ] && echo yes || echo "$page")"
}

# invoke WHAT STATUS PART FILE: invokes the function with an event of events/, and checks its answer.
invoke() {
  local answer
  answer="$(sed "s|\${TOKEN}|$token|" "events/$4" |
    curl -sS --max-time 60 --data-binary @- "http://$runtime/2015-03-31/functions/function/invocations" 2>&1)" || true
  body="$(python3 -c 'import json, sys; print(json.load(sys.stdin)["body"])' <<<"$answer" 2>/dev/null)" ||
    body="$answer"
  check "$1" "$2" "$(sed -nE 's/.*"statusCode": ?([0-9]+).*/\1/p' <<<"$answer")" "$3" "$body"
}

# address LOG: what a part of arm64.py printed first.
address() {
  eventually test -s "$work/$1"
  head -n 1 "$work/$1"
}

compiler
emulator
echo "$("$rustc" --version), $([ "${#run[@]}" = 0 ] || "${run[0]}" --version | head -n 1)"
build_arm64 send-activity --release
function="$program"
# Unoptimised: even so it takes as long as the function, and what is built for CI is unoptimised too. SQLite is optimised
# in either profile.
export CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_DEV_STRIP=true
build_arm64 punchcard
unset CARGO_PROFILE_DEV_DEBUG CARGO_PROFILE_DEV_STRIP
cli="$program"
is_arm64 send-activity "$function"
is_arm64 punchcard "$cli"

# What the function finds: a token and a session, both made by this machine's own program.
serve_demo --data "$work/data"
tokens "$url" demo-client demo-secret
token="$(text access_token)"
call "POST session" 200 '' "$url/client/users/A-1001/sessions" "${bearer[@]}" "${json[@]}" \
  -d '{"correlationId":"session-1","channel":"APP"}'
kill -INT "$server"
wait "$server" || true
background store.log target/debug/punchcard store --demo --data "$work/data" --addr 127.0.0.1:0 --access-key test
eventually grep -q '^tables' "$work/store.log"

printf '%s\n' '[req]' 'distinguished_name=name' 'x509_extensions=v3' '[name]' '[v3]' 'subjectAltName=IP:127.0.0.1' \
  >"$work/openssl.cnf"
quietly openssl.log openssl req -x509 -config "$work/openssl.cnf" -subj /CN=store -newkey ec \
  -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout "$work/store.pem" -out "$work/certificate.pem"
cat "$work/certificate.pem" >>"$work/store.pem"
background tls.log python3 tests/arm64.py tls "$(sed -n 's/^DynamoDB *//p' "$work/store.log")" "$work/store.pem"
background runtime.log python3 tests/arm64.py runtime
runtime="$(address runtime.log)"
background function.log env -u AWS_ENDPOINT_URL AWS_LAMBDA_RUNTIME_API="$runtime" \
  AWS_LAMBDA_FUNCTION_NAME=send-activity AWS_LAMBDA_FUNCTION_MEMORY_SIZE=256 "AWS_LAMBDA_FUNCTION_VERSION=\$LATEST" \
  TABLE_PREFIX=punchcard- DYNAMODB_ENDPOINT="$(address tls.log)" SSL_CERT_FILE="$work/certificate.pem" \
  METRICS_NAMESPACE=Punchcard/test "${run[@]}" "$function"
invoke "send-activity" 200 '"XYZ":{"loyalty":' send-activity.happy.json
invoke "send-activity, again" 400 '"errorMessage":"ActivityID already exists"' send-activity.duplicate.json
invoke "send-activity, bad token" 401 '"errorCode":"UNAUTHORIZED"' send-activity.unauthorised.json
invoke "send-activity, malformed" 400 '"errorCode":' send-activity.invalid.json
# A signature that has to be computed to be refused.
token="$(sed -E 's/\.[^.]{4}([^.]*)$/.AAAA\1/' <<<"$token")"
invoke "send-activity, forged token" 401 '"errorCode":"UNAUTHORIZED"' send-activity.happy.json
check "send-activity reaches the store over TLS" yes "$(grep -q '^handshake' "$work/tls.log" && echo yes || echo no)"
[ "$failed" = 0 ] || cat "$work/function.log" >&2

# The command line.
check "punchcard --version" "$(target/debug/punchcard --version)" "$("${run[@]}" "$cli" --version)"
checked="$("${run[@]}" "$cli" catalog check shared/rewards/demo.yaml 2>&1)" || true
check "punchcard catalog check, as on this machine" yes \
  "$([ "$checked" = "$(target/debug/punchcard catalog check shared/rewards/demo.yaml 2>&1)" ] && echo yes || echo no)" \
  "demo.yaml is a valid catalog" "$checked"

# serve LOG ARGUMENT…: starts `serve --demo` for arm64; leaves its process in $server and its address in $url.
serve() {
  local log="$1"
  shift
  background "$log" "${run[@]}" "$cli" serve --demo --addr 127.0.0.1:0 "$@"
  server="${started[0]}"
  eventually grep -q '^Ctrl-C' "$work/$log"
  url="$(sed -n 's/^Punchcard *//p' "$work/$log")"
}
serve memory.log --memory
call "POST player event, in memory" 200 '{}' \
  "$url/integrations/event" -H 'APIKey: demo-api-key' "${json[@]}" -d "$events"
serve arm64.log --data "$work/arm64"
tokens "$url" demo-client demo-secret
requests "$url" demo-api-key demo-secret-key
refusals "$url" demo-api-key
kill -INT "$server"
status=0
wait "$server" || status=$?
check "the server ends in good order" 0 "$status"
# Its files are good for any processor, and so are its tokens.
check "this machine audits its files" yes \
  "$(quietly audit.log target/debug/punchcard audit --demo --data "$work/arm64" && echo yes || echo no)"
serve_demo --data "$work/arm64"
kept "$url" demo-api-key

result arm64
