#!/usr/bin/env bash
# What is said about the command: the manual is well formed and, as the completion, knows every option.
. "$(dirname "$0")/lib.sh"

long_options() { "$sockshim" help "$1" | grep -o -- '--[a-z][a-z-]*' | sort -u; }

t_the_manual_is_well_formed() {
	command -v mandoc >/dev/null || { skip "no mandoc"; return; }
	# What it refers to need not be installed here.
	mandoc -Tlint "$root/shim/launch/sockshim.1" 2>/dev/null | grep -v 'referenced manual not found' >out
	same lint "$(cat out)" ""
}

t_the_manual_has_every_option() {
	for c in run stats sockets trace fault capture clean; do
		for o in $(long_options $c); do
			[ "$o" = --help ] || [ "$o" = --keep ] || grep -q -- "-${o#--}" "$root/shim/launch/sockshim.1" ||
				fail "$c $o" || return
		done
	done
}

complete_words() {
	. "$root/shim/launch/sockshim.bash"
	COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
	PATH=$B:$PATH _sockshim
	echo "${COMPREPLY[@]}"
}

t_completion_has_every_option() {
	for c in run stats sockets trace fault capture list clean; do
		case $c in fault) words=(sockshim fault add --) ;; *) words=(sockshim $c --) ;; esac
		got=" $(complete_words "${words[@]}") "
		for o in $(long_options $c); do
			case $got in *" $o "*) ;; *) fail "$c $o" || return ;; esac
		done
	done
}

t_completion_of_words() {
	same commands "$(complete_words sockshim stat)" stats || return
	same actions "$(complete_words sockshim fault re)" replace || return
	same formats "$(complete_words sockshim stats --format j)" json || return
	run true
	same runs "$(complete_words sockshim stats tr)" "$(ls runs)" || return
	case " $(complete_words sockshim run -s -- mktem) " in *" mktemp "*) ;; *) false ;; esac
}

run_tests
