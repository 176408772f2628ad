/* What --help prints. */
#ifndef DIAG_CLI_HELP_H
#define DIAG_CLI_HELP_H

extern const char help_text[];

#endif
