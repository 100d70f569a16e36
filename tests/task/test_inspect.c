/* SPDX-License-Identifier: MIT
 * Looking at the tasks of another process from outside, as a tool does: from the ELF note to the
 * root, then by the numbers of core/sched/inspect.h and nothing else that this version knows. */
#include "core/sched/inspect.h"
#include "core/sched/scope.h"
#include "tests/task/task.h"
#include "tools/weft/note.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* The process that is looked at: tasks in known states, and one that blocks it. */

static int ready[2], go_on[2], silent[2];

static bool watches_descriptors(void)
{
    return strcmp(backend_name(), "sim") != 0;
}

WEFT_ASYNC(inner_sleeper)
{
    return weft_sleep(1e6);
}
enum { LINE_OF_INNER_SLEEPER = __LINE__ - 4 };

WEFT_ASYNC(outer_sleeper)
{
    return weft_await(inner_sleeper());
}
enum { LINE_OF_OUTER_SLEEPER = __LINE__ - 4 };

WEFT_ASYNC(wants_lock, (weft_lock *, lock))
{
    return weft_lock_acquire(lock);
}

WEFT_ASYNC(wants_byte)
{
    char c;

    return (int)weft_read(silent[0], &c, 1);
}

/* Runs, and stops the whole process for a while. */
WEFT_ASYNC(blocker, (weft_task *, sleeper))
{
    char c = 'x';
    weft_task_options future = { .name = "future" }, task = { .name = "task" };
    weft_task_options ended = { .name = "ended" }, locked = { .name = "locked" };
    weft_task_options reader = { .name = "reader" };
    weft_lock lock = WEFT_LOCK_INIT;
    weft_future *never = NULL;
    weft_task *kept;

    EQUAL(weft_future_new(NULL, &never), 0);
    EQUAL(weft_task_detach(weft_create_task(awaits_future(never), &future)), 0);
    EQUAL(weft_task_detach(weft_create_task(awaits_task(weft_task_ref(sleeper)), &task)), 0);
    EQUAL(weft_lock_acquire(&lock), 0);
    EQUAL(weft_task_detach(weft_create_task(wants_lock(&lock), &locked)), 0);
    if (watches_descriptors()) {
        EQUAL(weft_task_detach(weft_create_task(wants_byte(), &reader)), 0);
    }
    kept = weft_create_task(gives(-77), &ended);
    weft_sleep(0);
    EQUAL(weft_task_detach(weft_create_task(gives(0), NULL)), 0); /* has not begun */
    EQUAL(write(ready[1], &c, 1), 1);
    EQUAL(read(go_on[0], &c, 1), 1);
    EQUAL(weft_await(kept), -77);
    EQUAL(weft_lock_release(&lock), 0);
    return 0;
}

static int be_looked_at(void)
{
    weft_loop *first = NULL, *second = NULL;
    weft_task_options large = { .name = "sleeper", .stack_size = 1 << 20 },
                      small = { .name = "blocker" };
    weft_task *sleeper;

    EQUAL(weft_loop_new("poll", &first), 0);
    EQUAL(weft_loop_new(backend(), &second), 0);
    sleeper = weft_loop_create_task(second, outer_sleeper(), &large);
    EQUAL(weft_loop_run_until_complete(second,
                                       weft_loop_create_task(second, blocker(sleeper), &small)),
          0);
    return 0;
}

/* The one that looks. */

static pid_t pid;
static struct weft__inspect_root root;
static struct weft__inspect_layout layout[256];

static bool peek(uintptr_t from, void *to, size_t size)
{
    struct iovec here = { to, size }, there = { (void *)from, size };

    return process_vm_readv(pid, &here, 1, &there, 1, 0) == (ssize_t)size;
}

static uintptr_t field(uintptr_t object, unsigned number)
{
    for (uint32_t i = 0; i < root.fields; i++) {
        unsigned char bytes[8] = { 0 };
        uint64_t value = 0;

        if (layout[i].field != number) {
            continue;
        }
        CHECK(layout[i].size <= sizeof bytes);
        CHECK(peek(object + layout[i].offset, bytes, layout[i].size));
        memcpy(&value, bytes, sizeof value); /* little-endian */
        return (uintptr_t)value;
    }
    CHECK(false);
    return 0;
}

