/* trackerd keys: makes keys, derives what follows from them, and reads the key files of other projects. */
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/encode.h"
#include "base/json.h"
#include "base/parse.h"
#include "cli/cli.h"
#include "findmy/keyfile.h"
#include "findmy/keys.h"
#include "findmy/rolling.h"

#define MAX_COUNT   1000000 /* keys of one call; a minute of work */
#define FLUSH_BYTES 65536   /* output is written in pieces of about this size */

enum format { FORMAT_JSON, FORMAT_CSV, FORMAT_KEYS };

static const char *const formats[] = { "json", "csv", "keys", NULL }; /* order of enum format */

static bool parse_format(const char *command, const char *text, enum format *format)
{
    int index = word_index(formats, text);
    if (index < 0) {
        cli_usage(command, "--format must be json, csv or keys, not %s", text);
        return false;
    }
    *format = (enum format)index;
    return true;
}

/* Write what has gathered, and wipe it: it holds private keys. */
static void flush(struct buf *out)
{
    fwrite(buf_text(out), 1, out->len, stdout);
    if (out->len > 0)
        wipe(out->data, out->len);
    buf_clear(out);
}

/* ---- one key in each format ---- */

struct texts {
    char private_key[BASE64_SIZE(FINDMY_PRIVATE_SIZE)];
    char adv[BASE64_SIZE(FINDMY_ADV_SIZE)];
    char hash[FINDMY_ID_SIZE];
    char mac[FINDMY_MAC_TEXT];
};

static void print_head(struct buf *out, enum format format)
{
    if (format == FORMAT_CSV)
        buf_puts(out, "private_key,advertisement_key,hashed_advertisement_key,mac_address\n");
}

static void print_texts(struct buf *out, enum format format, const struct texts *texts, const char *name)
{
    struct json json;
    switch (format) {
    case FORMAT_JSON:
        json_begin(&json, out);
        json_start_object(&json);
        if (name != NULL)
            json_put_text(&json, "name", name);
        json_put_text(&json, "private_key", texts->private_key[0] == '\0' ? NULL : texts->private_key);
        json_put_text(&json, "advertisement_key", texts->adv);
        json_put_text(&json, "hashed_advertisement_key", texts->hash);
        json_put_text(&json, "mac_address", texts->mac);
        json_end_object(&json);
        buf_putc(out, '\n');
        break;
    case FORMAT_CSV:
        buf_printf(out, "%s,%s,%s,%s\n", texts->private_key, texts->adv, texts->hash, texts->mac);
        break;
    case FORMAT_KEYS:
        buf_printf(out, "Private key: %s\nAdvertisement key: %s\nHashed adv key: %s\n", texts->private_key,
                   texts->adv, texts->hash);
        break;
    }
}

/* private_key NULL: only the public part is known. */
static void print_key(struct buf *out, enum format format, const uint8_t *private_key,
                      const struct findmy_public *public_key, const char *name)
{
    struct texts texts = { 0 };
    uint8_t mac[FINDMY_MAC_SIZE];
    if (private_key != NULL)
        base64_encode(private_key, FINDMY_PRIVATE_SIZE, texts.private_key);
    base64_encode(public_key->adv, FINDMY_ADV_SIZE, texts.adv);
    base64_encode(public_key->hash, FINDMY_HASH_SIZE, texts.hash);
    findmy_mac(public_key->adv, mac);
    findmy_mac_text(mac, texts.mac);
    print_texts(out, format, &texts, name);
    wipe(&texts, sizeof(texts));
    if (out->len >= FLUSH_BYTES)
        flush(out);
}

/* ---- generate ---- */

