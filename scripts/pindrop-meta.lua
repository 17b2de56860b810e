---@meta
-- What pindrop.lua may say, for editors with lua-language-server: completion, types, and help.
-- Made by `pindrop describe --lua` from the agent's own tables; with plugins of your own, make one for yourself.
-- luacheck: ignore

---@alias pindrop.duration number|string # seconds, or "100ms" "10s" "5m" "1h" "7d" "2y"
---@alias pindrop.size number|string # bytes, or "64kB" "500MB" "1GB" "64KiB"
---@alias pindrop.over pindrop.duration|"service"
---@alias pindrop.fn
---| "min"
---| "max"
---| "avg"
---| "sum"
---| "last"
---| "count"
---| "stddev"
---| "eta" # the time until it reaches `to`
---| "p50"
---| "p90"
---| "p95"
---| "p99"
---| "p99.9"
---| fun(w: pindrop.window): number|boolean|nil
---@alias pindrop.format string|fun(value: number): string|number|nil
---@alias pindrop.row table<string, number|boolean>
---@alias pindrop.metrics string[]|table<string, pindrop.metric>

---@alias pindrop.metric_name string
---| "cpu.usage" # time spent neither idle nor waiting for disks, since the last sample
---| "cpu.user" # in programs, guests included
---| "cpu.nice" # in programs of low priority
---| "cpu.system" # in the kernel
---| "cpu.idle" # doing nothing
---| "cpu.iowait" # doing nothing while a disk was waited for
---| "cpu.irq" # in interrupts
---| "cpu.softirq" # in soft interrupts
---| "cpu.steal" # taken by other guests of the host
---| "cpu.guest" # running guests
---| "cpu.guest_nice" # running guests of low priority
---| "cpu.core.usage" # time spent neither idle nor waiting for disks, since the last sample
---| "cpu.core.user" # in programs, guests included
---| "cpu.core.nice" # in programs of low priority
---| "cpu.core.system" # in the kernel
---| "cpu.core.idle" # doing nothing
---| "cpu.core.iowait" # doing nothing while a disk was waited for
---| "cpu.core.irq" # in interrupts
---| "cpu.core.softirq" # in soft interrupts
---| "cpu.core.steal" # taken by other guests of the host
---| "cpu.core.guest" # running guests
---| "cpu.core.guest_nice" # running guests of low priority
---| "disk.io.read_bytes" # read from the disk
---| "disk.io.write_bytes" # written to the disk
---| "disk.io.read_count" # reads that were completed
---| "disk.io.write_count" # writes that were completed
---| "disk.io.read_time" # that all reads took together
---| "disk.io.write_time" # that all writes took together
---| "disk.io.busy_time" # during which the disk had something to do
---| "disk.space.total" # size of the file system
---| "disk.space.used" # used by anybody
---| "disk.space.free" # free for everybody, without what is kept for root
---| "disk.space.used_percent" # used, of used and free
---| "disk.space.inodes" # files that there can be
---| "disk.space.inodes_free" # files that there can be still
---| "memory.vm.total" # physical memory
---| "memory.vm.available" # what programs can have without swapping
---| "memory.vm.used" # total without free, buffers and cached
---| "memory.vm.free" # used for nothing at all
---| "memory.vm.active" # used lately
---| "memory.vm.inactive" # not used lately
---| "memory.vm.buffers" # cached blocks of disks
---| "memory.vm.cached" # cached files, and slab that can be reclaimed
---| "memory.vm.shared" # shared memory and tmpfs
---| "memory.vm.slab" # the kernel's own structures
---| "memory.vm.percent" # what is not available, of the total
---| "memory.swap.total" # swap space
---| "memory.swap.used" # swap in use
---| "memory.swap.free" # swap not in use
---| "memory.swap.percent" # used, of the total
---| "memory.swap.sin" # read back from swap since boot
---| "memory.swap.sout" # written to swap since boot

---@class (exact) pindrop.agent
---@field listen? string # address and port of HTTP; "[::1]:8080" for IPv6, port 0 lets the kernel choose; default 127.0.0.1:8080
---@field data_dir? string # the folder of the RRD files, relative to the configuration; default data
---@field interval? pindrop.duration # how often plugins are sampled that say nothing; default 1s
---@field flush? pindrop.duration # how often samples are written to the RRD files; default 10s
---@field autostart? boolean # sample from the beginning; false waits for /start; default true
---@field root? string # where /proc, /sys and the mounts are: a container's host; default /

---The agent itself.
---@param options pindrop.agent
function agent(options) end

---@class (exact) pindrop.tier
---@field step pindrop.duration # the span of a row, whole seconds
---@field keep pindrop.duration # how long rows are kept

---How long rows are kept: a list of tiers, finest first.
---@param options pindrop.tier[]
function retention(options) end

---@class (exact) pindrop.purge
---@field after? pindrop.duration # how long files of vanished instances stay; default 30d
---@field max_size? pindrop.size # how large all files together may be; default 1GB

---When history goes.
---@param options pindrop.purge
function purge(options) end

---@class (exact) pindrop.store
---@field rrdcached? string # address of an rrdcached that writes the files: "unix:/run/rrdcached.sock"; without it pindrop does
---@field journal? pindrop.size # how large the journal may be: what a crash must not lose until it is in the RRD files; default 16MB

