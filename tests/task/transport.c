/* SPDX-License-Identifier: MIT
 * What the tests of transports share. */
#include "tests/task/transport.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

bool watches(void)
{
    return !is_virtual() || strstr(backend(), "fds=1");
}

static void open_tcp(int fds[2])
{
    struct sockaddr_in at = { .sin_family = AF_INET };
    socklen_t length = sizeof at;
    const int little = 65536; /* so that a test can fill it */
    int listening = socket(AF_INET, SOCK_STREAM, 0);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EQUAL(bind(listening, (struct sockaddr *)&at, sizeof at), 0);
    EQUAL(listen(listening, 1), 0);
    EQUAL(getsockname(listening, (struct sockaddr *)&at, &length), 0);
    fds[1] = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fds[1], SOL_SOCKET, SO_RCVBUF, &little, sizeof little);
    EQUAL(connect(fds[1], (struct sockaddr *)&at, sizeof at), 0);
    fds[0] = accept(listening, NULL, NULL);
    setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &little, sizeof little);
    CHECK(fds[0] >= 0);
    close(listening);
}

void open_pair(enum pair_kind kind, int fds[2])
{
    if (kind == PAIR_TCP) {
        open_tcp(fds);
    } else {
        EQUAL(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    }
    for (int i = 0; i < 2; i++) {
        fcntl(fds[i], F_SETFL, O_NONBLOCK);
        fcntl(fds[i], F_SETFD, FD_CLOEXEC);
    }
}

static void say(const struct seen *seen, const char *word)
{
    if (!seen->quiet) {
        note(word);
    }
}

static void made(weft_transport *transport, void *self)
{
    struct seen *seen = self;

    say(seen, "made");
    seen->transport = transport;
    seen->made++;
    EQUAL(weft_sleep(0), -EPERM); /* it is no task */
}

static void data(weft_transport *transport, const void *bytes, size_t size, void *self)
{
    struct seen *seen = self;

    (void)transport;
    say(seen, "data");
    CHECK(size > 0);
    for (size_t i = 0; i < size && seen->count + i < sizeof seen->got; i++) {
        seen->got[seen->count + i] = ((const char *)bytes)[i];
    }
    seen->count += size;
}

static bool eof(weft_transport *transport, void *self)
{
    struct seen *seen = self;

    (void)transport;
    say(seen, "eof");
    seen->eofs++;
    return seen->stays;
}

static void pause_writing(weft_transport *transport, void *self)
{
    struct seen *seen = self;
    size_t high;

    EQUAL(weft_transport_get_write_buffer_limits(transport, NULL, &high), 0);
    CHECK(weft_transport_get_write_buffer_size(transport) > high);
    say(seen, "pause");
    seen->pauses++;
}

static void resume_writing(weft_transport *transport, void *self)
{
    struct seen *seen = self;
    size_t low;

    EQUAL(weft_transport_get_write_buffer_limits(transport, &low, NULL), 0);
    CHECK(weft_transport_get_write_buffer_size(transport) <= low);
    say(seen, "resume");
    seen->resumes++;
}

static void lost(weft_transport *transport, int error, void *self)
{
    struct seen *seen = self;

    say(seen, "lost");
    seen->lost++;
    seen->error = error;
    CHECK(seen->made >= seen->lost);
    CHECK(weft_transport_is_closing(transport));
    seen->transport = NULL;
}

const weft_protocol noting = { .size = sizeof noting,
                               .connection_made = made,
                               .data_received = data,
                               .eof_received = eof,
                               .pause_writing = pause_writing,
                               .resume_writing = resume_writing,
                               .connection_lost = lost };

weft_transport *transport_for(int fd, struct seen *seen)
{
    weft_transport *transport = NULL;

    EQUAL(weft_loop_connect_accepted_socket(NULL, &noting, seen, fd, &transport), 0);
    return transport;
}

void until(const int *what, int least, const char *claim, const char *file, unsigned line)
{
    for (int i = 0; i < 50000 && *what < least; i++) {
        weft_sleep(i < 100 ? 0 : 0.0001);
    }
    if (*what < least) {
        check_equal(*what, least, claim, "enough", file, line);
    }
}

size_t drink(int fd, void *room, size_t size, bool *ret_end)
{
    char nowhere[4096];
    size_t count = 0;
    ssize_t n;

    *ret_end = false;
    for (;;) {
        if (count < size) {
            n = read(fd, (char *)room + count, size - count);
        } else {
            n = read(fd, nowhere, sizeof nowhere);
        }
        if (n <= 0) {
            *ret_end = n == 0;
            return count;
        }
        count += (size_t)n;
    }
}
