/* SPDX-License-Identifier: MIT
 * Requests are parsed where the stream keeps them: weft_stream_peek() shows what has come, the
 * parser goes over it, weft_stream_consume() takes what it has used. */
#include "request.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

/* Puts a piece behind a string; false: there is no room. */
static bool append(char *text, size_t room, const char *piece, size_t size)
{
    size_t have = strlen(text);

    if (size >= room - have)
        return false;
    memcpy(text + have, piece, size);
    text[have + size] = '\0';
    return true;
}

/* ---- what the parser calls; a piece may be a part of something ---- */

static int on_url(http_parser *parser, const char *piece, size_t size)
{
    struct request *request = parser->data;

    if (!append(request->path, sizeof request->path, piece, size))
        request->refuse = 414;
    return request->refuse != 0;
}

static int on_header_field(http_parser *parser, const char *piece, size_t size)
{
    struct request *request = parser->data;

    if (request->in_value) {
        request->in_value = false;
        request->name[0] = '\0';
    }
    if (!append(request->name, sizeof request->name, piece, size))
        strcpy(request->name, "?"); /* whatever it is, it is none of ours */
    return 0;
}

static int on_header_value(http_parser *parser, const char *piece, size_t size)
{
    struct request *request = parser->data;
    struct header *header = NULL;

    request->in_value = true;
    if (strcasecmp(request->name, "Range") == 0)
        header = &request->range;
    else if (strcasecmp(request->name, "If-Range") == 0)
        header = &request->if_range;
    else if (strcasecmp(request->name, "If-Modified-Since") == 0)
        header = &request->if_modified_since;
    if (header && !append(header->text, sizeof header->text, piece, size))
        header->is_too_long = true;
    return 0;
}

static int on_headers_complete(http_parser *parser)
{
    struct request *request = parser->data;
    bool has_body = (parser->flags & F_CHUNKED) ||
                    (parser->content_length > 0 && parser->content_length != UINT64_MAX);

    request->is_head = parser->method == HTTP_HEAD;
    if (parser->method != HTTP_GET && parser->method != HTTP_HEAD)
        request->refuse = 405;
    else if (has_body)
        request->refuse = 413;
    return request->refuse != 0 ? -1 : 0; /* -1: parse no further */
}

static int on_message_complete(http_parser *parser)
{
    struct request *request = parser->data;

    request->is_done = true;
    request->keep_alive = http_should_keep_alive(parser) && !parser->upgrade;
    http_parser_pause(parser, 1); /* what follows is another request */
    return 0;
}

static const http_parser_settings settings = {
    .on_url = on_url,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_headers_complete = on_headers_complete,
    .on_message_complete = on_message_complete,
};

/* ---- a request ---- */

/* "http://host/path?query" and "/path?query" become "/path". */
static void keep_path(struct request *request)
{
    struct http_parser_url url;
    size_t length;

    http_parser_url_init(&url);
    if (http_parser_parse_url(request->path, strlen(request->path), 0, &url) != 0) {
        request->refuse = 400;
    } else if (!(url.field_set & (1 << UF_PATH))) {
        strcpy(request->path, "/");
    } else {
        length = url.field_data[UF_PATH].len;
        memmove(request->path, request->path + url.field_data[UF_PATH].off, length);
        request->path[length] = '\0';
    }
}

void request_parser(http_parser *parser)
{
    http_parser_init(parser, HTTP_REQUEST);
}

int request_read(http_parser *parser, weft_stream *client, struct request *request)
{
    const char *data;

    memset(request, 0, sizeof *request);
    parser->data = request;
    while (!request->is_done && request->refuse == 0) {
        ssize_t n = weft_stream_peek(client, 1, &data);
        size_t used;

        if (n <= 0)
            return (int)n;
        if ((size_t)n > REQUEST_MAX - request->size)
            n = (ssize_t)(REQUEST_MAX - request->size);
        used = http_parser_execute(parser, &settings, data, (size_t)n);
        weft_stream_consume(client, used);
        request->size += used;
        if (!request->is_done && request->refuse == 0) {
            if (HTTP_PARSER_ERRNO(parser) != HPE_OK)
                request->refuse = 400;
            else if (request->size == REQUEST_MAX)
                request->refuse = 431;
        }
    }
    if (request->is_done)
        http_parser_pause(parser, 0);
    if (request->refuse == 0)
        keep_path(request);
    if (request->refuse != 0)
        request->keep_alive = false;
    return 1;
}
