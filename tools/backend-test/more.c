/* SPDX-License-Identifier: MIT
 * Groups 16 and 17: operations that complete, and the file that a backend is. */
#include "tools/backend-test/kit.h"

#include <dlfcn.h>
#include <sys/stat.h>

#if defined(__linux__)
#include <elf.h>
#include <link.h>
#include <sys/mman.h>
#endif

/* Group 16. */

static int completed;
static weft_backend_op *last;

static void note_completion(weft_backend_op *op)
{
    completed++;
    last = op;
}

static bool supports(uint32_t opcode)
{
    const weft_backend_completions *table = kit.ops->completions;

    return opcode < table->opcodes && table->support[opcode];
}

/* Submits one and waits until it has completed; its result. */
static int64_t carry_out(weft_backend_op *op)
{
    int64_t end = kit_clock() + SOON;
    weft_backend_event event;

    completed = 0;
    kit.on_complete = note_completion;
    if (!EQUAL(kit.ops->completions->submit(kit.be, op), 0)) {
        return -EINVAL;
    }
    while (!completed && kit_clock() < end) {
        CHECK(kit_wait(kit_now() + 20 * MS, &event, 1) >= 0);
    }
    EQUAL(completed, 1);
    CHECK(last == op);
    return op->result;
}

static uint64_t address_of(const void *memory)
{
    return (uint64_t)(uintptr_t)memory;
}

static void bytes_go_through(uint32_t in, uint32_t out)
{
    char text[] = "woven", room[16] = "";
    weft_backend_op op;
    int fds[2];

    if (!supports(in) || !supports(out)) {
        kit_skip("it does not complete these");
    }
    kit_pair(fds);
    op = (weft_backend_op){
        .opcode = out,
        .fd = fds[1],
        .address = address_of(text),
        .length = 5,
        .offset = UINT64_MAX,
        .token = 42,
    };
    EQUAL(carry_out(&op), 5);
    EQUAL(op.token, 42);
    op = (weft_backend_op){
        .opcode = in,
        .fd = fds[0],
        .address = address_of(room),
        .length = 16,
        .offset = UINT64_MAX,
    };
    EQUAL(carry_out(&op), 5);
    CHECK(strcmp(room, text) == 0);
    op = (weft_backend_op){ .opcode = out, .fd = -1, .address = address_of(text), .length = 5 };
    EQUAL(carry_out(&op), -EBADF);
    close(fds[0]);
    close(fds[1]);
}

static void reads_and_writes(void)
{
    bytes_go_through(WEFT_OP_READ, WEFT_OP_WRITE);
}

static void receives_and_sends(void)
{
    bytes_go_through(WEFT_OP_RECEIVE, WEFT_OP_SEND);
}

static void files_at_offsets(void)
{
    char path[] = "/tmp/weft-backend-test-XXXXXX", room[8] = "";
    int fd = mkstemp(path);
    weft_backend_op op = {
        .opcode = WEFT_OP_READ,
        .fd = fd,
        .address = address_of(room),
        .length = 8,
        .offset = 6,
    };

    unlink(path);
    if (!supports(WEFT_OP_READ)) {
        kit_skip("it does not complete reads");
    }
    kit_put(fd, "warp, weft");
    EQUAL(carry_out(&op), 4);
    CHECK(memcmp(room, "weft", 4) == 0);
    op.offset = 100;
    EQUAL(carry_out(&op), 0);
    close(fd);
}

static void a_cancelled_one_completes(void)
{
    const weft_backend_completions *table = kit.ops->completions;
    char room[8] = "";
    int fds[2];
    weft_backend_op op = { .opcode = WEFT_OP_READ, .address = address_of(room), .length = 8 };
    int64_t end = kit_clock() + SOON;
    weft_backend_event event;

    if (!supports(WEFT_OP_READ)) {
        kit_skip("it does not complete reads");
    }
    CHECK(pipe(fds) == 0);
    op.fd = fds[0];
    op.offset = UINT64_MAX;
    completed = 0;
    kit.on_complete = note_completion;
    EQUAL(table->submit(kit.be, &op), 0);
    CHECK(kit_wait(LOOK, &event, 1) >= 0);
    EQUAL(completed, 0); /* there is nothing to read */
    CHECK(table->cancel(kit.be, &op) >= 0);
    while (!completed && kit_clock() < end) {
        CHECK(kit_wait(kit_now() + 20 * MS, &event, 1) >= 0);
    }
    EQUAL(completed, 1);
    EQUAL(op.result, -ECANCELED);
    close(fds[0]);
    close(fds[1]);
}

