/* SPDX-License-Identifier: MIT
 * How features come into weft at run time: the only header that a plugin includes.
 *
 * A plugin is one object, made with WEFT_PLUGIN(name), in the file weft-plugin-NAME.so of a
 * directory of WEFT_PLUGIN_PATH or of the installation.  It is found, checked and kept as backends
 * are (<weft/backend.h>): by its name, never by scanning, for good.  Its kind says which table
 * `table` is:
 *
 *     WEFT_PLUGIN_FILTER      weft_filter      changes the bytes of a stream: TLS, compression
 *     WEFT_PLUGIN_RESOLVER    weft_resolver    turns names into addresses
 *     WEFT_PLUGIN_SYMBOLISER  weft_symboliser  names the place of an address in the code
 *     WEFT_PLUGIN_SINK        weft_sink        receives reports
 *     WEFT_PLUGIN_INSTRUMENT  weft_instrument  is told what loops do
 *
 * Filters are asked for by the program (<weft/tls.h>).  The others are switched on, by WEFT_PLUGINS
 * or by `plugins = ` in weft.conf, a list of "name" or "name:option,option=value": opened when the
 * process makes its first loop, in that order, and never closed.
 *
 * Members return 0 or more, or a negative errno.  They do not call the library but through
 * weft_plugin_core.  Structs grow at their ends only, each states its size, and what one side lacks
 * reads as NULL or 0 on the other: version 1, for ever. */
#ifndef WEFT_PLUGIN_H
#define WEFT_PLUGIN_H

#include <weft/address.h>
#include <weft/report.h>

WEFT_BEGIN_DECLS

#define WEFT_PLUGIN_MAGIC 0x70666577u /* "wefp" */
#define WEFT_PLUGIN_ABI 1u

enum weft_plugin_kind {
    WEFT_PLUGIN_FILTER = 1,
    WEFT_PLUGIN_RESOLVER = 2,
    WEFT_PLUGIN_SYMBOLISER = 3,
    WEFT_PLUGIN_SINK = 4,
    WEFT_PLUGIN_INSTRUMENT = 5,
};

/** What the library offers to a plugin; any thread. */
typedef struct weft_plugin_core {
    uint32_t size; /* sizeof, as the library was built */
    uint32_t abi;  /* WEFT_PLUGIN_ABI, as the library was built */

    /** CLOCK_MONOTONIC in nanoseconds, read now. */
    int64_t (*now)(void);
    /** realloc(3): `size` 0 frees and returns NULL; NULL when there is no memory. */
    void *(*alloc)(void *old, size_t size);
    /** The words for weft_error_detail() when a member is about to return an error. */
    void (*detail)(const char *format, ...) WEFT_PRINTF(1, 2);
    /** To be asked before a system call that may fail: 0, or how it shall be taken to have
     *  failed. */
    int (*fault)(void);

    /* For members that are called on a loop, on its thread. */

    /** Has `callback(arg)` called on `loop` while a descriptor is ready for one of `events`
     *  (WEFT_READABLE | WEFT_WRITABLE of <weft/backend.h>: 1 and 2), in place of what was asked for
     *  before; 0: not any more.  -EOPNOTSUPP the loop watches none, or what
     *  weft_loop_add_reader() returns. */
    int (*watch)(weft_loop *loop, int fd, uint32_t events, weft_callback *callback, void *arg);
    /** weft_loop_call_later(). */
    int (*call_later)(weft_loop *loop, double delay, weft_callback *callback, void *arg,
                      weft_handle **ret_handle);
    /** weft_handle_cancel() and weft_handle_unref(): NULL is left alone. */
    void (*forget)(weft_handle *handle);
} weft_plugin_core;

