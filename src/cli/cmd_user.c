/* trackerd user: makes and manages users without a login, above all the first admin. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/authenticate.h"
#include "auth/mail.h"
#include "auth/password.h"
#include "auth/session.h"
#include "base/encode.h"
#include "base/parse.h"
#include "cli/cli.h"
#include "cli/database.h"
#include "cli/prompt.h"

#define MAX_CLIENTS 100 /* on one command line */

/* Whoever can run this command holds the database's password: an admin by right. */
static const struct db_context admin_context = { .role = "admin", .clients = "{}", .user = "" };

struct command_line {
    const struct config *config;
    struct arena *arena;
    struct db *db;
    const char *email, *name, *role;
    bool yes;
    const char *clients[MAX_CLIENTS]; /* ids or names */
    size_t client_count;
};

/* ---- shared ---- */

static int fail(const char *code, const char *message)
{
    struct error err;
    error_set(&err, code, "%s", message);
    return cli_fail(&err);
}

static int fail_rows(const struct rows *rows)
{
    if (strcmp(rows_constraint(rows), "users_email_key") == 0)
        return fail("exists", "a user with this e-mail address exists already");
    if (strcmp(rows_constraint(rows), "users_last_admin") == 0)
        return fail("last_admin", "this is the last active admin; make another one first");
    if (strcmp(rows_constraint(rows), "users_email_form") == 0)
        return fail("invalid", "this is not an e-mail address");
    if (rows_status(rows) == DB_UNAVAILABLE)
        return fail("unavailable", rows_message(rows));
    struct error err;
    error_set(&err, "database", "the database refused: %s", rows_message(rows));
    return cli_fail(&err);
}

/* The row that the statement was about; otherwise the exit status is set. */
static bool one_user(const struct command_line *line, const struct rows *rows, int *status)
{
    if (!rows_ok(rows)) {
        *status = fail_rows(rows);
        return false;
    }
    if (rows_count(rows) == 1)
        return true;
    struct error err;
    error_set(&err, "not_found", "there is no user %s", line->email);
    *status = cli_fail(&err);
    return false;
}

/* Asks twice at a terminal; otherwise takes the first line of standard input. */
static bool read_password(const struct command_line *line, const char *email, char *password, int *status)
{
    struct error err;
    char again[PASSWORD_MAX * 4 + 1];
    bool good = prompt_secret("password", password, PASSWORD_MAX * 4, &err) &&
                password_acceptable(password, email, &err);
    if (!good && strcmp(err.code, "input") != 0)
        error_prefix(&err, "the password ");
    if (good && prompt_is_interactive()) {
        good = prompt_secret("the same again", again, PASSWORD_MAX * 4, &err);
        if (good && strcmp(password, again) != 0)
            good = error_set(&err, "mismatch", "the two are not the same");
        wipe(again, sizeof(again));
    }
    if (!good)
        *status = cli_fail(&err);
    (void)line;
    return good;
}

static bool hash_password(const struct command_line *line, const char *password, char *hash, int *status)
{
    struct password_hasher *hasher = password_hasher_new((size_t)line->config->password_memory, 1, 0);
    bool done = hasher != NULL && password_hash(hasher, password, hash);
    password_hasher_free(hasher);
    if (!done)
        *status = fail("memory", "not enough memory to hash a password with PASSWORD_MEMORY");
    return done;
}

/* Ids of the clients that were named by id or name. */
static bool find_clients(const struct command_line *line, int64_t *ids, int *status)
{
    for (size_t i = 0; i < line->client_count; i++) {
        struct rows *rows = db_query(
            line->db,
            "SELECT id FROM clients WHERE archived_at IS NULL"
            " AND (id::text = $1 OR lower(name) = lower($1)) ORDER BY id::text = $1 DESC LIMIT 1",
            "s", line->clients[i]);
        if (!rows_ok(rows)) {
            *status = fail_rows(rows);
            return false;
        }
        if (rows_count(rows) == 0) {
            struct error err;
            error_set(&err, "not_found", "there is no client %s", line->clients[i]);
            *status = cli_fail(&err);
            return false;
        }
        ids[i] = rows_int(rows, 0, 0);
    }
    return true;
}

/* ---- create ---- */

