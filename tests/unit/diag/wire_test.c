/* The codec: vectors byte for byte, and every length that is wrong. */
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "wire/attr.h"
#include "wire/err.h"
#include "wire/inet.h"
#include "wire/req.h"
#include "wire/state.h"
#include "wire/tcpinfo.h"
#include "wire/unix.h"

static struct inet_diag_msg ends(int family, const char *src, uint16_t sport, const char *dst, uint16_t dport)
{
	struct inet_diag_msg m = { .idiag_family = (uint8_t)family };

	inet_pton(family, src, m.id.idiag_src);
	inet_pton(family, dst, m.id.idiag_dst);
	m.id.idiag_sport = htons(sport);
	m.id.idiag_dport = htons(dport);
	return m;
}

Test(inet, layout_is_the_kernels)
{
	cr_assert_eq(sizeof(struct inet_diag_msg), 72);
	cr_assert_eq(sizeof(struct inet_diag_sockid), 48);
	cr_assert_eq(offsetof(struct inet_diag_msg, id), 4);
	cr_assert_eq(offsetof(struct inet_diag_msg, idiag_expires), 52);
	cr_assert_eq(offsetof(struct inet_diag_msg, idiag_inode), 68);
	cr_assert_eq(offsetof(struct inet_diag_msg, id.idiag_src), 8);
	cr_assert_eq(offsetof(struct inet_diag_msg, id.idiag_dst), 24);
}

Test(inet, fasthash_matches_known_values)
{
	struct inet_diag_msg v4 = ends(AF_INET, "127.0.0.1", 8080, "10.0.0.1", 443);
	struct inet_diag_msg v6 = ends(AF_INET6, "::1", 22, "::", 0);

	cr_assert_eq(diag_inet_fasthash(&v4), UINT64_C(0x0705b508553279fb));
	cr_assert_eq(diag_inet_fasthash(&v6), UINT64_C(0xb23fcaa6193441e2));
}

Test(inet, fasthash_ignores_garbage_behind_ipv4)
{
	struct inet_diag_msg m = ends(AF_INET, "127.0.0.1", 8080, "10.0.0.1", 443);

	memset(&m.id.idiag_src[1], 0xa5, 12);
	memset(&m.id.idiag_dst[1], 0x5a, 12);
	cr_assert_eq(diag_inet_fasthash(&m), UINT64_C(0x0705b508553279fb));
}

Test(inet, ends_read_back_as_text)
{
	struct inet_diag_msg m = ends(AF_INET6, "fe80::1", 22, "2001:db8::2", 50000);
	char text[INET6_ADDRSTRLEN];

	cr_assert_str_eq(diag_inet_src_ip(&m, text), "fe80::1");
	cr_assert_str_eq(diag_inet_dst_ip(&m, text), "2001:db8::2");
	cr_assert_eq(diag_inet_src_port(&m), 22);
	cr_assert_eq(diag_inet_dst_port(&m), 50000);
	m.idiag_family = AF_UNIX;
	cr_assert_null(diag_inet_src_ip(&m, text));
}

/* A payload with two attributes: CONG "cubic" and SHUTDOWN 3, the last one without its padding. */
static size_t sample(uint8_t *p)
{
	static const uint8_t attrs[] = { 10, 0, INET_DIAG_CONG, 0, 'c', 'u', 'b', 'i', 'c', 0, 0, 0,
					 5,  0, INET_DIAG_SHUTDOWN, 0, 3 };
	struct inet_diag_msg m = ends(AF_INET, "10.1.2.3", 80, "10.3.2.1", 4711);

	m.idiag_state = DIAG_TCP_ESTABLISHED;
	m.id.idiag_cookie[0] = 7;
	m.id.idiag_cookie[1] = 1;
	memcpy(p, &m, sizeof(m));
	memcpy(p + sizeof(m), attrs, sizeof(attrs));
	return sizeof(m) + sizeof(attrs);
}

