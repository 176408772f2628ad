#!/usr/bin/env bash
# A threaded C++ program of clients and servers that verifies every byte.
. "$(dirname "$0")/lib.sh"
THREADS=$B/tests/real/threads
[ -x "$THREADS" ] || { echo "skip threads: $THREADS is not built"; exit 0; }

# 4 clients connect 10 times to each of 4 servers.
runs() {
	both "$THREADS" 8 10
	has out "^160 connections"
	counts "inet4, stream" opened=164 connected=160 listened=4 accepted=160 closed=324 \
		openfailed=0 connectfailed=0 acceptfailed=0 closefailed=0
	all_closed
}

short_transfers() {
	shim --seed 3 --fault "short send to 1..2000 probability 20%" --fault "short recv to 1..2000 probability 20%" \
		-- "$THREADS" 8 5 >out || fail "exit status $?"
	has out "^80 connections"
	at_least fired "$(fired 1)" 100
	at_least fired "$(fired 2)" 100
	all_closed
}

notices_corruption() {
	# More in a row than there can be receives that find the end of a stream, which have nothing to corrupt.
	shim --fault "corrupt recv on 50th..90th" -- "$THREADS" 8 5 >out 2>err && fail "it has not noticed"
	at_least fired "$(fired 1)" 1
}

rules_change() {
	local changes=0
	start "$SHIM" run -q --summary=summary -- "$THREADS" 8 60
	await has_run || fail "no run"
	while ! gone "$PID"; do
		"$SHIM" fault add "short send to 1..500 probability 10%" "short recv to 1..500 probability 10%" || break
		"$SHIM" fault clear
		changes=$((changes + 1))
	done
	await gone "$PID" || fail "it has not ended"
	at_least "changes" "$changes" 5
	has server.log "^960 connections"
	all_closed
}

check threads_verify_every_byte runs
check threads_short_transfers short_transfers
check threads_notice_corruption notices_corruption
check threads_while_rules_change rules_change
