#!/usr/bin/env bash
# What `make install` puts in place works from there: the command, the header by pkg-config, the manual.
. "$(dirname "$0")/lib.sh"

# install_to PREFIX [DESTDIR]
install_to() { env -u MAKEFLAGS -u MAKELEVEL make -s -C "$root" install PREFIX="$1" DESTDIR="${2:-}" >log 2>&1 || { cat log; false; }; }

# The example of the README, with a main around it.
example() {
	cat <<-'EOF'
		#include <sockshim.h>
		#include <errno.h>
		#include <netinet/in.h>
		#include <stdio.h>

		static int refuse(const struct sockshim_status *st, struct sockshim_after *after, void *user)
		{
			return ECONNREFUSED;
		}

		int main(void)
		{
			struct sockaddr_in addr = { .sin_family = AF_INET };
			struct sockshim_switch *sw;
			int fd;

			sockshim_switch_new(&sw);
			sockshim_set(sw, SOCKSHIM_CONNECT, refuse, NULL);
			fd = sockshim_socket(sw, AF_INET, SOCK_STREAM, 0);
			printf("%d\n", sockshim_connect(sw, fd, (struct sockaddr *)&addr, sizeof(addr)) == -ECONNREFUSED);
			return sockshim_close(sw, fd);
		}
	EOF
}

t_a_program_is_compiled_by_pkg_config() {
	example >example.c
	# Into two places in turn, from one build.
	for p in one two; do
		install_to "$PWD/$p" || return
		flags=$(PKG_CONFIG_PATH=$PWD/$p/lib/pkgconfig pkg-config --cflags --libs sockshim) || return
		${CC:-cc} -Wall -Werror example.c $flags -Wl,-rpath,"$PWD/$p/lib" -o example || return
		same "$p" "$(./example)" 1 || return
		readelf -d example | grep -q "$PWD/$p/lib" || fail "$p: not its library" || return
	done
}

t_below_a_destination() {
	install_to /usr "$PWD/stage" || return
	has stage/usr/lib/pkgconfig/sockshim.pc prefix=/usr || return
	stage/usr/bin/sockshim run -s -- "$client" tcp 2>err || return
	has err "1 process with sockets"
}

t_manual_and_completion() {
	install_to "$PWD/there" || return
	for page in man1/sockshim.1 man5/sockshim-rules.5 man7/libsockshim.7; do
		[ -s "there/share/man/$page" ] || fail "no $page" || return
	done
	bash -n there/share/bash-completion/completions/sockshim
}

run_tests
