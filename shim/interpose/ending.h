/* ending.h - how a process image ends: marks in the run file, and the dump of SOCKSHIM_DUMP. */
#ifndef SHIM_INTERPOSE_ENDING_H
#define SHIM_INTERPOSE_ENDING_H

#include "run/layout.h"

/* The image ends by exec or exit. The dump is written at exit. */
void ending_mark(enum run_state how);

/* It has not ended after all: exec failed. */
void ending_undo(void);

#endif
