-- New client events, each request with ids of its own, and a pause in ms before it.
-- wrk -s events.lua URL -- TOKEN RUN BATCH PAUSE

local threads = {}

function setup(thread)
  thread:set("number", #threads)
  table.insert(threads, thread)
end

function init(args)
  run, batch, pause, sent = tonumber(args[2]), tonumber(args[3]), tonumber(args[4]), 0
  accepted, refused, failed = 0, 0, 0
  wrk.method = "POST"
  wrk.path = "/v2/events/clientEvent"
  wrk.headers["content-type"] = "application/json"
  wrk.headers["authorization"] = "Bearer " .. args[1]
  wrk.headers["x-source-customer-id"] = "customer-1"
end

local event = '{"clientEventId":"%08x-%04x-4000-8000-%012x","clientEventType":"AdInteraction","clientEvent":"ActivateOffer",'
  .. '"clientEventTimestamp":"2024-10-01T07:00:00Z","clientEventMetadata":{"serveToken":"token-of-the-advertisement",'
  .. '"section":"Dashboard","channel":"MobileApp","imageSlots":["logo"]}}'

-- Without a pause wrk asks again at once.
function delay()
  return pause
end

function request()
  local events = {}
  for i = 1, batch do
    sent = sent + 1
    events[i] = event:format(run, number, sent)
  end
  return wrk.format(nil, nil, nil, '{"clientEvents":[' .. table.concat(events, ",") .. "]}")
end

function response(status)
  if status == 200 then
    accepted = accepted + 1
  elseif status == 429 then
    refused = refused + 1
  else
    failed = failed + 1
  end
end

function done(summary, latency)
  local counts = { accepted = 0, refused = 0, failed = 0 }
  for _, thread in ipairs(threads) do
    for name, count in pairs(counts) do
      counts[name] = count + thread:get(name)
    end
  end
  local errors = summary.errors
  io.write(('{"seconds":%f,"accepted":%d,"refused":%d,"failed":%d,"p50":%f,"p99":%f}\n'):format(
    summary.duration / 1e6, counts.accepted, counts.refused,
    counts.failed + errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
