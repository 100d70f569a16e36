/* SPDX-License-Identifier: MIT
 * Streams, cancelled at every step: no byte is lost, none comes twice. */
#include "tests/task/steps.h"

#include <math.h>

#define MUCH 5000

static weft_stream *ends[2];

static char nth(size_t i)
{
    return (char)(i % 19 == 18 ? '\n' : 'a' + i % 23);
}

/* Writes pieces that do not fit into the pair, some time apart. */
WEFT_ASYNC(feeds)
{
    char piece[500];

    for (size_t sent = 0; sent < MUCH; sent += sizeof piece) {
        for (size_t i = 0; i < sizeof piece; i++) {
            piece[i] = nth(sent + i);
        }
        EQUAL(weft_stream_write(ends[1], piece, sizeof piece), sizeof piece);
        weft_sleep(0.001);
    }
    return weft_stream_write_eof(ends[1]);
}

typedef ssize_t reader(weft_stream *stream, void *buffer, size_t size);

/* Takes what is left after a cancel. */
static size_t take_rest(char *room, size_t size)
{
    size_t count = 0;
    weft_shield shield;
    ssize_t n;

    EQUAL(weft_shield_enter(&shield, INFINITY), 0);
    while ((n = weft_stream_read(ends[0], room + count, size - count)) > 0) {
        count += (size_t)n;
    }
    EQUAL(n, 0);
    (void)weft_shield_exit(&shield, 0);
    return count;
}

static int takes_all_by(reader *read, size_t piece)
{
    char got[MUCH + 100];
    size_t count = 0, right = 0;
    ssize_t n;

    EQUAL(weft_stream_pair(300, ends), 0);
    weft_task_detach(weft_create_task(feeds(), NULL));
    while ((n = read(ends[0], got + count, piece)) > 0) {
        count += (size_t)n;
    }
    if (n < 0) {
        count += take_rest(got + count, sizeof got - count);
    }
    while (right < count && got[right] == nth(right)) {
        right++;
    }
    EQUAL(count, MUCH);
    EQUAL(right, MUCH);
    EQUAL(weft_stream_close(ends[0]), 0);
    EQUAL(weft_stream_close(ends[1]), 0);
    return (int)n;
}

WEFT_ASYNC(reads)
{
    return takes_all_by(weft_stream_read, 40);
}

WEFT_ASYNC(reads_exactly)
{
    return takes_all_by(weft_stream_readexactly, 125);
}

WEFT_ASYNC(reads_lines)
{
    return takes_all_by(weft_stream_readline, 40);
}

ALONE(a_cancel_at_any_step_of_reading_loses_no_byte)
{
    AT_EVERY_STEP(reads, 0, -ECANCELED);
}

ALONE(a_cancel_at_any_step_of_reading_exactly_loses_no_byte)
{
    AT_EVERY_STEP(reads_exactly, 0, -ECANCELED, -ENODATA);
}

ALONE(a_cancel_at_any_step_of_reading_lines_loses_no_byte)
{
    AT_EVERY_STEP(reads_lines, 0, -ECANCELED);
}

static CU_TestInfo tests[] = {
    TEST(a_cancel_at_any_step_of_reading_loses_no_byte),
    TEST(a_cancel_at_any_step_of_reading_exactly_loses_no_byte),
    TEST(a_cancel_at_any_step_of_reading_lines_loses_no_byte),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(stream_steps, tests)
