#!/usr/bin/env bash
# Builds the Docker image and runs it as docs/configuration.md says: `punchcard serve`, without root, its data in a
# volume. The base images are made from this machine's files, so that none has to be pulled. In the stand-in for the
# Rust image, `cargo` only hands over the binary that this machine has built: it proves the Dockerfile, the build
# context and the running container, not that the public base images compile the source. With the name of an image,
# that one is run and nothing is built. Needs Linux, cargo, python3, curl, bash, busybox and a Docker engine; starts one
# of its own if it may. With --if-possible, a missing engine is no failure.
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/deployed.sh
source tests/engine.sh
trap stop EXIT
engine docker
image="${1:-}"

clean_up() {
  docker ps -aq --filter "label=punchcard-test=$$" | xargs -r docker rm -f >/dev/null 2>&1 || true
  docker volume rm "punchcard-$$" >/dev/null 2>&1 || true
  stop
}
trap clean_up EXIT

if [ -z "$image" ]; then
  static_busybox docker
  quietly cargo.log cargo build --locked
  image=local/punchcard

  # A shell, a `cargo` and the binary that it hands over.
  root="$work/rust"
  root_of "$root" "sh cp mkdir" target/debug/punchcard
  cp target/debug/punchcard "$root/punchcard"
  cat >"$root/bin/cargo" <<'END'
#!/bin/sh
[ "$*" = "build --release --locked --package punchcard" ] || { echo "unexpected: cargo $*" >&2; exit 1; }
mkdir -p target/release && cp /punchcard target/release/punchcard
END
  chmod +x "$root/bin/cargo"
  import_image "$root" local/rust-standin -c 'ENV PATH=/bin'

  root="$work/debian"
  root_of "$root" "sh mkdir chown id sleep" target/debug/punchcard "$(command -v bash)"
  cp "$(command -v bash)" "$root/bin/bash"
  import_image "$root" local/debian-standin -c 'ENV PATH=/usr/local/bin:/bin'

  # Without the buildx plugin, docker has the older builder only.
  docker buildx version >/dev/null 2>&1 || export DOCKER_BUILDKIT=0
  standins=(--build-arg RUST_IMAGE=local/rust-standin --build-arg RUNTIME_IMAGE=local/debian-standin)
  quietly build.log docker build "${standins[@]}" --target build --tag local/punchcard-build .
  quietly build.log docker build "${standins[@]}" --tag "$image" .

  # The build context holds all that the build needs: every member of the workspace, every file of the binary.
  container="$(docker create --label "punchcard-test=$$" local/punchcard-build sh)"
  quietly context.log docker cp "$container:/src" "$work/context"
  check "the build context has no build results" target/release/punchcard \
    "$(cd "$work/context" && find target -type f)"
  check "the build context is a workspace" ok "$(cd "$work/context" &&
    quietly metadata.log cargo metadata --locked --offline --no-deps --format-version 1 && echo ok)"
  sources="$(sed 's/^[^:]*: //; s/ /\n/g' target/debug/punchcard.d | sed -n "s|^$PWD/||p" | grep -vE '^(target|\.git)/')"
  # Git's own files only make `--version` follow the commit; without them the build script goes on.
  check "the build context has all $(wc -l <<<"$sources") source files" "" \
    "$(cd "$work/context" && for file in $sources; do [ -f "$file" ] || echo "$file is missing"; done)"
  check "the Rust image is of the toolchain's version" \
    "$(sed -nE 's/^channel = "([0-9]+\.[0-9]+).*/\1/p' rust-toolchain.toml)" \
    "$(sed -nE 's/^ARG RUST_IMAGE=rust:([0-9]+\.[0-9]+)-.*/\1/p' Dockerfile)"
fi

# run NAME OPTION…: starts the image as docs/configuration.md says, and leaves its address in $url.
run() {
  local name="$1"
  shift
  docker run --detach --name "punchcard-$$-$name" --label "punchcard-test=$$" --publish 127.0.0.1::3000 \
    --volume "punchcard-$$:/data" --read-only --cap-drop ALL --security-opt no-new-privileges "$@" "$image" \
    >"$work/$name.id"
  url="http://$(docker port "punchcard-$$-$name" 3000/tcp)"
}
health() { docker inspect -f '{{.State.Health.Status}}' "punchcard-$$-$1"; }
is() { [ "$(health "$1")" = "$2" ]; }

run first --health-interval 1s
eventually is first healthy
check "the container is healthy" healthy "$(health first)"
check "the server runs without root" 10001 "$(docker exec "punchcard-$$-first" id -u)"
secret="$(docker logs "punchcard-$$-first" 2>&1 | sed -nE 's/^ +secret +//p')"
tokens "$url" first-client "$secret"
call "POST clientEvent" 200 '"requestId":"' "$url/v2/events/clientEvent" "${customer[@]}" "${json[@]}" -d "$event"
docker stop --time 20 "punchcard-$$-first" >/dev/null
check "docker stop ends the server in good order" 0 \
  "$(docker inspect -f '{{.State.ExitCode}}' "punchcard-$$-first")"

run second
eventually curl -sf "$url/health"
tokens "$url" first-client "$secret"
call "POST clientEvent, again, to another container" 409 '"reason":"DUPLICATE_ID"' \
  "$url/v2/events/clientEvent" "${customer[@]}" "${json[@]}" -d "$event"

# The health check can fail: here nothing listens.
docker run --detach --name "punchcard-$$-idle" --label "punchcard-test=$$" --entrypoint sleep --health-interval 1s \
  --health-start-period 0s --health-retries 1 "$image" 300 >"$work/idle.id"
eventually is idle unhealthy
check "a container without a server is not healthy" unhealthy "$(health idle)"

result docker
[ "$image" != local/punchcard ] || echo "docker: on stand-in base images, with a binary built outside"