static uintptr_t address_of(uintptr_t object, unsigned number)
{
    for (uint32_t i = 0; i < root.fields; i++) {
        if (layout[i].field == number) {
            return object + layout[i].offset;
        }
    }
    CHECK(false);
    return 0;
}

static void peek_text(uintptr_t from, char *to, size_t size)
{
    memset(to, 0, size);
    for (size_t i = 0; i + 1 < size && peek(from + i, to + i, 1) && to[i]; i++) {
    }
}

/* The root by one of an image's notes, or 0. */
static uintptr_t root_by_notes(const ElfW(Phdr) *ph, uintptr_t bias)
{
    char notes[4096];
    size_t size = ph->p_memsz < sizeof notes ? ph->p_memsz : sizeof notes, at = 0;
    uintptr_t start = bias + ph->p_vaddr;

    if (!peek(start, notes, size)) {
        return 0;
    }
    while (at + sizeof(ElfW(Nhdr)) <= size) {
        ElfW(Nhdr) note;
        size_t name = at + sizeof note, description;
        int32_t distance;

        memcpy(&note, notes + at, sizeof note);
        description = name + ((note.n_namesz + 3) & ~3u);
        if (note.n_type == 1 && note.n_namesz == 5 && memcmp(notes + name, "weft", 5) == 0) {
            EQUAL(note.n_descsz, sizeof distance);
            memcpy(&distance, notes + description, sizeof distance);
            return start + description + (uintptr_t)(intptr_t)distance;
        }
        at = description + ((note.n_descsz + 3) & ~3u);
    }
    return 0;
}

/* The root in the image whose first page is mapped at `base`, or 0. */
static uintptr_t root_of_image(uintptr_t base)
{
    ElfW(Ehdr) header;
    ElfW(Phdr) ph[64];
    uintptr_t bias = base, found = 0;

    if (!peek(base, &header, sizeof header) || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
        header.e_phnum > 64 || !peek(base + header.e_phoff, ph, header.e_phnum * sizeof *ph)) {
        return 0;
    }
    for (int i = 0; i < header.e_phnum; i++) {
        if (ph[i].p_type == PT_LOAD && ph[i].p_offset == 0) {
            bias = base - ph[i].p_vaddr;
        }
    }
    for (int i = 0; i < header.e_phnum && !found; i++) {
        found = ph[i].p_type == PT_NOTE ? root_by_notes(&ph[i], bias) : 0;
    }
    return found;
}

static uintptr_t find_root(void)
{
    char path[64], line[600];
    unsigned long start, offset;
    uintptr_t found = 0;
    FILE *maps;

    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    maps = fopen(path, "r");
    while (maps && !found && fgets(line, sizeof line, maps)) {
        if (sscanf(line, "%lx-%*x %*s %lx", &start, &offset) == 2 && offset == 0 &&
            strchr(line, '/')) {
            found = root_of_image(start);
        }
    }
    if (maps) {
        fclose(maps);
    }
    return found;
}

/* The first sight of a wait that shows `what`, or 0: where it leads. */
static uintptr_t seen(uintptr_t wait, uintptr_t target, uint16_t what)
{
    struct weft__sight sees[WEFT__SIGHTS];

    CHECK(peek(address_of(wait, WEFT__F_WAIT_SEES), sees, sizeof sees));
    for (int i = 0; i < WEFT__SIGHTS; i++) {
        if (sees[i].what == what) {
            if (sees[i].via >= 0) {
                CHECK(peek(target + (uintptr_t)sees[i].via, &target, sizeof target));
            }
            return target + (uintptr_t)sees[i].at;
        }
    }
    return 0;
}

