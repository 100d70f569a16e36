/* SPDX-License-Identifier: MIT
 * Plugins: one of each kind at work, those that are switched on, and those that are refused. */
#include "core/run/plugin.h"
#include "tests/load/kinds.h"
#include "tests/load/load.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <weft/plugin.h>

static void begin(const char *switched_on)
{
    weft__plugins_forget();
    setenv("WEFT_PLUGIN_PATH", load_dir(), 1);
    if (switched_on) {
        setenv("WEFT_PLUGINS", switched_on, 1);
    } else {
        unsetenv("WEFT_PLUGINS");
    }
}

/* Moves what is to go to the wire from one end to the other. */
static void carry(const weft_filter *table, void *from, void *to)
{
    char wire[16];
    int64_t n = table->drain(from, wire, sizeof wire);

    CU_ASSERT(n >= 0);
    CU_ASSERT_EQUAL(table->feed(to, wire, (size_t)n), n);
}

static void a_filter_scrambles_and_greets(void)
{
    const weft_plugin *plugin = NULL;
    const weft_filter *table;
    void *self = NULL, *ends[2];
    char text[16] = "";

    begin(NULL);
    CU_ASSERT_EQUAL_FATAL(weft_plugin_find("filter", WEFT_PLUGIN_FILTER, &plugin), 0);
    CU_ASSERT_EQUAL_FATAL(weft_plugin_open(plugin, NULL, &self), 0);
    table = plugin->table;
    CU_ASSERT_EQUAL(table->start(self, 0, "loom.test", &ends[0]), 0);
    CU_ASSERT_EQUAL(table->start(self, 1, NULL, &ends[1]), 0);
    CU_ASSERT_EQUAL(table->step(ends[0]), -EAGAIN);
    carry(table, ends[0], ends[1]);
    carry(table, ends[1], ends[0]);
    CU_ASSERT_EQUAL(table->step(ends[0]), 0);
    CU_ASSERT_EQUAL(table->step(ends[1]), 0);
    CU_ASSERT_EQUAL(table->read(ends[1], text, sizeof text), -EAGAIN);
    CU_ASSERT_EQUAL(table->write(ends[0], "woven", 5), 5);
    carry(table, ends[0], ends[1]);
    CU_ASSERT_EQUAL(table->read(ends[1], text, sizeof text), 5);
    CU_ASSERT_STRING_EQUAL(text, "woven");
    CU_ASSERT_EQUAL(table->info(ends[0], "peer", text, sizeof text), 9);
    CU_ASSERT_STRING_EQUAL(text, "loom.test");
    CU_ASSERT_EQUAL(table->info(ends[0], "cipher", text, sizeof text), -ENOENT);
    CU_ASSERT_EQUAL(table->feed(ends[1], "", 0), 0);
    CU_ASSERT_EQUAL(table->read(ends[1], text, sizeof text), 0);
    table->end(ends[0]);
    table->end(ends[1]);
    plugin->close(self);
}

static void a_resolver_and_a_symboliser_are_switched_on(void)
{
    const weft_plugin *plugin = NULL;
    const weft_resolver *resolver;
    const weft_symboliser *symboliser;
    weft_place place = { .size = sizeof place };
    weft_address address;
    void *self = NULL;

    begin("resolver,symboliser");
    CU_ASSERT_EQUAL(weft_plugin_switched_on(WEFT_PLUGIN_RESOLVER, 0, NULL, NULL), -ENOENT);
    CU_ASSERT_EQUAL(try_on("sim", "sim"), 0);
    CU_ASSERT_EQUAL_FATAL(weft_plugin_switched_on(WEFT_PLUGIN_RESOLVER, 0, &plugin, &self), 0);
    resolver = plugin->table;
    CU_ASSERT_EQUAL(resolver->resolve(self, "loom.test", NULL, 0, 0, 0, &address, 1), 1);
    CU_ASSERT_EQUAL(address.family, AF_INET);
    CU_ASSERT_EQUAL(address.length, sizeof(struct sockaddr_in));
    CU_ASSERT_EQUAL(resolver->resolve(self, "other.test", NULL, 0, 0, 0, &address, 1), -ENOENT);
    CU_ASSERT_EQUAL(weft_plugin_switched_on(WEFT_PLUGIN_RESOLVER, 1, NULL, NULL), -ENOENT);
    CU_ASSERT_EQUAL_FATAL(weft_plugin_switched_on(WEFT_PLUGIN_SYMBOLISER, 0, &plugin, &self), 0);
    symboliser = plugin->table;
    CU_ASSERT_EQUAL(symboliser->place(self, (const char *)(uintptr_t)getenv + 1, &place), 0);
    CU_ASSERT(place.offset >= 1);
    CU_ASSERT(place.function[0] != '\0');
}

static int handled;

static void handle(weft_loop *loop, const weft_report *report, void *arg)
{
    (void)loop, (void)report, (void)arg;
    handled++;
}

static void reports(const char *list, bool swallows)
{
    const weft_report report = { .size = sizeof report, .message = "something odd" };
    weft_loop *loop = NULL;
    void *self = NULL;

    begin(list);
    handled = 0;
    CU_ASSERT_EQUAL_FATAL(weft_loop_new("sim", &loop), 0);
    CU_ASSERT_EQUAL(weft_loop_set_exception_handler(loop, handle, NULL), 0);
    CU_ASSERT_EQUAL(weft_loop_call_exception_handler(loop, &report), 0);
    CU_ASSERT_EQUAL(weft_loop_close(loop), 0);
    CU_ASSERT_EQUAL_FATAL(weft_plugin_switched_on(WEFT_PLUGIN_SINK, 0, NULL, &self), 0);
    CU_ASSERT_EQUAL(((struct sink_self *)self)->reports, 1);
    CU_ASSERT_STRING_EQUAL(((struct sink_self *)self)->last, "something odd");
    CU_ASSERT_EQUAL(handled, !swallows);
}

