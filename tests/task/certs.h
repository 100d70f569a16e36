/* SPDX-License-Identifier: MIT
 * Certificates for tests of TLS, made anew by each program: none is kept anywhere, or runs out. */
#ifndef TESTS_TASK_CERTS_H
#define TESTS_TASK_CERTS_H

/* Files in a folder of their own, there from the first call of certs() to the program's end: */
struct certs {
    char authority[64]; /* whom to trust */
    char stranger[64];  /* another one, who has vouched for nobody */
    char server[64], server_key[64];  /* for "server.test", *.wild.test and 127.0.0.1 */
    char locked_key[64];              /* the same key, by the password "secret" */
    char client[64];                  /* for "a client", with its key in the same file */
    char old[64], old_key[64];        /* for "server.test", until yesterday */
    char folder[48];
};
const struct certs *certs(void);

#endif