static int run_generate(int argc, char **argv, const struct config *config)
{
    (void)config;
    const char *count_text = "1", *format_text = "json";
    const struct cli_option options[] = { { "--count", false, &count_text },
                                          { "--format", false, &format_text } };
    int positional;
    int64_t count;
    enum format format;
    if (!cli_options(argc, argv, options, ARRAY_LEN(options), &positional))
        return EXIT_USAGE;
    if (positional > 0)
        return cli_usage(argv[0], "unexpected argument %s", argv[1]);
    if (!parse_i64_range(count_text, 1, MAX_COUNT, &count))
        return cli_usage(argv[0], "--count must be a number from 1 to %d, not %s", MAX_COUNT, count_text);
    if (!parse_format(argv[0], format_text, &format))
        return EXIT_USAGE;

    struct buf out = { 0 };
    struct error err;
    uint8_t private_key[FINDMY_PRIVATE_SIZE];
    struct findmy_public public_key;
    int status = EXIT_OK;
    print_head(&out, format);
    for (int64_t i = 0; i < count && status == EXIT_OK; i++) {
        if (findmy_generate(private_key, &public_key, &err))
            print_key(&out, format, private_key, &public_key, NULL);
        else
            status = cli_fail(&err);
    }
    wipe(private_key, sizeof(private_key));
    flush(&out);
    buf_wipe(&out);
    return status;
}

static const struct command generate = {
    .name = "generate",
    .summary = "make static keys",
    .help = "Usage: trackerd keys generate [--count N] [--format json|csv|keys]\n\n"
            "Makes N (default 1, at most 1000000) static keys from the system's random numbers.\n\n"
            "  --format json  one object a line: private_key, advertisement_key,\n"
            "                 hashed_advertisement_key (all base64), mac_address (default)\n"
            "  --format csv   the same as columns, with a heading\n"
            "  --format keys  three lines a key, as OpenHaystack's relatives read them\n\n"
            "Whoever has a private key can read the tag's reports: keep the output safe.\n",
    .run = run_generate,
};

/* ---- derive ---- */

/* Take a secret out of the arguments, where other users of the machine see it. */
static void hide(const char *argument)
{
    wipe((char *)(uintptr_t)argument, strlen(argument));
}

static int run_derive(int argc, char **argv, const struct config *config)
{
    (void)config;
    const char *key_text = NULL, *format_text = "json";
    const struct cli_option options[] = { { "--private-key", false, &key_text },
                                          { "--format", false, &format_text } };
    int positional;
    enum format format;
    if (!cli_options(argc, argv, options, ARRAY_LEN(options), &positional))
        return EXIT_USAGE;
    if (positional > 0)
        return cli_usage(argv[0], "unexpected argument");
    if (key_text == NULL)
        return cli_usage(argv[0], "--private-key is missing");
    if (!parse_format(argv[0], format_text, &format))
        return EXIT_USAGE;

    uint8_t private_key[FINDMY_PRIVATE_SIZE];
    struct findmy_public public_key;
    struct error err;
    struct buf out = { 0 };
    bool parsed = findmy_private_parse(key_text, strlen(key_text), private_key, &err);
    hide(key_text);
    if (!parsed)
        return cli_usage(argv[0], "--private-key: %s", err.message);
    bool derived = findmy_derive(private_key, &public_key, &err);
    if (derived) {
        print_head(&out, format);
        print_key(&out, format, private_key, &public_key, NULL);
        flush(&out);
    }
    wipe(private_key, sizeof(private_key));
    buf_wipe(&out);
    return derived ? EXIT_OK : cli_fail(&err);
}

static const struct command derive = {
    .name = "derive",
    .summary = "what follows from a private key",
    .help = "Usage: trackerd keys derive --private-key KEY [--format json|csv|keys]\n\n"
            "Prints private_key, advertisement_key, hashed_advertisement_key (base64) and\n"
            "mac_address of a private key given in base64 or as 56 hex digits.\n",
    .run = run_derive,
};

/* ---- derive-rolling ---- */

struct rolling_options {
    const char *master, *skn, *sks, *paired_at, *from, *to, *aligned_at, *aligned_index, *slack;
};

struct rolling_inputs {
    uint8_t master[FINDMY_PRIVATE_SIZE], skn[ROLLING_SEED_SIZE], sks[ROLLING_SEED_SIZE];
    struct rolling_alignment alignment;
    int64_t from, to, slack;
};

