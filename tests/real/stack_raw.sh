#!/usr/bin/env bash
# Programs with raw, ping and packet sockets on a stack: ping, traceroute, tracepath, arping, tcpdump, nping, with a router
# and a host behind it in network namespaces of the kernel's.
LIMIT=240
. "$(dirname "$0")/stack_lib.sh"

# The kernel answers each probe with an error, however fast they come.
quick() { echo 0 >/proc/sys/net/ipv4/icmp_ratelimit; echo 0 >/proc/sys/net/ipv6/icmp/ratelimit; }
quick
start unshare -n sleep 1000
FAR=$PID
await sh -c "[ \$(readlink /proc/$FAR/ns/net) != \$(readlink /proc/$$/ns/net) ]"
far() { nsenter -t "$FAR" -n "$@"; }
ip link add near type veth peer name far netns "$FAR"
ip addr add 10.79.0.1/24 dev near; ip addr add fd79::1/64 dev near nodad; ip link set near up
far sh -c 'ip link set lo up; ip addr add 10.79.0.2/24 dev far; ip addr add fd79::2/64 dev far nodad; ip link set far up
	ip route add default via 10.79.0.1; ip route add default via fd79::1; echo 0 >/proc/sys/net/ipv6/icmp/ratelimit
	echo 0 >/proc/sys/net/ipv4/icmp_ratelimit'
far_up() { ping -c 1 -W 1 10.79.0.2 >/dev/null && ping -6 -c 1 -W 1 fd79::2 >/dev/null; }
await far_up || { echo "skip stack_raw: the kernel's network does not come up"; exit 0; }

pings() {
	need ping
	here ping -c 3 -i 0.2 -W 5 10.79.0.2 >out 2>err || fail "ping: $?"
	has out '3 packets transmitted, 3 received, 0% packet loss'
	has out 'from 10.79.0.2: icmp_seq=1 ttl=63 '
	[ -s err ] && { cat err; fail "ping complains"; }
	here ping -6 -c 3 -i 0.2 -W 5 fd79::2 >out || fail "ping -6: $?"
	has out 'from fd79::2: icmp_seq=1 ttl=63 '
	here ping -c 1 -W 5 -s 5000 10.79.0.2 >out || fail "ping of 5000 bytes: $?"
	has out '^5008 bytes from'
	# Errors that routers report, and what is too long to go out whole.
	here ping -c 1 -W 5 -t 1 10.79.0.2 >out
	has out '^From 10.77.2.1 icmp_seq=1 Time to live exceeded'
	here ping -6 -c 1 -W 5 -t 1 fd79::2 >out
	has out '^From fd77:2::1 icmp_seq=1 Time exceeded: Hop limit'
	here ping -c 1 -W 1 -M do -s 3000 10.79.0.2 >out 2>&1 && fail "a long packet went out whole"
	has out 'essage too long'
	here ping -f -c 200 -W 5 10.79.0.2 >out || fail "ping -f: $?"
	has out '200 packets transmitted, 200 received'
}

