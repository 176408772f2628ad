/* vfork.h - what vfork.S knows of struct hook and struct hook_guard. */
#ifndef SHIM_INTERPOSE_VFORK_H
#define SHIM_INTERPOSE_VFORK_H

#define HOOK_VFORKS	8	/* in hook.unusual: somebody may be in vfork */
#define HOOK_UNUSUAL_AT	16	/* where that is */
#define HOOK_OWN_IN_VFORK	0x2000063	/* in hook_guard.shortest: the calls that a vforked child makes otherwise */
#define HOOK_GUARD_AT	2240	/* where that is */

#endif
