-- In which states the units of systemd are, above all: how many have failed.
--
--     require "systemd_units" { interval = "30s" }
--     aggregate "failed_units" { of = "systemd_units.failed", fn = "max", over = "1h" }
--
-- Each unit is a line of `systemctl list-units`: its name, whether it was loaded, and its state.
--
--     ssh.service      loaded active   running OpenBSD Secure Shell server
--     backup.service   loaded failed   failed  Nightly backup

local command = { "systemctl", "list-units", "--all", "--plain", "--no-legend", "--no-pager", "--full" }
local states = { "active", "reloading", "inactive", "failed", "activating", "deactivating" }

return function(options)
	options = options or {}
	local metrics = { total = { unit = "units" } }
	for _, state in ipairs(states) do metrics[state] = { unit = "units" } end

	collector(options.name or "systemd_units") {
		interval = options.interval or "30s",
		metrics = metrics,
		sample = function()
			local counts = { total = 0 }
			for _, state in ipairs(states) do counts[state] = 0 end
			for state in assert(pindrop.run(command)):gmatch("%S+ +%S+ +(%l+) [^\n]*") do
				counts.total = counts.total + 1
				if counts[state] then counts[state] = counts[state] + 1 end -- "maintenance" is only in the total
			end
			return counts
		end,
	}
end
