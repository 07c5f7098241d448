/* The table of all settings. A new one is a row here and a member of struct config. */
#include "base/config.h"

#include "base/timeutil.h"

#define AT(member) offsetof(struct config, member)

/* clang-format off */
#define ROW(n, kind, m, d, s, why) .name = (n), .type = (kind), .offset = AT(m), .value = (d), .section = (s), .meaning = (why)

#define TEXT(n, m, d, s, why, ...)    { ROW(n, CONFIG_TEXT, m, d, s, why), ##__VA_ARGS__ }
#define WORD(n, m, d, w, s, why)      { ROW(n, CONFIG_WORD, m, d, s, why), .words = (w) }
#define URL(n, m, d, w, s, why, ...)  { ROW(n, CONFIG_URL, m, d, s, why), .words = (w), ##__VA_ARGS__ }
#define INT(n, m, d, lo, hi, s, why)  { ROW(n, CONFIG_INT, m, d, s, why), .min = (lo), .max = (hi) }
#define SIZE(n, m, d, lo, hi, s, why) { ROW(n, CONFIG_SIZE, m, d, s, why), .min = (lo), .max = (hi) }
#define SPAN(n, m, d, lo, hi, s, why) { ROW(n, CONFIG_DURATION, m, d, s, why), .min = (lo), .max = (hi) }
#define BOOL(n, m, d, s, why)         { ROW(n, CONFIG_BOOL, m, d, s, why) }

#define KIB INT64_C(1024)
#define MIB (1024 * KIB)

