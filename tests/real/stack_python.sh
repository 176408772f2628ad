#!/usr/bin/env bash
# python3's http.server and asyncio, node's http: servers and clients.
. "$(dirname "$0")/stack_lib.sh"
need python3

mkdir www
make_file www/file 256

http_server() {
	serve_there "$PY" -m http.server %P --bind 0.0.0.0 --directory "$T/www"
	here "$PY" - "$ADDR" "$PORT" >result <<-'END' || fail "exit status $?"
		import hashlib, sys, urllib.error, urllib.request
		url = "http://%s:%s/" % tuple(sys.argv[1:])
		for i in range(3):
		    print(hashlib.sha256(urllib.request.urlopen(url + "file", timeout=60).read()).hexdigest())
		try:
		    urllib.request.urlopen(url + "missing")
		except urllib.error.HTTPError as e:
		    print(e.code)
	END
}

cat >serve.py <<'END'
import asyncio, sys
async def serve(reader, writer):
    while data := await reader.read(4096):
        writer.write(data)
        await writer.drain()
    writer.close()
    await writer.wait_closed()
class Udp(asyncio.DatagramProtocol):
    def connection_made(self, transport): self.transport = transport
    def datagram_received(self, data, addr): self.transport.sendto(data[::-1], addr)
async def main():
    server = await asyncio.start_server(serve, None, int(sys.argv[1]))
    await asyncio.get_running_loop().create_datagram_endpoint(Udp, local_addr=("0.0.0.0", int(sys.argv[1])))
    await server.serve_forever()
asyncio.run(main())
END
cat >client.py <<'END'
import asyncio, sys
addr, addr6, port, step = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
async def client(i):
    reader, writer = await asyncio.open_connection(addr6 if i % 2 else addr, port)
    data = bytes([i]) * (step * i + 1)
    writer.write(data)
    writer.write_eof()
    got = await asyncio.wait_for(reader.read(), 60)
    writer.close()
    await writer.wait_closed()
    return got == data
class Udp(asyncio.DatagramProtocol):
    def __init__(self): self.got = asyncio.get_running_loop().create_future()
    def datagram_received(self, data, addr): self.got.done() or self.got.set_result(data)
async def main():
    print(await asyncio.gather(*(client(i) for i in range(50))))
    transport, proto = await asyncio.get_running_loop().create_datagram_endpoint(Udp, remote_addr=(addr, port))
    for attempt in range(20):
        transport.sendto(b"abc")
        try:
            print(await asyncio.wait_for(asyncio.shield(proto.got), 1))
            break
        except asyncio.TimeoutError:
            pass
    try:
        await asyncio.open_connection(addr, port + 1)
    except OSError as e:
        print(type(e).__name__)
asyncio.run(main())
END
asyncio_() {
	serve_there "$PY" "$T/serve.py" %P
	here "$PY" "$T/client.py" "$ADDR" "$ADDR6" "$PORT" "$(lossy && echo 100 || echo 3000)" >result || fail "exit status $?"
}

cat >serve.js <<'END'
const http = require('http');
const body = Buffer.alloc(100000, 'node');
http.createServer((q, r) => { let n = 0; q.on('data', d => n += d.length); q.on('end', () => { r.setHeader('x-got', n); r.end(body); }); })
  .listen(+process.argv[2], '0.0.0.0');
END
cat >client.js <<'END'
const http = require('http');
const [host, port, count] = process.argv.slice(2);
(async () => {
  for (const keepAlive of [false, true]) {
    const agent = new http.Agent({ keepAlive, maxSockets: 5 });
    const all = await Promise.all(Array.from({ length: +count }, () => new Promise((resolve, reject) => {
      const q = http.request({ host, port, method: 'POST', agent }, r => {
        let n = 0;
        r.on('data', d => n += d.length);
        r.on('end', () => resolve(n + Number(r.headers['x-got'])));
      });
      q.on('error', reject);
      q.end(Buffer.alloc(50000));
    })));
    console.log(all.every(n => n === 150000));
    agent.destroy();
  }
  http.get({ host, port: +port + 1 }).on('error', e => console.log(e.code));
})();
END
node_() {
	command -v node >/dev/null || skip "there is no node"
	serve_there node "$T/serve.js" %P
	here node "$T/client.js" "$ADDR" "$PORT" "$(lossy && echo 8 || echo 40)" >result || fail "exit status $?"
}

scenario python_http_server http_server
scenario python_asyncio asyncio_
scenario node_http node_