static const char create_sql[] =
    "WITH new AS (INSERT INTO users (email, name, role, password_hash, password_changed_at)"
    "  VALUES ($1, $2, $3::user_role, $4, now()) RETURNING *),"
    " clients AS (INSERT INTO user_clients (user_id, client_id) SELECT new.id, c FROM new, unnest($5::bigint[]) c),"
    " log AS (INSERT INTO audit_log (action, resource, resource_id, after) SELECT 'create', 'users', new.id,"
    "  jsonb_build_object('email', new.email, 'name', new.name, 'role', new.role, 'client_ids', $5::bigint[]) FROM new)"
    " SELECT id FROM new";

static int create(const struct command_line *line)
{
    char password[PASSWORD_MAX * 4 + 1], hash[PASSWORD_HASH_SIZE];
    int64_t clients[MAX_CLIENTS];
    int status = EXIT_OK;
    if (!mail_address_valid(line->email))
        return fail("invalid", "this is not an e-mail address");
    const char *name = line->name != NULL ? line->name : line->email;
    if (!utf8_valid(name, strlen(name)) || utf8_length(name, strlen(name)) > 200 || name[0] == '\0')
        return fail("invalid", "--name must have 1 to 200 characters");
    if (!find_clients(line, clients, &status))
        return status;

    bool ready = read_password(line, line->email, password, &status) &&
                 hash_password(line, password, hash, &status);
    wipe(password, sizeof(password));
    if (!ready)
        return status;
    struct rows *rows = db_query(line->db, create_sql, "ssssa", line->email, name,
                                 line->role != NULL ? line->role : "user", hash, clients, line->client_count);
    if (!rows_ok(rows))
        return fail_rows(rows);
    printf("created user %s (%s)\n", rows_text(rows, 0, 0), line->email);
    return EXIT_OK;
}

/* ---- list ---- */

static int list(const struct command_line *line)
{
    struct rows *rows = db_query(
        line->db,
        "SELECT u.id, u.email, u.name, u.role, coalesce(string_agg(c.name, ', ' ORDER BY c.name), ''),"
        " u.archived_at IS NOT NULL, coalesce(to_char(u.last_login_at, 'YYYY-MM-DD HH24:MI'), '')"
        " FROM users u LEFT JOIN user_clients uc ON uc.user_id = u.id"
        " LEFT JOIN clients c ON c.id = uc.client_id GROUP BY u.id ORDER BY u.id",
        "");
    if (!rows_ok(rows))
        return fail_rows(rows);
    printf("%-6s %-32s %-24s %-8s %-8s %-16s %s\n", "id", "email", "name", "role", "state", "last sign-in",
           "clients");
    for (size_t i = 0; i < rows_count(rows); i++)
        printf("%-6s %-32s %-24s %-8s %-8s %-16s %s\n", rows_text(rows, i, 0), rows_text(rows, i, 1),
               rows_text(rows, i, 2), rows_text(rows, i, 3), rows_bool(rows, i, 5) ? "disabled" : "active",
               rows_text(rows, i, 6), rows_text(rows, i, 4));
    return EXIT_OK;
}

/* ---- changes ---- */

static const char password_sql[] =
    "WITH u AS (UPDATE users SET password_hash = $2, password_changed_at = now() WHERE lower(email) = lower($1)"
    "  RETURNING id),"
    " s AS (UPDATE sessions SET revoked_at = now(), revoke_reason = 'password_change' FROM u"
    "  WHERE sessions.user_id = u.id AND sessions.revoked_at IS NULL),"
    " a AS (DELETE FROM login_attempts WHERE subject = 'login:account:' || lower($1)),"
    " log AS (INSERT INTO audit_log (action, resource, resource_id) SELECT 'password_change', 'users', id FROM u)"
    " SELECT id FROM u";

static int set_password(const struct command_line *line)
{
    char password[PASSWORD_MAX * 4 + 1], hash[PASSWORD_HASH_SIZE];
    int status = EXIT_OK;
    struct rows *rows = db_query(line->db, "SELECT id FROM users WHERE lower(email) = lower($1)", "s",
                                 line->email);
    if (!one_user(line, rows, &status))
        return status;
    bool ready = read_password(line, line->email, password, &status) &&
                 hash_password(line, password, hash, &status);
    wipe(password, sizeof(password));
    if (!ready)
        return status;
    rows = db_query(line->db, password_sql, "ss", line->email, hash);
    if (!one_user(line, rows, &status))
        return status;
    auth_settle(NULL);
    printf("password of %s set; all sessions have ended\n", line->email);
    return EXIT_OK;
}

