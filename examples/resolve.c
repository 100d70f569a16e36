/* SPDX-License-Identifier: MIT
 * Names to addresses, many at once but never more than four: a task for each name, a limiter that
 * all of them share, two seconds for each, and the answers as they come.
 *
 *     resolve example.org debian.org ::1        then each address back to a name
 */
#include <errno.h>
#include <stdio.h>
#include <weft/weft.h>

static weft_limiter at_once = WEFT_LIMITER_INIT(4);

/* The addresses of a name, each on a line of its own. */
WEFT_ASYNC(look_up, (const char *, host))
{
    weft_addrinfo_options stream = { .type = SOCK_STREAM }; /* each address once */
    weft_addrinfo *info;
    weft_nameinfo name;
    char text[WEFT_ADDRESS_TEXT];
    int r = weft_getaddrinfo(host, NULL, &stream, &info);

    if (r < 0) {
        if (r != -ECANCELED)
            fprintf(stderr, "%s\n", weft_error_detail()); /* names the host, and why */
        return r;
    }
    for (size_t i = 0; i < info->count; i++) {
        weft_address_format(&info->addresses[i], text, sizeof text);
        if (weft_getnameinfo(&info->addresses[i], 0, &name) < 0)
            name.host[0] = '\0';
        printf("%-20s %-28s %s\n", host, text, name.host);
    }
    weft_addrinfo_free(info);
    return 0;
}

/* The same in its turn and with a limit. */
WEFT_ASYNC(look_up_in_turn, (const char *, host), (int *, failures))
{
    int r = weft_limiter_acquire(&at_once);

    if (r < 0)
        return r;
    r = weft_wait_for(look_up(host), 2);
    weft_limiter_release(&at_once);
    if (r == -ETIMEDOUT)
        fprintf(stderr, "no answer for '%s' in two seconds\n", host);
    *failures += r < 0;
    return r == -ECANCELED ? r : 0; /* one name that fails does not cancel the others */
}

WEFT_ASYNC(resolve, (int, count), (const char *const *, hosts), (int *, failures))
{
    weft_task_group group;
    int r = weft_task_group_enter(&group);

    for (int i = 0; r == 0 && i < count; i++)
        weft_task_group_create_task(&group, look_up_in_turn(hosts[i], failures), NULL);
    r = weft_task_group_exit(&group, r);
    weft_limiter_destroy(&at_once);
    return r;
}

int main(int argc, char **argv)
{
    static const char *const few[] = { "localhost", "127.0.0.1", "::1" };
    const char *const *hosts = argc > 1 ? (const char *const *)argv + 1 : few;
    int failures = 0, r = weft_main(resolve(argc > 1 ? argc - 1 : 3, hosts, &failures), NULL);

    return r != 0 ? r : failures > 0;
}
