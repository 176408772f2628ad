#!/usr/bin/env bash
# sockshim run: exit status, signals, summary, leaks, what is left behind.
. "$(dirname "$0")/lib.sh"

t_exit_status_is_the_programs() {
	run sh -c 'exit 7'; same status $? 7 || return
	run true; same status $? 0
}

t_signal_that_ends_the_program_ends_us() {
	# bash says 128+n for a child that was ended by a signal, and how in its own words
	(run sh -c 'kill -TERM $$') 2>err; same status $? 143 || return
	python3 - "$sockshim" "$lib" <<'E'
import subprocess, sys
p = subprocess.run([sys.argv[1], "run", "-l", sys.argv[2], "sh", "-c", "kill -KILL $$"])
sys.exit(p.returncode != -9)
E
}

t_a_core_is_not_written_twice() {
	ulimit -c unlimited
	(run sh -c 'ulimit -c 0; kill -SEGV $$') 2>err
	same status $? 139 || return
	[ ! -e core ]
}

t_program_not_found_is_127() {
	run nosuchprogram 2>err; same status $? 127 || return
	has err "sockshim: nosuchprogram: program not found in \$PATH" || return
	run ./nosuch 2>err; same status $? 127 || return
	[ -z "$(ls runs 2>/dev/null)" ]
}

t_program_not_executable_is_126() {
	echo hello >file
	run ./file 2>err; same status $? 126 || return
	has err "./file: cannot be executed: Permission denied" || return
	printf '#!/no/such/interpreter\n' >script; chmod +x script
	run ./script 2>err; same status $? 127
}

t_arguments_reach_the_program_as_they_are() {
	run -- printf '%s|' --summary '' 'a b' -- >out
	same output "$(cat out)" '--summary||a b|--|'
}

t_environment_has_the_run_and_the_library_first() {
	LD_PRELOAD=/nonexistent.so SOCKSHIM_RULES='fail connect' run env >out 2>err
	has out "LD_PRELOAD=$lib:/nonexistent.so" || return
	has out "SOCKSHIM_RUN=$SOCKSHIM_DIR/env-" || return
	hasnt out SOCKSHIM_RULES || return
	LD_PRELOAD=$lib run env >out
	has out "LD_PRELOAD=$lib" || return
	hasnt out "$lib:$lib"
}

t_stats_of_the_tree_are_summed() {
	run -s "$client" tcp close fork tcp close udp exit 3 2>err
	same status $? 3 || return
	has err "(inet4, stream, tcp): opened=2 connected=0 listened=0 accepted=0 closed=2" || return
	has err "(inet4, dgram, default): opened=1" || return
	has err ": 2 processes with sockets, seed "
}

t_summary_goes_to_a_file() {
	run --summary=sum --format json --seed 0x10 "$client" tcp 2>err || return
	[ ! -s err ] || return
	same seed "$(json 'd["seed"]' <sum)" 16 || return
	same opened "$(json 'd["stats"][0]["opened"]' <sum)" 1 || return
	same open "$(json 'd["open_at_exit"][0]["fd"]' <sum)" 3
}

t_sockets_left_open_are_leaks_with_their_opener() {
	run -s "$client" tcp 2>err || return
	has err "1 socket still open at exit:" || return
	has err "client+0x" || return
	has err "(do_tcp+0x"
}

t_leaks_become_the_exit_status() {
	run --fail-on-leak "$client" tcp 2>err; same status $? 99 || return
	has err "1 socket still open at exit:" || return
	run --fail-on-leak=5 "$client" tcp 2>err; same status $? 5 || return
	run --fail-on-leak "$client" tcp close; same status $? 0 || return
	run --fail-on-leak "$client" tcp exit 4 2>err; same status $? 4
}

t_sockets_of_a_killed_process_are_no_leaks() {
	run --fail-on-leak "$client" tcp kill 9 2>err; same status $? 137
}

