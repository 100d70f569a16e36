/* SPDX-License-Identifier: MIT
 * The context switch.  With -DWEFT_PLAIN_TEST a program without CUnit, for machines that are
 * emulated. */
#include "core/fiber/fiber.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if __has_include(<execinfo.h>)
#include <execinfo.h>
#define HAS_BACKTRACE 1
#endif

#ifdef WEFT_PLAIN_TEST
typedef struct {
    const char *pName;
    void (*pTestFunc)(void);
} CU_TestInfo;

// clang-format off
#define CU_TEST_INFO_NULL { NULL, NULL }
#define CU_ASSERT(x) ((x) ? (void)0 : (printf("%s:%d: %s\n", __FILE__, __LINE__, #x), exit(1)))
#define WEFT_UNIT_TEST(name) { #name, name }
#define WEFT_UNIT_MAIN(suite, tests)                  \
    int main(void)                                    \
    {                                                 \
        for (CU_TestInfo *t = tests; t->pName; t++) { \
            printf("%s\n", t->pName);                 \
            t->pTestFunc();                           \
        }                                             \
        return 0;                                     \
    }
// clang-format on
#else
#include "tests/unit/unit.h"

#include <CUnit/CUnit.h>
#endif

/* A fiber that runs body(self); what stands for a task here. */
struct strand {
    struct weft__slot slot;
    struct weft__fiber fiber;
    struct weft__fiber *next; /* goes on when body is over */
    void (*body)(struct strand *self);
    uint64_t number, result;
    struct strand *peer;
};

#define DESCRIPTOR ((sizeof(struct strand) + 63) / 64 * 64)

static _Thread_local struct weft__stacks stacks;
static _Thread_local struct weft__fiber thread; /* the test's own stack */

WEFT__SANITIZE_NOT static struct weft__fiber *entry(struct weft__fiber *self)
{
    struct strand *s = WEFT__CONTAINER(self, struct strand, fiber);

    weft__sanitize_begin(&self->watch);
    s->body(s);
    weft__sanitize_end(&self->watch, &s->next->watch);
    return s->next;
}

static void go(struct weft__fiber *from, struct weft__fiber *to)
{
    weft__fiber_switch(from, to, entry);
}

/* Runs `s` until it switches back to the test. */
static void go_to(struct strand *s)
{
    go(&thread, &s->fiber);
}

static void go_back(struct strand *s)
{
    go(&s->fiber, &thread);
}

static void begin_test(void)
{
    weft__stacks_init(&stacks, DESCRIPTOR);
    weft__sanitize_thread(&thread.watch);
}

static void end_test(void)
{
    CU_ASSERT(stacks.live == 0);
    weft__stacks_fini(&stacks);
    weft__stacks_depot_clear();
}

static struct strand *strand_new(size_t size, void (*body)(struct strand *))
{
    struct weft__slot *slot = weft__stacks_take(&stacks, (unsigned)weft__stack_class(size));

    if (!slot) {
        printf("no memory for a stack\n");
        exit(2);
    }
    struct strand *s = (struct strand *)(void *)slot;

    s->next = &thread;
    s->body = body;
    s->number = s->result = 0;
    s->peer = NULL;
    weft__fiber_init(&s->fiber, &s->slot, s);
    return s;
}

static void strand_free(struct strand *s)
{
    weft__stacks_give(&stacks, &s->slot);
}

/* There and back. */

static void count_twice(struct strand *s)
{
    s->number++;
    go_back(s);
    s->number++;
}

static void a_fiber_runs_stops_and_goes_on(void)
{
    begin_test();
    struct strand *s = strand_new(0, count_twice);

    CU_ASSERT(s->fiber.sp == NULL);
    go_to(s);
    CU_ASSERT(s->number == 1);
    CU_ASSERT((char *)s->fiber.sp > s->slot.low && s->fiber.sp < s->fiber.top);
    go_to(s);
    CU_ASSERT(s->number == 2);
    strand_free(s);
    end_test();
}

static void note_place(struct strand *s)
{
    volatile char local = 1;
    _Alignas(16) volatile char aligned[16];

    aligned[0] = local;
    s->number = (uintptr_t)aligned % 16;
    s->result = (uintptr_t)__builtin_frame_address(0);
}

