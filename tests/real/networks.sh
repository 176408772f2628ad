#!/usr/bin/env bash
# Networks without privileges, as an ordinary user: the world through libslirp, ports forwarded from it, and a lan of
# several programs' stacks whose links lose packets.
if [ "$(id -u)" = 0 ]; then
	as_nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
	if ! as_nobody test -x "${B:-build}/sockshim" 2>/dev/null; then
		echo "skip networks: another user cannot read ${B:-build}"
		exit 0
	fi
	# shellcheck disable=SC2093
	exec setpriv --reuid 65534 --regid 65534 --clear-groups "$0" "$@"
fi
. "$(dirname "$0")/lib.sh"
need curl python3

make_file file 300
NAME=test$$
LANS=/tmp/sockshim-lan-$(id -u)

stack_run() { "$SHIM" run -q --stack "$@"; }

curl_through_user() {
	serve "$PY" -m http.server -b 127.0.0.1 -d "$T" %P
	stack_run user -- curl -sS -m 60 "http://10.0.2.2:$PORT/file" -o got || fail "curl exits with $?"
	cmp got "$T/file" || fail "something else came"
}
check curl_through_user curl_through_user

comes() { curl -sS -m 60 "http://127.0.0.1:$PORT/file" -o got 2>err; }
a_server_behind_a_forwarded_port() {
	pick_port
	start "$SHIM" run -q --stack "user,forward=$PORT:8080" -- "$PY" -m http.server -d "$T" 8080
	await comes || { cat err server.log; fail "nothing is served"; }
	cmp got "$T/file" || fail "something else came"
}
check a_server_behind_a_forwarded_port a_server_behind_a_forwarded_port

lan_conf() {
	nginx_conf nginx.conf 1
	sed -i 's/listen 127.0.0.1:%P/listen 80/' nginx.conf
	cp "$T/file" "$T/www/file"
}
no_switch() { [ ! -e "$LANS/$NAME.sock" ]; }
served() { stack_run "lan=$NAME" -- curl -sS -m 5 http://10.77.0.1/file -o first 2>err; }
nginx_and_three_clients_on_a_lossy_lan() {
	local i pids=
	need nginx
	lan_conf
	start "$SHIM" run -q --stack "lan=$NAME" -- nginx -p "$T/nginx" -c "$PWD/nginx.conf"
	await test -e "$LANS/$NAME.sock" || fail "there is no network"
	await served || { cat err server.log; fail "nothing is served"; }
	for i in 1 2 3; do
		stack_run "lan=$NAME,loss=5%" -- curl -sS -m 100 http://10.77.0.1/file -o "got$i" &
		pids="$pids $!"
	done
	for i in $pids; do wait "$i" || fail "a client exits with $?"; done
	for i in 1 2 3; do cmp "got$i" "$T/file" || fail "something else came to client $i"; done
	stop "$PID"
	await no_switch || fail "the switch stays when all have left"
}
check nginx_and_three_clients_on_a_lossy_lan nginx_and_three_clients_on_a_lossy_lan