/* A secret of fixed size in base64 or hex; the argument is wiped. */
static bool take_secret(const char *command, const char *option, const char *text, uint8_t *out, size_t size)
{
    if (text == NULL) {
        cli_usage(command, "%s is missing", option);
        return false;
    }
    bool good = (strlen(text) == size * 2 && hex_decode_exact(text, out, size)) ||
                base64_decode_exact(text, out, size);
    hide(text);
    if (!good)
        cli_usage(command, "%s is not base64 of %zu bytes", option, size);
    return good;
}

static bool take_time(const char *command, const char *option, const char *text, int64_t *usec)
{
    if (text != NULL && time_parse(text, usec))
        return true;
    cli_usage(command, text == NULL ? "%s is missing" : "%s is not a time like 2026-05-01T10:00:00Z", option);
    return false;
}

static bool take_alignment(const char *command, const struct rolling_options *o, struct rolling_inputs *in)
{
    if (!take_time(command, "--paired-at", o->paired_at, &in->alignment.at))
        return false;
    in->alignment.index = 0;
    if (o->aligned_at == NULL && o->aligned_index == NULL)
        return true;
    if (!take_time(command, "--aligned-at", o->aligned_at, &in->alignment.at))
        return false;
    if (o->aligned_index != NULL &&
        parse_i64_range(o->aligned_index, 0, ROLLING_MAX_INDEX, &in->alignment.index))
        return true;
    cli_usage(command, "--aligned-index must be a number from 0 to %lld", (long long)ROLLING_MAX_INDEX);
    return false;
}

static bool take_inputs(const char *command, const struct rolling_options *o, struct rolling_inputs *in)
{
    if (!take_secret(command, "--master-key", o->master, in->master, sizeof(in->master)) ||
        !take_secret(command, "--skn", o->skn, in->skn, sizeof(in->skn)) ||
        !take_secret(command, "--sks", o->sks, in->sks, sizeof(in->sks)) || !take_alignment(command, o, in) ||
        !take_time(command, "--from", o->from, &in->from) || !take_time(command, "--to", o->to, &in->to))
        return false;
    if (in->to < in->from) {
        cli_usage(command, "--to is before --from");
        return false;
    }
    if (!parse_i64_range(o->slack, 0, ROLLING_SLOTS_PER_DAY, &in->slack)) {
        cli_usage(command, "--slack must be a number from 0 to %d", ROLLING_SLOTS_PER_DAY);
        return false;
    }
    return true;
}

static void print_rolling(struct buf *out, const struct rolling_key *key, enum rolling_kind kind)
{
    char text[FINDMY_ID_SIZE];
    struct json json;
    json_begin(&json, out);
    json_start_object(&json);
    json_put_int(&json, "index", key->index);
    json_put_text(&json, "kind", rolling_kind_name(kind));
    base64_encode(key->public_key.adv, FINDMY_ADV_SIZE, text);
    json_put_text(&json, "advertisement_key", text);
    base64_encode(key->public_key.hash, FINDMY_HASH_SIZE, text);
    json_put_text(&json, "hashed_advertisement_key", text);
    json_end_object(&json);
    buf_putc(out, '\n');
    if (out->len >= FLUSH_BYTES)
        flush(out);
}

/* Print the keys of a range of one chain. */
static bool print_chain(const struct rolling_inputs *in, enum rolling_kind kind, struct rolling_range range,
                        struct error *err)
{
    struct rolling_chain *chain = rolling_chain_new(in->master, kind == ROLLING_PRIMARY ? in->skn : in->sks,
                                                    err);
    struct buf out = { 0 };
    struct rolling_key key;
    bool done = chain != NULL;
    for (int64_t index = range.from; done && index <= range.to; index++) {
        done = rolling_chain_key(chain, index, &key, err);
        if (done)
            print_rolling(&out, &key, kind);
        wipe(&key, sizeof(key));
    }
    flush(&out);
    buf_free(&out);
    rolling_chain_free(chain);
    return done;
}