static void a_fiber_runs_below_its_top(void)
{
    begin_test();
    struct strand *s = strand_new(0, note_place);

    go_to(s);
    CU_ASSERT(s->number == 0);
    CU_ASSERT(s->result > (uintptr_t)s->slot.low);
    CU_ASSERT(s->result < (uintptr_t)s->fiber.top);
    CU_ASSERT((uintptr_t)s->fiber.top - s->result < 8192); /* ucontext_t is large */
    strand_free(s);
    end_test();
}

/* What survives a switch. */

/* Arithmetic with more live values than there are callee-saved registers, of both kinds, that stops
 * `stops` times in the middle. */
static uint64_t mix(struct strand *s, struct weft__fiber *to, uint64_t seed, int stops)
{
    uint64_t a = seed, b = seed * 3, c = seed * 5, d = seed * 7, e = seed * 11, f = seed * 13;
    uint64_t g = seed * 17, h = seed * 19, i = seed * 23, j = seed * 29, k = seed * 31;
    double q = (double)seed, r = q + .5, t = q / 3, u = q / 7;
    double v = q * 1.5, w = q - 9, x = q / 11, y = 2;

    for (int n = 0; n < 50; n++) {
        a += b ^ c, b += c ^ d, c += d ^ e, d += e ^ f, e += f ^ g, f += g ^ h;
        g += h ^ i, h += i ^ j, i += j ^ k, j += k ^ a, k += a ^ b;
        q += r / 3, r += t / 5, t += u / 7, u += v / 9;
        v += w / 11, w += x / 13, x += y / 15, y += q / 17;
        if (n < stops) {
            go(&s->fiber, to);
        }
    }
    a ^= (uint64_t)(int64_t)(q + r + t + u + v + w + x + y);
    return a ^ b ^ c ^ d ^ e ^ f ^ g ^ h ^ i ^ j ^ k;
}

static void mix_with_peer(struct strand *s)
{
    s->result = mix(s, &s->peer->fiber, s->number, 20);
    s->next = s->peer->result ? &thread : &s->peer->fiber;
}

static void registers_survive(void)
{
    begin_test();
    struct strand *a = strand_new(0, mix_with_peer);
    struct strand *b = strand_new(0, mix_with_peer);

    a->peer = b, a->number = 12345;
    b->peer = a, b->number = 67890;
    go_to(a);
    CU_ASSERT(a->result == mix(NULL, NULL, 12345, 0));
    CU_ASSERT(b->result == mix(NULL, NULL, 67890, 0));
    strand_free(a);
    strand_free(b);
    end_test();
}

/* Vectors: where the callee saves some of them (POWER), those survive, too. */
typedef uint64_t pair __attribute__((vector_size(16)));

static uint64_t mix_pairs(struct strand *s, struct weft__fiber *to, uint64_t seed, int stops)
{
    pair a = { seed, 1 }, b = { 2, seed }, c = { seed, 3 };
    pair d = { 4, seed }, e = { seed, 5 }, f = { 6, seed };

    for (int n = 0; n < 50; n++) {
        a += b ^ c, b += c ^ d, c += d ^ e, d += e ^ f, e += f ^ a, f += a ^ b;
        if (n < stops) {
            go(&s->fiber, to);
        }
    }
    a ^= b ^ c ^ d ^ e ^ f;
    return a[0] ^ a[1];
}

static void mix_pairs_with_peer(struct strand *s)
{
    s->result = mix_pairs(s, &s->peer->fiber, s->number, 20);
    s->next = s->peer->result ? &thread : &s->peer->fiber;
}

static void vectors_survive(void)
{
    begin_test();
    struct strand *a = strand_new(0, mix_pairs_with_peer);
    struct strand *b = strand_new(0, mix_pairs_with_peer);

    a->peer = b, a->number = 12345;
    b->peer = a, b->number = 67890;
    go_to(a);
    CU_ASSERT(a->result == mix_pairs(NULL, NULL, 12345, 0));
    CU_ASSERT(b->result == mix_pairs(NULL, NULL, 67890, 0));
    strand_free(a);
    strand_free(b);
    end_test();
}

#ifdef __powerpc64__
/* The callee saves fields 2 to 4 of the condition register. */
static void condition_of(struct strand *s)
{
    uint64_t value = s->number, now;

    __asm__ volatile("mtcrf 0x38, %0" : : "r"(value) : "cr2", "cr3", "cr4");
    go_back(s);
    __asm__ volatile("mfcr %0" : "=r"(now));
    s->result = (now ^ value) & 0x00fff000;
}

