/* launch_report.c - sums over processes and the forms they are shown in. */
#include "launch/report.h"

#include <ctype.h>
#include <inttypes.h>
#include <time.h>
#include <criterion/criterion.h>
#include <jansson.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "launch/control.h"
#include "launch/message.h"
#include "run/clock.h"
#include "run_fixture.h"

static struct rundir run;
static struct report report;
static struct report_options options;
static char *text;

/* Two processes that ended, one of which left a socket open, one that runs, and a rule. */
static void setup(void)
{
	static struct run_control c;
	struct run_socket *s;
	struct fixture *f;

	run = (struct rundir){ .fd = fixture_dir(), .id = "prog-0001" };
	snprintf(run.path, sizeof(run.path), "%s", fixture_path());
	control_init(&c, 77);
	c.rules_bytes = (uint32_t)snprintf(c.rules, sizeof(c.rules), "2 fail connect to \"x\\y\" with EIO\n");
	cr_assert_eq(control_create(run.fd, &c), 0);
	f = fixture_new(1);
	f->file.pid = fixture_dead_pid();
	f->file.state = RUN_EXITED;
	f->file.rules[2] = (struct run_rule_count){ 5, 3 };
	f->file.rules[9] = (struct run_rule_count){ 1, 0 };
	fixture_stat(f, 0, AF_INET, SOCK_STREAM, IPPROTO_TCP)->count[RUN_OPENED] = 2;
	f->file.stats[0].injected[SOCKSHIM_CONNECT] = 3;
	fixture_stat(f, 5, AF_UNIX, SOCK_DGRAM, 0)->count[RUN_CLOSE_FAILED] = 1;
	s = fixture_socket(f, 3, AF_INET, SOCK_STREAM, IPPROTO_TCP);
	s->peer = s->local = fixture_inet("127.0.0.1", 80);
	s->flags = RUN_SOCK_PEER;
	fixture_socket(f, 4, AF_INET, SOCK_STREAM, IPPROTO_TCP)->flags = RUN_SOCK_INHERITED;
	fixture_write(run.fd, "0-11", f);
	f = fixture_new(1);
	fixture_stat(f, 7, AF_INET, SOCK_STREAM, IPPROTO_TCP)->count[RUN_OPENED] = 40;
	f->file.rules[2] = (struct run_rule_count){ 1, 1 };
	fixture_socket(f, 9, AF_INET6, SOCK_DGRAM, 0)->flags = RUN_SOCK_LISTENING;
	fixture_write(run.fd, "0-12", f);
}

static void load(void)
{
	cr_assert_eq(report_load(&report, &run), 0);
}

static void teardown(void)
{
	report_free(&report);
	free(text);
}

TestSuite(report, .init = setup, .fini = teardown);

static const char *print(void (*what)(FILE *f, const struct report *r, const struct report_options *o))
{
	size_t size;
	FILE *f;

	free(text);
	f = open_memstream(&text, &size);
	what(f, &report, &options);
	fclose(f);
	return text;
}

Test(report, statistics_are_summed_over_processes)
{
	load();
	cr_assert_str_eq(print(report_stats),
		"(local, dgram, default): opened=0 connected=0 listened=0 accepted=0 closed=0 "
		"openfailed=0 connectfailed=0 listenfailed=0 acceptfailed=0 closefailed=1\n"
		"(inet4, stream, tcp): opened=42 connected=0 listened=0 accepted=0 closed=0 "
		"openfailed=0 connectfailed=0 listenfailed=0 acceptfailed=0 closefailed=0\n"
		"    injected: connect=3\n");
}

Test(report, each_process_on_its_own)
{
	load();
	options.per_process = true;
	print(report_stats);
	cr_assert(strstr(text, " prog (exited)\n  (local, dgram"));
	cr_assert(strstr(text, " prog (running)\n  (inet4, stream, tcp): opened=40"));
}

Test(report, rules_have_their_counts_and_removed_ones_too)
{
	load();
	cr_assert_eq(report.n_rules, 2);
	cr_assert_eq(report.rules[0].number, 2);
	cr_assert_eq(report.rules[0].count.matched, 6);
	cr_assert_eq(report.rules[0].count.fired, 4);
	cr_assert_eq(report.rules[1].number, 9);
	cr_assert_null(report.rules[1].text);
}