/* Print both kinds of keys of the period asked for. */
static int print_period(const char *command, const struct rolling_inputs *in)
{
    struct error err = { "", "" };
    struct rolling_range primary = rolling_expected(&in->alignment, in->from, in->to);
    if (primary.to >= 0) {
        primary.from = primary.from > in->slack ? primary.from - in->slack : 0;
        primary.to += in->slack;
    }
    if (primary.to > ROLLING_MAX_INDEX)
        return cli_usage(command, "--to is more than 50 years after pairing");
    if (print_chain(in, ROLLING_PRIMARY, primary, &err) &&
        print_chain(in, ROLLING_SECONDARY, rolling_secondary(primary), &err))
        return EXIT_OK;
    if (error_is(&err, "key"))
        return cli_usage(command, "--master-key: %s", err.message);
    return cli_fail(&err);
}

static int run_derive_rolling(int argc, char **argv, const struct config *config)
{
    (void)config;
    struct rolling_options o = { .slack = "0" };
    const struct cli_option options[] = {
        { "--master-key", false, &o.master },
        { "--skn", false, &o.skn },
        { "--sks", false, &o.sks },
        { "--paired-at", false, &o.paired_at },
        { "--from", false, &o.from },
        { "--to", false, &o.to },
        { "--aligned-at", false, &o.aligned_at },
        { "--aligned-index", false, &o.aligned_index },
        { "--slack", false, &o.slack },
    };
    int positional;
    struct rolling_inputs in = { 0 };
    if (!cli_options(argc, argv, options, ARRAY_LEN(options), &positional))
        return EXIT_USAGE;
    if (positional > 0)
        return cli_usage(argv[0], "unexpected argument");
    int status = take_inputs(argv[0], &o, &in) ? print_period(argv[0], &in) : EXIT_USAGE;
    wipe(&in, sizeof(in));
    return status;
}

static const struct command derive_rolling = {
    .name = "derive-rolling",
    .summary = "the keys of a paired accessory in a period",
    .help = "Usage: trackerd keys derive-rolling --master-key KEY --skn SEED --sks SEED --paired-at TIME\n"
            "           --from TIME --to TIME [--aligned-at TIME --aligned-index N] [--slack N]\n\n"
            "Prints one JSON object a line (index, kind, advertisement_key, hashed_advertisement_key)\n"
            "for every key that an accessory uses from --from to --to: the primary ones, one every 15\n"
            "minutes since pairing from index 0, then the secondary ones of the same days (index / 96\n"
            "+ 1 and + 2).\n\n"
            "  --master-key KEY   private key of the pairing record, 28 bytes\n"
            "  --skn SEED         sharedSecret, seed of the primary keys, 32 bytes\n"
            "  --sks SEED         secondarySharedSecret, seed of the secondary keys, 32 bytes\n"
            "                     (all three in base64 or hex)\n"
            "  --aligned-at TIME, --aligned-index N\n"
            "                     the primary index at a later time, when it is known (a tag loses\n"
            "                     time without power); otherwise 0 at pairing\n"
            "  --slack N          this many slots more on both sides (default 0)\n\n"
            "Times are RFC 3339: 2026-05-01T10:00:00Z.\n",
    .run = run_derive_rolling,
};

/* ---- read ---- */

static void put_secret(struct json *json, const char *key, const uint8_t *bytes, size_t size)
{
    char text[BASE64_SIZE(ROLLING_SEED_SIZE)];
    base64_encode(bytes, size, text);
    json_put_text(json, key, text);
    wipe(text, sizeof(text));
}

static void print_accessory(struct buf *out, const struct keyfile_accessory *a)
{
    struct json json;
    json_begin(&json, out);
    json_start_object(&json);
    json_put_text(&json, "name", a->name);
    json_put_text(&json, "identifier", a->identifier);
    json_put_text(&json, "serial", a->serial);
    put_secret(&json, "master_key", a->master, sizeof(a->master));
    put_secret(&json, "skn", a->skn, sizeof(a->skn));
    put_secret(&json, "sks", a->sks, sizeof(a->sks));
    json_put_time(&json, "paired_at", a->paired_at);
    if (a->aligned) {
        json_put_time(&json, "aligned_at", a->alignment.at);
        json_put_int(&json, "aligned_index", a->alignment.index);
    }
    json_end_object(&json);
    buf_putc(out, '\n');
}

