/* Sending mails: through SMTP with libcurl, or into a folder; by a thread of their own. */
#include "auth/mail.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/encode.h"
#include "base/log.h"
#include "base/timeutil.h"

#define MAX_WAITING  1000 /* mails in memory; more are refused */
#define MAX_ATTEMPTS 4
#define STOP_SECONDS 5 /* for mails that wait when the process stops */
#define SMTP_TIMEOUT 30L

static const int64_t retry_after[MAX_ATTEMPTS] = { 0, SECONDS(5), SECONDS(60), SECONDS(300) };

struct waiting {
    struct waiting *next;
    struct mail mail; /* texts owned */
    int attempts;
    int64_t not_before; /* monotonic */
};

struct mailer {
    const struct config *config;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    bool started, stopping;
    _Atomic int64_t
        stop_at; /* monotonic; 0 until the process stops. Also read during a delivery, without the lock */
    struct waiting *first;
    size_t count;
};

/* ---- delivery ---- */

static bool make_folders(const char *folder, struct error *err)
{
    char path[4096];
    size_t len = strlen(folder);
    if (len >= sizeof(path))
        return error_set(err, "mail_folder", "MAIL_FOLDER is too long");
    memcpy(path, folder, len + 1);
    for (size_t i = 1; i <= len; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        char kept = path[i];
        path[i] = '\0';
        if (mkdir(path, 0700) != 0 && errno != EEXIST)
            return error_set(err, "mail_folder", "cannot make the folder %s: %s", path, strerror(errno));
        path[i] = kept;
    }
    return true;
}

static bool write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

/* Under its final name only when it is complete: somebody may watch the folder. */
static bool write_to_folder(const struct config *config, const struct mail *mail, const struct buf *message,
                            struct error *err)
{
    uint8_t random[6];
    char id[HEX_SIZE(sizeof(random))], path[4096], part[4096 + 8];
    if (!make_folders(config->mail_folder, err))
        return false;
    randombytes_buf(random, sizeof(random));
    hex_encode(random, sizeof(random), id);
    snprintf(path, sizeof(path), "%s/%lld-%s.eml", config->mail_folder, (long long)time_now(), id);
    snprintf(part, sizeof(part), "%s.part", path);
    int fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_set(err, "mail_folder", "cannot write to MAIL_FOLDER: %s", strerror(errno));
    bool written = write_all(fd, message->data, message->len);
    written = close(fd) == 0 && written;
    if (!written || rename(part, path) != 0) {
        unlink(part);
        return error_set(err, "mail_folder", "cannot write to MAIL_FOLDER: %s", strerror(errno));
    }
    LOG_INFO("mail written to a file because SMTP_URL is not set", LOG_TEXT("to", mail->to),
             LOG_TEXT("file", path));
    return true;
}

struct upload {
    const char *data;
    size_t left;
    const _Atomic int64_t *stop_at; /* give up when it has passed; NULL: never */
};

/* curl calls this at least once a second, also while it waits for a server that says nothing. */
static int give_up(void *user, curl_off_t down_all, curl_off_t down, curl_off_t up_all, curl_off_t up)
{
    const struct upload *upload = user;
    (void)down_all, (void)down, (void)up_all, (void)up;
    int64_t stop_at = upload->stop_at != NULL ? *upload->stop_at : 0;
    return stop_at != 0 && time_monotonic() >= stop_at;
}

static size_t read_message(char *to, size_t size, size_t n, void *user)
{
    struct upload *upload = user;
    size_t len = size * n < upload->left ? size * n : upload->left;
    memcpy(to, upload->data, len);
    upload->data += len;
    upload->left -= len;
    return len;
}

