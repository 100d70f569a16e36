/* SPDX-License-Identifier: MIT
 * What libdw does: names and lines by the tables of files, and walks of stacks that stand still.
 *
 * Debugging information is looked for in the files themselves and where distributions put it on
 * this machine, by build ID; never on the network. */
#include "tools/weft/unwind.h"

#include <stdlib.h>

#ifdef HAVE_DW

#include "tools/weft/core.h"
#include "tools/weft/words.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <inttypes.h>
#include <string.h>

#define COPY_MAX ((size_t)64 << 10) /* of a stack */

struct unwind {
    struct process *process;
    Dwfl *dwfl;
    Elf *elf;                  /* of a core file */
    const struct saved *saved; /* how its machine's stacks are left; NULL: not known (yet) */
    bool attached;
    /* The walk that goes on. */
    uint64_t base; /* of the copy */
    size_t length;
    char *copy;
    uint64_t *addresses;
    unsigned max, count;
};

/* Local files alone: libdw's standard way may ask a server. */
static int find_debug_file(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr base,
                           const char *file, const char *link, GElf_Word checksum, char **ret_name)
{
    return dwfl_build_id_find_debuginfo(module, data, name, base, file, link, checksum, ret_name);
}

/* Tells libdw which files are mapped where. */
static bool report(struct unwind *unwind)
{
    const struct process *process = unwind->process;

    if (!process->core) {
        return dwfl_linux_proc_report(unwind->dwfl, process->pid) == 0;
    }
    elf_version(EV_CURRENT);
    unwind->elf = elf_begin(core_descriptor(process->core), ELF_C_READ_MMAP, NULL);
    return unwind->elf && dwfl_core_file_report(unwind->dwfl, unwind->elf, NULL) >= 0;
}

struct unwind *unwind_open(struct process *process)
{
    static const Dwfl_Callbacks living = {
        .find_elf = dwfl_linux_proc_find_elf,
        .find_debuginfo = find_debug_file,
    };
    static const Dwfl_Callbacks ended = {
        .find_elf = dwfl_build_id_find_elf,
        .find_debuginfo = find_debug_file,
    };
    struct unwind *unwind = calloc(1, sizeof *unwind);

    if (!unwind) {
        return NULL;
    }
    unwind->process = process;
    unwind->copy = malloc(COPY_MAX);
    unwind->dwfl = dwfl_begin(process->core ? &ended : &living);
    if (!unwind->copy || !unwind->dwfl || !report(unwind) ||
        dwfl_report_end(unwind->dwfl, NULL, NULL) != 0) {
        unwind_close(unwind);
        return NULL;
    }
    return unwind;
}

void unwind_close(struct unwind *unwind)
{
    if (unwind->dwfl) {
        dwfl_end(unwind->dwfl);
    }
    if (unwind->elf) {
        elf_end(unwind->elf);
    }
    free(unwind->copy);
    free(unwind);
}

static const char *symbol_at(Dwfl_Module *module, uint64_t address, uint64_t *ret_offset)
{
    GElf_Off offset = 0;
    GElf_Sym symbol;
    const char *name =
        module ? dwfl_module_addrinfo(module, address, &offset, &symbol, NULL, NULL, NULL) : NULL;

    /* The nearest name before an address that belongs to nothing says nothing. */
    if (!name || (symbol.st_size && offset >= symbol.st_size)) {
        return NULL;
    }
    *ret_offset = offset;
    return name;
}

bool unwind_name(struct unwind *unwind, uint64_t address, char *to, size_t size)
{
    uint64_t offset = 0;
    const char *name = symbol_at(dwfl_addrmodule(unwind->dwfl, address), address, &offset);

    if (!name) {
        return false;
    }
    if (offset) {
        (void)snprintf(to, size, "%s+%" PRIu64, name, offset);
    } else {
        (void)snprintf(to, size, "%s", name);
    }
    return true;
}

const void *unwind_module(struct unwind *unwind, uint64_t address)
{
    return dwfl_addrmodule(unwind->dwfl, address);
}

