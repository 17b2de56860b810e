-- pindrop.lua: what is sampled, how often, how long it is kept, and what is told about the past.
-- Save it, and the running agent does what it says; mistakes change nothing, and are told in the log and at
-- /health. Every line has a default: an empty file is a working agent. `pindrop describe` lists all that can
-- be written here, `pindrop check` finds mistakes. It is Lua: variables, loops and os.getenv() work.

agent {
	listen = "127.0.0.1:8080", -- this machine only; port 0 lets the kernel choose
	data_dir = "data", -- relative to this file
	interval = "1s", -- of every plugin that says none
	flush = "10s", -- how often samples are written to the RRD files
}

-- One row a second for six hours, then one a minute for two weeks, then one an hour for two years.
retention {
	{ step = "1s", keep = "6h" },
	{ step = "1m", keep = "14d" },
	{ step = "1h", keep = "2y" },
}

-- Files of what has vanished go after a month, or sooner where the room is needed.
purge { after = "30d", max_size = "1GB" }

plugin "cpu" { per_core = false }
plugin "memory" {}
plugin "disk" { interval = "5s", exclude = { "^/snap/" } }

-- What /get_stats shows under past_stat. fn: min max avg sum last count stddev p50 … p99.9, eta (when it will
-- reach a value), or a function; over: "service" (since the last start), or a time as "1h", "24h", "7d".
aggregate "avg_cpu_usage" { of = "cpu.usage", fn = "avg", over = "service", format = "%.1f%%" }
aggregate "max_cpu_usage" { of = "cpu.usage", fn = "max", over = "service", format = "%.1f%%" }
aggregate "min_mem_usage" { of = "memory.vm.percent", fn = "min", over = "service", format = "%.1f%%" }
aggregate "avg_mem_usage" { of = "memory.vm.percent", fn = "avg", over = "service", format = "%.1f%%" }
aggregate "max_mem_usage" { of = "memory.vm.percent", fn = "max", over = "service", format = "%.1f%%" }
aggregate "max_disk_usage" { of = "disk.space.used_percent", fn = "max", over = "service", format = "%.0f%%" }

-- Something of your own, with history like all else:
-- collector "queue" { interval = "10s", metrics = { "depth" }, sample = function()
-- 	return { depth = #pindrop.glob("/var/spool/jobs/*") }
-- end }
-- require "tcp_states" {} -- there are also: temperature, systemd_units, log_rate, dir_size