# The way there and back, as written into the packets on it, from the kernel's hosts and from the stack.
recorded() {
	need ping
	here ping -R -c 1 -W 5 10.79.0.2 >out || { cat out; fail "ping -R: $?"; }
	sed -n '/^RR:/,/^$/p' out | grep -o '[0-9.]*\.[0-9]*' >hops
	is "the recorded route" "$(tr '\n' ' ' <hops)" '10.77.2.2 10.79.0.1 10.79.0.2 10.79.0.2 10.77.2.1 10.77.2.2 '
	ping -R -c 1 -W 5 10.77.2.2 >out || { cat out; fail "the kernel's ping -R: $?"; }
	sed -n '/^RR:/,/^$/p' out | grep -o '[0-9.]*\.[0-9]*' >hops
	is "the route to the stack" "$(tr '\n' ' ' <hops)" '10.77.2.1 10.77.2.2 10.77.2.2 10.77.2.1 '
	here ping -T tsonly -c 1 -W 5 10.79.0.2 >out || { cat out; fail "ping -T tsonly: $?"; }
	is "stamps" "$(sed -n '/^TS:/,/^$/p' out | grep -c '[0-9]')" 6
	here ping -T tsandaddr -c 1 -W 5 10.79.0.2 >out || { cat out; fail "ping -T tsandaddr: $?"; }
	# Of its two addresses the router takes what it likes.
	sed -n '/^TS:/,/^$/p' out | grep -o '10\.[0-9.]*' | sed 's/10.77.2.1/router/; s/10.79.0.1/router/' >hops
	is "who stamped" "$(tr '\n' ' ' <hops)" '10.77.2.2 router 10.79.0.2 10.79.0.2 '
	has out '^Unrecorded hops: 2$'
	here ping -T tsprespec 10.77.2.2 10.79.0.2 -c 1 -W 5 10.79.0.2 >out || { cat out; fail "ping -T tsprespec: $?"; }
	is "stamps of those asked" "$(sed -n '/^TS:/,/^$/p' out | grep -c '10\.')" 2
	here ping -c 1 -W 1 10.77.2.1 10.79.0.2 >out 2>&1 && fail "a source route was taken"
	return 0
}

# hops FILE ROUTER HOST
hops() {
	has "$1" "^ *1  *$2 "
	has "$1" "^ *2  *$3 "
	grep -q '\*' "$1" && { cat "$1"; fail "an answer is missing"; }
	return 0
}

traceroutes() {
	local how
	need traceroute
	for how in "" -I "-T -p 81"; do
		here traceroute -w 5,0,0 -n $how 10.79.0.2 >out 2>&1 || { cat out; fail "traceroute $how: $?"; }
		hops out 10.77.2.1 10.79.0.2
		here traceroute -w 5,0,0 -6 -n $how fd79::2 >out 2>&1 || { cat out; fail "traceroute -6 $how: $?"; }
		hops out fd77:2::1 fd79::2
	done
}

tracepaths() {
	need tracepath
	here tracepath -n 10.79.0.2 >out || fail "tracepath: $?"
	has out 'pmtu 1500$'
	has out '^ 1:  *10.77.2.1 '
	has out '^ 2:  *10.79.0.2 .* reached'
	has out 'hops 2 back 2'
	ip link set near mtu 1400
	far ip link set far mtu 1400
	here tracepath -6 -n fd79::2 >out || fail "tracepath -6: $?"
	ip link set near mtu 1500
	far ip link set far mtu 1500
	has out '^ 2:  *fd77:2::1 .* pmtu 1400'
	has out '^ 2:  *fd79::2 .* reached'
}

arpings() {
	need arping
	here arping -c 2 -w 5 -I ss1 10.77.2.1 >out || { cat out; fail "arping: $?"; }
	# There are two programs of that name.
	has out 'reply from 10.77.2.1 \[\|bytes from .* (10.77.2.1)'
	has out '^Received 2 response\|^2 packets transmitted, 2 packets received'
}

# captures OUT COUNT ARGUMENT...: tcpdump in the background, listening by the time that it returns; its process in TCPDUMP.
captures() {
	local out=$1 count=$2
	shift 2
	OUT=$out start "${HERE[@]}" tcpdump -Z root -nn -p -U -c "$count" "$@"
	TCPDUMP=$PID
	await grep -q 'listening on' "$out" || { cat "$out"; fail "tcpdump does not start"; }
}