static void unknown_operations(void)
{
    weft_backend_op op = { .opcode = 9999 };
    int r = kit.ops->completions->submit(kit.be, &op);

    EQUAL(r, -EOPNOTSUPP);
}

const struct kit_case kit_completion[] = {
    { "reads and writes", reads_and_writes, KIT_OPEN | KIT_COMPLETE },
    { "receives and sends", receives_and_sends, KIT_OPEN | KIT_COMPLETE },
    { "files are read at their offset", files_at_offsets, KIT_OPEN | KIT_COMPLETE },
    { "one that is cancelled completes", a_cancelled_one_completes, KIT_OPEN | KIT_COMPLETE },
    { "what nobody knows is refused", unknown_operations, KIT_OPEN | KIT_COMPLETE },
    { 0 },
};

/* Group 17. */

static void opened_again_and_closed(void)
{
    char symbol[64];
    void *image = dlopen(kit.path, RTLD_NOW | RTLD_LOCAL);
    const void *found;

    snprintf(symbol, sizeof symbol, "weft_backend_%s", kit.backend->name);
    if (!CHECK(image != NULL)) {
        kit_note("%s", dlerror());
        return;
    }
    found = dlsym(image, symbol);
    CHECK(found != NULL);
    for (int i = 0; i < 3; i++) {
        dlclose(image);
    }
    CHECK(kit.backend->probe(symbol, sizeof symbol) == 0); /* its code is still there */
    EQUAL(kit_open(), 0);
    EQUAL(kit_close(), 0);
    CHECK(dlsym(RTLD_DEFAULT, "weft_backend") == NULL);
}

#if defined(__linux__)

static const ElfW(Shdr) * section(const unsigned char *image, uint32_t type)
{
    const ElfW(Ehdr) *header = (const void *)image;
    const ElfW(Shdr) *sections = (const void *)(image + header->e_shoff);

    for (int i = 0; i < header->e_shnum; i++) {
        if (sections[i].sh_type == type) {
            return &sections[i];
        }
    }
    return NULL;
}

/* What every shared object may have. */
static bool is_usual(const char *name)
{
    static const char *const usual[] = { "_init", "_fini", "_edata", "_end", "__bss_start" };

    for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++) {
        if (strcmp(usual[i], name) == 0) {
            return true;
        }
    }
    return strncmp(name, "__asan", 6) == 0 || strncmp(name, "__odr_asan", 10) == 0 ||
           strncmp(name, "__gcov", 6) == 0;
}

/* Looks through the symbols that the file defines for others. */
static void look_through(const unsigned char *image)
{
    const ElfW(Shdr) *symbols = section(image, SHT_DYNSYM);
    const ElfW(Shdr) *sections =
        (const void *)(image + ((const ElfW(Ehdr) *)(const void *)image)->e_shoff);
    const ElfW(Sym) * all;
    const char *names;
    char own[64];

    if (!CHECK(symbols != NULL)) {
        return;
    }
    snprintf(own, sizeof own, "weft_backend_%s", kit.backend->name);
    all = (const void *)(image + symbols->sh_offset);
    names = (const char *)image + sections[symbols->sh_link].sh_offset;
    for (size_t i = 0; i < symbols->sh_size / sizeof *all; i++) {
        const char *name = names + all[i].st_name;

        if (all[i].st_shndx != SHN_UNDEF && *name && strcmp(name, own) != 0 && !is_usual(name)) {
            kit_note("it exports %s", name);
            CHECK(!"anything else");
        }
    }
}

static void only_its_descriptor(void)
{
    int fd = open(kit.path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    void *image;

    if (!CHECK(fd >= 0 && fstat(fd, &status) == 0)) {
        return;
    }
    image = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (CHECK(image != MAP_FAILED)) {
        look_through(image);
        munmap(image, (size_t)status.st_size);
    }
}

#else

static void only_its_descriptor(void)
{
    kit_skip("files are read where they are ELF");
}

#endif

const struct kit_case kit_loading[] = {
    { "it is opened again and closed, and stays", opened_again_and_closed, KIT_FILE },
    { "it exports its descriptor and nothing else", only_its_descriptor, KIT_FILE },
    { 0 },
};
