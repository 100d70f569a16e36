/* SPDX-License-Identifier: MIT
 * Another process: may it be read, what is in its memory, where is weft. */
#include "tools/weft/process.h"

#include "tools/weft/core.h"
#include "tools/weft/note.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define IMAGES_MAX 4096
#define HEADERS_MAX 64
#define NOTES_MAX 65536
#define PIECES_MAX 256

uint64_t number_at(const void *bytes, size_t size)
{
    uint8_t one;
    uint16_t two;
    uint32_t four;
    uint64_t eight;

    switch (size) {
    case sizeof one: return memcpy(&one, bytes, size), one;
    case sizeof two: return memcpy(&two, bytes, size), two;
    case sizeof four: return memcpy(&four, bytes, size), four;
    case sizeof eight: return memcpy(&eight, bytes, size), eight;
    default: return 0;
    }
}

/* ---- reading ---- */

/* The other way, for where a filter of system calls forbids the first. */
static bool by_file(struct process *process, uint64_t from, void *to, size_t size)
{
    char path[64];
    ssize_t n;

    if (process->memory < 0) {
        (void)snprintf(path, sizeof path, "/proc/%d/mem", (int)process->pid);
        process->memory = open(path, O_RDONLY | O_CLOEXEC);
    }
    n = process->memory < 0 ? -1 : pread(process->memory, to, size, (off_t)from);
    process->error = n < 0 ? errno : EFAULT;
    return n == (ssize_t)size;
}

bool process_read(struct process *process, uint64_t from, void *to, size_t size)
{
    struct iovec here = { to, size }, there = { (void *)(uintptr_t)from, size };
    ssize_t n;

    if (from != (uintptr_t)from || from < 4096 || from + size < from) {
        process->error = EFAULT;
        return false;
    }
    if (process->core) {
        process->error = EFAULT;
        return core_read(process->core, from, to, size);
    }
    if (process->memory >= 0) {
        return by_file(process, from, to, size);
    }
    n = process_vm_readv(process->pid, &here, 1, &there, 1, 0);
    if (n < 0 && (errno == EPERM || errno == ENOSYS)) {
        int error = errno;
        bool done = by_file(process, from, to, size);

        process->error = done || error == ENOSYS ? process->error : error;
        return done;
    }
    process->error = n < 0 ? errno : EFAULT;
    return n == (ssize_t)size;
}

size_t process_read_many(struct process *process, uint64_t from, uint64_t stride, size_t count,
                         void *to, size_t size)
{
    struct iovec here, there[PIECES_MAX];
    size_t done = 0;

    while (done < count && process->memory < 0 && !process->core) {
        size_t n = count - done < PIECES_MAX ? count - done : PIECES_MAX;
        ssize_t got;

        here = (struct iovec){ (char *)to + done * size, n * size };
        for (size_t i = 0; i < n; i++) {
            there[i] = (struct iovec){ (void *)(uintptr_t)(from + (done + i) * stride), size };
        }
        got = process_vm_readv(process->pid, &here, 1, there, n, 0);
        if (got <= 0) {
            break;
        }
        done += (size_t)got / size;
        if ((size_t)got < n * size) {
            break;
        }
    }
    while (done < count &&
           process_read(process, from + done * stride, (char *)to + done * size, size)) {
        done++;
    }
    return done;
}

