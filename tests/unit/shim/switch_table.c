/* switch_table.c - the table of sockets: duplicates, forks, spills. */
#include "unit.h"
#include "switch_tab.h"
#include "run/stat.h"

#include <sys/wait.h>
#include <unistd.h>

static struct run_socket *add(int fd, int n)
{
	sockshim_cookie stale;

	return socktab_add(&tab, fd, COOKIE(n), 0, &stale);
}

Test(switch_table, what_nobody_entered_is_unknown)
{
	cr_assert_eq(socktab_ref(&tab, 3), SOCKTAB_UNKNOWN);
	cr_assert_eq(socktab_ref(&tab, 100000), SOCKTAB_UNKNOWN);
	cr_assert_eq(socktab_ref(&tab, -1), SOCKTAB_UNKNOWN);
	cr_assert_eq(socktab_ref(&tab, SOCKTAB_FDS), SOCKTAB_UNKNOWN);
	socktab_set_other(&tab, 3);
	socktab_set_other(&tab, 100000);
	cr_assert_eq(socktab_ref(&tab, 3), SOCKTAB_OTHER);
	cr_assert_eq(socktab_ref(&tab, 100000), SOCKTAB_OTHER);
}

Test(switch_table, descriptors_out_of_range_are_refused)
{
	cr_assert_null(add(-1, 1));
	cr_assert_null(add(SOCKTAB_FDS, 1));
	cr_assert_not_null(add(SOCKTAB_FDS - 1, 1));
}

Test(switch_table, a_removed_socket_is_no_socket)
{
	sockshim_cookie c = 0;
	struct run_socket *s = add(5, 7);

	cr_assert_eq(socktab_find(&tab, 5), s);
	cr_assert(socktab_remove(&tab, 5, &c));
	cr_assert_eq(c, COOKIE(7));
	cr_assert(socktab_is_other(socktab_ref(&tab, 5)));
	cr_assert_eq(s->refs, 0);
	cr_assert_not(socktab_remove(&tab, 5, &c));
}

Test(switch_table, a_socket_entered_over_another_drops_it_and_says_so)
{
	sockshim_cookie stale = 0;

	add(5, 1);
	cr_assert_not_null(socktab_add(&tab, 5, COOKIE(2), 0, &stale));
	cr_assert_eq(stale, COOKIE(1));
	cr_assert_eq(socktab_find(&tab, 5)->cookie, COOKIE(2));
	cr_assert_eq(socktab_find(&tab, 5)->refs, 1);
}

Test(switch_table, duplicates_share_an_object_until_the_last_is_closed)
{
	sockshim_cookie dropped = 0;
	struct run_socket *s = add(5, 1);

	cr_assert_not(socktab_dup(&tab, 5, 900, &dropped));
	cr_assert_eq(socktab_find(&tab, 900), s);
	cr_assert_eq(s->refs, 2);
	cr_assert(socktab_remove(&tab, 5, &dropped));
	cr_assert_eq(dropped, 0, "not the last descriptor");
	cr_assert_eq(s->refs, 1);
	cr_assert_eq(socktab_find(&tab, 900)->cookie, COOKIE(1));
	cr_assert(socktab_remove(&tab, 900, &dropped));
	cr_assert_eq(dropped, COOKIE(1));
	cr_assert_eq(s->refs, 0);
}

Test(switch_table, a_duplicate_over_a_socket_drops_that_one)
{
	sockshim_cookie dropped = 0;

	add(5, 1);
	add(6, 2);
	cr_assert(socktab_dup(&tab, 5, 6, &dropped));
	cr_assert_eq(dropped, COOKIE(2));
	cr_assert_eq(socktab_find(&tab, 6), socktab_find(&tab, 5));
	cr_assert_not(socktab_dup(&tab, 5, 5, &dropped), "onto itself");
	cr_assert_eq(socktab_find(&tab, 5)->refs, 2);
}

Test(switch_table, a_file_duplicated_over_a_socket_is_a_file)
{
	sockshim_cookie dropped = 0;

	add(6, 2);
	socktab_set_other(&tab, 5);
	cr_assert(socktab_dup(&tab, 5, 6, &dropped));
	cr_assert(socktab_is_other(socktab_ref(&tab, 6)));
}

