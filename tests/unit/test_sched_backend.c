/* SPDX-License-Identifier: MIT
 * What the core offers to backends. */
#include "core/poll/poll.h"
#include "tests/unit/unit.h"

#include <CUnit/CUnit.h>
#include <weft/error.h>

static void the_core_offers_all_that_backends_need(void)
{
    const weft_backend_core *core = &weft__backend_core;
    CU_ASSERT(core->size == sizeof(*core));
    CU_ASSERT(core->abi == WEFT_BACKEND_ABI);
    CU_ASSERT(core->now() > 0);
    CU_ASSERT(core->fault() == 0);
    void *memory = core->alloc(NULL, 8);
    memory = core->alloc(memory, 16);
    CU_ASSERT(memory != NULL);
    CU_ASSERT(core->alloc(memory, 0) == NULL);
    core->detail("%d words", 2);
    CU_ASSERT_STRING_EQUAL(weft_error_detail(), "2 words");
    weft_error_clear();
}

static void what_it_does_not_do_is_not_there(void)
{
    CU_ASSERT_PTR_NOT_NULL(weft__backend_core.ready);
    CU_ASSERT_PTR_NOT_NULL(weft__backend_core.pump);
    CU_ASSERT_PTR_NOT_NULL(weft__backend_core.closed);
    CU_ASSERT_PTR_NULL(weft__backend_core.complete);
}

#define TEST(name) { #name, name }

static CU_TestInfo tests[] = {
    TEST(the_core_offers_all_that_backends_need),
    TEST(what_it_does_not_do_is_not_there),
    CU_TEST_INFO_NULL,
};

WEFT_UNIT_MAIN(sched_backend, tests)
