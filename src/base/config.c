/* Loading, checking and printing of settings. */
#include "base/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/encode.h"
#include "base/json.h"
#include "base/parse.h"
#include "base/timeutil.h"

#define MAX_SETTINGS   256
#define MAX_FILE       (256u * 1024) /* of settings or of one secret */
#define MAX_TEXT       4096
#define CONFIG_FILE    "TRACKERD_CONFIG"
#define SUGGEST_WITHIN 2 /* edits between a typing mistake and the setting that was meant */

enum source { SOURCE_DEFAULT, SOURCE_FILE, SOURCE_ENVIRONMENT, SOURCE_SECRET_FILE };

static const char *const source_names[] = { "default", "file", "environment", "secret file" };

/* What config_load returns; callers see only the first member. */
struct loaded {
    struct config config;
    struct arena *arena;
    const char *texts[MAX_SETTINGS]; /* as given */
    enum source sources[MAX_SETTINGS];
};

static const struct loaded *loaded_of(const struct config *config)
{
    return (const struct loaded *)(const void *)config;
}

static int setting_index(const char *name, size_t len)
{
    for (size_t i = 0; i < config_settings_count; i++)
        if (strlen(config_settings[i].name) == len && memcmp(config_settings[i].name, name, len) == 0)
            return (int)i;
    return -1;
}

static bool ends_with(const char *text, size_t len, const char *end)
{
    size_t n = strlen(end);
    return len > n && memcmp(text + len - n, end, n) == 0;
}

/* ---- finding mistakes in names ---- */

static const char *closest_setting(const char *name)
{
    const char *best = NULL;
    size_t best_distance = SUGGEST_WITHIN + 1;
    for (size_t i = 0; i < config_settings_count; i++) {
        size_t distance = edit_distance(name, config_settings[i].name, SUGGEST_WITHIN);
        if (distance < best_distance) {
            best = config_settings[i].name;
            best_distance = distance;
        }
    }
    return best;
}

/* First words that only our settings use. Others (HTTP_PROXY, COOKIE_…) are common in a shell and are caught
 * by likeness alone. */
static bool has_own_prefix(const char *name)
{
    static const char *const prefixes[] = { "TRACKERD_",   "DATABASE_", "ACCESS_TOKEN_", "REFRESH_TOKEN_",
                                            "RATE_LIMIT_", "LOGIN_",    "PASSWORD_",     "ANISETTE_",
                                            "MASTER_KEY",  "JWT_",      "SMTP_",         "FETCH_" };
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    return false;
}

static bool refuse_unknown(const char *name, bool from_file, struct error *err)
{
    const char *closest = closest_setting(name);
    if (closest != NULL)
        return error_set(err, "setting_unknown", "unknown setting %s; did you mean %s?", name, closest);
    if (from_file || has_own_prefix(name))
        return error_set(err, "setting_unknown",
                         "unknown setting %s; `trackerd config --help` tells how to list them", name);
    return true;
}

/* ---- reading values ---- */

static char *read_file(struct arena *arena, const char *path, struct error *err)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        error_set(err, "setting_invalid", "cannot read %s: %s", path, strerror(errno));
        return NULL;
    }
    char *text = arena_secret(arena, MAX_FILE + 1);
    size_t len = fread(text, 1, MAX_FILE + 1, file);
    bool ok = ferror(file) == 0;
    fclose(file);
    if (!ok || len > MAX_FILE) {
        error_set(err, "setting_invalid", "cannot read %s: %s", path,
                  ok ? "the file is too large" : "read error");
        return NULL;
    }
    if (memchr(text, '\0', len) != NULL) {
        error_set(err, "setting_invalid", "%s is not a text file", path);
        return NULL;
    }
    text[len] = '\0';
    return text;
}

static bool take_secret_file(struct loaded *loaded, int index, const char *path, struct error *err)
{
    char *text = read_file(loaded->arena, path, err);
    if (text == NULL)
        return error_prefix(err, "%s_FILE", config_settings[index].name);
    text[strcspn(text, "\r\n")] = '\0';
    loaded->texts[index] = text;
    loaded->sources[index] = SOURCE_SECRET_FILE;
    return true;
}

/* One NAME=VALUE. Names that are not ours are passed over, unless they look like a mistake. */
static bool take_variable(struct loaded *loaded, const char *name, size_t len, const char *value,
                          enum source source, struct error *err)
{
    int index = setting_index(name, len);
    if (index >= 0) {
        loaded->texts[index] = value;
        loaded->sources[index] = source;
        return true;
    }
    if (ends_with(name, len, "_FILE")) {
        index = setting_index(name, len - strlen("_FILE"));
        if (index >= 0 && config_settings[index].secret)
            return take_secret_file(loaded, index, value, err);
    }
    char copy[128];
    if (len >= sizeof(copy) || (len == strlen(CONFIG_FILE) && memcmp(name, CONFIG_FILE, len) == 0))
        return true;
    memcpy(copy, name, len);
    copy[len] = '\0';
    return refuse_unknown(copy, source == SOURCE_FILE, err);
}

