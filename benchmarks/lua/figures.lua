-- Shared by the others: another sequence of random numbers for each thread and run, and figures in JSON.

local threads = 0

function setup(thread)
    threads = threads + 1
    thread:set("seed", os.time() * 64 + threads)
end

function begin()
    math.randomseed(seed)
end

-- A line of the file for each element.
function lines_of(name)
    local found = {}
    for line in io.lines(name) do
        found[#found + 1] = line
    end
    return found
end

-- A moment between those two, in seconds since 1970.
function moment(first, last)
    return os.date("!%Y-%m-%dT%H:%M:%SZ", math.random(first, last))
end

function done(summary, latency)
    local errors = summary.errors
    local failed = errors.status + errors.connect + errors.read + errors.write + errors.timeout
    print(string.format(
        '{"requests": %d, "errors": %d, "rate": %.3f, "p50": %.3f, "p99": %.3f}',
        summary.requests, failed, summary.requests * 1e6 / summary.duration,
        latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
