/* SPDX-License-Identifier: MIT
 * Names that only these tests know: their getaddrinfo(3) and getnameinfo(3) stand before the
 * system's, which answer for all other names.
 *
 *     know("two.test", 0, "192.0.2.1 2001:db8::1");       an answer
 *     know("gone.test", EAI_NONAME, "");                  an error
 *     know_slow("slow.test", &gate, 0, "192.0.2.1");      not before the gate is open
 *     know_family("two.test", AF_INET, &gate, 0, "...");  for one family only
 *     forget_names();                                     nobody may be asking
 */
#ifndef TESTS_TASK_NAMES_H
#define TESTS_TASK_NAMES_H

#include "tests/task/thread.h"

#include <netdb.h>

void know(const char *name, int code, const char *addresses);
void know_slow(const char *name, struct gate *gate, int code, const char *addresses);
void know_family(const char *name, int family, struct gate *gate, int code, const char *addresses);
void forget_names(void);

/* How often names were asked for that are known here, and in which thread that was last. */
extern atomic_int asked;
extern char asked_in[16];

/* An address as text, without its port. */
const char *host_of(const weft_address *address);

#endif
