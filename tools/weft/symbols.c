/* SPDX-License-Identifier: MIT
 * Names of what lies at an address in another process: by the mapped files' tables, or as the file
 * and the offset in it. */
#include "tools/weft/symbols.h"

#include "tools/weft/unwind.h"
#include "tools/weft/words.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct symbols {
    struct process *process;
    struct unwind *unwind; /* libdw's side; NULL: not begun, or there is none */
    bool begun;
    char *maps; /* what is mapped, as the system tells it; NULL: not read yet */
};

struct symbols *symbols_open(struct process *process)
{
    struct symbols *symbols = calloc(1, sizeof *symbols);

    if (symbols) {
        symbols->process = process;
    }
    return symbols;
}

void symbols_close(struct symbols *symbols)
{
    if (!symbols) {
        return;
    }
    if (symbols->unwind) {
        unwind_close(symbols->unwind);
    }
    free(symbols->maps);
    free(symbols);
}

static struct unwind *unwind_of(struct symbols *symbols)
{
    if (!symbols->begun) {
        symbols->begun = true;
        symbols->unwind = unwind_open(symbols->process);
    }
    return symbols->unwind;
}

static char *maps_of(const struct process *process)
{
    char path[64], bytes[4096], *text = NULL;
    size_t size = 0, n;
    FILE *maps, *copy = open_memstream(&text, &size);

    (void)snprintf(path, sizeof path, "/proc/%d/maps", (int)process->pid);
    maps = copy && !process->core ? fopen(path, "re") : NULL;
    while (maps && (n = fread(bytes, 1, sizeof bytes, maps)) > 0) {
        fwrite(bytes, 1, n, copy);
    }
    if (maps) {
        fclose(maps);
    }
    if (copy) {
        fclose(copy);
    }
    return text;
}

/* "hangs+0x4220"; "": no file is mapped there.  The list of what is mapped is read once. */
static void name_by_file(struct symbols *symbols, uint64_t address, char *to, size_t size)
{
    unsigned long long start, end, offset;
    const char *line = symbols->maps = symbols->maps ? symbols->maps : maps_of(symbols->process);

    *to = '\0';
    for (; line && *line; line += strcspn(line, "\n"), line += *line == '\n') {
        int length = (int)strcspn(line, "\n"), path = 0;

        if (sscanf(line, "%llx-%llx %*s %llx %*s %*s %n", &start, &end, &offset, &path) == 3 &&
            address >= start && address < end && path > 0 && path < length && line[path] == '/') {
            char file[256];

            (void)snprintf(file, sizeof file, "%.*s", length - path, line + path);
            (void)snprintf(to, size, "%s+%#llx", word_file(file),
                           (unsigned long long)address - start + offset);
            return;
        }
    }
}

void symbols_name(struct symbols *symbols, uint64_t address, char *to, size_t size)
{
    struct unwind *unwind = unwind_of(symbols);

    if (!unwind || !unwind_name(unwind, address, to, size)) {
        name_by_file(symbols, address, to, size);
    }
}

/* Of which part of a WEFT_ASYNC() a function was made, if any. */
enum part { NO_PART, BODY, RUN };

/* The name of a function as its author wrote it. */
static enum part clean_name(char *name)
{
    size_t length;

    name[strcspn(name, ".")] = '\0'; /* what a compiler adds: .cold, .part.0 */
    length = strlen(name);
    if (length > 6 && strcmp(name + length - 6, "__body") == 0) {
        name[length - 6] = '\0';
        return BODY;
    }
    if (length > 5 && strcmp(name + length - 5, "__run") == 0) {
        name[length - 5] = '\0';
        return RUN;
    }
    return NO_PART;
}

/* Leaves out what the library calls inside: all that is called by one of its public functions, up
 * to the next coroutine or another file's function.  `ours` says which frames are not its own. */
static unsigned leave_out(struct symbols_frame *frames, const bool *ours, unsigned count)
{
    unsigned kept = count;
    bool inside = false;

    for (unsigned i = count; i > 0; i--) { /* from the outermost; kept ones move to the end */
        const char *name = frames[i - 1].function;

        inside = inside && !ours[i - 1];
        if (!inside && strncmp(name, "weft__", 6) != 0) {
            frames[--kept] = frames[i - 1];
        }
        inside = inside || (!ours[i - 1] && strncmp(name, "weft_", 5) == 0 &&
                            strncmp(name, "weft__", 6) != 0);
    }
    memmove(frames, frames + kept, (count - kept) * sizeof *frames);
    return count - kept;
}

/* A coroutine that ended by a tail call has no frame any more: it is put where it was, with the
 * line of its definition. */
static unsigned add_coroutines(const struct look_task *task, struct symbols_frame *frames,
                               unsigned count)
{
    struct symbols_frame merged[STACK_MAX]; /* the outermost first */
    unsigned n = 0, at = count;

    for (unsigned c = task->chain_count; c > 0 && n < STACK_MAX; c--) {
        const struct look_def *def = task->chain[c - 1];
        unsigned found = at;

        while (found > 0 && strcmp(frames[found - 1].function, def->name) != 0) {
            found--;
        }
        for (; found && at >= found && n < STACK_MAX; at--) {
            merged[n++] = frames[at - 1];
        }
        if (!found) {
            (void)snprintf(merged[n].function, TEXT_SIZE, "%s", def->name);
            (void)snprintf(merged[n++].place, TEXT_SIZE, "%.100s:%u", word_file(def->file),
                           def->line);
        }
    }
    for (; at > 0 && n < STACK_MAX; at--) {
        merged[n++] = frames[at - 1];
    }
    for (unsigned i = 0; i < n; i++) {
        frames[i] = merged[n - 1 - i];
    }
    return n;
}

unsigned symbols_stack(struct symbols *symbols, const struct look_task *task,
                       struct symbols_frame *ret)
{
    struct unwind *unwind = unwind_of(symbols);
    uint64_t addresses[STACK_MAX];
    bool ours[STACK_MAX];
    const void *library;
    enum part last = NO_PART;
    bool named = false;
    unsigned count, kept = 0;

    if (!unwind || !task->sp || task->state == LOOK_RUNS || task->state == LOOK_ENDED) {
        return 0;
    }
    library = unwind_module(unwind, symbols->process->roots[0]);
    count = unwind_stack(unwind, task->sp, task->address, addresses, STACK_MAX);
    for (unsigned i = 0; i < count; i++) {
        struct symbols_frame *frame = &ret[kept];
        uint64_t at = addresses[i] - 1; /* before where it would return to: the call itself */
        enum part part;

        if (!unwind_place(unwind, at, frame->function, sizeof frame->function, frame->place,
                          sizeof frame->place)) {
            name_by_file(symbols, at, frame->place, sizeof frame->place);
        }
        named = named || *frame->function;
        part = clean_name(frame->function);
        if (part != RUN || last != BODY) { /* else it only calls what was told */
            ours[kept++] = part || unwind_module(unwind, at) != library;
        }
        last = part;
    }
    if (!named) {
        return 0; /* numbers alone tell less than coroutines */
    }
    kept = leave_out(ret, ours, kept);
    return count < STACK_MAX && !task->endless ? add_coroutines(task, ret, kept) : kept;
}
