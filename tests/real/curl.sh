#!/usr/bin/env bash
# curl against an nginx that is not under the shim: as it is, and when things go wrong.
. "$(dirname "$0")/lib.sh"
need curl nginx python3

nginx_conf nginx.conf 1
make_file www/file 256
echo "hello there" >www/hello
CONF=nginx.conf serve nginx -e nginx/error.log -c "$T/nginx.conf.used"
URL=http://127.0.0.1:$PORT
WWW=$T/www

fetches() {
	both curl -sS -D head "$URL/hello"
	has out "^hello there$"
	counts "inet4, stream" opened=1 connected=1 closed=1 openfailed=0 connectfailed=0 closefailed=0
	all_closed
}

fetches_big() {
	both curl -sS "$URL/file" "$URL/hello" "$URL/file"
	# Connections are kept: three transfers, one socket.
	counts "inet4, stream" opened=1 connected=1 closed=1
	all_closed
}

nobody_listens() {
	local port
	pick_port
	both curl -sS "http://127.0.0.1:$PORT/"
	is "exit status" "$(shim -- curl -sS "http://127.0.0.1:$PORT/" >/dev/null 2>&1; echo $?)" 7
	counts "inet4, stream" opened=1 connected=0 closed=1 connectfailed=1
}

parallel() {
	local i args=()
	for i in 1 2 3 4 5 6 7 8; do args+=(-o "$i" "$URL/file"); done
	shim -- curl -sS -Z --parallel-immediate "${args[@]}" || fail "exit status $?"
	for i in 1 2 3 4 5 6 7 8; do cmp "$i" "$WWW/file" || fail "transfer $i is wrong"; done
	at_least connected "$(count connected "inet4, stream")" 1
	all_closed
}

retries() {
	both curl -sS --retry-connrefused --retry 3 --retry-delay 1 "$URL/hello"
	cp out.bare wanted
	shim --fault "fail connect with ECONNREFUSED on 1st" -- \
		curl -sS --retry-connrefused --retry 3 --retry-delay 1 "$URL/hello" >out || fail "exit status $?"
	cmp out wanted || fail "the second try brings something else"
	is fired "$(fired 1)" 1
	# A call that a rule fails is in no counter but its own.
	counts "inet4, stream" opened=2 connected=1 connectfailed=0 closed=2
	has summary "injected: connect=1"
	all_closed
}

refused_late() {
	shim --fault "fail connect late with ETIMEDOUT" -- curl -sS "$URL/hello" >out 2>err
	is "exit status" $? 28
	is fired "$(fired 1)" 1
}

reset() {
	local rc
	shim --fault "reset recv after 64KiB" -- curl -sS -o got "$URL/file" 2>err; rc=$?
	is "exit status" $rc 56
	at_least "bytes got" "$(stat -c %s got)" 65536
	[ "$(stat -c %s got)" -lt 262144 ] || fail "all was received"
	shim -- curl -sS -C - -o got "$URL/file" || fail "resuming: exit status $?"
	cmp got "$WWW/file" || fail "the resumed file is wrong"
}

resolve() {
	shim --fault "fail resolve with EAI_AGAIN" -- curl -sS http://resolve.invalid/ >out 2>err
	is "exit status" $? 6
	is fired "$(fired 1)" 1
}

no_such_family() {
	shim --fault "fail socket with EAFNOSUPPORT family inet4" -- curl -sS "$URL/hello" >out 2>err
	is "exit status" $? 7
	counts "inet4, stream" opened=0
}

# The duration is taken from what was recorded: how long curl took by the clock says nothing on a busy
# machine.
delayed() {
	shim --trace=trace --format json --fault "delay connect by 50ms..80ms" -- curl -sS "$URL/hello" >out ||
		fail "exit status $?"
	cat >judge.py <<-'END'
		import json
		for line in open("trace"):
		    e = json.loads(line)
		    if e["call"] == "connect":
		        assert e["rule"] == 1, e
		        assert 50e6 <= e["duration_ns"], e
		        print("connect", e["errno"])
	END
	"$PY" judge.py >judged || fail "the recorded connect is not right"
	is "connects" "$(cat judged)" "connect EINPROGRESS"
}

short_reads() {
	shim --fault "short recv to 1..16 first 200" --fault "short send to 1..16" -- \
		curl -sS "$URL/file" >got || fail "exit status $?"
	cmp got "$WWW/file" || fail "the file is wrong"
	is fired "$(fired 1)" 200
}

check curl_fetches fetches
check curl_keeps_connection fetches_big
check curl_connection_refused nobody_listens
check curl_parallel parallel
check curl_retries_when_connect_fails retries
check curl_late_timeout refused_late
check curl_reset_and_resume reset
check curl_resolve_fails resolve
check curl_no_such_family no_such_family
check curl_delayed_connect delayed
check curl_short_reads short_reads
