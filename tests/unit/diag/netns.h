/* A network namespace of a test's own, with loopback up. */
#ifndef TESTS_DIAG_NETNS_H
#define TESTS_DIAG_NETNS_H

/** netns_enter - moves the process into a new one, or skips the test */
void netns_enter(void);

/** netns_drop_rights - takes CAP_NET_ADMIN away until netns_regain_rights(), or skips the test */
void netns_drop_rights(void);
void netns_regain_rights(void);

#endif
