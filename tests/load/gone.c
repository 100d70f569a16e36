/* SPDX-License-Identifier: MIT
 * A library that is there when a plugin is linked and not when it is loaded. */
extern int not_here(void);

int not_here(void)
{
    return 0;
}
