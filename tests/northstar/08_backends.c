/* SPDX-License-Identifier: MIT
 * Choosing the event loop: by name, by a factory of one's own, or by configuration (no options
 * at all).  Called with a backend's name, prints "ran on NAME" twice; without one, "ran on"
 * and whatever the environment (WEFT_BACKEND), the configuration file or the built-in default
 * chose. */
#include <stdio.h>
#include <weft/weft.h>

static const char *wanted;

WEFT_ASYNC(which)
{
    printf("ran on %s\n", weft_loop_backend_name(NULL));
    return weft_sleep(0.01);
}

static int factory(weft_loop **ret_loop)
{
    return weft_loop_new(wanted, ret_loop);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return weft_run(which(), NULL);

    wanted = argv[1];
    int r = weft_run(which(), &(weft_run_options){ .backend = wanted });
    if (r < 0) {
        fprintf(stderr, "%s: %s\n", wanted, weft_strerror(r));
        return 1;
    }
    return weft_run(which(), &(weft_run_options){ .loop_factory = factory });
}