/** A stream filter: bytes of the wire on one side, plain ones on the other, and no descriptor
 *  anywhere; the caller reads, writes and waits.  Each stream is called by one thread at a time,
 *  start() and close() by any.
 *
 *  What open() is given are weft_tls_options as text: "certificate=FILE", "key=FILE",
 *  "authorities=FILE", "protocols=LIST", "trust=anybody", "clients=ask", "minimum=13", those that
 *  were set, with commas in between; in a value a backslash stands before a comma and a backslash.
 *
 *  Where bytes cannot be kept for want of memory a member returns -ENOMEM, and the stream is
 *  broken.  A member that finds that the peer breaks the rules returns -EPROTO, one that does not
 *  trust it -EACCES, and leaves what is to be told to the peer for drain(). */
typedef struct weft_filter {
    uint32_t size;
    uint32_t reserved;

    /** A filter for one stream.  `side` 0 begins, 1 answers; `peer` is the name or address that the
     *  other side must prove to have, or NULL.  Stores its object in *ret_stream.  -EINVAL: with
     *  what open() was given this side, or one without `peer`, cannot be. */
    int (*start)(void *self, int side, const char *peer, void **ret_stream);
    /** Frees it. */
    void (*end)(void *stream);

    /** Does what can be done without plain bytes (a handshake): 0 it is over; -EAGAIN it waits for
     *  the wire. */
    int (*step)(void *stream);
    /** Bytes came from the wire; `size` 0: its end.  Returns how many were taken, -EAGAIN none,
     *  until some were read. */
    int64_t (*feed)(void *stream, const void *wire, size_t size);
    /** Fetches what is to go to the wire.  Returns how many bytes, 0 when there are none. */
    int64_t (*drain)(void *stream, void *wire, size_t size);
    /** Fetches plain bytes.  Returns how many, 0 at the end that the peer has told, -EAGAIN when
     *  the wire has to bring more, -ECONNRESET when it has ended without a word. */
    int64_t (*read)(void *stream, void *plain, size_t size);
    /** Takes plain bytes.  Returns how many, -EAGAIN none, until some were drained. */
    int64_t (*write)(void *stream, const void *plain, size_t size);
    /** Nothing more will be written: what says so to the peer can be drained. */
    int (*shut)(void *stream);
    /** What is known of the stream ("protocol", "cipher", "peer"): the text's length, cut to
     *  `size`; -ENOENT. */
    int (*info)(void *stream, const char *key, char *text, size_t size);
} weft_filter;

/** What a resolver has found. */
typedef struct weft_answer {
    uint32_t size;
    int32_t status;     /* 0, or an error as weft_getaddrinfo() returns it */
    const char *detail; /* its words; NULL: what it means everywhere */
    const weft_address *addresses; /* `count` of them, the best first, */
    size_t count;
    const char *canonical_name; /* and the name that is theirs; NULL: unknown, or not asked for */
    const char *host, *service; /* or: the name of an address */
} weft_answer;

/** What is asked of a resolver; valid during the call. */
typedef struct weft_question {
    uint32_t size;
    int32_t family, type, protocol, flags; /* as for getaddrinfo(3); 0: any */
    uint32_t reserved;
    const char *host, *service;            /* a name, not a number; and what it offers, or NULL */
    const weft_address *address; /* not NULL: its name is wanted, by getnameinfo(3)'s `flags` */
    /** To be called once with `arg` and what was found, unless the member fails. */
    void (*answer)(void *arg, const weft_answer *answer);
    void *arg;
} weft_question;

/** A resolver: begin() and cancel() if it need not block, ask() or resolve() if it can; all others
 *  NULL. */
