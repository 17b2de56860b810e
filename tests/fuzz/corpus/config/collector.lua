limits { timeout = "2s", memory = "32MB" }
collector "queue" { interval = "10s", instance = "name", help = "x", timeout = 3, memory = 5e6,
	metrics = { depth = { kind = "counter", unit = "jobs", help = "h", decimals = 2 }, age = {} },
	sample = function() return { a = { depth = 1, age = true }, [2] = {} } end }
collector "load" { metrics = { "one", "five" }, sample = function() return { one = pindrop.get("cpu.usage"), five = 1/0 } end }
aggregate "a" { of = "queue.depth", fn = function(w) return w:p(95) + w:avg() + #w.values end, over = "1h", format = function(v) return v .. "x" end }
aggregate "b" { of = "load.one", fn = "eta", to = 100, over = 90 }
aggregate "c" { of = "disk.space.used_percent", instance = "/", fn = "p99.9", format = "%.1f%%" }