Test(inet, parse_takes_attributes_and_an_unpadded_last_one)
{
	uint8_t p[128];
	size_t len = sample(p);
	struct diag_inet s;

	cr_assert_not(diag_failed(diag_inet_parse(p, len, &s)));
	cr_assert_eq(diag_inet_cookie(&s.msg), UINT64_C(0x100000007));
	cr_assert_str_eq((const char *)s.attrs[INET_DIAG_CONG].data, "cubic");
	cr_assert_eq(diag_attr_u8(&s.attrs[INET_DIAG_SHUTDOWN], 9), 3);
	cr_assert_eq(diag_attr_u8(&s.attrs[INET_DIAG_TOS], 9), 9);
	cr_assert_eq(diag_attr_u32(&s.attrs[INET_DIAG_SHUTDOWN], 9), 9, "one byte is no u32");
}

Test(inet, parse_of_every_prefix_is_an_answer_or_an_error)
{
	uint8_t p[128];
	size_t len = sample(p);
	struct diag_inet s;

	for (size_t n = 0; n < len; n++) {
		uint8_t *exact = malloc(n ? n : 1); /* so that a sanitizer sees a byte too many */
		struct diag_err e;

		memcpy(exact, p, n);
		e = diag_inet_parse(exact, n, &s);
		if (n < sizeof(s.msg))
			cr_assert(e.kind == DIAG_ERR_NLE && e.code == DIAG_NLE_MSG_TOOSHORT);
		free(exact);
	}
}

Test(attr, lengths_as_the_macros_have_them)
{
	struct rtattr a = { .rta_len = 9 };

	cr_assert_eq(diag_rta_length(5), 9);
	cr_assert_eq(diag_rta_payload(&a), 5);
	a.rta_len = 3;
	cr_assert_eq(diag_rta_payload(&a), 0);
}

Test(attr, wrong_lengths_end_the_walk)
{
	static const uint8_t zero[] = { 0, 0, 1, 0 }, beyond[] = { 9, 0, 1, 0, 0 };
	struct diag_attr t[4];

	cr_assert_eq(diag_attr_table(zero, sizeof(zero), t, 4).code, DIAG_NLE_ATTRSIZE);
	cr_assert_eq(diag_attr_table(beyond, sizeof(beyond), t, 4).code, DIAG_NLE_ATTRSIZE);
	cr_assert_not(diag_failed(diag_attr_table(beyond, 3, t, 4)), "trailing bytes are ignored");
}

Test(attr, unknown_numbers_are_skipped_and_the_last_of_two_kept)
{
	static const uint8_t p[] = { 5, 0, 99, 0, 1, 0, 0, 0, 5, 0, 2, 0, 1, 0, 0, 0, 5, 0, 2, 0, 8, 0, 0, 0 };
	struct diag_attr t[4];

	cr_assert_not(diag_failed(diag_attr_table(p, sizeof(p), t, 4)));
	cr_assert_eq(diag_attr_u8(&t[2], 0), 8);
}

Test(attr, request_bits_are_number_minus_one)
{
	cr_assert_eq(DIAG_EXT_MEMINFO, 1);
	cr_assert_eq(DIAG_EXT_INFO, 2);
	cr_assert_eq(DIAG_EXT_VEGASINFO, 4);
	cr_assert_eq(DIAG_EXT_CONG, 8);
	cr_assert_eq(DIAG_EXT_TOS, 16);
	cr_assert_eq(DIAG_EXT_TCLASS, 32);
	cr_assert_eq(DIAG_EXT_SKMEMINFO, 64);
	cr_assert_eq(DIAG_EXT_SHUTDOWN, 128);
}

Test(err, errno_and_nle_are_never_taken_for_each_other)
{
	int32_t minus21 = -21;
	struct diag_err k = diag_err_parse(&minus21, 4), n = diag_err_parse_nle(&minus21, 4);
	char buf[128];

	cr_assert(k.kind == DIAG_ERR_KERNEL && k.code == EISDIR);
	cr_assert(n.kind == DIAG_ERR_NLE && n.code == DIAG_NLE_MSG_TOOSHORT);
	cr_assert_str_eq(diag_err_text(k, buf, sizeof(buf)), "the answer was: Is a directory");
	cr_assert_str_eq(diag_err_text(n, buf, sizeof(buf)), "netlink: Netlink message is too short");
}

