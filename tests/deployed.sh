# To be sourced. What the scripts share: processes, the demo's server, the build, the checks, the requests.

# Dummy credentials, and no way to AWS: SAM asks it for the account's number at each start, and goes on without.
unset AWS_PROFILE AWS_SESSION_TOKEN
export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_EC2_METADATA_DISABLED=true
export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1
export AWS_ENDPOINT_URL=http://127.0.0.1:1 AWS_MAX_ATTEMPTS=1

# The working directory, and the processes that end with the script.
work="$(mktemp -d)"
started=()
passed=0
failed=0

# background LOG COMMAND…: starts it, to be stopped at the end.
background() {
  local log="$work/$1"
  shift
  "$@" >"$log" 2>&1 &
  started=($! "${started[@]}")
}

stop() {
  local process
  for process in "${started[@]}"; do
    kill "$process" 2>/dev/null || continue
    wait "$process" 2>/dev/null || true
  done
  rm -rf "$work"
}

# quietly LOG COMMAND…: shows what it says only if it fails.
quietly() {
  local log="$work/$1"
  shift
  "$@" >"$log" 2>&1 || {
    cat "$log" >&2
    return 1
  }
}

# eventually COMMAND…: tries for a minute until it succeeds.
eventually() {
  local _
  for _ in {1..300}; do
    "$@" >/dev/null 2>&1 && return
    sleep 0.2
  done
  echo "still failing after a minute: $*" >&2
  cat "$work"/*.log >&2
  return 1
}

# serve_demo ARGUMENT…: builds and starts `punchcard serve --demo`; leaves its process in $server and its address in $url.
serve_demo() {
  # As the tests build it, so that nothing is built twice.
  cargo build --workspace --bins --locked --quiet
  background serve.log target/debug/punchcard serve --demo --addr 127.0.0.1:0 "$@"
  server="${started[0]}"
  eventually grep -q '^Ctrl-C' "$work/serve.log"
  url="$(sed -n 's/^Punchcard *//p' "$work/serve.log")"
}

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# check WHAT WANTED GOT [PART BODY]: GOT has to be WANTED, and BODY to have PART in it.
check() {
  local what="$1" wanted="$2" got="$3" part="${4:-}" body="${5:-}"
  if [ "$got" = "$wanted" ] && [[ "$body" == *"$part"* ]]; then
    passed=$((passed + 1))
    printf '%-58s %s ok\n' "$what" "$got"
  else
    failed=$((failed + 1))
    printf '%-58s %s FAILED, wanted %s %s: %s\n' "$what" "$got" "$wanted" "$part" "$body"
  fi
}

# call WHAT STATUS PART CURL-ARGUMENTS…: sends a request and checks its answer; leaves its body in $body.
call() {
  local what="$1" wanted="$2" part="$3" answer
  shift 3
  answer="$(curl -sS --max-time 60 -w '\n%{http_code}' "$@" 2>&1)" || true
  body="${answer%$'\n'*}"
  check "$what" "$wanted" "${answer##*$'\n'}" "$part" "$body"
}

# text NAME: the text of this name in the last body.
text() {
  sed -nE "s/.*\"$1\":\"([^\"]*)\".*/\1/p" <<<"$body"
}

# Says how it went, and fails if something did.
result() {
  echo "$1: $passed passed, $failed failed"
  [ "$failed" = 0 ]
}

