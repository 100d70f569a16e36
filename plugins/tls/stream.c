/* SPDX-License-Identifier: MIT
 * The plugin "tls": one stream. */
#include "tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

#define UNHEARD 65536 /* bytes of answers that a peer may leave untaken */

struct stream {
    const struct tls *tls;
    SSL *ssl;
    BIO *from_wire, *to_wire; /* the SSL's */
    char peer[256];           /* who the other side has to be; "": anybody */
};

/* Whether a name is an address, in which case no server is asked for it. */
static bool is_address(const char *name)
{
    struct in6_addr bytes;

    return inet_pton(AF_INET, name, &bytes) == 1 || inet_pton(AF_INET6, name, &bytes) == 1;
}

static bool is_of_another(long verdict)
{
    return verdict == X509_V_ERR_HOSTNAME_MISMATCH || verdict == X509_V_ERR_IP_ADDRESS_MISMATCH;
}

/* While a certificate is looked at: says whose it is, when that is somebody else. */
static int tell_names(int is_good, X509_STORE_CTX *look)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(look, SSL_get_ex_data_X509_STORE_CTX_idx());
    const struct stream *stream = SSL_get_app_data(ssl);
    X509 *shown = X509_STORE_CTX_get_current_cert(look);
    int place = shown ? X509_get_ext_by_NID(shown, NID_subject_alt_name, -1) : -1;
    BIO *memory = NULL;
    char names[400] = "nobody";
    int n;

    if (is_good || !is_of_another(X509_STORE_CTX_get_error(look))) {
        return is_good;
    }
    memory = BIO_new(BIO_s_mem());
    if (memory && place >= 0 && X509V3_EXT_print(memory, X509_get_ext(shown, place), 0, 0)) {
        n = BIO_read(memory, names, sizeof names - 1);
        names[n > 0 ? n : 0] = '\0';
    }
    BIO_free(memory);
    stream->tls->core->detail("the other side's certificate is not good: it is for %s, not for %s",
                              names, stream->peer);
    return is_good;
}

/* A client: who the other side has to be. */
static int expect(struct stream *stream, const char *peer)
{
    SSL *ssl = stream->ssl;

    SSL_set_connect_state(ssl);
    if (stream->tls->options.trust_anybody) {
        SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
    } else if (!peer || !*peer) {
        stream->tls->core->detail("whose certificate it must be was not said: server_name");
        return -EINVAL;
    } else if (*peer == '.' || strlen(peer) >= sizeof stream->peer) { /* "." is to OpenSSL: below */
        stream->tls->core->detail("'%s' is nobody's name", peer);
        return -EINVAL;
    } else {
        SSL_set_verify(ssl, SSL_VERIFY_PEER, tell_names);
        strcpy(stream->peer, peer);
        /* "*.a.org", but no "x*.a.org"; and names are where names belong (RFC 9525). */
        SSL_set_hostflags(
            ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
        if (is_address(peer) ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), peer) != 1 :
                               SSL_set1_host(ssl, peer) != 1) {
            return tls_error(stream->tls, peer, -EINVAL);
        }
    }
    if (peer && *peer && !is_address(peer) && SSL_set_tlsext_host_name(ssl, peer) != 1) {
        return tls_error(stream->tls, peer, -EINVAL);
    }
    return 0;
}

