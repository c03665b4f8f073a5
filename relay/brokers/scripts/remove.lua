-- A channel's history is removed: its epoch ends, so that nobody takes what comes for what follows.
-- KEYS: position, stream. ARGV: epoch to begin with, the position's ms. Answers {epoch, 0}.
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'offset', 0)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return {ARGV[1], 0}
