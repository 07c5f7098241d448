/* trackerd judge: judges what is in the inbox, or trackers anew, in this process and without Redis. */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/parse.h"
#include "base/timeutil.h"
#include "cli/cli.h"
#include "cli/database.h"
#include "jobs/judge_choice.h"

#define MAX_THREADS 32

/* What another worker holds, or a writer has not committed yet, is looked at again after this. */
#define LOOK_AGAIN (SECONDS(1) / 5)

/* What fails for the moment (the server restarts, two transactions lock each other out) is tried again this
 * often in a row. */
#define MAX_FAILURES 20

static bool passes(const struct error *err)
{
    return error_is(err, "database_unavailable") || error_is(err, "unavailable");
}

struct judge_command {
    const struct config *config;
    struct judge_choice choice;
    bool all, preview;
    int64_t threads;
};

/* ---- until the inbox is empty ---- */

struct emptying {
    const struct judge_command *command;
    atomic_llong judged;
    atomic_bool failed;
    struct error err; /* of the first thread that failed; valid when failed */
};

static bool inbox_is_empty(struct db *db, bool *empty, struct error *err)
{
    struct rows *rows = db_query(
        db, "SELECT NOT EXISTS (SELECT FROM report_inbox) AND NOT EXISTS (SELECT FROM replay_requests)", "");
    if (!rows_ok(rows))
        return cli_rows_failed(rows, err);
    *empty = rows_bool(rows, 0, 0);
    return true;
}

/* One look: requests into the inbox, a batch out of it. False: failed. */
static bool look(struct emptying *emptying, struct db *db, struct arena *arena, bool *empty,
                 struct error *err)
{
    const struct judging judging = { .config = emptying->command->config, .db = db, .arena = arena };
    arena_reset(arena);
    db_use(db, arena, NULL);
    int64_t expanded = judge_expand(&judging, err);
    int64_t judged = expanded < 0 ? -1 : judge_inbox(&judging, err);
    *empty = false;
    if (judged < 0)
        return false;
    atomic_fetch_add(&emptying->judged, judged);
    return judged + expanded > 0 || inbox_is_empty(db, empty, err);
}

static void *empty_inbox(void *self)
{
    struct emptying *emptying = self;
    struct error err = { .code = "" };
    struct arena *arena = arena_new();
    struct db *db = cli_database(emptying->command->config, "trackerd judge", &err);
    bool empty = db == NULL;

    for (int failures = 0; !empty && failures <= MAX_FAILURES && !atomic_load(&emptying->failed);) {
        int64_t before = atomic_load(&emptying->judged);
        bool good = look(emptying, db, arena, &empty, &err);
        failures = good ? 0 : failures + (passes(&err) ? 1 : MAX_FAILURES + 1);
        if (!good)
            db_rollback(db);
        if (!empty && atomic_load(&emptying->judged) == before)
            clock_sleep(&clock_system, LOOK_AGAIN);
    }
    if (!empty && !atomic_exchange(&emptying->failed, true))
        emptying->err = err;
    db_free(db);
    arena_free(arena);
    return NULL;
}

static bool judge_all(const struct judge_command *command, struct error *err)
{
    struct emptying emptying = { .command = command };
    pthread_t threads[MAX_THREADS];
    int64_t started = time_monotonic();
    int64_t n = 0;

    while (n < command->threads - 1 && pthread_create(&threads[n], NULL, empty_inbox, &emptying) == 0)
        n++;
    empty_inbox(&emptying);
    while (n > 0)
        pthread_join(threads[--n], NULL);
    if (atomic_load(&emptying.failed)) {
        *err = emptying.err;
        return false;
    }
    fprintf(stderr, "judged %lld trackers in %.1f s; the inbox is empty\n", atomic_load(&emptying.judged),
            (double)(time_monotonic() - started) / 1e6);
    return true;
}

/* ---- which trackers anew ---- */

static bool request_replay(const struct judge_command *command, struct db *db, struct error *err)
{
    int64_t trackers;
    if (!judge_choice_request(&command->choice, db, &trackers, err))
        return false;
    if (trackers == 0 && !command->all)
        return error_set(err, "not_found", "there is no such tracker");
    fprintf(stderr, "judging %" PRId64 " trackers anew\n", trackers);
    return true;
}

static bool preview_pages(const struct judge_command *command, struct db *db, struct arena *arena,
                          struct json *json, struct judge_preview *preview, struct error *err)
{
    const struct judging judging = { .config = command->config, .db = db, .arena = arena };
    enum judge_page page = JUDGE_PAGE_DONE;
    for (int64_t last = 0; page == JUDGE_PAGE_DONE;) {
        page = judge_choice_preview(&judging, &command->choice, &last, json, preview, err);
        arena_reset(arena);
    }
    return page == JUDGE_PAGE_LAST;
}

static bool preview(const struct judge_command *command, struct db *db, struct arena *arena,
                    struct error *err)
{
    struct judge_preview result = { 0 };
    struct buf buf = { 0 };
    struct json json;