const struct setting config_settings[] = {
    WORD("ENVIRONMENT", environment, "development", "development|test|production", "General",
         "Where the process runs. In production weak or missing secrets stop the start."),
    WORD("LOG_LEVEL", log_level, "info", "debug|info|warn|error", "General",
         "Least important log lines that are written."),
    URL("PUBLIC_URL", public_url, "http://localhost:8100", "http|https", "General",
        "Address under which users reach the system; used in mails and links."),

    URL("DATABASE_URL", database_url, "", "postgresql|postgres", "Database",
        "Connection to PostgreSQL. The API needs a login that is a member of tracker_api, workers one of tracker_worker, `trackerd migrate` the owner.",
        .secret = true),
    URL("DATABASE_REPLICA_URL", database_replica_url, "", "postgresql|postgres", "Database",
        "Read replica for reads that need not see the caller's own write; unset: everything goes to DATABASE_URL.", .secret = true),
    SPAN("DATABASE_REPLICA_MAX_LAG", database_replica_max_lag, "10s", SECONDS(1), HOURS(1), "Database",
         "A replica further behind than this is not read from."),
    WORD("DATABASE_POOLER", database_pooler, "none", "none|transaction", "Database",
         "`transaction` when DATABASE_URL leads to PgBouncer in transaction mode: no prepared statements, no session settings."),
    SPAN("DATABASE_STATEMENT_TIMEOUT", database_statement_timeout, "15s", 100 * 1000, HOURS(1), "Database",
         "Longest time one statement of the API may take."),
    SPAN("DATABASE_CONNECT_TIMEOUT", database_connect_timeout, "5s", SECONDS(1), MINUTES(1), "Database",
         "Longest time for opening a connection."),

    URL("REDIS_URL", redis_url, "", "redis|rediss|unix", "Redis",
        "Redis, Valkey or Dragonfly: redis://[user:password@]host:port/database or unix:///path?db=0. Unset: no cache, sessions from PostgreSQL only.",
        .secret = true),
    SPAN("REDIS_TIMEOUT", redis_timeout, "500ms", 10 * 1000, SECONDS(30), "Redis",
         "Longest time one command may take before the cache is passed over."),

    TEXT("HTTP_ADDRESS", http_address, "127.0.0.1", "HTTP", "Address the API listens on; 0.0.0.0 or :: for all."),
    INT("HTTP_PORT", http_port, "8100", 1, 65535, "HTTP", "Port of the API (8000 in production, 8100 in development)."),
    INT("HTTP_THREADS", http_threads, "2", 1, 64, "HTTP", "Threads that parse requests and send answers."),
    INT("HTTP_HANDLERS", http_handlers, "8", 1, 256, "HTTP",
        "Threads that run handlers; each has its own database and Redis connection."),
    INT("HTTP_QUEUE", http_queue, "256", 1, 65536, "HTTP",
        "Requests that may wait for a handler; beyond that the answer is 503 with Retry-After."),
    INT("HTTP_MAX_CONNECTIONS", http_max_connections, "10000", 10, 1000000, "HTTP", "Open connections."),
    INT("HTTP_IP_CONNECTIONS", http_ip_connections, "0", 0, 1000000, "HTTP",
        "Open connections from one address; 0 for no limit (behind a proxy)."),
    SIZE("HTTP_MAX_HEADER", http_max_header, "16K", 4 * KIB, MIB, "HTTP", "Size of a request's line and headers."),
    SIZE("HTTP_MAX_BODY", http_max_body, "1M", KIB, 64 * MIB, "HTTP", "Size of a request's body, imports and uploads apart."),
    SIZE("HTTP_MAX_UPLOAD", http_max_upload, "64M", KIB, 1024 * MIB, "HTTP", "Size of an imported or uploaded file."),
    SPAN("HTTP_IDLE_TIMEOUT", http_idle_timeout, "75s", SECONDS(1), HOURS(1), "HTTP", "Idle keep-alive connections are closed after this."),
    SPAN("HTTP_REQUEST_TIMEOUT", http_request_timeout, "30s", SECONDS(1), HOURS(1), "HTTP",
         "A request must have arrived whole within this time; slow senders are cut off."),
    SPAN("HTTP_SLOW_REQUEST", http_slow_request, "500ms", 1000, HOURS(1), "HTTP",
         "Slower requests are logged with their queries."),
    SPAN("HTTP_SHUTDOWN_TIMEOUT", http_shutdown_timeout, "25s", SECONDS(1), MINUTES(10), "HTTP",
         "Time for accepted requests to finish when the process is asked to stop."),
    TEXT("DOCS_FOLDER", docs_folder, "var/share/swagger-ui", "HTTP", "Folder with the files of Swagger UI, shown at /docs."),
    TEXT("CORS_ORIGINS", cors_origins, "", "HTTP", "Origins that may call the API from a browser, separated by commas."),
    TEXT("TRUSTED_PROXIES", trusted_proxies, "127.0.0.1,::1", "HTTP",
         "Addresses or networks (CIDR) whose X-Forwarded-For is believed, separated by commas."),

    TEXT("JWT_SECRET", jwt_secret, "", "Sign-in", "Key of access tokens, 32 characters or more. Several, separated by commas: the first signs, all verify.",
         .secret = true),
    TEXT("JWT_ISSUER", jwt_issuer, "tracker-api", "Sign-in", "Issuer in access tokens."),
    TEXT("JWT_AUDIENCE", jwt_audience, "tracker-clients", "Sign-in", "Audience in access tokens."),
    INT("ACCESS_TOKEN_EXPIRE_MINUTES", access_token_minutes, "15", 1, 1440, "Sign-in", "Life of an access token."),
    INT("REFRESH_TOKEN_EXPIRE_DAYS", refresh_token_days, "7", 1, 365, "Sign-in", "Life of a session without use."),
    TEXT("COOKIE_NAME", cookie_name, "tracker_refresh", "Sign-in", "Name of the refresh cookie.", .min = 1, .max = 64),
    BOOL("COOKIE_SECURE", cookie_secure, "true", "Sign-in", "Send the refresh cookie over HTTPS only (browsers make an exception for localhost)."),
    SIZE("PASSWORD_MEMORY", password_memory, "64M", 8 * MIB, 1024 * MIB, "Sign-in", "Memory that hashing one password takes (Argon2id)."),
    INT("PASSWORD_RESET_MINUTES", password_reset_minutes, "60", 5, 1440, "Sign-in", "Life of a link for setting a new password."),
    INT("LOGIN_ATTEMPTS", login_attempts, "10", 1, 1000, "Sign-in", "Failed sign-ins per account, and ten times as many per address, within LOGIN_WINDOW."),
    SPAN("LOGIN_WINDOW", login_window, "15m", SECONDS(1), DAYS(1), "Sign-in", "See LOGIN_ATTEMPTS."),

    INT("RATE_LIMIT", rate_limit, "1200", 0, 10000000, "Limits", "Requests per session or API key within RATE_LIMIT_WINDOW; 0 for no limit."),
    INT("RATE_LIMIT_ANONYMOUS", rate_limit_anonymous, "300", 0, 10000000, "Limits", "The same per address for requests without a login."),
    SPAN("RATE_LIMIT_WINDOW", rate_limit_window, "1m", SECONDS(1), HOURS(1), "Limits", "See RATE_LIMIT."),
    INT("IMPORT_MAX_ROWS", import_max_rows, "100000", 1, 10000000, "Limits", "Rows of one imported file."),

    TEXT("MASTER_KEY", master_key, "", "Secrets", "Seals private keys and credentials at rest: 32 random bytes in base64 (openssl rand -base64 32). Several, separated by commas: the first seals, all open.",
         .secret = true),

    URL("SMTP_URL", smtp_url, "", "smtp|smtps", "Mail", "Mail server, smtp://host:587 or smtps://host:465. Unset: mails are written to MAIL_FOLDER."),
    TEXT("SMTP_USER", smtp_user, "", "Mail", "Login at the mail server."),
    TEXT("SMTP_PASSWORD", smtp_password, "", "Mail", "Password at the mail server.", .secret = true),
    TEXT("MAIL_FROM", mail_from, "Tracker System <tracker@localhost>", "Mail", "Sender of mails."),
    TEXT("MAIL_FOLDER", mail_folder, "var/mail", "Mail", "Folder for mails when SMTP_URL is unset."),

    WORD("GEOCODER", geocoder, "offline", "offline|nominatim|photon|none", "Geocoding",
         "Who names positions and finds addresses: offline knows towns (GeoNames, loaded with `trackerd places load`), the others also streets."),
    URL("GEOCODER_URL", geocoder_url, "", "http|https", "Geocoding",
        "Address of the Nominatim or Photon server; unset: the public one, whose usage policy then counts.", .secret = true),
    TEXT("GEOCODER_EMAIL", geocoder_email, "", "Geocoding",
         "Address at which the operators of a public server reach you; sent with each request. Set it when you use one.", .max = 254),
    TEXT("GEOCODER_LANGUAGE", geocoder_language, "en", "Geocoding", "Language of the names that Nominatim and Photon give, e.g. en or de.",
         .min = 2, .max = 35),
    SPAN("GEOCODER_INTERVAL", geocoder_interval, "1s", 0, HOURS(1), "Geocoding",
         "Least time between two requests to one server, over all processes. Public servers allow one a second."),
    SPAN("GEOCODER_TIMEOUT", geocoder_timeout, "5s", 100 * 1000, MINUTES(1), "Geocoding",
         "Longest time for one request to a geocoder."),
    INT("GEOCODE_PRECISION", geocode_precision, "2", 0, 5, "Geocoding",
        "Decimal places to which positions are rounded before their place is looked up, once for all in a cell: 2 is about 1 km, 3 about 100 m. Applied by geocode workers."),
    TEXT("PLACES_FOLDER", places_folder, "var/share/geonames", "Geocoding", "Folder with GeoNames files, for `trackerd places load --default`."),

    SPAN("HISTORY_COMPRESS_AFTER", history_compress_after, "30d", DAYS(8), DAYS(3650), "History",
         "Reports older than this are compressed where TimescaleDB is used."),
    SPAN("HISTORY_RETENTION", history_retention, "0", 0, DAYS(36500), "History",
         "Reports older than this are deleted, by whole months; their hourly and daily summaries stay. 0 keeps all; less than 60d counts as 60d."),

    TEXT("MEDIA_FOLDER", media_folder, "var/media", "Media", "Folder for images while S3_BUCKET is unset. Several API processes share it."),
    TEXT("S3_BUCKET", s3_bucket, "", "Media", "Bucket for images, in place of MEDIA_FOLDER."),
    URL("S3_URL", s3_url, "", "http|https", "Media", "Address of the object store, as in https://s3.eu-central-1.amazonaws.com; buckets are named in the path."),
    TEXT("S3_REGION", s3_region, "us-east-1", "Media", "Region that requests are signed for."),
    TEXT("S3_ACCESS_KEY", s3_key, "", "Media", "Access key of the object store."),
    TEXT("S3_SECRET_KEY", s3_secret, "", "Media", "Secret key of the object store.", .secret = true),
    SIZE("IMAGE_MAX_BYTES", image_max_bytes, "20M", 64 * KIB, 256 * MIB, "Media", "Size of an uploaded image; HTTP_MAX_UPLOAD bounds it too."),

    INT("METRICS_PORT", metrics_port, "0", 0, 65535, "Monitoring", "Port for /metrics and /health of workers and schedulers; 0 for none."),
    SPAN("PIPELINE_REFRESH", pipeline_refresh, "5s", 100 * 1000, MINUTES(5), "Monitoring",
         "Figures of the pipeline may be this old, so that many probes cost the database one statement."),
    SPAN("PIPELINE_MAX_OVERDUE", pipeline_max_overdue, "24h", MINUTES(1), DAYS(30), "Monitoring",
         "A tracker that is due for longer makes /health/pipeline answer 503. Every tracker is fetched within FETCH_CYCLE, so this is more than that."),
    SPAN("PIPELINE_MAX_INBOX_AGE", pipeline_max_inbox_age, "15m", SECONDS(10), DAYS(30), "Monitoring",
         "A stored report that is not judged for longer makes /health/pipeline answer 503."),

    INT("MIN_CONFIDENCE", min_confidence, "2", 0, 255, "Judging", "Reports of a lower confidence are shown and not judged."),
    INT("MAX_ACCURACY_M", max_accuracy, "200", 1, 100000, "Judging",
        "Reports that may be off by more metres are shown and not judged. Apple's reports say at most 255."),
    INT("MAX_SPEED_KMH", max_speed, "1200", 50, 10000, "Judging",
        "A report that could be reached and left only faster than this is a jump: shown and not judged."),
    INT("ENTRY_SLACK_M", entry_slack, "100", 0, 1000, "Judging",
        "A report this many metres outside a place still counts as inside when its accuracy allows for it."),
    INT("CONFIRM_REPORTS", confirm_reports, "1", 1, 20, "Judging",
        "Judged reports in a row that must name a new place before it counts; a production run may set its own."),
    SPAN("DWELL_PERIOD", dwell_period, "24h", HOURS(1), DAYS(365), "Judging", "A tracker that stays in a place tells so once in this time."),
    SPAN("SILENT_AFTER", silent_after, "7d", HOURS(1), DAYS(365), "Judging",
         "A tracker of a run in progress that has not reported for this long is an exception."),
    SPAN("STUCK_AFTER", stuck_after, "4d", DAYS(1), DAYS(30), "Judging",
         "A tracker in transit that has not moved for this long is an exception; whole days."),

    SPAN("NOTIFY_MAX_AGE", notify_max_age, "30d", HOURS(1), DAYS(3660), "Notifications",
         "Facts that are older when they are found (imported reports, history judged again) are recorded and told to nobody."),
    SPAN("NOTIFICATION_RETENTION", notification_retention, "180d", DAYS(1), DAYS(3660), "Notifications", "Notifications are kept for this long."),

    INT("WORKER_THREADS", worker_threads, "4", 1, 256, "Tasks", "Threads of one worker process; each has its own database and Redis connection."),
    SPAN("WORKER_STOP", worker_stop, "25s", SECONDS(1), HOURS(1), "Tasks",
         "Time for what runs to end, or to be handed back, when a worker is asked to stop; then it is cut off."),
    SPAN("TASK_LEASE", task_lease, "60s", SECONDS(2), HOURS(1), "Tasks",
         "A task whose worker has not been heard of for this long is given to another one."),
    SPAN("TASK_MESSAGE_GRACE", task_message_grace, "10s", SECONDS(1), HOURS(1), "Tasks",
         "A task whose message went to Redis is taken without it after this time, unless the message is still there."),
    SPAN("TASK_RECLAIM", task_reclaim, "10m", SECONDS(1), DAYS(1), "Tasks",
         "Messages that a consumer took and never acknowledged are taken over after this time; as in TaskiQ's own workers (idle_timeout)."),
    SPAN("TASK_STATEMENT_TIMEOUT", task_statement_timeout, "10m", SECONDS(1), DAYS(1), "Tasks",
         "Longest time one statement of a worker may take."),
    WORD("TASK_RESULT_FORMAT", task_result_format, "pickle", "pickle|json", "Tasks",
         "How results, progress and TaskiQ's schedules are encoded in Redis; TaskiQ's default is pickle, its JSONSerializer reads json."),
    SPAN("TASK_RESULT_EXPIRE", task_result_expire, "1d", MINUTES(1), DAYS(366), "Tasks", "Results are kept in Redis for this long."),
    TEXT("TASK_RESULT_PREFIX", task_result_prefix, "", "Tasks", "Put before the task id to make the key of a result; TaskiQ's prefix_str with its colon."),
    SPAN("TASK_RETENTION", task_retention, "30d", HOURS(1), DAYS(3660), "Tasks", "Finished tasks are listed for this long."),

    TEXT("ANISETTE_URL", anisette_url, "http://localhost:6969", "Apple", "Anisette servers, http:// or https://, in order of preference, separated by commas."),
    TEXT("OUTGOING_PROXY", http_proxy_url, "", "Apple", "Proxy for requests to Apple, Anisette and geocoders: http://, https:// or socks5://.", .secret = true),
    TEXT("OUTGOING_CA_FILE", http_ca_file, "", "Apple", "PEM file with further certificate authorities for outgoing requests (gsa.apple.com chains to Apple's own root)."),
    TEXT("ACCOUNT_FOLDER", account_folder, "var/accounts", "Apple", "Folder where `trackerd account` keeps sealed account states when no database is used."),
    SPAN("FETCH_INTERVAL", fetch_interval, "15m", SECONDS(1), DAYS(1), "Apple",
         "Least time between two requests for reports by one Apple account, kept over all workers. Accounts that asked more often than every 15 minutes were blocked."),
    SPAN("FETCH_CYCLE", fetch_cycle, "12h", SECONDS(1), DAYS(7), "Apple",
         "Every tracker of a run in progress is to be asked for at least this often; a tracker that is not counts as overdue in metrics and /health/pipeline."),
    INT("FETCH_KEYS_PER_REQUEST", fetch_keys_per_request, "256", 16, 2000, "Apple",
        "Key ids in one request; the provider profile's ids_per_request is an upper bound."),
    SPAN("FETCH_LEASE", fetch_lease, "5m", SECONDS(1), HOURS(1), "Apple",
         "A worker that has not come back after this is taken for dead, and its trackers and account are free again."),
    WORD("EXCLUDED_REPORTS", excluded_reports, "keep", "keep|drop", "Apple",
         "Reports inside an exclusion area: `keep` stores them with a flag, for admins only; `drop` only counts them."),
    BOOL("RECORD_ANSWERS", record_answers, "false", "Apple", "Workers keep Apple's answers, sealed, for `trackerd report recordings`: at most 500, for RECORDING_RETENTION."),
    SPAN("RECORDING_RETENTION", recording_retention, "7d", HOURS(1), DAYS(90), "Apple", "Recorded answers are deleted after this long."),
    TEXT("PROVIDER_PROFILE", provider_profile, "", "Apple", "File with a provider profile (JSON) that replaces the built-in one."),
};
/* clang-format on */

const size_t config_settings_count = ARRAY_LEN(config_settings);