static void set_options(CURL *curl, const struct config *config, struct upload *upload, const char *sender,
                        struct curl_slist *to, char *reason)
{
    bool login = config->smtp_user[0] != '\0';
    curl_easy_setopt(curl, CURLOPT_URL, config->smtp_url);
    curl_easy_setopt(curl, CURLOPT_MAIL_FROM, sender);
    curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, to);
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, read_message);
    curl_easy_setopt(curl, CURLOPT_READDATA, upload);
    curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, give_up);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, upload);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, SMTP_TIMEOUT);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
    /* A password never goes over the wire in the clear. */
    curl_easy_setopt(curl, CURLOPT_USE_SSL, (long)(login ? CURLUSESSL_ALL : CURLUSESSL_TRY));
    if (login) {
        curl_easy_setopt(curl, CURLOPT_USERNAME, config->smtp_user);
        curl_easy_setopt(curl, CURLOPT_PASSWORD, config->smtp_password);
    }
}

static bool send_by_smtp(const struct config *config, const struct mail *mail, const struct buf *message,
                         const _Atomic int64_t *stop_at, struct error *err)
{
    char name[MAIL_ADDRESS_SIZE], sender[MAIL_ADDRESS_SIZE], reason[CURL_ERROR_SIZE] = "";
    if (!mail_parse_from(config->mail_from, name, sender))
        return error_set(err, "mail_from_invalid", "MAIL_FROM must be an address or NAME <ADDRESS>");
    CURL *curl = curl_easy_init();
    struct curl_slist *to = curl_slist_append(NULL, mail->to);
    struct upload upload = { .data = message->data, .left = message->len, .stop_at = stop_at };
    if (curl == NULL || to == NULL)
        abort();
    set_options(curl, config, &upload, sender, to, reason);
    CURLcode code = curl_easy_perform(curl);
    long answer = 0; /* the server's last reply */
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer);
    curl_slist_free_all(to);
    curl_easy_cleanup(curl);
    if (code != CURLE_OK)
        return error_set(err, "mail_not_sent", "the mail server did not take the mail: %s (%ld)",
                         reason[0] != '\0' ? reason : curl_easy_strerror(code), answer);
    LOG_INFO("mail sent", LOG_TEXT("to", mail->to));
    return true;
}

static bool deliver(const struct config *config, const struct mail *mail, const _Atomic int64_t *stop_at,
                    struct error *err)
{
    struct buf message = { .secret = true }; /* it may hold a link that sets a password */
    bool smtp = config->smtp_url[0] != '\0';
    bool done = mail_compose(config->mail_from, mail, !smtp, &message, err) &&
                (smtp ? send_by_smtp(config, mail, &message, stop_at, err)
                      : write_to_folder(config, mail, &message, err));
    buf_wipe(&message);
    return done;
}

bool mailer_deliver(const struct config *config, const struct mail *mail, struct error *err)
{
    return deliver(config, mail, NULL, err);
}

/* ---- the thread ---- */

static void free_waiting(struct waiting *waiting)
{
    wipe((char *)waiting->mail.body, strlen(waiting->mail.body));
    free((char *)waiting->mail.to);
    free((char *)waiting->mail.subject);
    free((char *)waiting->mail.body);
    free(waiting);
}

/* The first that may be sent now, taken off the list; NULL: *until is when to look again. */
static struct waiting *take_due(struct mailer *mailer, int64_t now, int64_t *until)
{
    *until = INT64_MAX;
    for (struct waiting **at = &mailer->first; *at != NULL; at = &(*at)->next) {
        struct waiting *waiting = *at;
        if (waiting->not_before <= now || mailer->stopping) {
            *at = waiting->next;
            mailer->count--;
            return waiting;
        }
        if (waiting->not_before < *until)
            *until = waiting->not_before;
    }
    return NULL;
}

static void append(struct mailer *mailer, struct waiting *waiting)
{
    struct waiting **at = &mailer->first;
    while (*at != NULL)
        at = &(*at)->next;
    waiting->next = NULL;
    *at = waiting;
    mailer->count++;
}

static void wait_until(struct mailer *mailer, int64_t until)
{
    if (until == INT64_MAX) {
        pthread_cond_wait(&mailer->wake, &mailer->lock);
        return;
    }
    struct timespec ts = { .tv_sec = until / USEC_PER_SEC, .tv_nsec = until % USEC_PER_SEC * 1000 };
    pthread_cond_timedwait(&mailer->wake, &mailer->lock, &ts);
}

