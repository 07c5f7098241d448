/* Plain values in Python's pickle: a small stack machine to read, a handful of opcodes to write. */
#include "tasks/pickle.h"

#include <math.h>
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tasks/value.h"

/* Opcodes by their names in CPython's pickletools. */
enum opcode {
    OP_PROTO = 0x80,
    OP_FRAME = 0x95,
    OP_EMPTY_DICT = '}',
    OP_EMPTY_LIST = ']',
    OP_MARK = '(',
    OP_SETITEM = 's',
    OP_SETITEMS = 'u',
    OP_APPEND = 'a',
    OP_APPENDS = 'e',
    OP_SHORT_BINUNICODE = 0x8c,
    OP_BINUNICODE = 'X',
    OP_BINUNICODE8 = 0x8d,
    OP_BININT = 'J',
    OP_BININT1 = 'K',
    OP_BININT2 = 'M',
    OP_INT = 'I',
    OP_LONG = 'L',
    OP_LONG1 = 0x8a,
    OP_LONG4 = 0x8b,
    OP_BINFLOAT = 'G',
    OP_NEWTRUE = 0x88,
    OP_NEWFALSE = 0x89,
    OP_NONE = 'N',
    OP_MEMOIZE = 0x94,
    OP_BINGET = 'h',
    OP_LONG_BINGET = 'j',
    OP_BINPUT = 'q',
    OP_LONG_BINPUT = 'r',
    OP_STOP = '.',
};

/* Values on the stack at one time, and in the memo: far more than any result of a task. */
#define STACK_MAX      100000
#define LONG_MAX_BYTES 1024 /* of one integer */

struct machine {
    const uint8_t *data;
    size_t len, at;
    json_t **stack; /* a NULL is a mark */
    size_t depth, room;
    json_t **memo;
    size_t memoized, memo_room;
    const char *problem;
};

static bool fails(struct machine *m, const char *problem)
{
    m->problem = problem;
    return false;
}

/* ---- the input ---- */

static const uint8_t *bytes(struct machine *m, uint64_t n)
{
    if (n > m->len - m->at)
        return NULL;
    m->at += n;
    return m->data + m->at - n;
}

static bool little_endian(struct machine *m, size_t n, uint64_t *value)
{
    const uint8_t *at = bytes(m, n);
    if (at == NULL)
        return fails(m, "it ends in the middle");
    *value = 0;
    for (size_t i = n; i-- > 0;)
        *value = *value << 8 | at[i];
    return true;
}

/* ---- the stack ---- */

static bool grow(json_t ***list, size_t count, size_t *room)
{
    if (count < *room)
        return true;
    if (count >= STACK_MAX)
        return false;
    size_t size = *room == 0 ? 64 : *room * 2;
    json_t **grown = realloc((void *)*list, size * sizeof(json_t *));
    if (grown == NULL)
        return false;
    *list = grown;
    *room = size;
    return true;
}

static bool push(struct machine *m, json_t *value) /* takes the reference */
{
    if (value == NULL)
        return fails(m, "a text is not UTF-8 or holds NUL");
    if (!grow(&m->stack, m->depth, &m->room)) {
        json_decref(value);
        return fails(m, "it holds too many values");
    }
    m->stack[m->depth++] = value;
    return true;
}

static bool push_mark(struct machine *m)
{
    if (!grow(&m->stack, m->depth, &m->room))
        return fails(m, "it holds too many values");
    m->stack[m->depth++] = NULL;
    return true;
}

static json_t *top(const struct machine *m)
{
    return m->depth > 0 ? m->stack[m->depth - 1] : NULL;
}

static bool memoize(struct machine *m, uint64_t index)
{
    if (top(m) == NULL || index != m->memoized || !grow(&m->memo, m->memoized, &m->memo_room))
        return fails(m, "its memo is out of order");
    m->memo[m->memoized++] = json_incref(top(m));
    return true;
}

/* Only texts and numbers: a container that is referred to twice could hold itself. */
static bool recall(struct machine *m, uint64_t index)
{
    if (index >= m->memoized || json_is_object(m->memo[index]) || json_is_array(m->memo[index]))
        return fails(m, "it refers to what is not there, or shares a container");
    return push(m, json_incref(m->memo[index]));
}

/* Puts the `count` values on top into the container below them (and below a mark) and drops them. */
static bool collect(struct machine *m, size_t count, bool marked, bool pairs)
{
    size_t below = count + marked;
    json_t *target = m->depth > below ? m->stack[m->depth - below - 1] : NULL;
    if (target == NULL || (pairs ? !json_is_object(target) || count % 2 != 0 : !json_is_array(target)))
        return fails(m, "it fills what is no container");
    json_t **from = m->stack + m->depth - count;
    for (size_t i = 0; i < count; i += pairs ? 2 : 1) {
        const char *key = pairs ? json_string_value(from[i]) : NULL;
        if (pairs && key == NULL)
            return fails(m, "a key is no text");
        if (pairs ? json_object_set(target, key, from[i + 1]) != 0 : json_array_append(target, from[i]) != 0)
            return fails(m, "a container holds itself");
    }
    for (size_t i = 0; i < count; i++)
        json_decref(from[i]);
    m->depth -= below;
    return true;
}

