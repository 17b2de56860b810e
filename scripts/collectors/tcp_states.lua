-- How many TCP sockets are in which state, IPv4 and IPv6 together.
--
--     require "tcp_states" { interval = "10s" }
--
-- Each socket is a line of /proc/net/tcp; its fourth column is the state, in hexadecimal (proc_net(5)):
--
--       sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  …
--        0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0  …

-- As Linux numbers them, from 1 (include/net/tcp_states.h).
local states = {
	"established", "syn_sent", "syn_recv", "fin_wait1", "fin_wait2", "time_wait",
	"close", "close_wait", "last_ack", "listen", "closing",
}

local function count(text, counts)
	for state in text:gmatch("\n%s*%d+: %x+:%x+ %x+:%x+ (%x%x)") do
		local name = states[tonumber(state, 16)]
		if name then counts[name] = counts[name] + 1 end
	end
end

return function(options)
	options = options or {}
	local metrics = {}
	for _, state in ipairs(states) do metrics[state] = { unit = "sockets" } end

	collector(options.name or "tcp_states") {
		interval = options.interval or "10s",
		metrics = metrics,
		sample = function()
			local counts = {}
			for _, state in ipairs(states) do counts[state] = 0 end
			count(assert(pindrop.read("/proc/net/tcp")), counts)
			count(pindrop.read("/proc/net/tcp6") or "", counts) -- not there without IPv6
			return counts
		end,
	}
end
