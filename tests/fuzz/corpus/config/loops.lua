local co = coroutine.wrap(function() while true do coroutine.yield(1) end end)
for i = 1, 3 do plugin "disk" { limit = i, exclude = { "^/a" }, size = "2kB", wait = "5s", text = ("x"):upper() } end
local t = {} t.t = t
pcall(error, t) xpcall(co, error)
agent { listen = "[::1]:0", interval = 0.5, root = "/x", data_dir = "d", t = t }
retention { { step = "1s", keep = "6h" }, { step = 60, keep = "14d" } }
store { rrdcached = "unix:/a", journal = "20MB" } purge { after = 0, max_size = 1 }
while true do end