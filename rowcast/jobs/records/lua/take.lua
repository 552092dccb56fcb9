-- Gives a process the work that comes next: single rows, or the name of a chunk, which it then leases (lease_chunk.lua).
-- ARGV: holder, rows at most, how long the process would linger (ms), then 'rows' and 'chunk', or one of them: what it
-- takes, and which of them first.
-- Answers {'rows', NAME@VERSION, what `lease_row` answers for each row} | {'chunk', JOB, CHUNK} | {'nothing'} | {'lingering'}:
-- no work of any kind waits, and the process is the one that is given the next row, whatever its model.
local holder, most, linger_ms = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])

-- A row that has a strike against it goes alone: it may be what kills those who touch it.
local function lease_rows(model)
  local leased, alone = {}, false
  while #leased < most and not alone do
    local id = redis.call('LPOP', K.waiting(model))
    if not id then break end
    local status, strikes = unpack(redis.call('HMGET', K.job(id), 'status', 'strikes'))
    if status and not ENDED[status] and MAY[status] and redis.call('HEXISTS', K.leases(), member(id, '0')) == 0 then
      alone = strikes and true or false
      if alone and #leased > 0 then
        redis.call('LPUSH', K.waiting(model), id)
        break
      end
      leased[#leased + 1] = lease_row(id, holder)
    end
  end
  if redis.call('LLEN', K.waiting(model)) > 0 then line_up('models', model) end
  return leased
end

local take = {}

function take.rows()
  local model = serve('models')
  while model do
    local leased = lease_rows(model)
    if #leased > 0 then return {'rows', model, unpack(leased)} end
    model = serve('models')
  end
end

function take.chunk()
  local this = serve('chunks')
  return this and {'chunk', string.match(this, '^(.*)/(%d+)$')}
end

local taken
for index = 4, #ARGV do taken = taken or take[ARGV[index]]() end
local rows_wait, chunks_wait = length('models') > 0, length('chunks') > 0
if rows_wait then call_for('models') end -- for what is left, another process
if chunks_wait then call_for('chunks') end
if taken then return taken end
if rows_wait or chunks_wait or linger_ms == 0 then return {'nothing'} end
redis.call('DEL', K.wake(holder))
redis.call('ZADD', K.lingering(), format_integer(now_ms() + linger_ms), holder)
return {'lingering'}
