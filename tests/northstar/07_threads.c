/* SPDX-License-Identifier: MIT
 * Three doors between threads and tasks: run a blocking function in the thread pool, call back
 * into the loop from a foreign thread, and bridge a callback library with a future.
 * Prints "blocking 42", "from thread 7" and "coroutine from thread 11". */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
#include <weft/weft.h>

static int blocking(void *arg)
{
    usleep(20000);
    return *(int *)arg;
}

/* A future has two holds: the setter's, spent by weft_future_set_*(), and the awaiter's, spent by
 * awaiting. */
struct lib { weft_loop *loop; weft_future *done; int value; };

static void on_loop(void *arg)
{
    struct lib *lib = arg;
    weft_future_set_result(lib->done, &lib->value);
}

static void *foreign_thread(void *arg) /* stands for a library's own thread */
{
    struct lib *lib = arg;
    lib->value = 7;
    weft_loop_call_soon_threadsafe(lib->loop, on_loop, lib, NULL);
    return NULL;
}

WEFT_ASYNC(eleven)
{
    weft_sleep(0.01);
    return 11;
}

static int submitter(void *arg)
{
    weft_thread_future *f;
    int status;

    int r = weft_run_coroutine_threadsafe(eleven(), arg, &f);
    if (r < 0)
        return r;
    r = weft_thread_future_wait(f, 5.0, &status);
    if (r == 0)
        printf("coroutine from thread %d\n", status);
    weft_thread_future_free(f);
    return r;
}

WEFT_ASYNC(amain)
{
    int answer = 42;
    printf("blocking %d\n", weft_to_thread(blocking, &answer));

    static struct lib lib; /* outlives this frame, as the library's state would */
    lib.loop = weft_get_running_loop();
    pthread_t th;
    void *value;

    weft_future_new(NULL, &lib.done);
    pthread_create(&th, NULL, foreign_thread, &lib);
    int r = weft_await_value(lib.done, &value);
    if (r < 0)
        return r;
    printf("from thread %d\n", *(int *)value);
    pthread_join(th, NULL);

    return weft_to_thread(submitter, lib.loop);
}

int main(void)
{
    return weft_main(amain(), NULL);
}
