/* The provider profile as a table of rows: reading, checking and printing all walk the same rows. */
#include "findmy/profile.h"

#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/encode.h"
#include "base/json.h"
#include "base/parse.h"
#include "base/timeutil.h"

#define MAX_TEXT 512
#define MAX_URL  1024

enum row_type {
    ROW_TEXT,
    ROW_URL,
    ROW_INT,
    ROW_SPAN,
    ROW_BOOL,
    ROW_WORD,
    ROW_COUNTS,
    ROW_SPANS,
    ROW_CODES,
    ROW_HEADERS
};

/* One member of the document. Rows of a section stand together. */
struct row {
    const char *section, *name; /* section "": top level */
    enum row_type type;
    size_t offset;            /* into struct profile; ROW_HEADERS: the service */
    const char *value;        /* default as text; lists separated by spaces; codes as code=outcome */
    int64_t min, max;         /* INT, COUNTS as is; SPAN, SPANS in microseconds */
    const char *const *words; /* WORD, CODES */
};

static const char *const api_words[] = { "v1", "v2", NULL };
static const char *const list_words[] = { "primary", "secondary", "both", NULL };

#define AT(member) offsetof(struct profile, member)
#define TEXT(s, n, m, d)                                                                                     \
    {                                                                                                        \
        s, n, ROW_TEXT, AT(m), d, 0, 0, NULL                                                                 \
    }
#define URL(n, d)                                                                                            \
    {                                                                                                        \
        "endpoints", #n, ROW_URL, AT(endpoints.n), d, 0, 0, NULL                                             \
    }
#define INT(s, n, m, d, lo, hi)                                                                              \
    {                                                                                                        \
        s, n, ROW_INT, AT(m), d, lo, hi, NULL                                                                \
    }
#define SPAN(s, n, m, d, lo, hi)                                                                             \
    {                                                                                                        \
        s, n, ROW_SPAN, AT(m), d, lo, hi, NULL                                                               \
    }
#define WORD(s, n, m, d, w)                                                                                  \
    {                                                                                                        \
        s, n, ROW_WORD, AT(m), d, 0, 0, w                                                                    \
    }
#define CODES(n, m, w, d)                                                                                    \
    {                                                                                                        \
        "status", n, ROW_CODES, AT(m), d, 0, 0, w                                                            \
    }
#define HEADERS(n, service, d)                                                                               \
    {                                                                                                        \
        "headers", n, ROW_HEADERS, service, d, 0, 0, NULL                                                    \
    }

