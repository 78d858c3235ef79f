#!/usr/bin/env bash
# Builds, deploys, calls, updates and deletes the stack for real, with the SAM CLI, on ministack: a local stand-in for
# AWS that takes the template, runs the functions' binaries and has a DynamoDB. It enforces no permissions, makes no
# routes from an API's description, which stack.py does in its place, and knows no alarms on sums of metrics and no saved
# queries of Athena, which are left out. It invokes the archive's function with the tables' streams, but knows neither
# `batchItemFailures` nor split batches nor their queue (`cargo test -p punchcard-tests functions::archive` plays that
# part), and Athena's queries are not run. A queue gets the events of the event bus. Needs cargo, python3 and curl, no account.
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/tools.sh
source tests/deployed.sh
trap stop EXIT
tool ministack ministack==1.5.33 aws-sam-translator==1.115.0
stack=punchcard-check

build
quietly cargo.log cargo build --locked

port="$(free_port)"
endpoint="http://127.0.0.1:$port"
background ministack.log env --unset=AWS_ENDPOINT_URL BIND_HOST=127.0.0.1 GATEWAY_PORT="$port" \
  IOT_MTLS_ENABLED=0 DOCKER_HOST=unix:///nonexistent ministack
eventually curl -sf "$endpoint/_ministack/health"
export AWS_ENDPOINT_URL="$endpoint"

# deploy [PARAMETER=VALUE]
deploy() {
  quietly deploy.log sam deploy --template-file "$template" --stack-name "$stack" --resolve-s3 \
    --capabilities CAPABILITY_IAM --no-confirm-changeset --no-progressbar --parameter-overrides \
    "Architecture=$architecture" DeletionProtection=false Archive=true EventBusName=default QuarantineDays=7 "DynamoDbEndpoint=$endpoint" \
    "S3Endpoint=$endpoint" "EventBridgeEndpoint=$endpoint" "$@"
}
of_stack() { "$tools/sam/bin/python" tests/stack.py "$@"; }
# Not among kept: `sam local` gives all of a path to its ANY, where API Gateway prefers the method's own route.
activity_kept() {
  call "GET activity" 200 '"type":"SURVEY_RESPONSE"' "$url/client/users/correlation-1/activities/activity-1" \
    "${bearer[@]}"
}
state() { of_stack state "$stack"; }
archived="files of activities catalogs client_events player_events; tables activities client_events player_events"
published="activity client-event order player-events refund"
is_published() { [ "$(of_stack events)" = "$published" ]; }
is_archived() { [ "$(of_stack archive "$stack")" = "$archived" ]; }
punchcard() { target/debug/punchcard "$@" --stack "$stack" --endpoint "$endpoint" --json; }

# Beside SAM's own, whose paths it keeps.
template=.aws-sam/build/without-sums.yaml
echo "sam deploy, without $(of_stack template .aws-sam/build/template.yaml "$template") …"
# First with the tables of 0.1.0, which had no index.
newer="$template"
template=.aws-sam/build/without-indexes.yaml
of_stack older "$newer" "$template"
deploy
template="$newer"
check "sam deploy" "20 functions [256, 512], 6 tables" "$(state)"
of_stack listen
url="$endpoint/_aws/execute-api/$(of_stack routes "$stack")/\$default"

body="$(punchcard catalog apply shared/rewards/demo.yaml --yes)"
check "punchcard catalog apply" '{"changed":true,' "${body:0:16}" '"version":1}' "$body"
body="$(punchcard client add shop-app --for client-events --for activities)"
check "punchcard client add, a client" shop-app "$(text clientId)"
secret="$(text secret)"
body="$(punchcard client add shop --for player-events)"
check "punchcard client add, an API key" shop "$(text name)"
api_key="$(text apiKey)"
secret_key="$(text secretKey)"

tokens "$url" shop-app "$secret"
call "POST startSession, wrong secret" 401 '"status":401' "$url/v2/session/startSession" "${json[@]}" \
  -H 'x-source-customer-id: customer-1' -d '{"clientId":"shop-app","secret":"wrong"}'
requests "$url" "$api_key" "$secret_key"
activity_kept
refusals "$url" "$api_key"
eventually is_archived || true
check "the archive" "$archived" "$(of_stack archive "$stack")"
eventually is_published || true
check "the events of the event bus" "$published" "$(of_stack events)"
body="$(target/debug/punchcard quarantine list --bucket "$(of_stack quarantine "$stack")" --endpoint "$endpoint")"
check "the quarantine: malformed requests, and no unauthorized ones" 3 "$(grep -c '  400  ' <<<"$body")" "EOF while parsing" "$body"
call "GET an unknown path" 404 '"message":"Not Found"' "$url/nowhere"

echo "sam deploy, with the index and more memory …"
deploy MemorySize=512
check "sam deploy, an update" "20 functions [512], 6 tables" "$(state)"
tokens "$url" shop-app "$secret"
kept "$url" "$api_key"
activity_kept
call "GET activities, recorded before the index" 200 '"activityId":"activity-1"' \
  "$url/client/users/correlation-1/activities?limit=5" "${bearer[@]}"
call "GET explanation" 200 '"reason":"PAID"' \
  "$url/client/users/correlation-1/activities/activity-1/explanation" "${bearer[@]}"
call "POST clientEvent, once more" 409 '"reason":"DUPLICATE_ID"' \
  "$url/v2/events/clientEvent" "${customer[@]}" "${json[@]}" -d "$event"
call "POST activity, once more" 400 '"errorMessage":"ActivityID already exists"' \
  "$url/client/users/correlation-1/activities/activity-1" "${bearer[@]}" "${json[@]}" -d "$activity"

echo "sam delete …"
quietly delete.log sam delete --stack-name "$stack" --region "$AWS_REGION" --no-prompts
check "sam delete, which leaves the tables" "0 functions [], 6 tables" "$(state)"

result "sam deploy"