/* NAME=VALUE lines; blank lines and lines that begin with # are skipped; a value may stand in double quotes.
 */
static bool take_file(struct loaded *loaded, const char *path, struct error *err)
{
    char *text = read_file(loaded->arena, path, err);
    if (text == NULL)
        return false;
    int line = 0;
    for (char *next = text; next != NULL && *next != '\0';) {
        char *start = strsep(&next, "\n");
        line++;
        start += strspn(start, " \t");
        for (size_t n = strlen(start); n > 0 && strchr(" \t\r", start[n - 1]) != NULL; n--)
            start[n - 1] = '\0';
        if (*start == '\0' || *start == '#')
            continue;
        char *equals = strchr(start, '=');
        if (equals == NULL || equals == start)
            return error_set(err, "setting_invalid", "%s line %d is not of the form NAME=VALUE", path, line);
        char *value = equals + 1;
        size_t n = strlen(value);
        if (n >= 2 && value[0] == '"' && value[n - 1] == '"') {
            value[n - 1] = '\0';
            value++;
        }
        if (!take_variable(loaded, start, (size_t)(equals - start), value, SOURCE_FILE, err))
            return error_prefix(err, "%s line %d", path, line);
    }
    return true;
}

static bool take_environment(struct loaded *loaded, char *const *env, struct error *err)
{
    for (; *env != NULL; env++) {
        const char *equals = strchr(*env, '=');
        if (equals != NULL &&
            !take_variable(loaded, *env, (size_t)(equals - *env), equals + 1, SOURCE_ENVIRONMENT, err))
            return false;
    }
    return true;
}

static const char *env_get(char *const *env, const char *name)
{
    size_t len = strlen(name);
    for (; *env != NULL; env++)
        if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
            return *env + len + 1;
    return NULL;
}

/* ---- checking values ---- */

static bool in_words(const char *words, const char *text, size_t len)
{
    for (const char *word = words; *word != '\0';) {
        size_t n = strcspn(word, "|");
        if (n == len && memcmp(word, text, n) == 0)
            return true;
        word += n + (word[n] == '|');
    }
    return false;
}

static bool invalid(const struct setting *setting, const char *text, struct error *err, const char *reason)
{
    return setting->secret ? error_set(err, "setting_invalid", "%s: %s", setting->name, reason)
                           : error_set(err, "setting_invalid", "%s=%.80s: %s", setting->name, text, reason);
}

static bool parse_number(const struct setting *setting, const char *text, int64_t *value)
{
    switch (setting->type) {
    case CONFIG_SIZE:
        return parse_size(text, value);
    case CONFIG_DURATION:
        return parse_duration(text, value);
    default:
        return parse_i64(text, value);
    }
}

static const char *number_form(enum config_type type)
{
    return type == CONFIG_SIZE       ? "must be a size such as 512K or 64M"
           : type == CONFIG_DURATION ? "must be a length of time such as 500ms, 30s, 15m, 12h or 7d"
                                     : "must be a whole number";
}

static bool set_number(struct config *config, const struct setting *setting, const char *text,
                       struct error *err)
{
    int64_t value;
    if (!parse_number(setting, text, &value))
        return invalid(setting, text, err, number_form(setting->type));
    if (value < setting->min || value > setting->max) {
        char reason[128];
        int64_t unit = setting->type == CONFIG_DURATION ? 1000 : 1;
        snprintf(reason, sizeof(reason), "must be from %lld to %lld%s", (long long)(setting->min / unit),
                 (long long)(setting->max / unit),
                 setting->type == CONFIG_DURATION ? " ms" : (setting->type == CONFIG_SIZE ? " bytes" : ""));
        return invalid(setting, text, err, reason);
    }
    *(int64_t *)(void *)((char *)config + setting->offset) = value;
    return true;
}

static bool check_text(const struct setting *setting, const char *text, struct error *err)
{
    size_t len = strlen(text);
    if (len > (size_t)(setting->max != 0 ? setting->max : MAX_TEXT))
        return invalid(setting, text, err, "is too long");
    if (len < (size_t)setting->min)
        return invalid(setting, text, err, "is too short");
    if (!utf8_valid(text, len))
        return invalid(setting, "", err, "is not valid UTF-8");
    if (setting->type == CONFIG_WORD && !in_words(setting->words, text, len)) {
        char reason[160];
        snprintf(reason, sizeof(reason), "must be one of %s", setting->words);
        return invalid(setting, text, err, reason);
    }
    if (setting->type == CONFIG_URL && len > 0) {
        const char *colon = strstr(text, "://");
        if (colon == NULL || colon[3] == '\0' || !in_words(setting->words, text, (size_t)(colon - text))) {
            char reason[160];
            snprintf(reason, sizeof(reason), "must be an address that begins with %s://", setting->words);
            return invalid(setting, text, err, reason);
        }
    }
    return true;
}