Test(switch_table, a_number_taken_again_while_a_duplicate_lives_gets_another_object)
{
	sockshim_cookie dropped;
	struct run_socket *old = add(5, 1), *new;

	socktab_dup(&tab, 5, 8, &dropped);
	socktab_remove(&tab, 5, NULL);
	new = add(5, 2);
	cr_assert_not_null(new);
	cr_assert_neq(new, old);
	cr_assert_eq(socktab_find(&tab, 8)->cookie, COOKIE(1));
	cr_assert_eq(socktab_find(&tab, 5)->cookie, COOKIE(2));
}

Test(switch_table, special_marks_every_duplicate)
{
	sockshim_cookie dropped;

	add(5, 1);
	socktab_dup(&tab, 5, 5000, &dropped);
	socktab_set_special(&tab, 5000, true);
	cr_assert(socktab_ref(&tab, 5) & SOCKTAB_SPECIAL);
	cr_assert(socktab_ref(&tab, 5000) & SOCKTAB_SPECIAL);
	socktab_set_special(&tab, 5, false);
	cr_assert_not(socktab_ref(&tab, 5000) & SOCKTAB_SPECIAL);
}

/* Runs it in a forked child. */
static void in_child(void (*fn)(void))
{
	int status;
	pid_t pid = fork();

	cr_assert(pid >= 0);
	if (pid == 0) {
		fn();
		_exit(0);
	}
	cr_assert(waitpid(pid, &status, 0) == pid);
	cr_assert(WIFEXITED(status), "signal %d", WTERMSIG(status));
	cr_assert_eq(WEXITSTATUS(status), 0, "line %d", WEXITSTATUS(status));
}

#define MUST(x) ((x) ? (void)0 : _exit(__LINE__ % 256))

static void copies(void)
{
	struct run_socket *s;

	socktab_after_fork(&tab, true);
	s = socktab_find(&tab, 5);
	MUST(s && s == socktab_find(&tab, 4999));
	MUST(s->refs == 2 && s->opener == 0x1234 && (s->flags & RUN_SOCK_INHERITED));
	MUST(socktab_find(&tab, 300) && socktab_find(&tab, 300)->cookie == COOKIE(2));
	s->rx_bytes = socktab_find(&tab, 300)->rx_bytes = 99;
}

Test(switch_table, a_forked_child_gets_objects_of_its_own_and_keeps_what_is_shared)
{
	sockshim_cookie dropped;
	struct run_socket *parent = add(5, 1), *lone = add(300, 2);

	parent->opener = 0x1234;
	socktab_dup(&tab, 5, 4999, &dropped);
	in_child(copies);
	cr_assert_eq(parent->refs, 2, "the parent's object was touched");
	cr_assert_eq(parent->rx_bytes + lone->rx_bytes, 0, "the parent's object was touched");
}

static void trusts(void)
{
	socktab_after_fork(&tab, true);
	MUST(socktab_find(&tab, 5)->cookie == COOKIE(1) && socktab_find(&tab, 5)->opener == 0);
}

Test(switch_table, a_forked_child_trusts_its_own_cookie_if_the_parent_went_on)
{
	struct run_socket *parent = add(5, 1);

	/* Meanwhile, in the parent: closed, and the object taken by another socket. */
	parent->cookie = COOKIE(9);
	parent->opener = 0x9999;
	in_child(trusts);
}

static struct run_socket *held;

static void goes_on(void)
{
	socktab_after_fork(&tab, true);
	held->opened = held->rx_bytes = 77;
}

Test(switch_table, whoever_was_interrupted_by_a_fork_goes_on_with_the_childs_objects)
{
	sockshim_cookie dropped;

	/* In its own place, in another's, and gone. */
	held = add(5, 1);
	in_child(goes_on);
	cr_assert_eq(held->opened + held->rx_bytes, 0);
	socktab_dup(&tab, 5, 8, &dropped);
	socktab_remove(&tab, 5, NULL);
	held = add(5, 1);
	in_child(goes_on);
	cr_assert_eq(held->opened + held->rx_bytes, 0);
	held = add(70, 1);
	socktab_remove(&tab, 70, NULL);
	in_child(goes_on);
	cr_assert_eq(held->opened + held->rx_bytes, 0);
}

