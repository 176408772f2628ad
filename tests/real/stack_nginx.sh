#!/usr/bin/env bash
# nginx with four workers under wrk: reloads while it is asked, workers that are another user, and haproxy
# before it.
. "$(dirname "$0")/stack_lib.sh"
need nginx wrk curl

mkdir -p www nginx
make_file www/file 30
chmod 711 "$T"; chmod -R a+rX www
conf() { # NAME LISTEN USER
	cat >"$1" <<END
daemon off;
user $3;
worker_processes 4;
pid $T/nginx/pid;
error_log $T/nginx/error.log notice;
events { worker_connections 256; }
http {
	access_log off;
	client_body_temp_path $T/nginx/body; proxy_temp_path $T/nginx/proxy; fastcgi_temp_path $T/nginx/fastcgi;
	uwsgi_temp_path $T/nginx/uwsgi; scgi_temp_path $T/nginx/scgi;
	server {
		listen $2:%P reuseport; root $T/www;
		location /who { return 200 "\$remote_addr \$server_addr \$server_port\n"; }
	}
}
END
}
conf own.conf '*' "$(id -un) $(id -gn)"
conf user.conf '*' www-data
conf behind.conf 127.0.0.1 "$(id -un) $(id -gn)"

nginx_up() {
	: >"$T/nginx/error.log"
	CONF=$T/$1 serve_there nginx -e "$T/nginx/error.log" -c "$T/$1.used"
	NGINX=$(cat "$T/nginx/pid")
}
quit() { kill -QUIT "$NGINX"; await gone "$NGINX" || fail "nginx does not quit"; }

# wrk_for SECONDS PATH: every answer is right, and there are some.
wrk_for() {
	here wrk -t 2 -c 16 -d "$1" "http://$ADDR:$PORT/$2" >wrk.out 2>&1 || { cat wrk.out; fail "wrk: exit status $?"; }
	! grep -q 'Non-2xx' wrk.out || { cat wrk.out; fail "wrk was given errors"; }
	at_least requests "$(sed -n 's/^ *\([0-9]*\) requests in.*/\1/p' wrk.out)" 20
}
no_alerts() {
	! grep '\[\(alert\|emerg\|crit\)\]' "$T/nginx/error.log" | head -n 5 | grep . || fail "nginx says that something is wrong"
}
asks() { here curl -sS -m 30 "http://$ADDR:$PORT/$1"; }

reload() {
	local load
	nginx_up own.conf
	asks who | sed "s/$CLIENT_ADDR/CLIENT/; s/$ADDR/SERVER/; s/$PORT/PORT/" >result
	asks file | sha256sum >>result
	wrk_for 1s file
	! grep -q 'Socket errors' wrk.out || { cat wrk.out; fail "connections have broken"; }
	wrk_for 2s who &
	load=$!
	sleep 0.5
	kill -HUP "$NGINX"
	await grep -q "exited with code 0" "$T/nginx/error.log" || fail "no worker has ended"
	wait $load || { cat wrk.out; fail "$(cat "$T/why")"; }
	asks file | sha256sum >>result
	quit
	no_alerts
}

other_user() {
	nginx_up user.conf
	asks who | sed "s/$CLIENT_ADDR/CLIENT/; s/$ADDR/SERVER/; s/$PORT/PORT/" >result
	asks file | sha256sum >>result
	wrk_for 1s file
	quit
	no_alerts
}

behind() {
	command -v haproxy >/dev/null || skip "there is no haproxy"
	nginx_up behind.conf
	sed "s/%P/$PORT/" >haproxy.conf.in <<-END
		global
		    log stderr local0 notice
		    nbthread 2
		defaults
		    mode http
		    timeout connect 5s
		    timeout client 20s
		    timeout server 20s
		    option forwardfor
		frontend web
		    bind :%Q
		    bind :::%Q v6only
		    default_backend servers
		backend servers
		    balance roundrobin
		    server one 127.0.0.1:%P check inter 200ms
		    server two 127.0.0.1:1 check inter 200ms
		listen tcp
		    mode tcp
		    bind :7001
		    server one 127.0.0.1:%P
	END
	sed 's/%Q/%P/g' haproxy.conf.in >haproxy.conf
	CONF=haproxy.conf serve_there haproxy -db -f haproxy.conf.used
	await grep -q "two is DOWN" server.log || fail "the health check has not found that one server is down"
	{
		asks who | sed "s/ [0-9]*$/ PORT/"
		asks file | sha256sum
		here curl -sS -m 30 "http://[$ADDR6]:$PORT/file" | sha256sum
		here curl -sS -m 30 "http://$ADDR:7001/file" | sha256sum
	} >result
	wrk_for 1s file
	kill -USR1 "$PID"
	await gone "$PID" || fail "haproxy does not end"
	quit
}

scenario nginx_reload reload
scenario nginx_workers_other_user other_user kernel server both lo
scenario haproxy_nginx behind
