/* Messages, results and pickles as the real taskiq makes them: read whole, written so that they read the
 * same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/encode.h"
#include "tasks/message.h"
#include "tasks/pickle.h"
#include "tasks/value.h"

static json_t *vectors;

static json_t *read_text(struct arena *arena, const char *text)
{
    struct error err;
    json_t *value = value_read_arena(arena, text, strlen(text), &err);
    assert_non_null(value);
    return value;
}

static uint8_t *unhex(struct arena *arena, const json_t *hex, size_t *len)
{
    const char *text = json_string_value(hex);
    *len = strlen(text) / 2;
    uint8_t *bytes = arena_alloc(arena, *len + 1);
    assert_true(*len == 0 || hex_decode_exact(text, bytes, *len));
    return bytes;
}

/* Equal as texts: 2 is not 2.0, and big integers count. */
static void assert_same(struct arena *arena, const json_t *got, const json_t *want)
{
    assert_true(json_equal(got, want) || strcmp(value_text(arena, got), value_text(arena, want)) == 0);
    assert_int_equal(json_typeof(got), json_typeof(want));
}

static void messages_are_read(void **state)
{
    json_t *item;
    size_t i;
    (void)state;
    /* Dumped and read again, so that both sides took the same way. */
    json_array_foreach(json_object_get(vectors, "messages"), i, item)
    {
        struct arena *arena = arena_new();
        struct task_message message;
        struct error err;
        const char *text = json_string_value(json_object_get(item, "text"));
        assert_true(message_read(arena, text, strlen(text), &message, &err));
        assert_string_equal(message.id, "00000000000000000000000000000001");
        assert_string_equal(message.name, "demo:task");
        assert_same(arena, message.args, json_object_get(item, "args"));
        assert_same(arena, message.kwargs, json_object_get(item, "kwargs"));
        assert_same(arena, message.labels, json_object_get(item, "labels"));
        arena_free(arena);
    }
    assert_true(i > 40);
}

static void messages_survive_a_round_trip(void **state)
{
    json_t *item;
    size_t i;
    (void)state;
    json_array_foreach(json_object_get(vectors, "messages"), i, item)
    {
        struct arena *arena = arena_new();
        struct task_message message, again;
        struct error err;
        struct buf out = { 0 };
        const char *text = json_string_value(json_object_get(item, "text"));
        assert_true(message_read(arena, text, strlen(text), &message, &err));
        message_write(&out, &message);
        assert_true(message_read(arena, buf_text(&out), out.len, &again, &err));
        assert_same(arena, again.args, message.args);
        assert_same(arena, again.kwargs, message.kwargs);
        assert_same(arena, again.labels, message.labels);
        buf_free(&out);
        arena_free(arena);
    }
}

static void pickles_are_read_and_written(void **state)
{
    json_t *item;
    size_t i;
    (void)state;
    json_array_foreach(json_object_get(vectors, "pickles"), i, item)
    {
        struct arena *arena = arena_new();
        struct error err;
        struct buf out = { 0 };
        size_t len;
        const json_t *want = read_text(arena, json_string_value(json_object_get(item, "value")));
        const uint8_t *bytes = unhex(arena, json_object_get(item, "pickle"), &len);
        json_t *got = value_defer(arena, pickle_read(bytes, len, &err));
        assert_non_null(got);
        assert_same(arena, got, want);

        pickle_write(&out, got);
        json_t *again = value_defer(arena, pickle_read(buf_text(&out), out.len, &err));
        assert_non_null(again);
        assert_same(arena, again, want);
        buf_free(&out);
        arena_free(arena);
    }
    assert_true(i > 170);
}

static void everything_else_is_refused(void **state)
{
    const char *name;
    json_t *hex;
    (void)state;
    json_object_foreach(json_object_get(vectors, "refused"), name, hex)
    {
        struct arena *arena = arena_new();
        struct error err = { .code = "" };
        size_t len;
        const uint8_t *bytes = unhex(arena, hex, &len);
        json_t *got = pickle_read(bytes, len, &err);
        if (got != NULL)
            fail_msg("%s was read", name);
        assert_string_equal(err.code, "invalid_pickle");
        arena_free(arena);
    }
}

/* Cut at each byte, and with each byte changed: refused or read, and never out of bounds (the sanitizers
 * look). */
static void no_damage_does_harm(void **state)
{
    json_t *item;
    size_t i;
    (void)state;
    json_array_foreach(json_object_get(vectors, "pickles"), i, item)
    {
        struct arena *arena = arena_new();
        struct error err;
        size_t len;
        const uint8_t *bytes = unhex(arena, json_object_get(item, "pickle"), &len);
        for (size_t at = 0; at < len && at < 400; at++) {
            uint8_t *copy = malloc(len); /* of exactly this size */
            memcpy(copy, bytes, len);
            json_decref(pickle_read(copy, at, &err));
            copy[at] = (uint8_t)(copy[at] * 7 + 1);
            json_decref(pickle_read(copy, len, &err));
            free(copy);
        }
        arena_free(arena);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_read),
        cmocka_unit_test(messages_survive_a_round_trip),
        cmocka_unit_test(pickles_are_read_and_written),
        cmocka_unit_test(everything_else_is_refused),
        cmocka_unit_test(no_damage_does_harm),
    };
    struct arena *arena = arena_new();
    struct error err;
    struct buf text = { 0 };
    FILE *file = argc > 1 ? fopen(argv[1], "r") : NULL;
    if (file == NULL)
        return 2;
    for (int c; (c = fgetc(file)) != EOF;)
        buf_putc(&text, (char)c);
    fclose(file);
    vectors = value_read_arena(arena, buf_text(&text), text.len, &err);
    int status = vectors != NULL ? cmocka_run_group_tests(tests, NULL, NULL) : 2;
    buf_free(&text);
    arena_free(arena);
    return status;
}
