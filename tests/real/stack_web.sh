#!/usr/bin/env bash
# More servers of the web, and their clients: Apache under ab, lighttpd, squid, varnish, stunnel, busybox, php.
. "$(dirname "$0")/stack_lib.sh"
need curl

# Their workers are another user, who is to read it.
chmod 755 "$T"
mkdir www
make_file www/big 400
make_file www/small 3
# Fewer of them where each takes its time.
lossless() { lossy && echo 20 || echo "$1"; }
sum() { sha256sum | cut -c1-16; }
fetch() { here curl -sS --max-time 100 -g "$@" | sum; }
OTHER=nobody

# apache MPM: the workers of each kind wait and accept in their own way.
apache() {
	local mods=/usr/lib/apache2/modules
	command -v apache2 >/dev/null && [ -f $mods/mod_mpm_$1.so ] || skip "there is no apache2 with mpm_$1"
	cat >apache.conf <<-END
		LoadModule mpm_$1_module $mods/mod_mpm_$1.so
		LoadModule authz_core_module $mods/mod_authz_core.so
		ServerName test
		ServerRoot $PWD
		PidFile $PWD/pid
		ErrorLog $PWD/error.log
		DefaultRuntimeDir $PWD
		User $OTHER
		Listen %P
		StartServers 2
		DocumentRoot $T/www
		<Directory $T/www>
		Require all granted
		</Directory>
	END
	CONF=$PWD/apache.conf serve_there apache2 -f "$PWD/apache.conf.used" -D FOREGROUND
}
apache_prefork() { apache_with prefork; }
apache_event() { apache_with event; }
apache_with() {
	apache "$1"
	fetch "http://$ADDR:$PORT/big" >result
	fetch "http://[$ADDR6]:$PORT/small" >>result
	command -v ab >/dev/null || return 0
	here ab -q -n "$(lossless 400)" -c 8 "http://$ADDR:$PORT/small" >ab.out 2>&1 || { cat ab.out; fail "ab: exit status $?"; }
	here ab -q -k -n "$(lossless 400)" -c 8 "http://$ADDR:$PORT/small" >>ab.out 2>&1 || { cat ab.out; fail "ab -k: exit status $?"; }
	is "failed requests" "$(awk '/^Failed/ { print $3 }' ab.out | xargs)" "0 0"
	is "requests" "$(awk '/^Complete/ { print $3 }' ab.out | xargs)" "$(lossless 400) $(lossless 400)"
}

lighttpd_() {
	command -v lighttpd >/dev/null || skip "there is no lighttpd"
	cat >lighttpd.conf <<-END
		server.document-root = "$T/www"
		server.port = %P
		server.username = "$OTHER"
		server.max-worker = 2
		\$SERVER["socket"] == "[::]:%P" { }
	END
	CONF=$PWD/lighttpd.conf serve_there lighttpd -D -f "$PWD/lighttpd.conf.used"
	fetch "http://$ADDR:$PORT/big" >result
	fetch "http://[$ADDR6]:$PORT/small" >>result
	fetch -r 100-1999 "http://$ADDR:$PORT/small" >>result
}

# origin: nginx's place is taken by python's, which nobody else here is to be confused with.
origin() {
	OUT=origin.log serve_there "$PY" -m http.server -d "$T/www" --bind 0.0.0.0 %P
	ORIGIN=$PORT
}

squid_() {
	command -v squid >/dev/null || skip "there is no squid"
	origin
	mkdir -m 777 cache
	cat >squid.conf <<-END
		http_port %P
		http_access allow all
		pid_filename $PWD/cache/pid
		cache_log $PWD/cache/log
		access_log none
		coredump_dir $PWD/cache
		cache_effective_user $OTHER
		cache deny all
		pinger_enable off
		shutdown_lifetime 0 seconds
	END
	chmod 755 .
	CONF=$PWD/squid.conf serve_there squid -N -f "$PWD/squid.conf.used"
	for i in 1 2; do fetch -x "http://$ADDR:$PORT" "http://127.0.0.1:$ORIGIN/big"; done >result
	here curl -sS -o /dev/null -w '%{http_code}\n' -x "http://$ADDR:$PORT" "http://127.0.0.1:1/" >>result
	# CONNECT: bytes both ways.
	fetch -p -x "http://$ADDR:$PORT" "http://127.0.0.1:$ORIGIN/small" >>result
}

varnish() {
	command -v varnishd >/dev/null && command -v gcc >/dev/null || skip "there is no varnishd"
	origin
	serve_there varnishd -F -n "$PWD/varnish" -a "0.0.0.0:%P" -b "127.0.0.1:$ORIGIN" -s malloc,16m -j none
	for i in 1 2; do fetch "http://$ADDR:$PORT/big"; done >result
}

tls() {
	command -v stunnel >/dev/null && command -v openssl >/dev/null || skip "there is no stunnel"
	openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=test -days 2 -keyout key.pem -out cert.pem 2>/dev/null
	origin
	cat >stunnel.conf <<-END
		foreground = yes
		pid =
		[web]
		accept = 0.0.0.0:%P
		connect = 127.0.0.1:$ORIGIN
		cert = $PWD/cert.pem
		key = $PWD/key.pem
	END
	CONF=$PWD/stunnel.conf serve_there stunnel "$PWD/stunnel.conf.used"
	fetch -k "https://$ADDR:$PORT/big" >result
	fetch -k "https://$ADDR:$PORT/small" >>result
}

busybox_() {
	command -v busybox >/dev/null || skip "there is no busybox"
	serve_there busybox httpd -f -p %P -h "$T/www"
	here busybox wget -q -O - "http://$ADDR:$PORT/big" | sum >result
}

php_() {
	command -v php >/dev/null || skip "there is no php"
	cat >client.php <<-'END'
		<?php
		foreach (array_slice($argv, 2) as $f) {
			$s = stream_socket_client("tcp://" . $argv[1], $no, $text, 100);
			fwrite($s, "GET /$f HTTP/1.0\r\n\r\n");
			$r = explode("\r\n\r\n", stream_get_contents($s), 2);
			echo hash("sha256", $r[1]), "\n";
		}
	END
	serve_there php -S "0.0.0.0:%P" -t "$T/www"
	here php client.php "$ADDR:$PORT" big small >result || fail "exit status $?"
}

scenario apache_prefork apache_prefork
scenario apache_event apache_event
scenario lighttpd lighttpd_
scenario squid squid_
scenario varnish varnish
scenario stunnel tls
scenario busybox busybox_
scenario php php_
