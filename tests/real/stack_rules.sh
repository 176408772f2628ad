#!/usr/bin/env bash
# The packet filter of a stack as programs on it see it, and as a router of two NICs; what is said of mistakes.
LIMIT=180
. "$(dirname "$0")/stack_lib.sh"
need curl

mkdir www && make_file www/small 3
web() { serve_there "$PY" -m http.server %P --bind 0.0.0.0 --directory "$T/www"; }
get() { curl -sS -m "${WAIT:-10}" -o got "http://$1/small" 2>err; }
# rules LINE...: puts a text into force.
rules() { printf '%s\n' "$@" | "$SHIM" stack rules srv; }

refused() {
	local rc
	"$SHIM" stack up srv lo || fail "the stack does not come up"
	rules '*filter' '-A INPUT -p tcp -m nosuch --x 1 -j DROP' COMMIT 2>err
	rc=$?
	is "exit status" $rc 1
	has err 'stack srv: line 2, column 20: '
	rules '*filter' '-A INPUT -j DROP' COMMIT || fail "good rules are not taken"
	rules '*filter' '-A INPUT -j NOWHERE' COMMIT 2>/dev/null && fail "a bad target is taken"
	"$SHIM" stack rules srv </dev/null | grep -qx -e '-A INPUT -j DROP' || fail "bad rules have changed those in force"
	"$SHIM" stack rules -6 srv </dev/null | grep -q DROP && fail "rules of IPv4 are in force for IPv6"
	"$SHIM" stack rules none </dev/null 2>err && fail "there is no such stack"
	has err none
}

from_file() {
	printf '*filter\n-A INPUT -p tcp --dport 99999 -j DROP\nCOMMIT\n' >bad
	"$SHIM" stack up other "lo,rules=$PWD/bad" 2>err && fail "a stack comes up with bad rules"
	has err 'bad: line 2, column '
	"$SHIM" stack up other "lo,rules=$PWD/none" 2>err && fail "a stack comes up without its rules"
	has err 'none: No such file'
	printf '*filter\n-A OUTPUT -p udp -j DROP\nCOMMIT\n' >good
	printf '*filter\n-A OUTPUT -p tcp -j DROP\nCOMMIT\n' >good6
	"$SHIM" stack up other "lo,rules=$PWD/good,rules6=$PWD/good6" || fail "a stack does not come up with good rules"
	"$SHIM" stack rules other </dev/null | grep -qx -e '-A OUTPUT -p udp -j DROP' || fail "the rules are not in force"
	"$SHIM" stack rules -6 other </dev/null | grep -qx -e '-A OUTPUT -p tcp -j DROP' || fail "those of IPv6 are not in force"
	"$SHIM" stack down other
}

verdicts() {
	local rc
	web
	get "$ADDR:$PORT" || fail "curl without rules: $(cat err)"
	rules '*filter' "-A INPUT -p tcp --dport $PORT -j DROP" COMMIT
	WAIT=1 get "$ADDR:$PORT"; rc=$?
	is "curl's exit status at DROP" $rc 28
	rules '*filter' "-A INPUT -p tcp --dport $PORT -j REJECT --reject-with tcp-reset" COMMIT
	get "$ADDR:$PORT"; rc=$?
	is "curl's exit status at REJECT" $rc 7
	has err 'Connection refused\|connect to server'
	rules '*filter' COMMIT '*nat' "-A PREROUTING -p tcp --dport 81 -j REDIRECT --to-ports $PORT" COMMIT
	get "$ADDR:81" || fail "REDIRECT: $(cat err)"
	cmp got "$T/www/small" || fail "the file is wrong"
	"$SHIM" stack rules -c srv </dev/null | grep -q '^\[[1-9][0-9]*:[0-9]*\] -A PREROUTING .*REDIRECT' || fail "the rule's counter is 0"
	"$SHIM" stack rules srv </dev/null | grep -q '^\[' && fail "counters are printed that were not asked for"
	"$SHIM" stack connections srv >list
	has list "^tcp  *6 [0-9]* [A-Z_]* src=10.77.1.1 dst=$ADDR sport=[0-9]* dport=81 .* src=$ADDR dst=10.77.1.1 sport=$PORT .*"
	"$SHIM" stack connections -6 srv | grep -q . && fail "connections of IPv4 are listed for IPv6"
	return 0
}

