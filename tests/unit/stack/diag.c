/* What sock_diag walks through: cursors that endure changes, look-ups, handshakes, TIME-WAITs, last moments. */
#include <criterion/criterion.h>

#include "net.h"
#include "transport/tcp/diag.h"

static struct sim *sim;
static struct sim_host *client, *server;
static struct endpoint *listener;
static struct full_addr to = { .port = 80 };

static void setup(void)
{
	struct sim_segment *lan;

	sim = sim_new(5);
	lan = sim_segment(sim);
	client = sim_host(sim, "client");
	server = sim_host(sim, "server");
	sim_attach(client, lan, "10.0.0.1/24", NULL);
	sim_attach(server, lan, "10.0.0.2/24", NULL);
	sim_run(sim, 3 * NS_PER_SEC);
	to.addr = sim_parse("10.0.0.2");
	cr_assert_eq(endpoint_new(server->stack, NET_IPV4, IP_PROTO_TCP, &listener), NS_OK);
	cr_assert_eq(endpoint_bind(listener, &(struct full_addr){ .port = 80 }), NS_OK);
	cr_assert_eq(endpoint_listen(listener, 4), NS_OK);
}

static void teardown(void)
{
	sim_free(sim);
}

TestSuite(diag, .init = setup, .fini = teardown);

static struct endpoint *connect_from(uint16_t port)
{
	struct endpoint *ep;

	cr_assert_eq(endpoint_new(client->stack, NET_IPV4, IP_PROTO_TCP, &ep), NS_OK);
	if (port)
		cr_assert_eq(endpoint_bind(ep, &(struct full_addr){ .port = port }), NS_OK);
	cr_assert_eq(endpoint_connect(ep, &to), NS_ERR_CONNECT_STARTED);
	return ep;
}

/* The client closes first, and has the TIME-WAIT. */
static void leave_time_wait(uint16_t port)
{
	struct endpoint *ep = connect_from(port), *peer;
	struct full_addr from;

	sim_run(sim, NS_PER_SEC);
	cr_assert_eq(endpoint_accept(listener, &peer, &from), NS_OK);
	endpoint_close(ep);
	sim_run(sim, NS_PER_SEC);
	endpoint_close(peer);
	sim_run(sim, NS_PER_SEC);
}

Test(diag, cursor_endures_what_comes_and_goes)
{
	struct endpoint *ep[5];
	struct endpoint_cursor a, b;

	for (int i = 0; i < 5; i++)
		ep[i] = sim_udp(client, "", (uint16_t)(100 + i));
	endpoint_cursor_init(&a, client->stack);
	endpoint_cursor_init(&b, client->stack);
	cr_assert_eq(endpoint_cursor_next(&a), ep[0]);
	/* What it is at goes, and what follows that; what was passed goes too. */
	endpoint_close(ep[1]);
	endpoint_close(ep[2]);
	endpoint_close(ep[0]);
	cr_assert_eq(endpoint_cursor_next(&a), ep[3]);
	cr_assert_eq(endpoint_cursor_next(&b), ep[3]);
	cr_assert_eq(endpoint_cursor_next(&a), ep[4]);
	cr_assert_null(endpoint_cursor_next(&a));
	ep[0] = sim_udp(client, "", 200);
	cr_assert_eq(endpoint_cursor_next(&b), ep[4]);
	cr_assert_eq(endpoint_cursor_next(&b), ep[0], "what is new comes at the end");
	cr_assert_null(endpoint_cursor_next(&b));
	endpoint_cursor_fini(&a);
	endpoint_cursor_fini(&b);
	endpoint_close(ep[4]);
}

static struct tcp_diag last;
static struct full_addr last_local, last_remote;
static struct tcp_conn_info last_info;
static int gone;

static void note_gone(void *ctx, struct endpoint *ep)
{
	size_t len = sizeof(last_info);

	gone++;
	tcp_diag(ep, &last);
	last_local = *last.local;
	last_remote = *last.remote;
	cr_assert_eq(endpoint_get_option(ep, SOCKOPT_TCP_INFO, &last_info, &len), NS_OK);
}

Test(diag, connection_is_known_in_its_last_moment)
{
	client->stack->endpoint_gone = note_gone;
	leave_time_wait(4000);
	cr_assert_eq(gone, 1);
	cr_assert_eq(last_local.port, 4000);
	cr_assert_eq(last_remote.port, 80);
	cr_assert(addr_equal(&last_remote.addr, &to.addr));
	cr_assert_eq(last.state, TCPS_CLOSE);
	cr_assert_eq(last_info.bytes_acked, 2, "the SYN and the FIN");
	client->stack->endpoint_gone = NULL;
}

Test(diag, time_wait_cursor_endures_their_ends)
{
	struct tcp_tw_cursor c;
	struct demux_key k = { .local = sim_parse("10.0.0.1"), .remote = to.addr, .rport = 80, .net = NET_IPV4,
			       .proto = IP_PROTO_TCP };
	struct tcp_mini m;

	for (uint16_t port = 4000; port < 4004; port++)
		leave_time_wait(port);
	tcp_tw_cursor_init(&c, client->stack);
	cr_assert(tcp_tw_cursor_next(&c, &m));
	cr_assert_eq(m.state, TCPS_TIME_WAIT);
	cr_assert_eq(m.local.port, 4000);
	cr_assert(m.expires_in_ns > 0 && m.expires_in_ns <= 60 * NS_PER_SEC);
	k.lport = 4001;
	cr_assert(tcp_mini_drop(client->stack, &k));
	cr_assert_not(tcp_mini_drop(client->stack, &k));
	cr_assert(tcp_tw_cursor_next(&c, &m));
	cr_assert_eq(m.local.port, 4002, "the one it was at is gone");
	sim_run(sim, 120 * NS_PER_SEC);
	cr_assert_not(tcp_tw_cursor_next(&c, &m), "all have expired");
	tcp_tw_cursor_fini(&c);
}

