/* SPDX-License-Identifier: MIT
 * weft-backend-test: whether a backend keeps to <weft/backend.h>. */
#include "tools/backend-test/kit.h"

#include <argp.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <weft/backends.h>
#include <weft/error.h>

#define LIMIT 60     /* seconds for one case */
#define EXIT_SKIP 77 /* a case's way of saying so; anything else but 0 is a failure */
#define EXIT_WRONG 1

static const struct kit_group groups[] = {
    { "handshake", kit_handshake },
    { "life", kit_life },
    { "kinds", kit_kinds },
    { "level", kit_level },
    { "files", kit_files },
    { "numbers", kit_numbers },
    { "unwatch", kit_unwatching },
    { "deadlines", kit_deadlines },
    { "wake", kit_waking },
    { "signals", kit_signals },
    { "fork", kit_forking },
    { "adoption", kit_adoption },
    { "dispositions", kit_dispositions },
    { "nesting", kit_nesting },
    { "faults", kit_faults },
    { "completion", kit_completion },
    { "loading", kit_loading },
};

static const char *wanted;  /* NAME or FILE */
static const char *pattern; /* of cases to run; NULL: all */
static bool in_process, list_only;
static int number, failed;
static bool case_failed;   /* in the case's own process */
static int report_to = -1; /* the case's end of the pipe; its words of skipping go there */

bool kit_check(bool holds, const char *claim, const char *file, int line)
{
    if (!holds) {
        kit_note("%s:%d: not so: %s", file, line, claim);
        case_failed = true;
    }
    return holds;
}

bool kit_equal(int64_t value, int64_t expected, const char *words, const char *expected_words,
               const char *file, int line)
{
    if (value != expected) {
        bool named = value < 0 && value > -4096;

        kit_note("%s:%d: %s is %lld%s%s%s, not %s (%lld)", file, line, words, (long long)value,
                 named ? " (" : "", named ? weft_err_name((int)value) : "", named ? ")" : "",
                 expected_words, (long long)expected);
        case_failed = true;
    }
    return value == expected;
}

void kit_note(const char *format, ...)
{
    va_list arguments;

    printf("#   ");
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
    fflush(stdout);
}

void kit_skip(const char *why)
{
    ssize_t n = write(report_to, why, strlen(why));

    fflush(stdout);
    _exit(case_failed || n < 0 ? EXIT_WRONG : EXIT_SKIP);
}

/* Why a case makes no sense for this backend in this mode; NULL: it does. */
static const char *unfit(const struct kit_case *one)
{
    uint32_t caps = kit.ops->caps, needs = one->needs;
    bool guest = kit.mode == WEFT_BACKEND_MODE_GUEST;
    bool real = !(caps & WEFT_BACKEND_VIRTUAL);
    bool in_guest = needs & (KIT_GUEST | KIT_OPEN | KIT_TIME | KIT_ADOPT | KIT_REENTER | KIT_SELF);

    if (needs & KIT_GUEST && !guest) {
        return "it is for guest mode";
    }
    if (guest && !in_guest) {
        return "it was done in direct mode";
    }
    if (needs & KIT_WATCH && (!real || guest)) {
        return real ? "our own poller watches in guest mode" : "time is virtual";
    }
    if (needs & KIT_ADOPT && !(caps & WEFT_BACKEND_ADOPT)) {
        return "it adopts no loop";
    }
    if (needs & (KIT_ADOPT | KIT_REENTER) && !kit.ops->native) {
        return "it shows no loop of its own, which the test would need";
    }
    if (needs & KIT_REENTER && !(caps & WEFT_BACKEND_REENTERS)) {
        return "its loop does not run within itself";
    }
    if (needs & KIT_COMPLETE && !(caps & WEFT_BACKEND_COMPLETES)) {
        return "it completes nothing";
    }
    if (needs & KIT_FILE && !kit.path) {
        return "it is part of the library";
    }
    if (kit.host && !kit.ops->run && needs & (KIT_OPEN | KIT_SELF | KIT_WATCH | KIT_TIME)) {
        return "it only adopts loops";
    }
    return NULL;
}