own_output() {
	"$SHIM" stack up cli lo || fail "the stack does not come up"
	THERE=("$SHIM" run -q --stack cli --)
	web
	there curl -sS -m 5 -o got "http://127.0.0.1:$PORT/small" || fail "curl without rules: $?"
	printf '*filter\n-A OUTPUT -p tcp --dport %s -j REJECT\nCOMMIT\n' "$PORT" | "$SHIM" stack rules cli || fail "the rules are not taken"
	there curl -sS -m 5 -o got "http://127.0.0.1:$PORT/small"; rc=$?
	is "curl's exit status" $rc 7
}

# side ADDRESS DEVICE: a network namespace with that TAP device, whose other end is the router; SIDE is its process.
side() {
	start unshare -n sleep 1000
	SIDE=$PID
	await sh -c "[ \$(readlink /proc/$SIDE/ns/net) != \$(readlink /proc/$$/ns/net) ]"
	ip link set "$2" netns "$SIDE" || fail "the device cannot be moved"
	nsenter -t "$SIDE" -n sh -c "ip link set lo up; ip addr add $1/24 dev $2; ip link set $2 up"
}
in_side() { nsenter -t "$1" -n "${@:2}"; }

router() {
	local left right
	cat >two <<-END
		[nic left]
		tap=ssl,addr=10.78.1.1/24,forwarding
		[nic right]
		tap=ssr,addr=10.78.2.1/24,forwarding
	END
	"$SHIM" stack up srv "@$PWD/two" || fail "the stack does not come up"
	side 10.78.1.2 ssl; left=$SIDE
	side 10.78.2.2 ssr; right=$SIDE
	in_side "$left" ip route add default via 10.78.1.1
	OUT=web.log start nsenter -t "$right" -n "$PY" -m http.server 8000 --bind 0.0.0.0 --directory "$T/www"
	await in_side "$right" sh -c 'grep -q ":1F40 [0-9A-F]*:0000 0A" /proc/net/tcp'
	# There is no way back, until the router puts its own address there.
	WAIT=1 in_side "$left" curl -sS -m 1 -o got http://10.78.2.2:8000/small 2>/dev/null && fail "an answer found its way back"
	rules '*nat' '-A POSTROUTING -o right -j MASQUERADE' '-A PREROUTING -i left -p tcp --dport 80 -j DNAT --to-destination 10.78.2.2:8000' \
		COMMIT || fail "the rules are not taken"
	in_side "$left" curl -sS -m 10 -o got http://10.78.2.2:8000/small || fail "MASQUERADE: $?"
	cmp got "$T/www/small" || fail "the file is wrong"
	has web.log '^10.78.2.1 '
	# To an address of the router's, which is the server's by its rule.
	in_side "$left" curl -sS -m 10 -o got http://10.78.1.1/small || fail "DNAT: $?"
	cmp got "$T/www/small" || fail "the file is wrong"
	in_side "$left" ping -c 1 -W 5 10.78.2.2 >/dev/null || fail "ping through the router"
	# A router answers from whichever of its addresses it was asked at.
	in_side "$left" ping -c 1 -W 5 10.78.2.1 >/dev/null || fail "ping to its other address"
	"$SHIM" stack connections srv >list
	has list 'src=10.78.1.2 dst=10.78.1.1 sport=[0-9]* dport=80 .* src=10.78.2.2 dst=10.78.2.1 sport=8000 '
	has list '^icmp  *1 [0-9]* src=10.78.1.2 dst=10.78.2.2 id='
	# ICMP errors about translated packets find their way to who sent them: none listens there.
	in_side "$left" "$PY" - <<-END || fail "the ICMP error did not arrive"
		import socket
		s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		s.connect(("10.78.2.2", 9)); s.settimeout(5); s.send(b"x")
		try: s.recv(1)
		except ConnectionRefusedError: raise SystemExit(0)
		raise SystemExit(1)
	END
}

check stack_rules_refused refused
scenario rules_from_file from_file kernel
scenario rules_verdicts verdicts server
check stack_rules_output own_output
check stack_rules_router router
