/* Makes the logins of the processes. */
#include "store/logins.h"

#include <libpq-fe.h>
#include <string.h>

/* An address without a password is one for a server that knows its callers otherwise: nothing is set then. */
struct login {
    const char *name, *password;
};

static bool read_url(struct arena *arena, const char *url, struct login *login, struct error *err)
{
    char *message = NULL;
    PQconninfoOption *options = PQconninfoParse(url, &message);
    if (options == NULL) {
        /* The message may quote the address, which has a password in it. */
        PQfreemem(message);
        return error_set(err, "invalid_url", "a login's connection address is malformed");
    }
    for (const PQconninfoOption *option = options; option->keyword != NULL; option++) {
        if (option->val == NULL || option->val[0] == '\0')
            continue;
        if (strcmp(option->keyword, "user") == 0)
            login->name = arena_strdup(arena, option->val);
        if (strcmp(option->keyword, "password") == 0)
            login->password = arena_strdup(arena, option->val);
    }
    PQconninfoFree(options);
    if (login->name == NULL)
        return error_set(err, "invalid_url", "a login's connection address names no user");
    return true;
}

/* Roles take no parameters: the server quotes the statement, then runs it. */
static bool run_written(struct db *db, struct rows *written, struct error *err)
{
    if (!rows_ok(written))
        return error_set(err, "database", "%s", rows_message(written));
    for (size_t i = 0; i < rows_count(written); i++) {
        struct rows *done = db_execute(db, rows_text(written, i, 0));
        if (!rows_ok(done))
            return error_set(err, "database", "%s", rows_message(done));
    }
    return true;
}

bool login_ensure(struct db *db, struct arena *arena, const char *url, const char *group, const char **name,
                  struct error *err)
{
    static const char statements[] =
        "SELECT format('CREATE ROLE %I', $1::text) WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = $1::text)"
        " UNION ALL SELECT format('ALTER ROLE %I LOGIN', $1::text)"
        " UNION ALL SELECT format('ALTER ROLE %I PASSWORD %L', $1::text, $2::text) WHERE $2::text IS NOT NULL"
        " UNION ALL SELECT format('GRANT %I TO %I', $3::text, $1::text)";
    struct login login = { 0 };
    if (!read_url(arena, url, &login, err))
        return false;
    *name = login.name;
    db_use(db, arena, NULL);
    return run_written(db, db_query(db, statements, "sss", login.name, login.password, group), err);
}
