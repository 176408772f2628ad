#!/usr/bin/env bash
# sockshim fault: rules of a run that goes on, with effect; wrong ones change nothing.
. "$(dirname "$0")/lib.sh"

# start: a client that connects each time it hears from "go", three times, and writes to "out".
start() {
	mkfifo ready go
	"$sockshim" run -l "$lib" "$@" "$client" refused tell ready hear go refused tell ready hear go refused >out & job=$!
	read -r pid <ready
}
# once: lets it connect again.
once() { echo >go; read -r _ <ready; }
last() { echo >go; wait "$job"; }
fault() { "$sockshim" fault "$@"; }

t_rules_are_added_and_removed_with_effect() {
	start
	fault add 'fail connect with ETIMEDOUT' || return
	once
	fault del 1 || return
	last
	same outcomes "$(tr '\n' ' ' <out)" "ECONNREFUSED ETIMEDOUT ECONNREFUSED "
}

t_the_list_has_numbers_and_counts() {
	start -f 'fail connect with ETIMEDOUT on 2nd' -f 'fail bind with EACCES'
	once
	fault list >list
	last
	has list "     1        2       1  fail connect with ETIMEDOUT on 2nd" || return
	has list "     2        0       0  fail bind with EACCES" || return
	fault list -j >list
	same fired "$(json '[(r["number"], r["matched"], r["fired"]) for r in d["rules"]]' <list)" '[(1, 3, 1), (2, 0, 0)]'
}

t_replacing_one_keeps_its_place() {
	start -f 'fail connect with ETIMEDOUT' -f 'fail bind with EACCES'
	fault replace -n 1 'fail connect with EACCES' || return
	fault list >list
	once
	fault replace 'fail connect with EPERM' || return
	last
	same order "$(sed 's/.*  //' list)" "$(printf 'RULE\nfail connect with EACCES\nfail bind with EACCES\n(removed)')" || return
	same outcomes "$(tr '\n' ' ' <out)" "ETIMEDOUT EACCES EPERM "
}

t_clear_removes_all() {
	start -f 'fail connect with ETIMEDOUT'
	fault clear || return
	once; last
	same outcomes "$(tr '\n' ' ' <out)" "ETIMEDOUT ECONNREFUSED ECONNREFUSED "
}

t_rules_from_a_file() {
	printf '# two\nfail connect with ETIMEDOUT on 1st # once\n\nfail connect with EACCES\n' >rules
	start
	fault add -F rules || return
	once; last
	same outcomes "$(tr '\n' ' ' <out)" "ECONNREFUSED ETIMEDOUT EACCES "
}

t_a_wrong_rule_changes_nothing() {
	start -f 'fail connect with ETIMEDOUT'
	before=$(cksum runs/*/control)
	fault add 'fail connect with EACCES' 'fail connect wiht EIO' 2>err; same status $? 1 || return
	has err "sockshim: rule:1:14: " || return
	fault add -F nosuch 2>err; same status $? 1 || return
	fault add 2>err; same status $? 1 || return
	fault del 1 7 2>err; same status $? 1 || return
	has err "has no rule 7" || return
	fault replace -n 5 'fail connect with EACCES' 2>err; same status $? 1 || return
	fault add 'call connect ./nosuch.so:f(fd: i32) -> errno' 2>err; same status $? 1 || return
	same control "$(cksum runs/*/control)" "$before" || return
	for wrong in 'del' 'del x' 'del 0' 'del 128' 'del 1 1' 'nosuch' '' 'add -n' 'replace -n 0 x'; do
		fault $wrong 2>err; same "$wrong" $? 2 || return
	done
	once; last
}

t_numbers_are_not_used_twice() {
	start
	fault add 'fail bind with EACCES' 'fail bind with EIO' || return
	fault del 2 && fault add 'fail bind with EPERM' || return
	fault list >list
	once; last
	same numbers "$(awk 'NR > 1 { print $1 }' list | tr '\n' ' ')" "1 3 "
}

t_more_rules_than_numbers_are_refused() {
	start
	yes 'fail bind with EIO' | head -n 120 >many
	fault add -F many || return
	fault clear || return
	fault add -F many 2>err; same status $? 1 || return
	fault add 'fail connect with EACCES' || return
	once; last
}

t_rules_longer_than_a_run_holds_are_refused() {
	start
	yes 'fail connect with EIO to 10.0.0.0/8:6379 family inet4 type stream probability 50% on 3rd program abcdefghijklmnopqrstuvwxyz-abcdefghijklmnopqrstuvwxyz' |
		head -n 60 >many
	fault add -F many || return
	before=$(cksum runs/*/control)
	fault add -F many 2>err; same status $? 1 || return
	has err "the rules are longer than the 15871 bytes that a run holds; nothing was changed" || return
	same control "$(cksum runs/*/control)" "$before" || return
	once; last
}

t_a_run_that_has_ended_is_said_to_have() {
	start
	fault add 'fail bind' 2>err || return
	same "while it goes on" "$(cat err)" "" || return
	once; last
	fault add 'fail connect' 2>err || return
	has err "has ended: no program is left"
}

t_programs_without_a_run_have_rules_of_their_own() {
	mkfifo ready go
	LD_PRELOAD=$lib "$client" refused tell ready hear go fork refused >out & local job=$!
	read -r pid <ready
	fault add -r "$pid" 'fail connect with ETIMEDOUT' || return
	fault list -r "$pid" >list
	echo >go; wait $job
	has list "fail connect with ETIMEDOUT" || return
	same outcomes "$(tr '\n' ' ' <out)" "ECONNREFUSED ETIMEDOUT "
}

t_editors_exclude_one_another() {
	start
	for i in $(seq 10); do fault add 'fail bind with EIO' & jobs[i]=$!; done
	for i in $(seq 10); do wait "${jobs[i]}" || return; done
	fault list >list
	once; last
	same rules "$(grep -c 'fail bind with EIO' list)" 10 || return
	same numbers "$(awk 'NR > 1 { print $1 }' list | sort -n | uniq | wc -l)" 10
}

run_tests
