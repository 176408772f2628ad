# stack_lib.sh - what the tests of real programs on a stack share, beyond lib.sh, which it sources.
#
#	scenario NAME FUNCTION [PLACE...]
# runs the function once for each place, as a check of its own, in this script's own network namespace:
#
#	kernel	server and client on the kernel's stack
#	client	the client on a stack, the server on the kernel, a TAP device between them
#	server	the other way round
#	both	each on a stack of its own, and the kernel routes between their two TAP devices
#	lo	both on one stack that has nothing but a loopback
#	lossy	as both, and the client's device loses 2% and delays by 20 ms, each way
#
# The function starts servers with `serve_there COMMAND...`, clients with `here COMMAND...`, finds the
# server's address in ADDR (IPv6: ADDR6), and leaves in the file `result` what must be the same everywhere.
case ${STACK_NETNS:-} in
"")
	if [ "$(id -u)" != 0 ] || [ ! -c /dev/net/tun ] || ! unshare -n true 2>/dev/null; then
		echo "skip $(basename "$0" .sh): needs root, a network namespace and /dev/net/tun"
		exit 0
	fi
	STACK_NETNS=1 exec unshare -n "$BASH" "$0" "$@"
	;;
esac
LIMIT=${LIMIT:-280}
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
unset SOCKSHIM_STACK SOCKSHIM_ONLY SOCKSHIM_EXCEPT SOCKSHIM_STACKD
export PYTHONUNBUFFERED=1
ip link set lo up
echo 1 >/proc/sys/net/ipv4/ip_forward
echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
# The kernel's end of a device does not ask for neighbours before it is sure of its own link-local address.
echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad

SERVER_SPEC=tap=ss0,addr=10.77.1.2/24,addr=fd77:1::2/64,gw=10.77.1.1,gw=fd77:1::1,peer=10.77.1.1/24,peer=fd77:1::1/64
CLIENT_SPEC=tap=ss1,addr=10.77.2.2/24,addr=fd77:2::2/64,gw=10.77.2.1,gw=fd77:2::1,peer=10.77.2.1/24,peer=fd77:2::1/64
PLACES=(kernel client server both lo lossy)
PLACE= HERE=() THERE=()

# server_stack SPEC, client_stack SPEC: bring a stack up and put that side on it.
server_stack() { "$SHIM" stack up srv "$1" || fail "the server's stack does not come up"; THERE=("$SHIM" run -q --stack srv --); }
client_stack() { "$SHIM" stack up cli "$1" || fail "the client's stack does not come up"; HERE=("$SHIM" run -q --stack cli --); }

take_place() {
	PLACE=$1 HERE=() THERE=() ADDR=10.77.1.2 ADDR6=fd77:1::2 CLIENT_ADDR=10.77.2.2
	case $PLACE in
	kernel) ADDR=127.0.0.1 ADDR6=::1 CLIENT_ADDR=127.0.0.1 ;;
	client) client_stack "$CLIENT_SPEC" && ADDR=10.77.2.1 ADDR6=fd77:2::1 ;;
	server) server_stack "$SERVER_SPEC" && CLIENT_ADDR=10.77.1.1 ;;
	both) server_stack "$SERVER_SPEC" && client_stack "$CLIENT_SPEC" ;;
	lossy) server_stack "$SERVER_SPEC" && client_stack "$CLIENT_SPEC,loss=2%,delay=20ms,seed=7" ;;
	lo) server_stack lo; HERE=("${THERE[@]}") ADDR=127.0.0.1 ADDR6=::1 CLIENT_ADDR=127.0.0.1 ;;
	esac
}

here() { "${HERE[@]}" "$@"; }
there() { "${THERE[@]}" "$@"; }
lossy() { [ "$PLACE" = lossy ]; }

# Of the server's side, where lib.sh asks the kernel.
sockets_there() { there cat /proc/net/"$1" /proc/net/"$1"6; }
port_listens() { sockets_there tcp | grep -q "$(hex_port "$1")[0-9A-F:]* 0A"; }
udp_bound() { sockets_there udp | grep -q ": [0-9A-F]*$(hex_port "$1")"; }
udp_or_gone() { udp_bound "$PORT" || gone "$PID"; }
# Nobody else is in the namespace, nor on the stack.
pick_port() { PORT=$((10000 + (RANDOM * 32768 + RANDOM) % 22000)); }

serve_there() { serve "${THERE[@]}" "$@"; }

# serve_udp COMMAND...: as serve_there, for a server that is ready when it has a UDP socket.
serve_udp() {
	local words=() word
	pick_port
	for word in "$@"; do words+=("${word//%P/$PORT}"); done
	start "${THERE[@]}" "${words[@]}"
	await udp_or_gone
	udp_bound "$PORT" || { tail -n 20 "${OUT:-server.log}"; fail "the server does not start: ${words[*]}"; }
}

# What a program that was told to end leaves is the stack's to end.
leave_place() {
	local name bad=
	for name in srv cli; do
		[ -S "$SOCKSHIM_DIR/stack/$name.sock" ] || continue
		"$SHIM" stack down $name || bad=1
	done
	[ -z "$bad" ]
}

in_place() {
	local rc=0
	trap 'leave_place >/dev/null 2>&1' EXIT
	take_place "$1"
	"$2" || rc=$?
	kill_all "$PIDS"
	[ $rc = 0 ] || exit $rc
	stacks_are_there
	leave_place || fail "a stack is gone before its end"
	trap - EXIT
	[ -f result ] || return 0
	if [ "$1" = kernel ]; then
		cp result "$T/result.kernel"
	elif [ -f "$T/result.kernel" ]; then
		diff "$T/result.kernel" result || fail "the result is another than on the kernel"
	fi
}

# A host that died is not to go unseen because its programs could bear it.
stacks_are_there() {
	local name
	for name in srv cli; do
		case "${HERE[*]} ${THERE[*]} " in *" $name "*) ;; *) continue ;; esac
		"$SHIM" stack stats $name >stats.$name || fail "the stack $name is gone"
		# And what was to be on the stack was.
		grep -Eq '"(ip.packets_received|packet.packets_(sent|received))":[1-9]' stats.$name ||
			fail "nothing went over the stack $name"
	done
}

scenario() {
	local name=$1 function=$2 place
	shift 2
	rm -f "$T/result.kernel"
	for place in "${@:-${PLACES[@]}}"; do
		case " ${ONLY_PLACES:-$place} " in *" $place "*) ;; *) continue ;; esac
		check "stack_${name}_$place" in_place "$place" "$function"
	done
}
