/* SPDX-License-Identifier: MIT
 * Lines of files: separators, limits, blocks of any size, files that grow. */
#include "tests/task/scratch.h"
#include "tests/task/steps.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The lines of an open file as one text: "one|two|three" and, where the last has no separator, "$";
 * an error is "(-EMSGSIZE)". */
static char text[20000];

static const char *rest_of(weft_lines *lines)
{
    weft_line line;
    int64_t offset = weft_lines_offset(lines);
    int r, errors = 0;

    *text = '\0';
    while ((r = weft_lines_next(lines, &line)) != 0 && errors < 10) {
        if (r < 0) {
            errors++;
            strcat(strcat(strcat(text, "("), weft_err_name(r)), ")");
        } else {
            CHECK(line.offset >= offset);
            EQUAL(strlen(line.data), line.len);
            EQUAL(weft_lines_offset(lines), line.offset + (int64_t)(line.len + line.separator));
            strcat(strcat(text, line.data), line.separator ? "|" : "$");
            offset = line.offset;
        }
    }
    return text;
}

static const char *lines_of(const char *content, weft_lines_options options)
{
    weft_lines *lines = NULL;
    int r = weft_lines_open(file_of("a", content), &options, &lines);

    if (r < 0) {
        return weft_err_name(r);
    }
    rest_of(lines);
    weft_lines_close(lines);
    return text;
}
#define WITH(...) ((weft_lines_options){ __VA_ARGS__ })
#define BY(...)                         \
    .separators = (const char *const[]) \
    {                                   \
        __VA_ARGS__, NULL               \
    }

IN_TASK(lines_come_one_after_the_other)
{
    SAME(lines_of("one\ntwo\nthree\n", WITH(.limit = 0)), "one|two|three|");
    SAME(lines_of("one\n\ntwo", WITH(.limit = 0)), "one||two$");
    SAME(lines_of("", WITH(.limit = 0)), "");
    SAME(lines_of("\n", WITH(.limit = 0)), "|");
    SAME(lines_of("x", WITH(.limit = 0)), "x$");
}

IN_TASK(blocks_may_be_of_any_size)
{
    for (size_t block = 1; block < 12; block++) {
        SAME(lines_of("one\ntwo\n\nthree", WITH(.block = block)), "one|two||three$");
        SAME(lines_of("a\r\nb\nc\rd\r\n\r\r\n", WITH(.block = block, BY("\n", "\r\n", "\r"))),
             "a|b|c|d|||");
        SAME(lines_of("a--b-c---d--", WITH(.block = block, BY("--"))), "a|b-c|-d|");
        SAME(lines_of("a<>b<c><>", WITH(.block = block, BY("<>", "<c>"))), "a|b||");
    }
}

IN_TASK(of_several_separators_the_longest_ends_the_line)
{
    SAME(lines_of("aabab", WITH(BY("a", "ab"))), "|||");
    SAME(lines_of("1, 2,3", WITH(BY(",", ", "))), "1|2|3$");
    SAME(lines_of("x\r", WITH(BY("\r\n"))), "x\r$");
    SAME(lines_of("x\r", WITH(BY("\r\n", "\r"))), "x|");
}

IN_TASK(separators_have_rules)
{
    const char *none[] = { NULL };
    const char *many_of_them[18];

    for (int i = 0; i < 17; i++) {
        many_of_them[i] = "x";
    }
    many_of_them[17] = NULL;
    SAME(lines_of("", WITH(.separators = none)), "-EINVAL");
    SAME(lines_of("", WITH(BY(""))), "-EINVAL");
    SAME(lines_of("", WITH(.separators = many_of_them)), "-EINVAL");
    SAME(lines_of("axb", WITH(.separators = many_of_them + 1)), "a|b$");
}

