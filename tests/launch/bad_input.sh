#!/usr/bin/env bash
# What is wrong is said before the program starts, with status 125, and leaves nothing behind.
. "$(dirname "$0")/lib.sh"

# refused ARGS...: sockshim run ARGS touch started ends with 125 and starts nothing.
refused() {
	run "$@" touch started 2>err; same status $? 125 || return
	[ ! -e started ] || fail "the program was started" || return
	[ -z "$(ls runs 2>/dev/null)" ] || fail "a run was left"
}

t_wrong_rule_on_the_command_line() {
	refused -f 'fial connect' || return
	has err "sockshim: --fault:1:1: " || return
	has err "  fial connect" || return
	has err "  ^"
}

t_wrong_rule_in_a_file_is_shown_with_its_place() {
	printf '# good\nfail connect with EIO\n\tfail\tconnect with ENOSUCH\n' >rules.shim
	refused --faults rules.shim || return
	has err "sockshim: rules.shim:3:20: " || return
	same line "$(sed -n 2p err)" "$(printf '  \tfail\tconnect with ENOSUCH')" || return
	same caret "$(sed -n 3p err)" "$(printf '  \t    \t             ^')"
}

t_unreadable_rules() {
	refused --faults nosuch.shim || return
	has err "nosuch.shim: cannot read the rules: No such file or directory" || return
	mkdir dir; refused --faults dir || return
	has err "dir: cannot read the rules: Is a directory"
}

t_rules_that_are_no_text() {
	printf 'fail connect\0with EIO\n' >rules.shim
	refused --faults rules.shim || return
	has err "NUL"
}

t_more_rules_than_fit() {
	yes 'fail connect with EIO to 10.0.0.0/8:6379 family inet4 type stream probability 50% on 3rd program abcdefghijklmnopqrstuvwxyz-abcdefghijklmnopqrstuvwxyz' | head -n 127 >rules.shim
	refused --faults rules.shim || return
	has err "rules"
	yes 'fail connect with EIO' | head -n 128 >rules.shim
	refused --faults rules.shim
}

t_a_warning_stops_nothing() {
	run -f 'fail close with EADDRINUSE' touch started 2>err || return
	[ -e started ] || return
	has err "warning: " || return
	run -f 'fail close with EADDRINUSE' -q touch started 2>err || return
	same messages "$(cat err)" ""
}

t_missing_plugin() {
	refused -f 'call connect ./nosuch.so:f(fd: i32) -> errno' || return
	has err "sockshim: --fault:1:14: " || return
	has err "nosuch.so"
}

t_missing_symbol() {
	echo 'int present(int fd) { return 0; }' >p.c; gcc -shared -fPIC -o p.so p.c
	refused -f 'call connect ./p.so:absent(fd: i32) -> errno' || return
	has err absent || return
	run -f 'call connect ./p.so:present(fd: i32) -> errno' true
}

t_a_plugins_path_is_kept_whole() {
	echo 'int deny(int fd) { return 13; }' >p.c; gcc -shared -fPIC -o p.so p.c
	run -f 'call connect ./p.so:deny(fd: i32) -> errno' sh -c "cd / && exec $client refused" >out || return
	same outcome "$(cat out)" EACCES
}

t_wrong_signature() {
	echo 'int present(int fd) { return 0; }' >p.c; gcc -shared -fPIC -o p.so p.c
	refused -f 'call connect ./p.so:present(fd: i33) -> errno' || return
	has err i33
}

t_a_plugin_that_crashes_as_it_is_loaded() {
	echo '__attribute__((constructor)) static void c(void) { *(volatile int *)0 = 0; } int f(int fd) { return 0; }' >p.c
	gcc -shared -fPIC -o p.so p.c
	refused -f 'call connect ./p.so:f(fd: i32) -> errno' || return
	has err "ends the process with signal 11"
}

t_wrong_options() {
	refused --seed x || return; has err "--seed x: expected a number" || return
	refused --seed -1 || return
	refused --fail-on-leak=0 || return; has err "from 1 to 255" || return
	refused --backtrace=13 || return
	refused --format xml || return; has err "text, json or openmetrics" || return
	refused --nosuch || return; has err "--nosuch: unknown option" || return
	"$sockshim" run 2>err; same status $? 125
}

t_missing_library() {
	"$sockshim" run -l ./nosuch.so true 2>err; same status $? 125 || return
	has err "./nosuch.so: cannot find the library" || return
	echo hello >not.so
	"$sockshim" run -l ./not.so true 2>err; same status $? 125 || return
	has err "it is no shared object" || return
	mkdir 'a b'; cp "$lib" 'a b/'
	"$sockshim" run -l 'a b/libsockshim.so' true 2>err; same status $? 125 || return
	has err "space or a colon"
}

