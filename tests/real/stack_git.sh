#!/usr/bin/env bash
# git: clone and fetch over http (nginx, the dumb protocol) and from git daemon, push to it.
. "$(dirname "$0")/stack_lib.sh"
need git python3
[ -x "$(git --exec-path)/git-daemon" ] || { echo "skip stack_git: there is no git daemon"; exit 0; }

export GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=a \
	GIT_COMMITTER_EMAIL=a@example.org GIT_TERMINAL_PROMPT=0 GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory \
	GIT_CONFIG_VALUE_0='*'
mkdir work small www
for w in work small; do
	git init -q -b main $w
	for i in 1 2 3 4 5; do
		make_file "$w/file$i" $([ $w = work ] && echo 1000 || echo 20)
		echo "$i" >>"$w/file$i"
		git -C $w add . && git -C $w commit -q -m "commit $i"
	done
	git clone -q --bare $w www/$w.git
	git -C www/$w.git update-server-info
done

repo() { lossy && echo small.git || echo work.git; }
# Of a clone: the commit it is at, and that all is there.
sound() { git -C "$1" fsck --full 2>&1 | grep -v '^notice' && fail "the clone is damaged"; git -C "$1" log --format=%s; }

http() {
	serve_there "$PY" -m http.server %P --bind 0.0.0.0 --directory "$T/www"
	here git clone -q "http://$ADDR:$PORT/$(repo)" clone || fail "exit status $?"
	is head "$(git -C clone rev-parse HEAD)" "$(git -C "$T/www/$(repo)" rev-parse HEAD)"
	sound clone >result
}

daemon() {
	cp -r "$T/www/$(repo)" repo.git
	serve_there git daemon --export-all --enable=receive-pack --base-path="$PWD" --reuseaddr --port=%P
	here git clone -q "git://$ADDR:$PORT/repo.git" clone || fail "exit status $?"
	sound clone >result
	echo more >clone/more
	git -C clone add . && git -C clone commit -q -m more
	here git -C clone push -q origin main || fail "push: exit status $?"
	is "head after the push" "$(git -C repo.git rev-parse main)" "$(git -C clone rev-parse main)"
	here git ls-remote "git://[$ADDR6]:$PORT/repo.git" | cut -f2 >>result
}

scenario git_http http
scenario git_daemon daemon
