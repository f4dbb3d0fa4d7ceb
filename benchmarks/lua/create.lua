-- POST a published post of a random one of the people whose tokens are in a file.

dofile("figures.lua")

local tokens, path
local body = string.rep("The quiet market of York crossed the old bridge. 서울에서 시장을 보고 왔다. ", 6)

function init(arguments)
    begin()
    tokens, path = lines_of(arguments[1]), arguments[2]
end

function request()
    local headers = {
        ["Authorization"] = "Bearer " .. tokens[math.random(#tokens)],
        ["Content-Type"] = "application/json",
    }
    local title = "Post " .. math.random(1000000)
    local post = string.format('{"title": "%s", "body": "%s", "is_published": true}', title, body)
    return wrk.format("POST", path, headers, post)
end
