-- Searches as people send them: bodies from a file, pauses drawn so that the connections together make a rate; figures as one JSON line.
local bodies, pause = {}, 0

function init(args)
  for line in io.lines(args[1]) do bodies[#bodies + 1] = line end
  pause = tonumber(args[2]) -- ms between the answer and the next request of one connection, on average
  math.randomseed(tonumber(args[3]))
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  wrk.headers["Authorization"] = "Bearer " .. args[4]
end

function delay() return math.floor(-pause * math.log(1 - math.random()) + 0.5) end

function request() return wrk.format(nil, nil, nil, bodies[math.random(#bodies)]) end

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '{"requests": %d, "seconds": %.3f, "p50": %.3f, "p90": %.3f, "p99": %.3f, "max": %.3f, "refused": %d, "connect": %d, "timeout": %d, "broken": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(90) / 1e3, latency:percentile(99) / 1e3,
    latency.max / 1e3, e.status, e.connect, e.timeout, e.read + e.write))
end
