#include <stdio.h>
#include <weft/weft.h>

WEFT_ASYNC(say_after, (double, seconds), (const char *, what))
{
    int r = weft_sleep(seconds);
    if (r < 0)
        return r;
    printf("%s\n", what);
    return 0;
}

WEFT_ASYNC(hello)
{
    weft_task *world = weft_create_task(say_after(0.2, "... World!"), NULL);

    weft_await(say_after(0.1, "Hello ..."));
    return weft_await(world);
}

int main(void)
{
    return weft_main(hello(), NULL);
}