Test(err, short_positive_and_extreme_numbers)
{
	int32_t v;

	cr_assert_eq(diag_err_parse(NULL, 0).code, DIAG_NLE_MSG_TOOSHORT);
	cr_assert_eq(diag_err_parse("\0\0\0", 3).code, DIAG_NLE_MSG_TOOSHORT);
	v = 0;
	cr_assert_not(diag_failed(diag_err_parse(&v, 4)));
	v = 5;
	cr_assert_eq(diag_err_parse(&v, 4).code, DIAG_NLE_PARSE_ERR);
	v = INT32_MIN;
	cr_assert_eq(diag_err_parse(&v, 4).kind, DIAG_ERR_NLE);
	cr_assert_eq(diag_err_parse_nle(&v, 4).code, DIAG_NLE_FAILURE);
	v = -DIAG_NLE_COUNT;
	cr_assert_eq(diag_err_parse_nle(&v, 4).code, DIAG_NLE_FAILURE);
}

Test(err, the_nle_set_is_complete)
{
	cr_assert_eq(DIAG_NLE_ATTRSIZE, 34);
	cr_assert_str_eq(diag_nle_text(DIAG_NLE_SUCCESS), "Success");
	cr_assert_str_eq(diag_nle_text(DIAG_NLE_ATTRSIZE), "Attribute max length exceeded");
	cr_assert_str_eq(diag_nle_text(-1), "Unspecific failure");
	for (int i = 0; i < DIAG_NLE_COUNT; i++)
		cr_assert_not_null(diag_nle_text(i));
}

Test(state, names_words_and_groups)
{
	cr_assert_str_eq(diag_state_name(DIAG_TCP_FIN_WAIT2), "FIN_WAIT2");
	cr_assert_str_eq(diag_state_short(DIAG_TCP_CLOSE), "UNCONN");
	cr_assert_str_eq(diag_state_name(200), "UNKNOWN");
	cr_assert_eq(DIAG_TCP_CLOSING, 11);
	cr_assert_eq(diag_state_mask("established"), 1u << 1);
	cr_assert_eq(diag_state_mask("Fin-Wait-2"), 1u << 5);
	cr_assert_eq(diag_state_mask("all"), 0xffeu);
	cr_assert_eq(diag_state_mask("bucket"), 1u << 3 | 1u << 6);
	cr_assert_eq(diag_state_mask("bound-inactive"), 1u << 13);
	cr_assert_eq(diag_state_mask("UNKNOWN"), 0);
	cr_assert_eq(diag_state_mask("no-such"), 0);
}

Test(tcpinfo, any_length_is_taken)
{
	uint8_t raw[400];
	struct diag_tcp_info ti;

	for (size_t i = 0; i < sizeof(raw); i++)
		raw[i] = (uint8_t)(i + 1);
	for (size_t len = 0; len <= sizeof(raw); len++) {
		uint8_t *exact = malloc(len ? len : 1);
		size_t got;

		memcpy(exact, raw, len);
		got = diag_tcp_info_read(&ti, exact, len);
		cr_assert_eq(got, len < sizeof(ti) ? len : sizeof(ti));
		for (size_t i = 0; i < sizeof(ti); i++)
			cr_assert_eq(((uint8_t *)&ti)[i], i < got ? raw[i] : 0);
		free(exact);
	}
	cr_assert_eq(diag_tcp_info_read(&ti, NULL, 9), 0);
}

Test(tcpinfo, fields_cover_every_bit_once)
{
	static uint8_t seen[sizeof(struct diag_tcp_info) * 8];

	for (size_t i = 0; i < DIAG_TCP_FIELDS; i++) {
		const struct diag_tcp_field *f = &diag_tcp_fields[i];

		for (unsigned int b = 0; b < f->bits; b++)
			seen[f->offset * 8 + f->shift + b]++;
	}
	for (size_t b = 0; b < sizeof(seen); b++) {
		bool spare = b >= 59 && b < 64; /* the five bits beside app_limited and fastopen_client_fail */

		cr_assert_eq(seen[b], spare ? 0 : 1, "bit %zu in %d fields", b, seen[b]);
	}
}

