-- Temperatures, in degrees Celsius, of all sensors that Linux knows: one instance each, as "coretemp Core 0".
--
--     require "temperature" { interval = "10s" }
--
-- A chip is a folder of /sys/class/hwmon: its `name`, and for each sensor `temp1_input`, in thousandths of a degree,
-- and perhaps `temp1_label`. Boards without such chips have /sys/class/thermal: `type` and `temp` of each zone.

local function line(path)
	local text = pindrop.read(path)
	return text and text:match("[^\n]+")
end

-- A sensor that cannot be read now (a disk that sleeps) is unknown. Two of the same name are told apart by a number.
local function add(all, name, path)
	local unique, number = name, 1
	while all[unique] do
		number = number + 1
		unique = name .. " " .. number
	end
	local value = tonumber(line(path))
	all[unique] = { celsius = value and value / 1000 }
end

return function(options)
	options = options or {}

	collector(options.name or "temperature") {
		interval = options.interval or "10s",
		instance = "sensor",
		metrics = { celsius = { unit = "celsius", help = "what the sensor shows" } },
		sample = function()
			local all = {}
			for _, path in ipairs(pindrop.glob("/sys/class/hwmon/hwmon*/temp*_input")) do
				local folder, sensor = path:match("^(.*)/(temp%d+)_input$")
				local chip = line(folder .. "/name") or folder:match("[^/]+$")
				add(all, chip .. " " .. (line(folder .. "/" .. sensor .. "_label") or sensor), path)
			end
			for _, path in ipairs(pindrop.glob("/sys/class/thermal/thermal_zone*/temp")) do
				local folder = path:match("^(.*)/temp$")
				add(all, line(folder .. "/type") or folder:match("[^/]+$"), path)
			end
			return all
		end,
	}
end
