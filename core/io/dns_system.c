/* SPDX-License-Identifier: MIT
 * Asking the system for names: getaddrinfo(3) and getnameinfo(3), results and errors. */
#include "core/io/dns.h"

#include "core/base/error.h"
#include "core/base/mem.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>

static const struct {
    int code, error;
    const char *words; /* NULL: those of the error fit */
} errors[] = {
    { EAI_NONAME, -ENOENT, "there is no such name" },
#ifdef EAI_NODATA
    { EAI_NODATA, -ENODATA, "the name is there, but has no address of this family" },
#endif
#ifdef EAI_ADDRFAMILY
    { EAI_ADDRFAMILY, -ENODATA, "it has no address of this family" },
#endif
    { EAI_AGAIN, -EAGAIN, "no server has answered; later one may" },
    { EAI_FAIL, -EIO, "a server has answered that it cannot tell" },
    { EAI_SERVICE, -EPROTONOSUPPORT, "there is no such service for this type of socket" },
    { EAI_FAMILY, -EAFNOSUPPORT, NULL },
    { EAI_SOCKTYPE, -ESOCKTNOSUPPORT, NULL },
    { EAI_BADFLAGS, -EINVAL, "these flags do not go together, or with this question" },
    { EAI_MEMORY, -ENOMEM, NULL },
    { EAI_OVERFLOW, -ENAMETOOLONG, NULL },
#ifdef EAI_IDN_ENCODE
    { EAI_IDN_ENCODE, -EILSEQ, "it has characters that no name can have" },
#endif
};

/* What one of these calls returned, as an answer's status. */
static int status_of(int code, int error, const char **ret_words)
{
    *ret_words = NULL;
    if (code == EAI_SYSTEM) {
        return error > 0 ? -error : -EIO;
    }
    for (size_t i = 0; i < WEFT__COUNT(errors); i++) {
        if (errors[i].code == code) {
            *ret_words = errors[i].words;
            return errors[i].error;
        }
    }
    return code == 0 ? 0 : -EIO;
}

weft_addrinfo *weft__addrinfo_new(const weft_address *addresses, size_t count,
                                  const char *canonical_name)
{
    size_t length = canonical_name ? strlen(canonical_name) + 1 : 0;
    weft_addrinfo *info = weft__alloc_zeroed(1, sizeof *info + count * sizeof *addresses + length);
    weft_address *copies;

    if (!info) {
        return NULL;
    }
    copies = (weft_address *)(void *)(info + 1);
    info->count = count;
    info->addresses = copies;
    if (addresses) {
        memcpy(copies, addresses, count * sizeof *addresses);
    }
    if (length > 0) {
        info->canonical_name = memcpy(copies + count, canonical_name, length);
    }
    return info;
}

_Static_assert(sizeof(weft_addrinfo) % _Alignof(weft_address) == 0, "addresses come behind it");

/* Copies a list of the system's into one block. */
static weft_addrinfo *copy(const struct addrinfo *list)
{
    size_t count = 0;
    weft_addrinfo *info;
    weft_address *to;

    for (const struct addrinfo *one = list; one; one = one->ai_next) {
        count += one->ai_addrlen <= sizeof to->bytes;
    }
    info = weft__addrinfo_new(NULL, count, list->ai_canonname);
    if (!info) {
        return NULL;
    }
    to = (weft_address *)(void *)(info + 1);
    for (const struct addrinfo *one = list; one; one = one->ai_next) {
        if (one->ai_addrlen <= sizeof to->bytes) {
            to->family = one->ai_family;
            to->type = one->ai_socktype;
            to->protocol = one->ai_protocol;
            to->length = one->ai_addrlen;
            memcpy(to->bytes, one->ai_addr, one->ai_addrlen);
            to++;
        }
    }
    return info;
}

static int find_addresses(const struct weft__question *question, int more_flags,
                          struct weft__answer *answer)
{
    struct addrinfo *list = NULL;
    struct addrinfo hints = {
        .ai_family = question->family,
        .ai_socktype = question->type,
        .ai_protocol = question->protocol,
        .ai_flags = question->flags | more_flags,
    };
    int code;

    answer->words = NULL;
    answer->info = NULL;
    answer->status = weft__fault();
    if (answer->status < 0) {
        return EAI_SYSTEM;
    }
    errno = 0;
    code = getaddrinfo(question->host, question->service, &hints, &list);
    answer->status = status_of(code, errno, &answer->words);
    if (code == 0) {
        answer->info = copy(list);
        answer->status = answer->info ? 0 : -ENOMEM;
        freeaddrinfo(list);
    }
    return code;
}

static void find_name(const struct weft__question *question, struct weft__answer *answer)
{
    int code;

    answer->words = NULL;
    answer->status = weft__fault();
    if (answer->status < 0) {
        return;
    }
    errno = 0;
    code = getnameinfo(&question->address->sockaddr, question->address->length, answer->name.host,
                       sizeof answer->name.host, answer->name.service, sizeof answer->name.service,
                       question->flags);
    answer->status = status_of(code, errno, &answer->words);
    if (answer->status == -ENOENT) {
        answer->words = "it has no name";
    }
}

void weft__dns_ask_system(const struct weft__question *question, struct weft__answer *answer)
{
    if (question->address) {
        find_name(question, answer);
    } else {
        (void)find_addresses(question, 0, answer);
    }
}

/* A number as a service needs no file. */
static bool is_number(const char *service)
{
    return *service && strspn(service, "0123456789") == strlen(service);
}

bool weft__dns_numeric(const struct weft__question *question, struct weft__answer *answer)
{
    const char *host = question->host, *service = question->service;
    int flags = AI_NUMERICHOST, code;

    if (question->address) {
        flags = NI_NUMERICHOST | NI_NUMERICSERV;
        if ((question->flags & flags) != flags) {
            return false;
        }
        find_name(question, answer);
        return true;
    }
    if (service && !is_number(service) && !(question->flags & AI_NUMERICSERV)) {
        return false;
    }
    if (host && !(question->flags & AI_NUMERICHOST) && !(*host >= '0' && *host <= '9') &&
        !strchr(host, ':')) {
        return false;
    }
    code = find_addresses(question, flags | (service ? AI_NUMERICSERV : 0), answer);
    return code != EAI_NONAME || question->flags & AI_NUMERICHOST;
}

int weft__dns_failed(const struct weft__question *question, const struct weft__answer *answer)
{
    const char *words = answer->words ? answer->words : weft_strerror(answer->status);
    char text[WEFT_ADDRESS_TEXT] = "";

    if (answer->status >= 0) {
        return answer->status;
    }
    if (question->address) {
        (void)weft_address_format(question->address, text, sizeof text);
        return weft__detail(answer->status, "cannot find the name of %s: %s", text, words);
    }
    return weft__detail(
        answer->status, "cannot find the addresses of '%.255s'%s%.64s%s: %s",
        question->host ? question->host : "", question->service ? ", service '" : "",
        question->service ? question->service : "", question->service ? "'" : "", words);
}

weft_addrinfo *weft_addrinfo_free(weft_addrinfo *info)
{
    weft__free(info);
    return NULL;
}