/* clang-format off */
static const struct row rows[] = {
    TEXT("", "name", name, "apple-2026-09"),
    INT("", "revision", revision, "1", 0, INT32_MAX),
    { "", "allow_plain_http", ROW_BOOL, AT(allow_plain_http), "false", 0, 0, NULL },

    URL(gsa, "https://gsa.apple.com/grandslam/GsService2"),
    URL(lookup, "https://gsa.apple.com/grandslam/GsService2/lookup"),
    URL(validate, "https://gsa.apple.com/grandslam/GsService2/validate"),
    URL(trusted_device, "https://gsa.apple.com/auth/verify/trusteddevice"),
    URL(phones, "https://gsa.apple.com/auth"),
    URL(phone, "https://gsa.apple.com/auth/verify/phone"),
    URL(phone_code, "https://gsa.apple.com/auth/verify/phone/securitycode"),
    URL(delegates, "https://setup.icloud.com/setup/iosbuddy/loginDelegates"),
    URL(fetch_v1, "https://gateway.icloud.com/acsnservice/fetch"),
    URL(fetch_v2, "https://gateway.icloud.com/findmyservice/v2/fetch"),
    URL(provision_start, ""),
    URL(provision_finish, ""),

    /* The client must not be called com.apple.dt.Xcode: gsa.apple.com refuses that since September 2026 (facts 7.7). */
    TEXT("identity", "client_info", identity.client_info, "<MacBookPro18,3> <Mac OS X;13.4.1;22F8> <com.apple.AuthKit/1 (com.apple.akd/1.0)>"),
    TEXT("identity", "user_agent", identity.user_agent, "akd/1.0 CFNetwork/978.0.7 Darwin/18.7.0"),
    TEXT("identity", "provision_user_agent", identity.provision_user_agent, "akd/1.0 CFNetwork/808.1.4"),
    TEXT("identity", "auth_user_agent", identity.auth_user_agent, "Xcode"),
    TEXT("identity", "app_info", identity.app_info, "com.apple.gs.xcode.auth"),
    TEXT("identity", "xcode_version", identity.xcode_version, "11.2 (11B41)"),
    TEXT("identity", "delegates_client_info", identity.delegates_client_info, "<MacBookPro18,3> <Mac OS X;13.4.1;22F8> <com.apple.AOSKit/282 (com.apple.accountsd/113)>"),
    TEXT("identity", "delegates_user_agent", identity.delegates_user_agent, "com.apple.iCloudHelper/282 CFNetwork/1408.0.4 Darwin/22.5.0"),
    TEXT("identity", "fetch_client_info", identity.fetch_client_info, ""),
    TEXT("identity", "fetch_user_agent", identity.fetch_user_agent, "searchpartyuseragent/1 iMac13,1/13.6.4"),
    TEXT("identity", "locale", identity.locale, "en_US"),
    TEXT("identity", "time_zone", identity.time_zone, "UTC"),
    TEXT("identity", "serial", identity.serial, "0"),
    TEXT("identity", "routing", identity.routing, "17106176"),

    HEADERS("gsa", PROFILE_GSA, ""),
    HEADERS("auth", PROFILE_AUTH, ""),
    HEADERS("delegates", PROFILE_DELEGATES, ""),
    HEADERS("fetch", PROFILE_FETCH, ""),

    SPAN("anisette", "cache", anisette.cache, "30s", 0, SECONDS(60)),
    SPAN("anisette", "timeout", anisette.timeout, "10s", SECONDS(1), MINUTES(5)),
    SPAN("anisette", "provision_timeout", anisette.provision_timeout, "60s", SECONDS(1), MINUTES(10)),
    SPAN("anisette", "retry", anisette.retry, "30s", SECONDS(1), HOURS(1)),
    SPAN("anisette", "max_retry", anisette.max_retry, "15m", SECONDS(1), DAYS(1)),

    SPAN("login", "timeout", login.timeout, "30s", SECONDS(1), MINUTES(5)),
    SPAN("login", "relogin_interval", login.relogin_interval, "1h", 0, DAYS(7)),
    SPAN("login", "retry", login.retry, "15m", SECONDS(1), DAYS(1)),
    SPAN("login", "max_retry", login.max_retry, "12h", SECONDS(1), DAYS(7)),
    INT("login", "max_relogins", login.max_relogins, "3", 1, 100),
    INT("login", "max_codes", login.max_codes, "3", 1, 10),

    WORD("fetch", "api", fetch.api, "v2", api_words),
    WORD("fetch", "list", fetch.list, "primary", list_words),
    TEXT("fetch", "bundle", fetch.bundle, "com.apple.icloud.searchpartyuseragent"),
    TEXT("fetch", "policy", fetch.policy, "foregroundClient"),
    INT("fetch", "ids_per_request", fetch.ids_per_request, "256", 1, 2000),
    SPAN("fetch", "look_back", fetch.look_back, "7d", HOURS(1), DAYS(30)),
    SPAN("fetch", "overlap", fetch.overlap, "24h", 0, DAYS(7)),
    INT("fetch", "full_answer", fetch.full_answer, "20", 1, 1000000),
    { "fetch", "regroup", ROW_COUNTS, AT(fetch.regroup), "64 16 4", 1, 2000, NULL },
    INT("fetch", "follow_ups", fetch.follow_ups, "8", 0, 1000),
    SPAN("fetch", "pause", fetch.pause, "1s", 0, HOURS(1)),
    { "fetch", "empty_retries", ROW_SPANS, AT(fetch.empty_retries), "2s 4s 6s 8s 10s", 0, MINUTES(10), NULL },
    SPAN("fetch", "retry", fetch.retry, "15m", SECONDS(1), DAYS(1)),
    SPAN("fetch", "max_retry", fetch.max_retry, "24h", SECONDS(1), DAYS(7)),
    SPAN("fetch", "timeout", fetch.timeout, "30s", SECONDS(1), MINUTES(10)),
    INT("fetch", "max_answer", fetch.max_answer, "16777216", 1024, 64 * 1024 * 1024),

    CODES("gsa", status_gsa, login_outcome_names,
          "-20101=bad-credentials -22406=bad-credentials -20209=account-locked -22421=bad-anisette "
          "-36607=refused -21669=bad-code -22979=too-many-codes -22981=too-many-codes -28248=phone-refused"),
    CODES("http", status_http, login_outcome_names,
          "401=bad-credentials 403=account-locked 429=server-error 433=reprovision 434=reprovision "
          "500=server-error 502=server-error 503=server-error 504=server-error"),
    CODES("sms", status_sms, login_outcome_names,
          "-21669=bad-code -28248=phone-refused -22979=too-many-codes -22981=too-many-codes"),
    CODES("fetch", status_fetch, fetch_outcome_names,
          "200=ok 401=reauth 403=auth_error 429=backoff 541=reauth 408=server_error 425=server_error "
          "400=bad_request 404=bad_request 405=bad_request 406=bad_request 410=bad_request 411=bad_request "
          "413=bad_request 414=bad_request 415=bad_request 422=bad_request 431=bad_request"),
};
/* clang-format on */