/* Bytes of the character that begins here, in UTF-8; 0: none does. */
static size_t character(const unsigned char *c)
{
    size_t length = *c < 0x80 ? 1 :
                    *c < 0xc2 ? 0 :
                    *c < 0xe0 ? 2 :
                    *c < 0xf0 ? 3 :
                    *c < 0xf5 ? 4 :
                                0;

    for (size_t i = 1; i < length; i++) {
        if ((c[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return length;
}

void process_tame(char *text)
{
    unsigned char *c = (unsigned char *)text;

    while (*c) {
        size_t length = character(c);

        if (length == 0 || *c < 0x20 || *c == 0x7f || (*c == 0xc2 && c[1] < 0xa0)) {
            *c++ = '?'; /* the rest of a control of two bytes is none itself, and follows */
        } else {
            c += length;
        }
    }
}

bool process_text(struct process *process, uint64_t from, char *to, size_t size)
{
    size_t page = 4096 - from % 4096, n = size - 1;

    memset(to, 0, size);
    if (!process_read(process, from, to, n)) {
        n = page < n ? page : n;
        if (!process_read(process, from, to, n)) {
            *to = '\0';
            return false;
        }
    }
    to[n] = '\0';
    process_tame(to);
    return true;
}

/* ---- where weft is ---- */

/* What both kinds of ELF headers say of a segment. */
struct segment {
    uint32_t type;
    uint64_t offset, address, size;
};

/* The segments of the image that is mapped at `base`; how many. */
static int segments_of(struct process *process, uint64_t base, struct segment *ret, unsigned *bits,
                       unsigned *machine)
{
    union {
        unsigned char ident[EI_NIDENT];
        Elf32_Ehdr small;
        Elf64_Ehdr large;
    } header;
    union {
        Elf32_Phdr small[HEADERS_MAX];
        Elf64_Phdr large[HEADERS_MAX];
    } table;
    bool large;
    unsigned count;
    uint64_t at;

    if (!process_read(process, base, &header, sizeof header) ||
        memcmp(header.ident, ELFMAG, SELFMAG) != 0) {
        return 0;
    }
    large = header.ident[EI_CLASS] == ELFCLASS64;
    *bits = large ? 64 : 32;
    *machine = large ? header.large.e_machine : header.small.e_machine;
    count = large ? header.large.e_phnum : header.small.e_phnum;
    at = large ? header.large.e_phoff : header.small.e_phoff;
    if (count > HEADERS_MAX ||
        !process_read(process, base + at, &table,
                      count * (large ? sizeof table.large[0] : sizeof table.small[0]))) {
        return 0;
    }
    for (unsigned i = 0; i < count; i++) {
        const Elf64_Phdr *l = &table.large[i];
        const Elf32_Phdr *s = &table.small[i];

        ret[i] = large ? (struct segment){ l->p_type, l->p_offset, l->p_vaddr, l->p_memsz } :
                         (struct segment){ s->p_type, s->p_offset, s->p_vaddr, s->p_memsz };
    }
    return (int)count;
}

/* The root by one of an image's notes, or 0. */
static uint64_t root_by_notes(struct process *process, uint64_t start, uint64_t size)
{
    static char notes[NOTES_MAX];
    uint64_t at = 0;

    size = size < sizeof notes ? size : sizeof notes;
    if (!process_read(process, start, notes, size)) {
        return 0;
    }
    while (at + sizeof(Elf64_Nhdr) <= size) {
        Elf64_Nhdr note; /* three words of 32 bits, in both kinds of files */
        uint64_t name = at + sizeof note, description;
        int32_t distance;

        memcpy(&note, notes + at, sizeof note);
        description = name + ((note.n_namesz + UINT64_C(3)) & ~UINT64_C(3));
        if (note.n_type == NOTE_TYPE && note.n_namesz == sizeof NOTE_OWNER &&
            note.n_descsz == sizeof distance && description + sizeof distance <= size &&
            memcmp(notes + name, NOTE_OWNER, sizeof NOTE_OWNER) == 0) {
            memcpy(&distance, notes + description, sizeof distance);
            return start + description + (uint64_t)(int64_t)distance;
        }
        at = description + ((note.n_descsz + UINT64_C(3)) & ~UINT64_C(3));
    }
    return 0;
}

static void look_into_image(struct process *process, uint64_t base)
{
    struct segment segments[HEADERS_MAX];
    unsigned bits = 0, machine = 0;
    int count = segments_of(process, base, segments, &bits, &machine);
    uint64_t bias = base, root = 0;

    process->images += count > 0;
    for (int i = 0; i < count; i++) {
        if (segments[i].type == PT_LOAD && segments[i].offset == 0) {
            bias = base - segments[i].address;
        }
    }
    for (int i = 0; i < count && !root; i++) {
        if (segments[i].type == PT_NOTE) {
            root = root_by_notes(process, bias + segments[i].address, segments[i].size);
        }
    }
    if (root && process->roots_count < PROCESS_ROOTS) {
        process->pointer_size = bits / 8;
        process->machine = machine;
        process->roots[process->roots_count++] = root;
    }
}

/* ---- opening ---- */

static int read_small_file(pid_t pid, const char *name, char *text, size_t size)
{
    char path[64];
    ssize_t n;
    int fd;

    (void)snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = fd < 0 ? -1 : read(fd, text, size - 1);
    text[n < 0 ? 0 : n] = '\0';
    if (fd >= 0) {
        close(fd);
    }
    return n < 0 ? -1 : 0;
}

/* Why it may not be read, and what to do about that. */
static int forbidden(const struct process *process, int error, char *why, size_t size)
{
    char path[64], scope[16] = "", owner[40] = "another user";
    struct stat status = { .st_uid = 0 };
    struct passwd *user;
    FILE *file = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");

    if (file) {
        (void)(fgets(scope, sizeof scope, file) || (scope[0] = '\0'));
        fclose(file);
    }
    (void)snprintf(path, sizeof path, "/proc/%d", (int)process->pid);
    if (stat(path, &status) == 0) {
        user = getpwuid(status.st_uid);
        (void)snprintf(owner, sizeof owner, "%s", user ? user->pw_name : "another user");
    }
    if (status.st_uid != geteuid()) {
        (void)snprintf(why, size,
                       "process %d (%s) is %s's, and user %d may not read it; "
                       "run weft as %s, or as root: sudo weft ...",
                       (int)process->pid, process->command, owner, (int)geteuid(), owner);
    } else if (atoi(scope) > 0) {
        (void)snprintf(why, size,
                       "process %d (%s) may not be read: kernel.yama.ptrace_scope is %d; run weft "
                       "as root, or once: sudo sysctl kernel.yama.ptrace_scope=0",
                       (int)process->pid, process->command, atoi(scope));
    } else {
        (void)snprintf(why, size,
                       "process %d (%s) may not be read: %s; a container needs the capability "
                       "CAP_SYS_PTRACE for that, and a process that has dropped rights needs root",
                       (int)process->pid, process->command, strerror(error));
    }
    return -EPERM;
}

static int no_such(const struct process *process, char *why, size_t size)
{
    (void)snprintf(why, size, "there is no process %d", (int)process->pid);
    return -ESRCH;
}

static int failed(const struct process *process, int error, char *why, size_t size)
{
    if (error == ENOENT || error == ESRCH) {
        return no_such(process, why, size);
    }
    return forbidden(process, error, why, size);
}

int process_open(struct process *process, pid_t pid, char *why, size_t size)
{
    char path[64], line[1024];
    unsigned long long start, offset, first = 0;
    unsigned images = 0;
    FILE *maps;

    *process = (struct process){ .pid = pid, .memory = -1 };
    if (pid <= 0 || read_small_file(pid, "comm", process->command, sizeof process->command) < 0) {
        return no_such(process, why, size);
    }
    process->command[strcspn(process->command, "\n")] = '\0';
    process_tame(process->command);
    (void)snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    maps = fopen(path, "re");
    if (!maps) {
        return failed(process, errno, why, size);
    }
    errno = 0;
    while (images < IMAGES_MAX && fgets(line, sizeof line, maps)) {
        if (sscanf(line, "%llx-%*x %*s %llx", &start, &offset) == 2 && offset == 0 &&
            strchr(line, '/')) {
            first = first ? first : start;
            images++;
            look_into_image(process, start);
        }
    }
    if (!first && errno) {
        int error = errno;

        fclose(maps);
        return failed(process, error, why, size);
    }
    fclose(maps);
    if (first && !process->images) {
        return failed(process, process->error, why, size);
    }
    return 0;
}

int process_open_core(struct process *process, const char *path, char *why, size_t size)
{
    const struct core_file *files = NULL;
    size_t count;

    *process = (struct process){ .memory = -1 };
    process->core = core_open(path);
    if (!process->core) {
        (void)snprintf(
            why, size, "%s: %s", path,
            errno == EBADMSG ? "it is no core file of this kind of machine" : strerror(errno));
        return errno ? -errno : -ENOMEM;
    }
    process->pid = core_pid(process->core);
    (void)snprintf(process->command, sizeof process->command, "%s", core_command(process->core));
    count = core_files(process->core, &files);
    for (size_t i = 0; i < count; i++) {
        if (files[i].offset == 0) {
            look_into_image(process, files[i].start);
        }
    }
    return 0;
}

void process_close(struct process *process)
{
    if (process->core) {
        core_close(process->core);
        process->core = NULL;
    }
    if (process->memory >= 0) {
        close(process->memory);
    }
    process->memory = -1;
}
