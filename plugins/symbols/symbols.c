/* SPDX-License-Identifier: MIT
 * The plugin "symbols": source files and lines for addresses, and walks of stacks, by libdw.
 *
 * Debugging information is looked for in the files themselves and where distributions put it on
 * this machine (by build ID); never on the network. */
#include "symbols.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Local files alone: libdw's standard way may ask a server. */
static int find_debug_file(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr base,
                           const char *file, const char *link, GElf_Word checksum, char **ret_name)
{
    char path[4096];
    int r = dwfl_build_id_find_debuginfo(module, data, name, base, file, link, checksum, ret_name);
    int n;

    if (r >= 0 || !link || !file) {
        return r;
    }
    n = snprintf(path, sizeof path, "%.*s/.debug/%s",
                 (int)(strrchr(file, '/') ? strrchr(file, '/') - file : 0), file, link);
    return n > 0 && (size_t)n < sizeof path && access(path, R_OK) == 0 ?
               dwfl_standard_find_debuginfo(module, data, name, base, file, link, checksum,
                                            ret_name) :
               -1;
}

static const Dwfl_Callbacks callbacks = {
    .find_elf = dwfl_linux_proc_find_elf,
    .find_debuginfo = find_debug_file,
};

/* Has libdw read which files are mapped; again when some were loaded since. */
static int read_modules(struct symbols *symbols)
{
    dwfl_report_begin_add(symbols->dwfl);
    if (dwfl_linux_proc_report(symbols->dwfl, getpid()) != 0) {
        return -ENOENT;
    }
    return dwfl_report_end(symbols->dwfl, NULL, NULL) == 0 ? 0 : -ENOENT;
}

static Dwfl_Module *module_of(struct symbols *symbols, Dwarf_Addr address)
{
    Dwfl_Module *module = dwfl_addrmodule(symbols->dwfl, address);

    if (!module && read_modules(symbols) == 0) {
        module = dwfl_addrmodule(symbols->dwfl, address);
    }
    return module;
}

static void copy(char *to, size_t size, const char *from)
{
    (void)snprintf(to, size, "%s", from ? from : "");
}

/* A file as the compiler named it, without the steps back that build folders bring. */
static void copy_file(char *to, size_t size, const char *from)
{
    while (from && strncmp(from, "../", 3) == 0) {
        from += 3;
    }
    copy(to, size, from);
}

/* The innermost function: the symbol table's name, and the line table's line. */
static int place_of(Dwfl_Module *module, Dwarf_Addr address, weft_place *ret)
{
    GElf_Off offset = 0;
    GElf_Sym symbol;
    const char *name = dwfl_module_addrinfo(module, address, &offset, &symbol, NULL, NULL, NULL);
    Dwfl_Line *line = dwfl_module_getsrc(module, address);
    const char *file = NULL;
    int number = 0;

    if (line) {
        file = dwfl_lineinfo(line, NULL, &number, NULL, NULL, NULL);
    }
    copy(ret->function, sizeof ret->function, name);
    copy_file(ret->file, sizeof ret->file, file);
    ret->line = file ? number : 0;
    ret->offset = offset;
    return name || file ? 0 : -ENOENT;
}

static int place(void *self, const void *address, weft_place *ret_place)
{
    Dwarf_Addr at = (Dwarf_Addr)(uintptr_t)address;
    Dwfl_Module *module = module_of(self, at);

    return module && ret_place->size >= sizeof *ret_place ? place_of(module, at, ret_place) :
                                                            -ENOENT;
}

static bool is_function(Dwarf_Die *die)
{
    int tag = dwarf_tag(die);

    return tag == DW_TAG_subprogram || tag == DW_TAG_inlined_subroutine;
}

/* The name of a function, also where only what it is a copy of has one. */
static const char *name_of(Dwarf_Die *die)
{
    Dwarf_Attribute attribute;

    return dwarf_formstring(dwarf_attr_integrate(die, DW_AT_name, &attribute));
}

