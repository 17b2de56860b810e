-- What pindrop offers to its configuration.
std = "lua54"
globals = { "agent", "retention", "purge", "store", "limits", "plugin", "aggregate", "collector", "pindrop" }
