-- A job's log: what has happened to it, as JSON, the newest LOG_KEPT entries. A commit that goes well adds nothing, so a
-- job has about as many entries as it had troubles. rowcast/jobs/progress/job_log.py has the words of each event.

-- Adds an entry. `about` has what is known: chunk, worker, attempt, strikes, rows, chunks, detail.
local function note(id, event, about)
  about = about or {}
  about.at_ms, about.event = now_ms(), event
  if redis.call('RPUSH', K.log(id), cjson.encode(about)) > LOG_KEPT then redis.call('LTRIM', K.log(id), -LOG_KEPT, -1) end
end

-- Adds an entry, unless the newest one already says the same: an outage postpones every chunk, again and again.
local function note_once(id, event, about)
  local newest = redis.call('LINDEX', K.log(id), -1)
  newest = newest and cjson.decode(newest) or {}
  if newest.event ~= event or newest.detail ~= about.detail then note(id, event, about) end
end

-- Returns the `detail` of a problem as JSON, or nil.
local function detail_of(problem_json) return problem_json and cjson.decode(problem_json).detail or nil end
