-- Walk through a list by cursor, each thread from another moment on. For one connection in each thread.

dofile("figures.lua")

local list, path

function init(arguments)
    begin()
    list = arguments[1]
end

function request()
    if not path then
        local year = 365 * 86400
        local start = moment(os.time() - 2 * year, os.time())
        path = list .. "?cursor=&sort=-created_at&created_before=" .. start
    end
    return wrk.format("GET", path)
end

function response(_, _, body)
    path = body:match('"next": ?"([^"]+)"')
end
