/* SPDX-License-Identifier: MIT
 * From options to a running program. */
#ifndef WEFT_CORE_PLAN_H
#define WEFT_CORE_PLAN_H

#include "core/proc/process.h"
#include "core/proc/spawn.h"

/* Checks the options, opens what they ask for and starts the program: fills in the process's pid,
 * pidfd and pipes.  After an error, which has words where they help, the pipes are the caller's to
 * close. */
int weft__plan_and_spawn(struct weft_process *process, const char *const argv[],
                         const weft_process_options *options);

#endif
