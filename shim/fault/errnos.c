/* errnos.c - errno and EAI_ values: their names, and which of them each call can return. */
#include <errno.h>
#include <netdb.h>

#include "fault/fault.h"
#include "fault/names.h"
#include "run/errno_name.h"

#define E(name) { #name, name }
#define ERRNO_MAX EHWPOISON

/* Names beside those of errno_name(). */
static const struct fault_name second_names[] = {
	E(EWOULDBLOCK), E(ENOTSUP), E(EDEADLOCK),
};

static const struct fault_name eais[] = {
	E(EAI_AGAIN), E(EAI_BADFLAGS), E(EAI_FAIL), E(EAI_FAMILY), E(EAI_MEMORY), E(EAI_NONAME),
	E(EAI_SERVICE), E(EAI_SOCKTYPE), E(EAI_SYSTEM), E(EAI_OVERFLOW), E(EAI_NODATA),
	E(EAI_ADDRFAMILY),
};

/* From the ERRORS of the manual pages (sections 2 and 7) and POSIX, for all the calls of a type. For
 * resolve there is no list: any EAI_ value can be returned. */
static const uint8_t possible[SOCKSHIM_FILTER_TYPES][41] = {
	[SOCKSHIM_SOCKET] = {
		EACCES, EAFNOSUPPORT, EINVAL, EMFILE, ENFILE, ENOBUFS, ENOMEM, EPROTONOSUPPORT,
		ESOCKTNOSUPPORT, EOPNOTSUPP, EFAULT, EPERM, EPROTOTYPE,
	},
	[SOCKSHIM_CONNECT] = {
		EACCES, EPERM, EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT, EAGAIN, EALREADY, EBADF,
		ECONNREFUSED, ECONNRESET, EFAULT, EHOSTUNREACH, EINPROGRESS, EINTR, EINVAL, EISCONN,
		ENETUNREACH, ENETDOWN, ENOTSOCK, EPROTOTYPE, ETIMEDOUT, ENOENT, ENOBUFS, ENOTDIR,
		ELOOP, ENAMETOOLONG, EIO, EHOSTDOWN, EOPNOTSUPP, EPROTO,
	},
	[SOCKSHIM_LISTEN] = {
		EADDRINUSE, EBADF, ENOTSOCK, EOPNOTSUPP, EINVAL, EACCES, EDESTADDRREQ,
	},
	[SOCKSHIM_ACCEPT] = {
		EAGAIN, EBADF, ECONNABORTED, EFAULT, EINTR, EINVAL, EMFILE, ENFILE, ENOBUFS, ENOMEM,
		ENOTSOCK, EOPNOTSUPP, EPERM, EPROTO, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, ENONET,
		EHOSTUNREACH, ENETUNREACH, ENOSR, ESOCKTNOSUPPORT, EPROTONOSUPPORT, ETIMEDOUT,
	},
	[SOCKSHIM_GETSOCKOPT_INT] = {
		EBADF, EFAULT, EINVAL, ENOPROTOOPT, ENOTSOCK, EACCES, ENOBUFS, ENOMEM, EOPNOTSUPP,
		ENOTCONN, EPERM,
	},
	[SOCKSHIM_CLOSE] = {
		EBADF, EINTR, EIO, ENOSPC, EDQUOT, EINVAL, EMFILE, ENOMEM,
	},
	[SOCKSHIM_BIND] = {
		EACCES, EADDRINUSE, EBADF, EINVAL, ENOTSOCK, EADDRNOTAVAIL, EFAULT, ELOOP,
		ENAMETOOLONG, ENOENT, ENOMEM, ENOTDIR, EROFS, EAFNOSUPPORT, EISCONN, EOPNOTSUPP,
		EDESTADDRREQ, EIO, EISDIR, ENOBUFS, EPERM, ENODEV,
	},
	[SOCKSHIM_SHUTDOWN] = {
		EBADF, EINVAL, ENOTCONN, ENOTSOCK, ENOBUFS,
	},
	[SOCKSHIM_SETSOCKOPT] = {
		EBADF, EFAULT, EINVAL, ENOPROTOOPT, ENOTSOCK, EDOM, EISCONN, ENOBUFS, ENOMEM, EACCES,
		EPERM, EADDRINUSE, EADDRNOTAVAIL, ENODEV, EBUSY, EOPNOTSUPP, ENOTCONN,
	},
	[SOCKSHIM_SEND] = {
		EACCES, EAGAIN, EALREADY, EBADF, ECONNRESET, EDESTADDRREQ, EFAULT, EINTR, EINVAL,
		EISCONN, EMSGSIZE, ENOBUFS, ENOMEM, ENOTCONN, ENOTSOCK, EOPNOTSUPP, EPIPE, EPERM,
		ETIMEDOUT, ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, ENETDOWN, EHOSTDOWN, EAFNOSUPPORT,
		EADDRNOTAVAIL, EIO, EDQUOT, EFBIG, ENOSPC, EOVERFLOW, ESPIPE, ELOOP, ENAMETOOLONG,
		ENOENT, ENOTDIR, ECONNABORTED, ENETRESET, ETOOMANYREFS, EPROTO,
	},
	[SOCKSHIM_RECV] = {
		EAGAIN, EBADF, ECONNREFUSED, ECONNRESET, EFAULT, EINTR, EINVAL, ENOMEM, ENOTCONN,
		ENOTSOCK, ETIMEDOUT, ENOBUFS, EOPNOTSUPP, EIO, EISDIR, EHOSTUNREACH, ENETUNREACH,
		ENETDOWN, EHOSTDOWN, EMSGSIZE, EPIPE, ECONNABORTED, ENETRESET, EPROTO, EPERM,
	},
	[SOCKSHIM_POLL] = {
		EFAULT, EINTR, EINVAL, ENOMEM, EBADF,
	},
};