tcpdumps() {
	need tcpdump ping
	captures dump 4 -i ss1 -w shot icmp and host 10.79.0.2
	here ping -6 -c 1 -W 5 fd79::2 >/dev/null
	here ping -c 2 -i 0.2 -W 5 -s 1000 10.79.0.2 >/dev/null
	await gone "$TCPDUMP" || { cat dump; fail "tcpdump has not ended"; }
	has dump '^4 packets captured'
	has dump '^0 packets dropped'
	tcpdump -nn -r shot 2>/dev/null >shown
	is "echoes in the file" "$(grep -c '10.77.2.2 > 10.79.0.2: ICMP echo request.*length 1008' shown)" 2
	is "packets in the file" "$(wc -l <shown)" 4
	# All interfaces, with headers of no link; a snapshot length; and without a ring's delay.
	captures any 2 -i any -s 80 --immediate-mode icmp6
	here ping -6 -c 1 -W 5 fd79::2 >/dev/null
	await gone "$TCPDUMP" || { cat any; fail "tcpdump -i any has not ended"; }
	has any 'ss1 *Out *IP6 fd77:2::2 > fd79::2: ICMP6, echo request'
	has any 'ss1 *In *IP6 fd79::2 > fd77:2::2: ICMP6, echo reply'
	# A filter of more instructions than fit into a message to the host: it goes there all the same.
	long=$(printf 'ip host 10.1.0.%d or ' $(seq 120))
	at_least "instructions" "$(tcpdump -O -ddd -y EN10MB "$long ip host 10.79.0.2" 2>/dev/null | sed 1q)" 600
	captures long 1 -O -i ss1 "$long ip host 10.79.0.2"
	here ping -c 1 -W 5 10.79.0.2 >/dev/null
	await gone "$TCPDUMP" || { cat long; fail "tcpdump with a long filter has not ended"; }
	here tcpdump -Z root -i nosuch -c 1 >out 2>&1 && fail "tcpdump on an interface that is not there"
	has out 'No such device'
	here tcpdump -D >out || fail "tcpdump -D: $?"
	has out 'ss1 \['
}

# More than a ring holds at once: no packet is lost while the reader keeps up, and the file says what was sent.
flood() {
	need tcpdump ping
	captures dump 4000 -i ss1 -B 4096 -w shot icmp
	here ping -f -c 2000 -s 1400 -W 5 10.79.0.2 >/dev/null || fail "ping: $?"
	await gone "$TCPDUMP" || { kill -INT "$TCPDUMP"; sleep 1; cat dump; fail "tcpdump has not ended"; }
	has dump '^4000 packets captured'
	is "packets in the file" "$(tcpdump -nn -r shot 2>/dev/null | grep -c 'length 1408')" 4000
}

npings() {
	need nping
	here nping --tcp-connect -c 1 -p 81 10.79.0.2 >out 2>&1 || { cat out; fail "nping --tcp-connect: $?"; }
	has out 'Connection refused'
	here nping --icmp -c 2 --delay 100ms 10.79.0.2 >out 2>&1 || { cat out; fail "nping --icmp: $?"; }
	has out 'Rcvd: 2 '
	has out 'SENT .* ICMP \[10.77.2.2 > 10.79.0.2 Echo request'
	here nping --tcp -c 2 --delay 100ms -p 81 10.79.0.2 >out 2>&1 || { cat out; fail "nping --tcp: $?"; }
	has out 'Rcvd: 2 '
	here nping --udp -c 2 --delay 100ms -p 81 10.79.0.2 >out 2>&1 || { cat out; fail "nping --udp: $?"; }
	has out 'RCVD .* ICMP \[10.79.0.2 > 10.77.2.2 Port unreachable'
	here nping --arp -c 2 --delay 100ms 10.77.2.1 >out 2>&1 || { cat out; fail "nping --arp: $?"; }
	has out 'Rcvd: 2 '
	is "nping's headers" "$(here nping --tcp -c 1 -p 81 --tr --ttl 1 10.79.0.2 2>&1 | grep -c '10.77.2.1 > 10.77.2.2 TTL=0 during transit')" 1
}

