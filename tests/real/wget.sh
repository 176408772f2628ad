#!/usr/bin/env bash
# wget against an nginx that is not under the shim.
. "$(dirname "$0")/lib.sh"
need wget nginx python3

nginx_conf nginx.conf 1
make_file www/file 256
mkdir www/tree
for i in 1 2 3; do echo "<a href=\"$((i + 1)).html\">next</a>" >"www/tree/$i.html"; done
CONF=nginx.conf serve nginx -e nginx/error.log -c "$T/nginx.conf.used"
URL=http://127.0.0.1:$PORT
WWW=$T/www

fetches() {
	both wget -q -O - "$URL/file"
	cmp out "$WWW/file" || fail "the file is wrong"
	# wget keeps the connection for more and ends without closing it.
	counts "inet4, stream" opened=1 connected=1 closed=0
	has summary "^1 socket still open at exit"
	is "exit status" "$("$SHIM" run -q --fail-on-leak=42 -- wget -q -O out "$URL/file" >/dev/null 2>&1; echo $?)" 42
}

recurses() {
	shim -- wget -q -r -nH "$URL/tree/1.html"
	is "exit status" $? 8	# 4.html is not there
	diff -r tree "$WWW/tree" || fail "the tree is wrong"
	counts "inet4, stream" connected=1
}

retries() {
	shim --fault "fail connect with ECONNREFUSED on 1st..2nd" -- \
		wget -q --retry-connrefused --waitretry=0 -t 5 -O got "$URL/file" || fail "exit status $?"
	cmp got "$WWW/file" || fail "the file is wrong"
	is fired "$(fired 1)" 2
	counts "inet4, stream" opened=3 connected=1 closed=2
}

resumes() {
	shim --fault "reset recv after 64KiB first 1" -- wget -q --waitretry=0 -t 5 -O got "$URL/file" ||
		fail "exit status $?"
	cmp got "$WWW/file" || fail "the file is wrong"
	is fired "$(fired 1)" 1
	counts "inet4, stream" connected=2
}

gives_up() {
	shim --fault "fail connect with ENETUNREACH" -- wget -q -t 2 --waitretry=0 -O got "$URL/file"
	is "exit status" $? 4
	counts "inet4, stream" connected=0
}

check wget_fetches fetches
check wget_recurses recurses
check wget_retries_when_connect_fails retries
check wget_resumes_after_reset resumes
check wget_gives_up gives_up
