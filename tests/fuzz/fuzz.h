/* SPDX-License-Identifier: MIT
 * What the fuzz targets share.
 *
 * A target reads the fuzzer's bytes as a script and holds what happens against a model.  It is
 * linked with libFuzzer, which makes up scripts (-Dfuzz=true), or with replay.c, which runs those
 * that are files.  The bytes and the seed in them decide everything: a script that failed fails
 * again. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <weft/weft.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the program, which is how a fuzzer learns of a failure, unless it holds. */
#define HOLDS(claim)                                                            \
    do {                                                                        \
        if (!(claim)) {                                                         \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #claim); \
            abort();                                                            \
        }                                                                       \
    } while (0)

/* The same of two numbers, which it shows. */
#define IS(actual, expected)                                                              \
    do {                                                                                  \
        long long actual_ = (long long)(actual), expected_ = (long long)(expected);       \
        if (actual_ != expected_) {                                                       \
            fprintf(stderr, "%s:%d: %s is %lld, not %lld\n", __FILE__, __LINE__, #actual, \
                    actual_, expected_);                                                  \
            abort();                                                                      \
        }                                                                                 \
    } while (0)

/* What is left of a script. */
struct script {
    const uint8_t *at, *end;
};

/* The next byte; 0 behind the end. */
static inline unsigned next_byte(struct script *script)
{
    return script->at < script->end ? *script->at++ : 0;
}

/* Runs a coroutine in a world of its own: `backend` is sim, with its options. */
static inline void run_world(weft_coro *world, const char *backend)
{
    weft_run_options options = {
        .backend = backend, .debug = -1, .sigint = -1, .no_overflow_report = true
    };

    IS(weft_run(world, &options), 0);
}

#endif
