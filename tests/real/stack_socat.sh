#!/usr/bin/env bash
# socat over TCP and UDP; iperf3 both ways.
. "$(dirname "$0")/stack_lib.sh"
need socat

make_file file 2000
make_file small 100

tcp() {
	local file=$T/file
	lossy && file=$T/small
	OUT=received serve_there socat -u TCP4-LISTEN:%P,reuseaddr -
	here socat -u "FILE:$file" "TCP4:$ADDR:$PORT" || fail "exit status $?"
	await gone "$PID" || fail "the receiver does not end"
	cmp received "$file" || fail "what was received is wrong"
	serve_there socat TCP6-LISTEN:%P,reuseaddr,fork EXEC:"tr a-z A-Z"
	for i in 1 2 3; do
		echo "line $i" | here socat -t 20 - "TCP6:[$ADDR6]:$PORT" >>result || fail "exit status $?"
	done
}

udp() {
	serve_udp socat "UDP4-RECVFROM:%P,fork" EXEC:"tr a-z A-Z"
	for i in 1 2 3; do
		for attempt in 1 2 3 4 5 6; do
			echo "datagram $i" | here socat -T 0.3 -t 0.3 - "UDP4:$ADDR:$PORT" >got
			[ ! -s got ] || break
		done
		cat got >>result
	done
	serve_udp socat "UDP6-RECVFROM:%P,fork" EXEC:"tr a-z A-Z"
	for attempt in 1 2 3 4 5 6; do
		head -c 5000 /dev/zero | tr '\0' x | here socat -b 9000 -T 0.3 -t 0.3 - "UDP6:[$ADDR6]:$PORT" >got
		[ ! -s got ] || break
	done
	sha256sum <got >>result
}

# of JSON EXPRESSION: d is what iperf3 has to say.
of() { "$PY" -c "import json,sys; d=json.load(open('$1')); print($2)"; }

iperf() {
	local how kbytes amount udp lost try
	command -v iperf3 >/dev/null || skip "there is no iperf3"
	serve_there iperf3 -s -p %P
	kbytes=64000 amount="-n 64M" udp="-b 5M -n 500K"
	lossy && kbytes=200 amount="-t 2" udp="-b 4M -n 100K"
	for how in "" "-R" "-P 4" "-6"; do
		[ "${how:--R}" = "-R" ] || [ "$PLACE" = both ] || continue
		here iperf3 -J -p "$PORT" -c "$([ "$how" = -6 ] && echo "$ADDR6" || echo "$ADDR")" $amount ${how#-6} >json ||
			{ cat json; fail "iperf3 $how: exit status $?"; }
		# It counts what has come when the sender has written all, which may be before all has come.
		at_least "KB sent ($how)" "$(of json "d['end']['sum_sent']['bytes'] // 1000")" $kbytes
		at_least "KB received ($how)" "$(of json "d['end']['sum_received']['bytes'] // 1000")" $((kbytes / 4))
	done
	for how in "" "-R"; do
		# It begins by one datagram each way, which it does not send again if it is lost.
		for try in 1 2 3 4; do
			here iperf3 -J -u -l 1200 -p "$PORT" -c "$ADDR" $udp $how >json ||
				{ cat json; fail "iperf3 -u $how: exit status $?"; }
			lossy && ! grep -q '"lost_percent"' json || break
		done
		lost=$(of json "d['end']['sum']['lost_percent']")
		"$PY" -c "exit(not $lost <= $(lossy && echo 15 || echo 0.5))" || fail "$lost% are lost ($how)"
		at_least "packets ($how)" "$(of json "d['end']['sum']['packets']")" 50
	done
}

scenario socat_tcp tcp
scenario socat_udp udp
scenario iperf3 iperf