# Builds every function for this machine's processor, and checks what Lambda will be given.
build() {
  case "$(uname -m)" in
    x86_64) architecture=x86_64 ;;
    aarch64 | arm64) architecture=arm64 ;;
    *) echo "Lambda has no $(uname -m)" >&2 && return 1 ;;
  esac
  echo "sam build: minutes the first time …"
  # First all functions at once, on all cores: SAM then finds each one built. Unoptimised, since optimising all of them
  # takes most of the time and proves nothing more.
  local light=(CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_DEV_STRIP=true CARGO_PROFILE_DEV_INCREMENTAL=false)
  local manifest packages=()
  for manifest in functions/*/Cargo.toml; do packages+=(--package "$(basename "$(dirname "$manifest")")"); done
  quietly cargo-lambda.log env "${light[@]}" cargo lambda build "${packages[@]}"
  quietly build.log env "${light[@]}" SAM_BUILD_MODE=debug sam build --parameter-overrides "Architecture=$architecture"
  # One function exactly as it ships.
  quietly as-shipped.log cargo lambda build --release --package send-activity
  cp target/lambda/send-activity/bootstrap .aws-sam/build/SendActivity/bootstrap
  local file function glibc size
  for file in .aws-sam/build/*/bootstrap; do
    function="$(basename "$(dirname "$file")")"
    # The newest glibc that it asks for; Amazon Linux 2023 has 2.34.
    glibc="$(LC_ALL=C grep -aoE 'GLIBC_[0-9]+\.[0-9]+' "$file" | sort -uV | tail -n 1)"
    glibc="${glibc#GLIBC_}"
    check "$function asks for glibc $glibc, at most 2.34" 2.34 "$(printf '%s\n' 2.34 "$glibc" | sort -V | tail -n 1)"
  done
  size="$(wc -c <.aws-sam/build/SendActivity/bootstrap)"
  check "SendActivity has $((size / 1000)) kB, less than 7 MB" yes "$([ "$size" -lt 7000000 ] && echo yes || echo no)"
}

json=(-H 'Content-Type: application/json')
event='{"clientEvents":[{"clientEventId":"12395199-1565-4565-bf99-3f94ee505d12","clientEventType":"AdInteraction",'
event+='"clientEvent":"ActivateOffer","clientEventTimestamp":"2024-10-01T07:00:00Z",'
event+='"clientEventMetadata":{"serveToken":"CiQ3MGU5","section":"Dashboard","channel":"OLB"}}]}'
activity='{"action":"SURVEY_RESPONSE","channel":"APP","when":"2024-10-01T07:00:00Z"}'
events='{"playerUniqueId":"player123","events":{"place_order":{"total_amount":"120",'
events+='"category":["electronics","cosmetics"]},"review":{}}}'
order='{"customerId":"player123","orderId":"O-1001","orderDate":"2024-10-01T07:00:00Z","totalPaid":90.5,'
order+='"category":["electronics"]}'
refund='{"customerId":"player123","refundTransactionId":"R-1","reverseTransactionId":"O-1001",'
refund+='"transactionTime":"2024-10-02T07:00:00Z","refundAmount":15}'

# tokens URL CLIENT SECRET: leaves the headers of both in $customer and $bearer.
tokens() {
  call "POST /v2/session/startSession" 200 '"sessionToken":"' "$1/v2/session/startSession" "${json[@]}" \
    -H 'x-source-customer-id: customer-1' -d "{\"clientId\":\"$2\",\"secret\":\"$3\"}"
  customer=(-H "Authorization: Bearer $(text sessionToken)" -H 'x-source-customer-id: customer-1')
  call "POST /oauth2/token" 200 '"access_token":"' "$1/oauth2/token" -u "$2:$3" -d grant_type=client_credentials
  bearer=(-H "Authorization: Bearer $(text access_token)")
}

