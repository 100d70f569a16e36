/* SPDX-License-Identifier: MIT
 * The environment of a child, and where it makes the system look for a program. */
#include "core/base/mem.h"
#include "core/proc/spawn.h"

#include <errno.h>
#include <string.h>

#define PATH_WITHOUT_PATH "/usr/local/bin:/usr/bin:/bin"

extern char **environ;

/* How long the name in front of the '=' is. */
static size_t name_length(const char *entry)
{
    return strcspn(entry, "=");
}

static bool is_same_name(const char *a, const char *b)
{
    size_t length = name_length(a);

    return length == name_length(b) && memcmp(a, b, length) == 0;
}

static size_t count(const char *const *list)
{
    size_t n = 0;

    while (list && list[n]) {
        n++;
    }
    return n;
}

/* Whether an entry is named by one of `list`. */
static bool is_named(const char *entry, const char *const *list)
{
    for (; *list; list++) {
        if (is_same_name(entry, *list)) {
            return true;
        }
    }
    return false;
}

const char *const *weft__environ(void)
{
    static const char *const none[] = { NULL };

    return environ ? (const char *const *)environ : none; /* clearenv(3) leaves no list at all */
}

int weft__environ_make(const weft_process_options *options, const char ***ret_env)
{
    const char *const *base = options->env ? options->env : weft__environ();
    const char *const *add = options->env_add;
    const char **env;
    size_t n = 0;

    *ret_env = NULL;
    if (!add) {
        return 0;
    }
    env = weft__alloc(NULL, (count(base) + count(add) + 1) * sizeof *env);
    if (!env) {
        return -ENOMEM;
    }
    for (size_t i = 0; base[i]; i++) {
        if (!is_named(base[i], add)) {
            env[n++] = base[i];
        }
    }
    for (size_t i = 0; add[i]; i++) {
        if (strchr(add[i], '=') && !is_named(add[i], add + i + 1)) { /* the last one counts */
            env[n++] = add[i];
        }
    }
    env[n] = NULL;
    *ret_env = env;
    return 0;
}

static const char *find_path(const char *const *env)
{
    for (; env && *env; env++) {
        if (strncmp(*env, "PATH=", 5) == 0) {
            return *env + 5;
        }
    }
    return PATH_WITHOUT_PATH;
}

/* One candidate after the other, each with its NUL; returns where the next one goes. */
static char *put_candidate(char *to, const char *folder, size_t length, const char *file)
{
    memcpy(to, folder, length);
    to += length;
    if (length > 0) { /* an empty folder is the one where the child is */
        *to++ = '/';
    }
    strcpy(to, file);
    return to + strlen(file) + 1;
}

char *weft__environ_candidates(const char *file, const char *const *env)
{
    const char *path = find_path(env);
    size_t folders = 1;
    char *list, *end;

    if (strchr(file, '/') || *file == '\0') {
        path = ""; /* as it is */
    }
    for (const char *at = path; *at; at++) {
        folders += *at == ':';
    }
    list = weft__alloc(NULL, strlen(path) + folders * (strlen(file) + 2) + 1);
    if (!list) {
        return NULL;
    }
    end = list;
    for (;;) {
        size_t length = strcspn(path, ":");

        end = put_candidate(end, path, length, file);
        if (path[length] == '\0') {
            break;
        }
        path += length + 1;
    }
    *end = '\0';
    return list;
}