/* A server: what it shows, and whether it wants to see something. */
static int offer(struct stream *stream)
{
    SSL_set_accept_state(stream->ssl);
    if (!stream->tls->options.certificate) {
        stream->tls->core->detail("a server needs a certificate");
        return -EINVAL;
    }
    if (stream->tls->options.ask_clients) {
        SSL_set_verify(stream->ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    }
    return 0;
}

static void end(void *self)
{
    struct stream *stream = self;

    SSL_free(stream->ssl);
    ERR_clear_error();
    stream->tls->core->alloc(stream, 0);
}

static int make(struct stream *stream)
{
    stream->ssl = SSL_new(stream->tls->context);
    stream->from_wire = BIO_new(BIO_s_mem());
    stream->to_wire = BIO_new(BIO_s_mem());
    if (!stream->ssl || !stream->from_wire || !stream->to_wire) {
        BIO_free(stream->from_wire);
        BIO_free(stream->to_wire);
        return -ENOMEM;
    }
    BIO_set_mem_eof_return(stream->from_wire, -1); /* nothing there is no end, but for feed()'s */
    SSL_set_app_data(stream->ssl, stream);
    SSL_set_bio(stream->ssl, stream->from_wire, stream->to_wire);
    return 0;
}

static int start(void *self, int side, const char *peer, void **ret_stream)
{
    const struct tls *tls = self;
    struct stream *stream = tls->core->alloc(NULL, sizeof *stream);
    int r;

    if (!stream) {
        return -ENOMEM;
    }
    ERR_clear_error();
    stream->tls = tls;
    *stream->peer = '\0';
    r = make(stream);
    r = r < 0 ? r : side == 0 ? expect(stream, peer) : offer(stream);
    if (r < 0) {
        end(stream);
        return r;
    }
    *ret_stream = stream;
    return 0;
}

/* Why the other side is not trusted. */
static int not_trusted(const struct stream *stream)
{
    long verdict = SSL_get_verify_result(stream->ssl);

    ERR_clear_error();
    if (!is_of_another(verdict)) { /* of which more was said */
        stream->tls->core->detail("the other side's certificate is not good: %s",
                                  X509_verify_cert_error_string(verdict));
    }
    return -EACCES;
}

/* Why a call of OpenSSL came to nothing. */
static int error_of(const struct stream *stream, int returned)
{
    unsigned long error;

    switch (SSL_get_error(stream->ssl, returned)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: return -EAGAIN;
    case SSL_ERROR_ZERO_RETURN: return 0;
    case SSL_ERROR_SYSCALL: return -ECONNRESET;
    default: break;
    }
    error = ERR_peek_error();
#ifdef SSL_R_UNEXPECTED_EOF_WHILE_READING
    if (ERR_GET_REASON(error) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        ERR_clear_error();
        stream->tls->core->detail("the connection ended, and the other side had not said so");
        return -ECONNRESET;
    }
#endif
    if (ERR_GET_REASON(error) == SSL_R_CERTIFICATE_VERIFY_FAILED) {
        return not_trusted(stream);
    }
    return tls_error(
        stream->tls, "TLS",
        ERR_GET_REASON(error) == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE ? -EACCES : -EPROTO);
}

static int step(void *self)
{
    struct stream *stream = self;
    int r;

    ERR_clear_error();
    r = SSL_do_handshake(stream->ssl);
    if (r == 1) {
        return 0;
    }
    r = error_of(stream, r);
    return r ? r : -ECONNRESET; /* it was ended before it had begun */
}

static int64_t feed(void *self, const void *wire, size_t size)
{
    struct stream *stream = self;
    int n;

    if (size == 0) {
        BIO_set_mem_eof_return(stream->from_wire, 0);
        return 0;
    }
    n = BIO_write(stream->from_wire, wire, size < INT32_MAX ? (int)size : INT32_MAX);
    ERR_clear_error();
    return n > 0 ? n : -ENOMEM;
}

static int64_t drain(void *self, void *wire, size_t size)
{
    const struct stream *stream = self;
    int n = BIO_read(stream->to_wire, wire, size < INT32_MAX ? (int)size : INT32_MAX);

    return n > 0 ? n : 0;
}

static int64_t read_plain(void *self, void *plain, size_t size)
{
    struct stream *stream = self;
    size_t n = 0;
    int r;

    ERR_clear_error();
    r = SSL_read_ex(stream->ssl, plain, size, &n);
    if (r == 1) {
        return (int64_t)n;
    }
    r = error_of(stream, r);
    if (r == -EAGAIN && BIO_pending(stream->to_wire) > UNHEARD) {
        stream->tls->core->detail("TLS: the other side asks for answers and takes none");
        return -EPROTO;
    }
    return r;
}

static int64_t write_plain(void *self, const void *plain, size_t size)
{
    struct stream *stream = self;
    size_t n = 0;
    int r;

    ERR_clear_error();
    r = SSL_write_ex(stream->ssl, plain, size, &n);
    if (r == 1) {
        return (int64_t)n;
    }
    r = error_of(stream, r);
    return r ? r : -EPIPE;
}

static int shut(void *self)
{
    struct stream *stream = self;
    int r;

    if (SSL_in_init(stream->ssl)) {
        return -EPROTO;
    }
    ERR_clear_error();
    r = SSL_shutdown(stream->ssl); /* 0: the other side has not yet said the same */
    return r >= 0 ? 0 : error_of(stream, r);
}

/* The name in a certificate, as RFC 2253 writes it; "" where there is none. */
static int name_of(const X509_NAME *name, char *text, size_t size)
{
    BIO *memory = BIO_new(BIO_s_mem());
    char *bytes;
    long length;
    int n;

    if (!memory) {
        return -ENOMEM;
    }
    if (name && X509_NAME_print_ex(memory, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) < 0) {
        BIO_free(memory);
        return -ENOMEM;
    }
    length = BIO_get_mem_data(memory, &bytes);
    n = (int)length;
    if (size) {
        size_t fits = (size_t)length < size - 1 ? (size_t)length : size - 1;

        if (fits) {
            memcpy(text, bytes, fits);
        }
        text[fits] = '\0';
    }
    BIO_free(memory);
    return n;
}

static int name_of_peer(const struct stream *stream, bool issuer, char *text, size_t size)
{
    X509 *peer = SSL_get_peer_certificate(stream->ssl);
    int n = name_of(!peer  ? NULL :
                    issuer ? X509_get_issuer_name(peer) :
                             X509_get_subject_name(peer),
                    text, size);

    X509_free(peer);
    return n;
}

static int info(void *self, const char *key, char *text, size_t size)
{
    const struct stream *stream = self;
    const unsigned char *protocol = NULL;
    unsigned length = 0;

    if (strcmp(key, "version") == 0) {
        return snprintf(text, size, "%s", SSL_get_version(stream->ssl));
    }
    if (strcmp(key, "cipher") == 0) {
        return snprintf(text, size, "%s", SSL_get_cipher_name(stream->ssl));
    }
    if (strcmp(key, "protocol") == 0) {
        SSL_get0_alpn_selected(stream->ssl, &protocol, &length);
        return snprintf(text, size, "%.*s", (int)length, protocol ? (const char *)protocol : "");
    }
    if (strcmp(key, "peer") == 0 || strcmp(key, "issuer") == 0) {
        return name_of_peer(stream, *key == 'i', text, size);
    }
    return -ENOENT;
}

const weft_filter tls_filter = {
    .size = sizeof(weft_filter),
    .start = start,
    .end = end,
    .step = step,
    .feed = feed,
    .drain = drain,
    .read = read_plain,
    .write = write_plain,
    .shut = shut,
    .info = info,
};
