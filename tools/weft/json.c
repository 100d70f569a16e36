/* SPDX-License-Identifier: MIT
 * What was seen of tasks, for programs.  "schema" grows when something that was there is gone or
 * means something else; what is new may come at any time. */
#include "tools/weft/json.h"

#include "tools/weft/symbols.h"
#include "tools/weft/words.h"

#include <stdlib.h>
#include <string.h>

#ifdef HAVE_JSON
#include <json.h>

#define SCHEMA 1

static void add_text(struct json_object *object, const char *key, const char *text)
{
    json_object_object_add(object, key, text && *text ? json_object_new_string(text) : NULL);
}

static void add_number(struct json_object *object, const char *key, int64_t number)
{
    json_object_object_add(object, key, json_object_new_int64(number));
}

/* Seconds, or null. */
static void add_seconds(struct json_object *object, const char *key, int64_t ns, bool known)
{
    json_object_object_add(object, key, known ? json_object_new_double((double)ns / 1e9) : NULL);
}

static void print(struct json_object *object)
{
    puts(json_object_to_json_string_ext(object,
                                        JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(object);
}

static struct json_object *chain_of(const struct look_task *task)
{
    struct json_object *chain = json_object_new_array();

    for (unsigned i = 0; i < task->chain_count; i++) {
        struct json_object *one = json_object_new_object();

        add_text(one, "coroutine", task->chain[i]->name);
        add_text(one, "file", task->chain[i]->file);
        add_number(one, "line", task->chain[i]->line);
        json_object_array_add(chain, one);
    }
    return chain;
}

static struct json_object *stack_of(const struct look *look, const struct look_task *task)
{
    struct json_object *stack = json_object_new_array();
    struct symbols_frame frames[STACK_MAX];
    unsigned count = symbols_stack(look->symbols, task, frames);

    for (unsigned i = 0; i < count; i++) {
        struct json_object *one = json_object_new_object();

        add_text(one, "function", frames[i].function);
        add_text(one, "place", frames[i].place);
        json_object_array_add(stack, one);
    }
    return stack;
}

/* The numbers of the tasks at the other ends of its edges of one kind; NULL: there are none. */
static struct json_object *numbers_of(const struct look_task *task, enum look_how how)
{
    struct json_object *numbers = NULL;

    for (size_t i = 0; i < task->needs_count; i++) {
        const struct look_edge *edge = &task->needs[i];

        if (edge->how == (int)how && edge->task) {
            numbers = numbers ? numbers : json_object_new_array();
            json_object_array_add(numbers, json_object_new_int64((int64_t)edge->task->id));
        }
    }
    return numbers;
}

static void add_shown(struct json_object *wait, const struct look *look,
                      const struct look_task *task)
{
    char address[32], name[TEXT_SIZE];

    if (task->shows & 1u << SEES_OBJECT) {
        (void)snprintf(address, sizeof address, "%#llx", (unsigned long long)task->object);
        add_text(wait, "object", address);
        if (look->symbols) {
            symbols_name(look->symbols, task->object, name, sizeof name);
            add_text(wait, "object_name", name);
        }
    }
    if (task->shows & 1u << SEES_FD) {
        add_number(wait, "fd", task->fd);
    }
    if (task->shows & 1u << SEES_PID) {
        add_number(wait, "pid", task->pid);
    }
    if (task->shows & 1u << SEES_TEXT) {
        add_text(wait, "about", task->text);
    }
    if (task->shows & 1u << SEES_HELD) {
        add_number(wait, "held", (int64_t)task->held);
    }
    if (task->shows & 1u << SEES_ROOM) {
        add_number(wait, "room", (int64_t)task->room);
    }
}

static struct json_object *wait_of(const struct look *look, const struct look_task *task)
{
    struct json_object *wait = json_object_new_object();
    char words[512], link[128];

    word_wait(look, task, words, sizeof words);
    add_text(wait, "kind", task->wait->name);
    add_text(wait, "words", words);
    add_seconds(wait, "since", task->since, task->since >= 0);
    add_seconds(wait, "left", task->due, task->due != INT64_MAX);
    add_shown(wait, look, task);
    if (task->shows & 1u << SEES_FD) {
        word_fd(look, task->fd, link, sizeof link);
        add_text(wait, "link", link);
    }
    json_object_object_add(wait, "awaits", numbers_of(task, LOOK_AWAITS));
    json_object_object_add(wait, "awaits_some_of", numbers_of(task, LOOK_MAY_AWAIT));
    json_object_object_add(wait, "held_by", numbers_of(task, LOOK_HELD_BY));
    return wait;
}

static struct json_object *task_of(const struct look *look, const struct look_task *task)
{
    struct json_object *one = json_object_new_object();
    bool waits = task->state == LOOK_WAITS && task->wait;

    add_number(one, "id", (int64_t)task->id);
    add_text(one, "name", task->name);
    add_text(one, "state", word_state(task->state));
    if (task->state == LOOK_ENDED) {
        add_number(one, "status", task->status);
    }
    if (task->state == LOOK_RUNS) {
        add_text(one, "thread", task->where);
    }
    json_object_object_add(one, "cancelled", json_object_new_boolean(task->cancelled));
    json_object_object_add(one, "changed", json_object_new_boolean(task->changed));
    json_object_object_add(one, "incomplete", json_object_new_boolean(task->lost));
    json_object_object_add(one, "waits_for", waits ? wait_of(look, task) : NULL);
    add_seconds(one, "timeout", task->limit, task->limit != INT64_MAX);
    json_object_object_add(one, "coroutines", chain_of(task));
    if (look->stacks) {
        json_object_object_add(one, "stack", stack_of(look, task));
    }
    json_object_object_add(one, "children", numbers_of(task, LOOK_CHILD));
    return one;
}

static struct json_object *loop_of(const struct look *look, const struct look_loop *loop)
{
    struct json_object *one = json_object_new_object(), *tasks = json_object_new_array();

    add_number(one, "number", loop->number);
    add_text(one, "backend", loop->backend);
    json_object_object_add(one, "running", json_object_new_boolean(loop->running));
    for (size_t i = 0; i < loop->tasks_count; i++) {
        json_object_array_add(tasks, task_of(look, loop->tasks[i]));
    }
    json_object_object_add(one, "tasks", tasks);
    return one;
}

static struct json_object *circles_of(struct look *look)
{
    struct json_object *circles = json_object_new_array();
    struct look_task *circle[256];
    size_t length;

    while ((length = look_circle(look, circle, 256))) {
        struct json_object *numbers = json_object_new_array();

        for (size_t i = 0; i < length; i++) {
            json_object_array_add(numbers, json_object_new_int64((int64_t)circle[i]->id));
        }
        json_object_array_add(circles, numbers);
    }
    return circles;
}

int json_print_look(struct look *look)
{
    struct json_object *all = json_object_new_object(), *loops = json_object_new_array();
    struct json_object *circles = circles_of(look);
    bool stuck = json_object_array_length(circles) > 0;

    add_number(all, "schema", SCHEMA);
    add_number(all, "pid", look->process->pid);
    add_text(all, "command", look->process->command);
    add_text(all, "library", look->library);
    json_object_object_add(all, "incomplete", json_object_new_boolean(look->lost > 0));
    for (size_t i = 0; i < look->loops_count; i++) {
        json_object_array_add(loops, loop_of(look, look->loops[i]));
    }
    json_object_object_add(all, "loops", loops);
    json_object_object_add(all, "circles", circles);
    print(all);
    return stuck ? 2 : 0;
}

struct json_list *json_list_new(void)
{
    return (struct json_list *)json_object_new_array();
}

void json_list_add(struct json_list *list, const struct look *look, const char *command)
{
    struct json_object *one = json_object_new_object(), *loops = json_object_new_array();

    add_number(one, "pid", look->process->pid);
    add_text(one, "command", command);
    add_text(one, "library", look->library);
    for (size_t i = 0; i < look->loops_count; i++) {
        struct json_object *loop = json_object_new_object();

        add_text(loop, "backend", look->loops[i]->backend);
        add_number(loop, "tasks", (int64_t)look->loops[i]->tasks_count);
        json_object_array_add(loops, loop);
    }
    json_object_object_add(one, "loops", loops);
    json_object_array_add((struct json_object *)list, one);
}

void json_list_print(struct json_list *list)
{
    struct json_object *all = json_object_new_object();

    add_number(all, "schema", SCHEMA);
    json_object_object_add(all, "processes", (struct json_object *)list);
    print(all);
}

#else

static int no_json(void)
{
    fprintf(stderr, "weft: this one was built without json-c\n");
    return 1;
}

int json_print_look(struct look *look)
{
    (void)look;
    return no_json();
}

struct json_list *json_list_new(void)
{
    (void)no_json();
    return NULL;
}

void json_list_add(struct json_list *list, const struct look *look, const char *command)
{
    (void)list, (void)look, (void)command;
}

void json_list_print(struct json_list *list)
{
    (void)list;
}

#endif