IN_TASK(a_line_may_be_too_long_and_is_left_out)
{
    for (size_t block = 1; block < 20; block++) {
        SAME(lines_of("1234\n12345\n1\n123456789012345\nend", WITH(.limit = 4, .block = block)),
             "1234|(-EMSGSIZE)1|(-EMSGSIZE)end$");
        SAME(lines_of("123456789012345", WITH(.limit = 4, .block = block)), "(-EMSGSIZE)");
    }
}

IN_TASK(memory_stays_small_however_long_a_line_is)
{
    weft_lines *lines;
    weft_line line;
    size_t size = 5u << 20;
    char *bytes = malloc(size);

    memset(bytes, 'x', size);
    bytes[size - 2] = '\n';
    EQUAL(weft_write_file(scratch("long"), bytes, size, NULL), 0);
    free(bytes);
    EQUAL(weft_lines_open(scratch("long"), &WITH(.limit = 1000), &lines), 0);
    EQUAL(weft_lines_next(lines, &line), -EMSGSIZE);
    EQUAL(weft_lines_next(lines, &line), 1);
    SAME(line.data, "x");
    EQUAL(line.offset, size - 1);
    weft_lines_close(lines);
}

IN_TASK(it_may_begin_anywhere)
{
    SAME(lines_of("one\ntwo\nthree\n", WITH(.offset = 4)), "two|three|");
    SAME(lines_of("one\ntwo\nthree\n", WITH(.offset = -6)), "three|");
    SAME(lines_of("one\ntwo\nthree\n", WITH(.offset = -100)), "one|two|three|");
    SAME(lines_of("one\ntwo\nthree\n", WITH(.at_end = true)), "");
    SAME(lines_of("one\ntwo\nthree\n", WITH(.offset = 100)), "");
}

static void append(const char *more)
{
    FILE *file = fopen(scratch("a"), "a");

    fputs(more, file);
    fclose(file);
}

IN_TASK(a_file_that_grows_goes_on)
{
    weft_lines *lines;

    EQUAL(weft_lines_open(file_of("a", "one\ntw"), &WITH(.whole = true), &lines), 0);
    SAME(rest_of(lines), "one|");
    append("o");
    SAME(rest_of(lines), "");
    append("\nthree\n");
    SAME(rest_of(lines), "two|three|");
    weft_lines_close(lines);

    EQUAL(weft_lines_open(scratch("a"), &WITH(.whole = true, BY("\r\n"), .at_end = true), &lines),
          0);
    append("x\r");
    SAME(rest_of(lines), "");
    append("\ny");
    SAME(rest_of(lines), "x|");
    weft_lines_close(lines);
}

IN_TASK(a_file_that_was_truncated_can_be_begun_again)
{
    weft_lines *lines;
    int fd = open(file_of("a", "one\ntwo\n"), O_RDWR | O_CLOEXEC);

    EQUAL(weft_lines_of(fd, NULL, &lines), 0);
    EQUAL(weft_lines_fd(lines), fd);
    SAME(rest_of(lines), "one|two|");
    EQUAL(ftruncate(fd, 0), 0);
    SAME(rest_of(lines), "");
    append("new\n");
    SAME(rest_of(lines), "");
    CHECK(weft_file_size(fd) < weft_lines_offset(lines));
    EQUAL(weft_lines_seek(lines, 0), 0);
    SAME(rest_of(lines), "new|");
    EQUAL(weft_lines_seek(lines, -1), -EINVAL);
    weft_lines_close(lines);
    EQUAL(close(fd), 0); /* is still ours */
}

IN_TASK(many_lines_take_few_waits)
{
    FILE *file = fopen(scratch("many"), "w");
    weft_lines *lines;
    weft_line line;
    int count = many(50000), told = 0;

    for (int i = 0; i < count; i++) {
        fprintf(file, "line %d\n", i);
    }
    fclose(file);
    EQUAL(weft_lines_open(scratch("many"), NULL, &lines), 0);
    while (weft_lines_next(lines, &line) > 0) {
        char expected[30];

        snprintf(expected, sizeof expected, "line %d", told++);
        if (strcmp(line.data, expected) != 0) {
            SAME(line.data, expected);
            break;
        }
    }
    EQUAL(told, count);
    weft_lines_close(lines);
}