static void conditions_survive(void)
{
    begin_test();
    struct strand *a = strand_new(0, condition_of);
    struct strand *b = strand_new(0, condition_of);

    a->number = 0x00a5a000, b->number = 0x005a5000;
    go_to(a);
    go_to(b);
    go_to(a);
    go_to(b);
    CU_ASSERT(a->result == 0 && b->result == 0);
    strand_free(a);
    strand_free(b);
    end_test();
}
#endif

/* The control words, read and set without <fenv.h>, which needs libm.  CONTROL_PARTS are the
 * rounding modes of CONTROL_UP one by one, where there are several. */
#if defined(__x86_64__) || (defined(__i386__) && defined(__SSE__))
#define HAS_CONTROL 1
#define CONTROL_DEFAULT UINT64_C(0x37f00001f80)
#define CONTROL_UP UINT64_C(0xb7f00005f80) /* round up, in both units */
#define CONTROL_PARTS UINT64_C(0x37f00005f80), UINT64_C(0xb7f00001f80)

static uint64_t control(void)
{
    uint32_t mxcsr;
    uint16_t x87;

    __asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(mxcsr), "=m"(x87));
    return (mxcsr & ~UINT32_C(0x3f)) | (uint64_t)x87 << 32; /* without the sticky flags */
}

static void set_control(uint64_t value)
{
    uint32_t mxcsr = (uint32_t)value;
    uint16_t x87 = (uint16_t)(value >> 32);

    __asm__ volatile("ldmxcsr %0\n\tfldcw %1" : : "m"(mxcsr), "m"(x87));
}
#elif defined(__i386__)
#define HAS_CONTROL 1
#define CONTROL_DEFAULT UINT64_C(0x37f)
#define CONTROL_UP UINT64_C(0xb7f)
#define CONTROL_PARTS CONTROL_UP

static uint64_t control(void)
{
    uint16_t x87;

    __asm__ volatile("fnstcw %0" : "=m"(x87));
    return x87;
}

static void set_control(uint64_t value)
{
    uint16_t x87 = (uint16_t)value;

    __asm__ volatile("fldcw %0" : : "m"(x87));
}
#elif defined(__aarch64__)
#define HAS_CONTROL 1
#define CONTROL_DEFAULT UINT64_C(0)
#define CONTROL_UP (UINT64_C(1) << 22)
#define CONTROL_PARTS CONTROL_UP

static uint64_t control(void)
{
    uint64_t fpcr;

    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    return fpcr;
}

static void set_control(uint64_t value)
{
    __asm__ volatile("msr fpcr, %0" : : "r"(value));
}
#elif defined(__arm__) && defined(__ARM_FP)
#define HAS_CONTROL 1
#define CONTROL_DEFAULT UINT64_C(0)
#define CONTROL_UP (UINT64_C(1) << 22)
#define CONTROL_PARTS CONTROL_UP

static uint64_t control(void)
{
    uint32_t fpscr;

    __asm__ volatile("vmrs %0, fpscr" : "=r"(fpscr));
    return fpscr & ~UINT32_C(0xf800009f); /* without the flags */
}

static void set_control(uint64_t value)
{
    __asm__ volatile("vmsr fpscr, %0" : : "r"((uint32_t)value));
}
#elif defined(__riscv_flen)
#define HAS_CONTROL 1
#define CONTROL_DEFAULT UINT64_C(0)
#define CONTROL_UP UINT64_C(3)
#define CONTROL_PARTS CONTROL_UP

static uint64_t control(void)
{
    unsigned long frm;

    __asm__ volatile("frrm %0" : "=r"(frm));
    return frm;
}

static void set_control(uint64_t value)
{
    __asm__ volatile("fsrm %0" : : "r"((unsigned long)value));
}
#elif defined(__powerpc64__)
#define HAS_CONTROL 1
#define CONTROL_DEFAULT UINT64_C(0)
#define CONTROL_UP UINT64_C(0x200000002) /* decimals, too */
#define CONTROL_PARTS UINT64_C(0x000000002), UINT64_C(0x200000000)

static uint64_t control(void)
{
    union {
        double d;
        uint64_t u;
    } fpscr;

    __asm__ volatile("mffs %0" : "=d"(fpscr.d));
    return fpscr.u & UINT64_C(0x7000000ff);
}

