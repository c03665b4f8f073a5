-- One publication: counted, kept and told, or none of it. Whoever hears offset n can read it.
-- KEYS: position, stream. ARGV: pub/sub name, epoch to begin with, publications kept, their ms,
-- the position's ms, payload, meta. Answers {epoch, offset}.
local position, stream = KEYS[1], KEYS[2]

-- What a stream without a position holds is of an epoch that nobody knows.
local function begin_epoch()
  redis.call('DEL', stream)
  redis.call('HSET', position, 'epoch', ARGV[2], 'offset', 0)
  return ARGV[2]
end

local function add(offset)
  local id = string.format('%.0f-0', offset)
  if ARGV[7] == '' then
    return redis.pcall('XADD', stream, 'MAXLEN', ARGV[3], id, 'p', ARGV[6])
  end
  return redis.pcall('XADD', stream, 'MAXLEN', ARGV[3], id, 'p', ARGV[6], 'm', ARGV[7])
end

local epoch = redis.call('HGET', position, 'epoch')
if not epoch or #epoch ~= 16 then epoch = begin_epoch() end
local offset = redis.call('HINCRBY', position, 'offset', 1)
local added = add(offset)
if type(added) == 'table' and added.err then
  if not string.find(added.err, 'equal or smaller', 1, true) then
    redis.call('HINCRBY', position, 'offset', -1)
    return added
  end
  -- The stream is ahead of its position: only one of them came back from a backup.
  epoch = begin_epoch()
  offset = redis.call('HINCRBY', position, 'offset', 1)
  added = add(offset)
  if type(added) == 'table' and added.err then return added end
end
redis.call('PEXPIRE', position, ARGV[5])
redis.call('PEXPIRE', stream, ARGV[4])
-- The envelope: relay/brokers/redis_envelope.h.
redis.call('PUBLISH', ARGV[1],
  string.format('S1%s%016x%04x', epoch, offset, #ARGV[7]) .. ARGV[7] .. ARGV[6])
return {epoch, offset}
