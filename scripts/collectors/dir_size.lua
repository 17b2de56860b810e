-- How much is in directories: the bytes of all files below each, and how many those are. Other file systems do not
-- count.
--
--     require "dir_size" { directories = { "/var/log", "/home" }, interval = "5m" }
--
-- A directory is walked through at each interval, so that this costs as much as `find` does.

-- One line for each file: its size. find ends with 1 where it was not let in somewhere; the rest counts.
local function walk(directory)
	local text, words, status, printed = pindrop.run({ "find", directory, "-xdev", "-type", "f", "-printf", "%s\\n" })
	if not text and status ~= 1 then error(words) end

	local bytes, files = 0, 0
	for size in (text or printed):gmatch("%d+") do
		bytes = bytes + tonumber(size)
		files = files + 1
	end
	return { bytes = bytes, files = files }
end

return function(options)
	collector(options.name or "dir_size") {
		interval = options.interval or "5m",
		timeout = options.timeout or "1m",
		instance = "directory",
		metrics = {
			bytes = { unit = "bytes", help = "of all files" },
			files = { unit = "files", help = "how many" },
		},
		sample = function()
			local all = {}
			for _, directory in ipairs(options.directories) do
				-- One that is not there (any more) is no error: it is unknown.
				if pindrop.run({ "test", "-d", directory }) then all[directory] = walk(directory) end
			end
			return all
		end,
	}
end
