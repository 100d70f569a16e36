/* SPDX-License-Identifier: MIT
 * Core files: the segments of memory, and the notes that tell which files were mapped where. */
#include "tools/weft/core.h"

#include "tools/weft/process.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/procfs.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_MAX 65536

struct segment {
    uint64_t type, offset, address, in_file, in_memory;
};

struct core {
    int fd;
    const char *bytes; /* the whole file, mapped */
    uint64_t size;
    unsigned word; /* bytes of a pointer */
    struct segment *segments;
    size_t segments_count;
    struct core_file *files;
    size_t files_count;
    pid_t pid;
    char command[32];
    const char *open_path; /* the mapped file that was read last, */
    int open_fd;           /* and its descriptor; -1: none */
};

/* Bytes of the core file, or NULL: it ends before. */
static const char *bytes_at(const struct core *core, uint64_t offset, uint64_t size)
{
    return offset <= core->size && size <= core->size - offset ? core->bytes + offset : NULL;
}

/* ---- the notes ---- */

/* Count, size of a page, then start, end and page of each, then their names. */
static void read_files(struct core *core, const char *bytes, uint64_t size)
{
    unsigned word = core->word;
    uint64_t count = size >= 2 * word ? number_at(bytes, word) : 0;
    uint64_t page = count ? number_at(bytes + word, word) : 0;
    const char *end = bytes + size, *name;

    if (core->files || !count || count > FILES_MAX || size < (2 + 3 * count) * word) {
        return;
    }
    core->files = calloc(count, sizeof *core->files);
    name = bytes + (2 + 3 * count) * word;
    for (uint64_t i = 0; i < count && core->files; i++) {
        const char *entry = bytes + (2 + 3 * i) * word;
        const char *stop = name < end ? memchr(name, '\0', (size_t)(end - name)) : NULL;

        if (!stop) {
            return;
        }
        core->files[i].start = number_at(entry, word);
        core->files[i].end = number_at(entry + word, word);
        core->files[i].offset = number_at(entry + 2 * (size_t)word, word) * page;
        core->files[i].path = name;
        core->files_count = (size_t)i + 1;
        name = stop + 1;
    }
}

static void read_process(struct core *core, const char *bytes, uint64_t size)
{
    struct elf_prpsinfo info;

    if (core->word == sizeof(void *) && size >= sizeof info) {
        memcpy(&info, bytes, sizeof info);
        core->pid = info.pr_pid;
        memcpy(core->command, info.pr_fname, sizeof info.pr_fname);
        core->command[sizeof info.pr_fname] = '\0';
        process_tame(core->command);
    }
}

static void read_notes(struct core *core, uint64_t offset, uint64_t size)
{
    uint64_t at = 0;

    while (at + sizeof(Elf64_Nhdr) <= size) {
        Elf64_Nhdr note;
        const char *header = bytes_at(core, offset + at, sizeof note), *description;

        if (!header) {
            return;
        }
        memcpy(&note, header, sizeof note);
        at += sizeof note + ((note.n_namesz + UINT64_C(3)) & ~UINT64_C(3));
        description = bytes_at(core, offset + at, note.n_descsz);
        at += (note.n_descsz + UINT64_C(3)) & ~UINT64_C(3);
        if (description && note.n_type == NT_FILE) {
            read_files(core, description, note.n_descsz);
        } else if (description && note.n_type == NT_PRPSINFO) {
            read_process(core, description, note.n_descsz);
        }
    }
}

/* ---- opening ---- */

/* The table of segments; the section that tells their number where that is too large for the
 * header's word. */
static bool read_segments(struct core *core)
{
    const Elf64_Ehdr *large = (const void *)core->bytes;
    const Elf32_Ehdr *small = (const void *)core->bytes;
    bool wide = core->word == 8;
    uint64_t offset = wide ? large->e_phoff : small->e_phoff;
    uint64_t count = wide ? large->e_phnum : small->e_phnum;
    size_t each = wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
    const char *table;

    if (count == PN_XNUM) {
        size_t at = wide ? offsetof(Elf64_Shdr, sh_info) : offsetof(Elf32_Shdr, sh_info);
        const char *number = bytes_at(core, (wide ? large->e_shoff : small->e_shoff) + at, 4);

        count = number ? number_at(number, 4) : 0;
    }
    table = bytes_at(core, offset, count * each);
    core->segments = table ? calloc(count + 1, sizeof *core->segments) : NULL;
    for (uint64_t i = 0; i < count && core->segments; i++) {
        Elf64_Phdr l;
        Elf32_Phdr s;

        memcpy(&l, table + i * each, wide ? sizeof l : 0);
        memcpy(&s, table + i * each, wide ? 0 : sizeof s);
        core->segments[i] =
            wide ? (struct segment){ l.p_type, l.p_offset, l.p_vaddr, l.p_filesz, l.p_memsz } :
                   (struct segment){ s.p_type, s.p_offset, s.p_vaddr, s.p_filesz, s.p_memsz };
        core->segments_count = (size_t)i + 1;
    }
    return core->segments;
}