/* Called with the lock held, which is released during the delivery. */
static void attempt(struct mailer *mailer, struct waiting *waiting)
{
    struct error err;
    pthread_mutex_unlock(&mailer->lock);
    bool sent = deliver(mailer->config, &waiting->mail, &mailer->stop_at, &err);
    pthread_mutex_lock(&mailer->lock);
    waiting->attempts++;
    if (!sent && waiting->attempts < MAX_ATTEMPTS && !mailer->stopping) {
        LOG_WARN("mail not sent, will be tried again", LOG_TEXT("to", waiting->mail.to),
                 LOG_TEXT("error", err.message));
        waiting->not_before = time_monotonic() + retry_after[waiting->attempts];
        append(mailer, waiting);
        return;
    }
    if (!sent)
        LOG_ERROR("mail not sent", LOG_TEXT("to", waiting->mail.to), LOG_TEXT("error", err.message));
    free_waiting(waiting);
}

static void *run(void *user)
{
    struct mailer *mailer = user;
    pthread_mutex_lock(&mailer->lock);
    for (;;) {
        int64_t until, now = time_monotonic();
        if (mailer->stopping && now >= mailer->stop_at)
            break;
        struct waiting *waiting = take_due(mailer, now, &until);
        if (waiting != NULL)
            attempt(mailer, waiting);
        else if (mailer->stopping)
            break;
        else
            wait_until(mailer, until);
    }
    pthread_mutex_unlock(&mailer->lock);
    return NULL;
}

struct mailer *mailer_new(const struct config *config)
{
    struct mailer *mailer = calloc(1, sizeof(*mailer));
    if (mailer == NULL)
        abort();
    mailer->config = config;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&mailer->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&mailer->lock, NULL);
    return mailer;
}

void mailer_free(struct mailer *mailer)
{
    if (mailer == NULL)
        return;
    pthread_mutex_lock(&mailer->lock);
    mailer->stop_at = time_monotonic() + SECONDS(STOP_SECONDS);
    mailer->stopping = true;
    bool started = mailer->started;
    pthread_cond_signal(&mailer->wake);
    pthread_mutex_unlock(&mailer->lock);
    if (started)
        pthread_join(mailer->thread, NULL);
    while (mailer->first != NULL) {
        struct waiting *waiting = mailer->first;
        mailer->first = waiting->next;
        LOG_ERROR("mail not sent", LOG_TEXT("to", waiting->mail.to), LOG_TEXT("error", "the process stops"));
        free_waiting(waiting);
    }
    pthread_cond_destroy(&mailer->wake);
    pthread_mutex_destroy(&mailer->lock);
    free(mailer);
}

static char *must_strdup(const char *text)
{
    char *copy = strdup(text);
    if (copy == NULL)
        abort();
    return copy;
}

bool mailer_send(struct mailer *mailer, const struct mail *mail, struct error *err)
{
    /* What cannot be composed is the caller's mistake and told at once. */
    struct buf probe = { .secret = true };
    bool composed = mail_compose(mailer->config->mail_from, mail, false, &probe, err);
    buf_wipe(&probe);
    if (!composed)
        return false;

    pthread_mutex_lock(&mailer->lock);
    bool room = mailer->count < MAX_WAITING;
    if (room && !mailer->started)
        room = mailer->started = pthread_create(&mailer->thread, NULL, run, mailer) == 0;
    if (room) {
        struct waiting *waiting = calloc(1, sizeof(*waiting));
        if (waiting == NULL)
            abort();
        waiting->mail = (struct mail){ must_strdup(mail->to), must_strdup(mail->subject),
                                       must_strdup(mail->body) };
        append(mailer, waiting);
        pthread_cond_signal(&mailer->wake);
    }
    pthread_mutex_unlock(&mailer->lock);
    return room || error_set(err, "mail_queue_full", "too many mails are waiting to be sent");
}
