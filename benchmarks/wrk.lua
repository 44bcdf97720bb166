-- Sends requests from a file: wrk ... -- FILE again|once RATE
--
-- Each request is preceded by its length on a line. With `once` each is sent a single time and the
-- client stops when they run out; RATE (a second, over all connections; 0: none) spreads them out.
local ffi = require("ffi")
ffi.cdef([[
  typedef struct { long seconds; long nanoseconds; } bench_time;
  int clock_gettime(int clock, bench_time *now);
]])

local MONOTONIC = 1
local clock = ffi.new("bench_time")
local requests, many, at = {}, 0, 0
local threads, next_at = {}, nil

-- Kept as globals, so that done() can ask the thread for them.
began, ran_out, sent = 0, 0, 0

local function now()
  ffi.C.clock_gettime(MONOTONIC, clock)
  return tonumber(clock.seconds) + tonumber(clock.nanoseconds) / 1e9
end

function setup(thread)
  threads[#threads + 1] = thread
end

function init(args)
  local file = assert(io.open(args[1], "rb"))
  local length = file:read("*n")
  while length do
    file:read(1)
    many = many + 1
    requests[many] = file:read(length)
    length = file:read("*n")
  end
  file:close()
  once = args[2] == "once"
  local rate = tonumber(args[3])
  if rate > 0 then
    delay = function()
      local instant = now()
      next_at = math.max(next_at or instant, instant - 0.1) + 1 / rate
      return math.max(0, (next_at - instant) * 1000)
    end
  end
end

-- wrk itself asks for the first one before it sends anything, to see whether it is well-formed.
local tried = false

function request()
  if not tried then
    tried = true
    return requests[1]
  end
  if began == 0 then
    began = now()
  end
  at = at + 1
  if at > many then
    if once then
      if ran_out == 0 then
        ran_out = now()
      end
      wrk.thread:stop()
      return requests[many]
    end
    at = 1
  end
  sent = sent + 1
  return requests[at]
end

function done(summary, latency, _)
  local thread = threads[1]
  local answered, seconds = summary.requests, summary.duration / 1e6
  if thread:get("ran_out") > 0 then
    seconds = thread:get("ran_out") - thread:get("began")
  end
  local errors = summary.errors
  io.write(string.format(
    '{"answered": %d, "per_second": %.1f, "p50_ms": %.4f, "p99_ms": %.4f, "refused": %d, "broken": %d}\n',
    answered, answered / seconds, latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