static void set_control(uint64_t value)
{
    union {
        double d;
        uint64_t u;
    } fpscr = { .u = value };

    __asm__ volatile("mtfsf 255, %0, 1, 0" : : "d"(fpscr.d));
}
#elif defined(__s390x__)
#define HAS_CONTROL 1
#define CONTROL_DEFAULT UINT64_C(0)
#define CONTROL_UP UINT64_C(0x22) /* decimals, too */
#define CONTROL_PARTS UINT64_C(0x02), UINT64_C(0x20)

static uint64_t control(void)
{
    uint32_t fpc;

    __asm__ volatile("efpc %0" : "=r"(fpc));
    return fpc & UINT32_C(0xff000077);
}

static void set_control(uint64_t value)
{
    __asm__ volatile("sfpc %0" : : "r"((uint32_t)value));
}
#endif

#ifdef HAS_CONTROL
static double third(void)
{
    volatile double one = 1, three = 3, quotient = one / three; /* x87 would keep more of it */

    return quotient;
}

/* Whether third() is rounded as it should be; valgrind does not follow all modes. */
static bool third_is_above(bool above)
{
    return weft__valgrind() || (third() > 1. / 3) == above;
}

static void round_up(struct strand *s)
{
    s->number = control();
    set_control(CONTROL_UP);
    go_back(s);
    s->result = control() == CONTROL_UP && third_is_above(true);
}

static void control_words_are_a_fibers_own(void)
{
    begin_test();
    struct strand *a = strand_new(0, round_up);
    struct strand *b = strand_new(0, round_up);

    go_to(a);
    CU_ASSERT(control() == CONTROL_DEFAULT);
    CU_ASSERT(third_is_above(false));
    go_to(b);
    go_to(a);
    CU_ASSERT(control() == CONTROL_DEFAULT);
    go_to(b);
    CU_ASSERT(third_is_above(false));
    CU_ASSERT(a->result == 1 && b->result == 1);
    strand_free(a);
    strand_free(b);
    end_test();
}

static void a_new_fiber_begins_with_default_control_words(void)
{
    begin_test();
    struct strand *a = strand_new(0, round_up);

    set_control(CONTROL_UP);
    go_to(a);
    CU_ASSERT(control() == CONTROL_UP);
    CU_ASSERT(a->number == CONTROL_DEFAULT);
    set_control(CONTROL_DEFAULT);
    go_to(a);
    CU_ASSERT(control() == CONTROL_DEFAULT);
    CU_ASSERT(a->result == 1);
    strand_free(a);
    end_test();
}

/* Only one of them differs, and then only another one. */
static void each_control_word_is_restored(void)
{
    static const uint64_t parts[] = { CONTROL_PARTS };

    begin_test();
    for (size_t i = 0; i < WEFT__COUNT(parts); i++) {
        struct strand *a = strand_new(0, count_twice);

        set_control(parts[i]);
        go_to(a);
        CU_ASSERT(control() == parts[i]);
        go_to(a); /* ends: the other way back */
        CU_ASSERT(control() == parts[i]);
        set_control(CONTROL_DEFAULT);
        strand_free(a);
    }
    end_test();
}
#endif

/* The signal mask is the thread's: no switch changes it, and so no end of a fiber. */

static bool blocks(int signum)
{
    sigset_t mask;

    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    return sigismember(&mask, signum) == 1;
}

static void set_blocked(int signum, bool on)
{
    sigset_t one;

    sigemptyset(&one);
    sigaddset(&one, signum);
    pthread_sigmask(on ? SIG_BLOCK : SIG_UNBLOCK, &one, NULL);
}

static void look_at_the_mask(struct strand *s)
{
    s->number = blocks(SIGUSR1);
    go_back(s);
    s->result = blocks(SIGUSR1);
    set_blocked(SIGUSR1, false);
    set_blocked(SIGUSR2, true);
}

static void the_signal_mask_is_the_threads(void)
{
    begin_test();
    struct strand *s = strand_new(0, look_at_the_mask);

    set_blocked(SIGUSR1, true);
    go_to(s);
    CU_ASSERT(s->number == 1); /* a new fiber */
    CU_ASSERT(blocks(SIGUSR1));
    go_to(s);
    CU_ASSERT(s->result == 1);   /* one that has run */
    CU_ASSERT(!blocks(SIGUSR1)); /* it has ended */
    CU_ASSERT(blocks(SIGUSR2));
    set_blocked(SIGUSR2, false);
    strand_free(s);
    end_test();
}

