/* Control groups: the ids that sockets carry, and their paths. */
#ifndef DIAG_CLI_CGROUP_H
#define DIAG_CLI_CGROUP_H

#include <stdint.h>

/**
 * cgroup_id_of - the id of a version 2 group
 * @path: of the group, in the file system or from the root of the hierarchy
 * @id:   receives it
 *
 * Return: 0 or -errno.
 */
int cgroup_id_of(const char *path, uint64_t *id);

/**
 * cgroup_path_of - the path of a group, from the root of the hierarchy
 * @id: as sockets carry it
 *
 * Return: the path ("/" for the root), or NULL when it cannot be found out (no version 2
 * hierarchy, no right to open by handle, group gone). Valid until the next call.
 */
const char *cgroup_path_of(uint64_t id);

#endif
