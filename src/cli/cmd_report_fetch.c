/* trackerd report fetch: the whole trip for somebody with real tags and an Apple account, without a database.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/parse.h"
#include "cli/apple.h"
#include "cli/cli.h"
#include "cli/report_export.h"
#include "findmy/batch.h"
#include "findmy/fetch.h"
#include "findmy/keyfile.h"
#include "findmy/rolling.h"

#define MAX_DAYS 30

/* Keys of one accessory beyond which only the expected slots are asked for: with an old or missing alignment
 * the possible ones are tens of thousands. */
#define MAX_POSSIBLE 3000

/* A key that is asked for. */
struct key {
    uint8_t private_key[FINDMY_PRIVATE_SIZE];
    uint8_t hash[FINDMY_HASH_SIZE];
    enum fetch_kind kind;
    const char *name;
};

struct key_list {
    struct arena *arena; /* secret */
    struct key *items;
    size_t count, room;
};

/* ---- keys ---- */

static void add_key(struct key_list *list, const uint8_t *private_key, const uint8_t *hash,
                    enum fetch_kind kind, const char *name)
{
    if (list->count == list->room) {
        size_t room = list->room != 0 ? list->room * 2 : 64;
        struct key *grown = arena_secret(list->arena, room * sizeof(*grown));
        if (list->count > 0)
            memcpy(grown, list->items, list->count * sizeof(*grown));
        list->items = grown;
        list->room = room;
    }
    struct key *key = &list->items[list->count++];
    memcpy(key->private_key, private_key, FINDMY_PRIVATE_SIZE);
    memcpy(key->hash, hash, FINDMY_HASH_SIZE);
    key->kind = kind;
    key->name = name;
}

/* Keys of a chain in a range. */
static bool add_chain(struct key_list *list, const uint8_t *master, const uint8_t *seed,
                      struct rolling_range range, enum fetch_kind kind, const char *name, struct error *err)
{
    struct rolling_key key;
    struct rolling_chain *chain = rolling_chain_new(master, seed, err);
    bool ok = chain != NULL;
    for (int64_t i = range.from < 0 ? 0 : range.from; ok && i <= range.to; i++) {
        ok = list->count < FETCH_MAX_IDS ? rolling_chain_key(chain, i, &key, err)
                                         : error_set(err, "size", "the file leads to too many keys");
        if (ok)
            add_key(list, key.private_key, key.public_key.hash, kind, name);
    }
    wipe(&key, sizeof(key));
    rolling_chain_free(chain);
    return ok;
}

static bool add_accessory(struct key_list *list, const struct keyfile_accessory *accessory, int64_t from,
                          int64_t to, struct error *err)
{
    const char *name = accessory->name != NULL ? accessory->name : accessory->identifier;
    struct rolling_alignment alignment = { .at = accessory->paired_at, .index = 0 };
    if (accessory->aligned)
        alignment = accessory->alignment;
    struct rolling_range primary = rolling_possible(&alignment, from, to);
    if (primary.to - primary.from > MAX_POSSIBLE) {
        fprintf(stderr, "trackerd: %s: the last known slot is old; only the expected slots are asked for\n",
                name != NULL ? name : "accessory");
        primary = rolling_expected(&alignment, from, to);
    }
    return add_chain(list, accessory->master, accessory->skn, primary, FETCH_PRIMARY, name, err) &&
           add_chain(list, accessory->master, accessory->sks, rolling_secondary(primary), FETCH_SECONDARY,
                     name, err);
}

static int by_hash(const void *a, const void *b)
{
    return memcmp(((const struct key *)a)->hash, ((const struct key *)b)->hash, FINDMY_HASH_SIZE);
}

static void drop_doubles(struct key_list *list)
{
    size_t kept = 0;
    if (list->count == 0)
        return;
    qsort(list->items, list->count, sizeof(list->items[0]), by_hash);
    for (size_t i = 0; i < list->count; i++)
        if (i == 0 || by_hash(&list->items[i], &list->items[kept - 1]) != 0)
            list->items[kept++] = list->items[i];
    list->count = kept;
}

