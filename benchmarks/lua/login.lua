-- POST the right password of a random one of the first 1,000 people.

dofile("figures.lua")

local password, path

function init(arguments)
    begin()
    password, path = arguments[1], arguments[2]
end

function request()
    local headers = {["Content-Type"] = "application/json"}
    local who = string.format('{"email": "demo_%d@example.com", "password": "%s"}', math.random(1000), password)
    return wrk.format("POST", path, headers, who)
end