static void look_later(struct strand *s)
{
    go_back(s);
    s->result = blocks(SIGUSR1);
}

static void what_a_fiber_saw_does_not_come_back(void)
{
    begin_test();
    struct strand *s = strand_new(0, look_later);

    go_to(s); /* nothing is blocked */
    set_blocked(SIGUSR1, true);
    go_to(s);
    CU_ASSERT(s->result == 1);
    CU_ASSERT(blocks(SIGUSR1));
    set_blocked(SIGUSR1, false);
    strand_free(s);
    end_test();
}

/* How a fiber ends. */

static void nothing(struct strand *s)
{
    s->result = 1;
}

static void entry_may_return_a_new_fiber(void)
{
    enum { COUNT = 100 };
    struct strand *all[COUNT];

    begin_test();
    for (int i = 0; i < COUNT; i++) {
        all[i] = strand_new(0, nothing);
        if (i > 0) {
            all[i - 1]->next = &all[i]->fiber;
        }
    }
    go_to(all[0]);
    for (int i = 0; i < COUNT; i++) {
        CU_ASSERT(all[i]->result == 1);
        strand_free(all[i]);
    }
    end_test();
}

static void entry_may_return_an_old_fiber(void)
{
    begin_test();
    struct strand *old = strand_new(0, count_twice);
    struct strand *new = strand_new(0, nothing);
    struct strand *newer = strand_new(0, nothing);

    new->next = &newer->fiber;
    newer->next = &old->fiber;
    go_to(old);
    CU_ASSERT(old->number == 1);
    go_to(new);
    CU_ASSERT(old->number == 2);
    strand_free(old);
    strand_free(new);
    strand_free(newer);
    end_test();
}

/* Stacks that are used much, or again. */

/* Each frame looks at its caller's, so that no compiler makes a loop of it. */
__attribute__((noinline)) static uint64_t recurse(struct strand *s, unsigned depth,
                                                  const volatile unsigned char *above)
{
    volatile unsigned char frame[64];
    uint64_t found = 0;

    memset((unsigned char *)frame, (int)depth, sizeof(frame));
    if (depth == 0) {
        go_back(s);
    } else {
        found = recurse(s, depth - 1, frame);
    }
    return found + (above[63] == (unsigned char)(depth + 1) && frame[63] == (unsigned char)depth);
}

static void recurse_deep(struct strand *s)
{
    unsigned char above[64];

    memset(above, (int)s->number, sizeof(above));
    s->result = recurse(s, (unsigned)s->number - 1, above);
}

static void a_deep_stack_survives(void)
{
    begin_test();
    struct strand *s = strand_new((size_t)8 << 20, recurse_deep);

    s->number = 20000;
    go_to(s);
    CU_ASSERT((char *)s->fiber.top - (char *)s->fiber.sp > 20000 * 64);
    go_to(s);
    CU_ASSERT(s->result == 20000);
    strand_free(s);
    end_test();
}

/* A fiber that never ends leaves frames behind; the next one in its slot must not stumble over them
 * (the address sanitizer's marks). */
static void a_stack_left_in_the_middle_is_used_again(void)
{
    begin_test();
    struct strand *s = strand_new(0, recurse_deep);

    s->number = 200;
    go_to(s);
    strand_free(s);
    struct strand *again = strand_new(0, recurse_deep);

    CU_ASSERT(again == s);
    again->number = 333;
    go_to(again);
    go_to(again);
    CU_ASSERT(again->result == 333);
    strand_free(again);
    end_test();
}

static void jump(struct strand *s)
{
    static jmp_buf place;
    volatile int n = 0;

    if (setjmp(place) == 0) {
        go_back(s);
        n = 1;
        longjmp(place, 1);
    }
    s->result = (uint64_t)n;
}

static void a_fiber_may_jump_within_its_stack(void)
{
    begin_test();
    struct strand *s = strand_new(0, jump);

    go_to(s);
    go_to(s);
    CU_ASSERT(s->result == 1);
    strand_free(s);
    end_test();
}