    json_begin(&json, &buf);
    json_start_object(&json);
    json_key(&json, "changes");
    json_start_array(&json);
    bool good = preview_pages(command, db, arena, &json, &result, err);
    json_end_array(&json);
    json_put_int(&json, "trackers", result.trackers);
    json_put_int(&json, "trackers_changed", result.trackers_changed);
    json_put_int(&json, "rows", result.rows);
    json_end_object(&json);
    if (good)
        printf("%s\n", buf_text(&buf));
    buf_free(&buf);
    return good;
}

static bool judge_chosen(const struct judge_command *command, bool anew, struct error *err)
{
    struct db *db = cli_database(command->config, "trackerd judge", err);
    if (db == NULL)
        return false;
    struct arena *arena = arena_new();
    db_use(db, arena, NULL);
    bool good = command->preview ? preview(command, db, arena, err)
                                 : !anew || request_replay(command, db, err);
    db_free(db);
    arena_free(arena);
    return good && (command->preview || judge_all(command, err));
}

/* ---- the command ---- */

static bool take_id(const char *text, int64_t *id)
{
    return text == NULL || parse_i64_range(text, 1, INT64_MAX, id);
}

static int run(int argc, char **argv, const struct config *config)
{
    struct judge_command command = { .config = config, .choice.from = JUDGE_BEGINNING, .threads = 2 };
    const char *tracker = NULL, *production_run = NULL, *client = NULL, *all = NULL, *from = NULL,
               *replay = NULL, *show = NULL, *threads = NULL;
    int positional;
    const struct cli_option options[] = {
        { "--replay", true, &replay },    { "--preview", true, &show },
        { "--tracker", false, &tracker }, { "--run", false, &production_run },
        { "--client", false, &client },   { "--all", true, &all },
        { "--from", false, &from },       { "--threads", false, &threads },
    };
    if (!cli_options(argc, argv, options, ARRAY_LEN(options), &positional))
        return EXIT_USAGE;
    if (positional > 0)
        return cli_usage("judge", "unexpected argument %s", argv[1]);
    bool anew = replay != NULL || show != NULL;
    int chosen = (tracker != NULL) + (production_run != NULL) + (client != NULL) + (all != NULL);
    if (chosen > 1)
        return cli_usage("judge", "give only one of --tracker, --run, --client and --all");
    if (!anew && (chosen > 0 || from != NULL))
        return cli_usage("judge", "choosing trackers or a time goes with --replay or --preview");
    if (!take_id(tracker, &command.choice.tracker) || !take_id(production_run, &command.choice.run) ||
        !take_id(client, &command.choice.client))
        return cli_usage("judge", "--tracker, --run and --client take an id");
    if (from != NULL && !time_parse(from, &command.choice.from))
        return cli_usage("judge", "--from takes a time such as 2026-05-01T00:00:00Z");
    if (threads != NULL && !parse_i64_range(threads, 1, MAX_THREADS, &command.threads))
        return cli_usage("judge", "--threads takes 1 to %d", MAX_THREADS);
    command.all = chosen == 0 || all != NULL;
    command.preview = show != NULL;

    struct error err;
    return judge_chosen(&command, anew, &err) ? EXIT_OK : cli_fail(&err);
}

const struct command cmd_judge = {
    .name = "judge",
    .summary = "judge what is in the inbox, or trackers anew",
    .help = "Usage: trackerd judge [--threads N]\n"
            "       trackerd judge --replay [WHICH] [--from TIME] [--threads N]\n"
            "       trackerd judge --preview [WHICH] [--from TIME]\n\n"
            "Decides statuses, events and exceptions in this process, without Redis, until the inbox is\n"
            "empty. Workers may do the same at the same time; no two judge one tracker. It may be\n"
            "interrupted at any moment and started again.\n\n"
            "  --replay         first put trackers into the inbox, to be judged anew from their reports\n"
            "  --preview        write nothing; print as JSON which rows of the status history and of the\n"
            "                   events would go and come (the first 1,000, and the counts of all)\n"
            "  --tracker ID     WHICH: one tracker\n"
            "  --run ID         WHICH: all trackers that ever belonged to a production run\n"
            "  --client ID      WHICH: all trackers of a client\n"
            "  --all            WHICH: all trackers (the default)\n"
            "  --from TIME      from the reports of this time on (RFC 3339); without it from the first one\n"
            "  --threads N      as many batches at a time, each with a connection of its own (default 2)\n\n"
            "A replay that finds nothing new changes nothing: rows that are the same keep their ids, and\n"
            "nobody is told anything twice. After changing MIN_CONFIDENCE, MAX_ACCURACY_M, MAX_SPEED_KMH,\n"
            "ENTRY_SLACK_M, CONFIRM_REPORTS or DWELL_PERIOD, `trackerd judge --replay` applies the new\n"
            "values to the past as well.\n\n"
            "DATABASE_URL names the database; its login must be a member of tracker_worker.\n",
    .settings = true,
    .run = run,
};