#undef TEXT
#undef URL
#undef INT
#undef SPAN
#undef WORD
#undef CODES
#undef HEADERS

/* ---- setting one value ---- */

/* Where a mistake stands, for messages: "fetch.retry". */
static bool mistake(struct error *err, const struct row *row, const char *what)
{
    return error_set(err, "profile_invalid", "provider profile: %s%s%s %s", row->section,
                     row->section[0] != '\0' ? "." : "", row->name, what);
}

static void *place(struct profile *profile, const struct row *row)
{
    return (char *)profile + row->offset;
}

static bool set_text(struct profile *profile, const struct row *row, struct arena *arena, const char *text,
                     struct error *err)
{
    if (strlen(text) > (row->type == ROW_URL ? MAX_URL : MAX_TEXT) || !httpc_value_safe(text))
        return mistake(err, row, "must be short, visible ASCII");
    bool url = strncmp(text, "https://", 8) == 0 || strncmp(text, "http://", 7) == 0;
    if (row->type == ROW_URL && !url && !(text[0] == '\0' && row->value[0] == '\0'))
        return mistake(err, row, "must be an address that begins with https://");
    *(const char **)place(profile, row) = arena_strdup(arena, text);
    return true;
}

static bool set_number(struct profile *profile, const struct row *row, int64_t value, struct error *err)
{
    if (value < row->min || value > row->max)
        return mistake(err, row, "is out of bounds");
    *(int64_t *)place(profile, row) = value;
    return true;
}

static bool parse_span(const struct row *row, const char *text, int64_t *value, struct error *err)
{
    return parse_duration(text, value) ||
           mistake(err, row, "must be a length of time such as \"30s\" or \"7d\"");
}

static bool add_step(struct profile *profile, const struct row *row, int64_t value, struct error *err)
{
    struct profile_steps *steps = place(profile, row);
    if (value < row->min || value > row->max)
        return mistake(err, row, "holds a value that is out of bounds");
    if (steps->count == PROFILE_MAX_STEPS)
        return mistake(err, row, "holds too many values");
    steps->items[steps->count++] = value;
    return true;
}

static bool set_code(struct profile *profile, const struct row *row, const char *code_text, const char *word,
                     struct error *err)
{
    struct profile_codes *codes = place(profile, row);
    int64_t code;
    int outcome = word_index(row->words, word);
    if (!parse_i64_range(code_text, INT32_MIN, INT32_MAX, &code))
        return mistake(err, row, "holds a key that is no code");
    if (outcome < 0)
        return mistake(err, row, "names an outcome that does not exist");
    size_t i = 0;
    while (i < codes->count && codes->items[i].code != code)
        i++;
    if (i == PROFILE_MAX_CODES)
        return mistake(err, row, "holds too many codes");
    codes->items[i].code = code;
    codes->items[i].outcome = outcome;
    codes->count += i == codes->count;
    return true;
}

/* ---- defaults ---- */

/* Words of a default list, one at a time. */
static bool each_word(struct profile *profile, const struct row *row, struct arena *arena, struct error *err)
{
    char *copy = arena_strdup(arena, row->value), *rest = NULL;
    for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        int64_t value;
        char *equals = strchr(word, '=');
        bool ok;
        if (row->type == ROW_CODES) {
            *equals = '\0';
            ok = set_code(profile, row, word, equals + 1, err);
        } else if (row->type == ROW_SPANS) {
            ok = parse_span(row, word, &value, err) && add_step(profile, row, value, err);
        } else {
            ok = parse_i64(word, &value) && add_step(profile, row, value, err);
        }
        if (!ok)
            return false;
    }
    return true;
}