static bool load_keys(struct key_list *list, const char *path, int64_t from, int64_t to, struct error *err)
{
    static const enum fetch_kind kinds[] = { [KEY_TYPE_UNKNOWN] = FETCH_STATIC,
                                             [KEY_TYPE_PRIMARY] = FETCH_PRIMARY,
                                             [KEY_TYPE_SECONDARY] = FETCH_SECONDARY };
    struct keyfile file;
    bool ok = keyfile_load(list->arena, KEYFILE_AUTO, path, &file, err);
    if (!ok)
        return error_prefix(err, "%s", path);
    for (size_t i = 0; i < file.key_count; i++)
        if (file.keys[i].has_private)
            add_key(list, file.keys[i].private_key, file.keys[i].public_key.hash, kinds[file.keys[i].type],
                    file.keys[i].name);
    for (size_t i = 0; ok && i < file.derivation_count; i++) {
        const struct keyfile_derivation *tag = &file.derivations[i];
        ok = add_chain(list, tag->master, tag->seed,
                       rolling_openhaystack(tag->since, tag->interval, from, to), FETCH_STATIC, tag->name,
                       err);
    }
    for (size_t i = 0; ok && i < file.accessory_count; i++)
        ok = add_accessory(list, &file.accessories[i], from, to, err);
    drop_doubles(list);
    return ok && (list->count > 0 || error_set(err, "key", "%s holds no private key", path));
}

/* ---- decrypting ---- */

struct summary {
    struct report_counts counts;
    size_t outside; /* of the days asked for, or of a finder with a wrong clock */
};

static size_t decrypt(const struct key_list *keys, const struct fetch_job *job,
                      const struct fetch_result *result, struct arena *arena, struct export_row *rows,
                      struct summary *summary, struct error *err)
{
    size_t count = 0;
    struct batch *batch = batch_new(0, err);
    struct batch_item *items = arena_zalloc(arena, result->count + 1, sizeof(*items));
    if (batch == NULL)
        return 0;
    for (size_t i = 0; i < result->count; i++) {
        const struct fetch_report *report = &result->reports[i];
        items[i] = (struct batch_item){ .payload = report->payload,
                                        .len = report->len,
                                        .private_key = keys->items[report->id].private_key };
    }
    batch_run(batch, items, result->count, &summary->counts);
    batch_free(batch);
    for (size_t i = 0; i < result->count; i++) {
        const struct key *key = &keys->items[result->reports[i].id];
        if (items[i].result != REPORT_OK)
            continue;
        if (items[i].report.time < job->from || !fetch_time_plausible(items[i].report.time, job->to)) {
            summary->outside++; /* the server does not keep to the window it is asked for */
            continue;
        }
        char *id = arena_alloc(arena, FINDMY_ID_SIZE);
        base64_encode(key->hash, FINDMY_HASH_SIZE, id);
        rows[count++] = (struct export_row){ key->name, id, result->reports[i].published, items[i].report };
    }
    return count;
}

static void print_summary(const struct key_list *keys, const struct fetch_result *result,
                          const struct summary *summary, size_t rows)
{
    fprintf(stderr, "%zu reports of %zu keys in %" PRId64 " requests", rows, keys->count, result->requests);
    if (summary->outside > 0)
        fprintf(stderr, ", %zu outside of the time asked for", summary->outside);
    for (int i = REPORT_OK + 1; i < REPORT_RESULTS; i++)
        if (summary->counts.of[i] > 0)
            fprintf(stderr, ", %" PRIu64 " unreadable (%s)", summary->counts.of[i],
                    report_result_name((enum report_result)i));
    if (result->counts.malformed > 0)
        fprintf(stderr, ", %" PRIu64 " malformed", result->counts.malformed);
    if (result->unsure > 0)
        fprintf(stderr, "; %zu silent keys could not be asked again", result->unsure);
    fputc('\n', stderr);
}

/* ---- the command ---- */

static int exit_of(const struct fetch_result *result)
{
    static const int statuses[FETCH_VERDICTS] = {
        [FETCH_DONE] = EXIT_OK,        [FETCH_LATER] = EXIT_LATER,
        [FETCH_SIGN_IN] = EXIT_FAILED, [FETCH_SECOND_FACTOR] = EXIT_CODE_DUE,
        [FETCH_LOCKED] = EXIT_PERSON,  [FETCH_OUR_FAULT] = EXIT_FAILED,
    };
    return statuses[result->verdict];
}

static void explain(const struct apple *apple, const struct fetch_result *result)
{
    char when[RFC3339_SIZE];
    fprintf(stderr, "trackerd: %s: %s\n", fetch_verdict_names[result->verdict], result->message);
    if (result->verdict == FETCH_LATER)
        fprintf(stderr, "not before %s\n",
                time_format(result->retry_at - result->retry_at % USEC_PER_SEC, when));
    if (result->verdict == FETCH_OUR_FAULT)
        fputs(
            "Apple may have changed its side: look for a newer provider profile (`trackerd account profile`)\n",
            stderr);
    if (result->verdict == FETCH_SECOND_FACTOR)
        fprintf(stderr, "trackerd account login %s\n", apple->account->name);
}

