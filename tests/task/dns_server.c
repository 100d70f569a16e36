/* SPDX-License-Identifier: MIT
 * A small DNS server for tests. */
#include "tests/task/dns_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NAMES_MAX 64
#define LATER_MAX 256
#define MESSAGE_MAX 512

enum { A = 1, PTR = 12, CNAME = 5, AAAA = 28 };

struct message {
    unsigned char at[MESSAGE_MAX];
    size_t size;
};

/* What is known. */
struct known {
    char name[64], data[200], alias[64];
    struct dns_manner manner;
};

/* What both processes see. */
static struct shared {
    pthread_mutex_t lock;
    struct known names[NAMES_MAX];
    int count;
    atomic_int asked, asked_by_tcp;
} * shared;

/* Answers that wait for their time. */
static struct later {
    bool used;
    long when;
    struct sockaddr_in to;
    struct message message;
} later[LATER_MAX];

void dns_know(const char *name, const char *data, struct dns_manner manner)
{
    struct known *known = &shared->names[shared->count];

    pthread_mutex_lock(&shared->lock);
    known->manner = manner;
    snprintf(known->name, sizeof known->name, "%s", name);
    snprintf(known->data, sizeof known->data, "%s", data);
    snprintf(known->alias, sizeof known->alias, "%s", manner.alias ? manner.alias : "");
    shared->count++;
    pthread_mutex_unlock(&shared->lock);
}

void dns_forget(void)
{
    pthread_mutex_lock(&shared->lock);
    shared->count = 0;
    pthread_mutex_unlock(&shared->lock);
    atomic_store(&shared->asked, 0);
    atomic_store(&shared->asked_by_tcp, 0);
}

int dns_asked(void)
{
    return atomic_load(&shared->asked);
}

int dns_asked_by_tcp(void)
{
    return atomic_load(&shared->asked_by_tcp);
}

static long now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Messages. */

static void put(struct message *message, const void *bytes, size_t size)
{
    if (message->size + size <= sizeof message->at) {
        memcpy(message->at + message->size, bytes, size);
        message->size += size;
    }
}

static void put16(struct message *message, unsigned value)
{
    put(message, (unsigned char[]){ (unsigned char)(value >> 8), (unsigned char)value }, 2);
}

static void put_name(struct message *message, const char *name)
{
    while (*name) {
        size_t length = strcspn(name, ".");
        unsigned char size = (unsigned char)length;

        put(message, &size, 1);
        put(message, name, length);
        name += length + (name[length] == '.');
    }
    put(message, "", 1);
}

/* One record; its name is a pointer to that of the question, or an alias's own. */
static void put_record(struct message *message, const char *name, unsigned type, const void *data,
                       size_t size)
{
    if (name) {
        put_name(message, name);
    } else {
        put16(message, 0xc00c);
    }
    put16(message, type);
    put16(message, 1); /* IN */
    put16(message, 0);
    put16(message, 60); /* seconds to live */
    put16(message, (unsigned)size);
    put(message, data, size);
    message->at[7]++; /* the number of answers */
}

static void put_names_record(struct message *message, unsigned type, const char *name)
{
    struct message data = { .size = 0 };

    put_name(&data, name);
    put_record(message, NULL, type, data.at, data.size);
}

/* The question's name and type; false if it is none. */
static bool read_question(const struct message *question, char *name, size_t size,
                          unsigned *ret_type, size_t *ret_end)
{
    size_t at = 12, n = 0;

    while (at < question->size && question->at[at] != 0) {
        size_t length = question->at[at];

        if (at + 1 + length >= question->size || n + length + 2 > size) {
            return false;
        }
        memcpy(name + n, question->at + at + 1, length);
        n += length;
        name[n++] = '.';
        at += 1 + length;
    }
    if (at + 5 > question->size || n == 0) {
        return false;
    }
    name[n - 1] = '\0';
    *ret_type = (unsigned)(question->at[at + 1] << 8 | question->at[at + 2]);
    *ret_end = at + 5;
    return true;
}

static void put_addresses(struct message *answer, const struct known *known, unsigned type)
{
    const char *alias = *known->alias ? known->alias : NULL;
    char text[sizeof known->data], *place, *word;

    if (alias) {
        put_names_record(answer, CNAME, alias);
    }
    snprintf(text, sizeof text, "%s", known->data);
    for (word = strtok_r(text, " ", &place); word; word = strtok_r(NULL, " ", &place)) {
        unsigned char bytes[16];

        if (type == A && inet_pton(AF_INET, word, bytes) == 1) {
            put_record(answer, alias, A, bytes, 4);
        } else if (type == AAAA && inet_pton(AF_INET6, word, bytes) == 1) {
            put_record(answer, alias, AAAA, bytes, 16);
        } else if (type == PTR) {
            put_names_record(answer, PTR, word);
        }
    }
}

