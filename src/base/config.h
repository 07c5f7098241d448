/* Every setting of the system in one table: name, type, bounds, default, meaning.
 *
 * Settings come from the environment or from a file of NAME=VALUE lines (TRACKERD_CONFIG); the environment
 * wins. A setting marked secret may also come from a file named by NAME_FILE. A variable that looks like a
 * setting of ours but is none stops the start. */
#ifndef BASE_CONFIG_H
#define BASE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

/* Values after loading. Texts are owned by the struct and live until config_free; an unset text is "".
 * Durations are microseconds. */
struct config {
    /* general */
    const char *environment, *log_level, *public_url;
    /* database */
    const char *database_url, *database_replica_url, *database_pooler;
    int64_t database_statement_timeout, database_connect_timeout, database_replica_max_lag;
    /* redis */
    const char *redis_url;
    int64_t redis_timeout;
    /* http */
    const char *http_address, *cors_origins, *trusted_proxies, *docs_folder;
    int64_t http_port, http_threads, http_handlers, http_queue, http_max_connections, http_max_header,
        http_max_body, http_max_upload, http_idle_timeout, http_request_timeout, http_slow_request,
        http_shutdown_timeout, http_ip_connections;
    /* sign-in */
    const char *jwt_secret, *jwt_issuer, *jwt_audience, *cookie_name;
    bool cookie_secure;
    int64_t access_token_minutes, refresh_token_days, password_memory, password_reset_minutes, login_attempts,
        login_window;
    /* limits */
    int64_t rate_limit, rate_limit_window, rate_limit_anonymous;
    /* secrets at rest */
    const char *master_key;
    /* mail */
    const char *smtp_url, *smtp_user, *smtp_password, *mail_from, *mail_folder;
    /* notifications */
    int64_t notify_max_age, notification_retention;
    /* import */
    int64_t import_max_rows;
    /* geocoding */
    const char *geocoder, *geocoder_url, *geocoder_email, *geocoder_language, *places_folder;
    int64_t geocoder_interval, geocoder_timeout, geocode_precision;
    /* history */
    int64_t history_compress_after, history_retention;
    /* metrics of processes without an API */
    int64_t metrics_port;
    const char *media_folder, *s3_url, *s3_bucket, *s3_region, *s3_key, *s3_secret;
    int64_t image_max_bytes;
    int64_t pipeline_refresh, pipeline_max_overdue, pipeline_max_inbox_age;
    /* judging */
    int64_t min_confidence, max_accuracy, max_speed, entry_slack, confirm_reports, dwell_period, silent_after,
        stuck_after;
    /* tasks */
    const char *task_result_format, *task_result_prefix;
    int64_t worker_threads, worker_stop, task_lease, task_message_grace, task_statement_timeout, task_reclaim,
        task_result_expire, task_retention;
    /* Apple side */
    const char *anisette_url, *http_proxy_url, *http_ca_file, *account_folder, *provider_profile;
    /* fetching */
    int64_t fetch_interval, fetch_cycle, fetch_keys_per_request, fetch_lease;
    const char *excluded_reports;
    bool record_answers;
    int64_t recording_retention;
};

enum config_type {
    CONFIG_TEXT,
    CONFIG_WORD,
    CONFIG_URL,
    CONFIG_INT,
    CONFIG_SIZE,
    CONFIG_DURATION,
    CONFIG_BOOL
};

struct setting {
    const char *name;
    const char *value;   /* default, in the form it is written in; "" for unset */
    const char *meaning; /* one or two sentences for operators */
    const char *section; /* heading in the documentation */
    const char *words;   /* WORD: accepted words, separated by a bar; URL: accepted schemes */
    size_t offset;       /* into struct config */
    int64_t min, max;    /* INT as is, SIZE bytes, DURATION microseconds; TEXT: length (max 0: 4096) */
    enum config_type type;
    bool secret; /* masked in print-outs; NAME_FILE is accepted */
};

extern const struct setting config_settings[];
extern const size_t config_settings_count;

/* Read all settings. env is a NULL-terminated array of NAME=VALUE. The first problem found is reported by
 * name and reason. */
MUST_CHECK struct config *config_load(char *const *env, struct error *err);
void config_free(struct config *config); /* wipes secrets; NULL is allowed */

enum config_format { CONFIG_FORMAT_TABLE, CONFIG_FORMAT_ENV, CONFIG_FORMAT_JSON, CONFIG_FORMAT_MARKDOWN };

/* What `trackerd config` prints: setting, value (secrets masked), source (default, environment, file),
 * meaning. */
void config_print(const struct config *config, enum config_format format, struct buf *out);

/* "default", "environment", "file" or "secret file" */
const char *config_source(const struct config *config, const struct setting *setting);

#endif