static int fetch(struct apple *apple, const char *keys_path, int64_t days, enum export_format format)
{
    struct key_list keys = { .arena = apple->arena };
    struct fetch_job job = { .to = time_now() };
    struct fetch_result result;
    struct summary summary = { 0 };
    struct error err = { .code = "" };
    job.from = job.to - DAYS(days);
    if (!load_keys(&keys, keys_path, job.from, job.to, &err) || keys.items == NULL)
        return cli_fail(&err);

    struct fetch_id *ids = arena_zalloc(apple->arena, keys.count, sizeof(*ids));
    for (size_t i = 0; i < keys.count; i++) {
        memcpy(ids[i].hash, keys.items[i].hash, FINDMY_HASH_SIZE);
        ids[i].kind = keys.items[i].kind;
    }
    job.ids = ids;
    job.count = keys.count;
    fetch_run(apple->account, &apple->env, &job, apple->arena, &result);

    /* What was read before a failure is good: print it either way. */
    struct export_row *rows = arena_zalloc(apple->arena, result.count + 1, sizeof(*rows));
    size_t count = decrypt(&keys, &job, &result, apple->arena, rows, &summary, &err);
    if (err.code[0] != '\0')
        return cli_fail(&err);
    struct buf out = { .max = (size_t)1 << 30 };
    if (result.verdict == FETCH_DONE || count > 0) {
        export_sort(format, rows, count);
        export_write(format, rows, count, &out);
        fwrite(buf_text(&out), 1, out.len, stdout);
        print_summary(&keys, &result, &summary, count);
    }
    buf_free(&out);
    if (result.verdict != FETCH_DONE)
        explain(apple, &result);
    return exit_of(&result);
}

static int run_fetch(int argc, char **argv, const struct config *config)
{
    const char *name = NULL, *keys = NULL, *days_text = "7", *format_text = "json";
    struct apple_options tape = { 0 };
    const struct cli_option options[] = {
        { "--account", false, &name },       { "--keys", false, &keys },
        { "--days", false, &days_text },     { "--out", false, &format_text },
        { "--record", false, &tape.record }, { "--replay", false, &tape.replay },
    };
    struct apple apple;
    struct error err;
    int64_t days = 0;
    int positional;
    if (!cli_options(argc, argv, options, ARRAY_LEN(options), &positional))
        return EXIT_USAGE;
    int format = word_index(export_format_names, format_text);
    if (positional > 0)
        return cli_usage(argv[0], "unexpected argument %s", argv[1]);
    if (name == NULL || keys == NULL)
        return cli_usage(argv[0], "--account and --keys are needed");
    if (!parse_i64_range(days_text, 1, MAX_DAYS, &days))
        return cli_usage(argv[0], "--days must be 1 to %d", MAX_DAYS);
    if (format < 0)
        return cli_usage(argv[0], "--out must be json, geojson, gpx or csv, not %s", format_text);
    if (tape.record != NULL && tape.replay != NULL)
        return cli_usage(argv[0], "--record and --replay exclude each other");

    bool ok = apple_open_store(&apple, config, &err) && apple_open_account(&apple, name, &err) &&
              apple_connect(&apple, config, &tape, &err);
    int status = ok ? fetch(&apple, keys, days, (enum export_format)format) : cli_fail(&err);
    apple_close(&apple);
    return status;
}

const struct command cmd_report_fetch = {
    .name = "fetch",
    .summary = "fetch and open the reports of tags, without a database",
    .help =
        "Usage: trackerd report fetch --account NAME --keys FILE [--days N] [--out FORMAT]\n\n"
        "Asks Apple for the reports of all keys in FILE, opens them and prints them, oldest first. Signs\n"
        "in again by itself when the account's token has run out.\n\n"
        "  --account NAME   an account of `trackerd account`, signed in\n"
        "  --keys FILE      private keys in any form: .keys, one key a line, devices.json of\n"
        "                   macless-haystack or OpenHaystack, FindMy.py JSON, accessory plist; - for\n"
        "                   standard input\n"
        "  --days N         how far back, 1 to 30 (default 7, which is what Apple keeps)\n"
        "  --out FORMAT     json (an array, default), geojson, gpx or csv\n"
        "  --record FILE    append Apple's answers to FILE, sealed with MASTER_KEY\n"
        "  --replay FILE    take the answers from such a recording and ask nobody\n\n"
        "A summary goes to standard error: how many reports, and how many could not be opened and why.\n"
        "Ask at most every 15 minutes: accounts that ask every few minutes get blocked.\n\n" APPLE_EXIT_HELP,
    .settings = true,
    .run = run_fetch,
};