static bool set_default(struct profile *profile, const struct row *row, struct arena *arena,
                        struct error *err)
{
    int64_t value;
    switch (row->type) {
    case ROW_TEXT:
    case ROW_URL:
        return set_text(profile, row, arena, row->value, err);
    case ROW_INT:
        return parse_i64(row->value, &value) && set_number(profile, row, value, err);
    case ROW_SPAN:
        return parse_span(row, row->value, &value, err) && set_number(profile, row, value, err);
    case ROW_BOOL:
        return parse_bool(row->value, place(profile, row));
    case ROW_WORD:
        *(int *)place(profile, row) = word_index(row->words, row->value);
        return true;
    case ROW_COUNTS:
    case ROW_SPANS:
    case ROW_CODES:
        return each_word(profile, row, arena, err);
    case ROW_HEADERS:
        return true; /* none by default */
    }
    return false;
}

static struct profile *make_default(struct arena *arena, struct error *err)
{
    struct profile *profile = arena_zalloc(arena, 1, sizeof(*profile));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (!set_default(profile, &rows[i], arena, err))
            return NULL;
    return profile;
}

static pthread_once_t default_once = PTHREAD_ONCE_INIT;

/* Kept for the life of the process, with its memory beside it, where leak checkers look for the pointer. */
static struct {
    struct arena *arena;
    const struct profile *profile;
} builtin;

static void build_default(void)
{
    struct error err;
    builtin.arena = arena_new();
    builtin.profile = make_default(builtin.arena, &err);
    if (builtin.profile == NULL) {
        fprintf(stderr, "trackerd: built-in profile: %s\n", err.message);
        abort(); /* a mistake in the table above, found by any test */
    }
}

const struct profile *profile_default(void)
{
    pthread_once(&default_once, build_default);
    return builtin.profile;
}

/* ---- reading a document ---- */

static bool set_steps(struct profile *profile, const struct row *row, const json_t *value, struct error *err)
{
    struct profile_steps *steps = place(profile, row);
    if (!json_is_array(value))
        return mistake(err, row, "must be an array");
    steps->count = 0;
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *item = json_array_get(value, i);
        int64_t number = json_integer_value(item);
        if (row->type == ROW_SPANS ? !json_is_string(item) : !json_is_integer(item))
            return mistake(err, row,
                           row->type == ROW_SPANS ? "must hold lengths of time as text"
                                                  : "must hold whole numbers");
        if (row->type == ROW_SPANS && !parse_span(row, json_string_value(item), &number, err))
            return false;
        if (!add_step(profile, row, number, err))
            return false;
    }
    return true;
}

