#!/usr/bin/env bash
# PostgreSQL and pgbench.
. "$(dirname "$0")/stack_lib.sh"
for d in /usr/lib/postgresql/*/bin; do PATH=$PATH:$d; done
need postgres initdb pgbench psql setpriv
id postgres >/dev/null 2>&1 || { echo "skip stack_postgres: there is no user postgres"; exit 0; }

# It does not run as root, nor does its stack, which is given its device open.
AS=(setpriv --reuid=postgres --regid=postgres --clear-groups env HOME=/ LC_ALL=C)
chmod 711 "$T"
mkdir db && chown postgres db
"${AS[@]}" "$(command -v initdb)" -A trust -N -D "$T/db" >initdb.log 2>&1 || { echo "skip stack_postgres: initdb does not work"; exit 0; }
cat >>db/postgresql.conf <<END
listen_addresses = '*'
unix_socket_directories = ''
fsync = off
shared_buffers = 16MB
max_parallel_workers = 0
autovacuum = off
END
echo "host all all all trust" >>db/pg_hba.conf

# A stack of that user's in the place of ours, or ours for the other user too.
own_stack() {
	[ -z "${SHARED:-}" ] || { THERE+=("${AS[@]}"); return; }
	[ "${#THERE[@]}" != 0 ] || { THERE=("${AS[@]}"); return; }
	"$SHIM" stack down srv
	chmod 711 . && mkdir -m 700 pg && chown postgres pg
	THERE=("${AS[@]}" env SOCKSHIM_DIR="$PWD/pg" "$SHIM")
	if [ "$PLACE" = lo ]; then
		"${THERE[@]}" stack up own lo || fail "the user's stack does not come up"
	else
		# Where /dev/net/tun is root's alone, the device is handed over open.
		"$PY" - ss0 "${THERE[@]}" stack up own \
			fd=9,addr=10.77.1.2/24,addr=fd77:1::2/64,gw=10.77.1.1,gw=fd77:1::1 <<-'END' || fail "the user's stack does not come up"
			import fcntl, os, struct, subprocess, sys
			tun = os.open("/dev/net/tun", os.O_RDWR)
			IFF_TAP, IFF_NO_PI, TUNSETIFF = 2, 0x1000, 0x400454ca
			fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", sys.argv[1].encode(), IFF_TAP | IFF_NO_PI))
			for words in "addr add 10.77.1.1/24 dev", "addr add fd77:1::1/64 nodad dev", "link set up dev":
			    subprocess.run(["ip"] + words.split() + [sys.argv[1]], check=True)
			os.dup2(tun, 9)
			os.execvp(sys.argv[2], sys.argv[2:])
		END
	fi
	THERE+=(run -q --stack own --)
	[ "$PLACE" != lo ] || HERE=("${THERE[@]}")
}

sql() { here psql -X -At -h "$ADDR" -p "$PORT" -U postgres "$@"; }
postgres_() {
	local scale=1 clients=4 each=200
	lossy && clients=2 each=5
	own_stack
	serve_there "$(command -v postgres)" -D "$T/db" -p %P
	await sql -c 'select 1' >/dev/null 2>&1 || { cat server.log; fail "the server does not answer"; }
	here pgbench -q -i -s $scale -h "$ADDR" -p "$PORT" -U postgres postgres >pgbench.log 2>&1 || { cat pgbench.log; fail "pgbench -i: exit status $?"; }
	here pgbench -n -c $clients -t $each -h "$ADDR" -p "$PORT" -U postgres postgres >pgbench.out 2>&1 ||
		{ cat pgbench.out; fail "pgbench: exit status $?"; }
	has pgbench.out "processed: $((clients * each))/$((clients * each))"
	has pgbench.out 'failed transactions: 0 '
	{
		sql -c 'select count(*), sum(bid) from pgbench_accounts' -c 'select (select sum(abalance) from pgbench_accounts) = (select sum(delta) from pgbench_history)'
		sql -c 'select repeat(md5(i::text), 20) from generate_series(1, 3000) i' | sha256sum
		sql -c 'nonsense' 2>&1 | sed 1q
		sql -c "select inet_server_addr() = '$ADDR', inet_client_addr() = '$CLIENT_ADDR'"
	} >result
	kill -INT "$PID"
	await gone "$PID" || fail "the server does not end"
	case $PLACE${SHARED:-} in
	kernel | client | *shared) ;;
	*) "${AS[@]}" env SOCKSHIM_DIR="$PWD/pg" "$SHIM" stack down own || fail "the stack was gone before its end" ;;
	esac
	[ -z "${SHARED:-}" ] || return 0
	THERE=()
	[ "$PLACE" != lo ] || HERE=()
}
shared() { SHARED=shared postgres_; }

scenario postgres postgres_
scenario postgres_on_root_s_stack shared kernel server both lo