/* What a wait depends on: " for:NAME" of a task, " held:NAME" of a lock's owner, " fd:N". */
static void describe_sights(uintptr_t wait, uintptr_t target, char *text, size_t size)
{
    uintptr_t task = seen(wait, target, WEFT__SEES_TASK);
    uintptr_t owner = seen(wait, target, WEFT__SEES_OWNER), handle = 0;
    uintptr_t at = seen(wait, target, WEFT__SEES_FD);
    char name[64];
    int fd = -1;

    *text = '\0';
    if (task) {
        peek_text(address_of(task, WEFT__F_TASK_NAME), name, sizeof name);
        snprintf(text, size, " for:%.40s", name);
    }
    if (owner && CHECK(peek(owner, &handle, sizeof handle))) {
        task = (uintptr_t)weft__tag_address(handle, WEFT__STACK_LOW) - root.task_size;
        peek_text(address_of(task, WEFT__F_TASK_NAME), name, sizeof name);
        snprintf(text, size, " held:%.40s", name);
    }
    if (at && CHECK(peek(at, &fd, sizeof fd))) {
        snprintf(text, size, " fd:%s", fd == silent[0] ? "right" : "wrong");
    }
}

/* One line for each task: "name coro:line/coro:line waits [running] [done status]". */
static void describe(uintptr_t task, uintptr_t current, char *text, size_t size)
{
    char name[64], word[100];
    uintptr_t frame = field(task, WEFT__F_TASK_FRAME), wait = field(task, WEFT__F_TASK_WAITING);
    int status = (int)(int32_t)field(task, WEFT__F_TASK_STATUS);

    peek_text(address_of(task, WEFT__F_TASK_NAME), name, sizeof name);
    snprintf(text, size, "%s", *name ? name : field(task, WEFT__F_TASK_ID) ? "Task-N" : "?");
    for (; frame; frame = field(frame, WEFT__F_FRAME_OUTER)) {
        weft_coro_def def = { 0 };

        CHECK(peek(field(frame, WEFT__F_FRAME_DEF), &def, sizeof def));
        peek_text((uintptr_t)def.name, name, sizeof name);
        peek_text((uintptr_t)def.file, word, sizeof word);
        CHECK(strstr(word, "tests/task/") != NULL);
        snprintf(word, sizeof word, " %.40s:%u", name, def.line);
        strncat(text, word, size - strlen(text) - 1);
    }
    if (wait) {
        peek_text(field(wait, WEFT__F_WAIT_NAME), name, sizeof name);
        snprintf(word, sizeof word, " waits:%.40s", name);
        strncat(text, word, size - strlen(text) - 1);
        describe_sights(wait, field(task, WEFT__F_TASK_TARGET), word, sizeof word);
        strncat(text, word, size - strlen(text) - 1);
    }
    if (field(task, WEFT__F_TASK_DONE)) {
        snprintf(word, sizeof word, " done:%d", status);
        strncat(text, word, size - strlen(text) - 1);
    }
    strncat(text, task == current ? " runs" : "", size - strlen(text) - 1);
    strncat(text, field(task, WEFT__F_TASK_SP) ? "" : " new", size - strlen(text) - 1);
}

static char lines[20][300];
static int line_count;

static void look_at_slab(uintptr_t slab, uintptr_t current)
{
    uintptr_t base = field(slab, WEFT__F_SLAB_BASE), stride = field(slab, WEFT__F_SLAB_STRIDE);

    for (uint32_t i = 0; i < (uint32_t)field(slab, WEFT__F_SLAB_CARVED) && line_count < 20; i++) {
        uintptr_t task = base + (i + 1) * stride - root.task_size;

        if (weft__tag_lives(field(task, WEFT__F_TASK_HANDLE))) {
            CHECK(field(task, WEFT__F_TASK_LOW) >= base);
            describe(task, current, lines[line_count++], sizeof lines[0]);
        }
    }
}

static void look_at_loop(uintptr_t loop_at, const char *expected)
{
    uintptr_t named = field(loop_at, WEFT__F_LOOP_BACKEND);
    uintptr_t current = field(loop_at, WEFT__F_LOOP_CURRENT);
    weft_backend backend_there;
    char name[40];

    line_count = 0;
    CHECK(weft__tag_lives(field(loop_at, WEFT__F_LOOP_HANDLE)));
    CHECK(peek(named, &backend_there, sizeof backend_there));
    peek_text((uintptr_t)backend_there.name, name, sizeof name);
    SAME(name, expected);
    for (uint32_t i = 0; i < root.classes; i++) {
        uintptr_t class_at = address_of(loop_at, WEFT__F_LOOP_CLASSES) + i * root.class_size;

        for (uintptr_t slab = field(class_at, WEFT__F_CLASS_SLABS); slab;
             slab = field(slab, WEFT__F_SLAB_NEXT)) {
            look_at_slab(slab, current);
        }
    }
}

