-- Drift: a batch's rows against the profile of its model, counted bin by bin. `K.drift_counts(id)` has the counts of the
-- parts, four bytes each: for each column those of its bins, of missing values and of unseen ones. `K.profile(model)` has
-- the same of the sample (rowcast/models/drift/profile.py), and is shared by all jobs of the version. When the job has
-- been scored, both become the job's drift, `K.drift(id)`: JSON, or '' if too few rows were counted.

-- Returns the version whose profile counts: of two models the first.
local function compared_model(id) return string.match(redis.call('HGET', K.job(id), F.model), '^[^,]+') end

-- Keeps the profile of a job's model until it was not used for PROFILE_SECONDS. Returns whether Redis has it now.
local function keep_profile(id, profile)
  local target = K.profile(compared_model(id))
  if profile ~= '' then redis.call('SET', target, profile, 'EX', PROFILE_SECONDS) end
  local left_ms = redis.call('PTTL', target)
  if left_ms >= 0 and left_ms < PROFILE_SECONDS * 1000 / 2 then redis.call('EXPIRE', target, PROFILE_SECONDS) end
  return left_ms >= 0
end

-- Adds the counts of a part. Several are unpacked in one call, because each call costs more than an addition.
local function add_drift_counts(id, counts)
  local before, sums, at, size = redis.call('GET', K.drift_counts(id)), {}, 1, 4
  if not before then return redis.call('SET', K.drift_counts(id), counts) end
  while at <= #counts do
    local some = math.min(200, (#counts - at + 1) / size)
    local format = '<' .. string.rep('I4', some)
    local one, other = {struct.unpack(format, before, at)}, {struct.unpack(format, counts, at)}
    for place = 1, some do one[place] = one[place] + other[place] end
    sums[#sums + 1] = struct.pack(format, unpack(one, 1, some))
    at = at + some * size
  end
  redis.call('SET', K.drift_counts(id), table.concat(sums))
end

-- Returns PSI = Σ (s - e) · ln(s / e) over the bins, where e and s are the shares of sample and batch in a bin, each at
-- least LEAST_SHARE. `rows` and `sample_rows` are those of all bins together.
local function psi_of(seen, rows, expected, sample_rows)
  local psi = 0
  for bin, count in ipairs(expected) do
    local e, s = math.max(count / sample_rows, LEAST_SHARE), math.max(seen[bin] / rows, LEAST_SHARE)
    psi = psi + (s - e) * math.log(s / e)
  end
  return psi
end

-- Returns the counts of one column, from the byte `at` on, and where those of the next one begin.
local function column_counts(packed, at, bins)
  local counts = {struct.unpack('<' .. string.rep('I4', bins + 1), packed, at)}
  return counts, table.remove(counts) -- struct.unpack also returns where it ended
end

-- Returns every counted column of a batch with its PSI, the largest first, and the number of rows.
local function compared_columns(packed, profile)
  local columns, at, most_rows = {}, 1, 0
  for place, column in ipairs(profile.columns) do
    local name, is_prediction, knows_unseen, expected = unpack(column)
    local seen
    seen, at = column_counts(packed, at, #expected)
    local unseen = table.remove(seen)
    local rows = 0
    for _, count in ipairs(seen) do rows = rows + count end
    most_rows = math.max(rows, most_rows)
    if rows > 0 then
      columns[#columns + 1] = {
        name = name, of = is_prediction == 1 and 'prediction' or 'feature', counts = seen,
        psi = psi_of(seen, rows, expected, profile.rows), unseen = knows_unseen == 1 and unseen or -1, place = place,
      }
    end
  end
  table.sort(columns, function(one, other)
    if one.psi ~= other.psi then return one.psi > other.psi end
    return one.place < other.place
  end)
  return columns, most_rows
end

-- Compares a batch that is scored, once, and drops its counts. Returns its drift, or nil if it has none.
local function compare_with_profile(id)
  local known, packed = redis.call('GET', K.drift(id)), redis.call('GET', K.drift_counts(id))
  if known then return known ~= '' and cjson.decode(known) or nil end
  if not packed then return nil end
  local model = compared_model(id)
  local profile = cjson.decode(redis.call('GET', K.profile(model)) or '{"columns": []}')
  local columns, rows = compared_columns(packed, profile)
  redis.call('DEL', K.drift_counts(id))
  if rows < LEAST_DRIFT_ROWS then
    redis.call('SET', K.drift(id), '')
    return nil
  end
  local compared = #columns
  for place = DRIFT_FEATURES_KEPT + 1, compared do columns[place] = nil end
  local drift = {
    model = model, job = id, at_ms = format_integer(now_ms()), rows = rows, sample_rows = profile.rows,
    compared = compared, columns = columns}
  local document = cjson.encode(drift)
  redis.call('SET', K.drift(id), document)
  redis.call('HSET', K.last_drift(), model, document)
  return drift
end

-- Compares a batch that is scored. Returns the problem if it must not have drifted and has; otherwise nil.
local function drifted_problem(id)
  local drift, most = compare_with_profile(id), redis.call('HGET', K.job(id), F.fail_if_drift)
  if not drift or not most then return nil end
  local named, drifted = {}, 0
  for _, column in ipairs(drift.columns) do
    if column.psi < tonumber(most) then break end
    drifted = drifted + 1
    if drifted <= DRIFT_FEATURES_NAMED then
      named[drifted] = string.format("'%s' (PSI %.3f)", column.name, column.psi)
    end
  end
  if drifted == 0 then return nil end
  local others = drifted > #named and string.format(' and %d others', drifted - #named) or ''
  return problem('drifted', string.format(
    "The batch differs from the sample of %s, and the job allows a PSI below %s: %s%s.",
    drift.model, most, table.concat(named, ', '), others))
end