static bool set_value(struct loaded *loaded, size_t i, struct error *err)
{
    const struct setting *setting = &config_settings[i];
    const char *text = loaded->texts[i];
    char *member = (char *)&loaded->config + setting->offset;
    switch (setting->type) {
    case CONFIG_INT:
    case CONFIG_SIZE:
    case CONFIG_DURATION:
        return set_number(&loaded->config, setting, text, err);
    case CONFIG_BOOL:
        return parse_bool(text, (bool *)member) || invalid(setting, text, err, "must be true or false");
    default:
        if (!check_text(setting, text, err))
            return false;
        char *copy = setting->secret ? arena_secret(loaded->arena, strlen(text) + 1)
                                     : arena_alloc(loaded->arena, strlen(text) + 1);
        memcpy(copy, text, strlen(text) + 1);
        *(const char **)(void *)member = copy;
        return true;
    }
}

struct config *config_load(char *const *env, struct error *err)
{
    struct arena *arena = arena_new();
    struct loaded *loaded = arena_zalloc(arena, 1, sizeof(*loaded));
    loaded->arena = arena;
    for (size_t i = 0; i < config_settings_count; i++)
        loaded->texts[i] = config_settings[i].value;

    const char *file = env_get(env, CONFIG_FILE);
    bool ok = (file == NULL || take_file(loaded, file, err)) && take_environment(loaded, env, err);
    for (size_t i = 0; ok && i < config_settings_count; i++)
        ok = set_value(loaded, i, err);
    if (!ok) {
        arena_free(arena);
        return NULL;
    }
    return &loaded->config;
}

void config_free(struct config *config)
{
    if (config != NULL)
        arena_free(loaded_of(config)->arena);
}

/* ---- printing ---- */

const char *config_source(const struct config *config, const struct setting *setting)
{
    return source_names[loaded_of(config)->sources[setting - config_settings]];
}

static const char *shown_value(const struct config *config, const struct setting *setting)
{
    const char *text = loaded_of(config)->texts[setting - config_settings];
    return setting->secret && *text != '\0' ? "********" : text;
}

static void print_json(const struct config *config, struct buf *out)
{
    struct json json;
    json_begin(&json, out);
    json_start_array(&json);
    for (const struct setting *s = config_settings; s < config_settings + config_settings_count; s++) {
        json_start_object(&json);
        json_put_text(&json, "name", s->name);
        json_put_text(&json, "value", shown_value(config, s));
        json_put_text(&json, "default", s->value);
        json_put_text(&json, "source", config_source(config, s));
        json_put_bool(&json, "secret", s->secret);
        json_put_text(&json, "section", s->section);
        json_put_text(&json, "meaning", s->meaning);
        json_end_object(&json);
    }
    json_end_array(&json);
    buf_putc(out, '\n');
}

static void print_setting(const struct config *config, const struct setting *s, enum config_format format,
                          struct buf *out)
{
    switch (format) {
    case CONFIG_FORMAT_ENV:
        buf_printf(out, "# %s\n%s%s=%s\n\n", s->meaning, s->secret ? "#" : "", s->name,
                   shown_value(config, s));
        break;
    case CONFIG_FORMAT_MARKDOWN:
        buf_printf(out, "| `%s` | %s%s%s | %s%s |\n", s->name, *s->value ? "`" : "",
                   *s->value ? s->value : "-", *s->value ? "`" : "", s->meaning,
                   s->secret ? " Secret; also from a file: append `_FILE` to the name." : "");
        break;
    default:
        buf_printf(out, "%-28s %-34s %-12s %s\n", s->name,
                   *shown_value(config, s) ? shown_value(config, s) : "-", config_source(config, s),
                   s->meaning);
    }
}

void config_print(const struct config *config, enum config_format format, struct buf *out)
{
    if (format == CONFIG_FORMAT_JSON) {
        print_json(config, out);
        return;
    }
    if (format == CONFIG_FORMAT_TABLE)
        buf_printf(out, "%-28s %-34s %-12s %s\n", "SETTING", "VALUE", "SOURCE", "MEANING");
    const char *section = "";
    for (const struct setting *s = config_settings; s < config_settings + config_settings_count; s++) {
        if (format != CONFIG_FORMAT_TABLE && strcmp(section, s->section) != 0) {
            section = s->section;
            if (format == CONFIG_FORMAT_MARKDOWN)
                buf_printf(out, "\n## %s\n\n| Setting | Default | Meaning |\n| --- | --- | --- |\n", section);
            else
                buf_printf(out, "# ---- %s ----\n\n", section);
        }
        print_setting(config, s, format, out);
    }
}
