/*
 * Rules as iptables reads and prints them, and as the stack does: the same lines are taken, the same are
 * refused, and those taken are printed alike. In a network namespace of its own.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rig.h"

/** struct line - @six: of ip6tables; @text: without table and COMMIT */
struct line {
	bool six;
	const char *table, *text;
};

static const struct line lines[] = {
#define F(text) { false, "filter", text },
#define N(text) { false, "nat", text },
#define M(text) { false, "mangle", text },
#define R(text) { false, "raw", text },
#define F6(text) { true, "filter", text },
#define N6(text) { true, "nat", text },
#include "rules.def"
};

static char file[] = "/tmp/rules.XXXXXX";

static void save(const char *text)
{
	FILE *f = fopen(file, "w");

	if (!f || fputs(text, f) < 0 || fclose(f)) {
		perror(file);
		exit(1);
	}
}

static bool kernel_takes(const struct line *l)
{
	char cmd[200];

	snprintf(cmd, sizeof(cmd), "%s-legacy-restore %s >/dev/null 2>&1",
		 l->six ? "ip6tables" : "iptables", file);
	return system(cmd) == 0;
}

/* What is printed of the table, but for comments; 0-terminated. */
static void kernel_prints(const struct line *l, char *out, size_t size)
{
	char cmd[200], row[4096];
	size_t n = 0;
	FILE *p;

	snprintf(cmd, sizeof(cmd), "%s-legacy-save -t %s", l->six ? "ip6tables" : "iptables",
		 l->table);
	p = popen(cmd, "r");
	while (p && fgets(row, sizeof(row), p)) {
		if (row[0] == '#')
			continue;
		n += (size_t)snprintf(out + n, size - n, "%s", row);
		if (n >= size)
			break;
	}
	if (p)
		pclose(p);
}

struct printed {
	char s[65536];
};

static void keep(void *ctx, const char *text, size_t len)
{
	struct printed *p = ctx;

	snprintf(p->s, sizeof(p->s), "%.*s", (int)len, text);
}

/* The rules in one line, for what is reported of them. */
static const char *title(const struct line *l)
{
	static char buf[1024];

	snprintf(buf, sizeof(buf), "%s: %s", l->table, l->text);
	for (char *c = buf; *c; c++)
		*c = *c == '\n' ? '/' : *c;
	return buf;
}

static void compare(struct stack *s, const struct line *l)
{
	static char kernel[65536], text[70000];
	static struct printed ours;
	enum net_index net = l->six ? NET_IPV6 : NET_IPV4;
	struct filter_error e;
	bool takes, kernel_did;

	snprintf(text, sizeof(text), "*%s\n%s\nCOMMIT\n", l->table, l->text);
	save(text);
	kernel_did = kernel_takes(l);
	takes = filter_load(s, net, text, strlen(text), 0, &e) == NS_OK;
	if (takes != kernel_did) {
		result(false, "%s: iptables %s it, we %s: %u:%u %s", title(l),
		       kernel_did ? "takes" : "refuses", takes ? "take it" : "refuse it",
		       e.line, e.column, e.text);
		return;
	}
	if (!takes) {
		result(e.line && e.column && e.text[0], "refused: %s (%u:%u %s)", title(l), e.line,
		       e.column, e.text);
		return;
	}
	kernel[0] = ours.s[0] = '\0';
	kernel_prints(l, kernel, sizeof(kernel));
	filter_print(s, net, false, keep, &ours);
	if (strcmp(kernel, ours.s))
		printf("# iptables:\n%s# we:\n%s", kernel, ours.s);
	result(!strcmp(kernel, ours.s), "alike: %s", title(l));
	filter_clear(s, net);
}

int main(void)
{
	struct stack_config c = netstack_config();
	struct stack *s;
	const char *why = rig_namespace();

	if (!why && !have("iptables-legacy-restore"))
		why = "iptables is not installed";
	if (!why && system("iptables-legacy-save -t filter >/dev/null 2>&1 && "
			   "ip6tables-legacy-save -t nat >/dev/null 2>&1"))
		why = "the kernel has no iptables";
	if (why) {
		skip("rules", why);
		return 0;
	}
	if (stack_new(&c, &s) || mkstemp(file) < 0) {
		perror("rules");
		return 1;
	}
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		compare(s, &lines[i]);
	stack_free(s);
	unlink(file);
	return failures != 0;
}