t_no_proc() {
	mkdir here; cp "$sockshim" "$lib" here/
	unshare -m true 2>/dev/null || { skip "no right to mount"; return; }
	unshare -m sh -c 'mount -t tmpfs tmpfs /proc && here/sockshim run -s -- "$0" tcp' "$client" 2>err
	same status $? 0 || return
	has err "1 process with sockets"
}

t_unwritable_outputs() {
	refused --summary=/nonexistent/x || return
	has err "/nonexistent/x: cannot open for writing" || return
	refused --trace=/nonexistent/x
}

t_read_only_directory() {
	SOCKSHIM_DIR=/proc/nosuch refused || return
	has err "/proc/nosuch: cannot make the directory for runs" || return
	has err "set SOCKSHIM_DIR"
}

t_directory_that_is_a_file_or_a_link() {
	touch file; SOCKSHIM_DIR=file refused || return
	has err "file: cannot open the directory for runs" || return
	ln -s /tmp link; SOCKSHIM_DIR=link refused || return
	has err "no symbolic link"
}

t_directory_that_others_may_write_to() {
	mkdir open; chmod 777 open
	SOCKSHIM_DIR=open refused || return
	has err "others may write to it (mode 0777); run: chmod 700 $PWD/open"
}

t_full_directory() {
	mkdir full
	unshare -m true 2>/dev/null || { skip "no right to mount"; return; }
	unshare -m sh -c 'mount -t tmpfs -o size=32k,mode=700 tmpfs full && SOCKSHIM_DIR=full "$0" run -l "$1" touch started; s=$?; ls full; exit $s' \
		"$sockshim" "$lib" >out 2>err
	same status $? 125 || return
	has err "No space left on device; make room" || return
	same left "$(cat out)" ""
}

t_read_only_file_system() {
	mkdir ro
	unshare -m true 2>/dev/null || { skip "no right to mount"; return; }
	unshare -m sh -c 'mount -t tmpfs -o ro,mode=700 tmpfs ro && SOCKSHIM_DIR=ro "$0" run -l "$1" touch started' \
		"$sockshim" "$lib" 2>err
	same status $? 125 || return
	has err "Read-only file system"
}

t_static_and_go_programs_are_warned_of() {
	printf 'int main(void) { return 3; }' >s.c
	gcc -static -o static s.c || { skip "no static libc"; return; }
	run ./static 2>err; same status $? 3 || return
	has err "warning: ./static is linked statically" || return
	run -q ./static 2>err; same messages "$(cat err)" "" || return
	gcc -o go s.c; echo go >note; objcopy --add-section .go.buildinfo=note go
	run ./go 2>err; same status $? 3 || return
	has err "./go is a Go program" || return
	printf '#!%s/static\n' "$PWD" >script; chmod +x script
	run ./script 2>err; same status $? 3 || return
	has err "$PWD/static is linked statically"
}

t_set_user_id_programs_are_warned_of() {
	[ "$(id -u)" = 0 ] || { skip "only root can make one"; return; }
	cp /bin/true suid; chown 12345 suid; chmod 4755 suid
	run ./suid 2>err || return
	has err "set-user-ID" || return
	chown 0 suid; chmod 4755 suid
	run ./suid 2>err || return
	same messages "$(cat err)" ""
}

t_unknown_commands_and_options() {
	"$sockshim" 2>err; same status $? 2 || return
	"$sockshim" curl 2>err; same status $? 2 || return
	has err "there is no command 'curl'; to run a program: sockshim run curl" || return
	for c in stats sockets trace fault list clean; do
		"$sockshim" $c --nosuch 2>err; same "$c" $? 2 || return
		has err "Try: sockshim help $c" || return
	done
}

t_help_fits_on_a_screen() {
	for c in '' run stats sockets trace fault list clean; do
		"$sockshim" help $c >out || return
		[ "$(wc -l <out)" -le 24 ] || fail "$c: $(wc -l <out) lines" || return
		[ "$(wc -L <out)" -le 80 ] || fail "$c: $(wc -L <out) columns" || return
		[ -z "$c" ] || "$sockshim" $c --help | cmp - out || return
	done
	"$sockshim" --version | grep -q '^sockshim [0-9]'
}

t_runs_that_do_not_exist() {
	"$sockshim" stats 2>err; same status $? 1 || return
	has err "there are no runs in $SOCKSHIM_DIR; make one with: sockshim run PROGRAM" || return
	run true
	"$sockshim" stats nosuch 2>err; same status $? 1 || return
	has err "no run 'nosuch' in" || return
	"$sockshim" sockets 1 2>err; same status $? 1 || return
	"$sockshim" stats /nonexistent/run 2>err; same status $? 1
}

run_tests
