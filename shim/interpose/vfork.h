/* vfork.h - what vfork.S knows of struct hook. */
#ifndef SHIM_INTERPOSE_VFORK_H
#define SHIM_INTERPOSE_VFORK_H

#define HOOK_VFORKS	8	/* in hook.unusual: somebody has called vfork */
#define HOOK_UNUSUAL_AT	24	/* where that is */

#endif