static bool collect_to_mark(struct machine *m, bool pairs)
{
    size_t count = 0;
    while (count < m->depth && m->stack[m->depth - 1 - count] != NULL)
        count++;
    return count < m->depth ? collect(m, count, true, pairs) : fails(m, "a mark is missing");
}

/* ---- values ---- */

static bool push_text(struct machine *m, size_t size_bytes)
{
    uint64_t n;
    if (!little_endian(m, size_bytes, &n))
        return false;
    const uint8_t *text = bytes(m, n);
    if (text == NULL)
        return fails(m, "it ends in the middle");
    return push(m, memchr(text, 0, n) == NULL ? json_stringn((const char *)text, n) : NULL);
}

static bool push_float(struct machine *m)
{
    const uint8_t *at = bytes(m, 8);
    uint64_t bits = 0;
    double value;
    if (at == NULL)
        return fails(m, "it ends in the middle");
    for (size_t i = 0; i < 8; i++)
        bits = bits << 8 | at[i];
    memcpy(&value, &bits, sizeof(value));
    return push(m, isfinite(value) ? json_real(value) : json_null());
}

/* Two's complement, little-endian, of any length. */
static json_t *big_integer(const uint8_t *at, size_t n)
{
    BIGNUM *number = BN_lebin2bn(at, (int)n, NULL), *modulus = BN_new();
    if (at[n - 1] & 0x80) {
        BN_set_bit(modulus, (int)n * 8);
        BN_sub(number, number, modulus);
    }
    char *digits = BN_bn2dec(number);
    json_t *value = digits != NULL ? value_from_big_integer(digits, strlen(digits)) : NULL;
    OPENSSL_free(digits);
    BN_free(number);
    BN_free(modulus);
    return value;
}

static bool push_long(struct machine *m, size_t size_bytes)
{
    uint64_t n;
    if (!little_endian(m, size_bytes, &n))
        return false;
    const uint8_t *at = n <= LONG_MAX_BYTES ? bytes(m, n) : NULL;
    if (at == NULL)
        return fails(m, "an integer is too long");
    if (n > 8)
        return push(m, big_integer(at, n));
    uint64_t bits = n > 0 && (at[n - 1] & 0x80) ? UINT64_MAX : 0;
    for (size_t i = n; i-- > 0;)
        bits = bits << 8 | at[i];
    return push(m, json_integer((json_int_t)bits));
}

/* Decimal text up to the end of the line, as protocol 0 writes integers; "00" and "01" are booleans. */
static bool push_decimal(struct machine *m, bool is_long)
{
    const uint8_t *from = m->data + m->at, *end = memchr(from, '\n', m->len - m->at);
    size_t n = end != NULL ? (size_t)(end - from) : 0;
    struct error ignored;
    if (n == 0 || n > LONG_MAX_BYTES)
        return fails(m, "an integer is malformed");
    m->at += n + 1;
    if (!is_long && n == 2 && from[0] == '0')
        return push(m, json_boolean(from[1] == '1'));
    n -= is_long && from[n - 1] == 'L';
    json_t *value = value_read((const char *)from, n, &ignored);
    if (!json_is_integer(value) && value_big_integer(value) == NULL) {
        json_decref(value);
        return fails(m, "an integer is malformed");
    }
    return push(m, value);
}

static bool push_small(struct machine *m, size_t n)
{
    uint64_t bits;
    if (!little_endian(m, n, &bits))
        return false;
    return push(m, json_integer(n == 4 ? (int32_t)(uint32_t)bits : (json_int_t)bits));
}

static bool with_index(struct machine *m, size_t n, bool (*use)(struct machine *m, uint64_t index))
{
    uint64_t index;
    return little_endian(m, n, &index) && use(m, index);
}

static bool skip(struct machine *m, size_t n)
{
    return bytes(m, n) != NULL || fails(m, "it ends in the middle");
}

/* ---- reading ---- */

static bool step(struct machine *m, uint8_t op)
{
    switch ((enum opcode)op) {
    case OP_PROTO:
        return skip(m, 1);
    case OP_FRAME: /* its length is of no use to who has the whole */
        return skip(m, 8);
    case OP_EMPTY_DICT:
        return push(m, json_object());
    case OP_EMPTY_LIST:
        return push(m, json_array());
    case OP_MARK:
        return push_mark(m);
    case OP_SETITEM:
        return collect(m, m->depth < 2 ? m->depth : 2, false, true);
    case OP_SETITEMS:
        return collect_to_mark(m, true);
    case OP_APPEND:
        return collect(m, m->depth < 1 ? m->depth : 1, false, false);
    case OP_APPENDS:
        return collect_to_mark(m, false);
    case OP_SHORT_BINUNICODE:
        return push_text(m, 1);
    case OP_BINUNICODE:
        return push_text(m, 4);
    case OP_BINUNICODE8:
        return push_text(m, 8);
    case OP_BININT:
        return push_small(m, 4);
    case OP_BININT1:
        return push_small(m, 1);
    case OP_BININT2:
        return push_small(m, 2);
    case OP_INT:
        return push_decimal(m, false);
    case OP_LONG:
        return push_decimal(m, true);
    case OP_LONG1:
        return push_long(m, 1);
    case OP_LONG4:
        return push_long(m, 4);
    case OP_BINFLOAT:
        return push_float(m);
    case OP_NEWTRUE:
        return push(m, json_true());
    case OP_NEWFALSE:
        return push(m, json_false());
    case OP_NONE:
        return push(m, json_null());
    case OP_MEMOIZE:
        return memoize(m, m->memoized);
    case OP_BINPUT:
        return with_index(m, 1, memoize);
    case OP_LONG_BINPUT:
        return with_index(m, 4, memoize);
    case OP_BINGET:
        return with_index(m, 1, recall);
    case OP_LONG_BINGET:
        return with_index(m, 4, recall);
    case OP_STOP:
        break;
    }
    return fails(m, "it holds more than plain values");
}

