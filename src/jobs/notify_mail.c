/* Words of notification mails, in English and German. */
#include "jobs/notify_mail.h"

#include <inttypes.h>
#include <string.h>

#include "base/buf.h"

/* Lines of one mail; of more, the rest is counted. */
#define MAX_LINES 100

/* Names are at most 200 characters, and a subject is one line. */
#define SUBJECT_BYTES 400

struct words {
    const char *language;
    const char *delivered, *left_delivery, *arrived_in_storage, *left_storage, *silent, *battery_low;
    const char *many;  /* subject of several */
    const char *more;  /* and %zu more */
    const char *where; /* where to read on */
};

static const struct words all_words[] = {
    { "en", "delivered", "left the delivery location", "arrived in storage", "left storage",
      "no report since then", "battery low", "%zu notifications", "... and %zu more.",
      "Notifications and the choice of what you are told: %s/notifications" },
    { "de", "ausgeliefert", "hat den Lieferort verlassen", "im Lager angekommen", "hat das Lager verlassen",
      "seitdem keine Meldung", "Batterie schwach", "%zu Benachrichtigungen", "... und %zu weitere.",
      "Benachrichtigungen und ihre Auswahl: %s/notifications" },
};

static const struct words *words_of(const char *language)
{
    for (size_t i = 0; i < ARRAY_LEN(all_words); i++)
        if (strncmp(all_words[i].language, language, 2) == 0)
            return &all_words[i];
    return &all_words[0];
}

static const char *phrase(const struct words *words, const char *kind)
{
    const struct {
        const char *kind, *phrase;
    } phrases[] = {
        { "delivered", words->delivered },
        { "left_delivery", words->left_delivery },
        { "arrived_in_storage", words->arrived_in_storage },
        { "left_storage", words->left_storage },
        { "silent", words->silent },
        { "battery_low", words->battery_low },
    };
    for (size_t i = 0; i < ARRAY_LEN(phrases); i++)
        if (strcmp(phrases[i].kind, kind) == 0)
            return phrases[i].phrase;
    return kind;
}

/* Names come from people: a control character in a subject would begin a new header. */
static char *one_line(struct arena *arena, const char *text, size_t most)
{
    size_t len = strlen(text);
    if (len > most) {
        len = most;
        while (len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80)
            len--; /* not in the middle of a character */
    }
    char *line = arena_strndup(arena, text, len);
    for (char *c = line; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7F)
            *c = ' ';
    return line;
}

static const char *sentence(struct arena *arena, const struct words *words, const struct notify_line *line)
{
    return arena_printf(arena, "%s: %s%s%s", line->tracker, phrase(words, line->kind),
                        line->place != NULL ? ", " : "", line->place != NULL ? line->place : "");
}

static const char *subject_of(struct arena *arena, const struct words *words, const struct notify_mail *mail)
{
    if (mail->count == 1)
        return one_line(arena, sentence(arena, words, &mail->lines[0]), SUBJECT_BYTES);
    return arena_printf(arena, words->many, mail->count);
}

static const char *body_of(struct arena *arena, const struct words *words, const struct notify_mail *mail,
                           const char *public_url)
{
    struct buf text = { 0 };
    for (size_t i = 0; i < mail->count && i < MAX_LINES; i++)
        buf_printf(&text, "%s UTC  %s\n", mail->lines[i].when,
                   one_line(arena, sentence(arena, words, &mail->lines[i]), SIZE_MAX));
    if (mail->count > MAX_LINES) {
        buf_printf(&text, words->more, mail->count - MAX_LINES);
        buf_putc(&text, '\n');
    }
    buf_putc(&text, '\n');
    buf_printf(&text, words->where, public_url);
    buf_putc(&text, '\n');
    const char *body = arena_strdup(arena, buf_text(&text));
    buf_free(&text);
    return body;
}

bool notify_mail_write(struct db *db, struct arena *arena, const struct config *config,
                       const struct notify_mail *mail, struct error *err)
{
    const struct words *words = words_of(mail->language);
    int64_t first = mail->lines[0].notification_id;
    /* One that stands for a single notification is cancelled with it. */
    struct rows *rows = db_query(
        db,
        "INSERT INTO deliveries (client_id, channel, notification_id, recipient, subject, body, dedupe_key)"
        " VALUES ($1, 'mail', $2, $3, $4, $5, $6) ON CONFLICT (dedupe_key) DO NOTHING",
        "iIssss", mail->client_id, mail->count == 1 ? &first : NULL, mail->to, subject_of(arena, words, mail),
        body_of(arena, words, mail, config->public_url), arena_printf(arena, "notification:%" PRId64, first));
    return rows_ok(rows) || error_set(err, "database_error", "%s", rows_message(rows));
}
