/* object.h - which loaded object an address lies in, by glibc's _dl_find_object (2.35 and later), which takes no lock and
 * may be called in signal handlers. */
#ifndef SHIM_INTERPOSE_OBJECT_H
#define SHIM_INTERPOSE_OBJECT_H

#include <link.h>
#include <stdbool.h>

/* As in <dlfcn.h>; what follows link_map is for the unwinder and of no interest. */
struct object {
	unsigned long long flags;
	void *start, *end;
	struct link_map *link_map;
	void *rest[12];
};

/* False: in none, or there is no telling. */
bool object_find(const void *pc, struct object *o);

/* Whether it is glibc's libc.so.6. */
bool object_is_libc(const void *pc);

#endif