Test(switch_table, a_detached_child_leaves_the_parents_objects_alone)
{
	struct run_socket *s = add(5, 1);

	socktab_detached_dup(&tab, 5, 7);
	socktab_detached_remove(&tab, 5);
	cr_assert_eq(s->refs, 1);
	cr_assert(socktab_is_other(socktab_ref(&tab, 5)));
	cr_assert_eq(socktab_find(&tab, 7), s);
}

/* Entered again as the preloaded switch does. */
static struct run_socket *again(int fd, int n)
{
	return socktab_enter_again(&tab, (unsigned)fd, COOKIE(n), 0, NULL);
}

Test(switch_table, a_socket_of_the_same_cookie_is_entered_again_in_its_place)
{
	struct run_socket *s = add(5, 1);

	s->err = 7;
	s->rx_bytes = 8;
	cr_assert_null(again(5, 1), "while the first is there");
	socktab_remove_alone(socktab_entry(&tab, 5), socktab_ref(&tab, 5));
	cr_assert(socktab_is_other(socktab_ref(&tab, 5)));
	cr_assert_null(again(5, 2), "one of another cookie");
	cr_assert_eq(again(5, 1), s);
	cr_assert_eq(socktab_find(&tab, 5), s);
	cr_assert_eq(s->refs, 1);
	cr_assert_eq(s->err + (int)s->rx_bytes, 0);
	cr_assert(socktab_remove(&tab, 5, NULL));
	cr_assert_eq(again(5, 1), s, "after a close with other threads about");
}

Test(switch_table, nothing_is_entered_again_where_nothing_was)
{
	cr_assert_null(again(5, 1), "nothing is known of it");
	socktab_set_other(&tab, 5);
	cr_assert_null(again(5, 1), "it was a file");
	cr_assert_null(again(SOCKTAB_LOW_FDS, 1));
	cr_assert_null(again(-1, 1));
}

Test(switch_table, nothing_is_entered_again_where_a_duplicate_lives)
{
	sockshim_cookie dropped;
	struct run_socket *old = add(5, 1), *new;

	socktab_dup(&tab, 5, 8, &dropped);
	socktab_remove(&tab, 5, NULL);
	cr_assert_null(again(5, 1));
	new = add(5, 1);
	cr_assert(new && new != old);
	cr_assert(socktab_remove(&tab, 5, NULL));
	cr_assert_null(again(5, 1), "that one had another's place, which is anybody's now");
}

static void enters_nothing(void)
{
	socktab_detached_dup(&tab, 5, 6);
	socktab_after_fork(&tab, true);
	MUST(!again(5, 1) && !again(6, 1) && add(5, 1));
}

Test(switch_table, a_forked_child_enters_nothing_in_its_parents_places)
{
	struct run_socket *s = add(5, 1);

	socktab_remove(&tab, 5, NULL);
	in_child(enters_nothing);
	cr_assert_eq(s->refs, 0);
}

Test(switch_table, a_place_is_kept_for_its_cookie_for_some_turns_of_another)
{
	struct sockshim_stat out[2] = { 0 };
	struct run_socket *s = add(5, 1);
	sockshim_cookie c = 0;
	int turns;

	run_count(tab.stats, COOKIE(1), RUN_OPENED);
	s->opened = 7;
	for (turns = 0; turns < 100; turns++) {
		socktab_remove(&tab, 5, NULL);
		cr_assert_null(again(5, 2));
		cr_assert_eq(socktab_enter_apart(&tab, 5, COOKIE(2), 0, NULL), s);
		cr_assert_eq(s->cookie, COOKIE(2));
		cr_assert_eq(s->refs, 1);
		cr_assert_eq(socktab_stats(&tab, out, 2), 1);
		cr_assert_eq(out[0].opened, 8, "what was counted is still the first cookie's, turn %d", turns);
		if (!(socktab_ref(&tab, 5) & SOCKTAB_APART))
			break;
		cr_assert(socktab_remove(&tab, 5, &c));
		cr_assert_eq(c, COOKIE(2));
		cr_assert_eq(again(5, 1), s, "the place is not the first cookie's any more, turn %d", turns);
	}
	cr_assert_lt(turns, 100, "it never becomes the other's");
	socktab_remove(&tab, 5, NULL);
	cr_assert_null(again(5, 1));
	cr_assert_eq(again(5, 2), s);
}

