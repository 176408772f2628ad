/* object.c - which loaded object an address lies in. */
#include "interpose/object.h"

#include <string.h>

#include "interpose/hook.h"

typedef int find_object_fn(void *pc, struct object *o);

bool object_find(const void *pc, struct object *o)
{
	static find_object_fn *fn;
	static bool looked;

	if (!looked) {
		fn = (find_object_fn *)libc_next("_dl_find_object");
		looked = true;
	}
	return fn && fn((void *)(uintptr_t)pc, o) == 0 && o->link_map;
}

bool object_is_libc(const void *pc)
{
	static const char name[] = "/libc.so.6";
	struct object o;
	size_t n;

	if (!object_find(pc, &o) || !o.link_map->l_name)
		return false;
	n = strlen(o.link_map->l_name);
	return n >= sizeof(name) - 1 && strcmp(o.link_map->l_name + n - (sizeof(name) - 1), name) == 0;
}