static const char role_sql[] =
    "WITH old AS (SELECT id, role FROM users WHERE lower(email) = lower($1) FOR UPDATE),"
    " u AS (UPDATE users SET role = $2::user_role FROM old WHERE users.id = old.id RETURNING users.id),"
    " log AS (INSERT INTO audit_log (action, resource, resource_id, before, after) SELECT 'update', 'users', u.id,"
    "  jsonb_build_object('role', old.role), jsonb_build_object('role', $2::text) FROM u, old)"
    " SELECT id FROM u";

static int set_role(const struct command_line *line)
{
    int status;
    if (line->role == NULL)
        return cli_usage("user", "set-role needs --role admin, manager or user");
    struct rows *rows = db_query(line->db, role_sql, "ss", line->email, line->role);
    if (!one_user(line, rows, &status))
        return status;
    auth_settle(NULL);
    printf("%s is now %s\n", line->email, line->role);
    return EXIT_OK;
}

/* Sessions end with the account, and do not come back with it. */
static const char archive_sql[] =
    "WITH u AS (UPDATE users SET archived_at = CASE WHEN $2 THEN coalesce(archived_at, now()) END"
    "  WHERE lower(email) = lower($1) RETURNING id),"
    " s AS (UPDATE sessions SET revoked_at = now(), revoke_reason = 'admin' FROM u"
    "  WHERE sessions.user_id = u.id AND sessions.revoked_at IS NULL),"
    " log AS (INSERT INTO audit_log (action, resource, resource_id)"
    "  SELECT CASE WHEN $2 THEN 'archive' ELSE 'restore' END, 'users', id FROM u)"
    " SELECT id FROM u";

static int set_archived(const struct command_line *line, bool archived)
{
    int status;
    struct rows *rows = db_query(line->db, archive_sql, "sb", line->email, (int)archived);
    if (!one_user(line, rows, &status))
        return status;
    auth_settle(NULL);
    printf("%s %s\n", line->email, archived ? "may not sign in any more" : "may sign in again");
    return EXIT_OK;
}

static int disable(const struct command_line *line)
{
    return set_archived(line, true);
}

static int enable(const struct command_line *line)
{
    return set_archived(line, false);
}

static int delete (const struct command_line *line)
{
    int status;
    if (!line->yes)
        return cli_usage("user", "delete cannot be undone; confirm with --yes, or use disable");
    struct rows *rows = db_query(
        line->db,
        "WITH u AS (DELETE FROM users WHERE lower(email) = lower($1) RETURNING id, email, role),"
        " log AS (INSERT INTO audit_log (action, resource, resource_id, before) SELECT 'delete',"
        " 'users', id, jsonb_build_object('email', email, 'role', role) FROM u)"
        " SELECT id FROM u",
        "s", line->email);
    if (!one_user(line, rows, &status))
        return status;
    auth_settle(NULL);
    printf("%s is deleted\n", line->email);
    return EXIT_OK;
}

/* ---- sessions ---- */

static int sessions(const struct command_line *line)
{
    int status;
    struct rows *rows = db_query(line->db, "SELECT id FROM users WHERE lower(email) = lower($1)", "s",
                                 line->email);
    if (!one_user(line, rows, &status))
        return status;
    rows = db_query(
        line->db,
        "SELECT id, to_char(created_at, 'YYYY-MM-DD HH24:MI'), to_char(last_used_at, 'YYYY-MM-DD HH24:MI'),"
        " coalesce(host(address), ''), user_agent FROM sessions"
        " WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > now() ORDER BY id",
        "i", rows_int(rows, 0, 0));
    if (!rows_ok(rows))
        return fail_rows(rows);
    printf("%-8s %-16s %-16s %-40s %s\n", "id", "since (UTC)", "used (UTC)", "address", "program");
    for (size_t i = 0; i < rows_count(rows); i++)
        printf("%-8s %-16s %-16s %-40s %s\n", rows_text(rows, i, 0), rows_text(rows, i, 1),
               rows_text(rows, i, 2), rows_text(rows, i, 3), rows_text(rows, i, 4));
    return EXIT_OK;
}

static int sign_out(const struct command_line *line)
{
    int status;
    struct rows *rows = db_query(line->db, "SELECT id FROM users WHERE lower(email) = lower($1)", "s",
                                 line->email);
    if (!one_user(line, rows, &status))
        return status;
    rows = session_close_all(line->db, rows_int(rows, 0, 0), 0, SESSION_BY_ADMIN);
    if (!rows_ok(rows))
        return fail_rows(rows);
    auth_settle(NULL);
    printf("%zu sessions of %s have ended\n", rows_affected(rows), line->email);
    return EXIT_OK;
}

/* ---- the command ---- */

