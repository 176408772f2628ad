/* args.h - turning the parameter lists of calls.def, An(type, name, kind, ...), into C.
 * Used by pasting: TYPES_##params and so on, where params is the An(...) of a CALL. */
#ifndef SHIM_INTERPOSE_ARGS_H
#define SHIM_INTERPOSE_ARGS_H

#define TYPES_A1(t1, n1, k1) t1
#define TYPES_A2(t1, n1, k1, t2, n2, k2) t1, t2
#define TYPES_A3(t1, n1, k1, t2, n2, k2, t3, n3, k3) t1, t2, t3
#define TYPES_A4(t1, n1, k1, t2, n2, k2, t3, n3, k3, t4, n4, k4) t1, t2, t3, t4
#define TYPES_A5(t1, n1, k1, t2, n2, k2, t3, n3, k3, t4, n4, k4, t5, n5, k5) t1, t2, t3, t4, t5
#define TYPES_A6(t1, n1, k1, t2, n2, k2, t3, n3, k3, t4, n4, k4, t5, n5, k5, t6, n6, k6) t1, t2, t3, t4, t5, t6

/* From an array of words a[] back to typed arguments. */
#define UNPACK_A1(t1, n1, k1) (t1)a[0]
#define UNPACK_A2(t1, n1, k1, t2, n2, k2) (t1)a[0], (t2)a[1]
#define UNPACK_A3(t1, n1, k1, t2, n2, k2, t3, n3, k3) (t1)a[0], (t2)a[1], (t3)a[2]
#define UNPACK_A4(t1, n1, k1, t2, n2, k2, t3, n3, k3, t4, n4, k4) (t1)a[0], (t2)a[1], (t3)a[2], (t4)a[3]
#define UNPACK_A5(t1, n1, k1, t2, n2, k2, t3, n3, k3, t4, n4, k4, t5, n5, k5) \
	(t1)a[0], (t2)a[1], (t3)a[2], (t4)a[3], (t5)a[4]
#define UNPACK_A6(t1, n1, k1, t2, n2, k2, t3, n3, k3, t4, n4, k4, t5, n5, k5, t6, n6, k6) \
	(t1)a[0], (t2)a[1], (t3)a[2], (t4)a[3], (t5)a[4], (t6)a[5]

/* Whether there are three at most. */
#define FEW_A1(...) 1
#define FEW_A2(...) 1
#define FEW_A3(...) 1
#define FEW_A4(...) 0
#define FEW_A5(...) 0
#define FEW_A6(...) 0

/* As a parameter list, as arguments, as words. */
#define PARAMS_A1(t1, n1, k1) t1 n1
#define PARAMS_A2(t1, n1, k1, t2, n2, k2) t1 n1, t2 n2
#define PARAMS_A3(t1, n1, k1, t2, n2, k2, t3, n3, k3) t1 n1, t2 n2, t3 n3
#define PARAMS_A4(t1, n1, k1, t2, n2, k2, t3, n3, k3, t4, n4, k4) t1 n1, t2 n2, t3 n3, t4 n4
#define PARAMS_A5(t1, n1, k1, t2, n2, k2, t3, n3, k3, t4, n4, k4, t5, n5, k5) t1 n1, t2 n2, t3 n3, t4 n4, t5 n5
#define PARAMS_A6(t1, n1, k1, t2, n2, k2, t3, n3, k3, t4, n4, k4, t5, n5, k5, t6, n6, k6) \
	t1 n1, t2 n2, t3 n3, t4 n4, t5 n5, t6 n6
#define NAMES_A1(t1, n1, k1) n1
#define NAMES_A2(t1, n1, k1, t2, n2, k2) n1, n2
#define NAMES_A3(t1, n1, k1, t2, n2, k2, t3, n3, k3) n1, n2, n3
#define NAMES_A4(t1, n1, k1, t2, n2, k2, t3, n3, k3, t4, n4, k4) n1, n2, n3, n4
#define NAMES_A5(t1, n1, k1, t2, n2, k2, t3, n3, k3, t4, n4, k4, t5, n5, k5) n1, n2, n3, n4, n5
#define NAMES_A6(t1, n1, k1, t2, n2, k2, t3, n3, k3, t4, n4, k4, t5, n5, k5, t6, n6, k6) n1, n2, n3, n4, n5, n6
#define WORDS_A1(t1, n1, k1) (uint64_t)n1
#define WORDS_A2(t1, n1, k1, t2, n2, k2) (uint64_t)n1, (uint64_t)n2
#define WORDS_A3(t1, n1, k1, t2, n2, k2, t3, n3, k3) (uint64_t)n1, (uint64_t)n2, (uint64_t)n3
#define WORDS_A4(t1, n1, k1, t2, n2, k2, t3, n3, k3, t4, n4, k4) \
	(uint64_t)n1, (uint64_t)n2, (uint64_t)n3, (uint64_t)n4
#define WORDS_A5(t1, n1, k1, t2, n2, k2, t3, n3, k3, t4, n4, k4, t5, n5, k5) \
	(uint64_t)n1, (uint64_t)n2, (uint64_t)n3, (uint64_t)n4, (uint64_t)n5
#define WORDS_A6(t1, n1, k1, t2, n2, k2, t3, n3, k3, t4, n4, k4, t5, n5, k5, t6, n6, k6) \
	(uint64_t)n1, (uint64_t)n2, (uint64_t)n3, (uint64_t)n4, (uint64_t)n5, (uint64_t)n6

#endif
