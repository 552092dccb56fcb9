"""The scripts that Redis runs: their Lua source, a typed method for each, and what it returns."""
