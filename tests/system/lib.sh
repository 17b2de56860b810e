# tests/system/lib.sh: what every system test begins with. It drives the real binary from outside and speaks TAP.
#
#   configure <<'END' … END   writes the agent's pindrop.lua; port 0 and a folder of its own are already in it
#   agent_start               starts the agent and returns when it serves: $agent (pid), $url, $log
#   agent_end [SIGNAL]        ends it; $status is its exit status
#   save <<'END' … END        puts another configuration in the place of that of now, as editors do, and returns when the
#                             log tells what came of it: $last
#   settled                   the same for what was saved in another way
#   clock_set SET [SLEPT]     the agent's clock is now ahead of the machine's by SET and SLEPT seconds, in all; an agent
#                             that is to see it starts after the first one (tests/preload/clock.c)
#   clock_drift SET [SLEPT]   the same, of which the kernel tells nobody
#   check NAME COMMAND …      one test case: the command's status decides
#
# shellcheck shell=bash
set -u -o pipefail
export LC_ALL=C
# What one test mounts is no other's: agents of tests that run beside it would sample it.
if [ -z "${OWN_MOUNTS-}" ] && unshare -m true 2>/dev/null; then
	export OWN_MOUNTS=1
	exec unshare -m "$0" "$@"
fi
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$(cd "$top" && cd "${BUILD:-build}" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/pindrop-test.XXXXXX")
log=$work/log
agent='' url='' status='' failures=0 saves=0 last=''
under=() # what the agent is started by
kept=() # commands that undo what a test did to the machine, last first

# How many mounts of real devices there are, by psutil (Debian's, for the system's Python): none in a bare container.
partitions() { /usr/bin/python3 -c 'import psutil; print(len({p.device for p in psutil.disk_partitions()}))'; }

undo() { kept=("$1" "${kept[@]}"); }

finish() {
	[ -n "$agent" ] && kill -KILL "$agent" 2>/dev/null
	for command in "${kept[@]}"; do eval "$command"; done
	if [ "$failures" -gt 0 ]; then
		echo "# the agent's log:"
		sed 's/^/# /' "$log" 2>/dev/null
	fi
	[ -n "${KEEP:-}" ] && echo "# kept: $work" || rm -rf "$work"
	[ "$failures" -eq 0 ]
}
# What gives up in the middle (exit 1) has failed, too.
trap 'gave_up=$?; finish; exit $((failures > 0 || gave_up > 0))' EXIT

# Not in a subshell: what the command starts, ends and sets is this shell's.
check() {
	local name=$1
	shift
	if "$@" >"$work/output" 2>&1; then
		echo "ok - $name"
	else
		echo "not ok - $name"
		head -40 "$work/output" | cut -c 1-2000 | sed 's/^/#   /'
		failures=$((failures + 1))
	fi
}

configure() {
	{
		echo 'agent { listen = "127.0.0.1:0", data_dir = "data" }'
		cat
	} >"$work/pindrop.lua"
}

# Waits for a line of the log, or for the agent's end.
await_log() {
	local line
	read -r line < <(timeout 20 tail -n +1 --pid="$agent" -s 0.02 -f "$log" 2>/dev/null | grep --line-buffered -m1 -o -e "$1")
	printf '%s\n' "$line"
}

agent_start() {
	: >"$log"
	saves=0
	"${under[@]}" "$build/pindrop" -c "$work/pindrop.lua" "$@" 2>>"$log" &
	agent=$!
	url=$(await_log 'listening on http://[^ ]*')
	url=${url#listening on }
	[ -n "$url" ]
}

agent_end() {
	kill -"${1:-TERM}" "$agent"
	wait "$agent"
	status=$?
	agent=''
	[ "$status" -eq 0 ]
}

# Each attempt to read the configuration anew ends in one of two lines; `saves` of them were waited for.
settled() {
	saves=$((saves + 1))
	read -r last < <(timeout 20 tail -n +1 --pid="$agent" -s 0.02 -f "$log" 2>/dev/null |
		grep -a --line-buffered -e 'was applied within' -e 'was not applied' | sed -un "${saves}{p;q}")
	[ -n "$last" ]
}
save() {
	{
		echo 'agent { listen = "127.0.0.1:0", data_dir = "data" }'
		cat
	} >"$work/new"
	mv "$work/new" "$work/pindrop.lua"
	settled
}
# How many attempts there were.
tries() { grep -a -c -e 'was applied within' -e 'was not applied' "$log"; }

# Runs the program to its own end: $status, and $output with both streams. For what must not stay up. LeakSanitizer
# complains of a thread that was joined and that the kernel has not put away yet; that is no line of ours.
run_pindrop() {
	output=$(timeout 20 "$build/pindrop" "$@" 2>&1)
	status=$?
	output=$(sed '/^==[0-9]*==Unable to get registers from thread/d' <<<"$output")
}

# A sanitizer that is not the first library complains, though nothing of it is replaced.
clock_drift() {
	mkdir -p "$work/clock"
	[ -e "$work/clock/bell" ] || : >"$work/clock/bell"
	ln -s -- "$1 ${2:-0}" "$work/clock/next" && mv -T "$work/clock/next" "$work/clock/shift"
	clock_ahead=$(jq -n "$1 + ${2:-0}")
	under=(env FAKE_CLOCK="$work/clock" LD_PRELOAD="$build/tests/preload/clock.so"
		ASAN_OPTIONS="${ASAN_OPTIONS-}:verify_asan_link_order=0")
}
clock_set() { clock_drift "$@" && touch "$work/clock/bell"; }
# What the agent's clock shows.
clock_now() { jq -n "now + ${clock_ahead:-0}"; }

get() { curl -sS --max-time 10 "$url$1"; }
code() { curl -sS --max-time 10 -o /dev/null -w '%{http_code}' "$@"; }
# The body of an answer fulfils a jq expression.
holds() { get "$1" | jq -e "$2"; }
is() { [ "$1" = "$2" ] || { echo "expected: $2"; echo "     got: $1"; return 1; }; }
has() { case $1 in *"$2"*) ;; *) echo "missing: $2"; echo "     in: $1"; return 1 ;; esac; }

# Asks until the answer holds; for what comes with the next sample. Bounded by time, paced by the agent itself.
eventually() {
	local deadline=$((SECONDS + ${WAIT:-20}))
	until holds "$1" "$2" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$deadline" ] || { get "$1"; return 1; }
		read -r -t 0.05 <> <(:) || :
	done
}