static bool header_name_valid(const char *name)
{
    size_t len = strlen(name);
    static const char token[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.!#$%&'*+^`|~";
    return len > 0 && len <= 64 && strspn(name, token) == len && strcasecmp(name, "Authorization") != 0 &&
           strcasecmp(name, "Host") != 0 && strcasecmp(name, "Content-Length") != 0 &&
           strcasecmp(name, "Transfer-Encoding") != 0;
}

static bool set_headers(struct profile *profile, const struct row *row, struct arena *arena, json_t *value,
                        struct error *err)
{
    size_t service = row->offset;
    const char *name;
    json_t *item;
    json_object_foreach(value, name, item)
    {
        if (!header_name_valid(name) || !json_is_string(item) || strlen(json_string_value(item)) > MAX_TEXT ||
            !httpc_value_safe(json_string_value(item)))
            return mistake(err, row, "holds a header that cannot be sent");
        if (profile->header_count[service] == PROFILE_MAX_HEADERS)
            return mistake(err, row, "holds too many headers");
        profile->headers[service][profile->header_count[service]++] = (struct httpc_header){
            .name = arena_strdup(arena, name),
            .value = arena_strdup(arena, json_string_value(item)),
        };
    }
    return true;
}

static bool set_codes(struct profile *profile, const struct row *row, json_t *value, struct error *err)
{
    const char *code;
    json_t *item;
    json_object_foreach(value, code, item)
    {
        if (!json_is_string(item))
            return mistake(err, row, "must map codes to outcomes");
        if (!set_code(profile, row, code, json_string_value(item), err))
            return false;
    }
    return true;
}

static bool set_value(struct profile *profile, const struct row *row, struct arena *arena, json_t *value,
                      struct error *err)
{
    int64_t span;
    int index;
    switch (row->type) {
    case ROW_TEXT:
    case ROW_URL:
        return json_is_string(value) ? set_text(profile, row, arena, json_string_value(value), err)
                                     : mistake(err, row, "must be text");
    case ROW_INT:
        return json_is_integer(value) ? set_number(profile, row, json_integer_value(value), err)
                                      : mistake(err, row, "must be a whole number");
    case ROW_SPAN:
        if (!json_is_string(value))
            return mistake(err, row, "must be a length of time such as \"30s\" or \"7d\"");
        return parse_span(row, json_string_value(value), &span, err) && set_number(profile, row, span, err);
    case ROW_BOOL:
        *(bool *)place(profile, row) = json_is_true(value);
        return json_is_boolean(value) || mistake(err, row, "must be true or false");
    case ROW_WORD:
        index = json_is_string(value) ? word_index(row->words, json_string_value(value)) : -1;
        *(int *)place(profile, row) = index;
        return index >= 0 || mistake(err, row, "has a value that is none of its words");
    case ROW_COUNTS:
    case ROW_SPANS:
        return set_steps(profile, row, value, err);
    case ROW_CODES:
        return json_is_object(value) ? set_codes(profile, row, value, err)
                                     : mistake(err, row, "must be an object");
    case ROW_HEADERS:
        return json_is_object(value) ? set_headers(profile, row, arena, value, err)
                                     : mistake(err, row, "must be an object");
    }
    return false;
}

static const struct row *find_row(const char *section, const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (strcmp(rows[i].section, section) == 0 && strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

static bool is_section(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (name[0] != '\0' && strcmp(rows[i].section, name) == 0)
            return true;
    return false;
}

static bool set_section(struct profile *profile, const char *section, struct arena *arena, json_t *object,
                        struct error *err)
{
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value)
    {
        const struct row *row = find_row(section, name);
        bool ok;
        if (row != NULL)
            ok = set_value(profile, row, arena, value, err);
        else if (section[0] == '\0' && strcmp(name, "format") == 0)
            ok = (json_is_integer(value) && json_integer_value(value) == PROFILE_FORMAT) ||
                 error_set(err, "profile_invalid", "provider profile: this program reads format %d only",
                           PROFILE_FORMAT);
        else if (section[0] == '\0' && is_section(name))
            ok = json_is_object(value)
                     ? set_section(profile, name, arena, value, err)
                     : error_set(err, "profile_invalid", "provider profile: %.40s must be an object", name);
        else
            ok = error_set(err, "profile_invalid", "provider profile: %.40s%s%.40s is not known", section,
                           section[0] != '\0' ? "." : "", name);
        if (!ok)
            return false;
    }
    return true;
}

/* Rules between values. */
static bool check_whole(const struct profile *profile, struct error *err)
{
    for (size_t i = 0; i < ARRAY_LEN(rows) && !profile->allow_plain_http; i++) {
        if (rows[i].type != ROW_URL)
            continue;
        const char *url = *(const char *const *)((const char *)profile + rows[i].offset);
        if (httpc_url_exposed(url))
            return mistake(err, &rows[i],
                           "must use https:// (allow_plain_http permits http:// in test set-ups)");
    }
    for (size_t i = 1; i < profile->fetch.regroup.count; i++)
        if (profile->fetch.regroup.items[i] >= profile->fetch.regroup.items[i - 1])
            return error_set(err, "profile_invalid", "provider profile: fetch.regroup must go down");
    return true;
}

const struct profile *profile_parse(struct arena *arena, const char *text, size_t len, struct error *err)
{
    json_error_t where;
    if (len > PROFILE_MAX_SIZE) {
        error_set(err, "profile_invalid", "the provider profile is larger than %u bytes", PROFILE_MAX_SIZE);
        return NULL;
    }
    json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &where);
    if (!json_is_object(root)) {
        error_set(err, "profile_invalid", "the provider profile is not a JSON object (line %d: %s)",
                  where.line, root == NULL ? where.text : "another type");
        json_decref(root);
        return NULL;
    }
    struct profile *profile = make_default(arena, err);
    bool ok = profile != NULL && set_section(profile, "", arena, root, err) && check_whole(profile, err);
    json_decref(root);
    return ok ? profile : NULL;
}

const struct profile *profile_load(struct arena *arena, const char *path, struct error *err)
{
    if (path == NULL || path[0] == '\0')
        return profile_default();
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        error_set(err, "profile_invalid", "cannot read the provider profile %s: %s", path, strerror(errno));
        return NULL;
    }
    char *text = arena_alloc(arena, PROFILE_MAX_SIZE + 1);
    size_t len = fread(text, 1, PROFILE_MAX_SIZE + 1, file);
    bool ok = ferror(file) == 0;
    fclose(file);
    if (!ok) {
        error_set(err, "profile_invalid", "cannot read the provider profile %s", path);
        return NULL;
    }
    const struct profile *profile = profile_parse(arena, text, len, err);
    if (profile == NULL)
        (void)error_prefix(err, "%s", path);
    return profile;
}

