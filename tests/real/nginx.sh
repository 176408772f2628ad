#!/usr/bin/env bash
# nginx under the shim: a master and two workers, a reload while it is asked, rules that change while it runs.
. "$(dirname "$0")/lib.sh"
need nginx python3

nginx_conf nginx.conf 2
make_file www/file 64
echo "hello there" >www/hello
WWW=$T/www

# client PORT REQUESTS [KEEP]: asks for the file, and again where it was not served; prints how many
# connections were made for it.
cat >client.py <<'END'
import http.client, sys
port, requests, www = int(sys.argv[1]), int(sys.argv[2]), open(sys.argv[3], "rb").read()
keep = len(sys.argv) > 4
connections, conn = 0, None
for i in range(requests):
    for attempt in range(20):
        try:
            if conn is None:
                conn = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
                conn.connect()
                connections += 1
            conn.request("GET", "/file")
            r = conn.getresponse()
            assert r.status == 200 and r.read() == www, "request %d" % i
            if not keep:
                conn.close()
                conn = None
            break
        except (OSError, http.client.HTTPException):
            conn.close()
            conn = None
    else:
        sys.exit("request %d was never served" % i)
if conn:
    conn.close()
print(connections)
END
client() { "$PY" "$T/client.py" "$PORT" "$1" "$WWW/file" ${2:-}; }

# nginx_up [OPTIONS]: under the shim.
nginx_up() {
	: >"$T/nginx/error.log"
	CONF=$T/nginx.conf serve "$SHIM" run -q --summary=summary "$@" -- \
		nginx -e "$T/nginx/error.log" -c "$T/nginx.conf.used"
}
signal_master() { kill -"$1" "$(cat "$T/nginx/pid")"; }
quit() {
	signal_master QUIT
	await gone "$PID" || fail "nginx does not quit"
}

serves() {
	nginx_up
	is connections "$(client 50)" 50
	is connections "$(client 50 keep)" 1
	"$SHIM" stats >running || fail "stats: exit status $?"
	is "accepted while it runs" "$(count accepted "inet4, stream" running)" 51
	quit
	counts "inet4, stream" accepted=51 listenfailed=0 closefailed=0
	no_leak
}

workers_count_for_themselves() {
	nginx_up
	client 40 >/dev/null
	"$SHIM" stats -p >each
	is "processes with sockets" "$(grep -c nginx each)" 3
	is "accepted by the master" "$(awk '/^[0-9]/ { n++ } n == 1' each | count accepted "inet4" -)" 0
	is "accepted by all" "$(count accepted inet4 each)" 40
	quit
}

reloads() {
	local i
	nginx_up
	client 300 >served &
	i=$!
	signal_master HUP
	await grep -q "reconfiguring" "$T/nginx/error.log" || fail "no reload"
	await grep -q "exited with code 0" "$T/nginx/error.log" || fail "no worker has ended"
	wait $i || fail "a request failed during the reload"
	at_least connections "$(cat served)" 300
	client 20 >/dev/null || fail "not served after the reload"
	quit
	counts "inet4, stream" accepted=$(($(cat served) + 20))
	no_leak
}

without_privileges() {
	[ "$(id -u)" = 0 ] || skip "only root can give rights up"
	id www-data >/dev/null 2>&1 || skip "there is no user www-data"
	sed "s/^user .*/user www-data;/" "$T/nginx.conf" >"$T/dropped.conf"
	chmod 711 "$T"; chmod 755 "$WWW"
	CONF=$T/dropped.conf serve "$SHIM" run -q --summary=summary -- \
		nginx -e "$T/nginx/error.log" -c "$T/dropped.conf.used"
	is connections "$(client 40)" 40
	quit
	chmod 700 "$T"
	# The workers are other users than the one whose run it is.
	counts "inet4, stream" accepted=40
	no_leak
}

accept_fails() {
	nginx_up --fault "fail accept with EMFILE every 10th"
	at_least connections "$(client 70)" 70
	quit
	# Each of the two workers counts for itself: of 70 and the failed ones, up to 9 each are not a tenth yet.
	at_least fired "$(fired 1)" 6
	has summary "injected: accept=$(fired 1)"
	no_leak
}

short_sends() {
	nginx_up --seed 5 --fault "short send to 1..1000 probability 40%"
	client 20 keep >/dev/null || fail "not served"
	quit
	at_least fired "$(fired 1)" 20
}

rules_change() {
	local n
	nginx_up
	client 5 >/dev/null
	"$SHIM" fault add "fail accept with ECONNABORTED on 1st..3rd" "delay send by 1ms" || fail "add"
	"$SHIM" fault list >list
	is "rules" "$(sed 1d list | awk '{print $1, $4, $5}' | xargs)" "1 fail accept 2 delay send"
	client 10 >/dev/null || fail "not served"
	"$SHIM" fault list >list
	# Each worker counts for itself.
	n=$(awk '$1 == 1 { print $3 }' list)
	[ "$n" -ge 3 ] && [ "$n" -le 6 ] || fail "rule 1 has fired $n times"
	at_least "rule 2's hits" "$(awk '$1 == 2 { print $3 }' list)" 10
	"$SHIM" fault del 2 || fail "del"
	n=$(awk '$1 == 2 { print $3 }' list)
	client 10 >/dev/null
	"$SHIM" fault list >list
	awk '$1 == 2 && /delay/' list | grep . && fail "the rule is still there"
	"$SHIM" fault add "delay accept by 1ms" && "$SHIM" fault list >list
	is "the new rule's number" "$(awk '/delay accept/ { print $1 }' list)" 3
	"$SHIM" fault add "fail accept wiht EMFILE" 2>err && fail "a wrong rule is taken"
	has err ":1:13: "
	"$SHIM" fault clear
	client 5 >/dev/null
	quit
	is "hits of the rule removed" "$(fired 2)" "$n"
}

check nginx_serves serves
check nginx_workers_count_for_themselves workers_count_for_themselves
check nginx_reloads_while_asked reloads
check nginx_workers_without_privileges without_privileges
check nginx_accept_fails_every_10th accept_fails
check nginx_short_sends short_sends
check nginx_rules_change rules_change
