/* SPDX-License-Identifier: MIT
 * A bridge: a library that calls back on a thread of its own becomes something to await.
 *
 * Who holds what.  A future has two holds: the task keeps the awaiter's, and the setter's travels
 * with the request, to the library and back to the loop, where deliver() spends it.  A task that is
 * cancelled meanwhile ends the future; the setter learns it by -EALREADY, and frees the answer. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weft/weft.h>

struct request {
    const char *name;
    int ms;
    void (*done)(struct request *request);
    char *answer;
    weft_loop *loop;
    weft_future *future; /* with the setter's hold */
};
static int under_way;     /* requests that the library has */
static weft_future *last; /* set when it has none any more */

/* The library: knows nothing of weft; calls done() once, on its thread, if it took the request. */
static void *look_up(void *arg)
{
    struct request *request = arg;
    nanosleep(&(struct timespec){ .tv_nsec = request->ms * 1000000L }, NULL);
    request->answer = strdup("192.0.2.17");
    request->done(request);
    return NULL;
}
static int library_look_up(struct request *request)
{
    pthread_t thread;
    int r = *request->name ? -pthread_create(&thread, NULL, look_up, request) : -EDOM;
    return r < 0 ? r : -pthread_detach(thread);
}

/* The bridge. */
static void deliver(void *arg) /* on the loop's thread */
{
    struct request *request = arg;
    if (weft_future_set_result(request->future, request->answer) < 0) {
        printf("%-14s answered, and nobody waits any more\n", request->name);
        free(request->answer);
    }
    free(request);
    if (--under_way == 0 && last)
        weft_future_set_result(last, NULL);
}
static void answered(struct request *request) /* on the library's thread */
{
    if (weft_loop_call_soon_threadsafe(request->loop, deliver, request, NULL) < 0) {
        free(request->answer); /* the loop is closed, and its futures are gone with it */
        free(request);
    }
}

WEFT_ASYNC(resolve, (const char *, name), (int, ms))
{
    struct request *request = calloc(1, sizeof *request);
    weft_future *future;
    void *answer;
    int r = request ? weft_future_new(NULL, &future) : -ENOMEM;
    if (r < 0) {
        free(request);
        return r;
    }
    *request = (struct request){ name, ms, answered, NULL, weft_get_running_loop(), future };
    r = library_look_up(request); /* from here on the request is the library's ... */
    if (r < 0) {
        free(request); /* ... or never was: then both holds are ours, and each is spent once */
        weft_future_set_exception(future, r);
        return weft_await(future);
    }
    under_way++;
    r = weft_await_value(future, &answer);
    if (r < 0)
        return r; /* cancelled: the request goes on, and deliver() frees it */
    printf("%-14s is %s\n", name, (char *)answer);
    free(answer);
    return 0;
}

static void came_to(const char *name, int status)
{
    printf("%-14s %s\n", name, weft_err_name(status));
}

WEFT_ASYNC(bridge)
{
    came_to("fast.example", weft_await(resolve("fast.example", 10)));
    came_to("(no name)", weft_await(resolve("", 10)));
    came_to("slow.example", weft_wait_for(resolve("slow.example", 200), 0.05));

    /* A loop that closes drops what was posted and has not run: wait for the library before. */
    int r = under_way ? weft_future_new(NULL, &last) : 0;
    return under_way && r == 0 ? weft_await(last) : r;
}

int main(void)
{
    return weft_main(bridge(), NULL);
}
