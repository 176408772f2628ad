/* loader.c - calls that reach libc by other ways than the global scope. */
#include "prog.h"

#include <dlfcn.h>

static int (*opener)(void);
static int (*closer)(int);

static void find(void *handle)
{
	if (!handle)
		dprintf(2, "%s\n", dlerror());
	CHECK(handle);
	opener = (int (*)(void))dlsym(handle, "plugin_open");
	closer = (int (*)(int))dlsym(handle, "plugin_close");
	CHECK(opener && closer);
}

/* Sockets made by one side are used and closed by the other. */
static void mix(void)
{
	struct sockaddr_in a;
	int l = listener(&a), s = opener(), n, f;
	char c;

	CHECK(s >= 0 && connect(s, (struct sockaddr *)&a, sizeof(a)) == 0 && (n = accept(l, NULL, NULL)) >= 0);
	CHECK(send(s, "x", 1, 0) == 1 && recv(n, &c, 1, 0) == 1 && close(s) == 0);
	CHECK(closer(n) == 0);
	f = open("/dev/zero", O_RDONLY);
	CHECK(f == s && read(f, &c, 1) == 1 && close(f) == 0);
	/* Numbers that were closed on the one side come back on the other. */
	CHECK(opener() == s && socket(AF_INET, SOCK_STREAM, 0) == n && closer(s) == 0);
	CHECK(close(n) == 0 && close(l) == 0 && socket(AF_INET, SOCK_STREAM, 0) == l && close(l) == 0);
	puts("mixed");
}

static void plain(int argc, char **argv)
{
	find(dlopen(argv[1], RTLD_NOW));
	mix();
}

static void deepbind(int argc, char **argv)
{
	find(dlopen(argv[1], RTLD_NOW | RTLD_DEEPBIND));
	mix();
}

static void other_namespace(int argc, char **argv)
{
	find(dlmopen(LM_ID_NEWLM, argv[1], RTLD_NOW));
	mix();
}

static int (*libc_socket)(int, int, int);

static int open_by_libc(void)
{
	return libc_socket(AF_INET, SOCK_STREAM, 0);
}

static void libc_handle(int argc, char **argv)
{
	void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);

	CHECK(libc);
	libc_socket = (int (*)(int, int, int))dlsym(libc, "socket");
	closer = (int (*)(int))dlsym(libc, "close");
	opener = open_by_libc;
	CHECK(libc_socket && closer);
	mix();
}

/* Opening and closing shared objects while threads, or signal handlers, make their first calls. */
static void unload(int argc, char **argv)
{
	for (int i = 0; i < 50; i++) {
		void *p = dlopen(argv[1], RTLD_NOW);
		int s;

		find(p);
		s = opener();
		CHECK(s >= 0 && closer(s) == 0 && dlclose(p) == 0);
	}
	puts("unloaded");
}

static void wrapped(int argc, char **argv)
{
	int (*calls)(void) = (int (*)(void))dlsym(RTLD_DEFAULT, "wrapper_calls");
	int s = socket(AF_INET, SOCK_STREAM, 0);

	CHECK(calls && close(s) == 0);
	printf("wrapped %d\n", calls());
}

static void allocator(int argc, char **argv)
{
	unsigned long (*calls)(void) = (unsigned long (*)(void))dlsym(RTLD_DEFAULT, "allocator_calls");
	int fd[2];
	char c;

	CHECK(calls);
	for (int i = 0; i < 20; i++) {
		void *p = malloc(100);

		CHECK(p && socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0);
		CHECK(write(fd[0], "x", 1) == 1 && read(fd[1], &c, 1) == 1 && close(fd[0]) == 0 && close(fd[1]) == 0);
		free(p);
	}
	CHECK(calls() >= 40);
	puts("allocated");
}

/* Whether the library's own interface is there, and says what the program did. */
static void own_interface(int argc, char **argv)
{
	void *p = dlsym(RTLD_DEFAULT, "sockshim_default_switch");

	printf("interface %d\n", p != NULL);
}

PROG({ "plain", plain }, { "deepbind", deepbind }, { "namespace", other_namespace }, { "libc", libc_handle },
     { "unload", unload }, { "wrapped", wrapped }, { "allocator", allocator }, { "interface", own_interface })
