/* SPDX-License-Identifier: MIT
 * What this program is called, and where its file is: each system has its own way to ask. */
#include "core/proc/program.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#if defined(__APPLE__)
#include <mach-o/dyld.h>
#elif defined(__FreeBSD__) || defined(__NetBSD__)
#include <sys/types.h>

#include <sys/sysctl.h>
#endif

#ifdef __linux__

const char *weft__program_name(void)
{
    return program_invocation_short_name;
}

/* By a name of the kernel's where the file was removed or replaced meanwhile. */
const char *weft__program_file(char *path, size_t size)
{
    ssize_t n = readlink("/proc/self/exe", path, size - 1);

    if (n > 0) {
        path[n] = '\0';
        if (access(path, X_OK) == 0) {
            return path;
        }
    }
    return "/proc/self/exe";
}

#else

const char *weft__program_name(void)
{
    return getprogname();
}

const char *weft__program_file(char *path, size_t size)
{
#if defined(__APPLE__)
    uint32_t length = (uint32_t)size;

    return _NSGetExecutablePath(path, &length) == 0 ? path : NULL;
#elif defined(__FreeBSD__)
    const int name[] = { CTL_KERN, KERN_PROC, KERN_PROC_PATHNAME, -1 };

    return sysctl(name, 4, path, &size, NULL, 0) == 0 ? path : NULL;
#elif defined(__NetBSD__)
    const int name[] = { CTL_KERN, KERN_PROC_ARGS, -1, KERN_PROC_PATHNAME };

    return sysctl(name, 4, path, &size, NULL, 0) == 0 ? path : NULL;
#else /* OpenBSD */
    (void)path, (void)size;
    return NULL;
#endif
}

#endif
