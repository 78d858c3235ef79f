#!/usr/bin/env bash
# Invokes every function with every request of events/, and calls the API, with the SAM CLI: `sam local invoke` and
# `sam local start-api`, against `punchcard store`. The functions run in containers of an image made from this machine's
# own files, so that none has to be pulled: it proves the packaging, the events and the runtime, not Amazon's image.
# Needs Linux, cargo, python3, curl, busybox and a Docker engine; starts one of its own if it may. With --if-possible,
# the lack of an engine is no failure.
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/deployed.sh
trap stop EXIT

without() {
  if [ "${if_possible:-}" ]; then
    echo "sam local: skipped, $1"
    exit 0
  fi
  echo "sam local: $1" >&2
  exit 1
}
[ "${1:-}" = --if-possible ] && if_possible=1

have() { command -v "$1" >/dev/null; }
if [ "${CI:-}" ] && [ "$(id -u)" = 0 ] && have apt-get; then
  packages=()
  have busybox || packages+=(busybox-static)
  have dockerd && have iptables || docker info >/dev/null 2>&1 || packages+=(docker.io iptables)
  if [ "${#packages[@]}" -gt 0 ]; then
    quietly apt.log apt-get update -qq || true
    quietly apt.log apt-get install -y -qq --no-install-recommends "${packages[@]}" || true
  fi
fi
have busybox && ! ldd "$(command -v busybox)" >/dev/null 2>&1 ||
  without "there is no static busybox for the containers; on Debian: apt-get install busybox-static"
have docker || without "there is no docker; on Debian: apt-get install docker.io iptables"
if ! docker info >/dev/null 2>&1; then
  have dockerd && have iptables || without "no Docker engine answers; on Debian: apt-get install docker.io iptables"
  [ "$(id -u)" = 0 ] || without "no Docker engine answers, and only root can start one"
  export DOCKER_HOST="unix://$work/docker.sock"
  background docker.log dockerd --host "$DOCKER_HOST" --data-root "$work/data" --exec-root "$work/exec" \
    --pidfile "$work/docker.pid" --ip 127.0.0.1
  eventually docker info || without "no Docker engine could be started"
fi

build
quietly cargo.log cargo build --locked

# The image: a shell to make and start it with, the libraries that the functions ask for, the folders that Lambda has.
image=local/provided-standin:al2023
root="$work/image"
mkdir -p "$root"/{bin,etc,opt,tmp,var/task,var/runtime,var/rapid}
cp "$(command -v busybox)" "$root/bin/busybox"
for command in sh mv cp rm chmod mkdir ls cat env id; do ln -s busybox "$root/bin/$command"; done
for file in $(ldd .aws-sam/build/*/bootstrap | grep -oE '/[^ ]+\.so[^ ]*' | sort -u); do
  mkdir -p "$root/$(dirname "$file")"
  cp -L "$file" "$root/$file"
done
echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
echo 'root:x:0:' >"$root/etc/group"
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
platform=amd64
[ "$architecture" = x86_64 ] || platform=arm64
tar -C "$root" -c . | docker import --platform "linux/$platform" -c 'ENTRYPOINT ["/lambda-entrypoint.sh"]' \
  -c 'WORKDIR /var/task' -c 'ENV LAMBDA_TASK_ROOT=/var/task LAMBDA_RUNTIME_DIR=/var/runtime' \
  - "$image" >"$work/import.log"

network="punchcard-$$"
docker network create "$network" >/dev/null
gateway="$(docker network inspect -f '{{(index .IPAM.Config 0).Gateway}}' "$network")"
clean_up() {
  docker ps -aq --filter "network=$network" | xargs -r docker rm -f >/dev/null 2>&1 || true
  docker network rm "$network" >/dev/null 2>&1 || true
  stop
}
trap clean_up EXIT

# store NAME: starts a store with the demo in it, which only this network reaches; leaves SAM's options in $options.
store() {
  background "$1.log" target/debug/punchcard store --demo --memory --addr "$gateway:0"
  eventually grep -q '^tables' "$work/$1.log"
  cat >"$work/$1.json" <<END
{"Parameters": {"TABLE_PREFIX": "punchcard-",
  "DYNAMODB_ENDPOINT": "$(sed -n 's/^DynamoDB *//p' "$work/$1.log")"}}
END
  options=(--invoke-image "$image" --skip-pull-image --docker-network "$network" --env-vars "$work/$1.json"
    --parameter-overrides "Architecture=$architecture")
}

# invoke WHAT STATUS PART: invokes a function, StartSession for start-session, with the event at standard input.
invoke() {
  local answer function
  function="$(sed -E 's/(^|-)([a-z])/\U\2/g' <<<"${1%%.*}")"
  sed "s|\${TOKEN}|${token:-}|" >"$work/event.json"
  answer="$(sam local invoke "$function" -e "$work/event.json" "${options[@]}" 2>"$work/invoke.log")" || {
    answer=none
    cat "$work/invoke.log" >&2
  }
  body="$(python3 -c 'import json, sys; print(json.load(sys.stdin)["body"])' <<<"$answer" 2>/dev/null)" ||
    body="$answer"
  check "$1" "$2" "$(sed -nE 's/.*"statusCode": ?([0-9]+).*/\1/p' <<<"$answer")" "$3" "$body"
}

echo "sam local invoke …"
store invoked
# Each function's cases, in the order in which they have to be sent.
cases=(
  start-session.{unauthorised:401,invalid:400,happy:200}
  send-client-event.{happy:200,duplicate:409,partial:207,invalid:400,unauthorised:401}
  issue-token.{unauthorised:401,invalid:400,happy:200}
  open-session.{happy:200,duplicate:200,conflict:409,invalid:400,unauthorised:401}
  send-activity.{happy:200,duplicate:400,without-id:200,invalid:400,unauthorised:401}
  get-activity.{happy:200,not-found:404,invalid:400,unauthorised:401}
  get-balances.{happy:200,invalid:400,unauthorised:401}
  track-event.{happy:200,duplicate:200,invalid:400,unauthorised:401}
  get-player.{happy:200,invalid:404,unauthorised:401}
)
for case in "${cases[@]}"; do
  name="${case%:*}"
  invoke "$name" "${case#*:}" '' <"events/$name.json"
  case "$name" in
    start-session.happy) token="$(text sessionToken)" ;;
    issue-token.happy) token="$(text access_token)" ;;
    open-session.happy)
      # The session that the activities' events are of.
      invoke "open-session.happy, another" 200 '' \
        < <(sed 's/A-2002/A-1001/; s/session-2/session-1/' events/open-session.happy.json)
      ;;
    send-activity.happy)
      # The activity that is got.
      invoke "send-activity.happy, another" 200 '' \
        < <(sed -E 's/0a1b2c3d[0-9a-f-]+/activity-1/' events/send-activity.happy.json)
      ;;
  esac
done
check "every file of events/ was sent" "$(find events -name '*.json' | wc -l)" "${#cases[@]}"

echo "sam local start-api …"
store api
port="$(free_port)"
url="http://127.0.0.1:$port"
background sam.log sam local start-api --port "$port" --warm-containers LAZY "${options[@]}"
eventually curl -s "$url"
tokens "$url" demo-client demo-secret
requests "$url" demo-api-key
refusals "$url" demo-api-key
# API Gateway says 404.
call "GET an unknown path" 403 '"message":"Missing Authentication Token"' "$url/nowhere"

result "sam local"