static const struct {
    const char *name;
    int (*run)(const struct command_line *line);
    bool needs_email;
} actions[] = {
    { "create", create, true },     { "list", list, false },        { "set-password", set_password, true },
    { "set-role", set_role, true }, { "disable", disable, true },   { "enable", enable, true },
    { "delete", delete, true },     { "sessions", sessions, true }, { "sign-out", sign_out, true },
};

/* Takes each --client out of argv, since cli_options keeps only the last. */
static bool take_clients(int *argc, char **argv, struct command_line *line)
{
    int kept = 1;
    for (int i = 1; i < *argc; i++) {
        const char *value = NULL;
        if (strncmp(argv[i], "--client=", 9) == 0)
            value = argv[i] + 9;
        else if (strcmp(argv[i], "--client") == 0 && i + 1 < *argc)
            value = argv[++i];
        if (value == NULL) {
            argv[kept++] = argv[i];
            continue;
        }
        if (line->client_count == MAX_CLIENTS)
            return false;
        line->clients[line->client_count++] = value;
    }
    *argc = kept;
    return true;
}

static int run_action(size_t action, struct command_line *line)
{
    const struct config *config = line->config;
    struct error err;
    line->db = cli_database(config, "trackerd user", &err);
    if (line->db == NULL)
        return cli_fail(&err);
    line->arena = arena_new();
    db_use(line->db, line->arena, &admin_context);
    int status = actions[action].run(line);
    db_free(line->db);
    arena_free(line->arena);
    return status;
}

static int run(int argc, char **argv, const struct config *config)
{
    struct command_line line = { .config = config };
    const char *admin = NULL, *yes = NULL, *unknown_client = NULL;
    int positional;
    const struct cli_option options[] = {
        { "--email", false, &line.email }, { "--name", false, &line.name },
        { "--role", false, &line.role },   { "--admin", true, &admin },
        { "--yes", true, &yes },           { "--client", false, &unknown_client },
    };
    if (!take_clients(&argc, argv, &line))
        return cli_usage("user", "at most %d clients", MAX_CLIENTS);
    if (!cli_options(argc, argv, options, ARRAY_LEN(options), &positional))
        return EXIT_USAGE;
    if (positional == 0)
        return cli_usage("user", "which action? create, list, set-password, …");

    size_t action = 0;
    while (action < ARRAY_LEN(actions) && strcmp(actions[action].name, argv[1]) != 0)
        action++;
    if (action == ARRAY_LEN(actions))
        return cli_usage("user", "unknown action %s", argv[1]);
    if (positional > 1 && line.email == NULL)
        line.email = argv[2];
    else if (positional > 1)
        return cli_usage("user", "unexpected argument %s", argv[2]);
    if (positional > 2)
        return cli_usage("user", "unexpected argument %s", argv[3]);
    if (actions[action].needs_email && line.email == NULL)
        return cli_usage("user", "%s needs an e-mail address", argv[1]);
    if (line.role != NULL && (word_index(role_names, line.role) < ROLE_USER || admin != NULL))
        return cli_usage("user", "--role must be admin, manager or user, and goes without --admin");
    if (admin != NULL)
        line.role = "admin";
    line.yes = yes != NULL;
    return run_action(action, &line);
}

const struct command cmd_user = {
    .name = "user",
    .summary = "make and manage users, above all the first admin",
    .help = "Usage: trackerd user ACTION [EMAIL] [OPTIONS]\n\n"
            "  create --email EMAIL [--name NAME] [--admin | --role ROLE] [--client CLIENT]…\n"
            "      Makes a user. The password is asked for without echo, or is the first line of standard\n"
            "      input; it is never an argument. ROLE is admin, manager or user (default). CLIENT is the\n"
            "      id or name of a client that the user may see; give it once for each.\n"
            "  list                           all users\n"
            "  set-password EMAIL             asks for a new password; ends all sessions of the user\n"
            "  set-role EMAIL --role ROLE     changes the role\n"
            "  disable EMAIL                  may not sign in any more; sessions and API keys end at once\n"
            "  enable EMAIL                   may sign in again\n"
            "  delete EMAIL --yes             removes the user with sessions and API keys\n"
            "  sessions EMAIL                 sessions of the user\n"
            "  sign-out EMAIL                 ends all sessions of the user\n\n"
            "The last active admin cannot be disabled, demoted or deleted. The first admin:\n\n"
            "  trackerd user create --admin --email you@example.com\n\n"
            "DATABASE_URL names the database; the login that the API uses will do.\n",
    .settings = true,
    .run = run,
};
