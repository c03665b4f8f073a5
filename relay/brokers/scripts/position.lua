-- Where a channel's history stands; it begins here if it has not yet. A history that stands before
-- what was heard of it has lost its end (a crash, a fail-over): its next offsets would be told twice
-- with different publications, so a new epoch begins.
-- KEYS: position, stream. ARGV: epoch to begin with, the position's ms, epoch and offset heard
-- ('' and 0: none). Answers {epoch, offset}.
local found = redis.call('HMGET', KEYS[1], 'epoch', 'offset')
local epoch, offset = found[1], tonumber(found[2] or 0) or 0
if epoch and #epoch ~= 16 then epoch = false end
if not epoch or (epoch == ARGV[3] and offset < tonumber(ARGV[4])) then
  epoch, offset = ARGV[1], 0
  redis.call('DEL', KEYS[2])
  redis.call('HSET', KEYS[1], 'epoch', epoch, 'offset', offset)
end
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) / 2 then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return {epoch, offset}
