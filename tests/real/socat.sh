#!/usr/bin/env bash
# socat between TCP, UDP and UNIX sockets, both ends under the shim.
# It ends without closing what it has open.
. "$(dirname "$0")/lib.sh"
need socat python3

make_file file 300
FILE=$T/file

# server SUMMARY ARGUMENTS...: its output goes to the file received.
server() {
	local summary=$1
	shift
	OUT=received serve "$SHIM" run -q --summary="$summary" "$@"
}

tcp() {
	server server.summary -- socat -u TCP4-LISTEN:%P,bind=127.0.0.1,reuseaddr -
	shim -- socat -u "FILE:$FILE" "TCP4:127.0.0.1:$PORT" || fail "exit status $?"
	await gone "$PID"
	cmp received "$FILE" || fail "what was received is wrong"
	counts "inet4, stream" opened=1 connected=1
	cp server.summary summary
	counts "inet4, stream" opened=1 listened=1 accepted=1
}

tcp6() {
	cat /proc/net/if_inet6 2>/dev/null | grep -q ' lo$' || skip "there is no IPv6"
	server server.summary -- socat -u "TCP6-LISTEN:%P,bind=[::1],reuseaddr" -
	shim -- socat -u "FILE:$FILE" "TCP6:[::1]:$PORT" || fail "exit status $?"
	await gone "$PID"
	cmp received "$FILE" || fail "what was received is wrong"
	counts "inet6, stream" opened=1 connected=1
}

unix() {
	OUT=received start "$SHIM" run -q --summary=server.summary -- socat -u UNIX-LISTEN:s.sock -
	await test -S s.sock
	shim -- socat -u "FILE:$FILE" UNIX-CONNECT:s.sock || fail "exit status $?"
	await gone "$PID"
	cmp received "$FILE" || fail "what was received is wrong"
	counts "local, stream" opened=1 connected=1
	shim --fault "fail connect with ENOENT to unix:*.sock" -- socat -u "FILE:$FILE" UNIX-CONNECT:s.sock && fail "the rule has no effect"
	is fired "$(fired 1)" 1
}

# One process: a relay of everything, through a fork for each connection.
relay() {
	OUT=echo.log serve "$SHIM" run -q --summary=server.summary -- socat TCP4-LISTEN:%P,bind=127.0.0.1,reuseaddr,fork EXEC:cat
	for i in 1 2 3; do
		echo "line $i" >in
		IN=in both socat -t 5 - "TCP4:127.0.0.1:$PORT"
		is echo "$(cat out)" "line $i"
	done
	counts "inet4, stream" opened=1 connected=1
	stop "$PID"
	cp server.summary summary
	counts "inet4, stream" accepted=6
}

# Ten datagrams of a line each: eight bytes.
send_lines() {
	printf 'line %02d\n' 1 2 3 4 5 6 7 8 9 10 | shim "$@" -- socat -u -b 8 - "UDP4-SENDTO:127.0.0.1:$PORT"
}
lines() { grep -a '^line [0-9][0-9]$' received | sed 's/line 0*//' | xargs; }

receive_udp() {
	local try
	for try in 1 2 3; do
		pick_port
		OUT=received start "$SHIM" run -q --summary=server.summary "$@" -- \
			socat -u -T 30 "UDP4-RECV:$PORT,bind=127.0.0.1" -
		await udp_bound "$PORT" && return 0
	done
	fail "the server does not start"
}

has_bytes() { [ "$(stat -c %s "$1")" -ge "$2" ]; }
lines_received() { [ "$(wc -l <received)" -ge "$1" ]; }

udp() {
	receive_udp
	send_lines || fail "exit status $?"
	await lines_received 10
	is "lines" "$(lines)" "1 2 3 4 5 6 7 8 9 10"
	counts "inet4, dgram" opened=1
}

udp_dropped() {
	receive_udp
	send_lines --fault "drop send type dgram to :$PORT every 3rd" || fail "exit status $?"
	await lines_received 7
	is "lines" "$(lines)" "1 2 4 5 7 8 10"
	is fired "$(fired 1)" 3
	# Dropped on the way in: the call brings the next.
	kill_tree "$PID"
	: >received
	receive_udp --fault "drop recvfrom family inet4 on 2nd..4th"
	send_lines || fail "exit status $?"
	await lines_received 7
	is "lines" "$(lines)" "1 3 5 7 8 9 10"
}

udp_corrupted() {
	receive_udp
	send_lines --fault "corrupt send type dgram on 5th" || fail "exit status $?"
	await has_bytes received 80
	# One bit of the fifth is another.
	is "lines that came through" "$(head -c 32 received; tail -c 40 received)" \
		"$(printf 'line %02d\n' 1 2 3 4 6 7 8 9 10)"
	is "bytes that differ" "$(printf 'line %02d\n' 1 2 3 4 5 6 7 8 9 10 | cmp -l - received | wc -l)" 1
	is fired "$(fired 1)" 1
}

check socat_tcp tcp
check socat_tcp6 tcp6
check socat_unix unix
check socat_relay_forks relay
check socat_udp udp
check socat_udp_dropped udp_dropped
check socat_udp_corrupted udp_corrupted
