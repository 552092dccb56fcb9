-- Hands a process the work that comes next: single rows, or the name of a chunk, which it then leases (lease_chunk.lua).
-- ARGV: holder, its pool, maximum number of rows, how long the process would linger (ms), then 'rows' and 'chunk', or one of
--       them: the kinds of work that it takes, in its order of preference.
-- Returns {'rows', NAME@VERSION, the answer of `lease_row` for each row} | {'chunk', JOB, CHUNK} | {'nothing'} |
-- {'lingering'}: no work of any kind waits, and the process is given the next row, of any model of its pool.
local holder, pool, most, linger_ms = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])

-- A row that has a strike is leased by itself: it may be what kills the processes that predict it.
local function lease_rows(entry)
  local leased, by_itself = {}, false
  while #leased < most and not by_itself do
    local id = redis.call('LPOP', K.waiting(entry))
    if not id then break end
    local row = row_to_lease(id)
    if row then
      by_itself = row.strikes and true or false
      if by_itself and #leased > 0 then
        redis.call('LPUSH', K.waiting(entry), id)
        break
      end
      leased[#leased + 1] = lease_row(row, holder)
    end
  end
  if redis.call('LLEN', K.waiting(entry)) > 0 then line_up('models', entry) end
  return leased
end

local take = {}

function take.rows()
  local entry = serve('models', pool)
  while entry do
    local leased = lease_rows(entry)
    if #leased > 0 then
      local _, model = split_prefix(entry)
      return {'rows', model, unpack(leased)}
    end
    entry = serve('models', pool)
  end
end

function take.chunk()
  local member = serve('chunks', pool)
  return member and {'chunk', split_member(member)}
end

local taken
for index = 5, #ARGV do taken = taken or take[ARGV[index]]() end
local rows_are_left, chunks_are_left = rows_wait(pool), chunks_wait(pool) -- for another process
if rows_are_left then call_process('models', pool) end
if chunks_are_left then call_process('chunks', pool) end
if taken then return taken end
if rows_are_left or chunks_are_left or linger_ms == 0 then return {'nothing'} end
redis.call('DEL', K.wake(holder))
redis.call('ZADD', lingering_of_pool(pool), format_integer(now_ms() + linger_ms), holder)
return {'lingering'}
