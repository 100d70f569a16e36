/* SPDX-License-Identifier: MIT
 * TLS, to a peer that does what the rules allow and nobody with good intentions does. */
#define ENDS_TLS
#include "tests/task/ends.h"

#include <openssl/ssl.h>

/* The peer is OpenSSL itself, by hand, above the plain stream `there`. */
static SSL *peer;
static BIO *in, *out;
static int status;

WEFT_ASYNC(serves)
{
    weft_tls_options options = { .certificate = certs()->server, .key = certs()->server_key };
    weft_tls *tls;

    EQUAL(weft_tls_new(&options, &tls), 0);
    status = weft_stream_start_tls(here, tls, &(weft_start_tls_options){ .side = WEFT_TLS_SERVER });
    weft_tls_unref(tls);
    return 0;
}

/* Sends what the peer has for the wire. */
static ssize_t send_out(void)
{
    static char bytes[100000];
    ssize_t r = 0;
    int n;

    while (r >= 0 && (n = BIO_read(out, bytes, sizeof bytes)) > 0) {
        r = weft_stream_write(there, bytes, (size_t)n);
    }
    return r;
}

static void open_to_peer(size_t capacity)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    weft_stream *ends[2];
    weft_task *task;

    peer = SSL_new(context);
    SSL_CTX_free(context);
    in = BIO_new(BIO_s_mem());
    out = BIO_new(BIO_s_mem());
    SSL_set_bio(peer, in, out);
    SSL_set_connect_state(peer);
    EQUAL(weft_stream_pair(capacity, ends), 0);
    here = ends[0];
    there = ends[1];
    task = weft_create_task(serves(), NULL);
    while (SSL_do_handshake(peer) != 1) {
        char bytes[4096];
        ssize_t n;

        EQUAL(send_out() >= 0, true);
        n = weft_stream_read(there, bytes, sizeof bytes);
        CHECK(n > 0);
        EQUAL(BIO_write(in, bytes, (int)n), n);
    }
    EQUAL(send_out() >= 0, true);
    EQUAL(weft_await(task), 0);
    EQUAL(status, 0);
}

static void close_to_peer(void)
{
    SSL_free(peer);
    (void)weft_stream_abort(here);
    (void)weft_stream_abort(there);
}

/* Has the peer ask for new keys, and for an answer, so many times. */
static void ask_for_keys(int count)
{
    for (int i = 0; i < count; i++) {
        EQUAL(SSL_key_update(peer, SSL_KEY_UPDATE_REQUESTED), 1);
        EQUAL(SSL_do_handshake(peer), 1);
    }
}

static int turns;
static bool is_read;

WEFT_ASYNC(counts_turns)
{
    while (!is_read) {
        turns++;
        weft_sleep(0);
    }
    return 0;
}

WEFT_ASYNC(reads_hello)
{
    ssize_t n = weft_stream_read(here, got, 5);

    is_read = true;
    READS(n, "hello");
    return 0;
}

/* What brings nothing to read is many turns, too. */
IN_TASK(who_sends_no_word_for_long_does_not_stop_the_loop)
{
    weft_task *reader, *counter;

    open_to_peer(1 << 20);
    ask_for_keys(10000);
    EQUAL(SSL_write(peer, "hello", 5), 5);
    EQUAL(send_out() > 0, true);
    turns = 0;
    is_read = false;
    reader = weft_create_task(reads_hello(), NULL);
    counter = weft_create_task(counts_turns(), NULL);
    EQUAL(weft_await(reader), 0);
    EQUAL(weft_await(counter), 0);
    CHECK(turns > 3);
    close_to_peer();
}

WEFT_ASYNC(reads_nothing)
{
    status = (int)weft_stream_read(here, got, 5);
    return 0;
}

/* What is to be said to somebody who does not listen cannot be kept without end. */
IN_TASK(who_asks_and_takes_no_answers_is_left)
{
    weft_task *reader;
    ssize_t n = 0;

    open_to_peer(1 << 16);
    reader = weft_create_task(reads_nothing(), NULL);
    for (int i = 0; i < 200 && n >= 0 && !weft_task_done(reader); i++) {
        ask_for_keys(200);
        n = send_out();
        weft_sleep(0);
    }
    CHECK(weft_task_done(reader));
    (void)weft_task_cancel(reader);
    EQUAL(weft_await(reader), 0);
    EQUAL(status, -EPROTO);
    close_to_peer();
}

/* But answers that are taken are no matter. */
IN_TASK(keys_may_be_asked_for_in_between)
{
    char bytes[4096];
    ssize_t n;

    open_to_peer(1 << 16);
    for (int i = 0; i < 100; i++) {
        ask_for_keys(10);
        EQUAL(SSL_write(peer, "hello", 5), 5);
        EQUAL(send_out() > 0, true);
        READS(weft_stream_readexactly(here, got, 5), "hello");
        EQUAL(weft_stream_write(here, "world", 5), 5);
        do {
            n = weft_stream_read(there, bytes, sizeof bytes);
            CHECK(n > 0);
            EQUAL(BIO_write(in, bytes, (int)n), n);
            n = SSL_read(peer, got, 5);
        } while (n < 0 && SSL_get_error(peer, (int)n) == SSL_ERROR_WANT_READ);
        READS(n, "world");
    }
    close_to_peer();
}

static CU_TestInfo tests[] = {
    TEST(who_sends_no_word_for_long_does_not_stop_the_loop),
    TEST(who_asks_and_takes_no_answers_is_left),
    TEST(keys_may_be_asked_for_in_between),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(tls_peer, tests)
