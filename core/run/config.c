/* SPDX-License-Identifier: MIT
 * Reading weft.conf, with inih.
 *
 * The lines are counted here and not there: inih tells one line for all that is wrong, and a
 * handler cannot ask it where it is. */
#include "core/run/config.h"

#include "core/base/mem.h"
#include "core/run/load.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#ifdef HAVE_INIH
#include <ini.h>
#endif

#define FILE_MAX 16384 /* bytes of a configuration file */

/* The file in memory, and how far it was read. */
struct reading {
    struct weft__config *config;
    struct weft__text *why;
    char *at, *end;
    int line;
    int wrong; /* the line in which the first error was found here; 0: in none */
};

#ifdef HAVE_INIH

static void complain(struct reading *reading, const char *what, const char *about)
{
    if (!reading->wrong) {
        reading->wrong = reading->line;
        weft__text_add(reading->why, "%s:%d: %s '%.100s'", reading->config->path, reading->line,
                       what, about);
    }
}

/* fgets(3) for inih, which cuts long lines into pieces that it takes for lines. */
static char *next_line(char *buffer, int size, void *stream)
{
    struct reading *reading = stream;
    size_t left = (size_t)(reading->end - reading->at), length;
    const char *newline = memchr(reading->at, '\n', left);

    if (left == 0) {
        return NULL;
    }
    length = newline ? (size_t)(newline - reading->at) + 1 : left;
    reading->line++;
    if (length >= (size_t)size) {
        complain(reading, "a line that is too long begins with", buffer);
        length = (size_t)size - 1;
    } else if (memchr(reading->at, '\0', length)) {
        complain(reading, "a zero byte is in the line of", "\\0");
    }
    memcpy(buffer, reading->at, length);
    buffer[length] = '\0';
    reading->at = newline ? reading->at + (newline - reading->at) + 1 : reading->end;
    return buffer;
}

static int keep(struct reading *reading, char *place, size_t size, int *line, const char *name,
                const char *value)
{
    if (*line) {
        complain(reading, "there is a second", name);
        return 0;
    }
    if (strlen(value) >= size) {
        complain(reading, "too long is the value of", name);
        return 0;
    }
    memcpy(place, value, strlen(value) + 1);
    *line = reading->line;
    return 1;
}

static int take_pair(void *user, const char *section, const char *name, const char *value)
{
    struct reading *reading = user;
    struct weft__config *config = reading->config;

    if (strcmp(section, "weft") != 0) {
        complain(reading, "not in the section [weft] but in another or none is", name);
        return 0;
    }
    if (strcmp(name, "backend") == 0) {
        return keep(reading, config->backend, sizeof config->backend, &config->backend_line, name,
                    value);
    }
    if (strcmp(name, "plugins") == 0) {
        return keep(reading, config->plugins, sizeof config->plugins, &config->plugins_line, name,
                    value);
    }
    if (strcmp(name, "debug") == 0) {
        return keep(reading, config->debug, sizeof config->debug, &config->debug_line, name, value);
    }
    complain(reading, "there is no option", name);
    return 0;
}

static int parse(struct reading *reading)
{
    int line = ini_parse_stream(next_line, reading, take_pair, reading);

    if (line == -2) {
        weft__text_add(reading->why, "no memory to read %s", reading->config->path);
        return -ENOMEM;
    }
    if (line > 0 && (!reading->wrong || line < reading->wrong)) {
        reading->why->used = 0;
        weft__text_add(reading->why, "%s:%d: neither '[section]' nor 'name = value'",
                       reading->config->path, line);
        return -EINVAL;
    }
    return reading->wrong ? -EINVAL : 0;
}

#else

/* An empty file says nothing, and /dev/null is one. */
static int parse(struct reading *reading)
{
    if (reading->at == reading->end) {
        return 0;
    }
    weft__text_add(reading->why, "%s cannot be read: this weft was built without inih",
                   reading->config->path);
    return -EOPNOTSUPP;
}

#endif

static ssize_t read_all(int fd, char *buffer, size_t size)
{
    size_t used = 0;

    while (used < size) {
        ssize_t n = WEFT__SYS(read(fd, buffer + used, size - used));

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n < 0 ? -errno : (ssize_t)used;
        }
        used += (size_t)n;
    }
    return -EFBIG;
}

/* Reads config->path.  -ENOENT there is no such file. */
static int read_file(struct weft__config *config, struct weft__text *why)
{
    struct reading reading = { .config = config, .why = why };
    char *buffer;
    ssize_t n;
    int fd = WEFT__SYS(open(config->path, O_RDONLY | O_CLOEXEC | O_NOCTTY));

    if (fd < 0) {
        return -errno;
    }
    buffer = weft__alloc(NULL, FILE_MAX);
    n = buffer ? read_all(fd, buffer, FILE_MAX) : -ENOMEM;
    if (n >= 0) {
        reading.at = buffer;
        reading.end = buffer + n;
        n = parse(&reading);
    } else {
        weft__text_add(why, "%s: %s", config->path, strerror((int)-n));
    }
    weft__free(buffer);
    close(fd);
    return (int)n;
}

/* One that may be there or not: 1 when it was read, 0 when it is not there. */
static int try_file(struct weft__config *config, struct weft__text *why)
{
    int r = read_file(config, why);

    if (r == 0) {
        return 1;
    }
    if (r == -ENOENT || r == -ENOTDIR || r == -EACCES) {
        config->path[0] = '\0';
        return 0;
    }
    if (!why->used) {
        weft__text_add(why, "%s: %s", config->path, strerror(-r));
    }
    return r;
}

/* The file of whoever runs the program; false: there can be none. */
static bool name_own(struct weft__config *config)
{
    const char *home = weft__environment("XDG_CONFIG_HOME");
    const char *below = "";
    int n;

    if (!home || home[0] != '/') {
        home = weft__environment("HOME");
        below = "/.config";
    }
    if (!home || home[0] != '/') {
        return false;
    }
    n = snprintf(config->path, sizeof config->path, "%s%s/weft/weft.conf", home, below);
    return n > 0 && (size_t)n < sizeof config->path;
}

int weft__config_read(struct weft__config *config, struct weft__text *why)
{
    const char *named = weft__environment("WEFT_CONFIG");
    int r = 0;

    memset(config, 0, sizeof *config);
    if (named) {
        if (strlen(named) >= sizeof config->path) {
            weft__text_add(why, "%.60s... (from WEFT_CONFIG) is too long", named);
            return -ENAMETOOLONG;
        }
        memcpy(config->path, named, strlen(named) + 1);
        r = read_file(config, why);
        if (r < 0 && !why->used) {
            weft__text_add(why, "%s (from WEFT_CONFIG): %s", named, strerror(-r));
        }
        return r;
    }
#ifdef HAVE_INIH
    if (name_own(config)) {
        r = try_file(config, why);
    }
    if (r == 0) {
        (void)snprintf(config->path, sizeof config->path, "%s", WEFT_CONFIG_FILE);
        r = try_file(config, why);
    }
#else
    (void)try_file, (void)name_own;
#endif
    return r < 0 ? r : 0;
}
