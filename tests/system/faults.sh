# tests/system/faults.sh: for tests in which the disk fails while the agent samples `pulse` (and `crowd`) each second.
#
#   watch_begin                from now on each tick must be stored: $from
#   follow SECONDS             meanwhile asks on and on, and says when an answer is late or a sample is missing
#   watch_end                  until now: $to
#   known FILE                 each tick of ($from, $to] has its sample in the file's rows
#
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # set here and used there, and the other way round
export PINDROP_PLUGIN_PATH=$build/tests/plugins
limit=0.5 # s that an answer may take: a second is what a disk that hangs would cost
patience=4 # s: so old may be what is shown while a disk hangs; it is waited for a second, and then for the next tick
[ -n "${SANITIZE:-}" ] && limit=1 patience=6

sampled() { get /get_stats | jq '.current_stat.time | floor'; }
watch_begin() {
	eventually /get_stats '.current_stat.pulse_beat.count >= 3' && from=$(($(sampled) - 1))
}
watch_end() { to=$(sampled) && [ "$to" -gt "$from" ]; }

# Each answer in time, and none but of the present.
follow() { # SECONDS
	local end=$((SECONDS + $1)) took slowest=0 late=0 now
	while [ "$SECONDS" -lt "$end" ]; do
		took=$(curl -sS --max-time 10 -o "$work/answer" -w '%{time_total}' "$url/get_stats") || return 1
		now=$(date +%s.%N)
		slowest=$(awk -v a="$took" -v b="$slowest" 'BEGIN { print (a > b ? a : b) }')
		jq -e --argjson now "$now" --argjson patience "$patience" '.current_stat.time > $now - $patience' "$work/answer" >/dev/null || late=$((late + 1))
		read -r -t 0.05 <> <(:) || :
	done
	echo "slowest answer: $slowest s; $late answers were not of the present"
	awk -v a="$slowest" -v b="$limit" 'BEGIN { exit (a > b) }' && [ "$late" -eq 0 ]
}

# Rows hold the wall clock at which they were taken, modulo 100000.
known() { # FILE
	rrdtool fetch "$1" AVERAGE -r 1 -s "$from" -e "$to" | awk -v from="$from" -v to="$to" '
		$1 ~ /^[0-9]+:$/ && $1 + 0 > from && $1 + 0 <= to {
			rows++
			late = $2 - ($1 + 0) % 100000
			if ($2 ~ /nan/ || late < -0.02 || late >= 1) { bad++; print "row", $1, $2 }
		}
		END {
			if (rows != to - from) print rows + 0, "rows of", to - from
			exit bad > 0 || rows != to - from
		}'
}
all_known() { # FOLDER: of the data
	local file
	for file in "$1"/pulse/beat.rrd "$1"/pulse/many/*.rrd; do
		known "$file" || { echo "in $file"; return 1; }
	done
}
no_tick_missed() { holds /health '[.families[].missed] | add == 0'; }

# The same line, whatever its numbers, is in the log once only.
said_once() {
	local twice
	twice=$(cut -d' ' -f3- "$log" | sed 's/[0-9][0-9.]*/N/g' | sort | uniq -d)
	[ -z "$twice" ] || { echo "said more than once: $twice"; return 1; }
}
healthy() { eventually /health '.status == "ok" and .store.error == null and .store.journal.error == null'; }
unwell() { eventually /health '.status != "ok" and (.reasons | length > 0)'; }
ends_within() { # SECONDS
	local start=${EPOCHREALTIME/./} took
	agent_end || return 1
	took=$((${EPOCHREALTIME/./} - start))
	[ "$took" -lt "$(($1 * 1000000))" ] || { echo "it took $took us"; return 1; }
}