static const uint8_t defaults[SOCKSHIM_FILTER_TYPES] = {
	[SOCKSHIM_SOCKET] = EMFILE,
	[SOCKSHIM_CONNECT] = ECONNREFUSED,
	[SOCKSHIM_LISTEN] = EADDRINUSE,
	[SOCKSHIM_ACCEPT] = ECONNABORTED,
	[SOCKSHIM_CLOSE] = EIO,
	[SOCKSHIM_BIND] = EADDRINUSE,
	[SOCKSHIM_SHUTDOWN] = ENOTCONN,
	[SOCKSHIM_SETSOCKOPT] = ENOPROTOOPT,
	[SOCKSHIM_SEND] = ECONNRESET,
	[SOCKSHIM_RECV] = ECONNRESET,
};

int fault_errno_find(const struct fault_word *w, bool eai)
{
	const struct fault_name *name = eai ? fault_name_find(FAULT_TABLE(eais), w)
					    : fault_name_find(FAULT_TABLE(second_names), w);

	for (int err = 1; !name && !eai && err <= ERRNO_MAX; err++)
		if (errno_name(err) && fault_word_is(w, errno_name(err)))
			return err;
	return name ? name->value : 0;
}

const char *fault_errno_nearest(const struct fault_word *w, bool eai)
{
	struct fault_nearest nearest = fault_nearest_to(w);

	if (eai)
		return fault_name_nearest(FAULT_TABLE(eais), w);
	for (int err = 1; err <= ERRNO_MAX; err++)
		if (errno_name(err))
			fault_nearest_offer(&nearest, errno_name(err));
	for (size_t i = 0; i < sizeof(second_names) / sizeof(second_names[0]); i++)
		fault_nearest_offer(&nearest, second_names[i].name);
	return nearest.name;
}

const char *fault_errno_name(int err)
{
	return errno_name(err);
}

const char *fault_eai_name(int err)
{
	for (size_t i = 0; i < sizeof(eais) / sizeof(eais[0]); i++)
		if (eais[i].value == err)
			return eais[i].name;
	return NULL;
}

bool fault_errno_possible(enum sockshim_filter_type t, int err)
{
	if (t == SOCKSHIM_RESOLVE)
		return true;
	for (const uint8_t *p = possible[t]; *p; p++)
		if (*p == err)
			return true;
	return false;
}

int fault_errno_default(enum sockshim_filter_type t)
{
	return t == SOCKSHIM_RESOLVE ? EAI_AGAIN : defaults[t];
}
