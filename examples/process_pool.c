/* SPDX-License-Identifier: MIT
 * A process pool: which of some numbers are prime?  Each is tried in a process of its own, as many
 * at a time as there are CPUs.  One of the requests makes its worker crash, which harms nobody: the
 * program tells it and goes on. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/weft.h>

#define NUMBERS 8
#define CRASH UINT64_C(0)

/* In a worker: may compute for as long as it likes, and may even crash. */
static int smallest_factor(const void *request, size_t size, weft_buffer *reply, void *arg)
{
    uint64_t n, factor = 2;
    (void)arg;

    if (size != sizeof n)
        return -EINVAL;
    memcpy(&n, request, size);
    if (n == CRASH)
        abort();
    while (factor * factor <= n && n % factor != 0)
        factor++;
    if (factor * factor > n)
        factor = n;
    return weft_buffer_append(reply, &factor, sizeof factor);
}

WEFT_ASYNC(looks_at, (weft_process_pool *, pool), (uint64_t, n))
{
    weft_buffer reply = { 0 };
    uint64_t factor;
    int r = weft_process_pool_call(pool, &n, sizeof n, &reply);

    if (r < 0) {
        printf("%llu: %s\n", (unsigned long long)n, weft_err_name(r));
        weft_error_clear();
    } else {
        memcpy(&factor, reply.data, sizeof factor);
        if (factor == n)
            printf("%llu is prime\n", (unsigned long long)n);
        else
            printf("%llu = %llu * %llu\n", (unsigned long long)n, (unsigned long long)factor,
                   (unsigned long long)(n / factor));
    }
    weft_buffer_clear(&reply);
    return 0;
}

WEFT_ASYNC(amain)
{
    static const uint64_t numbers[NUMBERS] = {
        UINT64_C(10000000019), UINT64_C(1000036000099), 97, UINT64_C(100000980001501), CRASH,
        UINT64_C(999999999989), UINT64_C(600851475143), UINT64_C(67280421310721),
    };
    weft_process_pool *pool;
    weft_task_group group = { 0 };
    int r = weft_process_pool_new(NULL, &pool);

    if (r < 0)
        return r;
    r = weft_task_group_enter(&group);
    for (int i = 0; i < NUMBERS && r >= 0; i++)
        r = weft_task_group_create_task(&group, looks_at(pool, numbers[i]), NULL) ? 0 : -ENOMEM;
    r = weft_task_group_exit(&group, r);
    if (r >= 0)
        r = weft_process_pool_shutdown(pool); /* the workers end by themselves */
    weft_process_pool_free(pool);
    return r;
}

int main(void)
{
    if (weft_process_pool_is_worker())
        return weft_process_pool_serve(smallest_factor, NULL) < 0;
    return weft_main(amain(), NULL);
}