/* ---- printing ---- */

static void print_span(struct json *json, int64_t usec)
{
    static const struct {
        const char *unit;
        int64_t usec;
    } units[] = { { "d", DAYS(1) }, { "h", HOURS(1) }, { "m", MINUTES(1) }, { "s", SECONDS(1) } };
    char text[32];
    size_t i = 0;
    while (i < ARRAY_LEN(units) && (usec % units[i].usec != 0 || usec == 0))
        i++;
    if (i < ARRAY_LEN(units))
        snprintf(text, sizeof(text), "%lld%s", (long long)(usec / units[i].usec), units[i].unit);
    else
        snprintf(text, sizeof(text), "%lldms", (long long)(usec / 1000));
    json_text(json, text);
}

static void print_codes(struct json *json, const struct profile_codes *codes, const char *const *words)
{
    json_start_object(json);
    for (size_t i = 0; i < codes->count; i++) {
        char code[24];
        snprintf(code, sizeof(code), "%lld", (long long)codes->items[i].code);
        json_put_text(json, code, words[codes->items[i].outcome]);
    }
    json_end_object(json);
}

static void print_steps(struct json *json, const struct profile_steps *steps, bool spans)
{
    json_start_array(json);
    for (size_t i = 0; i < steps->count; i++) {
        if (spans)
            print_span(json, steps->items[i]);
        else
            json_int(json, steps->items[i]);
    }
    json_end_array(json);
}

static void print_headers(struct json *json, const struct profile *profile, size_t service)
{
    json_start_object(json);
    for (size_t i = 0; i < profile->header_count[service]; i++)
        json_put_text(json, profile->headers[service][i].name, profile->headers[service][i].value);
    json_end_object(json);
}

static void print_value(struct json *json, const struct profile *profile, const struct row *row)
{
    const void *value = (const char *)profile + row->offset;
    switch (row->type) {
    case ROW_TEXT:
    case ROW_URL:
        json_text(json, *(const char *const *)value);
        break;
    case ROW_INT:
        json_int(json, *(const int64_t *)value);
        break;
    case ROW_SPAN:
        print_span(json, *(const int64_t *)value);
        break;
    case ROW_BOOL:
        json_bool(json, *(const bool *)value);
        break;
    case ROW_WORD:
        json_text(json, row->words[*(const int *)value]);
        break;
    case ROW_COUNTS:
    case ROW_SPANS:
        print_steps(json, value, row->type == ROW_SPANS);
        break;
    case ROW_CODES:
        print_codes(json, value, row->words);
        break;
    case ROW_HEADERS:
        print_headers(json, profile, row->offset);
        break;
    }
}

void profile_print(const struct profile *profile, struct buf *out)
{
    struct json json;
    const char *section = "";
    json_begin(&json, out);
    json_start_object(&json);
    json_put_int(&json, "format", PROFILE_FORMAT);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (strcmp(rows[i].section, section) != 0) {
            if (section[0] != '\0')
                json_end_object(&json);
            section = rows[i].section;
            json_key(&json, section);
            json_start_object(&json);
        }
        json_key(&json, rows[i].name);
        print_value(&json, profile, &rows[i]);
    }
    json_end_object(&json);
    json_end_object(&json);
}

/* ---- use ---- */

int profile_outcome(const struct profile_codes *codes, int64_t code, int fallback)
{
    for (size_t i = 0; i < codes->count; i++)
        if (codes->items[i].code == code)
            return codes->items[i].outcome;
    return fallback;
}

void profile_put_headers(const struct profile *profile, enum profile_service service,
                         struct httpc_header_list *list)
{
    for (size_t i = 0; i < profile->header_count[service]; i++)
        httpc_put(list, profile->headers[service][i].name, profile->headers[service][i].value);
}
