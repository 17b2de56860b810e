-- How many lines are written to a log file, and how many of them match a pattern of Lua: counters, shown a second.
--
--     require "log_rate" { name = "nginx_errors", file = "/var/log/nginx/access.log", pattern = '" 5%d%d ' }
--
-- What stands there already is not counted. The file may be rotated, in either way: where another has taken its place,
-- or it was cut, the old one is read to its end first.

-- What a file begins with tells it from the one that takes its place: lines of logs begin with the time.
local HEAD = 256

local function follow(path)
	local file, rest = assert(io.open(path)), ""
	local head, place = file:read(HEAD) or "", file:seek("end")

	local function read(each)
		file:seek("set", place) -- also past what was its end
		for part in file:lines("L") do
			place = place + #part
			rest = rest .. part
			if part:sub(-1) == "\n" then
				each(rest)
				rest = ""
			end
		end
	end

	-- Calls each(line) for every line that has come since the last time.
	return function(each)
		read(each)
		local now = io.open(path)
		if not now then return end -- it is being rotated
		local begins = now:read(HEAD) or ""
		if begins:sub(1, #head) == head and now:seek("end") >= place then
			now:close()
		else
			file:close()
			file, place, rest = now, 0, ""
			read(each)
		end
		head = begins
	end
end

return function(options)
	local read, counts = nil, { lines = 0, matches = 0 }
	local function count(line)
		counts.lines = counts.lines + 1
		if line:find(options.pattern or "") then counts.matches = counts.matches + 1 end
	end

	collector(options.name or "log_rate") {
		interval = options.interval or "10s",
		metrics = {
			lines = { kind = "counter", unit = "lines", help = "written" },
			matches = { kind = "counter", unit = "lines", help = "that match the pattern" },
		},
		sample = function()
			read = read or follow(options.file)
			read(count)
			return counts
		end,
	}
end