static void expect(const char *expected)
{
    int found = 0;

    for (int i = 0; i < line_count; i++) {
        found += strcmp(lines[i], expected) == 0;
    }
    if (!EQUAL(found, 1)) {
        fprintf(stderr, "not there: %s\n", expected);
        for (int i = 0; i < line_count; i++) {
            fprintf(stderr, "    there: %s\n", lines[i]);
        }
    }
}

static void check_root(uintptr_t at)
{
    CHECK(peek(at, &root, sizeof root));
    EQUAL(memcmp(root.magic, "weft\0\0\0\1", 8), 0);
    EQUAL(root.version, WEFT__INSPECT_VERSION);
    EQUAL(root.order, 0x01020304);
    EQUAL(root.pointer_size, sizeof(void *));
    EQUAL(root.field_size, sizeof layout[0]);
    CHECK(root.fields <= 256);
    CHECK(peek((uintptr_t)root.layout, layout, root.fields * sizeof layout[0]));
}

static void look_at_child(void)
{
    char text[200];
    uintptr_t at = find_root();

    if (!CHECK(at != 0)) {
        return;
    }
    check_root(at);
    peek_text((uintptr_t)root.library, text, sizeof text);
    SAME(text, WEFT_VERSION);

    look_at_loop((uintptr_t)root.loops, backend_name()); /* the newest first */
    EQUAL(line_count, watches_descriptors() ? 8 : 7);
    snprintf(text, sizeof text, "sleeper inner_sleeper:%d outer_sleeper:%d waits:sleep",
             LINE_OF_INNER_SLEEPER, LINE_OF_OUTER_SLEEPER);
    expect(text);
    for (int i = 0; i < line_count; i++) { /* their definitions' lines are in another file */
        char *colon = strstr(lines[i], "awaits_");

        colon = colon ? colon : strstr(lines[i], "blocker:");
        colon = colon ? colon : strstr(lines[i], "wants_");
        if (colon && (colon = strchr(colon, ':'))) {
            char *rest = colon + strcspn(colon, " ");

            memmove(colon, rest, strlen(rest) + 1);
        }
    }
    expect("future awaits_future waits:future");
    expect("task awaits_task waits:task for:sleeper");
    expect("locked wants_lock waits:lock held:blocker");
    if (watches_descriptors()) {
        expect("reader wants_byte waits:descriptor fd:right");
    }
    expect("blocker blocker runs");
    expect("ended done:-77 new");
    expect("Task-N new");
    look_at_loop(field((uintptr_t)root.loops, WEFT__F_LOOP_NEXT), "poll");
    EQUAL(line_count, 0);
}

ALONE(a_process_is_looked_at_from_outside)
{
    char c = 'x';
    int status = -1;

    EQUAL(pipe(ready), 0);
    EQUAL(pipe(go_on), 0);
    EQUAL(pipe2(silent, O_NONBLOCK), 0);
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        _exit(be_looked_at());
    }
    EQUAL(read(ready[0], &c, 1), 1);
    look_at_child();
    EQUAL(write(go_on[1], &c, 1), 1);
    EQUAL(waitpid(pid, &status, 0), pid);
    EQUAL(status, 0);
    for (int i = 0; i < 2; i++) {
        close(ready[i]);
        close(go_on[i]);
        close(silent[i]);
    }
}

/* From within: the list of loops, which tools follow. */

static int loops_listed(void)
{
    int count = 0;

    for (struct weft__loop *l = weft__inspect_root.loops; l; l = l->next_loop) {
        count++;
    }
    return count;
}

