/* SPDX-License-Identifier: MIT
 * The answer to a request: what it is, before it is sent. */
#ifndef HTTP_FILES_ANSWER_H
#define HTTP_FILES_ANSWER_H

#include "request.h"

#include <time.h>

#define HTTP_DATE "%a, %d %b %Y %H:%M:%S GMT" /* for strftime() and strptime() */

struct answer {
    int status;
    bool keep_alive; /* another request may follow */
    const char *type;
    char *page;    /* the body, for free(); or */
    int file;      /* a piece of this file; -1 */
    off_t from;
    size_t length; /* of either */
    time_t modified;  /* of the file */
    char more[1200];  /* a header that only such an answer has */
};

/* Finds the answer in the directory `root`.  There always is one; it is to be released. */
void answer_find(struct answer *answer, const struct request *request, int root);

/* Frees the page, closes the file. */
void answer_release(struct answer *answer);

#endif