Test(switch_table, a_duplicate_of_what_is_not_counted_in_its_place_leaves_it_in_the_end)
{
	sockshim_cookie c = 0;
	struct run_socket *s = add(5, 1);

	tab.turns = 1;
	socktab_remove(&tab, 5, NULL);
	socktab_enter_apart(&tab, 5, COOKIE(2), 0, NULL);
	cr_assert(socktab_ref(&tab, 5) & SOCKTAB_APART);
	socktab_dup(&tab, 5, 8, &c);
	cr_assert(socktab_remove(&tab, 5, &c));
	cr_assert_eq(c, 0);
	cr_assert_eq(socktab_find(&tab, 8)->cookie, COOKIE(2));
	cr_assert(socktab_remove(&tab, 8, &c));
	cr_assert_eq(c, COOKIE(2));
	cr_assert_eq(s->cookie, COOKIE(1));
	cr_assert_not(s->flags & RUN_SOCK_APART);
}

Test(switch_table, what_readers_cannot_see_is_not_counted_in_its_place)
{
	struct run_socket *s = add(5, 1);

	s->flags |= RUN_SOCK_UNSEEN;
	socktab_remove(&tab, 5, NULL);
	s = add(5, 1);
	cr_assert(s->flags & RUN_SOCK_UNSEEN);
	cr_assert(socktab_remove(&tab, 5, NULL));
	cr_assert_null(again(5, 1));
}

Test(switch_table, what_was_counted_in_a_place_is_its_cookies)
{
	struct run_stat *stats = tab.stats;
	struct sockshim_stat out[2] = { 0 };
	struct run_socket *s;

	run_count(stats, COOKIE(1), RUN_OPENED);
	run_count(stats, COOKIE(2), RUN_OPENED);
	s = add(5, 1);
	s->opened = 3;
	s->closed = 4;
	s->accept_failed = 5;
	cr_assert_eq(socktab_stats(&tab, out, 2), 2);
	cr_assert_eq(out[0].cookie, COOKIE(1));
	cr_assert_eq(out[0].opened, 4);
	cr_assert_eq(out[0].closed, 4);
	cr_assert_eq(out[0].accept_failed, 5);
	cr_assert_eq(out[1].opened, 1);
	socktab_remove(&tab, 5, NULL);
	add(5, 2);
	cr_assert_eq(s->opened + s->closed + s->accept_failed, 0, "they would be the other cookie's");
	cr_assert_eq(stats[0].count[RUN_OPENED], 4);
	cr_assert_eq(stats[0].count[RUN_CLOSED], 4);
	cr_assert_eq(stats[0].count[RUN_ACCEPT_FAILED], 5);
	cr_assert_eq(socktab_stats(&tab, out, 2), 2);
	cr_assert_eq(out[0].opened, 4);
}

Test(switch_table, what_was_counted_in_a_place_alone_is_in_the_statistics)
{
	struct sockshim_stat out[2] = { 0 };

	add(5, 1)->closed = 3;
	cr_assert_eq(socktab_stats(&tab, NULL, 0), 1);
	cr_assert_eq(socktab_stats(&tab, out, 2), 1);
	cr_assert_eq(out[0].cookie, COOKIE(1));
	cr_assert_eq(out[0].closed, 3);
}

Test(switch_table, a_place_is_taken_before_it_is_full)
{
	struct run_socket *s = add(5, 1);

	s->closed = 1u << 30;
	socktab_remove(&tab, 5, NULL);
	add(5, 1);
	cr_assert_eq(s->closed, 0);
	cr_assert_eq(tab.stats[0].count[RUN_CLOSED], 1u << 30);
	cr_assert_eq(tab.takes->begun, 1);
	cr_assert_eq(tab.takes->done, 1);
}