# requests URL KEY SECRET: what `punchcard serve --demo` prints, each twice, and what they came to.
requests() {
  local url="$1" key=(-H "APIKey: $2") secret=(-H "SecretKey: $3")
  call "POST clientEvent" 200 '"requestId":"' "$url/v2/events/clientEvent" "${customer[@]}" "${json[@]}" -d "$event"
  call "POST clientEvent, again" 409 '"reason":"DUPLICATE_ID"' \
    "$url/v2/events/clientEvent" "${customer[@]}" "${json[@]}" -d "$event"
  call "POST activity" 200 '"XYZ":{"loyalty":{"base":10,"bonus":5,"targeted":0,"total":15}}' \
    "$url/client/users/correlation-1/activities/activity-1" "${bearer[@]}" "${json[@]}" -d "$activity"
  call "POST activity, again" 400 '"errorMessage":"ActivityID already exists"' \
    "$url/client/users/correlation-1/activities/activity-1" "${bearer[@]}" "${json[@]}" -d "$activity"
  call "POST player" 200 '"gameballId":' "$url/integrations/player" "${key[@]}" "${json[@]}" \
    -d '{"playerUniqueId":"player123"}'
  call "POST player event" 200 '{}' "$url/integrations/event" "${key[@]}" "${json[@]}" -d "$events"
  call "POST player event, again" 200 '{}' "$url/integrations/event" "${key[@]}" "${json[@]}" -d "$events"
  call "POST order" 200 '"rewardedPoints":20' "$url/api/v4.0/integrations/orders" "${key[@]}" "${json[@]}" -d "$order"
  call "POST order, again" 200 '"rewardedPoints":20' \
    "$url/api/v4.0/integrations/orders" "${key[@]}" "${json[@]}" -d "$order"
  call "POST refund" 200 '"refundEquivalentPoints":3' \
    "$url/api/v4.0/integrations/transactions/refund" "${key[@]}" "${secret[@]}" "${json[@]}" -d "$refund"
  call "POST refund, again" 200 '"refundEquivalentPoints":3' \
    "$url/api/v4.0/integrations/transactions/refund" "${key[@]}" "${secret[@]}" "${json[@]}" -d "$refund"
  call "POST reward preview" 200 '"totalPoints":5' "$url/api/v4.0/integrations/events/reward-preview" "${key[@]}" \
    "${json[@]}" -d '{"customerId":"player123","events":{"review":{}}}'
  kept "$url" "$2"
}

# kept URL KEY: what the requests came to is there.
kept() {
  call "GET balances" 200 '"balances":{"ABC":{"loyalty":3},"XYZ":{"loyalty":15}}' \
    "$1/client/users/correlation-1/balances" "${bearer[@]}"
  call "GET player" 200 '"playerUniqueId":"player123","points":167' \
    "$1/integrations/player/player123" -H "APIKey: $2"
  call "GET balance" 200 '"totalPointsBalance":167' \
    "$1/api/v4.0/integrations/customers/player123/balance" -H "APIKey: $2"
}

# refusals URL KEY: what is none of the APIs' business.
refusals() {
  local bad=(-H 'Authorization: Bearer not-a-token')
  call "POST clientEvent, bad token" 401 SessionValidationException \
    "$1/v2/events/clientEvent" "${bad[@]}" -H 'x-source-customer-id: customer-1' "${json[@]}" -d "$event"
  call "GET balances, bad token" 401 '"errorCode":"UNAUTHORIZED"' "$1/client/users/correlation-1/balances" "${bad[@]}"
  call "POST player event, bad key" 401 '"code":1000' \
    "$1/integrations/event" -H 'APIKey: wrong' "${json[@]}" -d "$events"
  call "POST refund, without the secret key" 401 '"code":1000' \
    "$1/api/v4.0/integrations/transactions/refund" -H "APIKey: $2" "${json[@]}" -d "$refund"
  call "POST customer, bad key" 401 '"type":"Authentication Error"' \
    "$1/api/v4.0/integrations/customers" -H 'APIKey: wrong' "${json[@]}" -d '{"customerId":"player123"}'
  call "POST clientEvent, malformed" 400 '"status":400' \
    "$1/v2/events/clientEvent" "${customer[@]}" "${json[@]}" -d '{'
  call "POST activity, malformed" 400 '"errorCode":"MALFORMED_JSON"' \
    "$1/client/users/correlation-1/activities/activity-2" "${bearer[@]}" "${json[@]}" -d '{'
  call "POST player event, malformed" 400 '"code":3016' \
    "$1/integrations/event" -H "APIKey: $2" "${json[@]}" -d '{'
  call "DELETE clientEvent" 405 '' "$1/v2/events/clientEvent" -X DELETE
}
