# Completion of sockshim for bash.

_sockshim_runs() {
	COMPREPLY+=($(compgen -W "$(sockshim list 2>/dev/null | awk '{ print $1 }')" -- "$cur"))
}

_sockshim_stacks() {
	COMPREPLY+=($(compgen -W "$(sockshim stack list 2>/dev/null | awk '{ print $1 }')" -- "$cur"))
}

_sockshim() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]-}
	local commands='run stats sockets trace fault capture stack list clean help' options='' i
	COMPREPLY=()

	if [[ $COMP_CWORD == 1 ]]; then
		COMPREPLY=($(compgen -W "$commands --help --version" -- "$cur"))
		return
	fi
	# After -- or the first word that is no option, run and trace have a program's own words.
	if [[ $command == run || $command == trace ]]; then
		for ((i = 2; i < COMP_CWORD; i++)); do
			case ${COMP_WORDS[i]} in
			--) ((i++)); break ;;
			-f|-l|-e|-p|-o|-F|--fault|--faults|--seed|--format|--library|--dir|--calls|--pid|--output|--stack|--only|--except) ((i++)) ;;
			-*) ;;
			*) [[ $command == run ]] && break ;;
			esac
		done
		if ((i < COMP_CWORD)) || [[ ${COMP_WORDS[i-1]} == -- ]]; then
			if declare -F _command_offset >/dev/null; then
				_command_offset "$i"
			else
				COMPREPLY=($(compgen -c -- "$cur"))
			fi
			return
		fi
	fi
	case $prev in
	--format|-F)
		if [[ $command != fault ]]; then
			COMPREPLY=($(compgen -W 'text json openmetrics' -- "$cur"))
			return
		fi
		;;&
	--faults|-F|-l|--library|-o|--output) COMPREPLY=($(compgen -f -- "$cur")); return ;;
	--dir) COMPREPLY=($(compgen -d -- "$cur")); return ;;
	-r|--run) _sockshim_runs; return ;;
	--stack) _sockshim_stacks; COMPREPLY+=($(compgen -W 'lo tap= tun=' -- "$cur")); return ;;
	-f|--fault) COMPREPLY=($(compgen -W 'fail delay short reset drop corrupt call' -- "$cur")); return ;;
	esac
	case $command in
	run) options='--fault --faults --seed --summary --format --fail-on-leak --trace --backtrace --stack --only --except --wait --library
		--dir --keep --no-keep --quiet --help' ;;
	stats) options='--format --json --per-process --watch --help' ;;
	sockets) options='--format --json --all --watch --help' ;;
	trace) options='--calls --pid --output --format --json --fault --faults --seed --library --stack --only --except --quiet --help' ;;
	fault)
		if [[ $COMP_CWORD == 2 ]]; then
			COMPREPLY=($(compgen -W 'list add del clear replace' -- "$cur"))
			return
		fi
		options='--run --faults --number --json --help' ;;
	capture)
		case $prev in
		-i|--interface) COMPREPLY=($(compgen -W "$(ls /sys/class/net 2>/dev/null)" -- "$cur")); return ;;
		-w|--write) COMPREPLY=($(compgen -f -- "$cur")); return ;;
		-Q|--direction) COMPREPLY=($(compgen -W 'in out inout' -- "$cur")); return ;;
		esac
		options='--interface --write --count --snaplen --buffer --direction --no-promiscuous --quiet --help' ;;
	stack)
		if [[ $COMP_CWORD == 2 ]]; then
			COMPREPLY=($(compgen -W 'up down list rules connections stats' -- "$cur"))
			return
		fi
		if [[ $cur != -* && ${COMP_WORDS[2]-} =~ ^(down|rules|connections|stats)$ ]]; then
			_sockshim_stacks
			return
		fi
		options='--json --list --ipv6 --counters --help'
		;;
	list) options='--json --help' ;;
	clean) options='--keep --help' ;;
	help) COMPREPLY=($(compgen -W "$commands" -- "$cur")); return ;;
	esac
	if [[ $cur == -* ]]; then
		COMPREPLY=($(compgen -W "$options" -- "$cur"))
	elif [[ $command == run ]]; then
		COMPREPLY=($(compgen -c -- "$cur"))
	elif [[ $command =~ ^(stats|sockets|trace|clean)$ ]]; then
		_sockshim_runs
	fi
}

complete -F _sockshim -o bashdefault -o default sockshim