Test(report, leaks_are_what_a_process_opened_itself_and_left)
{
	load();
	cr_assert_eq(report_leaks(&report), 1);
	print(report_summary);
	cr_assert(strstr(text, "run prog-0001: 2 processes with sockets, 1 still running, seed 77\n"), "%s", text);
	cr_assert(strstr(text, "1 socket still open at exit:\n"));
	cr_assert(strstr(text, "127.0.0.1:80"));
	cr_assert(strstr(text, "  2 fail connect to \"x\\y\" with EIO: matched 6, fired 4\n"));
}

Test(report, sockets_of_the_living_are_shown_and_all_if_asked)
{
	load();
	print(report_sockets);
	cr_assert(strstr(text, "(inet6, dgram, default)  listening"), "%s", text);
	cr_assert_null(strstr(text, "127.0.0.1:80"));
	options.all = true;
	print(report_sockets);
	cr_assert(strstr(text, "127.0.0.1:80"));
	cr_assert(strstr(text, "open (inh)"));
}

Test(report, json_is_one_document_with_all_of_it)
{
	json_t *doc, *stat;

	load();
	options.format = REPORT_JSON;
	options.per_process = true;
	doc = json_loads(print(report_stats), 0, NULL);
	cr_assert_not_null(doc);
	cr_assert_str_eq(json_string_value(json_object_get(doc, "seed")), "77");
	cr_assert(json_is_true(json_object_get(doc, "active")));
	stat = json_array_get(json_object_get(doc, "stats"), 1);
	cr_assert_eq(json_integer_value(json_object_get(stat, "opened")), 42);
	cr_assert_str_eq(json_string_value(json_object_get(stat, "protocol")), "tcp");
	cr_assert_eq(json_integer_value(json_object_get(json_object_get(stat, "injected"), "connect")), 3);
	cr_assert_eq(json_array_size(json_object_get(doc, "per_process")), 2);
	json_decref(doc);
	options.all = true;
	doc = json_loads(print(report_sockets), 0, NULL);
	cr_assert_eq(json_array_size(json_object_get(doc, "sockets")), 3);
	json_decref(doc);
	doc = json_loads(print(report_summary), 0, NULL);
	cr_assert_eq(json_array_size(json_object_get(doc, "open_at_exit")), 1);
	json_decref(doc);
}

/* One sample line: name{label="value",...} number. Returns the end of the name, or NULL. */
static const char *check_sample(const char *p)
{
	const char *name = p;

	while (isalnum((unsigned char)*p) || *p == '_')
		p++;
	name = p > name ? p : NULL;
	if (!name || *p++ != '{')
		return NULL;
	while (*p != '}') {
		while (isalnum((unsigned char)*p) || *p == '_')
			p++;
		if (*p++ != '=' || *p++ != '"')
			return NULL;
		for (; *p != '"'; p++)
			if (*p == '\n' || *p == '\0' || (*p == '\\' && !strchr("\\\"n", *++p)))
				return NULL;
		p++;
		if (*p == ',')
			p++;
	}
	if (*++p != ' ' || !isdigit((unsigned char)*++p))
		return NULL;
	while (isdigit((unsigned char)*p))
		p++;
	return *p == '\0' ? name : NULL;
}

/* The rules of OpenMetrics that a writer can break: families together, metadata first, _total on
 * counters only, # EOF last and once. */
static void check_openmetrics(char *all)
{
	char family[64] = "", type[16] = "", seen[4096] = "", *line, *rest = all;
	bool eof = false;

	while ((line = strsep(&rest, "\n")) != NULL && !(eof && !*line)) {
		cr_assert_not(eof, "after # EOF: %s", line);
		if (!strcmp(line, "# EOF")) {
			eof = true;
		} else if (!strncmp(line, "# TYPE ", 7)) {
			char key[80];

			cr_assert_eq(sscanf(line, "# TYPE %63s %15s", family, type), 2);
			snprintf(key, sizeof(key), " %s ", family);
			cr_assert_null(strstr(seen, key), "%s comes twice", family);
			strcat(seen, key);
			cr_assert(!strcmp(type, "counter") || !strcmp(type, "gauge"));
		} else if (!strncmp(line, "# HELP ", 7)) {
			cr_assert_eq(strncmp(line + 7, family, strlen(family)), 0, "%s", line);
		} else {
			const char *end = check_sample(line);
			size_t n = strlen(family);

			cr_assert_not_null(end, "not a sample: %s", line);
			cr_assert_eq(strncmp(line, family, n), 0, "%s is not of %s", line, family);
			cr_assert_eq((size_t)(end - line) - n, strcmp(type, "counter") ? 0 : strlen("_total"));
		}
	}
	cr_assert(eof, "no # EOF");
}