Test(tcpinfo, values_of_bit_fields)
{
	struct diag_tcp_info ti = { .wscale = 0x9a, .flags = 5, .accecn = 0x12345671, .rtt = 77,
				    .bytes_acked = UINT64_MAX };

	for (size_t i = 0; i < DIAG_TCP_FIELDS; i++) {
		const struct diag_tcp_field *f = &diag_tcp_fields[i];
		uint64_t v = diag_tcp_field_value(&ti, f);

		if (!strcmp(f->name, "snd_wscale"))
			cr_assert_eq(v, 0xa);
		else if (!strcmp(f->name, "rcv_wscale"))
			cr_assert_eq(v, 0x9);
		else if (!strcmp(f->name, "delivery_rate_app_limited"))
			cr_assert_eq(v, 1);
		else if (!strcmp(f->name, "fastopen_client_fail"))
			cr_assert_eq(v, 2);
		else if (!strcmp(f->name, "ecn_mode"))
			cr_assert_eq(v, 1);
		else if (!strcmp(f->name, "accecn_fail_mode"))
			cr_assert_eq(v, 7);
		else if (!strcmp(f->name, "options2"))
			cr_assert_eq(v, 0x123456);
		else if (!strcmp(f->name, "rtt"))
			cr_assert_eq(v, 77);
		else if (!strcmp(f->name, "bytes_acked"))
			cr_assert_eq(v, UINT64_MAX);
	}
}

/* A unix_diag payload with one NAME attribute of @len bytes. */
static size_t named(uint8_t *p, const char *name, uint16_t len)
{
	struct unix_diag_msg m = { .udiag_family = AF_UNIX, .udiag_ino = 42 };
	struct rtattr a = { .rta_len = (uint16_t)(4 + len), .rta_type = UNIX_DIAG_NAME };

	memcpy(p, &m, sizeof(m));
	memcpy(p + sizeof(m), &a, sizeof(a));
	memcpy(p + sizeof(m) + sizeof(a), name, len);
	return sizeof(m) + sizeof(a) + len;
}

Test(unix_msg, a_path_loses_its_terminator)
{
	uint8_t p[64];
	struct diag_unix u;
	char text[32];

	cr_assert_not(diag_failed(diag_unix_parse(p, named(p, "/run/x", 7), &u)));
	cr_assert_eq(u.name_len, 6);
	cr_assert_not(diag_unix_is_abstract(&u));
	cr_assert_str_eq(diag_unix_path(&u, text, sizeof(text)), "/run/x");
}

Test(unix_msg, abstract_names_keep_every_nul)
{
	uint8_t p[64];
	struct diag_unix u;
	char text[32];

	cr_assert_not(diag_failed(diag_unix_parse(p, named(p, "\0a\0b\0", 5), &u)));
	cr_assert_eq(u.name_len, 5);
	cr_assert(diag_unix_is_abstract(&u));
	cr_assert_eq(memcmp(u.name, "\0a\0b\0", 5), 0);
	cr_assert_str_eq(diag_unix_path(&u, text, sizeof(text)), "@a@b@");
	cr_assert_not(diag_failed(diag_unix_parse(p, named(p, "\0\0", 2), &u)));
	cr_assert_str_eq(diag_unix_path(&u, text, sizeof(text)), "@@");
	cr_assert_str_eq(diag_unix_path(&u, text, 2), "@", "cut to fit");
}

Test(unix_msg, without_a_name)
{
	uint8_t p[64] = { 0 };
	struct diag_unix u;
	char text[32];

	cr_assert_not(diag_failed(diag_unix_parse(p, sizeof(u.msg), &u)));
	cr_assert_null(u.name);
	cr_assert_str_eq(diag_unix_path(&u, text, sizeof(text)), "");
	cr_assert_eq(diag_unix_parse(p, sizeof(u.msg) - 1, &u).code, DIAG_NLE_MSG_TOOSHORT);
}

