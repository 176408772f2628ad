#!/usr/bin/env bash
# sockshim capture, on virtual Ethernets in a network namespace of its own.
if [ -z "${CAPTURE_NAMESPACE-}" ] && unshare -n true 2>/dev/null; then
	CAPTURE_NAMESPACE=1 exec unshare -n -- "$0"
fi
. "$(dirname "$0")/lib.sh"
ready=
if [ -n "${CAPTURE_NAMESPACE-}" ]; then
	sysctl -qw net.ipv6.conf.default.disable_ipv6=1
	ip link set lo up && ip link add va type veth peer name vb && ip link set va up && ip link set vb up && ready=1
fi
may() { [ -n "$ready" ] || { skip "no right to make a network namespace"; false; }; }

# send_frames IFACE HEX...: the frames given, filled up with zeros to 60 bytes
send_frames() {
	python3 - "$@" <<-'PY'
	import socket, sys
	s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
	s.bind((sys.argv[1], 0))
	for f in sys.argv[2:]:
	    s.send(bytes.fromhex(f).ljust(60, b"\0"))
	PY
}
macs=020000000001020000000002
frame() { echo "${macs}88b5$1"; }

# begin ARGS: a capture in the background, which receives from now on; its pid in $pid
begin() {
	rm -f f.pcapng
	"$sockshim" capture "$@" >out 2>err &
	pid=$!
	for i in $(seq 500); do
		# Type 3, the protocol, an interface, running: after that it receives.
		awk 'NR > 1 && $4 == "0003" && $6 == 1 { n++ } END { exit !n }' /proc/net/packet && [ -s f.pcapng ] && return
		kill -0 $pid 2>/dev/null || return
		sleep 0.01
	done
}
finish() { wait $pid; same status $? "${1:-0}" || { cat err; false; }; }
# packets: how many tcpdump sees in the file
packets() { tcpdump -nr "${1-f.pcapng}" 2>/dev/null | grep -c "^[0-9]"; }
# file_has N: waits until the file has so many packets
file_has() {
	for i in $(seq 500); do
		[ "$(packets)" -ge "$1" ] && return
		sleep 0.01
	done
	fail "no $1 packets in the file"
}
# blocks FILE: type and length of each block, and of packets what was captured, the length, flags, the first bytes of the payload
blocks() {
	python3 - "$1" <<-'PY'
	import struct, sys
	d = open(sys.argv[1], "rb").read()
	at = 0
	while at < len(d):
	    t, n = struct.unpack_from("<II", d, at)
	    assert n % 4 == 0 and struct.unpack_from("<I", d, at + n - 4)[0] == n, "lengths"
	    if t == 6:
	        cap, orig = struct.unpack_from("<II", d, at + 20)
	        opts = at + 28 + (cap + 3) // 4 * 4
	        assert struct.unpack_from("<HH", d, opts) == (2, 4)
	        print("packet", cap, orig, struct.unpack_from("<I", d, opts + 4)[0], d[at + 28 + 14:at + 28 + 16].hex())
	    elif t == 1:
	        print("interface", *struct.unpack_from("<HxxI", d, at + 8))
	    elif t == 5:
	        print("stats", struct.unpack_from("<Q", d, at + 24)[0], struct.unpack_from("<Q", d, at + 36)[0])
	    else:
	        print({0x0a0d0d0a: "section"}[t])
	    at += n
	PY
}

t_writes_a_file_that_others_read() {
	may || return 0
	begin -i vb -w f.pcapng -c 3
	send_frames va "$(frame 0001)" "$(frame 0002)" "$(frame 0003)"
	finish || return
	blocks f.pcapng >b || return
	same blocks "$(cat b)" "section
interface 1 262144
packet 60 60 1 0001
packet 60 60 1 0002
packet 60 60 1 0003
stats 3 0" || return
	same packets "$(packets)" 3 || return
	same message "$(cat err)" "sockshim: captured 3 packets; 3 passed the filter, 0 dropped for want of buffer"
}

t_interrupting_ends_in_order_and_the_file_is_up_to_date() {
	may || return 0
	for sig in TERM HUP; do
		begin -i vb -w f.pcapng
		send_frames va "$(frame 0001)" "$(frame 0002)"
		file_has 2 || return
		kill -$sig $pid
		finish || return
		blocks f.pcapng >b || return
		same last "$(tail -n 1 b)" "stats 2 0" || return
	done
	has err "captured 2 packets"
}

t_interrupt_from_the_keyboard() {
	may || return 0
	# A script's background jobs ignore it; a terminal's do not.
	rm -f f.pcapng
	begin_int() { python3 -c 'import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])' "$@" 2>err & pid=$!; }
	begin_int "$sockshim" capture -i vb -w f.pcapng
	for i in $(seq 500); do [ -s f.pcapng ] && break; sleep 0.01; done
	kill -INT $pid
	finish || return
	has err "captured 0 packets"
}

t_expressions_choose() {
	may || return 0
	begin -i vb -w f.pcapng -c 1 ether proto 0x88b6 and 'ether[14] = 7'
	send_frames va "$(frame 07)" "${macs}88b608" "${macs}88b607ff"
	finish || return
	has <(blocks f.pcapng) "packet 60 60 1 07ff"
}

