/* SPDX-License-Identifier: MIT
 * weft backends: every backend that is found, what it can do, whether it works here, and which one
 * a program gets that names none. */
#include "tools/weft/weft.h"

#include <argp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/backends.h>
#include <weft/error.h>
#include <weft/loop.h>

#ifdef HAVE_JSON
#include <json.h>
#endif

static const struct {
    uint32_t bit;
    const char *name;
} capabilities[] = {
    { WEFT_BACKEND_DIRECT, "direct" },
    { WEFT_BACKEND_GUEST, "guest" },
    { WEFT_BACKEND_ADOPT, "adopt" },
    { WEFT_BACKEND_REENTERS, "reenters" },
    { WEFT_BACKEND_NANOSECONDS, "nanoseconds" },
    { WEFT_BACKEND_EDGE, "edge" },
    { WEFT_BACKEND_ANY_FD, "any_fd" },
    { WEFT_BACKEND_NEST, "nest" },
    { WEFT_BACKEND_VIRTUAL, "virtual" },
    { WEFT_BACKEND_REAPS, "reaps" },
    { WEFT_BACKEND_COMPLETES, "completes" },
};

#define CAPABILITIES (sizeof capabilities / sizeof capabilities[0])

/* What a program gets that names nothing. */
struct choice {
    char list[512], origin[600];
    int result; /* of asking, and of making a loop */
    char name[40], mode[16];
    char why[1024]; /* the words of an error */
};

static struct choice choose(void)
{
    struct choice choice = { .result = 0 };
    weft_loop *loop;

    choice.result =
        weft_backend_default(choice.list, sizeof choice.list, choice.origin, sizeof choice.origin);
    if (choice.result >= 0) {
        choice.result = weft_loop_new(NULL, &loop);
    }
    if (choice.result < 0) {
        snprintf(choice.why, sizeof choice.why, "%s", weft_error_detail());
        return choice;
    }
    snprintf(choice.name, sizeof choice.name, "%s", weft_loop_backend_name(loop));
    snprintf(choice.mode, sizeof choice.mode, "%s", weft_loop_backend_mode(loop));
    weft_loop_close(loop);
    return choice;
}

static const char *library_of(const weft_backend *backend)
{
    return backend && backend->library ? backend->library() : NULL;
}

/* For people. */

static int print_one(const weft_backend_info *info, void *unused)
{
    const weft_backend *backend = info->backend;
    const char *library = library_of(backend);

    (void)unused;
    printf("%-8s %s", info->name, info->usable < 0 ? "does not work here" : "works");
    if (library) {
        printf(", on %s", library);
    }
    printf("; %s\n", info->path ? info->path : "part of the library");
    if (backend) {
        printf("         %s\n        ", backend->summary);
        for (size_t i = 0; i < CAPABILITIES; i++) {
            if (backend->ops->caps & capabilities[i].bit) {
                printf(" %s", capabilities[i].name);
            }
        }
        printf("\n");
    }
    if (info->usable < 0) {
        printf("         %s: %s\n", weft_err_name(info->usable), info->why);
    }
    if (info->usable < 0 && backend && *backend->needs) {
        printf("         it needs %s\n", backend->needs);
    }
    return 0;
}

static int print_all(void)
{
    struct choice choice;
    int r = weft_backend_list(print_one, NULL);

    if (r < 0) {
        fprintf(stderr, "weft: %s\n", weft_strerror(r));
        return 1;
    }
    choice = choose();
    if (choice.result < 0) {
        printf("\nA program that names none fails: %s: %s\n", weft_err_name(choice.result),
               choice.why);
        return 1;
    }
    printf("\nA program that names none runs on %s (%s): %s says '%s'.\n", choice.name, choice.mode,
           choice.origin, choice.list);
    return 0;
}

/* For programs. */

#ifdef HAVE_JSON

static void add_text(struct json_object *object, const char *key, const char *text)
{
    json_object_object_add(object, key, text && *text ? json_object_new_string(text) : NULL);
}

static int add_one(const weft_backend_info *info, void *arg)
{
    const weft_backend *backend = info->backend;
    struct json_object *one = json_object_new_object(), *can = json_object_new_array();

    add_text(one, "name", info->name);
    add_text(one, "path", info->path);
    add_text(one, "summary", backend ? backend->summary : NULL);
    add_text(one, "version", backend ? backend->version : NULL);
    add_text(one, "library", library_of(backend));
    add_text(one, "needs", backend ? backend->needs : NULL);
    for (size_t i = 0; backend && i < CAPABILITIES; i++) {
        if (backend->ops->caps & capabilities[i].bit) {
            json_object_array_add(can, json_object_new_string(capabilities[i].name));
        }
    }
    json_object_object_add(one, "capabilities", can);
    json_object_object_add(one, "usable", json_object_new_boolean(info->usable >= 0));
    add_text(one, "error", info->usable < 0 ? weft_err_name(info->usable) : NULL);
    add_text(one, "why", info->why);
    json_object_array_add(arg, one);
    return 0;
}

static int print_json(void)
{
    struct json_object *all = json_object_new_object(), *list = json_object_new_array();
    struct json_object *chosen = json_object_new_object();
    struct choice choice;
    int r = weft_backend_list(add_one, list);

    if (r >= 0) {
        choice = choose();
        r = choice.result;
        add_text(chosen, "list", choice.list);
        add_text(chosen, "origin", choice.origin);
        add_text(chosen, "backend", choice.name);
        add_text(chosen, "mode", choice.mode);
        add_text(chosen, "error", r < 0 ? weft_err_name(r) : NULL);
        add_text(chosen, "why", choice.why);
    }
    add_text(all, "version", weft_version());
    json_object_object_add(all, "abi", json_object_new_int(WEFT_BACKEND_ABI));
    json_object_object_add(all, "backends", list);
    json_object_object_add(all, "default", chosen);
    puts(json_object_to_json_string_ext(all,
                                        JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(all);
    return r < 0;
}

#else

static int print_json(void)
{
    fprintf(stderr, "weft: this one was built without json-c\n");
    return 2;
}

#endif

static error_t parse(int key, char *argument, struct argp_state *state)
{
    switch (key) {
    case 'j': *(bool *)state->input = true; return 0;
    case ARGP_KEY_ARG: argp_error(state, "there is nothing to name: '%s'", argument); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

int command_backends(int argc, char **argv)
{
    static const struct argp_option options[] = {
        { "json", 'j', NULL, 0, "for programs: one JSON object", 0 },
        { 0 },
    };
    static const struct argp argp = {
        options,
        parse,
        "",
        "Lists the backends: those of the library and those of the plugin directories, with the "
        "library below, what they can do and whether they work here; then which one a program gets "
        "that names none, and who says so.\v"
        "Exit status: 0, or 1 when such a program would fail.",
        NULL,
        NULL,
        NULL,
    };
    bool json = false;

    argp_parse(&argp, argc, argv, 0, NULL, &json);
    return json ? print_json() : print_all();
}
