/* SPDX-License-Identifier: MIT
 * A getaddrinfo(3) and a getnameinfo(3) for tests. */
#include "tests/task/names.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_MAX 16

atomic_int asked;
char asked_in[16];

static struct name {
    const char *name;
    int family;        /* that it is known for; 0: any */
    struct gate *gate; /* NULL: the answer comes at once */
    int code;          /* EAI_* */
    const char *addresses;
} names[NAMES_MAX];
static int count;

void know_family(const char *name, int family, struct gate *gate, int code, const char *addresses)
{
    names[count++] = (struct name){ name, family, gate, code, addresses };
}

void know_slow(const char *name, struct gate *gate, int code, const char *addresses)
{
    know_family(name, 0, gate, code, addresses);
}

void know(const char *name, int code, const char *addresses)
{
    know_slow(name, NULL, code, addresses);
}

void forget_names(void)
{
    count = 0;
    atomic_store(&asked, 0);
}

static const struct name *find(const char *name, int family)
{
    for (int i = 0; i < count && name; i++) {
        if (strcmp(names[i].name, name) == 0 &&
            (names[i].family == 0 || names[i].family == family)) {
            return &names[i];
        }
    }
    return NULL;
}

static void note_asked(const struct name *known)
{
    if (known->gate) {
        gate_await(known->gate);
    }
    if (atomic_fetch_add(&asked, 1) == 0) {
        pthread_getname_np(pthread_self(), asked_in, sizeof asked_in);
    }
}

/* The system's own function, or a sanitizer's. */
static void *next(const char *symbol)
{
    return dlsym(RTLD_NEXT, symbol);
}

#define OURS 0x70000000 /* as ai_flags: freeaddrinfo(3) below knows it by that */

typedef void free_addresses(struct addrinfo *);
typedef int find_addresses(const char *, const char *, const struct addrinfo *, struct addrinfo **);
typedef int find_name(const struct sockaddr *, socklen_t, char *, socklen_t, char *, socklen_t,
                      int);

/* A copy in blocks of ours: the system's lists are not to be joined. */
static struct addrinfo *copy(const struct addrinfo *list)
{
    struct addrinfo *first = NULL, **end = &first;

    for (; list; list = list->ai_next) {
        struct addrinfo *one = malloc(sizeof *one + list->ai_addrlen);

        *one = *list;
        one->ai_flags = OURS;
        one->ai_addr = memcpy(one + 1, list->ai_addr, list->ai_addrlen);
        one->ai_canonname = NULL;
        one->ai_next = NULL;
        *end = one;
        end = &one->ai_next;
    }
    return first;
}

void freeaddrinfo(struct addrinfo *list)
{
    void *symbol = next("freeaddrinfo");
    free_addresses *system_one;

    memcpy(&system_one, &symbol, sizeof symbol);
    if (list->ai_flags != OURS) {
        system_one(list);
        return;
    }
    while (list) {
        struct addrinfo *following = list->ai_next;

        free(list);
        list = following;
    }
}

/* The list of those that are of the wanted family. */
static int list_of(const struct name *known, const char *service, const struct addrinfo *hints,
                   find_addresses *system_one, struct addrinfo **ret_list)
{
    struct addrinfo *first = NULL, **end = &first, *one, numeric = *hints;
    char text[300], *place, *word;

    snprintf(text, sizeof text, "%s", known->addresses);
    numeric.ai_flags |= AI_NUMERICHOST;
    for (word = strtok_r(text, " ", &place); word; word = strtok_r(NULL, " ", &place)) {
        numeric.ai_family = strchr(word, ':') ? AF_INET6 : AF_INET;
        if (hints->ai_family && hints->ai_family != numeric.ai_family) {
            continue;
        }
        if (system_one(word, service, &numeric, &one) != 0) {
            abort();
        }
        *end = copy(one);
        freeaddrinfo(one);
        while (*end) {
            end = &(*end)->ai_next;
        }
    }
    *ret_list = first;
    return first ? 0 : EAI_NODATA;
}

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                struct addrinfo **ret_list)
{
    void *symbol = next("getaddrinfo");
    const struct name *known =
        hints->ai_flags & AI_NUMERICHOST ? NULL : find(host, hints->ai_family);
    find_addresses *system_one;

    memcpy(&system_one, &symbol, sizeof symbol);
    if (!known) {
        return system_one(host, service, hints, ret_list);
    }
    note_asked(known);
    if (known->code != 0) {
        errno = ENFILE; /* for EAI_SYSTEM */
        return known->code;
    }
    return list_of(known, service, hints, system_one, ret_list);
}

int getnameinfo(const struct sockaddr *address, socklen_t length, char *host, socklen_t host_size,
                char *service, socklen_t service_size, int flags)
{
    void *symbol = next("getnameinfo");
    find_name *system_one;
    char number[INET6_ADDRSTRLEN + 20];

    memcpy(&system_one, &symbol, sizeof symbol);
    if (!(flags & NI_NUMERICHOST) &&
        system_one(address, length, number, sizeof number, NULL, 0, NI_NUMERICHOST) == 0) {
        for (int i = 0; i < count; i++) {
            if (strcmp(names[i].addresses, number) == 0) {
                note_asked(&names[i]);
                snprintf(host, host_size, "%s", names[i].name);
                snprintf(service, service_size, "weave");
                return names[i].code;
            }
        }
    }
    return system_one(address, length, host, host_size, service, service_size, flags);
}

const char *host_of(const weft_address *address)
{
    static char text[WEFT_ADDRESS_TEXT];

    CHECK(weft_address_format(address, text, sizeof text) > 0);
    *strrchr(text, ':') = '\0';
    return text;
}
