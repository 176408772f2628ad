/* help.h - the texts of `sockshim help`, each at most a screen (24 lines of 80). */
#ifndef SHIM_LAUNCH_HELP_H
#define SHIM_LAUNCH_HELP_H

extern const char help_run[], help_stats[], help_sockets[], help_trace[], help_fault[], help_list[],
	help_stack[], help_clean[], help_capture[];

#endif