/* Where a number of a debugging entry is; 0: it has none. */
static Dwarf_Word number_of(Dwarf_Die *die, unsigned name)
{
    Dwarf_Attribute attribute;
    Dwarf_Word value = 0;

    return dwarf_formudata(dwarf_attr(die, name, &attribute), &value) == 0 ? value : 0;
}

/* Whether it is what stands in the braces of a WEFT_ASYNC(), which is inlined into what runs it. */
static bool is_body(Dwarf_Die *die)
{
    const char *name = dwarf_diename(die);
    size_t length = name ? strlen(name) : 0;

    return length > 6 && strcmp(name + length - 6, "__body") == 0;
}

/* Where a function, or a coroutine's body, calls what was inlined into it at an address; false:
 * nothing was. */
static bool called_at(Dwfl_Module *module, uint64_t address, const char **ret_file, int *ret_line)
{
    Dwarf_Addr bias = 0;
    Dwarf_Die *unit = dwfl_module_addrdie(module, address, &bias), *scopes = NULL;
    int count = unit ? dwarf_getscopes(unit, address - bias, &scopes) : 0;
    Dwarf_Files *files;
    bool found = false;

    for (int i = 0; i < count && dwarf_tag(&scopes[i]) != DW_TAG_subprogram; i++) {
        Dwarf_Word line = number_of(&scopes[i], DW_AT_call_line);

        if (is_body(&scopes[i])) {
            break;
        }
        if (dwarf_tag(&scopes[i]) == DW_TAG_inlined_subroutine && line &&
            dwarf_getsrcfiles(unit, &files, NULL) == 0) {
            *ret_file = dwarf_filesrc(files, number_of(&scopes[i], DW_AT_call_file), NULL, NULL);
            *ret_line = (int)line;
            found = *ret_file != NULL;
        }
    }
    free(scopes);
    return found;
}

