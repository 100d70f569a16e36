/* SPDX-License-Identifier: MIT
 * Plugins: the handshake, and those that are switched on for the whole process. */
#include "core/run/plugin.h"
#include "core/base/shared.h"

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/mem.h"
#include "core/poll/poll.h"
#include "core/run/item.h"
#include "core/run/open.h"
#include "core/sched/loop.h"
#include "core/sched/tap.h"

#include <pthread.h>
#include <string.h>

#define TABLE_MAX 128 /* bytes of any kind's table */
#define ON_MAX 32     /* plugins that are switched on */

/* A plugin from a file, made whole: members behind what it was built with read as NULL. */
struct loaded {
    struct loaded *next;
    weft_plugin plugin;
    _Alignas(8) char table[TABLE_MAX];
};

static struct {
    pthread_mutex_t lock;
    struct loaded *first;
    bool started; /* `on` is what it will be */
    int count;
    struct {
        const weft_plugin *plugin;
        void *self;
    } on[ON_MAX]; /* read without the lock once `started` */
} registry = { .lock = PTHREAD_MUTEX_INITIALIZER };
WEFT__OPENS_IN_CHILD(registry.lock)

static const struct kind {
    const char *name;
    size_t size;  /* of its table, as it is known here */
    size_t least; /* and as it was at first */
} kinds[] = {
    [WEFT_PLUGIN_FILTER] = { "filter", sizeof(weft_filter), sizeof(weft_filter) },
    [WEFT_PLUGIN_RESOLVER] = { "resolver", sizeof(weft_resolver), offsetof(weft_resolver, begin) },
    [WEFT_PLUGIN_SYMBOLISER] = { "symboliser", sizeof(weft_symboliser),
                                   offsetof(weft_symboliser, places) },
    [WEFT_PLUGIN_SINK] = { "sink", sizeof(weft_sink), sizeof(weft_sink) },
    [WEFT_PLUGIN_INSTRUMENT] = { "instrument", sizeof(weft_instrument), sizeof(weft_instrument) },
};

_Static_assert(sizeof(weft_filter) <= TABLE_MAX, "the largest table");

/* One direction of plugin_watch(); also while the loop closes. */
static int watch_one(struct weft__loop *loop, int fd, uint32_t events, uint32_t event,
                     weft_callback *callback, void *arg)
{
    if (events & event) {
        return weft__watch_set(loop, fd, event, callback, arg);
    }
    return weft__watch_unset(loop, fd, event);
}

static int plugin_watch(weft_loop *handle, int fd, uint32_t events, weft_callback *callback,
                        void *arg)
{
    int r = -EINVAL;
    struct weft__loop *loop = weft__tag_address((uintptr_t)handle, WEFT__CELL_LOW);

    if (!handle || (events && !callback) || events & ~(uint32_t)(WEFT_READABLE | WEFT_WRITABLE)) {
        return r;
    }
    r = watch_one(loop, fd, events, WEFT_READABLE, callback, arg);
    if (r >= 0) {
        r = watch_one(loop, fd, events, WEFT_WRITABLE, callback, arg);
    }
    if (r < 0) {
        (void)weft__watch_unset(loop, fd, WEFT_READABLE);
        (void)weft__watch_unset(loop, fd, WEFT_WRITABLE);
    }
    return r < 0 ? r : 0;
}

static void plugin_forget(weft_handle *handle)
{
    if (handle) {
        (void)weft_handle_cancel(handle);
        weft_handle_unref(handle);
    }
}

static const weft_plugin_core plugin_core = {
    .size = sizeof plugin_core,
    .abi = WEFT_PLUGIN_ABI,
    .now = weft__clock_now,
    .alloc = weft__alloc,
    .detail = weft__backend_detail,
    .fault = weft__backend_fault,
    .watch = plugin_watch,
    .call_later = weft_loop_call_later,
    .forget = plugin_forget,
};

/* Debian's packages of the plugins that come with weft. */
static const char *package_of(const char *name)
{
    return strcmp(name, "resolver") == 0 ? "libweft-plugin-resolver" :
           strcmp(name, "symbols") == 0  ? "libweft-plugin-symbols" :
           strcmp(name, "tls") == 0      ? "libweft-plugin-tls" :
                                           NULL;
}

static int check(const weft_plugin *plugin, const char *name, const char *path,
                 struct weft__text *why)
{
    const char *wrong = NULL;

