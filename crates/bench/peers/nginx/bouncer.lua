-- A bouncer in the form that CrowdSec's for nginx has in stream mode: decisions are in a shared dictionary, by
-- network and length, and a client is looked up once for each length. That one tries all lengths; this one only
-- those that the list has, which is cheaper.
local blocked = ngx.shared.blocked
local bouncer = {}
local lengths = {}

local function number_of(address)
    local a, b, c, d = address:match("^(%d+)%.(%d+)%.(%d+)%.(%d+)$")
    if not a then
        return nil
    end
    return ((a * 256 + b) * 256 + c) * 256 + d
end

local function key_of(number, length)
    local size = 2 ^ (32 - length)
    return "ipv4_" .. length .. "_" .. (number - number % size)
end

function bouncer.load(path)
    local seen = {}
    for line in io.lines(path) do
        local address, length = line:match("^([%d.]+)/?(%d*)")
        local number = address and number_of(address)
        if number then
            length = tonumber(length) or 32
            if not seen[length] then
                seen[length] = true
                table.insert(lengths, length)
            end
            assert(blocked:safe_set(key_of(number, length), true))
        end
    end
end

function bouncer.is_blocked(address)
    local number = number_of(address)
    if not number then
        return false
    end
    for _, length in ipairs(lengths) do
        if blocked:get(key_of(number, length)) then
            return true
        end
    end
    return false
end

return bouncer
