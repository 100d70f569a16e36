/* SPDX-License-Identifier: MIT
 * What a client asks for: one HTTP request, taken from its stream and checked. */
#ifndef HTTP_FILES_REQUEST_H
#define HTTP_FILES_REQUEST_H

#include <http_parser.h>
#include <stdbool.h>
#include <weft/weft.h>

#define REQUEST_MAX 8192 /* bytes of a request, its headers included */

/* A header that counts here.  One that does not fit is none: each of these may be ignored. */
struct header {
    char text[64];
    bool is_too_long;
};

struct request {
    int refuse;       /* the status to refuse it with; 0: it is in order */
    bool is_head;     /* HEAD: all of the answer but the file itself */
    bool keep_alive;  /* another request may follow */
    char path[1024];  /* as it was sent, still encoded; begins with '/' */
    struct header range, if_range, if_modified_since;

    /* while it is parsed */
    bool is_done, in_value;
    char name[32]; /* of the header that comes */
    size_t size;   /* bytes so far */
};

/* Prepares the parser of a connection. */
void request_parser(http_parser *parser);

/* Takes one request from the stream, and nothing of those behind it (pipelining).
 * Returns 1, also for one that has to be refused; 0 the client has gone; or a stream's error. */
int request_read(http_parser *parser, weft_stream *client, struct request *request);

#endif