    if (plugin->magic != WEFT_PLUGIN_MAGIC) {
        wrong = "has no plugin's descriptor under that name";
    } else if (plugin->abi != WEFT_PLUGIN_ABI) {
        weft__text_add(why, "%s is built for version %u of the plugin ABI, and this is %u", path,
                       (unsigned)plugin->abi, WEFT_PLUGIN_ABI);
        return -ELIBBAD;
    } else if (plugin->size < offsetof(weft_plugin, core_size) || !plugin->table) {
        wrong = "has a descriptor that is cut short";
    } else if (plugin->size > offsetof(weft_plugin, core_size) &&
               plugin->core_size > sizeof(weft_plugin_core)) {
        wrong = "needs a newer weft than this one";
    } else if (plugin->kind == 0 || plugin->kind >= WEFT__COUNT(kinds)) {
        wrong = "is of a kind that is not known here";
    } else if (*(const uint32_t *)plugin->table < kinds[plugin->kind].least) {
        wrong = "has a table that is cut short";
    } else if (!plugin->open || !plugin->close) {
        wrong = "lacks open() or close()";
    } else if (!plugin->name || strcmp(plugin->name, name) != 0) {
        weft__text_add(why, "%s calls itself '%s', not '%s'", path,
                       plugin->name ? plugin->name : "", name);
        return -ELIBBAD;
    }
    if (wrong) {
        weft__text_add(why, "%s %s", path, wrong);
        return -ELIBBAD;
    }
    return 0;
}

/* Copies what the two sides share. */
static void take_over(struct loaded *loaded, const weft_plugin *theirs)
{
    uint32_t size = theirs->size < sizeof *theirs ? theirs->size : (uint32_t)sizeof *theirs;
    size_t table = *(const uint32_t *)theirs->table;

    memcpy(&loaded->plugin, theirs, size);
    table = table < kinds[theirs->kind].size ? table : kinds[theirs->kind].size;
    memcpy(loaded->table, theirs->table, table);
    loaded->plugin.table = loaded->table;
    loaded->plugin.summary = theirs->summary ? theirs->summary : "";
    loaded->plugin.needs = theirs->needs ? theirs->needs : "";
}

struct search {
    const char *name;
    struct weft__text *why;
    const weft_plugin *plugin;
};

/* In one directory; under the lock. */
static int try_directory(const char *directory, void *arg)
{
    char path[WEFT__PATH_MAX], symbol[sizeof "weft_plugin_" + WEFT__NAME_MAX];
    struct search *search = arg;
    struct loaded *loaded;
    const void *found = NULL;
    int r;

    (void)snprintf(path, sizeof path, "%.4000s/weft-plugin-%s.so", directory, search->name);
    (void)snprintf(symbol, sizeof symbol, "weft_plugin_%s", search->name);
    r = weft__file_open(path, symbol, search->why, &found);
    if (r < 0) {
        weft__text_add(search->why, r == -ENOENT ? "; " : "");
        return r;
    }
    r = check(found, search->name, path, search->why);
    loaded = r < 0 ? NULL : weft__alloc_zeroed(1, sizeof *loaded);
    if (!loaded) {
        return r < 0 ? r : -ENOMEM;
    }
    take_over(loaded, found);
    loaded->next = registry.first;
    registry.first = loaded;
    search->plugin = &loaded->plugin;
    return 0;
}

/* Under the lock; `kind` 0: any. */
static int find(const char *name, uint32_t kind, struct weft__text *why,
                const weft_plugin **ret_plugin)
{
    struct search search = { .name = name, .why = why };
    int r = 0;

    for (const struct loaded *one = registry.first; one && !search.plugin; one = one->next) {
        search.plugin = strcmp(one->plugin.name, name) == 0 ? &one->plugin : NULL;
    }
    if (!search.plugin) {
        r = weft__each_directory("WEFT_PLUGIN_PATH", WEFT_PLUGIN_DIR, why, try_directory, &search);
    }
    if ((r == -ENOENT || r == -ELIBACC) && package_of(name) && weft__loads_files()) {
        weft__text_add(why, "Debian has it in the package %s", package_of(name));
    } else if (r < 0 && why->used > 2 && strcmp(why->at + why->used - 2, "; ") == 0) {
        why->used -= 2; /* nothing follows on what was tried */
        why->at[why->used] = '\0';
    }
    if (r == 0 && kind && search.plugin->kind != kind) {
        weft__text_add(why, "it is a %s, not a %s", kinds[search.plugin->kind].name,
                       kinds[kind].name);
        r = -EPROTOTYPE;
    }
    if (r == 0) {
        *ret_plugin = search.plugin;
    }
    return r;
}

int weft_plugin_find(const char *name, uint32_t kind, const weft_plugin **ret_plugin)
{
    struct weft__text why = { .used = 0 };
    int r;

    if (!name || !ret_plugin || kind == 0 || kind >= WEFT__COUNT(kinds)) {
        return -EINVAL;
    }
    weft_error_clear();
    if (!weft__is_name(name, strlen(name))) {
        return weft__detail(-ENOENT, "'%.200s' is no name of a plugin", name);
    }
    pthread_mutex_lock(&registry.lock);
    r = find(name, kind, &why, ret_plugin);
    pthread_mutex_unlock(&registry.lock);
    return r < 0 ? weft__detail(r, "the plugin '%s': %s", name, why.at) : 0;
}

