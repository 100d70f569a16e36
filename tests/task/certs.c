/* SPDX-License-Identifier: MIT
 * Certificates for tests of TLS. */
#include "tests/task/certs.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define DAY 86400L

static struct certs made;

struct identity {
    EVP_PKEY *key;
    X509 *certificate;
};

/* What is wrong here is wrong with the machine. */
static void need(int done)
{
    if (!done) {
        fputs("certs: OpenSSL cannot make them\n", stderr);
        abort();
    }
}

static void extend(X509 *certificate, int what, const char *value)
{
    X509V3_CTX context;
    X509_EXTENSION *extension;

    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, what, value);
    need(extension && X509_add_ext(certificate, extension, -1));
    X509_EXTENSION_free(extension);
}

/* Somebody called `name`, for whom `issuer` vouches (NULL: himself), for `days` from now. */
static struct identity identity(const char *name, const char *names, const struct identity *issuer,
                                long days)
{
    static long serial = 1;
    struct identity one = { .key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256"),
                            .certificate = X509_new() };
    X509 *c = one.certificate;

    need(one.key && c);
    need(X509_set_version(c, 2) && ASN1_INTEGER_set(X509_get_serialNumber(c), serial++));
    need(X509_gmtime_adj(X509_getm_notBefore(c), -10 * DAY) &&
         X509_gmtime_adj(X509_getm_notAfter(c), days * DAY));
    need(X509_NAME_add_entry_by_txt(X509_get_subject_name(c), "CN", MBSTRING_ASC,
                                    (const unsigned char *)name, -1, -1, 0));
    need(X509_set_issuer_name(c, X509_get_subject_name(issuer ? issuer->certificate : c)));
    need(X509_set_pubkey(c, one.key));
    extend(c, NID_basic_constraints, issuer ? "critical,CA:FALSE" : "critical,CA:TRUE");
    if (names) {
        extend(c, NID_subject_alt_name, names);
    }
    need(X509_sign(c, issuer ? issuer->key : one.key, EVP_sha256()));
    return one;
}

static void forget(struct identity *one)
{
    EVP_PKEY_free(one->key);
    X509_free(one->certificate);
}

static void write_pem(char *path, size_t size, const char *name, X509 *certificate, EVP_PKEY *key)
{
    FILE *file;

    snprintf(path, size, "%s/%s", made.folder, name);
    file = fopen(path, "w");
    need(file != NULL);
    need(!certificate || PEM_write_X509(file, certificate));
    need(!key || PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL));
    need(fclose(file) == 0);
}
#define WRITE(place, certificate, key) \
    write_pem(made.place, sizeof made.place, #place ".pem", certificate, key)

static void write_locked(EVP_PKEY *key)
{
    FILE *file;

    snprintf(made.locked_key, sizeof made.locked_key, "%s/locked_key.pem", made.folder);
    file = fopen(made.locked_key, "w");
    need(file && PEM_write_PrivateKey(file, key, EVP_aes_128_cbc(), NULL, 0, NULL,
                                       (void *)(uintptr_t)"secret"));
    need(fclose(file) == 0);
}

static void remove_all(void)
{
    const char *paths[] = { made.authority, made.stranger, made.server, made.server_key,
                            made.client,    made.old,      made.old_key,
                            made.locked_key };

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        (void)unlink(paths[i]);
    }
    (void)rmdir(made.folder);
}

const struct certs *certs(void)
{
    struct identity authority, stranger, server, client, old;

    if (*made.folder) {
        return &made;
    }
    snprintf(made.folder, sizeof made.folder, "/tmp/weft-certs-XXXXXX");
    need(mkdtemp(made.folder) != NULL);
    authority = identity("Test Authority", NULL, NULL, 1);
    stranger = identity("Stranger", NULL, NULL, 1);
    server = identity("server.test",
                      "DNS:server.test,DNS:*.wild.test,DNS:x*.part.test,IP:127.0.0.1", &authority,
                      1);
    client = identity("a client", NULL, &authority, 1);
    old = identity("server.test", "DNS:server.test", &authority, -1);
    WRITE(authority, authority.certificate, NULL);
    WRITE(stranger, stranger.certificate, NULL);
    WRITE(server, server.certificate, NULL);
    WRITE(server_key, NULL, server.key);
    write_locked(server.key);
    WRITE(client, client.certificate, client.key);
    WRITE(old, old.certificate, NULL);
    WRITE(old_key, NULL, old.key);
    forget(&authority);
    forget(&stranger);
    forget(&server);
    forget(&client);
    forget(&old);
    atexit(remove_all);
    return &made;
}
