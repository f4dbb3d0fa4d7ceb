-- GET a random one of the paths in a file. {past} and {noise} in it become something else each time.

dofile("figures.lua")

local paths
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
end

function request()
    local path = paths[math.random(#paths)]:gsub("{noise}", noise):gsub("{past}", past)
    return wrk.format("GET", path)
end
