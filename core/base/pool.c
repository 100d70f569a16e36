/* SPDX-License-Identifier: MIT
 * Small objects of one size: the chunks they are carved from, and the depot where chunks wait. */
#include "core/base/pool.h"
#include "core/base/shared.h"

#include "core/base/mem.h"

#include <pthread.h>

#define CELL_ALIGN ((size_t)1 << WEFT__CELL_LOW)

/* A chunk's bytes, what malloc adds included, so that pages are used up. */
#define CHUNK_FIRST ((size_t)4 << 10)
#define CHUNK_LARGEST ((size_t)256 << 10)
#define MALLOC_SPARE ((size_t)128)

/* Lies in the chunk's first cache line; the cells follow. */
struct weft__chunk {
    struct weft__chunk *next;
    size_t size;      /* bytes it was made for, a power of two unless one cell needs more */
    size_t cell_size; /* its cells keep their size, and so their handles their meaning, for ever */
    char *used_end;   /* the cells below have been taken once, by this pool or an earlier one */
    char *end;
};

_Static_assert(sizeof(struct weft__chunk) <= (size_t)1 << WEFT__CELL_LOW, "the cells stay aligned");

/* Chunks of closed pools, by cell size; the last list holds all larger ones, mixed. */
static struct weft__chunk *depot[33];
static pthread_mutex_t depot_lock = PTHREAD_MUTEX_INITIALIZER;
WEFT__OPENS_IN_CHILD(depot_lock)

static struct weft__chunk **depot_list(size_t cell_size)
{
    size_t i = cell_size / CELL_ALIGN;

    return &depot[i < WEFT__COUNT(depot) ? i : WEFT__COUNT(depot) - 1];
}

static struct weft__chunk *depot_take(size_t cell_size)
{
    struct weft__chunk *chunk;

    pthread_mutex_lock(&depot_lock);
    for (struct weft__chunk **link = depot_list(cell_size); (chunk = *link); link = &chunk->next) {
        if (chunk->cell_size == cell_size) {
            *link = chunk->next;
            break;
        }
    }
    pthread_mutex_unlock(&depot_lock);
    return chunk;
}

static char *first_cell(struct weft__chunk *chunk)
{
    return (char *)chunk + CELL_ALIGN;
}

/* A chunk from the system; its cells have no handles yet. */
static struct weft__chunk *chunk_new(size_t cell_size, size_t size)
{
    size_t room = size - MALLOC_SPARE - CELL_ALIGN;

    room = room < cell_size ? cell_size : room - room % cell_size;
    struct weft__chunk *chunk = weft__alloc_aligned(CELL_ALIGN, CELL_ALIGN + room);

    if (!chunk) {
        return NULL;
    }
    if (!weft__tag_fits(first_cell(chunk) + room)) {
        weft__free(chunk); /* an address with more than 48 bits: there is no room for tags in it */
        return NULL;
    }
    *chunk = (struct weft__chunk){
        .size = size,
        .cell_size = cell_size,
        .used_end = first_cell(chunk),
        .end = first_cell(chunk) + room,
    };
    weft__pool_hide(first_cell(chunk), room);
    return chunk;
}

/* Gives the pool another chunk to carve, the depot's before the system's. */
static bool add_chunk(struct weft__pool *pool)
{
    struct weft__chunk *chunk = depot_take(pool->cell_size);

    if (!chunk) {
        size_t size = pool->chunks ? pool->chunks->size * 2 : CHUNK_FIRST;

        chunk = chunk_new(pool->cell_size, size < CHUNK_LARGEST ? size : CHUNK_LARGEST);
    }
    if (!chunk) {
        return false;
    }
    chunk->next = pool->chunks;
    pool->chunks = chunk;
    pool->fresh = first_cell(chunk);
    pool->fresh_end = chunk->end;
    return true;
}

void weft__pool_init(struct weft__pool *pool, size_t cell_size)
{
    WEFT_ASSERT(cell_size > 0);
    *pool = (struct weft__pool){
        .cell_size = (cell_size + CELL_ALIGN - 1) / CELL_ALIGN * CELL_ALIGN,
    };
}

struct weft__cell *weft__pool_grow(struct weft__pool *pool)
{
    if (pool->fresh == pool->fresh_end && !add_chunk(pool)) {
        return NULL;
    }
    struct weft__chunk *chunk = pool->chunks;
    struct weft__cell *cell = (struct weft__cell *)pool->fresh;

    pool->fresh += pool->cell_size;
    weft__pool_show(cell, pool->cell_size);
    if ((char *)cell < chunk->used_end) {
        /* An earlier pool's: handles to it may be around, so its tag goes on. */
        WEFT_ASSERT(!weft__tag_lives(cell->handle));
        cell->handle = weft__tag_next(cell->handle, WEFT__CELL_LOW);
    } else {
        cell->handle = weft__tag_make(cell, 1, WEFT__CELL_LOW);
        chunk->used_end = pool->fresh;
    }
    pool->live++;
    return cell;
}

void weft__pool_each(struct weft__pool *pool, void (*visit)(void *cell, void *arg), void *arg)
{
    for (struct weft__chunk *chunk = pool->chunks; chunk; chunk = chunk->next) {
        for (char *at = first_cell(chunk); at < chunk->used_end; at += pool->cell_size) {
            if (weft__tag_lives(((struct weft__cell *)at)->handle)) {
                visit(at, arg);
            }
        }
    }
}

static void give_back(void *cell, void *arg)
{
    weft__pool_give(arg, cell);
}

void weft__pool_fini(struct weft__pool *pool)
{
    struct weft__chunk **list = depot_list(pool->cell_size);

    /* What is still counted is a coroutine that runs in an abandoned task: it has the handle of a
     * free cell, and nobody will come back for it. */
    weft__pool_each(pool, give_back, pool);
    pthread_mutex_lock(&depot_lock);
    /* The oldest and smallest one goes last and comes back first: a small pool takes little. */
    while (pool->chunks) {
        struct weft__chunk *chunk = pool->chunks;

        pool->chunks = chunk->next;
        chunk->next = *list;
        *list = chunk;
    }
    pthread_mutex_unlock(&depot_lock);
    weft__pool_init(pool, pool->cell_size);
}

void weft__pool_depot_clear(void)
{
    pthread_mutex_lock(&depot_lock);
    for (size_t i = 0; i < WEFT__COUNT(depot); i++) {
        while (depot[i]) {
            struct weft__chunk *chunk = depot[i];

            depot[i] = chunk->next;
            weft__pool_show(first_cell(chunk), (size_t)(chunk->end - first_cell(chunk)));
            weft__free(chunk);
        }
    }
    pthread_mutex_unlock(&depot_lock);
}