# Raw sockets of several kinds in one program, found by what they receive.
scans() {
	need nmap
	here nmap -n -sn 10.77.2.1 10.77.2.9 >out 2>&1 || { cat out; fail "nmap -sn: $?"; }
	has out '1 host up'
	here nmap -n -Pn -sS -p 81,82 10.79.0.2 >out 2>&1 || { cat out; fail "nmap -sS: $?"; }
	has out '^81/tcp closed '
	here nmap -n -Pn -sU -p 81 10.79.0.2 >out 2>&1 || { cat out; fail "nmap -sU: $?"; }
	has out '^81/udp closed '
	here nmap -6 -n -Pn -sS -p 81 fd79::2 >out 2>&1 || { cat out; fail "nmap -6 -sS: $?"; }
	has out '^81/tcp closed '
}

fpings() {
	need fping
	here fping -q -c 3 -p 100 10.79.0.2 10.77.2.1 2>out || { cat out; fail "fping: $?"; }
	is "hosts that answered all" "$(grep -c 'xmt/rcv/%loss = 3/3/0%' out)" 2
	here fping -6 -q -c 2 -p 100 fd79::2 2>out || { cat out; fail "fping -6: $?"; }
	has out 'xmt/rcv/%loss = 2/2/0%'
}

mtrs() {
	need mtr
	here mtr -n -r -c 2 -i 0.2 10.79.0.2 >out || { cat out; fail "mtr: $?"; }
	has out '^ *1\.|-- 10.77.2.1 .* 0.0%'
	has out '^ *2\.|-- 10.79.0.2 .* 0.0%'
	here mtr -6 -n -r -c 2 -i 0.2 fd79::2 >out || { cat out; fail "mtr -6: $?"; }
	has out '^ *2\.|-- fd79::2 .* 0.0%'
}

# The interfaces and the way to an address, as they are found in other ways than getifaddrs.
asked() {
	need ip traceroute
	here cat /proc/net/dev >out
	is "interfaces in /proc/net/dev" "$(sed '1,2d; s/:.*//' out | tr -d ' ' | tr '\n' ' ')" "lo ss1 "
	here cat /proc/net/if_inet6 | grep -q '^fd770002000000000000000000000002 02 40 00 80 *ss1$' || fail "/proc/net/if_inet6"
	here ip route get 10.79.0.2 >out || fail "ip route get: $?"
	# Names of interfaces ip has from the kernel.
	has out '^10.79.0.2 via 10.77.2.1 dev .* src 10.77.2.2'
	here ip route get 10.77.2.2 >out || fail "ip route get of its own: $?"
	has out '^local 10.77.2.2 dev lo '
	here ip -6 route get fd77:2::9 >out || fail "ip -6 route get: $?"
	has out '^fd77:2::9 dev .* src fd77:2::2'
	ip route get 10.77.2.2 | grep -q 'dev ss1' || fail "the kernel's answer is another without the stack"
	here traceroute -n -I 10.77.2.1 >/dev/null || fail "traceroute: $?"
	need route netstat
	here route -n >out || fail "route: $?"
	has out '^0.0.0.0 *10.77.2.1 *0.0.0.0 *UG .* ss1$'
	has out '^10.77.2.0 *0.0.0.0 *255.255.255.0 *U .* ss1$'
	grep -q near out && { cat out; fail "a route of the kernel's"; }
	here netstat -6 -rn >out || fail "netstat -rn: $?"
	has out '^::/0 *fd77:2::1 *UG .* ss1$'
	has out '^fd77:2::/64 *:: *U .* ss1$'
	here arp -n >out || fail "arp: $?"
	has out "^10.77.2.1 *ether *$(ip -br link show ss1 | awk '{ print $3 }') *C .* ss1"
}

scenario ping pings client
scenario route_recorded recorded client
scenario traceroute traceroutes client
scenario tracepath tracepaths client
scenario arping arpings client
scenario tcpdump tcpdumps client
scenario tcpdump_flood flood client
scenario nping npings client
scenario nmap scans client
scenario fping fpings client
scenario mtr mtrs client
scenario routes_asked asked client
