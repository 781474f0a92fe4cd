"""What happens in Redis in one step. A script is carried out whole or not at all, and stands in the append-only file as one transaction.

Keys, in this order: queue (the stream of what has not ended), ends (a row for each end), dead (dead letters), job (the hash of one).
"""

_NOW = "local time = redis.call('TIME')\nlocal now = time[1] * 1000 + math.floor(time[2] / 1000)\n"
_END = """
local function ended(state, result, attempts)
  redis.call('HSET', KEYS[4], 'state', state, 'result', result, 'ended_ms', now)
  redis.call('EXPIRE', KEYS[4], ARGV[4])
  local accepted, cancelled = redis.call('HGET', KEYS[4], 'accepted_ms'), redis.call('HEXISTS', KEYS[4], 'cancelled_ms')
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', 1000000, '*', 'id', ARGV[3], 'state', state, 'attempts', attempts,
             'accepted_ms', accepted, 'ended_ms', now, 'cancelled', cancelled)
end
local function away()
  redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
  redis.call('XDEL', KEYS[1], ARGV[2])
end
local function letter(reason, attempts)
  redis.call('XADD', KEYS[3], 'MAXLEN', '~', 10000, '*', 'id', ARGV[3], 'entry', ARGV[2], 'reason', reason, 'attempts', attempts)
end
local state = redis.pcall('HGET', KEYS[4], 'state')
local unreadable = type(state) == 'table'
local over = state == 'done' or state == 'failed' or state == 'dead'
"""

SUBMIT = (
    _NOW
    + """
-- id, request, limit
local known = redis.call('HGET', KEYS[4], 'request')
if known then return known == ARGV[2] and 'accepted' or 'other' end
if redis.call('XLEN', KEYS[1]) >= tonumber(ARGV[3]) then return 'full' end
redis.call('HSET', KEYS[4], 'request', ARGV[2], 'state', 'queued', 'accepted_ms', now)
redis.call('XADD', KEYS[1], '*', 'id', ARGV[1])
return 'accepted'
"""
)
"""Accept a job, if there is room. The same id and request again: it was accepted before, so it is told so again."""

BEGIN = (
    _NOW
    + _END
    + """
-- group, entry, id, ttl of results, most attempts
if unreadable then letter('its job cannot be read', 0); away(); return {'away', 0} end
if not redis.call('HGET', KEYS[4], 'request') then letter('no job of this id', 0); away(); return {'away', 0} end
if over then away(); return {'away', 0} end
local attempts = redis.call('HINCRBY', KEYS[4], 'attempts', 1)
if attempts > tonumber(ARGV[5]) then
  attempts = attempts - 1
  redis.call('HSET', KEYS[4], 'attempts', attempts)
  letter('work on it was begun ' .. attempts .. ' times and never came to an end', attempts)
  ended('dead', '', attempts)
  away()
  return {'away', attempts}
end
redis.call('HSET', KEYS[4], 'state', 'running')
return {'work', attempts, redis.call('HGET', KEYS[4], 'request')}
"""
)
"""Count a delivery before work begins; one too many, or one without a job, becomes a dead letter instead."""

END = (
    _NOW
    + _END
    + """
-- group, entry, id, ttl of results, state, result
away()
if over or unreadable or not state then return 0 end
ended(ARGV[5], ARGV[6], redis.call('HGET', KEYS[4], 'attempts'))
return 1
"""
)
"""End a job, if nobody else has: an id ends once, however many worked on it."""

CANCEL = (
    _NOW
    + """
local state = redis.call('HGET', KEYS[4], 'state')
if not state then return 0 end
if state == 'queued' or state == 'running' then redis.call('HSETNX', KEYS[4], 'cancelled_ms', now) end
return 1
"""
)
"""Note that the client does not wait any more. The job is done nevertheless, and can be fetched."""

RENEW = """
-- group, entry, consumer
local held = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1, ARGV[3])
if #held == 0 then return 0 end
redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[3], 0, ARGV[2], 'JUSTID')
return 1
"""
"""Say that a consumer is still at work on an entry; 0: it was given to another one."""

RELEASE = """
-- group, entry, consumer, idle (ms)
local held = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1, ARGV[3])
if #held == 0 then return 0 end
redis.call('HINCRBY', KEYS[4], 'attempts', -1)
redis.call('HSET', KEYS[4], 'state', 'queued')
redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[3], 0, ARGV[2], 'IDLE', ARGV[4], 'JUSTID')
return 1
"""
"""Give an entry back on which no work was done: it does not count as a delivery, and the next one who looks takes it."""

TIDY = """
-- group, idle (ms)
local gone = 0
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  if consumer[4] == 0 and consumer[6] > tonumber(ARGV[2]) then
    gone = gone + 1
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], consumer[2])
  end
end
return gone
"""
"""Forget consumers that hold nothing and were not heard of for long. One that holds something would take it along."""