Test(report, openmetrics_keeps_to_its_specification)
{
	load();
	options.format = REPORT_OPENMETRICS;
	print(report_stats);
	cr_assert(strstr(text, "sockshim_sockets_opened_total{run=\"prog-0001\",family=\"inet4\",type=\"stream\",protocol=\"tcp\"} 42\n"));
	cr_assert(strstr(text, "rule=\"2\",text=\"fail connect to \\\"x\\\\y\\\" with EIO\"} 4\n"));
	check_openmetrics(text);
	options.per_process = options.all = true;
	print(report_stats);
	check_openmetrics(text);
	print(report_sockets);
	cr_assert(strstr(text, "local=\"-\",peer=\"127.0.0.1:80\""), "%s", text);
	check_openmetrics(text);
}

Test(report, addresses)
{
	struct run_addr a = fixture_inet("192.0.2.1", 65535);
	char buf[64];

	cr_assert_str_eq(tally_address(buf, sizeof(buf), &a), "192.0.2.1:65535");
	a = (struct run_addr){ .len = 28, .data = { AF_INET6, 0, 0, 80, [23] = 1 } };
	cr_assert_str_eq(tally_address(buf, sizeof(buf), &a), "[::1]:80");
	a = (struct run_addr){ .len = 6, .data = { AF_UNIX, 0, '/', 'a', '\n', 'b' } };
	cr_assert_str_eq(tally_address(buf, sizeof(buf), &a), "/a?b");
	a = (struct run_addr){ .len = 5, .data = { AF_UNIX, 0, 0, 'x', 'y' } };
	cr_assert_str_eq(tally_address(buf, sizeof(buf), &a), "@xy");
	a = (struct run_addr){ .len = 2, .data = { AF_UNIX, 0 } };
	cr_assert_str_eq(tally_address(buf, sizeof(buf), &a), "(unnamed)");
	a.len = 32;
	cr_assert_str_eq(tally_address(buf, sizeof(buf), &a), "-");
	a = (struct run_addr){ .len = 3, .data = { AF_INET } };
	cr_assert_str_eq(tally_address(buf, sizeof(buf), &a), "(family 2)");
}

Test(report, ages_that_cannot_be_are_not_known)
{
	struct run_image image = { .fate = RUN_FATE_RUNNING };
	struct timespec now;
	uint64_t ticks = run_clock_ticks();
	struct run_file file = { .pid = 1, .started_ticks = ticks - 20000000000u };
	struct run_socket s = { .opened_ticks = UINT64_MAX };
	int64_t age;

	clock_gettime(CLOCK_MONOTONIC, &now);
	file.started_mono_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec - 10000000000u;
	image.file = &file;
	cr_assert_eq(tally_socket_age_ns(&image, &s), -1);
	s.opened_ticks = 0;
	cr_assert_eq(tally_socket_age_ns(&image, &s), -1);
	s.opened_ticks = ticks - 10000000000u;	/* half the time that the process has run */
	age = tally_socket_age_ns(&image, &s);
	cr_assert(age >= 5000000000 && age < 8000000000, "%" PRId64, age);
	file.started_ticks = 0;
	cr_assert_eq(tally_socket_age_ns(&image, &s), -1);
	file.started_ticks = ticks - 20000000000u;
	image.fate = RUN_FATE_DIED;		/* and nobody knows when */
	cr_assert_eq(tally_socket_age_ns(&image, &s), -1);
	file.ended_ns = 1ull << 63;
	cr_assert_eq(tally_socket_age_ns(&image, &s), -1);
}
