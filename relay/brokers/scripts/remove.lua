-- A channel's history is removed: its epoch ends, so that nobody takes what comes for what follows.
-- Who is subscribed hears an envelope of offset 0, that nothing was published in: else the next publication would be the first
-- word of the new epoch, and lost to them. KEYS: position, stream. ARGV: epoch to begin with, the position's ms, pub/sub name.
-- Answers {epoch, 0}.
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'offset', 0)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('PUBLISH', ARGV[3], string.format('S1%s%016x%04x', ARGV[1], 0, 0))
return {ARGV[1], 0}
