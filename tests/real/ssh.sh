#!/usr/bin/env bash
# OpenSSH: a session and copies, server and clients under the shim.
. "$(dirname "$0")/lib.sh"
need sshd ssh scp ssh-keygen python3

SSHD=$(command -v sshd)
if [ ! -d /run/sshd ]; then
	[ "$(id -u)" = 0 ] || { echo "skip ssh: there is no /run/sshd and only root can make it"; exit 0; }
	mkdir -m 755 /run/sshd
fi
ME=$(id -un)
ssh-keygen -q -t ed25519 -N "" -f host_key
ssh-keygen -q -t ed25519 -N "" -f key
cp key.pub authorized
cat >sshd.conf <<END
Port %P
ListenAddress 127.0.0.1
HostKey $T/host_key
PidFile none
AuthorizedKeysFile $T/authorized
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
PrintMotd no
PrintLastLog no
Subsystem sftp internal-sftp
# So that bash does not take itself for a login and read the user's ~/.bashrc.
SetEnv SHLVL=2
END
OPTIONS=(-F none -i "$T/key" -o BatchMode=yes -o StrictHostKeyChecking=no -o "UserKnownHostsFile=$T/known"
	-o LogLevel=ERROR -o IdentityAgent=none)
make_file file 20480

sshd_up() {
	CONF=$T/sshd.conf serve "$SHIM" run -q --summary=server.summary "$@" -- "$SSHD" -D -e -f "$T/sshd.conf.used"
}
ssh_to() { ssh "${OPTIONS[@]}" -p "$PORT" "$ME@127.0.0.1" "$@"; }
sessions() { [ "$(grep -c "^Disconnected from user\|^Connection closed by\|^Received disconnect" server.log)" -ge "$1" ]; }

session() {
	sshd_up
	both ssh "${OPTIONS[@]}" -p "$PORT" "$ME@127.0.0.1" 'echo "out $((6 * 7))"; echo err >&2; exit 5'
	is output "$(cat out)" "out 42"
	is "error output" "$(cat err)" "err"
	is "exit status" "$(ssh_to 'exit 5' >/dev/null 2>&1; echo $?)" 5
	counts "inet4, stream" opened=1 connected=1
	# What goes in comes back.
	head -c 300000 "$T/file" >in
	IN=in both ssh "${OPTIONS[@]}" -p "$PORT" "$ME@127.0.0.1" cat
	cmp in out || fail "what came back is wrong"
	await sessions 5
	stop "$PID"
	cp server.summary summary
	counts "inet4, stream" opened=1 listened=1 accepted=5
}

copy() {
	local sum
	sum=$(sha256sum <"$T/file")
	sshd_up
	shim -- scp -q "${OPTIONS[@]}" -P "$PORT" "$T/file" "$ME@127.0.0.1:$PWD/there" || fail "exit status $?"
	is checksum "$(sha256sum <there)" "$sum"
	shim -- scp -q "${OPTIONS[@]}" -P "$PORT" "$ME@127.0.0.1:$PWD/there" back || fail "exit status $?"
	is checksum "$(sha256sum <back)" "$sum"
	counts "inet4, stream" opened=1 connected=1
	stop "$PID"
}

faults() {
	sshd_up
	shim --seed 3 --fault "short send to 1..200 probability 30%" --fault "short recv to 1..200 probability 30%" -- \
		ssh "${OPTIONS[@]}" -p "$PORT" "$ME@127.0.0.1" "head -c 300000 $T/file" >got || fail "exit status $?"
	head -c 300000 "$T/file" | cmp - got || fail "what came through is wrong"
	at_least fired "$(fired 2)" 5
	shim --fault "reset recv after 100KB" -- ssh "${OPTIONS[@]}" -p "$PORT" "$ME@127.0.0.1" "cat $T/file" >got 2>err
	is "exit status" $? 255
	[ "$(stat -c %s got)" -lt 20971520 ] || fail "all was received"
	shim --fault "fail connect with EHOSTUNREACH" -- ssh "${OPTIONS[@]}" -p "$PORT" "$ME@127.0.0.1" true 2>err
	is "exit status" $? 255
	has err "No route to host"
	stop "$PID"
}

# The part of sshd that talks to the client before it is known has next to no rights, not even to make most
# system calls.
server_faults() {
	sshd_up --trace=trace --seed 4 --fault "short recv to 1..50 probability 30%" \
		--fault "short send to 1..50 probability 30% from 127.0.0.1" --fault "delay poll by 1ms every 20th"
	for i in 1 2; do
		is output "$(ssh_to "echo $i; head -c 100000 $T/file | wc -c" 2>&1 | xargs)" "$i 100000"
	done
	await sessions 2
	stop "$PID"
	at_least "short receives" "$(fired 1 server.summary)" 10
	at_least "short sends" "$(fired 2 server.summary)" 1
}

check ssh_session session
check ssh_server_faults server_faults
check ssh_scp_20MB copy
check ssh_faults faults
