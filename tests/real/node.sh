#!/usr/bin/env bash
# node's http server and client. There may be two: Debian's and another that stands first in PATH.
. "$(dirname "$0")/lib.sh"
need node

cat >http.js <<'END'
const http = require('http');
const body = Buffer.alloc(300000, 'node');
const server = http.createServer((q, r) => { q.resume(); q.on('end', () => r.end(body)); });
server.listen(0, '127.0.0.1', async () => {
  let right = 0;
  const agent = new http.Agent({ keepAlive: false });
  await Promise.all(Array.from({ length: 20 }, () => new Promise((resolve, reject) => {
    const q = http.request({ host: '127.0.0.1', port: server.address().port, method: 'POST', agent }, r => {
      const parts = [];
      r.on('data', d => parts.push(d));
      r.on('end', () => { right += Buffer.concat(parts).equals(body) ? 1 : 0; resolve(); });
    });
    q.on('error', reject);
    q.end(Buffer.alloc(100000));
  })));
  console.log(right, 'of 20');
  server.close();
});
END
cat >late.js <<'END'
const net = require('net');
const server = net.createServer(c => c.end('hello')).listen(0, '127.0.0.1', () => {
  const once = (done) => {
    const c = net.connect(server.address().port, '127.0.0.1');
    c.on('data', d => console.log(d.toString()));
    c.on('error', e => console.log(e.code));
    c.on('close', done);
  };
  once(() => once(() => server.close()));
});
END

http() {
	both "$1" "$T/http.js"
	is answers "$(cat out)" "20 of 20"
	counts "inet4, stream" opened=21 connected=20 listened=1 accepted=20 closed=41
	no_leak
}

short_transfers() {
	shim --seed 2 --fault "short send to 1..3000 probability 50%" --fault "short recv to 1..3000 probability 50%" -- \
		"$1" "$T/http.js" >out || fail "exit status $?"
	is answers "$(cat out)" "20 of 20"
	at_least fired "$(fired 1)" 5
	at_least fired "$(fired 2)" 100
}

late() {
	both "$1" "$T/late.js"
	is outcomes "$(xargs <out)" "hello hello"
	shim --fault "fail connect late with ETIMEDOUT on 1st" -- "$1" "$T/late.js" >out || fail "exit status $?"
	is outcomes "$(xargs <out)" "ETIMEDOUT hello"
	is fired "$(fired 1)" 1
	shim --fault "fail connect with ENETUNREACH on 2nd" -- "$1" "$T/late.js" >out || fail "exit status $?"
	is outcomes "$(xargs <out)" "hello ENETUNREACH"
	counts "inet4, stream" connected=1 connectfailed=0
	no_leak
}

n=
for node in $(which -a node | xargs -n 1 readlink -f | awk '!seen[$0]++'); do
	check "node${n}_http" http "$node"
	check "node${n}_short_transfers" short_transfers "$node"
	check "node${n}_connect_fails" late "$node"
	n=$((${n:-1} + 1))
done
