/* SPDX-License-Identifier: MIT
 * The names of a race: lookups for both families at once, each a source of addresses. */
#include "core/io/connect.h"

#include "core/base/error.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static void lookup_is_done(void *arg)
{
    struct weft__source *source = arg;

    source->answered = source->race->is_answered = true;
    weft__race_wake(source->race);
}

static void begin_source(struct weft__race *race, struct weft__question *question, int family)
{
    struct weft__source *source = &race->sources[race->source_count++];
    int r;

    source->race = race;
    question->family = family;
    r = weft__lookup_begin(race->task->loop, question, lookup_is_done, source, &source->lookup);
    if (r < 0) {
        source->status = r;
        (void)snprintf(source->words, sizeof source->words, "cannot find the addresses of '%s': %s",
                       race->host ? race->host : "", weft_strerror(r));
    }
}

/* A source has its addresses, which get the port. */
static void fill(struct weft__source *source, weft_addrinfo *info)
{
    weft_address *addresses = (weft_address *)(void *)(info + 1);

    for (size_t i = 0; i < info->count; i++) {
        struct sockaddr_in in; /* IPv6 has its port at the same place */

        memcpy(&in, addresses[i].bytes, sizeof in);
        in.sin_port = htons((uint16_t)source->race->port);
        memcpy(addresses[i].bytes, &in, sizeof in);
    }
    source->info = info;
}

/* For numbers nobody has to be asked. */
int weft__race_look_up(struct weft__race *race, int family, int flags)
{
    struct weft__question question = {
        .host = race->host,
        .family = family,
        .type = SOCK_STREAM,
        .protocol = IPPROTO_TCP,
        .flags = flags,
        .service = "0",
    };
    struct weft__answer answer = { .status = 0 };

    if (weft__dns_numeric(&question, &answer)) {
        race->source_count = 1;
        race->sources[0].race = race;
        if (answer.status == 0) {
            fill(&race->sources[0], answer.info);
        }
        return weft__dns_failed(&question, &answer);
    }
    question.service = NULL;
    if (family != 0) {
        begin_source(race, &question, family);
    } else {
        begin_source(race, &question, AF_INET6);
        begin_source(race, &question, AF_INET);
    }
    return 0;
}

void weft__race_take_answers(struct weft__race *race)
{
    race->is_answered = false;
    for (int i = 0; i < race->source_count; i++) {
        struct weft__source *source = &race->sources[i];
        struct weft__answer answer;

        if (!source->lookup || !source->answered) {
            continue;
        }
        source->status = weft__lookup_end(source->lookup, &answer);
        source->lookup = NULL;
        source->found = weft__loop_now(race->task->loop);
        if (source->status < 0) {
            (void)snprintf(source->words, sizeof source->words, "%s", weft_error_detail());
        } else {
            fill(source, answer.info);
        }
    }
}

void weft__race_end_lookups(struct weft__race *race)
{
    for (int i = 0; i < race->source_count; i++) {
        if (race->sources[i].lookup) {
            weft__lookup_abandon(race->sources[i].lookup);
        }
        weft_addrinfo_free(race->sources[i].info);
    }
}

/* How much a lookup's error tells: that there is no such name is said by many, also of one
 * family. */
static int weight(int status)
{
    return status == 0 ? 0 : status == -ENOENT ? 1 : status == -ENODATA ? 2 : 3;
}

int weft__race_unknown(const struct weft__race *race)
{
    const struct weft__source *source = &race->sources[0];

    if (race->source_count > 1 && weight(race->sources[1].status) > weight(source->status)) {
        source = &race->sources[1];
    }
    return *source->words ? weft__detail(source->status, "%s", source->words) : source->status;
}