static bool run(struct machine *m)
{
    for (;;) {
        const uint8_t *op = bytes(m, 1);
        if (op == NULL)
            return fails(m, "it ends in the middle");
        if (*op == OP_STOP)
            return (m->depth == 1 && m->stack[0] != NULL) || fails(m, "it is not one value");
        if (!step(m, *op))
            return false;
    }
}

json_t *pickle_read(const void *data, size_t len, struct error *err)
{
    struct machine m = { .data = data, .len = len };
    json_t *value = NULL;
    if (len > PICKLE_MAX)
        fails(&m, "it is too large");
    else if (len < 2 || m.data[0] != OP_PROTO || m.data[1] < 2 || m.data[1] > 5)
        fails(&m, "its protocol is unknown");
    else if (run(&m))
        value = json_incref(m.stack[0]);
    if (value != NULL && value_too_deep(value)) {
        fails(&m, "it is nested too deeply");
        json_decref(value);
        value = NULL;
    }
    for (size_t i = 0; i < m.depth; i++)
        json_decref(m.stack[i]);
    for (size_t i = 0; i < m.memoized; i++)
        json_decref(m.memo[i]);
    free(m.stack);
    free(m.memo);
    if (value == NULL)
        error_set(err, "invalid_pickle", "no pickle of plain values: %s", m.problem);
    return value;
}

/* ---- writing ---- */

static void put_u32(struct buf *out, uint32_t n)
{
    for (int i = 0; i < 4; i++)
        buf_putc(out, (char)(n >> (8 * i) & 0xff));
}

static void put_text(struct buf *out, const char *text, size_t len)
{
    buf_putc(out, OP_BINUNICODE);
    put_u32(out, (uint32_t)len);
    buf_append(out, text, len);
}

static void put_float(struct buf *out, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    buf_putc(out, OP_BINFLOAT);
    for (int i = 7; i >= 0; i--)
        buf_putc(out, (char)(bits >> (8 * i) & 0xff));
}

static void put_integer(struct buf *out, json_int_t value)
{
    if (value < INT32_MIN || value > INT32_MAX) {
        buf_printf(out, "%c%" JSON_INTEGER_FORMAT "L\n", OP_LONG, value);
        return;
    }
    buf_putc(out, OP_BININT);
    put_u32(out, (uint32_t)(int32_t)value);
}

static void put_value(struct buf *out, const json_t *value);

static void put_object(struct buf *out, const json_t *value)
{
    const char *key, *digits = value_big_integer(value);
    json_t *item;
    if (digits != NULL) {
        buf_printf(out, "%c%sL\n", OP_LONG, digits);
        return;
    }
    buf_putc(out, OP_EMPTY_DICT);
    buf_putc(out, OP_MARK);
    json_object_foreach((json_t *)value, key, item)
    {
        put_text(out, key, strlen(key));
        put_value(out, item);
    }
    buf_putc(out, OP_SETITEMS);
}

static void put_array(struct buf *out, const json_t *value)
{
    json_t *item;
    size_t i;
    buf_putc(out, OP_EMPTY_LIST);
    buf_putc(out, OP_MARK);
    json_array_foreach((json_t *)value, i, item)
    {
        put_value(out, item);
    }
    buf_putc(out, OP_APPENDS);
}

static void put_value(struct buf *out, const json_t *value)
{
    json_type type = value == NULL ? JSON_NULL : json_typeof(value);
    switch (type) {
    case JSON_OBJECT:
        put_object(out, value);
        break;
    case JSON_ARRAY:
        put_array(out, value);
        break;
    case JSON_STRING:
        put_text(out, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        put_integer(out, json_integer_value(value));
        break;
    case JSON_REAL:
        put_float(out, json_real_value(value));
        break;
    case JSON_TRUE:
        buf_putc(out, (char)OP_NEWTRUE);
        break;
    case JSON_FALSE:
        buf_putc(out, (char)OP_NEWFALSE);
        break;
    case JSON_NULL:
        buf_putc(out, OP_NONE);
        break;
    }
}

void pickle_write(struct buf *out, const json_t *value)
{
    buf_putc(out, (char)OP_PROTO);
    buf_putc(out, 2);
    put_value(out, value);
    buf_putc(out, OP_STOP);
}
