/* SPDX-License-Identifier: MIT
 * An accept4(2) that stands before the system's and fails as a test says.
 *
 *     refuse(errors, 3);          the next three calls fail, with these
 *     refuse_always(EPERM);       all of them do
 *     refuse(NULL, 0);            none any more
 */
#ifndef TESTS_TASK_REFUSE_H
#define TESTS_TASK_REFUSE_H

#include <stddef.h>

void refuse(const int *errors, size_t count); /* borrowed until they are used up */
void refuse_always(int error);

/* How often one was refused since. */
extern int refused;

#endif