IN_TASK(bad_use_is_an_error)
{
    weft_lines *lines = NULL;
    weft_line line;

    EQUAL(weft_lines_open(scratch("none"), NULL, &lines), -ENOENT);
    EQUAL(weft_lines_open(NULL, NULL, &lines), -EINVAL);
    EQUAL(weft_lines_open(scratch("a"), NULL, NULL), -EINVAL);
    EQUAL(weft_lines_of(-1, NULL, &lines), -EBADF);
    EQUAL(weft_lines_of(0, NULL, NULL), -EINVAL);
    EQUAL(weft_lines_next(NULL, &line), -EINVAL);
    EQUAL(weft_lines_seek(NULL, 0), -EINVAL);
    EQUAL(weft_lines_offset(NULL), -EINVAL);
    EQUAL(weft_lines_fd(NULL), -EINVAL);
    CHECK(weft_lines_close(NULL) == NULL);
    CHECK(lines == NULL);
    EQUAL(weft_lines_open(scratch(""), NULL, &lines), 0);
    EQUAL(weft_lines_next(lines, &line), -EISDIR);
    weft_lines_close(lines);
}

WEFT_ASYNC(reads_a_line, (weft_lines *, lines))
{
    weft_line line;

    return weft_lines_next(lines, &line);
}

/* Blocks that are not looked for in memory first. */
IN_TASK(two_tasks_cannot_read_one_at_once)
{
    weft_lines *lines = NULL;
    weft_line line;
    weft_task *reader;

    EQUAL(weft_lines_open(file_of("a", "one\n"), &WITH(.block = 1u << 20), &lines), 0);
    reader = weft_create_task(reads_a_line(lines), NULL);
    weft_sleep(0);
    EQUAL(weft_lines_next(lines, &line), -EBUSY);
    EQUAL(weft_lines_seek(lines, 0), -EBUSY);
    EQUAL(weft_await(reader), 1);
    EQUAL(weft_lines_seek(lines, 0), 0);
    weft_lines_close(lines);
}

WEFT_ASYNC(reads_lines)
{
    weft_lines *lines;
    weft_line line;
    int count = 0, r = weft_lines_open(scratch("a"), &WITH(.block = 3), &lines);

    if (r < 0) {
        return r;
    }
    while ((r = weft_lines_next(lines, &line)) > 0) {
        count++;
        weft_sleep(0);
    }
    if (r == 0) {
        EQUAL(count, 3);
    } else if (r == -ECANCELED) {
        CHECK(weft_lines_offset(lines) <= 4 * count); /* no line is lost */
    }
    weft_lines_close(lines);
    return r;
}

ALONE(cancelled_at_every_step_no_line_is_lost)
{
    file_of("a", "one\ntwo\nend");
    CHECK(AT_EVERY_STEP(reads_lines, 0, -ECANCELED) > 4);
}

static CU_TestInfo tests[] = {
    TEST(lines_come_one_after_the_other),
    TEST(blocks_may_be_of_any_size),
    TEST(of_several_separators_the_longest_ends_the_line),
    TEST(separators_have_rules),
    TEST(a_line_may_be_too_long_and_is_left_out),
    TEST(memory_stays_small_however_long_a_line_is),
    TEST(it_may_begin_anywhere),
    TEST(a_file_that_grows_goes_on),
    TEST(a_file_that_was_truncated_can_be_begun_again),
    TEST(many_lines_take_few_waits),
    TEST(bad_use_is_an_error),
    TEST(two_tasks_cannot_read_one_at_once),
    TEST(cancelled_at_every_step_no_line_is_lost),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(lines, tests)