bool unwind_place(struct unwind *unwind, uint64_t address, char *function, size_t function_size,
                  char *place, size_t place_size)
{
    Dwfl_Module *module = dwfl_addrmodule(unwind->dwfl, address);
    uint64_t offset = 0;
    const char *name = symbol_at(module, address, &offset), *file = NULL;
    Dwfl_Line *line = module ? dwfl_module_getsrc(module, address) : NULL;
    int number = 0;

    *function = *place = '\0';
    if (name) {
        (void)snprintf(function, function_size, "%s", name);
    }
    if (line && !called_at(module, address, &file, &number)) {
        file = dwfl_lineinfo(line, NULL, &number, NULL, NULL, NULL);
    }
    if (file) {
        (void)snprintf(place, place_size, "%s:%d", word_file(file), number);
    } else if (module) {
        file = dwfl_module_info(module, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
        (void)snprintf(place, place_size, "%s", word_file(file ? file : "?"));
    }
    return *place;
}

/* ---- stacks ---- */

/* What a switch of weft leaves on a stack, from its stack pointer upwards (core/fiber/). */
static const struct saved {
    unsigned machine;
    unsigned size, pc_at;
    int sp_number; /* registers by their numbers in DWARF */
    struct {
        int number;
        unsigned at;
    } registers[12]; /* the end: 0 at 0 */
} machines[] = {
    { EM_X86_64,
      64,
      56,
      7,
      { { 15, 8 }, { 14, 16 }, { 13, 24 }, { 12, 32 }, { 3, 40 }, { 6, 48 } } },
    { EM_AARCH64,
      176,
      8,
      31,
      { { 29, 0 },
        { 19, 16 },
        { 20, 24 },
        { 21, 32 },
        { 22, 40 },
        { 23, 48 },
        { 24, 56 },
        { 25, 64 },
        { 26, 72 },
        { 27, 80 },
        { 28, 88 } } },
};

static pid_t next_thread(Dwfl *dwfl, void *self, void **thread)
{
    const struct unwind *unwind = self;

    (void)dwfl;
    if (*thread) {
        return 0;
    }
    *thread = self;
    return unwind->process->pid;
}

static bool get_thread(Dwfl *dwfl, pid_t id, void *self, void **thread)
{
    (void)dwfl, (void)id;
    *thread = self;
    return true;
}

static bool read_memory(Dwfl *dwfl, Dwarf_Addr address, Dwarf_Word *ret, void *self)
{
    const struct unwind *unwind = self;

    (void)dwfl;
    if (address < unwind->base || address - unwind->base + sizeof *ret > unwind->length) {
        return false;
    }
    memcpy(ret, unwind->copy + (address - unwind->base), sizeof *ret);
    return true;
}

static bool set_registers(Dwfl_Thread *thread, void *self)
{
    const struct unwind *unwind = self;
    const struct saved *saved = unwind->saved;
    Dwarf_Word value = unwind->base + saved->size;

    if (!dwfl_thread_state_registers(thread, saved->sp_number, 1, &value)) {
        return false;
    }
    for (size_t i = 0; saved->registers[i].number; i++) {
        memcpy(&value, unwind->copy + saved->registers[i].at, sizeof value);
        if (!dwfl_thread_state_registers(thread, saved->registers[i].number, 1, &value)) {
            return false;
        }
    }
    memcpy(&value, unwind->copy + saved->pc_at, sizeof value);
    dwfl_thread_state_register_pc(thread, value);
    return true;
}

static int step(Dwfl_Frame *frame, void *arg)
{
    struct unwind *unwind = arg;
    Dwarf_Addr pc;

    if (unwind->count == unwind->max || !dwfl_frame_pc(frame, &pc, NULL)) {
        return DWARF_CB_ABORT;
    }
    unwind->addresses[unwind->count++] = pc;
    return DWARF_CB_OK;
}

unsigned unwind_stack(struct unwind *unwind, uint64_t sp, uint64_t top, uint64_t *ret, unsigned max)
{
    static const Dwfl_Thread_Callbacks callbacks = {
        .next_thread = next_thread,
        .get_thread = get_thread,
        .memory_read = read_memory,
        .set_initial_registers = set_registers,
    };
    size_t length = top > sp && top - sp < COPY_MAX ? (size_t)(top - sp) : COPY_MAX;

    for (size_t i = 0; i < sizeof machines / sizeof machines[0] && !unwind->saved; i++) {
        unwind->saved =
            machines[i].machine == unwind->process->machine && unwind->process->pointer_size == 8 ?
                &machines[i] :
                NULL;
    }
    if (!unwind->saved || sp >= top || length < unwind->saved->size + sizeof(uint64_t) ||
        !process_read(unwind->process, sp, unwind->copy, length)) {
        return 0;
    }
    unwind->base = sp;
    unwind->length = length;
    unwind->addresses = ret;
    unwind->max = max;
    unwind->count = 0;
    if (!unwind->attached) {
        unwind->attached =
            dwfl_attach_state(unwind->dwfl, NULL, unwind->process->pid, &callbacks, unwind);
    }
    if (unwind->attached) {
        (void)dwfl_getthread_frames(unwind->dwfl, unwind->process->pid, step, unwind);
    }
    return unwind->count;
}

#else

struct unwind *unwind_open(struct process *process)
{
    (void)process;
    return NULL;
}

void unwind_close(struct unwind *unwind)
{
    (void)unwind;
}

bool unwind_name(struct unwind *unwind, uint64_t address, char *to, size_t size)
{
    (void)unwind, (void)address, (void)to, (void)size;
    return false;
}

const void *unwind_module(struct unwind *unwind, uint64_t address)
{
    (void)unwind, (void)address;
    return NULL;
}

bool unwind_place(struct unwind *unwind, uint64_t address, char *function, size_t function_size,
                  char *place, size_t place_size)
{
    (void)unwind, (void)address, (void)function, (void)function_size, (void)place;
    (void)place_size;
    return false;
}

unsigned unwind_stack(struct unwind *unwind, uint64_t sp, uint64_t top, uint64_t *ret, unsigned max)
{
    (void)unwind, (void)sp, (void)top, (void)ret, (void)max;
    return 0;
}

#endif