ALONE(open_loops_are_listed)
{
    weft_loop *loops[3];

    EQUAL(loops_listed(), 0);
    for (int i = 0; i < 3; i++) {
        loops[i] = open_loop();
        EQUAL(loops_listed(), i + 1);
    }
    EQUAL(weft_loop_close(loops[1]), 0);
    EQUAL(loops_listed(), 2);
    EQUAL(weft_loop_close(loops[0]), 0);
    EQUAL(weft_loop_close(loops[2]), 0);
    EQUAL(loops_listed(), 0);
}

ALONE(each_field_has_one_number)
{
    const struct weft__inspect_layout *fields = weft__inspect_root.layout;

    for (uint32_t i = 0; i < weft__inspect_root.fields; i++) {
        CHECK(fields[i].field != 0);
        CHECK(fields[i].size != 0);
        for (uint32_t j = 0; j < i; j++) {
            CHECK(fields[i].field != fields[j].field);
        }
    }
}

ALONE(the_command_knows_the_same_numbers)
{
    EQUAL(NOTE_VERSION, WEFT__INSPECT_VERSION);
    EQUAL(NOTE_SIGHTS, WEFT__SIGHTS);
    EQUAL(NOTE_STACK_LOW, WEFT__STACK_LOW);
    EQUAL(LOOP_LOOKED, WEFT__F_LOOP_LOOKED);
    EQUAL(SLAB_CARVED, WEFT__F_SLAB_CARVED);
    EQUAL(TASK_CANCELLED, WEFT__F_TASK_CANCELLED);
    EQUAL(TASK_CHILD, WEFT__F_TASK_CHILD);
    EQUAL(TASK_SINCE, WEFT__F_TASK_PARKED);
    EQUAL(FRAME_DEF, WEFT__F_FRAME_DEF);
    EQUAL(WAIT_SEES, WEFT__F_WAIT_SEES);
    EQUAL(SCOPE_TASK, WEFT__F_SCOPE_TASK);
    EQUAL(CHILD_GROUP, WEFT__F_CHILD_GROUP);
    EQUAL(SEES_ANY_OF, WEFT__SEES_ANY_OF);
    EQUAL(SEES_WHEN, WEFT__SEES_WHEN);
    EQUAL(SCOPE_IS_TIMEOUT, WEFT__SCOPE_TIMEOUT);
    EQUAL(SCOPE_IS_SHIELD, WEFT__SCOPE_SHIELD);
}

/* Waits again and again, and by the short way once the queue knows its loop. */
WEFT_ASYNC(gets_for_ever, (weft_queue *, queue))
{
    void *item;

    for (int r = 0;;) {
        r = weft_queue_get(queue, &item);
        if (r < 0) {
            return r;
        }
    }
}

IN_TASK(each_wait_for_an_item_tells_when_it_began)
{
    weft_queue *queue = NULL;
    weft_task *getters[3];
    int r = 0;

    EQUAL(weft_queue_new(0, &queue), 0);
    for (int i = 0; i < 3; i++) {
        getters[i] = weft_create_task(gets_for_ever(queue), NULL);
    }
    for (int round = 0; round < 3; round++) {
        EQUAL(weft_sleep(0.002), 0);
        int64_t began = weft__running->polled;

        for (int i = 0; i < 3 && round > 0; i++) {
            EQUAL(weft_queue_put(queue, queue), 0);
        }
        EQUAL(weft_sleep(0), 0);
        for (int i = 0; i < 3 && round > 0; i++) {
            const struct weft__task *getter = weft__task_at(getters[i], &r);

            SAME(getter->waiting ? getter->waiting->name : "", "queue get");
            CHECK(getter->parked >= began);
        }
    }
    for (int i = 0; i < 3; i++) {
        weft_task_cancel(getters[i]);
        EQUAL(weft_await(getters[i]), -ECANCELED);
    }
    weft_queue_free(queue);
}

static CU_TestInfo tests[] = {
    TEST(each_wait_for_an_item_tells_when_it_began),
    TEST(a_process_is_looked_at_from_outside),
    TEST(open_loops_are_listed),
    TEST(each_field_has_one_number),
    TEST(the_command_knows_the_same_numbers),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(inspect, tests)
