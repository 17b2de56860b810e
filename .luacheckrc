-- What pindrop offers to its configuration.
std = "lua54"
globals = { "agent", "retention", "purge", "plugin", "aggregate", "collector" }