typedef struct weft_resolver {
    uint32_t size;
    uint32_t reserved;

    /** Finds addresses, the best first.  May block: it is called in threads made for that, in any
     *  number of them at a time.  `host` or `service` may be NULL; `family` and `type` 0: any;
     *  `flags` as for getaddrinfo(3).  Returns how many there are, stores at most `max`; -ENOENT no
     *  such name, -EAGAIN not now. */
    int (*resolve)(void *self, const char *host, const char *service, int family, int type,
                   int flags, weft_address *ret_addresses, int max);

    /** Begins to answer on a loop, by weft_plugin_core's watch() and call_later(), and returns; the
     *  loop's thread.  answer() is called there, later or from within.  Stores what cancel() needs
     *  in *ret_query, which is not NULL. */
    int (*begin)(void *self, weft_loop *loop, const weft_question *question, void **ret_query);
    /** Ends a query whose answer() was not called: it will not be.  Also while its loop closes. */
    void (*cancel)(void *self, void *query);
    /** Answers before it returns; may block: it is called in threads, as resolve() is, where the
     *  loop watches nothing or there is no begin(). */
    int (*ask)(void *self, const weft_question *question);
} weft_resolver;

/** A place in the code. */
typedef struct weft_place {
    uint32_t size;
    int32_t line;        /* 0: unknown */
    uint64_t offset;     /* bytes behind the function's beginning */
    char function[128];  /* "": unknown */
    char file[256];
} weft_place;

/** A stack of this process that is to be walked, and what is known of its registers. */
typedef struct weft_stack {
    uint32_t size;
    uint32_t reserved;
    uint64_t pc;            /* where it is */
    uint64_t known;         /* a bit for each register whose value is known, */
    uint64_t registers[64]; /* by its DWARF number on this machine */
    uint64_t base, length;  /* the memory that was copied: its address and bytes, */
    const void *memory;     /* and where the copy is */
} weft_stack;

/** A symboliser.  One thread at a time, not in a signal handler. */
typedef struct weft_symboliser {
    uint32_t size;
    uint32_t reserved;

    /** Names the place of an address in this process.  Returns 0, -ENOENT. */
    int (*place)(void *self, const void *address, weft_place *ret_place);
    /** Names all functions at an address: before the one that is there those that were compiled
     *  into it, the innermost first.  Each of ret_places has its size set.  Returns how many, at
     *  most `max`; -ENOENT.  NULL: only place(). */
    int (*places)(void *self, const void *address, weft_place *ret_places, int max);
    /** Walks a stack: the place where it is, plus one, then the return addresses.  Returns how
     *  many, at most `max`; 0 when it does not know how.  NULL: it never does. */
    int (*unwind)(void *self, const weft_stack *stack, const void **ret_addresses, int max);
} weft_symboliser;

/** A sink for reports. */
typedef struct weft_sink {
    uint32_t size;
    uint32_t reserved;

    /** A report, before the loop's handler or standard error has it.  The loop's thread; must not
     *  wait.  1: it was dealt with, and nobody else needs to have it. */
    int (*report)(void *self, const weft_report *report);
} weft_sink;

enum weft_instrument_events {
    WEFT_LOOP_OPENED = 1, /* `value`: 0 */
    WEFT_LOOP_CLOSED = 2,
    WEFT_LOOP_WAITS = 3, /* `value`: the deadline, by the loop's clock; INT64_MAX: none */
    WEFT_LOOP_WOKE = 4,  /* `value`: how many descriptors had something */
};

/** An instrument. */
typedef struct weft_instrument {
    uint32_t size;
    uint32_t reserved;

    /** Something has happened to `loop`, at `now` by CLOCK_MONOTONIC.  The loop's thread; short,
     *  must not wait.  Events that it does not know are to be ignored. */
    void (*event)(void *self, uint32_t event, const weft_loop *loop, int64_t now, int64_t value);
} weft_instrument;

