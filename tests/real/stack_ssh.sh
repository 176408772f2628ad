#!/usr/bin/env bash
# OpenSSH: a session, a tunnel, copies of a big file with its checksum.
LIMIT=280
. "$(dirname "$0")/stack_lib.sh"
need sshd ssh scp ssh-keygen

SSHD=$(command -v sshd)
[ -d /run/sshd ] || mkdir -m 755 /run/sshd
ME=$(id -un)
ssh-keygen -q -t ed25519 -N "" -f host_key
ssh-keygen -q -t ed25519 -N "" -f key
cp key.pub authorized
cat >sshd.conf <<END
Port %P
HostKey $T/host_key
PidFile none
AuthorizedKeysFile $T/authorized
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
PrintMotd no
PrintLastLog no
UseDNS no
Subsystem sftp internal-sftp
SetEnv SHLVL=2
END
OPTIONS=(-F none -i "$T/key" -o BatchMode=yes -o StrictHostKeyChecking=no -o "UserKnownHostsFile=/dev/null"
	-o LogLevel=ERROR -o IdentityAgent=none)
# 128 MiB in general; BIG=1024 for a GiB.
make_file block 1024
for ((i = 0; i < ${BIG:-128}; i++)); do cat block; done >big
make_file small 300

sshd_up() { CONF=$T/sshd.conf serve_there "$SSHD" -D -e -f "$T/sshd.conf.used"; }
ssh_to() { here ssh "${OPTIONS[@]}" -p "$PORT" "$ME@$ADDR" "$@"; }

session() {
	sshd_up
	{
		ssh_to 'echo "out $((6 * 7))"; echo err >&2; exit 5' 2>&1
		echo "exit status $?"
		ssh_to cat <"$T/small" | sha256sum
		ssh_to 'echo $SSH_CONNECTION' | sed "s/^$CLIENT_ADDR [0-9]* $ADDR $PORT$/right/"
		here ssh "${OPTIONS[@]}" -tt -p "$PORT" "$ME@$ADDR" 'tty | cut -c1-9' </dev/null
	} >result
}

# A port of the client's side that leads to the server's, over the session.
tunnel() {
	sshd_up
	start here ssh "${OPTIONS[@]}" -N -L "127.0.0.1:7002:127.0.0.1:$PORT" -p "$PORT" "$ME@$ADDR"
	await tunnel_listens || fail "no tunnel"
	here ssh "${OPTIONS[@]}" -p 7002 "$ME@127.0.0.1" "cat $T/small" | sha256sum >result
}
tunnel_listens() { here cat /proc/net/tcp | grep -q ':1B5A 00000000:0000 0A'; }

copy() {
	local file=$T/big
	lossy && file=$T/small
	sshd_up
	here scp -q "${OPTIONS[@]}" -P "$PORT" "$file" "$ME@$ADDR:$PWD/there" || fail "exit status $?"
	cmp there "$file" || fail "the copy is wrong"
	here scp -q "${OPTIONS[@]}" -P "$PORT" "$ME@$ADDR:$PWD/there" back || fail "exit status $?"
	cmp back "$file" || fail "the copy back is wrong"
}

scenario ssh_session session
scenario ssh_tunnel tunnel kernel both
scenario scp copy client server both lo lossy
