-- Who is in a channel: some changes, what has expired goes, and the answer is of that moment.
-- KEYS: presence (client -> "bytes of user:user info"), presence-users (user -> clients),
-- presence-expiry (client by ms). ARGV: ms that an entry stays, 'none' or 'counts' or 'entries',
-- entries at most, bytes that are enough, then of each change '1' (set) or '0', client, value.
-- Answers {clients, users, then client, value of each}.
local presence, users, expiry = KEYS[1], KEYS[2], KEYS[3]
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local function user_of(value)
  local colon = string.find(value, ':', 1, true) or 0
  local length = tonumber(string.sub(value, 1, colon - 1)) or 0
  return string.sub(value, colon + 1, colon + length)
end

local function leave_user(value)
  local user = user_of(value)
  if redis.call('HINCRBY', users, user, -1) <= 0 then redis.call('HDEL', users, user) end
end

local function clear(client)
  local value = redis.call('HGET', presence, client)
  redis.call('ZREM', expiry, client)
  if not value then return end
  redis.call('HDEL', presence, client)
  leave_user(value)
end

local function set(client, value)
  local old = redis.call('HGET', presence, client)
  redis.call('ZADD', expiry, now + ARGV[1], client)
  if old == value then return end
  redis.call('HSET', presence, client, value)
  if old and user_of(old) == user_of(value) then return end
  if old then leave_user(old) end
  redis.call('HINCRBY', users, user_of(value), 1)
end

local any_set = false
for i = 5, #ARGV, 3 do
  if ARGV[i] == '1' then
    set(ARGV[i + 1], ARGV[i + 2])
    any_set = true
  else
    clear(ARGV[i + 1])
  end
end
repeat
  local gone = redis.call('ZRANGEBYSCORE', expiry, '-inf', now, 'LIMIT', 0, 1000)
  for _, client in ipairs(gone) do clear(client) end
until #gone < 1000
if any_set then
  for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[1]) end
end

if ARGV[2] == 'none' then return 0 end
local answer = {redis.call('HLEN', presence), redis.call('HLEN', users)}
if ARGV[2] == 'counts' then return answer end
local left, bytes_max, bytes, from = tonumber(ARGV[3]), tonumber(ARGV[4]), 0, 0
while left > 0 and bytes < bytes_max do
  local asked = math.min(left, 500)
  local clients = redis.call('ZRANGE', expiry, from, from + asked - 1)
  if #clients == 0 then break end
  local values = redis.call('HMGET', presence, unpack(clients))
  for i, client in ipairs(clients) do
    if values[i] then
      answer[#answer + 1] = client
      answer[#answer + 1] = values[i]
      bytes = bytes + #client + #values[i]
    end
  end
  from, left = from + #clients, left - #clients
end
return answer