static bool is_core(const struct core *core)
{
    const Elf64_Ehdr *header = (const void *)core->bytes;
    unsigned char ours = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;

    return core->size >= sizeof *header && memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 &&
           header->e_ident[EI_DATA] == ours && header->e_type == ET_CORE;
}

struct core *core_open(const char *path)
{
    struct core *core = calloc(1, sizeof *core);
    struct stat status;
    void *bytes = MAP_FAILED;

    if (!core) {
        return NULL;
    }
    core->open_fd = -1;
    core->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (core->fd >= 0 && fstat(core->fd, &status) == 0 && status.st_size > 0) {
        bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, core->fd, 0);
    } else if (core->fd >= 0) {
        errno = EBADMSG;
    }
    if (bytes == MAP_FAILED) {
        core_close(core);
        return NULL;
    }
    core->bytes = bytes;
    core->size = (uint64_t)status.st_size;
    if (is_core(core)) {
        core->word = ((const unsigned char *)bytes)[EI_CLASS] == ELFCLASS64 ? 8 : 4;
    }
    if (!core->word || !read_segments(core)) {
        core_close(core);
        errno = EBADMSG;
        return NULL;
    }
    for (size_t i = 0; i < core->segments_count; i++) {
        if (core->segments[i].type == PT_NOTE) {
            read_notes(core, core->segments[i].offset, core->segments[i].in_file);
        }
    }
    return core;
}

void core_close(struct core *core)
{
    int error = errno;

    if (core->bytes) {
        munmap((void *)(uintptr_t)core->bytes, (size_t)core->size);
    }
    if (core->fd >= 0) {
        close(core->fd);
    }
    if (core->open_fd >= 0) {
        close(core->open_fd);
    }
    free(core->segments);
    free(core->files);
    free(core);
    errno = error;
}

/* ---- reading ---- */

/* From the file that was mapped there; how much. */
static size_t read_mapped(struct core *core, uint64_t from, void *to, size_t size)
{
    for (size_t i = 0; i < core->files_count; i++) {
        const struct core_file *file = &core->files[i];
        ssize_t n;

        if (from < file->start || from >= file->end) {
            continue;
        }
        if (core->open_path != file->path) {
            if (core->open_fd >= 0) {
                close(core->open_fd);
            }
            core->open_path = file->path;
            core->open_fd = open(file->path, O_RDONLY | O_CLOEXEC);
        }
        size = size < file->end - from ? size : (size_t)(file->end - from);
        n = core->open_fd < 0 ?
                -1 :
                pread(core->open_fd, to, size, (off_t)(from - file->start + file->offset));
        return n > 0 ? (size_t)n : 0;
    }
    return 0;
}

/* A first part of what is asked for; how much. */
static size_t read_some(struct core *core, uint64_t from, void *to, size_t size)
{
    for (size_t i = 0; i < core->segments_count; i++) {
        const struct segment *segment = &core->segments[i];
        uint64_t at = from - segment->address;
        const char *bytes;

        if (segment->type != PT_LOAD || from < segment->address || at >= segment->in_file) {
            continue;
        }
        size = size < segment->in_file - at ? size : (size_t)(segment->in_file - at);
        bytes = bytes_at(core, segment->offset + at, size);
        if (!bytes) {
            return 0; /* the file was cut off */
        }
        memcpy(to, bytes, size);
        return size;
    }
    return read_mapped(core, from, to, size);
}

bool core_read(struct core *core, uint64_t from, void *to, size_t size)
{
    while (size > 0) {
        size_t n = read_some(core, from, to, size);

        if (n == 0) {
            return false;
        }
        from += n;
        to = (char *)to + n;
        size -= n;
    }
    return true;
}

size_t core_files(const struct core *core, const struct core_file **ret_files)
{
    *ret_files = core->files;
    return core->files_count;
}

pid_t core_pid(const struct core *core)
{
    return core->pid;
}

const char *core_command(const struct core *core)
{
    return *core->command ? core->command : "?";
}

int core_descriptor(const struct core *core)
{
    return core->fd;
}
