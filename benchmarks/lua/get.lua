-- GET a random one of the paths in a file. {past} and {noise} in it become something else each time.
-- A second file has tokens, of which each request gets one; a third argument is an ETag that the caller has already.

dofile("figures.lua")

local paths, tokens, tag
local marks = {".", "!", "~", "*"}

local function noise()
    local made = {"%20"}
    for place = 2, 13 do
        made[place] = marks[math.random(#marks)]
    end
    return table.concat(made)
end

local function past()
    return moment(0, 946684800) -- until 2000
end

function init(arguments)
    begin()
    paths = lines_of(arguments[1])
    tokens = arguments[2] and arguments[2] ~= "" and lines_of(arguments[2])
    tag = arguments[3]
end

function request()
    local path = paths[math.random(#paths)]:gsub("{noise}", noise):gsub("{past}", past)
    local headers = {["If-None-Match"] = tag}
    if tokens then
        headers["Authorization"] = "Bearer " .. tokens[math.random(#tokens)]
    end
    return wrk.format("GET", path, headers)
end