Test(req, inet_v2_bytes)
{
	_Alignas(4) uint8_t buf[DIAG_REQ_ROOM];
	struct diag_req r;

	diag_req_inet(&r, buf, sizeof(buf), AF_INET6, IPPROTO_TCP);
	cr_assert_eq(r.nlh->nlmsg_len, 72);
	cr_assert_eq(r.nlh->nlmsg_type, 20);
	cr_assert_eq(r.nlh->nlmsg_flags, NLM_F_REQUEST | NLM_F_DUMP);
	cr_assert_eq(buf[16], AF_INET6);
	cr_assert_eq(buf[17], IPPROTO_TCP);
	cr_assert_eq(memcmp(buf + 20, "\xff\xff\xff\xff", 4), 0);
	cr_assert_eq(memcmp(buf + 64, "\xff\xff\xff\xff\xff\xff\xff\xff", 8), 0, "no cookie");
	diag_req_destroy(&r);
	cr_assert_eq(r.nlh->nlmsg_type, 21);
	cr_assert_eq(r.nlh->nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK);
}

Test(req, v1_and_unix_bytes)
{
	_Alignas(4) uint8_t buf[DIAG_REQ_ROOM];
	struct diag_req r;

	diag_req_inet_v1(&r, buf, sizeof(buf), AF_INET);
	cr_assert_eq(r.nlh->nlmsg_len, 76);
	cr_assert_eq(r.nlh->nlmsg_type, 18);
	cr_assert_eq(diag_req_inet_v1_body(&r)->idiag_states, UINT32_MAX);
	diag_req_unix(&r, buf, sizeof(buf), UDIAG_SHOW_NAME | UDIAG_SHOW_UID);
	cr_assert_eq(r.nlh->nlmsg_len, 40);
	cr_assert_eq(buf[16], AF_UNIX);
	cr_assert_eq(diag_req_unix_body(&r)->udiag_show, 0x41);
	diag_req_exact(&r);
	cr_assert_eq(r.nlh->nlmsg_flags, NLM_F_REQUEST);
}

Test(req, bytecode_is_appended_within_room)
{
	_Alignas(4) uint8_t buf[80];
	static const uint8_t code[8] = { 0, 4, 8, 0, 0, 4, 8, 0 };
	struct diag_req r;

	diag_req_inet(&r, buf, sizeof(buf), AF_INET, IPPROTO_TCP);
	cr_assert_not(diag_failed(diag_req_bytecode(&r, code, 4)));
	cr_assert_eq(r.nlh->nlmsg_len, 80);
	cr_assert_eq(diag_req_bytecode(&r, code, 4).code, DIAG_NLE_MSGSIZE);
	cr_assert_not(diag_failed(diag_req_bytecode(&r, code, 0)));
}

Test(req, query_reads_back_what_was_built)
{
	_Alignas(4) uint8_t buf[DIAG_REQ_ROOM];
	static const uint8_t code[4] = { 0, 4, 8, 0 };
	struct diag_inet_query q;
	struct diag_req r;

	diag_req_inet(&r, buf, sizeof(buf), AF_INET, 262);
	cr_assert_not(diag_failed(diag_req_bytecode(&r, code, sizeof(code))));
	cr_assert_eq(diag_inet_query_parse(r.nlh, &q), 0);
	cr_assert_eq(q.protocol, 262);
	cr_assert_eq(q.code.len, 4);
	diag_req_inet_v1(&r, buf, sizeof(buf), AF_INET6);
	cr_assert_eq(diag_inet_query_parse(r.nlh, &q), 0);
	cr_assert_eq(q.protocol, IPPROTO_TCP);
	cr_assert_eq(q.req.sdiag_family, AF_UNSPEC);
	diag_req_exact(&r);
	cr_assert_eq(diag_inet_query_parse(r.nlh, &q), 0);
	cr_assert_eq(q.req.sdiag_family, AF_INET6);
	r.nlh->nlmsg_len -= 1;
	cr_assert_eq(diag_inet_query_parse(r.nlh, &q), -EINVAL);
}
