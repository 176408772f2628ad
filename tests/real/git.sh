#!/usr/bin/env bash
# git over http: the smart protocol, git http-backend behind a small server in python, all under the shim.
. "$(dirname "$0")/lib.sh"
need git python3
BACKEND=$(git --exec-path)/git-http-backend
[ -x "$BACKEND" ] || { echo "skip git: there is no git http-backend"; exit 0; }

export GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=a \
	GIT_COMMITTER_EMAIL=a@example.org GIT_TERMINAL_PROMPT=0
mkdir work www
git init -q -b main work
for i in 1 2 3 4 5; do
	make_file "work/file$i" 100
	echo "$i" >>"work/file$i"
	git -C work add . && git -C work commit -q -m "commit $i"
done
git clone -q --bare work www/repo.git
git -C www/repo.git config http.receivepack true
cat >server.py <<'END'
import http.server, os, subprocess, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def serve(self):
        path, _, query = self.path.partition("?")
        length = int(self.headers.get("Content-Length") or 0)
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while n := int(self.rfile.readline(), 16):
                body += self.rfile.read(n)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(length)
        env = dict(os.environ, GIT_PROJECT_ROOT=sys.argv[2], GIT_HTTP_EXPORT_ALL="1", PATH_INFO=path,
                   QUERY_STRING=query, REQUEST_METHOD=self.command, CONTENT_LENGTH=str(len(body)),
                   CONTENT_TYPE=self.headers.get("Content-Type", ""), REMOTE_USER="a",
                   HTTP_CONTENT_ENCODING=self.headers.get("Content-Encoding", ""),
                   GIT_PROTOCOL=self.headers.get("Git-Protocol", ""))
        out = subprocess.run([sys.argv[3]], input=body, env=env, stdout=subprocess.PIPE).stdout
        head, _, data = out.partition(b"\r\n\r\n")
        fields = [line.split(": ", 1) for line in head.decode().split("\r\n")]
        status = next((v for k, v in fields if k == "Status"), "200 OK")
        self.send_response(int(status.split()[0]))
        for k, v in fields:
            if k != "Status":
                self.send_header(k, v)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
    do_GET = do_POST = serve
    def log_message(self, *a): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
END

git_up() {
	serve "$SHIM" run -q --summary=server.summary "$@" -- "$PY" "$T/server.py" %P "$T/www" "$BACKEND"
	URL=http://127.0.0.1:$PORT/repo.git
}

clone_and_push() {
	git_up
	shim -- git clone -q "$URL" clone || fail "exit status $?"
	git -C clone fsck --strict || fail "the clone is damaged"
	is HEAD "$(git -C clone rev-parse HEAD)" "$(git -C "$T/work" rev-parse HEAD)"
	# The helper that git starts is in the run, too.
	at_least connected "$(count connected "inet4, stream")" 2
	is closed "$(count closed "inet4, stream")" "$(count opened "inet4, stream")"
	no_leak
	both git ls-remote "$URL"
	git -C clone commit -q --allow-empty -m more
	shim -- git -C clone push -q origin HEAD:refs/heads/more || fail "push: exit status $?"
	is "what was pushed" "$(git -C "$T/www/repo.git" rev-parse more)" "$(git -C clone rev-parse HEAD)"
	stop "$PID"
	cp server.summary summary
	at_least accepted "$(count accepted "inet4, stream")" 6
}

faults() {
	git_up --seed 8 --fault "short send to 1..500 probability 30%"
	shim --seed 9 --fault "short recv to 1..500 probability 30%" -- git clone -q "$URL" clone || fail "exit status $?"
	git -C clone fsck --strict || fail "the clone is damaged"
	at_least fired "$(fired 1)" 5
	shim --fault "reset recv after 64KiB program git-remote-http*" -- git clone -q "$URL" broken 2>err
	is "exit status" $? 128
	is fired "$(fired 1)" 1
	[ ! -e broken ] || fail "half a clone is left"
	stop "$PID"
}

check git_clone_and_push clone_and_push
check git_faults faults
