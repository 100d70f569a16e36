/* SPDX-License-Identifier: MIT
 * TLS: streams that nobody else can read, to somebody who proves who he is.
 *
 *     weft_tls *tls;
 *     weft_stream *s;
 *     int r = weft_tls_new(NULL, &tls);               trusts whom the system trusts
 *     ...
 *     weft_connection_options options = { .tls = tls };
 *     r = weft_open_connection("example.org", 443, &options, &s);
 *     ...                                             read and write as ever
 *     weft_stream_close(s);
 *     weft_tls_unref(tls);
 *
 * A server names its certificate, and each handler gets a stream that is encrypted already:
 *
 *     weft_tls_options files = { .certificate = "server.pem", .key = "server.key" };
 *     r = weft_tls_new(&files, &tls);
 *     weft_server_options options = { .tls = tls };
 *     r = weft_start_server(handler, NULL, NULL, 8443, &options, &server);
 *
 * A protocol that begins in the clear calls weft_stream_start_tls() when both sides have agreed.
 *
 * What a stream does stays as it is, with these differences.  The end comes only when the other
 * side has said so: a connection that just stops may have been cut by a stranger, and is
 * -ECONNRESET.  What the other side sends against the rules is -EPROTO.  Both stay, as every error
 * of a connection.  weft_stream_write_eof() says that nothing more will come, and reading goes on.
 * weft_stream_close() says so, too, and waits until there is room for it.  weft_stream_sendfile()
 * copies.  weft_stream_fd() gives the descriptor beneath, which is not to be read or written.
 *
 * The work is done by a plugin, "tls", which stands on OpenSSL (Debian's package is
 * libweft-plugin-tls); without it weft_tls_new() fails and says so. */
#ifndef WEFT_TLS_H
#define WEFT_TLS_H

#include <weft/stream.h>

WEFT_BEGIN_DECLS

/** All zero, or a NULL pointer to one: the defaults, with which a client needs nothing more. */
typedef struct weft_tls_options {
    const char *certificate; /* a PEM file: one's own certificate, then those up to an authority's;
                              * a server must have one */
    const char *key;         /* a PEM file with its private key; NULL: it is in `certificate` */
    const char *authorities; /* a PEM file, or a directory by OpenSSL's hashes, of those whose word
                              * is good; NULL: the system's */
    const char *protocols;   /* what is spoken inside, the best first: "h2,http/1.1"; NULL: none is
                              * named (ALPN) */
    const char *plugin;      /* another one than "tls"; NULL */
    bool trust_anybody; /* a client does not ask who the server is: for tests.  A stranger in
                         * between can read and change everything */
    bool ask_clients;   /* a server wants a certificate of each client, that `authorities` vouch
                         * for, which must be named: the system's vouch for all the world */
    int minimum;        /* the oldest version: 12 or 13 for TLS 1.2 or 1.3; 0: 12, or what the
                         * system asks for */
    void *reserved[6];  /* zero */
} weft_tls_options;

/** Reads certificates and rules, once for any number of streams, in all threads.
 *
 *  options  borrowed during the call; may be NULL.
 *  ret_tls  with one hold, for weft_tls_unref(); untouched on error.
 *
 *  Returns 0, -ENOENT no such plugin, or file; -EACCES a file that may not be read; -EBADMSG a file
 *  that is not what it should be, or a key that does not belong to the certificate, or is behind a
 *  password; -EINVAL options that make no sense; -ELIBACC a plugin whose library is not there;
 *  -ELIBBAD a plugin that cannot be used; -ENOMEM.  weft_error_detail() tells what and where.  Not
 *  a cancellation point.  Any thread.  Cost: milliseconds: it reads files.
 *  Source: ssl.create_default_context(), SSLContext. */
WEFT_API WEFT_MUST_USE int weft_tls_new(const weft_tls_options *options, weft_tls **ret_tls);

/** Adds a hold.  Returns `tls`.  Any thread. */
WEFT_API weft_tls *weft_tls_ref(weft_tls *tls);

/** Gives a hold back.  Streams and servers have holds of their own.
 *
 *  Returns NULL: `tls = weft_tls_unref(tls)`.  NULL and spent handles are left alone.  Any
 *  thread. */
WEFT_API weft_tls *weft_tls_unref(weft_tls *tls);

enum weft_tls_side {
    WEFT_TLS_AUTO = 0,   /* the server's for a stream that a server accepted, else the client's */
    WEFT_TLS_CLIENT = 1, /* begins */
    WEFT_TLS_SERVER = 2, /* answers */
};

/** All zero, or a NULL pointer to one: the defaults. */
typedef struct weft_start_tls_options {
    int side;                 /* weft_tls_side */
    double handshake_timeout; /* seconds; 0: 60, INFINITY */
    const char *server_name;  /* a client: whose certificate it must be, a name or an address.  NULL
                               * only with `trust_anybody` */
    void *reserved[4];        /* zero */
} weft_start_tls_options;

/** Goes over to TLS on a stream that is connected.
 *
 *  What has been written goes out first, in the clear.  What was received and not read is taken as
 *  the beginning of TLS, never as the peer's words: nobody can slip a command in ahead.
 *
 *  stream   goes on under the same handle.
 *  tls      borrowed; the stream takes a hold of its own.
 *  options  borrowed during the call; may be NULL.
 *
 *  Returns 0.  With the stream as it was: -EALREADY it is encrypted; -EBUSY another task reads;
 *  -EINVAL options that make no sense, or a client without a server's name; -ENOMEM; -EPERM,
 *  -EBADF, -EXDEV, -ECHILD, -ECANCELED.  With the stream broken, as after a reset, and words in
 *  weft_error_detail(): -EACCES the other side's certificate is not good; -EPROTO it does not speak
 *  TLS, or none that we do; -ETIMEDOUT; -ECONNABORTED no memory in the middle; -ECONNRESET and the
 *  like; -ECANCELED in the middle.
 *  A cancellation point.  Cost: one or two exchanges of messages, about a millisecond of
 *  computation.  Source: StreamWriter.start_tls(), loop.start_tls(). */
WEFT_API WEFT_MUST_USE int weft_stream_start_tls(weft_stream *stream, weft_tls *tls,
                                                 const weft_start_tls_options *options);

/** Tells what was agreed.
 *
 *  key   "version" ("TLSv1.3"), "cipher", "protocol" (of `protocols`; empty: none), "peer" (the
 *        subject of the other side's certificate; empty: it has shown none), "issuer" (who vouches
 *        for it).
 *  text  `size` bytes for it, cut to fit, with a zero behind it.
 *
 *  Returns the text's whole length; -ENOENT another key, -EOPNOTSUPP the stream is not encrypted,
 *  -EINVAL, -EBADF, -EXDEV, -ECHILD.  Not a cancellation point.
 *  Source: get_extra_info("cipher"), "peercert", "ssl_object". */
WEFT_API int weft_stream_tls_info(weft_stream *stream, const char *key, char *text, size_t size);

WEFT_END_DECLS

#endif
