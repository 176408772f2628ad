#!/usr/bin/env bash
# dnsmasq and dig: over UDP and TCP, an answer that is too long for a datagram, names of programs on the stack.
. "$(dirname "$0")/stack_lib.sh"
need dnsmasq dig

for i in $(seq 80); do echo "host-record=many.example,10.9.8.$i"; done >records
ask() { here dig +noall +answer +tries=8 +time=1 -p "$PORT" "@$1" "${@:2}" | sed "s/[[:space:]][[:space:]]*/ /g" | sort; }

dns() {
	local listen=()
	# It reads the list of interfaces over netlink, which is the kernel's: elsewhere it is told where to listen.
	[ "${#THERE[@]}" = 0 ] || listen=(--bind-interfaces --listen-address="$ADDR,$ADDR6")
	serve_there dnsmasq -k -u root --pid-file= -C "$T/records" --port %P --no-resolv --no-hosts --log-facility=- \
		--host-record=one.example,10.1.2.3,fd00::3 --txt-record=text.example,"some text" --edns-packet-max=1232 \
		--mx-host=one.example,mail.example,5 --srv-host=_a._tcp.example,one.example,99 "${listen[@]}"
	{
		ask "$ADDR" one.example A
		ask "$ADDR" one.example AAAA
		ask "$ADDR6" one.example A
		ask "$ADDR" +tcp one.example A
		ask "$ADDR6" +tcp one.example MX
		ask "$ADDR" text.example TXT
		ask "$ADDR" _a._tcp.example SRV
		ask "$ADDR" -x 10.1.2.3
		ask "$ADDR" +noedns many.example A
		here dig +tries=8 +time=1 -p "$PORT" "@$ADDR" none.example | grep -o 'status: [A-Z]*'
	} >result
	[ "$(wc -l <result)" -ge 89 ] || { grep -v many result; fail "only $(wc -l <result) lines of answers"; }
}

# A name server that routers know to be out of reach is not waited for.
unreachable() {
	"$SHIM" stack down cli && client_stack "$CLIENT_SPEC,dns=192.0.2.53"
	here "$PY" - <<-'END' || fail "it waits"
		import socket, time
		began = time.monotonic()
		try:
		    print(socket.getnameinfo(("10.77.2.77", 80), 0))
		except socket.gaierror as e:
		    assert e.errno == socket.EAI_AGAIN
		else:
		    assert False
		assert time.monotonic() < began + 4
	END
}

scenario dnsmasq dns
scenario dns_unreachable unreachable client