static void print_alignment(struct buf *out, const struct keyfile_alignment *a)
{
    struct json json;
    json_begin(&json, out);
    json_start_object(&json);
    json_put_text(&json, "identifier", a->beacon);
    json_put_time(&json, "aligned_at", a->alignment.at);
    json_put_int(&json, "aligned_index", a->alignment.index);
    json_end_object(&json);
    buf_putc(out, '\n');
}

static void print_file(struct buf *out, enum format format, const struct keyfile *file)
{
    if (file->key_count > 0)
        print_head(out, format);
    for (size_t i = 0; i < file->key_count; i++) {
        const struct keyfile_key *key = &file->keys[i];
        print_key(out, format, key->has_private ? key->private_key : NULL, &key->public_key, key->name);
    }
    for (size_t i = 0; i < file->accessory_count; i++)
        print_accessory(out, &file->accessories[i]);
    for (size_t i = 0; i < file->alignment_count; i++)
        print_alignment(out, &file->alignments[i]);
}

static int run_read(int argc, char **argv, const struct config *config)
{
    (void)config;
    const char *as = "auto", *format_text = "json", *record_key_text = NULL;
    const struct cli_option options[] = { { "--as", false, &as },
                                          { "--format", false, &format_text },
                                          { "--record-key", false, &record_key_text } };
    int positional;
    enum format format;
    enum keyfile_format file_format;
    uint8_t record_key[KEYFILE_RECORD_KEY_SIZE] = { 0 };
    if (!cli_options(argc, argv, options, ARRAY_LEN(options), &positional))
        return EXIT_USAGE;
    if (positional != 1)
        return cli_usage(argv[0], "one FILE (or -) is needed");
    if (!keyfile_format_parse(as, &file_format))
        return cli_usage(argv[0], "--as: unknown format %s", as);
    if (!parse_format(argv[0], format_text, &format))
        return EXIT_USAGE;
    if (record_key_text != NULL &&
        !take_secret(argv[0], "--record-key", record_key_text, record_key, sizeof(record_key)))
        return EXIT_USAGE;

    struct arena *arena = arena_new();
    struct keyfile file;
    struct error err;
    struct buf out = { 0 };
    int status = EXIT_OK;
    bool loaded = record_key_text != NULL ? keyfile_load_record(arena, record_key, argv[1], &file, &err)
                                          : keyfile_load(arena, file_format, argv[1], &file, &err);
    wipe(record_key, sizeof(record_key));
    if (!loaded)
        status = cli_fail(&err);
    else if (format != FORMAT_JSON && file.key_count == 0)
        status = cli_usage(argv[0], "this file holds no static keys: only --format json can show it");
    else
        print_file(&out, format, &file);
    flush(&out);
    buf_wipe(&out);
    arena_free(arena);
    return status;
}

static const struct command read_file = {
    .name = "read",
    .summary = "check and convert a key file of another project",
    .help = "Usage: trackerd keys read [--as FORMAT] [--format json|csv|keys] [--record-key KEY] FILE|-\n\n"
            "Reads a key file, checks every key in it, and prints the keys like `keys generate`\n"
            "(with the tag's name in JSON). A file with one wrong key is refused as a whole.\n\n"
            "  --as FORMAT    keys-text, bare-lines, devices-json, findmypy-json, accessory-plist,\n"
            "                 alignment-plist, naming-plist, openhaystack-plist, devices-plist,\n"
            "                 keyfile-bin; default auto: told by the content\n"
            "  --record-key KEY\n"
            "                 FILE is a .record that macOS encrypted: open it with this key, the generic\n"
            "                 attribute of the keychain item BeaconStore (32 bytes, base64 or hex)\n\n"
            "A paired accessory is printed as JSON with what `keys derive-rolling` needs.\n",
    .run = run_read,
};

static const struct command *const parts[] = { &generate,  &derive,          &derive_rolling,
                                               &read_file, &cmd_keys_rotate, NULL };

const struct command cmd_keys = {
    .name = "keys",
    .summary = "make keys, derive what follows from them, read key files, rotate the master key",
    .help = "Usage: trackerd keys generate|derive|derive-rolling|read|rotate-master ...\n",
    .parts = parts,
};
