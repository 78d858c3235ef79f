#!/usr/bin/env bash
# Invokes every function with every request of events/, and calls the API, with the SAM CLI: `sam local invoke` and
# `sam local start-api`, against `punchcard store`. The functions run in containers of an image made from this machine's
# own files, so that none has to be pulled: it proves the packaging, the events and the runtime, not Amazon's image.
# Needs Linux, cargo, python3, curl, busybox and a Docker engine; starts one of its own if it may. With --if-possible,
# the lack of an engine is no failure.
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/tools.sh
source tests/deployed.sh
source tests/engine.sh
trap stop EXIT
engine "sam local"
static_busybox "sam local"

build
quietly cargo.log cargo build --locked

# The image: a shell to make and start it with, the libraries that the functions ask for, the folders that Lambda has.
image=local/provided-standin:al2023
root="$work/image"
root_of "$root" "sh mv cp rm chmod mkdir ls cat env id wget" .aws-sam/build/*/bootstrap
mkdir -p "$root"/{opt,var/task,var/runtime,var/rapid}
import_image "$root" "$image" -c 'ENTRYPOINT ["/lambda-entrypoint.sh"]' -c 'WORKDIR /var/task' \
  -c 'ENV LAMBDA_TASK_ROOT=/var/task LAMBDA_RUNTIME_DIR=/var/runtime'

network="punchcard-$$"
docker network create "$network" >/dev/null
gateway="$(docker network inspect -f '{{(index .IPAM.Config 0).Gateway}}' "$network")"
clean_up() {
  docker ps -aq --filter "network=$network" | xargs -r docker rm -f >/dev/null 2>&1 || true
  docker network rm "$network" >/dev/null 2>&1 || true
  stop
}
trap clean_up EXIT

# SAM passes its own credentials on to the functions. store NAME: starts a store with the demo in it, which only this network reaches; leaves SAM's options in $options.
store() {
  background "$1.log" target/debug/punchcard store --demo --memory --addr "$gateway:0" \
    --access-key "$AWS_ACCESS_KEY_ID"
  eventually grep -q '^tables' "$work/$1.log"
  cat >"$work/$1.json" <<END
{"Parameters": {"TABLE_PREFIX": "punchcard-",
  "DYNAMODB_ENDPOINT": "$(sed -n 's/^DynamoDB *//p' "$work/$1.log")"}}
END
  options=(--invoke-image "$image" --skip-pull-image --docker-network "$network" --env-vars "$work/$1.json"
    --parameter-overrides "Architecture=$architecture")
}

# reaches_store NAME: a container of the network gets an answer from a store, which the functions need. The store
# refuses the request itself.
reaches_store() {
  local store="${gateway}:$(sed -n 's/^DynamoDB.*://p' "$work/$1.log")"
  local probe=(docker run --rm --network "$network" --entrypoint wget "$image" -T 5 -q -O - "http://$store/")
  ! timeout 60 "${probe[@]}" 2>&1 | grep -q 'timed out\|unreachable'
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
  # SAM exits with 0 if the function was not heard from in time.
  if [ -z "$answer" ]; then
    cat "$work/invoke.log" >&2
    reaches_store invoked || without "sam local" "the containers don't reach this machine"
  fi
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
  send-activity.{happy:200,duplicate:400,without-id:200,dry-run:200,invalid:400,unauthorised:401}
  get-activity.{happy:200,not-found:404,invalid:400,unauthorised:401}
  explain-activity.{happy:200,not-found:404,invalid:400,unauthorised:401}
  list-activities.{happy:200,invalid:400,unauthorised:401}
  get-balances.{happy:200,invalid:400,unauthorised:401}
  void-activity.{dry-run:200,happy:200,duplicate:200,invalid:400,not-found:404,unauthorised:401}
  adjust-balance.{dry-run:200,happy:200,duplicate:200,conflict:409,invalid:400,unauthorised:401}
  track-event.{happy:200,duplicate:200,version-4:200,dry-run:200,invalid:400,unauthorised:401}
  preview-rewards.{happy:200,not-found:404,invalid:422,unauthorised:401}
  save-player.{happy:200,version-4:200,invalid:400,unauthorised:401}
  place-order.{happy:200,duplicate:200,version-4:200,conflict:422,dry-run:200,invalid:400,unauthorised:401}
  refund-order.{dry-run:200,happy:200,duplicate:200,conflict:422,invalid:400,not-found:404,unauthorised:401}
  get-player.{happy:200,invalid:404,unauthorised:401}
  get-player-balance.{happy:200,version-4:200,invalid:404,unauthorised:401}
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
    place-order.happy)
      # The order that is refunded.
      invoke "place-order.happy, another" 200 '' < <(sed 's/O-1001/O-900/' events/place-order.happy.json)
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
requests "$url" demo-api-key demo-secret-key
refusals "$url" demo-api-key
# API Gateway says 404.
call "GET an unknown path" 403 '"message":"Missing Authentication Token"' "$url/nowhere"
[ "$failed" = 0 ] || cat "$work/sam.log" >&2

result "sam local"
