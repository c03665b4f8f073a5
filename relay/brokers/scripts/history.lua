-- What a channel's history holds, and where it stands, of one moment.
-- KEYS: position, stream. ARGV: epoch and offset to begin behind ('': none), publications at most,
-- '1': newest first, '1': of another epoch all (else nothing), bytes of the answer that are enough,
-- bytes of a payload at most, of a meta at most. Answers {epoch, offset, then offset, payload, meta of
-- each}; without a history {'', 0}.
local kOffsetMax = 9007199254740990  -- whole numbers in a double

local found = redis.call('HMGET', KEYS[1], 'epoch', 'offset')
if not found[1] then return {'', 0} end
local answer = {found[1], tonumber(found[2] or 0) or 0}
local limit, reverse = tonumber(ARGV[3]), ARGV[4] == '1'
local first, last = '-', '+'
local other = ARGV[2] ~= '' and ARGV[1] ~= found[1]
if other and ARGV[5] ~= '1' then return answer end
if ARGV[2] ~= '' and not other then
  local since = tonumber(ARGV[2])
  if reverse then
    if since <= 1 then return answer end
    if since <= kOffsetMax then last = string.format('%.0f', since - 1) end
  else
    if since >= kOffsetMax then return answer end
    first = string.format('%.0f', since + 1)
  end
end

local function fields(list)
  local payload, meta = nil, ''
  for i = 1, #list, 2 do
    if list[i] == 'p' then payload = list[i + 1] end
    if list[i] == 'm' then meta = list[i + 1] end
  end
  return payload, meta
end

-- By pieces of about the bytes that are still wanted: an entry may have 16 MiB.
local bytes_max = tonumber(ARGV[6])
local payload_max, meta_max = tonumber(ARGV[7]), tonumber(ARGV[8])
local bytes, seen, count = 0, 0, 1
while limit > 0 and bytes < bytes_max do
  local asked = math.min(count, limit)
  local entries
  if reverse then
    entries = redis.call('XREVRANGE', KEYS[2], last, first, 'COUNT', asked)
  else
    entries = redis.call('XRANGE', KEYS[2], first, last, 'COUNT', asked)
  end
  local id
  for _, entry in ipairs(entries) do
    local number, rest = string.match(entry[1], '^(%d+)%-(%d+)$')
    id = tonumber(number)
    local payload, meta = fields(entry[2])
    -- What nobody of us has written, or no link carries, is missing.
    if rest == '0' and payload and #payload <= payload_max and #meta <= meta_max then
      answer[#answer + 1] = id
      answer[#answer + 1] = payload
      answer[#answer + 1] = meta
    end
    seen = seen + 1
    bytes = bytes + 64 + #(payload or '') + #meta
  end
  limit = limit - #entries
  if #entries < asked then break end
  if reverse then
    if id < 1 then break end
    last = string.format('%.0f', id - 1)
  else
    first = string.format('%.0f', id + 1)
  end
  count = math.max(1, math.min(128, math.floor((bytes_max - bytes) * seen / bytes)))
end
return answer
