#!/bin/sh
# The stack host on a TAP device, in a network namespace of its own: what it sets up, and what it says when
# it cannot.
B=${B:-build}
host=$(realpath "$B/sockshim-stackd")

if [ "$1" != inside ]; then
	if ! unshare -n true 2>/dev/null || [ ! -c /dev/net/tun ]; then
		echo "skip host-tap: needs a network namespace and /dev/net/tun"
		exit 0
	fi
	B=$B exec unshare -n "$0" inside
fi

SOCKSHIM_DIR=$(mktemp -d)
export SOCKSHIM_DIR
pid=
trap 'kill $pid 2>/dev/null; rm -rf "$SOCKSHIM_DIR"' EXIT
ip link set lo up

check() {	# NAME, then a command
	name=$1
	shift
	if "$@" >"$SOCKSHIM_DIR/out" 2>&1; then
		echo "ok host-tap $name"
	else
		echo "not ok host-tap $name"
		sed 's/^/# /' "$SOCKSHIM_DIR/out"
		failed=1
	fi
}

start() {	# a host with this specification; its process in $pid
	"$host" --name t --keep --status-fd 3 "$1" 3>"$SOCKSHIM_DIR/status" || return 1
	read -r word pid rest <"$SOCKSHIM_DIR/status"
	[ "$word" = ready ]
}

stop() {
	kill "$pid"
	while [ -e "$SOCKSHIM_DIR/stack/t.sock" ]; do sleep 0.01; done
	pid=
}

says() {	# the host with this specification fails and says this
	! "$host" --name u "$1" 2>"$SOCKSHIM_DIR/said" && grep -F -- "$2" "$SOCKSHIM_DIR/said"
}

check "the device is made and set up" start "tap=ss0,addr=10.0.0.2/24,addr=fd00::2/64,gw=10.0.0.1,peer=10.0.0.1/24,peer=fd00::1/64,mtu=1400,pcap=$SOCKSHIM_DIR/p"
check "the kernel's end has its addresses" sh -c 'ip addr show ss0 | grep -q "inet 10.0.0.1/24 brd 10.0.0.255" && ip addr show ss0 | grep -q "inet6 fd00::1/64"'
check "the kernel's end is up with the MTU" sh -c 'ip link show ss0 | grep -q "UP.*mtu 1400"'
check "the stack answers over IPv4" ping -c 1 -W 5 10.0.0.2
check "the stack answers over IPv6 at once" ping -c 1 -W 5 fd00::2
check "fragments both ways" ping -c 1 -W 5 -s 4000 10.0.0.2
check "no capability is left" sh -c "grep -q 'CapPrm:.0000000000000000' /proc/$pid/status && grep -q 'CapBnd:.0000000000000000' /proc/$pid/status"
check "system calls are filtered" sh -c "grep -q 'Seccomp:.2' /proc/$pid/status && grep -q 'NoNewPrivs:.1' /proc/$pid/status"
check "a device that is in use" says tap=ss0,addr=10.0.0.3/24 "ss0: cannot attach: Device or resource busy; another program has it"
ip link add ss7 type veth peer name ss8
check "a device of another kind" says tap=ss7,addr=10.0.0.3/24 "ss7: cannot attach: Invalid argument; there is a device of another kind with that name"
stop
check "the device goes with the host" sh -c '! ip link show ss0'
check "packets were captured" sh -c "[ \$(stat -c %s $SOCKSHIM_DIR/p) -gt 500 ]"
check "again under the same name" start tap=ss0,addr=10.0.0.2/24,peer=10.0.0.1/24,delay=30ms
check "delay, both ways" sh -c 'ping -c 2 -i 0.2 -W 5 10.0.0.2 | grep -Eq "min/avg/max/mdev = (3[0-9]|[4-9][0-9]|1[0-9][0-9])"'
stop
check "loss of everything" start tap=ss0,addr=10.0.0.2/24,peer=10.0.0.1/24,loss=100%
check "nothing comes back" sh -c '! ping -c 1 -W 1 10.0.0.2'
stop
check "a device that is taken away" start tap=ss0,addr=10.0.0.2/24,peer=10.0.0.1/24
check "the host sleeps on" sh -c "ip link del ss0; sleep 0.2; before=\$(cut -d' ' -f14,15 /proc/$pid/stat); sleep 0.5; [ \"\$before\" = \"\$(cut -d' ' -f14,15 /proc/$pid/stat)\" ]"
stop
check "a TUN device" start tun=ss2,addr=10.0.2.2/24,peer=10.0.2.1/24
check "the stack answers over TUN" ping -c 1 -W 5 10.0.2.2
stop
mkdir "$SOCKSHIM_DIR/file"
printf '[nic left]\ntap=ss0\naddr=10.0.0.2/24\npeer=10.0.0.1/24\nforwarding\n[nic right]\ntap=ss1\naddr=10.0.1.2/24\npeer=10.0.1.1/24\nforwarding\n' >"$SOCKSHIM_DIR/two"
check "two NICs from a file" start "@$SOCKSHIM_DIR/two"
check "both answer" sh -c 'ping -c 1 -W 5 10.0.0.2 && ping -c 1 -W 5 10.0.1.2'
stop
cp "$host" /tmp/stackd-$$
if su nobody -s /bin/sh -c true 2>/dev/null; then
	check "without rights" sh -c "su nobody -s /bin/sh -c 'SOCKSHIM_DIR=/tmp/sockshim-nobody-$$ /tmp/stackd-$$ --name n tap=ss9,addr=10.0.0.2/24' 2>&1 | grep -F 'run it as root, or have the device made for you: ip tuntap add mode tap user'"
	rm -rf "/tmp/sockshim-nobody-$$"
else
	echo "skip host-tap without rights: su nobody does not work"
fi
rm -f /tmp/stackd-$$
exit ${failed:-0}