/* The answer to a question; false: there is none.  `by_tcp` is what it came by. */
static bool make_answer(const struct message *question, bool by_tcp, struct message *answer,
                        int *ret_delay_ms)
{
    char name[256];
    unsigned type;
    size_t end;
    const struct known *known = NULL;

    if (!read_question(question, name, sizeof name, &type, &end)) {
        return false;
    }
    *answer = *question;
    answer->size = end;
    answer->at[2] = 0x81;         /* an answer; recursion was desired */
    answer->at[3] = 0x80;         /* and is available */
    memset(answer->at + 6, 0, 6); /* no records */
    for (int i = 0; i < shared->count && !known; i++) {
        known = strcasecmp(shared->names[i].name, name) == 0 ? &shared->names[i] : NULL;
    }
    *ret_delay_ms = known ? known->manner.delay_ms : 0;
    if (!known) {
        answer->at[3] |= 3; /* NXDOMAIN */
    } else if (known->manner.silent) {
        return false;
    } else if (known->manner.garbage) {
        answer->at[7] = 1; /* says that there is an answer, and ends */
        put16(answer, 0xc0ff);
    } else if (known->manner.rcode) {
        answer->at[3] |= (unsigned char)known->manner.rcode;
    } else if (known->manner.truncate && !by_tcp) {
        answer->at[2] |= 2; /* TC */
    } else {
        put_addresses(answer, known, type);
    }
    return true;
}

/* The server. */

static int udp, tcp;

static void answer_later(const struct message *answer, const struct sockaddr_in *to, int delay_ms)
{
    for (int i = 0; i < LATER_MAX; i++) {
        if (!later[i].used) {
            later[i] = (struct later){ true, now_ms() + delay_ms, *to, *answer };
            return;
        }
    }
}

static void serve_udp(void)
{
    struct sockaddr_in from;
    socklen_t length = sizeof from;
    struct message question, answer;
    int delay_ms = 0;
    ssize_t n =
        recvfrom(udp, question.at, sizeof question.at, 0, (struct sockaddr *)&from, &length);
    bool answers;

    if (n < 12) {
        return;
    }
    question.size = (size_t)n;
    pthread_mutex_lock(&shared->lock);
    answers = make_answer(&question, false, &answer, &delay_ms);
    pthread_mutex_unlock(&shared->lock);
    atomic_fetch_add(&shared->asked, 1);
    if (answers && delay_ms > 0) {
        answer_later(&answer, &from, delay_ms);
    } else if (answers) {
        (void)sendto(udp, answer.at, answer.size, 0, (struct sockaddr *)&from, length);
    }
}

/* One connection, one question. */
static void serve_tcp(void)
{
    int fd = accept(tcp, NULL, NULL), delay_ms;
    unsigned char size[2];
    struct message question, answer;

    if (fd < 0) {
        return;
    }
    if (recv(fd, size, 2, MSG_WAITALL) == 2) {
        question.size = (size_t)(size[0] << 8 | size[1]);
        if (question.size <= sizeof question.at &&
            recv(fd, question.at, question.size, MSG_WAITALL) == (ssize_t)question.size) {
            atomic_fetch_add(&shared->asked_by_tcp, 1);
            pthread_mutex_lock(&shared->lock);
            if (make_answer(&question, true, &answer, &delay_ms)) {
                size[0] = (unsigned char)(answer.size >> 8);
                size[1] = (unsigned char)answer.size;
                (void)send(fd, size, 2, MSG_MORE | MSG_NOSIGNAL);
                (void)send(fd, answer.at, answer.size, MSG_NOSIGNAL);
            }
            pthread_mutex_unlock(&shared->lock);
        }
    }
    close(fd);
}

/* Sends what is due; returns the time until the next, or -1. */
static int send_due(void)
{
    long now = now_ms(), next = -1;

    for (int i = 0; i < LATER_MAX; i++) {
        if (later[i].used && later[i].when <= now) {
            (void)sendto(udp, later[i].message.at, later[i].message.size, 0,
                         (struct sockaddr *)&later[i].to, sizeof later[i].to);
            later[i].used = false;
        }
        if (later[i].used && (next < 0 || later[i].when - now < next)) {
            next = later[i].when - now;
        }
    }
    return (int)next;
}

/* Until the other process ends, and with it its end of the pipe. */
static void serve(int parent)
{
    struct pollfd fds[3] = {
        { .fd = udp, .events = POLLIN },
        { .fd = tcp, .events = POLLIN },
        { .fd = parent, .events = POLLIN },
    };

    while (!fds[2].revents) {
        int r = poll(fds, 3, send_due());

        if (r > 0 && fds[0].revents) {
            serve_udp();
        }
        if (r > 0 && fds[1].revents) {
            serve_tcp();
        }
    }
}

static void share(void)
{
    pthread_mutexattr_t attributes;

    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        abort();
    }
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&shared->lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
}

/* Opens both sockets; returns the port they share, or 0. */
static int open_sockets(void)
{
    struct sockaddr_in at = { .sin_family = AF_INET };
    socklen_t length = sizeof at;

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(udp, (struct sockaddr *)&at, sizeof at) == 0 &&
        getsockname(udp, (struct sockaddr *)&at, &length) == 0 &&
        bind(tcp, (struct sockaddr *)&at, sizeof at) == 0 && listen(tcp, 16) == 0) {
        return ntohs(at.sin_port);
    }
    close(udp);
    close(tcp);
    return 0;
}

int dns_serve(void)
{
    int port = 0, ends[2];

    for (int tries = 0; tries < 20 && port == 0; tries++) { /* until TCP has the port, too */
        port = open_sockets();
    }
    share();
    if (port == 0 || pipe(ends) < 0) {
        abort();
    }
    switch (fork()) {
    case -1: abort();
    case 0:
        close(ends[1]);
        serve(ends[0]);
        _exit(0);
    default:
        close(ends[0]);
        close(udp);
        close(tcp);
        return port;
    }
}