t_vlan_tags_are_back_and_expressions_find_them() {
	may || return 0
	begin -i vb -w f.pcapng -c 1 vlan 7
	send_frames va "${macs}8100000888b50001" "${macs}8100200788b50002" "$(frame 0003)"
	finish || return
	tcpdump -enr f.pcapng >t 2>/dev/null
	has t "vlan 7, p 1" || return
	has <(blocks f.pcapng) "packet 60 60 1 2007" || return
	same packets "$(packets)" 1
}

t_snaplen_cuts() {
	may || return 0
	begin -i vb -w f.pcapng -c 2 -s 16
	send_frames va "$(frame 0001)" "$(frame 0002)"
	finish || return
	blocks f.pcapng >b
	has b "interface 1 16" || return
	has b "packet 16 60 1 0001" || return
	begin -i vb -w f.pcapng -c 1 -s 20 ether proto 0x88b5
	send_frames va "$(frame 0009)"
	finish || return
	has <(blocks f.pcapng) "packet 20 60 1 0009"
}

t_direction() {
	may || return 0
	begin -i va -w f.pcapng -c 1 -Q in
	send_frames va "$(frame 0001)"; send_frames vb "$(frame 0002)"
	finish || return
	has <(blocks f.pcapng) "packet 60 60 1 0002" || return
	begin -i va -w f.pcapng -c 1 -Q out
	send_frames vb "$(frame 0003)"; send_frames va "$(frame 0004)"
	finish || return
	has <(blocks f.pcapng) "packet 60 60 2 0004"
}

t_packets_of_the_loopback_are_there_once() {
	may || return 0
	begin -i lo -w f.pcapng icmp
	ping -q -c 1 127.0.0.1 >/dev/null
	file_has 2 || return
	kill -TERM $pid
	finish || return
	same packets "$(packets)" 2 || return
	begin -i lo -w f.pcapng -Q out -c 2 icmp
	ping -q -c 1 127.0.0.1 >/dev/null
	finish || return
	has <(blocks f.pcapng) " 2 "
}

t_to_standard_output() {
	may || return 0
	"$sockshim" capture -i lo -w - -c 2 -q icmp 2>err | tcpdump -nr - >t 2>/dev/null &
	pid=$!
	for i in $(seq 500); do grep -q ' 0003 ' /proc/net/packet && break; sleep 0.01; done
	ping -q -c 3 -i 0.05 127.0.0.1 >/dev/null
	wait $pid
	same packets "$(wc -l <t)" 2 || return
	same messages "$(cat err)" ""
}

t_large_packets_and_many() {
	may || return 0
	begin -i vb -w f.pcapng -c 5000 -B 16384
	python3 - <<-'PY'
	import socket
	s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
	s.bind(("va", 0))
	for i in range(5000):
	    s.send(bytes.fromhex("02000000000102000000000288b5") + i.to_bytes(2, "big") + bytes(44 + i * 7 % 1400))
	PY
	finish || return
	blocks f.pcapng >b || return
	awk '$1 == "packet" { want = sprintf("%04x", n); len = 60 + n * 7 % 1400
		if ($2 != len || $3 != len || $5 != want) { print "packet " n ": " $0; bad = 1 } n++ }
		END { exit bad || n != 5000 }' b
}

# wrong STATUS TEXT ARGS
wrong() {
	local status=$1 text=$2; shift 2
	timeout 20 "$sockshim" capture "$@" 2>err >/dev/null; same "status of $*" $? "$status" || return
	has err "$text"
}

t_wrong_arguments() {
	wrong 2 "-i is missing" -w f || return
	wrong 2 "-w is missing" -i lo || return
	wrong 2 "-c 0: expected" -i lo -w f -c 0 || return
	wrong 2 "-c -1: expected" -i lo -w f -c -1 || return
	wrong 2 "-s 262145: expected 1 to 262144" -i lo -w f -s 262145 || return
	wrong 2 "-B x: expected" -i lo -w f -B x || return
	wrong 2 "-Q up: expected in, out or inout" -i lo -w f -Q up || return
	wrong 2 "--nosuch: unknown option" --nosuch || return
	wrong 2 "needs a value" -i
}

t_what_cannot_be() {
	may || return 0
	wrong 1 "nosuch: no such interface: No such device" -i nosuch -w f || return
	wrong 1 "nosuch" -i nosuch -w f tcp || return
	wrong 2 "expression 'tcp or': " -i vb -w f tcp or || return
	wrong 1 "the ring is too large" -i vb -w f -B 1000000000 || return
	[ ! -e f ] || fail "a file was made" || return
	wrong 1 "/nosuch/f: cannot open for writing: No such file or directory" -i vb -w /nosuch/f || return
	wrong 1 "/dev/full: cannot write: No space left on device" -i vb -w /dev/full || return
	command -v setpriv >/dev/null || { skip "no setpriv"; return; }
	cp "$sockshim" copy; chmod 755 copy .; chmod 755 "$work" 2>/dev/null
	sockshim=./copy
	timeout 20 setpriv --reuid 65534 --clear-groups ./copy capture -i vb -w f 2>err; same status $? 1 || return
	has err "vb: cannot open a packet socket: Operation not permitted"
}

t_an_interface_that_goes_down_ends_it() {
	may || return 0
	ip link add vc type veth peer name vd && ip link set vc up && ip link set vd up
	begin -i vc -w f.pcapng
	send_frames vd "$(frame 0001)"
	file_has 1 || return
	ip link del vc
	finish 1 || return
	has err "vc: Network is down" || return
	has <(blocks f.pcapng) "packet 60 60 1 0001" || return
	same last "$(blocks f.pcapng | tail -n 1)" "stats 1 0"
}

run_tests