t_sockets_of_an_image_that_was_replaced_are_no_leaks() {
	run --fail-on-leak -s "$client" tcp exec udp close 2>err; same status $? 0 || return
	has err "1 process with sockets"
}

t_a_fork_does_not_leak_what_it_inherited() {
	run --fail-on-leak -s "$client" tcp fork close exit 0 2>err; same status $? 99 || return
	has err "1 socket still open at exit:"
}

t_backtraces_are_recorded() {
	run -s --backtrace=8 "$client" tcp 2>err || return
	has err "was opened by" || return
	has err "(main+0x"
}

t_the_same_seed_gives_the_same_faults() {
	rule='fail connect with ETIMEDOUT probability 50%'
	args=$(printf 'refused %.0s' $(seq 20))
	run --seed 1 -f "$rule" "$client" $args >a || return
	run --seed 1 -f "$rule" "$client" $args >b || return
	run --seed 2 -f "$rule" "$client" $args >c || return
	has a ETIMEDOUT && has a ECONNREFUSED && cmp a b && ! cmp -s a c
}

t_signals_sent_to_us_reach_the_program_once() {
	mkfifo ready
	"$sockshim" run -l "$lib" "$client" tell ready signal >out & local pid=$!
	read -r _ <ready
	for s in USR1 HUP INT USR2; do kill -$s $pid; until grep -q "^$(kill -l $s)$" out; do :; done; done
	kill -TERM $pid
	wait $pid; same status $? 0 || return
	same signals "$(tr '\n' ' ' <out)" "10 1 2 12 15 "
}

t_signals_of_the_terminal_are_not_doubled() {
	python3 - "$sockshim" "$lib" "$client" <<'E'
import os, pty, sys
os.mkfifo("ready")
pid, tty = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], [sys.argv[1], "run", "-l", sys.argv[2], sys.argv[3], "tell", "ready", "signal"])
program = int(open("ready").read())
os.write(tty, b"\x03")
out = b""
while b"2\r\n" not in out:
    out += os.read(tty, 100)
# What comes after it through sockshim shows that the other did not.
os.kill(pid, 10)
while b"10\r\n" not in out:
    out += os.read(tty, 100)
os.kill(program, 15)
try:
    while True:
        out += os.read(tty, 100)
except OSError:
    pass
_, status = os.waitpid(pid, 0)
print(out, status)
sys.exit(out.replace(b"^C", b"") != b"2\r\n10\r\n15\r\n" or status != 0)
E
}

t_orphans_are_waited_for_if_asked() {
	mkfifo go
	"$sockshim" run -l "$lib" -w --summary=sum "$client" leave hear go udp close & local pid=$!
	echo >go
	wait $pid || return
	has sum "(inet4, dgram, default): opened=1"
}

t_orphans_are_not_waited_for_else() {
	mkfifo go
	run "$client" tcp leave hear go udp || return
	"$sockshim" list >out; has out running || return
	echo >go
}

t_ignored_sigchld_costs_no_exit_status() {
	(trap '' CHLD; exec "$sockshim" run -l "$lib" sh -c 'exit 9'); same status $? 9
}

t_the_run_is_kept_for_later() {
	run "$client" tcp || return
	"$sockshim" stats >out || return
	has out "(inet4, stream, tcp): opened=1" || return
	run --no-keep "$client" tcp || return
	same runs "$(ls runs | wc -l)" 1
}

t_a_descriptor_less_is_left_to_the_program() {
	run sh -c 'ls /proc/self/fd | wc -l' >with || return
	sh -c 'ls /proc/self/fd | wc -l' >without || return
	cmp with without
}

t_relative_plugins_and_directories_survive_a_chdir() {
	mkdir -p sub
	SOCKSHIM_DIR=rel run -- sh -c "cd sub && exec $client tcp" || return
	SOCKSHIM_DIR=rel "$sockshim" stats >out || return
	has out opened=1
}

run_tests