/** A plugin, as it is found: by the symbol weft_plugin_NAME. */
typedef struct weft_plugin {
    uint32_t magic, abi, size; /* WEFT_PLUGIN_MAGIC, WEFT_PLUGIN_ABI, sizeof */
    uint32_t kind;             /* weft_plugin_kind */
    const char *name;          /* [a-z0-9_]{1,32} */
    const char *summary;       /* one line for people */
    const char *needs;         /* what must be there, for people; "" for nothing */
    const void *table;         /* of its kind; each begins with its size */
    /** Tells whether it can work here: 0, or a negative errno and why in `why`; NULL: always. */
    int (*probe)(char *why, size_t size);
    /** Begins to use it; stores its object, which the table's members get, in *ret_self.  `options`
     *  is what followed "name:", "" for nothing.  -EINVAL for options that it does not know. */
    int (*open)(const weft_plugin_core *core, const char *options, void **ret_self);
    /** Ends that; not called for what was switched on. */
    void (*close)(void *self);
    uint32_t core_size;  /* bytes of weft_plugin_core that it needs; 0: those through `fault` */
    uint32_t reserved;
    const char *version; /* its own; NULL or "" for none */
    /** The version of the library below, as it runs; NULL: there is none. */
    const char *(*library)(void);
} weft_plugin;

#define WEFT_PLUGIN(id)                                 \
    WEFT_API extern const weft_plugin weft_plugin_##id; \
    const weft_plugin weft_plugin_##id

/** Finds and loads a plugin of a kind by its name.
 *
 *  ret_plugin  lives as long as the process; untouched on error.
 *
 *  Returns 0, -EINVAL, -ENOENT, -ELIBACC, -ELIBBAD, -EACCES as weft_loop_new() does for backends,
 *  with words in weft_error_detail(); -EPROTOTYPE it is of another kind.  Any thread. */
WEFT_API int weft_plugin_find(const char *name, uint32_t kind, const weft_plugin **ret_plugin);

/** Opens a plugin: plugin->open() with the library's own core.  Any thread.  Returns what that
 *  does, or -EINVAL. */
WEFT_API int weft_plugin_open(const weft_plugin *plugin, const char *options, void **ret_self);

/** Finds what was switched on: the `number`th of a kind, from 0, in the order of the list.
 *
 *  ret_plugin, ret_self  it and its object; either may be NULL.
 *
 *  Returns 0, -ENOENT there are not so many.  Any thread, once a loop was made. */
WEFT_API int weft_plugin_switched_on(uint32_t kind, unsigned number, const weft_plugin **ret_plugin,
                                     void **ret_self);

#if !defined(__cplusplus) && UINTPTR_MAX == 0xffffffffffffffffu
#define WEFT_PLUGIN_AT(type, member, place) \
    _Static_assert(offsetof(type, member) == (place), #type "." #member " has moved")
_Static_assert(sizeof(weft_address) == 16 + sizeof(struct sockaddr_storage),
               "weft_address has grown");
WEFT_PLUGIN_AT(weft_plugin_core, fault, 32);
WEFT_PLUGIN_AT(weft_plugin_core, forget, 56);
WEFT_PLUGIN_AT(weft_filter, info, 72);
WEFT_PLUGIN_AT(weft_address, bytes, 16);
WEFT_PLUGIN_AT(weft_answer, service, 48);
WEFT_PLUGIN_AT(weft_question, arg, 56);
WEFT_PLUGIN_AT(weft_resolver, resolve, 8);
WEFT_PLUGIN_AT(weft_resolver, ask, 32);
WEFT_PLUGIN_AT(weft_place, file, 144);
WEFT_PLUGIN_AT(weft_symboliser, place, 8);
WEFT_PLUGIN_AT(weft_symboliser, unwind, 24);
WEFT_PLUGIN_AT(weft_stack, memory, 552);
WEFT_PLUGIN_AT(weft_sink, report, 8);
WEFT_PLUGIN_AT(weft_instrument, event, 8);
WEFT_PLUGIN_AT(weft_plugin, table, 40);
WEFT_PLUGIN_AT(weft_plugin, close, 64);
WEFT_PLUGIN_AT(weft_plugin, library, 88);
#undef WEFT_PLUGIN_AT
#endif

WEFT_END_DECLS

#endif