/* What a library opens once in a process and keeps (libuv's pipe for signals) is not a leak: the
 * first loop is before the count.  What each loop leaves is seen in the thousand. */
static void warm_up(const struct kit_case *one)
{
    bool openable = !kit.host || kit.ops->run;

    if (one->needs & (KIT_OPEN | KIT_SELF | KIT_ADOPT) && !(one->needs & KIT_COLD) && openable &&
        kit_open() >= 0) {
        weft_backend_event event;

        if (kit.mode == WEFT_BACKEND_MODE_DIRECT) {
            (void)kit_wait(LOOK, &event, 1);
        } else {
            (void)kit.ops->run(kit.be, LOOK);
        }
        (void)kit_close();
    }
    kit.pumps = kit.closed = 0;
}

/* A case, in its own process; never returns. */
static void run_case(const struct kit_case *one)
{
    int descriptors, threads;

    alarm(LIMIT);
    kit.watches = calloc(WATCHES, WATCH_SIZE_MAX);
    kit_first_thread();
    warm_up(one);
    descriptors = kit_descriptors();
    threads = kit_threads();
    if (one->needs & KIT_OPEN && !EQUAL(kit_open(), 0)) {
        _exit(EXIT_WRONG);
    }
    one->run();
    if (kit.be) {
        EQUAL(kit_close(), 0);
    }
    if (one->needs & (KIT_OPEN | KIT_SELF) && !(one->needs & KIT_COLD)) {
        EQUAL(kit_descriptors(), descriptors);
        CHECK(kit_threads_are(threads));
        EQUAL(kit.blocks, 0);
    }
    free(kit.watches);
    fflush(stdout);
    _exit(case_failed ? EXIT_WRONG : 0);
}

static void result(bool good, const char *label, const char *tail)
{
    failed += !good;
    printf("%sok %d - %s%s\n", good ? "" : "not ", ++number, label, tail);
    fflush(stdout);
}

/* Whoever debugs a case wants it here, and sees the rest of it only by its end. */
static int start(const struct kit_case *one, int ends[2], pid_t *ret_child)
{
    if (pipe(ends) < 0) {
        return -errno;
    }
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    fflush(stdout);
    *ret_child = in_process ? 0 : fork();
    if (*ret_child == 0) {
        close(ends[0]);
        report_to = ends[1];
        run_case(one);
    }
    close(ends[1]);
    return *ret_child < 0 ? -errno : 0;
}

static void conduct(const struct kit_case *one, const char *label)
{
    char tail[256] = "", why[128] = "";
    int ends[2], status = 0;
    pid_t child = -1;
    ssize_t n;

    if (start(one, ends, &child) < 0) {
        result(false, label, " (no process for it)");
        return;
    }
    n = read(ends[0], why, sizeof why - 1);
    why[n > 0 ? n : 0] = '\0';
    close(ends[0]);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    if (WIFSIGNALED(status)) {
        snprintf(tail, sizeof tail, " (%s)",
                 WTERMSIG(status) == SIGALRM ? "it hangs" : strsignal(WTERMSIG(status)));
    } else if (WEXITSTATUS(status) == EXIT_SKIP) {
        snprintf(tail, sizeof tail, " # SKIP %s", why);
        status = 0;
    }
    result(status == 0, label, tail);
}

static void run_group(int which, const char *mode)
{
    const struct kit_group *group = &groups[which];
    bool told = false;

    for (const struct kit_case *one = group->cases; one->name; one++) {
        char label[200], tail[200];
        const char *why = unfit(one);

        snprintf(label, sizeof label, "%d %s: %s%s", which + 1, group->name, one->name, mode);
        if (pattern && fnmatch(pattern, label, 0) != 0) {
            continue;
        }
        if (list_only) {
            printf("%s%s%s\n", label, why ? " # " : "", why ? why : "");
            continue;
        }
        if (!told) {
            printf("# group %d of %zu: %s%s\n", which + 1, sizeof groups / sizeof groups[0],
                   group->name, mode);
            told = true;
        }
        if (why) {
            snprintf(tail, sizeof tail, " # SKIP %s", why);
            result(true, label, tail);
        } else {
            conduct(one, label);
        }
    }
}

