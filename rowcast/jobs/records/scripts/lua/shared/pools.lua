-- Pools of workers. The default pool is called '', and its keys are those without a pool's name. What another pool has of its
-- own is called after it: keys, and with a colon the lines of its chunks, their rounds, and its models with rows.

-- Returns what the names of a pool's lines begin with.
local function prefix_of_pool(pool) return pool == '' and '' or pool .. ':' end

-- Returns the pool and the rest of such a name.
local function split_prefix(name)
  local pool, rest = string.match(name, '^([^:]*):(.*)$')
  return pool or '', rest or name
end

local function owners_of_pool(pool) return pool == '' and K.ready_owners() or K.pool_owners(pool) end

local function models_of_pool(pool) return pool == '' and K.ready_models() or K.pool_models(pool) end

local function lingering_of_pool(pool) return pool == '' and K.lingering() or K.pool_lingering(pool) end