/* Where an inlined function is called: the place in the function around it. */
static void call_site(Dwarf_Die *inlined, Dwarf_Die *unit, weft_place *ret)
{
    Dwarf_Attribute attribute;
    Dwarf_Word file = 0, line = 0;
    Dwarf_Files *files;
    size_t count;

    (void)dwarf_formudata(dwarf_attr(inlined, DW_AT_call_file, &attribute), &file);
    (void)dwarf_formudata(dwarf_attr(inlined, DW_AT_call_line, &attribute), &line);
    if (dwarf_getsrcfiles(unit, &files, &count) == 0 && file < count) {
        copy_file(ret->file, sizeof ret->file, dwarf_filesrc(files, file, NULL, NULL));
        ret->line = (int32_t)line;
    }
}

/* The entries around a place in the code, each within the next one; to be freed.  (What one call
 * gives beyond an inlined function is where that was written, not where it is called.) */
static int scopes_at(Dwarf_Die *unit, Dwarf_Addr at, Dwarf_Die **ret_scopes)
{
    Dwarf_Die *innermost = NULL;
    int count = unit ? dwarf_getscopes(unit, at, &innermost) : 0;

    *ret_scopes = NULL;
    count = count > 0 ? dwarf_getscopes_die(innermost, ret_scopes) : 0;
    free(innermost);
    return count;
}

/* What surrounds an address, from the innermost inlined function to the one that has the code. */
static int places(void *self, const void *address, weft_place *ret_places, int max)
{
    Dwarf_Addr at = (Dwarf_Addr)(uintptr_t)address, bias = 0;
    Dwfl_Module *module = module_of(self, at);
    Dwarf_Die *unit = module ? dwfl_module_addrdie(module, at, &bias) : NULL, *scopes = NULL;
    int count, n = 0;

    if (!module || max < 1) {
        return -ENOENT;
    }
    count = scopes_at(unit, at - bias, &scopes);
    if (place_of(module, at, &ret_places[0]) < 0) {
        ret_places[0].function[0] = '\0';
    }
    for (int i = 0; i < count && n < max; i++) {
        if (!is_function(&scopes[i])) {
            continue;
        }
        copy(ret_places[n].function, sizeof ret_places[n].function, name_of(&scopes[i]));
        n++;
        if (dwarf_tag(&scopes[i]) == DW_TAG_subprogram) {
            break;
        }
        if (n < max) {
            call_site(&scopes[i], unit, &ret_places[n]);
        }
    }
    free(scopes);
    return n ? n : ret_places[0].function[0] || ret_places[0].line ? 1 : -ENOENT;
}

static int open_symbols(const weft_plugin_core *core, const char *options, void **ret_self)
{
    struct symbols *symbols;

    if (*options) {
        core->detail("the plugin 'symbols' has no options");
        return -EINVAL;
    }
    symbols = core->alloc(NULL, sizeof *symbols);
    if (!symbols) {
        return -ENOMEM;
    }
    *symbols = (struct symbols){ .core = core, .dwfl = dwfl_begin(&callbacks) };
    if (!symbols->dwfl || read_modules(symbols) < 0) {
        dwfl_end(symbols->dwfl);
        core->alloc(symbols, 0);
        core->detail("libdw cannot read the modules of this process: %s", dwfl_errmsg(-1));
        return -ENOENT;
    }
    *ret_self = symbols;
    return 0;
}

static void close_symbols(void *self)
{
    struct symbols *symbols = self;

    dwfl_end(symbols->dwfl);
    symbols->core->alloc(symbols, 0);
}

static const char *library(void)
{
    return dwfl_version(NULL);
}

static const weft_symboliser table = {
    .size = sizeof table,
    .place = place,
    .places = places,
    .unwind = symbols_unwind,
};

WEFT_PLUGIN(symbols) = {
    .magic = WEFT_PLUGIN_MAGIC,
    .abi = WEFT_PLUGIN_ABI,
    .size = sizeof(weft_plugin),
    .kind = WEFT_PLUGIN_SYMBOLISER,
    .name = "symbols",
    .summary = "source files and lines in reports",
    .needs = "programs with debugging information (-g)",
    .table = &table,
    .open = open_symbols,
    .close = close_symbols,
    .version = WEFT_VERSION,
    .library = library,
};