static void three_rounds(struct strand *s)
{
    for (int i = 0; i < 3; i++) {
        s->number++;
        go(&s->fiber, &s->peer->fiber);
    }
    s->next = s->result ? &thread : &s->peer->fiber; /* the last one of the ring has a result */
}

static void a_ring_of_many_fibers(void)
{
    enum { COUNT = 10000, FEW = 500 };
    static struct strand *all[COUNT];
    int count = COUNT;

    if (WEFT__TSAN || weft__valgrind()) {
        count = FEW; /* one knows at most 8,128 stacks, the other looks through all of them */
    }
    begin_test();
    for (int i = 0; i < count; i++) {
        all[i] = strand_new(0, three_rounds);
    }
    for (int i = 0; i < count; i++) {
        all[i]->peer = all[(i + 1) % count];
    }
    all[count - 1]->result = 1;
    go_to(all[0]);
    for (int i = 0; i < count; i++) {
        CU_ASSERT(all[i]->number == 3);
        strand_free(all[i]);
    }
    end_test();
}

#ifdef HAS_BACKTRACE
static void look_back(struct strand *s)
{
    void *frames[64];

    s->result = (uint64_t)backtrace(frames, 64);
    go_back(s);
    s->number = (uint64_t)backtrace(frames, 64);
}

static void unwinding_ends_at_the_entry(void)
{
    begin_test();
    struct strand *s = strand_new(0, look_back);

    go_to(s);
    go_to(s);
    CU_ASSERT(s->result >= 2);
    CU_ASSERT(s->result <= 6); /* look_back, entry, where the fiber begins; sanitizers add some */
    CU_ASSERT(s->number == s->result);
    strand_free(s);
    end_test();
}
#endif

static void *play(void *arg)
{
    begin_test();
    for (int i = 0; i < 100; i++) {
        struct strand *a = strand_new(0, mix_with_peer);
        struct strand *b = strand_new(0, mix_with_peer);

        a->peer = b, a->number = 12345;
        b->peer = a, b->number = 67890;
        go_to(a);
        *(int *)arg += a->result == b->result;
        strand_free(a);
        strand_free(b);
    }
    weft__stacks_fini(&stacks);
    return NULL;
}

static void threads_have_fibers_of_their_own(void)
{
    enum { COUNT = 4 };
    pthread_t threads[COUNT];
    int wrong[COUNT] = { 0 };

    for (int i = 0; i < COUNT; i++) {
        CU_ASSERT(pthread_create(&threads[i], NULL, play, &wrong[i]) == 0);
    }
    for (int i = 0; i < COUNT; i++) {
        pthread_join(threads[i], NULL);
        CU_ASSERT(wrong[i] == 0);
    }
    weft__stacks_depot_clear();
}

static CU_TestInfo tests[] = {
    WEFT_UNIT_TEST(a_fiber_runs_stops_and_goes_on),
    WEFT_UNIT_TEST(a_fiber_runs_below_its_top),
    WEFT_UNIT_TEST(registers_survive),
    WEFT_UNIT_TEST(vectors_survive),
#ifdef __powerpc64__
    WEFT_UNIT_TEST(conditions_survive),
#endif
#ifdef HAS_CONTROL
    WEFT_UNIT_TEST(control_words_are_a_fibers_own),
    WEFT_UNIT_TEST(a_new_fiber_begins_with_default_control_words),
    WEFT_UNIT_TEST(each_control_word_is_restored),
#endif
    WEFT_UNIT_TEST(the_signal_mask_is_the_threads),
    WEFT_UNIT_TEST(what_a_fiber_saw_does_not_come_back),
    WEFT_UNIT_TEST(entry_may_return_a_new_fiber),
    WEFT_UNIT_TEST(entry_may_return_an_old_fiber),
    WEFT_UNIT_TEST(a_deep_stack_survives),
    WEFT_UNIT_TEST(a_stack_left_in_the_middle_is_used_again),
    WEFT_UNIT_TEST(a_fiber_may_jump_within_its_stack),
    WEFT_UNIT_TEST(a_ring_of_many_fibers),
#ifdef HAS_BACKTRACE
    WEFT_UNIT_TEST(unwinding_ends_at_the_entry),
#endif
    WEFT_UNIT_TEST(threads_have_fibers_of_their_own),
    CU_TEST_INFO_NULL,
};

WEFT_UNIT_MAIN(fiber_switch, tests)
