/* SPDX-License-Identifier: MIT
 * Addresses as places in the program.
 *
 * The symboliser is the first that was switched on, or the plugin "symbols" if it is there.  It may
 * need more stack than a task has, so it is called in a thread of its own. */
#include "core/debug/places.h"

#include "core/base/error.h"
#include "core/base/mem.h"
#include "core/base/shared.h"
#include "core/debug/system.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define THREAD_STACK ((size_t)1 << 20)

/* One at a time: what it reads is large, and kept. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
WEFT__OPENS_IN_CHILD(lock)
static const weft_symboliser *symboliser; /* NULL: there is none */
static void *self;
static bool looked;

/* Under the lock. */
static void look_for_one(void)
{
    struct weft__kept_words words = weft__words_keep();
    const weft_plugin *plugin;

    if (!looked && weft_plugin_switched_on(WEFT_PLUGIN_SYMBOLISER, 0, &plugin, &self) < 0 &&
        (weft_plugin_find("symbols", WEFT_PLUGIN_SYMBOLISER, &plugin) < 0 ||
         weft_plugin_open(plugin, "", &self) < 0)) {
        plugin = NULL;
    } else if (looked) {
        plugin = NULL;
    }
    if (plugin) {
        symboliser = plugin->table;
    }
    looked = true;
    weft__words_give_back(&words);
}

void weft__places_forget(void)
{
    symboliser = NULL;
    looked = false;
}

bool weft__is_code(const void *address)
{
    Dl_info info;

    return dladdr(address, &info) != 0;
}

static void copy(char *to, size_t size, const char *from)
{
    size_t n = strlen(from);

    n = n < size ? n : size - 1;
    memcpy(to, from, n);
    to[n] = '\0';
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* What the dynamic linker knows: exported functions, and the file. */
static int by_linker(const void *address, weft_debug_place *ret)
{
    Dl_info info;

    memset(ret, 0, sizeof *ret);
    if (!dladdr((const char *)address - 1, &info)) {
        return 0;
    }
    copy(ret->module, sizeof ret->module, base_name(info.dli_fname ? info.dli_fname : ""));
    ret->offset = (size_t)((const char *)address - (const char *)info.dli_fbase);
    if (info.dli_sname) {
        copy(ret->function, sizeof ret->function, info.dli_sname);
        ret->offset = (size_t)((const char *)address - (const char *)info.dli_saddr);
    }
    return 1;
}

static void take_over(weft_debug_place *to, const weft_place *from)
{
    if (from->function[0]) {
        copy(to->function, sizeof to->function, from->function);
        to->offset = from->offset + 1;
    }
    copy(to->file, sizeof to->file, from->file);
    to->line = from->line;
}

/* One address; under the lock. */
static int find(const void *address, weft_debug_place *ret, int max)
{
    weft_place found[WEFT__PLACES_MAX];
    const void *before = (const char *)address - 1; /* within the call, not behind it */
    int n = 0;

    max = max < WEFT__PLACES_MAX ? max : WEFT__PLACES_MAX;
    (void)by_linker(address, &ret[0]);
    if (!symboliser) {
        return 1;
    }
    memset(found, 0, sizeof found);
    for (int i = 0; i < max; i++) {
        found[i].size = sizeof found[i];
    }
    if (symboliser->places) {
        n = symboliser->places(self, before, found, max);
    }
    if (n <= 0) {
        n = symboliser->place(self, before, &found[0]) < 0 ? 0 : 1;
    }
    for (int i = 0; i < n; i++) {
        ret[i] = ret[0];
        take_over(&ret[i], &found[i]);
    }
    return n > 0 ? n : 1;
}

static void *search(void *arg);

struct search {
    const void *const *addresses;
    uint32_t count;
    struct weft__places *ret;
};

/* Where this library begins; NULL: it is a part of the program. */
static const void *library(void)
{
    static void *(*volatile program)(void *) = search; /* an address in here */
    Dl_info here, main_program;

    if (!dladdr(*(void **)(void *)&program, &here) ||
        (dladdr(weft__system_program(), &main_program) &&
         here.dli_fbase == main_program.dli_fbase)) {
        return NULL;
    }
    return here.dli_fbase;
}

static void *search(void *arg)
{
    struct search *search = arg;
    const void *own = library();
    Dl_info info;

    pthread_mutex_lock(&lock);
    look_for_one();
    for (uint32_t i = 0; i < search->count; i++) {
        search->ret[i].count = find(search->addresses[i], search->ret[i].at, WEFT__PLACES_MAX);
        search->ret[i].library =
            own && dladdr((const char *)search->addresses[i] - 1, &info) && info.dli_fbase == own;
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

/* Calls `body` where there is room, and returns when it has. */
static int call_with_room(void *(*body)(void *), void *arg)
{
    pthread_attr_t attributes;
    pthread_t thread;
    int r;

    if (pthread_attr_init(&attributes) != 0) {
        return -ENOMEM;
    }
    pthread_attr_setstacksize(&attributes, THREAD_STACK);
    r = weft__fault();
    r = r < 0 ? r : -pthread_create(&thread, &attributes, body, arg);
    pthread_attr_destroy(&attributes);
    if (r == 0) {
        pthread_join(thread, NULL);
    }
    return r;
}

void weft__places_find(const void *const *addresses, uint32_t count, struct weft__places *ret)
{
    struct search here = { addresses, count, ret };

    for (uint32_t i = 0; i < count; i++) {
        ret[i].count = 0;
        ret[i].library = false;
    }
    if (count) {
        (void)call_with_room(search, &here);
    }
}

struct unwinding {
    const weft_stack *stack;
    const void **addresses;
    uint32_t max, count;
};

static void *unwind(void *arg)
{
    struct unwinding *unwinding = arg;

    pthread_mutex_lock(&lock);
    look_for_one();
    if (symboliser && symboliser->unwind) {
        int n =
            symboliser->unwind(self, unwinding->stack, unwinding->addresses, (int)unwinding->max);

        unwinding->count = n < 0 ? 0 : (uint32_t)n;
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

uint32_t weft__places_unwind(const weft_stack *stack, const void **ret_addresses, uint32_t max)
{
    struct unwinding here = { stack, ret_addresses, max, 0 };

    return call_with_room(unwind, &here) < 0 ? 0 : here.count;
}

int weft_debug_places(const void *address, weft_debug_place *ret_places, int max)
{
    struct weft__places *found;
    int n = 0;

    if (!address || !ret_places || max < 1) {
        return -EINVAL;
    }
    found = weft__alloc(NULL, sizeof *found);
    if (found) {
        weft__places_find(&address, 1, found);
        n = found->count < max ? found->count : max;
        memcpy(ret_places, found->at, (size_t)n * sizeof *ret_places);
        weft__free(found);
    }
    if (n == 0) {
        (void)by_linker(address, ret_places);
    }
    return n ? n : 1;
}
