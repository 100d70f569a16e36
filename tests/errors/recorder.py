# SPDX-License-Identifier: MIT
"""Writes the C of a recorder: around each public call a function of its own that notes what it
returned.

The linker's --wrap leads each call of a test program to `__wrap_NAME`.  What is noted is one byte
for a pair of a call and an error, in a file that all processes share: $WEFT_TEST_RECORD.  Error 0
is that the call was made at all.  A pointer below 4096 is a handle that carries an error.  The byte
is SEEN, or MADE when the process has had faults of this error made by core/base/mem.h before.
"""
import re

ERRORS = 4096
MADE, SEEN = 1, 2
HEAD = '''#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
%(includes)s

static unsigned char *seen;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("WEFT_TEST_RECORD");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *at = fd < 0 ? MAP_FAILED
                      : mmap(NULL, %(size)d, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    seen = at == MAP_FAILED ? NULL : at;
    if (fd >= 0) {
        close(fd);
    }
}

static unsigned char made[%(errors)d];

int __real_weft__fault_hit(void);
int __wrap_weft__fault_hit(void);
int __wrap_weft__fault_hit(void)
{
    int r = __real_weft__fault_hit();

    if (r < 0) {
        made[-r] = 1;
    }
    return r;
}

int __real_weft__fault_errno(void);
int __wrap_weft__fault_errno(void);
int __wrap_weft__fault_errno(void)
{
    int r = __real_weft__fault_errno();

    if (r) {
        made[errno] = 1;
    }
    return r;
}

static inline void record(unsigned call, long long value)
{
    if (seen) {
        seen[call * %(errors)dU] = 1;
        if (value < 0 && value > -%(errors)d) {
            seen[call * %(errors)dU + (unsigned)-value] |= made[-value] ? 1 : 2;
        }
    }
}

static inline long long error_in(const void *handle)
{
    return (unsigned long)handle < %(errors)dU ? -(long long)(unsigned long)handle : 0;
}
'''


def prototype(declaration):
    """What a declared function returns, its parameters as text, and their names."""
    text = ' '.join(re.sub(r'/\*.*?\*/', ' ', declaration.text, flags=re.S).split())
    text = re.sub(r'\b(WEFT_API|WEFT_MUST_USE|WEFT_PRINTF\(.*?\)) ?', '', text)
    at = end = re.search(rf'\b{declaration.name}\(', text).end()
    parts, depth = [''], 1
    while depth:
        depth += {'(': 1, ')': -1}.get(text[end], 0)
        if depth == 1 and text[end] == ',':
            parts.append('')
        elif depth:
            parts[-1] += text[end]
        end += 1
    parts = [] if parts == ['void'] else [p.strip() for p in parts]
    names = [(re.search(r'\(\*(\w+)\)', p) or re.search(r'(\w+)(?:\[\w*\])*$', p)).group(1) for p in parts]
    return text[:at - len(declaration.name) - 1].strip(), ', '.join(parts) or 'void', names


def wrapper(number, declaration):
    """The function around a call."""
    name = declaration.name
    gives, parameters, names = prototype(declaration)
    gap = '' if gives.endswith('*') else ' '
    real = f'__real_{name}({", ".join(names)})'
    lines = [f'{gives}{gap}__real_{name}({parameters});', f'{gives}{gap}__wrap_{name}({parameters});',
             f'{gives}{gap}__wrap_{name}({parameters})', '{']
    if gives == 'void':
        lines += [f'    {real};', f'    record({number}, 0);']
    else:
        value = {'bool': '0', 'double': '0', 'size_t': '0', 'unsigned': '0', 'uint64_t': '0'}.get(
            gives, 'error_in((const void *)r)' if gives.endswith('*') else 'r')
        pointer = 'weft_exception_handler *' == gives
        value = '0' if pointer else value
        lines += [f'    {gives}{gap}r = {real};', '', f'    record({number}, {value});', '    return r;']
    return '\n'.join(['', *lines, '}', ''])


def source(declarations, headers):
    """The whole file, for functions whose numbers are their places in the list."""
    includes = '\n'.join(f'#include <weft/{name}.h>' for name in headers)
    return HEAD % {'size': len(declarations) * ERRORS, 'errors': ERRORS, 'includes': includes} + ''.join(
        wrapper(number, d) for number, d in enumerate(declarations))