---How history is written.
---@param options pindrop.store
function store(options) end

---@class (exact) pindrop.limits
---@field timeout? pindrop.duration # how long a function may run; without it 1s for an aggregate's, see collector.timeout
---@field memory? pindrop.size # what the aggregates, and each collector, may allocate; default 64MB

---What functions may use.
---@param options pindrop.limits
function limits(options) end

---@class pindrop.plugin
---@field interval? pindrop.duration # how often this plugin is sampled; without it agent.interval

---processors: usage and times
---@class (exact) pindrop.plugin.cpu
---@field interval? pindrop.duration # how often this plugin is sampled; without it agent.interval
---@field per_core? boolean # also sample each core: cpu.core; default false

---disks and file systems
---@class (exact) pindrop.plugin.disk
---@field interval? pindrop.duration # how often this plugin is sampled; without it agent.interval
---@field exclude? string[] # mount points that are left out of disk.space
---@field network? boolean # add NFS, CIFS and FUSE mounts; default false

---memory and swap
---@class (exact) pindrop.plugin.memory
---@field interval? pindrop.duration # how often this plugin is sampled; without it agent.interval

---Loads a plugin, and sets its options.
---@overload fun(name: "cpu"): fun(options: pindrop.plugin.cpu)
---@overload fun(name: "disk"): fun(options: pindrop.plugin.disk)
---@overload fun(name: "memory"): fun(options: pindrop.plugin.memory)
---@param name string
---@return fun(options: pindrop.plugin)
function plugin(name) end

---@class (exact) pindrop.aggregate
---@field of pindrop.metric_name # the metric: "cpu.usage"
---@field instance? string # one instance: "/"; without it all together
---@field fn pindrop.fn # min max avg sum last count stddev, p50 … p99.9, eta, or a function of the window
---@field to? number # of fn = "eta": the value whose arrival is foreseen
---@field over? pindrop.over # "service" (since the last start) or a time: "24h"; default service
---@field format? pindrop.format # how past_stat writes it: "%.1f%%", or a function of the value; without it a number

---One number about the past, in past_stat.
---@param name string
---@return fun(options: pindrop.aggregate)
function aggregate(name) end

---@class (exact) pindrop.metric
---@field kind? "gauge"|"counter" # "gauge": goes up and down; "counter": a total that grows; default gauge
---@field unit? string # "bytes", "seconds", "percent", or a word of your own
---@field help? string # what it is, in a few words
---@field decimals? integer # how many decimals people are shown; default 3

---@class (exact) pindrop.collector
---@field interval? pindrop.duration # how often; without it agent.interval
---@field instance? string # what one of many is called ("disk"): sample returns { NAME = { … }, … }
---@field metrics pindrop.metrics # what it measures: { depth = { unit = "jobs" }, … }, or only names: { "depth", … }
---@field sample fun(): pindrop.row|table<string|integer, pindrop.row> # the function that measures, and returns { depth = 3, … }
---@field help? string # what it is about, in a few words
---@field timeout? pindrop.duration # how long sample may run; without it limits.timeout, or its interval from 1s to 10s
---@field memory? pindrop.size # what it may allocate; without it limits.memory

---Measures with a function; NAME.METRIC is a metric like any other.
---@param name string
---@return fun(options: pindrop.collector)
function collector(name) end

---What the function of an aggregate looks at.
---@class pindrop.window
---@field values number[] # the samples, oldest first; in a long window averages of neighbours
---@field times number[] # when each of them was, seconds since 1970
---@field over number # how long the window is, seconds; 0: since the last start
---@field unknown integer # how many samples are not known, and left out
local window = {}

---the smallest sample; nil where there is none
---@return number?
function window:min() end

---the largest sample
---@return number?
function window:max() end

---the average of all samples
---@return number?
function window:avg() end

---their sum
---@return number?
function window:sum() end

---the newest sample
---@return number?
function window:last() end

---how many samples are known
---@return integer
function window:count() end

---their standard deviation
---@return number?
function window:stddev() end

---a percentile of w.values: w:p(95)
---@param percent number
---@return number?
function window:p(percent) end

---@class (exact) pindrop.run_options
---@field timeout? pindrop.duration # default: what is left of the call's time

---What functions are offered beside Lua's own.
pindrop = {}

---a whole file, at most 16 MiB; absolute paths lie below agent.root, others beside pindrop.lua
---@param path string
---@return string? text, string? error
function pindrop.read(path) end

---for line in pindrop.lines(path) do … end; a file that cannot be read is an error
---@param path string
---@return fun(): string?
function pindrop.lines(path) end

---the paths that fit a pattern of the shell, sorted: "/sys/class/net/*"
---@param pattern string
---@return string[] paths
function pindrop.glob(pattern) end

---what a command prints, at most 16 MiB, without a shell; nil and why, where it fails
---@param command string[]
---@param options? pindrop.run_options
---@return string? text, string? error, integer? status, string? output
function pindrop.run(command, options) end

---the value of a JSON text; null is nil
---@param text string
---@return any value, string? error
function pindrop.json(text) end

---the newest value of a metric; nil where it is not known
---@param metric string
---@param instance? string
---@return number?
function pindrop.get(metric, instance) end

---one line to the agent's log
---@param ... any
function pindrop.log(...) end