int weft_plugin_open(const weft_plugin *plugin, const char *options, void **ret_self)
{
    int r;

    if (!plugin || !ret_self) {
        return -EINVAL;
    }
    r = plugin->open(&plugin_core, options ? options : "", ret_self);
    return r < 0 ? weft__words_for(r) : r;
}

int weft_plugin_switched_on(uint32_t kind, unsigned number, const weft_plugin **ret_plugin,
                            void **ret_self)
{
    int r = -ENOENT;

    pthread_mutex_lock(&registry.lock);
    for (int i = 0; i < registry.count && r == -ENOENT; i++) {
        if (registry.on[i].plugin->kind == kind && number-- == 0) {
            if (ret_plugin) {
                *ret_plugin = registry.on[i].plugin;
            }
            if (ret_self) {
                *ret_self = registry.on[i].self;
            }
            r = 0;
        }
    }
    pthread_mutex_unlock(&registry.lock);
    return r;
}

static bool tell_sinks(const weft_report *report)
{
    for (int i = 0; i < registry.count; i++) {
        const weft_sink *sink = registry.on[i].plugin->table;

        if (registry.on[i].plugin->kind == WEFT_PLUGIN_SINK &&
            sink->report(registry.on[i].self, report) > 0) {
            return true;
        }
    }
    return false;
}

static void tell_instruments(uint32_t event, const struct weft__loop *loop, int64_t value)
{
    int64_t now = weft__clock_now();

    for (int i = 0; i < registry.count; i++) {
        const weft_instrument *instrument = registry.on[i].plugin->table;

        if (registry.on[i].plugin->kind == WEFT_PLUGIN_INSTRUMENT) {
            instrument->event(registry.on[i].self, event, weft__loop_handle(loop), now, value);
        }
    }
}

static void close_all(void)
{
    weft__taps = (struct weft__taps){ .report = NULL };
    while (registry.count > 0) {
        registry.count--;
        registry.on[registry.count].plugin->close(registry.on[registry.count].self);
    }
}

/* Finds and opens one. */
static int switch_on(const struct weft__item_text *item, struct weft__text *why)
{
    const weft_plugin *plugin;
    char reason[256] = "";
    void *self = NULL;
    int r = find(item->name, 0, why, &plugin);

    if (r < 0) {
        return r;
    }
    if (plugin->kind == WEFT_PLUGIN_FILTER || registry.count == ON_MAX) {
        weft__text_add(why, registry.count == ON_MAX ? "there are too many" :
                                                       "a filter is asked for by the program");
        return -EINVAL;
    }
    r = plugin->probe ? plugin->probe(reason, sizeof reason) : 0;
    weft_error_clear();
    r = r < 0 ? r : weft_plugin_open(plugin, item->options, &self);
    if (r < 0) {
        weft__text_add(why, "%s",
                       *reason              ? reason :
                       *weft_error_detail() ? weft_error_detail() :
                                              weft_strerror(r));
        return r;
    }
    registry.on[registry.count].plugin = plugin;
    registry.on[registry.count++].self = self;
    if (plugin->kind == WEFT_PLUGIN_SINK) {
        weft__taps.report = tell_sinks;
    } else if (plugin->kind == WEFT_PLUGIN_INSTRUMENT) {
        weft__taps.event = tell_instruments;
    } else if (plugin->kind == WEFT_PLUGIN_RESOLVER && !weft__taps.resolver) {
        weft__taps.resolver = plugin->table;
        weft__taps.resolver_self = self;
    }
    return 0;
}

static int start(const char *list, const char *origin, struct weft__text *why)
{
    struct weft__item_text item;
    int r = 0;

    while (r == 0 && *list) {
        r = weft__item_take(&list, origin, &item, why);
        if (r < 0) {
            weft__text_add(why, r == -ENOENT ? " of a plugin" : "");
            break;
        }
        why->used = 0;
        weft__text_add(why, "the plugin '%s' (from %s): ", item.name, origin);
        r = switch_on(&item, why);
    }
    if (r < 0) {
        close_all();
    }
    return r;
}

int weft__plugins_start(const struct weft__config *config, struct weft__text *why)
{
    const char *list = weft__environment("WEFT_PLUGINS");
    char origin[sizeof config->path + 16] = "WEFT_PLUGINS";
    int r = 0;

    if (!list && config->plugins_line) {
        list = config->plugins;
        (void)snprintf(origin, sizeof origin, "%s:%d", config->path, config->plugins_line);
    }
    pthread_mutex_lock(&registry.lock);
    if (!registry.started) {
        r = list ? start(list, origin, why) : 0;
        registry.started = r == 0;
    }
    pthread_mutex_unlock(&registry.lock);
    return r;
}

void weft__plugins_forget(void)
{
    pthread_mutex_lock(&registry.lock);
    close_all();
    registry.started = false;
    while (registry.first) {
        struct loaded *loaded = registry.first;

        registry.first = loaded->next;
        weft__free(loaded);
    }
    pthread_mutex_unlock(&registry.lock);
}
