#!/usr/bin/env bash
# curl and wget against nginx on a stack: http over both families, https with a certificate of our own.
. "$(dirname "$0")/stack_lib.sh"
need curl wget nginx openssl

mkdir -p www nginx
make_file www/big 8192
make_file www/small 3
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem -days 2 \
	-subj /CN=test.example >/dev/null 2>&1
cat >nginx.conf <<END
daemon off;
user $(id -un) $(id -gn);
worker_processes 1;
pid $T/nginx/pid;
error_log $T/nginx/error.log notice;
events { worker_connections 256; }
http {
	access_log off;
	client_body_temp_path $T/nginx/body; proxy_temp_path $T/nginx/proxy; fastcgi_temp_path $T/nginx/fastcgi;
	uwsgi_temp_path $T/nginx/uwsgi; scgi_temp_path $T/nginx/scgi;
	client_max_body_size 100m;
	server { listen *:%P; listen [::]:%P; root $T/www; location /gone { return 404 "nothing\n"; } }
	server { listen *:443 ssl; root $T/www; ssl_certificate $T/cert.pem; ssl_certificate_key $T/key.pem; }
}
END
web_up() { CONF=$T/nginx.conf serve_there nginx -e "$T/nginx/error.log" -c "$T/nginx.conf.used"; }
web_down() { kill -QUIT "$(cat "$T/nginx/pid")"; await gone "$PID" || fail "nginx does not quit"; }
get() { here curl -sS -m 60 -w '%{http_code} %{size_download}\n' -o got "$@" 2>&1 && sha256sum <got; }

curls() {
	local file=big
	lossy && file=small
	web_up
	{
		get "http://$ADDR:$PORT/small"
		get "http://[$ADDR6]:$PORT/small"
		get "http://$ADDR:$PORT/gone"
		get --resolve "test.example:443:$ADDR" --cacert "$T/cert.pem" https://test.example/small
	} >result || { cat result; fail "exit status $?"; }
	get "http://$ADDR:$PORT/$file" >big && grep -q "$(sha256sum <"$T/www/$file")" big || { cat big; fail "the file is wrong"; }
	# Several at once over one process, and over connections that are kept.
	here curl -sS -m 60 -Z --parallel-max 8 "http://$ADDR:$PORT/small?[1-24]" -o "many#1" || fail "exit status $?"
	cat many* | sha256sum >>result
	here curl -sS -m 60 "http://$ADDR:$PORT/small?[1-10]" -o "kept#1" -w '%{num_connects}\n' >>result
	# A port that nobody listens on, and a server that is too slow.
	here curl -sS -m 60 "http://$ADDR:$((PORT + 1))/" >/dev/null 2>err
	echo "refused: $?" >>result
	web_down
}

wgets() {
	web_up
	here wget -q -T 30 -O got "http://$ADDR:$PORT/small" || fail "exit status $?"
	here wget -q -T 30 -O got6 "http://[$ADDR6]:$PORT/small" || fail "exit status $? over IPv6"
	here wget -q -T 30 --no-check-certificate -O gots "https://$ADDR/small" || fail "exit status $? over https"
	cat got got6 gots | sha256sum >result
	# The half that is there is not fetched again.
	head -c 1000 "$T/www/small" >part
	here wget -q -T 30 -c -O part "http://$ADDR:$PORT/small" || fail "exit status $? continuing"
	sha256sum <part >>result
	here wget -q -T 30 -O none "http://$ADDR:$PORT/gone" 2>/dev/null
	echo "missing: $?" >>result
	web_down
}

scenario curl curls
scenario wget wgets

# A stack of its own for each run, on the same device as the one that has just ended.
again() {
	local i
	CONF=$T/nginx.conf serve nginx -e "$T/nginx/error.log" -c "$T/nginx.conf.used"
	for i in 1 2 3 4 5 6; do
		"$SHIM" run -q --stack "$CLIENT_SPEC" -- curl -sS -m 30 -o "got$i" "http://10.77.2.1:$PORT/small" ||
			fail "run $i: exit status $?"
		cmp "got$i" "$T/www/small" || fail "run $i: the file is wrong"
	done
	web_down
}
check stack_runs_one_after_the_other again
