/* Answers of Anisette servers, over HTTP and as messages of provisioning. What is taken goes into headers. */
#include <stdlib.h>
#include <string.h>

#include "findmy/anisette.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *input;
static size_t input_len;

static bool answer(struct http_client *self, const struct http_out *req, struct http_in *resp,
                   struct arena *arena, struct error *err)
{
    (void)self, (void)req, (void)err;
    *resp = (struct http_in){ .status = 200,
                              .body = arena_strndup(arena, input, input_len),
                              .body_len = input_len };
    return true;
}

/* The input is a list of messages, one a line. */
static bool converse(struct websocket_client *self, const char *url, int64_t timeout,
                     const struct websocket_dialog *dialog, struct error *err)
{
    (void)self, (void)url, (void)timeout;
    const char *at = input, *end = input + input_len;
    for (int messages = 0; at < end && messages < WEBSOCKET_MAX_MESSAGES; messages++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        struct buf reply = { .max = WEBSOCKET_MAX_MESSAGE };
        char *text = strndup(at, (size_t)((stop != NULL ? stop : end) - at));
        enum websocket_verdict verdict = dialog->message(dialog->self, text, strlen(text), &reply, err);
        buf_free(&reply);
        free(text);
        if (verdict != WEBSOCKET_GO_ON)
            return verdict == WEBSOCKET_DONE;
        at = stop != NULL ? stop + 1 : end;
    }
    return error_set(err, "ws_closed", "the end");
}

static void check(const struct anisette_values *values)
{
    if (values->otp[0] == '\0' || values->machine[0] == '\0' || !httpc_value_safe(values->otp) ||
        !httpc_value_safe(values->machine) || !httpc_value_safe(values->routing))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_client http = { .request = answer };
    struct websocket_client websocket = { .converse = converse };
    struct arena *arena = arena_new();
    struct anisette_values values;
    struct anisette_state state = { .mode = ANISETTE_V3 };
    struct error err;
    const char *info, *agent;
    input = arena_strndup(arena, (const char *)data, size);
    input_len = size;
    if (anisette_read_v1(200, input, size, &values, &err) == ANISETTE_ANSWER_OK)
        check(&values);
    if (anisette_read_v3(200, input, size, &values, &err) == ANISETTE_ANSWER_OK)
        check(&values);
    if (anisette_read_client_info(200, input, size, arena, &info, &agent, &err) == ANISETTE_ANSWER_OK &&
        (!httpc_value_safe(info) || !httpc_value_safe(agent)))
        abort();
    struct anisette *anisette = anisette_new("http://localhost", profile_default(), &http, &websocket,
                                             &clock_system, &err);
    if (anisette == NULL)
        abort();
    if (anisette_get(anisette, &state, &values, &err))
        check(&values);
    if (state.blob_len > ANISETTE_MAX_STATE)
        abort();
    anisette_free(anisette);
    arena_free(arena);
    return 0;
}