static void a_sink_hears_reports(void)
{
    reports("sink", false);
    reports("sink:swallow=1", true);
}

static void stop(void *loop)
{
    CU_ASSERT_EQUAL(weft_loop_stop(loop), 0);
}

static void an_instrument_sees_loops(void)
{
    struct instrument_self *seen;
    weft_loop *loop = NULL;
    void *self = NULL;

    begin("instrument,sink");
    CU_ASSERT_EQUAL_FATAL(weft_loop_new("sim", &loop), 0);
    CU_ASSERT_EQUAL_FATAL(weft_plugin_switched_on(WEFT_PLUGIN_INSTRUMENT, 0, NULL, &self), 0);
    seen = self;
    CU_ASSERT_EQUAL(seen->opened, 1);
    CU_ASSERT_EQUAL(weft_loop_call_later(loop, 5, stop, loop, NULL), 0);
    CU_ASSERT_EQUAL(weft_loop_run_forever(loop), 0);
    CU_ASSERT_EQUAL(seen->waits, 1);
    CU_ASSERT_EQUAL(seen->woke, 1);
    CU_ASSERT_EQUAL(weft_loop_close(loop), 0);
    CU_ASSERT_EQUAL(seen->closed, 1);
}

static void what_does_not_fit_is_refused(void)
{
    const weft_plugin *plugin = NULL;
    weft_tls *tls = NULL;

#define REFUSED(name, error, words)                                              \
    CU_ASSERT_EQUAL(weft_plugin_find(name, WEFT_PLUGIN_FILTER, &plugin), error); \
    CU_ASSERT(says(words));
    begin(NULL);
    REFUSED("p_wrongabi", -ELIBBAD, "is built for version 9 of the plugin ABI, and this is 1")
    REFUSED("p_badmagic", -ELIBBAD, "has no plugin's descriptor")
    REFUSED("p_shortdesc", -ELIBBAD, "cut short")
    REFUSED("p_shorttable", -ELIBBAD, "has a table that is cut short")
    REFUSED("p_misnamed", -ELIBBAD, "calls itself 'other', not 'p_misnamed'")
    REFUSED("p_unknownkind", -ELIBBAD, "is of a kind that is not known here")
    REFUSED("sink", -EPROTOTYPE, "it is a sink, not a filter")
    REFUSED("nosuch", -ENOENT, "/weft-plugin-nosuch.so: No such file")
    if (access(WEFT_PLUGIN_DIR "/weft-plugin-symbols.so", F_OK) < 0) { /* else: installed here */
        REFUSED("symbols", -ENOENT, "Debian has it in the package libweft-plugin-symbols")
    }
    REFUSED("../evil", -ENOENT, "'../evil' is no name of a plugin")
    CU_ASSERT_EQUAL(weft_tls_new(&(weft_tls_options){ .plugin = "p_wrongabi" }, &tls), -ELIBBAD);
    CU_ASSERT(!plugin && !tls);
    CU_ASSERT_EQUAL(weft_plugin_find(NULL, WEFT_PLUGIN_SINK, &plugin), -EINVAL);
    CU_ASSERT_EQUAL(weft_plugin_find("sink", 77, &plugin), -EINVAL);
    CU_ASSERT_EQUAL(weft_plugin_open(NULL, "", NULL), -EINVAL);
}

static int switch_afresh(void)
{
    weft_loop *loop = NULL;
    int r = weft_loop_new("sim", &loop);

    if (r == 0) {
        CU_ASSERT_EQUAL(weft_loop_close(loop), 0);
    }
    forget_all();
    weft__plugins_forget();
    return r;
}

static void each_failure_while_switching_on_is_told(void)
{
    begin("sink,instrument");
    forget_all();
    sweep_faults(switch_afresh);
}

static void what_cannot_be_switched_on_fails_the_loop(void)
{
    begin("sink,p_failing");
    FAILS("sim", -EIO, "the plugin 'p_failing' (from WEFT_PLUGINS): it has a bad day");
    CU_ASSERT_EQUAL(weft_plugin_switched_on(WEFT_PLUGIN_SINK, 0, NULL, NULL), -ENOENT);
    begin("sink:loud");
    FAILS("sim", -EINVAL, "takes swallow=1, not 'loud'");
    begin("nosuch");
    FAILS("sim", -ENOENT, "the plugin 'nosuch' (from WEFT_PLUGINS): ");
    begin("filter");
    FAILS("sim", -EINVAL, "a filter is asked for by the program");
    begin("../evil");
    FAILS("sim", -ENOENT, "'../evil' (from WEFT_PLUGINS) is no name of a plugin");
    setenv("WEFT_PLUGINS", "sink", 1); /* and the next call tries again */
    CU_ASSERT_EQUAL(try_on("sim", "sim"), 0);
    begin(NULL);
    CU_ASSERT_EQUAL(try_on("sim", "sim"), 0);
    forget_all();
    weft__plugins_forget();
}

static CU_TestInfo tests[] = {
    TEST(a_filter_scrambles_and_greets),
    TEST(a_resolver_and_a_symboliser_are_switched_on),
    TEST(a_sink_hears_reports),
    TEST(an_instrument_sees_loops),
    TEST(what_does_not_fit_is_refused),
    TEST(each_failure_while_switching_on_is_told),
    TEST(what_cannot_be_switched_on_fails_the_loop),
    CU_TEST_INFO_NULL,
};

WEFT_UNIT_MAIN(plugin, tests)
