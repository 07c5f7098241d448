/* Region allocator with clean-up handlers. */
#include "base/arena.h"

#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One block serves a typical request; larger ones are rare and grow the chain. */
#define BLOCK_SIZE 8192u
#define ALIGNMENT  16u

struct block {
    struct block *next;
    size_t size, used; /* of data, in bytes */
    _Alignas(ALIGNMENT) unsigned char data[];
};

struct cleanup {
    struct cleanup *next;
    void (*run)(void *object);
    void *object;
};

struct arena {
    struct block *first, *current;
    struct cleanup *cleanups;
    size_t used;
};

struct secret {
    size_t size;
    _Alignas(ALIGNMENT) unsigned char data[];
};

static void *must_alloc(size_t size)
{
    void *p = malloc(size);
    if (p == NULL) {
        fputs("trackerd: out of memory\n", stderr);
        abort();
    }
    return p;
}

static struct block *block_new(size_t size)
{
    struct block *block = must_alloc(sizeof(*block) + size);
    block->next = NULL;
    block->size = size;
    block->used = 0;
    return block;
}

struct arena *arena_new(void)
{
    struct arena *arena = must_alloc(sizeof(*arena));
    arena->first = arena->current = block_new(BLOCK_SIZE);
    arena->cleanups = NULL;
    arena->used = 0;
    return arena;
}

static void run_cleanups(struct arena *arena)
{
    /* A clean-up may allocate or defer again, so the list is popped, not walked. */
    while (arena->cleanups != NULL) {
        struct cleanup *cleanup = arena->cleanups;
        arena->cleanups = cleanup->next;
        cleanup->run(cleanup->object);
    }
}

void arena_reset(struct arena *arena)
{
    run_cleanups(arena);
    for (struct block *block = arena->first->next, *next; block != NULL; block = next) {
        next = block->next;
        free(block);
    }
    arena->first->next = NULL;
    arena->first->used = 0;
    arena->current = arena->first;
    arena->used = 0;
}

void arena_free(struct arena *arena)
{
    if (arena == NULL)
        return;
    arena_reset(arena);
    free(arena->first);
    free(arena);
}

void *arena_alloc(struct arena *arena, size_t size)
{
    if (size > SIZE_MAX / 2) {
        fputs("trackerd: allocation size overflow\n", stderr);
        abort();
    }
    size_t rounded = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    struct block *block = arena->current;
    if (rounded > block->size - block->used) {
        struct block *fresh = block_new(rounded > BLOCK_SIZE ? rounded : BLOCK_SIZE);
        block->next = fresh;
        arena->current = block = fresh;
    }
    void *p = block->data + block->used;
    block->used += rounded;
    arena->used += rounded;
    return p;
}

void *arena_zalloc(struct arena *arena, size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total)) {
        fputs("trackerd: allocation size overflow\n", stderr);
        abort();
    }
    return memset(arena_alloc(arena, total), 0, total);
}

void *arena_memdup(struct arena *arena, const void *data, size_t len)
{
    void *copy = arena_alloc(arena, len);
    if (len > 0)
        memcpy(copy, data, len);
    return copy;
}

char *arena_strdup(struct arena *arena, const char *text)
{
    return text == NULL ? NULL : arena_strndup(arena, text, strlen(text));
}

char *arena_strndup(struct arena *arena, const char *text, size_t len)
{
    char *copy = arena_alloc(arena, len + 1);
    if (len > 0)
        memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

char *arena_vprintf(struct arena *arena, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (len < 0)
        abort();
    char *text = arena_alloc(arena, (size_t)len + 1);
    vsnprintf(text, (size_t)len + 1, format, args);
    return text;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = arena_vprintf(arena, format, args);
    va_end(args);
    return text;
}

void arena_defer(struct arena *arena, void (*cleanup)(void *object), void *object)
{
    struct cleanup *entry = arena_alloc(arena, sizeof(*entry));
    *entry = (struct cleanup){ .next = arena->cleanups, .run = cleanup, .object = object };
    arena->cleanups = entry;
}

static void wipe_secret(void *object)
{
    struct secret *secret = object;
    sodium_memzero(secret->data, secret->size);
}

void *arena_secret(struct arena *arena, size_t size)
{
    struct secret *secret = arena_alloc(arena, sizeof(*secret) + size);
    secret->size = size;
    memset(secret->data, 0, size);
    arena_defer(arena, wipe_secret, secret);
    return secret->data;
}

size_t arena_used(const struct arena *arena)
{
    return arena->used;
}