Test(diag, look_ups_find_connections_handshakes_and_time_waits)
{
	struct demux_key k = { .local = sim_parse("10.0.0.1"), .remote = to.addr, .lport = 4000, .rport = 80,
			       .net = NET_IPV4, .proto = IP_PROTO_TCP };
	struct endpoint *ep = connect_from(4000), *peer;
	struct full_addr from;
	struct tcp_mini m;
	bool mini;

	sim_run(sim, NS_PER_SEC);
	cr_assert_eq(tcp_find(client->stack, &k, &mini, &m), ep);
	cr_assert_not(mini);
	cr_assert_not(tcp_mini_drop(client->stack, &k), "a connection is not to be forgotten");
	cr_assert_eq(endpoint_accept(listener, &peer, &from), NS_OK);
	endpoint_close(ep);
	sim_run(sim, NS_PER_SEC);
	endpoint_close(peer);
	sim_run(sim, NS_PER_SEC);
	cr_assert_null(tcp_find(client->stack, &k, &mini, &m));
	cr_assert(mini && m.state == TCPS_TIME_WAIT && m.local.port == 4000);
	k.lport++;
	cr_assert_null(tcp_find(client->stack, &k, &mini, &m));
	cr_assert_not(mini);
}

Test(diag, handshakes_are_the_listeners)
{
	struct demux_key k = { .local = to.addr, .remote = sim_parse("10.0.0.1"), .lport = 80, .rport = 4000,
			       .net = NET_IPV4, .proto = IP_PROTO_TCP };
	struct tcp_mini m[4];
	bool mini;

	/* What only sends its SYN stays one. */
	cr_assert_eq(endpoint_set_int(listener, SOCKOPT_DEFER_ACCEPT, 5), NS_OK);
	connect_from(4000);
	connect_from(4001);
	sim_run(sim, NS_PER_SEC / 10);
	cr_assert_eq(tcp_handshakes(listener, m, 4), 2);
	cr_assert(m[0].state == TCPS_NEW_SYN_RECV && m[0].remote.port == 4000 && m[0].local.port == 80);
	cr_assert_eq(m[0].net, NET_IPV4);
	cr_assert_eq(tcp_handshakes(listener, m, 1), 1);
	cr_assert_null(tcp_find(server->stack, &k, &mini, m));
	cr_assert(mini && m[0].state == TCPS_NEW_SYN_RECV);
	cr_assert(tcp_mini_drop(server->stack, &k));
	cr_assert_eq(tcp_handshakes(listener, m, 4), 1);
}

Test(diag, queues_and_timers_are_those_of_the_state)
{
	struct endpoint *ep = connect_from(4000), *peer;
	struct iovec iov = { (char[100]){ 0 }, 100 };
	struct full_addr from;
	struct tcp_diag d;
	size_t n;

	tcp_diag(ep, &d);
	cr_assert_eq(d.state, TCPS_SYN_SENT);
	cr_assert_eq(d.timer, TCP_TIMER_RTX);
	cr_assert(d.expires_in_ns > 0 && d.bound_port && d.remote->port == 80);
	sim_run(sim, NS_PER_SEC);
	tcp_diag(listener, &d);
	cr_assert(d.state == TCPS_LISTEN && d.rqueue == 1 && d.wqueue == 4);
	cr_assert_eq(endpoint_accept(listener, &peer, &from), NS_OK);
	tcp_diag(listener, &d);
	cr_assert_eq(d.rqueue, 0);
	tcp_diag(ep, &d);
	cr_assert(d.state == TCPS_ESTABLISHED && d.timer == TCP_TIMER_OFF && !d.rqueue && !d.wqueue);
	cr_assert_eq(endpoint_write(ep, &iov, 1, NULL, &n), NS_OK);
	tcp_diag(ep, &d);
	cr_assert(d.wqueue == 100 && d.timer == TCP_TIMER_RTX);
	sim_run(sim, NS_PER_SEC);
	tcp_diag(peer, &d);
	cr_assert(d.rqueue == 100 && tcp_diag_taken(peer) == 0 && !d.bound_port);
	cr_assert_eq(endpoint_shutdown(ep, SHUTDOWN_WRITE), NS_OK);
	sim_run(sim, NS_PER_SEC);
	tcp_diag(peer, &d);
	cr_assert(d.state == TCPS_CLOSE_WAIT && d.rqueue == 101 && d.rx_shut && !d.tx_shut);
	tcp_diag(ep, &d);
	cr_assert(d.state == TCPS_FIN_WAIT2 && d.wqueue == 0 && d.tx_shut && !d.time_wait);
	cr_assert_eq(endpoint_set_int(ep, SOCKOPT_KEEPALIVE_ENABLED, 1), NS_OK);
	tcp_diag(ep, &d);
	cr_assert_eq(d.timer, TCP_TIMER_KEEPALIVE);
	endpoint_close(ep);
	/* Nobody has it any more: as Linux shows it, with the timer that ends it. */
	tcp_diag(ep, &d);
	cr_assert(d.time_wait && d.timer == TCP_TIMER_TIME_WAIT);
}