static void run_mode(uint32_t mode, const char *name)
{
    kit.mode = mode;
    for (int i = 0; i < (int)(sizeof groups / sizeof groups[0]); i++) {
        run_group(i, name);
    }
}

/* The descriptor of NAME or FILE. */
static int find(void)
{
    int r = strchr(wanted, '/') ? weft_backend_load(wanted, &kit.backend) :
                                  weft_backend_find(wanted, &kit.backend);

    if (r >= 0) {
        kit.ops = kit.backend->ops;
        kit.host = kit.ops->caps & (WEFT_BACKEND_DIRECT | WEFT_BACKEND_GUEST);
    }
    return r;
}

static int keep_path(const weft_backend_info *info, void *unused)
{
    (void)unused;
    if (strcmp(info->name, kit.backend->name) == 0) {
        kit.path = info->path ? strdup(info->path) : NULL;
        return 1;
    }
    return 0;
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    switch (key) {
    case 't': pattern = argument; return 0;
    case 'o': kit.options = argument; return 0;
    case 'i': in_process = true; return 0;
    case 'l': list_only = true; return 0;
    case ARGP_KEY_ARG:
        if (wanted) {
            argp_error(state, "one backend at a time");
        }
        wanted = argument;
        return 0;
    case ARGP_KEY_NO_ARGS: argp_usage(state); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    { "test", 't', "PATTERN", 0, "only the cases whose line matches, as in '8 *'", 0 },
    { "options", 'o', "TEXT", 0, "open the backend with these options", 0 },
    { "list", 'l', NULL, 0, "name the cases and run nothing", 0 },
    { "in-process", 'i', NULL, 0, "run the first case here, for a debugger, and end with it", 0 },
    { 0 },
};

int main(int argc, char **argv)
{
    static const struct argp argp = {
        options,
        parse,
        "NAME|FILE",
        "Tests whether a backend of weft keeps to its contract, <weft/backend.h>.\v"
        "NAME is looked for as weft does, FILE is /DIRECTORY/weft-backend-NAME.so.  The output is "
        "TAP.  Exit status: 0 it does, 1 it does not, 2 it could not be tested.",
        NULL,
        NULL,
        NULL,
    };
    struct rlimit limit;
    char why[256] = "";
    int r;

    argp_parse(&argp, argc, argv, 0, NULL, NULL);
    setvbuf(stdout, NULL, _IOLBF, 0);
    r = find();
    if (r < 0) {
        printf("not ok 1 - 1 handshake: it is loaded\n#   %s\n1..1\n", weft_error_detail());
        return 1;
    }
    if (strchr(wanted, '/')) {
        kit.path = wanted;
    } else {
        weft_backend_list(keep_path, NULL);
    }
    r = kit.backend->probe ? kit.backend->probe(why, sizeof why) : 0;
    if (r < 0) {
        printf("1..0 # SKIP %s does not work here: %s\n", kit.backend->name, why);
        return 2;
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) { /* some cases want many */
        limit.rlim_cur = limit.rlim_max < 65536 ? limit.rlim_max : 65536;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    signal(SIGPIPE, SIG_IGN);
    if (!kit.host || kit.ops->caps & WEFT_BACKEND_DIRECT) {
        run_mode(WEFT_BACKEND_MODE_DIRECT, kit.host ? " (direct)" : "");
    }
    if (kit.ops->caps & WEFT_BACKEND_GUEST) {
        run_mode(WEFT_BACKEND_MODE_GUEST, " (guest)");
    }
    if (!list_only) {
        printf("1..%d\n", number);
    }
    return failed || (number == 0 && !list_only);
}
