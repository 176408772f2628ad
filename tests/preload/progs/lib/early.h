/* early.h - what the dependency's constructor has left. */
#ifndef TESTS_PRELOAD_PROGS_LIB_EARLY_H
#define TESTS_PRELOAD_PROGS_LIB_EARLY_H

#ifdef __cplusplus
extern "C" {
#endif
extern int early_fd[2];
extern int early_errors;
#ifdef __cplusplus
}
#endif

#endif
