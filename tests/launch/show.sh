#!/usr/bin/env bash
# sockshim stats, sockets, list, clean: of runs that go on, have ended, and of programs without a run.
. "$(dirname "$0")/lib.sh"

# start WORDS...: a client that does them and waits to hear from "go"; $run is its run's id, $pid its pid.
start() {
	mkfifo ready go
	"$sockshim" run -l "$lib" "$client" "$@" tell ready hear go exit 0 & job=$!
	read -r pid <ready
	run=$(ls runs)
}
finish() { echo >go; wait "$job"; }

t_a_run_is_shown_while_it_goes_on() {
	start listen udp
	"$sockshim" sockets >out || return
	"$sockshim" stats >stats || return
	finish
	has stats "(inet4, stream, tcp): opened=1 connected=0 listened=1" || return
	has out "PID" || return
	has out "$pid" || return
	has out listening || return
	has out "do_listen+0x" || return
	same lines "$(wc -l <out)" 3
}

t_age_is_known_where_it_was_asked_for() {
	start tcp
	"$sockshim" sockets -j >out || return
	finish
	same known "$(json 'd["sockets"][0]["age_ms"] is not None' <out)" True || return
	SOCKSHIM_DIR=$PWD/plain LD_PRELOAD=$lib "$client" tcp tell ready hear go exit 0 & job=$!
	read -r pid <ready
	SOCKSHIM_DIR=$PWD/plain "$sockshim" sockets -j "$pid" >out || return
	finish
	same unknown "$(json 'd["sockets"][0]["age_ms"] is None' <out)" True
}

t_a_socket_that_lives_on_under_another_number_is_shown() {
	cat >prog.py <<-'END'
		import os, socket
		a = socket.socket()
		d = os.dup(a.fileno())
		a.close()
		b = socket.socket(type=socket.SOCK_DGRAM)
		os._exit(0)
	END
	"$sockshim" run -l "$lib" -s --fail-on-leak "$(command -v python3)" prog.py 2>summary; same status $? 99 || return
	has summary "2 sockets still open at exit" || { cat summary; return 1; }
	"$sockshim" sockets -aj >out || return
	same types "$(json '" ".join(sorted(s["type"] for s in d["sockets"]))' <out)" "dgram|cloexec stream|cloexec"
}

t_a_run_is_chosen_by_id_pid_or_path() {
	start tcp
	run2=$("$sockshim" run -l "$lib" "$client" udp; ls -t runs | grep -v "$run")
	for r in "$run" "$pid" "$job" "$PWD/runs/$run"; do
		"$sockshim" stats "$r" >out || return
		has out "(inet4, stream, tcp): opened=1" || return
		hasnt out dgram || return
	done
	"$sockshim" stats >out || return
	has out dgram
	finish
}

t_a_killed_process_leaves_its_sockets_to_be_read() {
	run "$client" listen kill 9
	"$sockshim" sockets >out || return
	has out listening || return
	"$sockshim" list >out || return
	has out died
}

t_a_port_that_the_kernel_chose_is_shown() {
	for rule in "" "fail bind on 9th"; do
		run ${rule:+-f "$rule"} "$client" listen kill 9
		"$sockshim" sockets >out || return
		grep -q ' 127\.0\.0\.1:[1-9]' out || fail "with '$rule': $(cat out)" || return
	done
}

t_json_of_sockets() {
	start listen
	"$sockshim" sockets --json >out
	finish
	same state "$(json 'd["sockets"][0]["state"]' <out)" listening || return
	same process "$(json 'd["sockets"][0]["process"]' <out)" running || return
	same function "$(json 'd["sockets"][0]["opener"]["function"]' <out)" do_listen || return
	same active "$(json 'd["active"]' <out)" True
}

t_per_process() {
	run "$client" tcp fork udp exit 0
	"$sockshim" stats -p >out || return
	same processes "$(grep -c '^[0-9]* client (exited)$' out)" 2 || return
	"$sockshim" stats -p -j | json 'len(d["per_process"])' >out
	same processes "$(cat out)" 2
}

t_openmetrics() {
	run "$client" tcp close
	"$sockshim" stats --format openmetrics >out || return
	has out 'type="stream",protocol="tcp"} 1' || return
	same last "$(tail -n 1 out)" "# EOF"
}

t_watch_ends_with_the_run() {
	start tcp
	"$sockshim" stats -j --watch=0.02 "$run" >out & local watch=$!
	until [ "$(wc -l <out)" -ge 3 ]; do :; done
	finish
	wait $watch; same status $? 0 || return
	same first "$(head -n 1 out | json 'd["active"]')" True || return
	same last "$(tail -n 1 out | json 'd["active"]')" False
}

t_a_reader_that_goes_away_is_no_crash() {
	run "$client" tcp
	"$sockshim" stats >/dev/full 2>err; same status $? 1 || return
	has err "cannot write: No space left on device"
}

t_programs_without_a_run() {
	mkfifo ready go
	LD_PRELOAD=$lib "$client" listen tell ready hear go exit 0 & local job=$!
	read -r pid <ready
	"$sockshim" stats >newest && "$sockshim" sockets "$pid" >out && "$sockshim" list >list
	echo >go; wait $job
	has newest "listened=1" || return
	has out listening || return
	has list plain || return
	"$sockshim" clean >out || return
	has out "the files of 1 other process" || return
	LD_PRELOAD=$lib "$client" tcp fork udp exit 0
	"$sockshim" stats >out || return
	has out dgram && has out stream
}

t_list_as_json() {
	start tcp
	"$sockshim" list --json >out
	finish
	same active "$(json 'd[0]["active"]' <out)" True || return
	same pid "$(json 'd[0]["processes"][0]["pid"]' <out)" "$pid" || return
	same sockets "$(json 'd[0]["processes"][0]["sockets"]' <out)" 1
}

t_clean_takes_what_has_ended_alone() {
	start tcp
	"$sockshim" run -l "$lib" "$client" udp
	"$sockshim" clean "$run" 2>err; same status $? 1 || return
	has err "run $run has not ended" || return
	"$sockshim" clean >out || return
	has out "removed 1 run" || return
	same left "$(ls runs)" "$run" || return
	finish
	"$sockshim" clean -k 1 >out || return
	has out "removed 0 runs" || return
	"$sockshim" clean "$run" || return
	same left "$(ls runs)" ""
}

t_old_runs_are_pruned() {
	for i in $(seq 20); do run true || return; done
	same runs "$(ls runs | wc -l)" 17
}

t_damaged_files_are_left_out_and_named() {
	run "$client" tcp
	f=$(ls runs/*/0-*)
	head -c 100 "$f" >"${f%/*}/9-9"
	head -c 20 /dev/urandom >"${f%/*}/9-9.trace"
	"$sockshim" stats >out 2>err || return
	has out opened=1 || return
	has err "1 of its files cannot be read and are left out, the first because of 9-9: too short" || return
	"$sockshim" trace >out 2>err || return
	: >"${f%/*}/control"
	"$sockshim" fault list 2>err; same status $? 1 || return
	has err "control block: too short"
}

run_tests
