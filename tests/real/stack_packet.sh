#!/usr/bin/env bash
# Programs on a stack that is one more station on an interface of the kernel's (packet=), with a link address of its own and
# with the interface's: what it serves and fetches, and that the kernel does not answer in its place.
LIMIT=120
. "$(dirname "$0")/stack_lib.sh"
need curl ping

start unshare -n sleep 1000
FAR=$PID
await sh -c "[ \$(readlink /proc/$FAR/ns/net) != \$(readlink /proc/$$/ns/net) ]"
far() { nsenter -t "$FAR" -n "$@"; }
echo 0 >/proc/sys/net/ipv4/ip_forward
echo 0 >/proc/sys/net/ipv6/conf/all/forwarding
ip link add near type veth peer name far netns "$FAR"
ip addr add 10.79.0.1/24 dev near; ip addr add fd79::1/64 dev near nodad; ip link set near up
far sh -c 'ip link set lo up; ip addr add 10.79.0.2/24 dev far; ip addr add fd79::2/64 dev far nodad; ip link set far up'
far_up() { ping -c 1 -W 1 10.79.0.2 >/dev/null && ping -6 -c 1 -W 1 fd79::2 >/dev/null; }
await far_up || { echo "skip stack_packet: the kernel's network does not come up"; exit 0; }

mkdir www && make_file www/small 300
interface_mac() { ip link show near | sed -n 's/.*link.ether \([^ ]*\).*/\1/p'; }
mac_of() { far ip neigh show "$1" | sed 's/.*lladdr \([^ ]*\).*/\1/'; }

# station SETTINGS LAST: a stack with the last number LAST in its addresses.
station() {
	client_stack "packet=near$1,addr=10.79.0.$2/24,addr=fd79::$2/64"
	far ping -c 2 -i 0.2 -W 5 -s 3000 "10.79.0.$2" >out || { cat out; fail "ping: $?"; }
	has out '2 packets transmitted, 2 received'
	far ping -6 -c 2 -i 0.2 -W 5 "fd79::$2" >out || { cat out; fail "ping -6: $?"; }
	# From there to here and from here to there; and where nobody listens the stack says so, not the kernel.
	THERE=("${HERE[@]}")
	serve_there "$PY" -m http.server %P --bind :: --directory "$T/www"
	far curl -sS -m 20 -o got "http://10.79.0.$2:$PORT/small" 2>err || { cat err; fail "curl to the stack: $?"; }
	cmp got "$T/www/small" || fail "something else came from the stack"
	far curl -sS -m 20 -o got "http://[fd79::$2]:$PORT/small" 2>err || { cat err; fail "curl to the stack, IPv6: $?"; }
	far curl -sS -m 20 "http://10.79.0.$2:1/" 2>err
	is "curl where nobody listens" $? 7
	THERE=(nsenter -t "$FAR" -n)
	serve_there "$PY" -m http.server %P --bind :: --directory "$T/www"
	here curl -sS -m 20 -o got "http://10.79.0.2:$PORT/small" 2>err || { cat err; fail "curl from the stack: $?"; }
	cmp got "$T/www/small" || fail "something else came to the stack"
	here curl -sS -m 20 -o got "http://[fd79::2]:$PORT/small" 2>err || { cat err; fail "curl from the stack, IPv6: $?"; }
}

own_address() {
	station "" 7
	[ "$(mac_of 10.79.0.7)" != "$(interface_mac)" ] || fail "it has the interface's link address"
}

shared_address() {
	station ,share 8
	is "its link address" "$(mac_of 10.79.0.8)" "$(interface_mac)"
	# Each gets its own.
	ping -c 1 -W 5 10.79.0.2 >/dev/null || fail "the kernel has lost its network"
	far ping -c 1 -W 5 10.79.0.1 >/dev/null || fail "the kernel is not reached"
}

# refused WHY SETTINGS
refused() {
	"$SHIM" stack up cli "$2" 2>err && fail "a stack comes up with $2"
	has err "$1"
}

mistakes() {
	local own
	refused 'nosuch: no such interface' packet=nosuch
	refused 'lo: no Ethernet' packet=lo
	refused 'near: the kernel has an address of the stack' packet=near,share,addr=10.79.0.1/24
	echo 1 >/proc/sys/net/ipv4/ip_forward
	refused 'near: the kernel forwards packets' packet=near,share,addr=10.79.0.9/24
	echo 0 >/proc/sys/net/ipv4/ip_forward
	own=$(mktemp -d /tmp/sockshim-real.XXXXXX) && chown 65534:65534 "$own"
	setpriv --reuid 65534 --regid 65534 --clear-groups env SOCKSHIM_DIR="$own" "$SHIM" run --stack packet=near -- true 2>err &&
		fail "a stack comes up without rights"
	rm -rf "$own"
	has err 'near: cannot open a packet socket: Operation not permitted'
}

scenario packet_own own_address station
scenario packet_shared shared_address station
check stack_packet_mistakes mistakes
