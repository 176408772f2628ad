#!/usr/bin/env bash
# python3's http.server and asyncio, servers and clients.
. "$(dirname "$0")/lib.sh"
need python3 curl

mkdir www
make_file www/file 256
WWW=$T/www

http_server() {
	serve "$SHIM" run -q --summary=server.summary -- "$PY" -u -m http.server %P --bind 127.0.0.1 --directory "$WWW"
	curl -sS -o 1 "http://127.0.0.1:$PORT/file" -o 2 "http://127.0.0.1:$PORT/file" || fail "exit status $?"
	cmp 1 "$WWW/file" || fail "the file is wrong"
	cat >get.py <<-END
		import urllib.request
		for i in range(3):
		    print(urllib.request.urlopen("http://127.0.0.1:$PORT/file").read()[:5000])
	END
	both "$PY" get.py
	counts "inet4, stream" opened=3 connected=3 closed=3
	all_closed
	stop "$PID"
	cp server.summary summary
	counts "inet4, stream" opened=1 listened=1 accepted=8 closed=8
}

# A server and 50 clients in one loop; prints how many answers were right.
cat >echo.py <<'END'
import asyncio, sys
async def serve(reader, writer):
    while data := await reader.read(4096):
        writer.write(data)
        await writer.drain()
    writer.close()
    await writer.wait_closed()
async def client(port, i):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    data = bytes([i]) * (1000 * i + 1)
    writer.write(data)
    writer.write_eof()
    got = await reader.read()
    writer.close()
    await writer.wait_closed()
    return got == data
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    right = await asyncio.gather(*(client(port, i) for i in range(50)))
    server.close()
    await server.wait_closed()
    print(sum(right), "of", len(right))
asyncio.run(main())
END

asyncio_echo() {
	both "$PY" "$T/echo.py"
	is answers "$(cat out)" "50 of 50"
	counts "inet4, stream" opened=51 connected=50 listened=1 accepted=50 closed=101 connectfailed=0
	all_closed
}

asyncio_short() {
	shim --seed 4 --fault "short send to 1..100 probability 20%" --fault "short recv to 1..100 probability 20%" -- \
		"$PY" "$T/echo.py" >out || fail "exit status $?"
	is answers "$(cat out)" "50 of 50"
	at_least fired "$(fired 1)" 20
	at_least fired "$(fired 2)" 20
	all_closed
}

asyncio_late() {
	cat >late.py <<-'END'
		import asyncio, errno, socket
		async def main():
		    listener = socket.create_server(("127.0.0.1", 0))
		    port = listener.getsockname()[1]
		    for i in range(2):
		        try:
		            reader, writer = await asyncio.open_connection("127.0.0.1", port)
		            print("connected")
		            writer.close()
		            await writer.wait_closed()
		        except OSError as e:
		            print(errno.errorcode[e.errno])
		    listener.close()
		asyncio.run(main())
	END
	shim --trace=trace --fault "fail connect late with ETIMEDOUT on 1st" -- "$PY" late.py >out || fail "exit status $?"
	is outcomes "$(xargs <out)" "ETIMEDOUT connected"
	is fired "$(fired 1)" 1
	grep " connect(.*EINPROGRESS .*\[rule 1\]$" trace || { cat trace; fail "connect has not returned EINPROGRESS"; }
	counts "inet4, stream" connected=1
	no_leak
}

# A child with an environment of its own, a thread, and a fork, in one program.
subprocesses() {
	cat >tree.py <<-'END'
		import os, socket, subprocess, sys, threading
		listener = socket.create_server(("127.0.0.1", 0))
		port = listener.getsockname()[1]
		def serve():
		    for i in range(3):
		        c, _ = listener.accept()
		        c.sendall(c.recv(10))
		        c.close()
		thread = threading.Thread(target=serve)
		thread.start()
		code = """import socket, sys
		s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
		s.sendall(b"child")
		print(s.recv(10).decode(), flush=True)
		s.close()"""
		subprocess.run([sys.executable, "-c", code, str(port)], env={}, check=True)
		if os.fork() == 0:
		    exec(code.replace("sys.argv[1]", str(port)))
		    os._exit(0)
		assert os.waitstatus_to_exitcode(os.wait()[1]) == 0
		exec(code.replace("sys.argv[1]", str(port)))
		thread.join()
		listener.close()
	END
	both "$PY" tree.py
	is output "$(xargs <out)" "child child child"
	counts "inet4, stream" opened=4 connected=3 accepted=3
	no_leak
}

check python_http_server http_server
check python_asyncio_echo asyncio_echo
check python_asyncio_short_transfers asyncio_short
check python_asyncio_late_timeout asyncio_late
check python_subprocesses subprocesses
