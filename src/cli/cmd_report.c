/* trackerd report: decrypts location reports. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/encode.h"
#include "base/json.h"
#include "cli/cli.h"
#include "findmy/batch.h"
#include "findmy/keys.h"
#include "findmy/report.h"

/* Input is taken as it comes, in pieces of up to this size, so that a program that writes line by line gets
 * its answers line by line. A longer line is no report. */
#define INPUT_SIZE (256 * 1024)

/* Reports decrypted at once: a tenth of a second of work for two cores. */
#define LINES_AT_ONCE 4096

struct decrypt {
    struct batch *batch;
    uint8_t private_key[FINDMY_PRIVATE_SIZE];
    struct report_counts counts;
    struct buf out;
    size_t n; /* lines that wait in items */
    struct batch_item items[LINES_AT_ONCE];
    uint8_t payloads[LINES_AT_ONCE][REPORT_LONG];
};

static void print_report(struct buf *out, const struct batch_item *item)
{
    struct json json;
    json_begin(&json, out);
    json_start_object(&json);
    if (item->result == REPORT_OK) {
        const struct report *report = &item->report;
        json_put_time(&json, "timestamp", report->time);
        json_put_double(&json, "latitude", report->lat_e7 / 1e7);
        json_put_double(&json, "longitude", report->lon_e7 / 1e7);
        json_put_int(&json, "horizontal_accuracy", report->accuracy);
        json_put_int(&json, "confidence", report->confidence);
        json_put_int(&json, "status", report->status);
        json_put_text(&json, "battery", battery_name(report_battery(report->status)));
    } else {
        json_put_text(&json, "error", report_result_name(item->result));
    }
    json_end_object(&json);
    buf_putc(out, '\n');
}

/* Decrypt and print the waiting lines. */
static void finish_lines(struct decrypt *d)
{
    batch_run(d->batch, d->items, d->n, &d->counts);
    for (size_t i = 0; i < d->n; i++)
        print_report(&d->out, &d->items[i]);
    d->n = 0;
    fwrite(buf_text(&d->out), 1, d->out.len, stdout);
    fflush(stdout);
    buf_clear(&d->out);
}

static void take_line(struct decrypt *d, const char *line, size_t len)
{
    while (len > 0 && strchr(" \t\r", line[len - 1]) != NULL)
        len--;
    size_t size = 0; /* stays 0 for a wrong length */
    enum report_result result = report_decode(line, len, d->payloads[d->n], &size);
    d->items[d->n] = (struct batch_item){
        .payload = result == REPORT_ENCODING ? NULL : d->payloads[d->n],
        .len = size,
        .private_key = d->private_key,
    };
    if (++d->n == LINES_AT_ONCE)
        finish_lines(d);
}

/* Take the full lines of a piece of input; returns the bytes used. */
static size_t take_lines(struct decrypt *d, const char *data, size_t len)
{
    size_t used = 0;
    const char *end;
    while ((end = memchr(data + used, '\n', len - used)) != NULL) {
        take_line(d, data + used, (size_t)(end - data) - used);
        used = (size_t)(end - data) + 1;
    }
    return used;
}

/* Decrypt everything that fd gives; false with errno set when reading fails. */
static bool decrypt_input(struct decrypt *d, int fd)
{
    static char data[INPUT_SIZE];
    size_t len = 0;
    bool rest_of_long_line = false;
    for (;;) {
        ssize_t got = read(fd, data + len, sizeof(data) - len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return false;
        if (got == 0)
            break;
        len += (size_t)got;
        size_t start = 0;
        if (rest_of_long_line) {
            const char *end = memchr(data, '\n', len);
            start = end == NULL ? len : (size_t)(end - data) + 1;
            rest_of_long_line = end == NULL;
        }
        start += take_lines(d, data + start, len - start);
        if (start == 0 && len == sizeof(data)) { /* one answer for the line, then nothing until it ends */
            take_line(d, data, len);
            rest_of_long_line = true;
            start = len;
        }
        finish_lines(d);
        len -= start;
        memmove(data, data + start, len);
    }
    if (len > 0)
        take_line(d, data, len);
    finish_lines(d);
    return true;
}

static int decrypt_file(const char *command, const char *path, struct decrypt *d)
{
    bool is_stdin = strcmp(path, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return cli_usage(command, "cannot open %s: %s", path, strerror(errno));
    bool done = decrypt_input(d, fd);
    int status = report_failures(&d->counts) == 0 ? EXIT_OK : EXIT_FAILED;
    if (!done)
        status = cli_usage(command, "cannot read %s: %s", path, strerror(errno));
    if (!is_stdin)
        close(fd);
    return status;
}

static int run_decrypt(int argc, char **argv, const struct config *config)
{
    (void)config;
    const char *key_text = NULL;
    const struct cli_option options[] = { { "--private-key", false, &key_text } };
    int positional;
    struct error err;
    if (!cli_options(argc, argv, options, ARRAY_LEN(options), &positional))
        return EXIT_USAGE;
    if (positional > 1)
        return cli_usage(argv[0], "only one FILE is taken");
    if (key_text == NULL)
        return cli_usage(argv[0], "--private-key is missing");

    struct arena *arena = arena_new();
    struct decrypt *d = arena_secret(arena, sizeof(*d));
    int status;
    bool parsed = findmy_private_parse(key_text, strlen(key_text), d->private_key, &err);
    wipe((char *)(uintptr_t)key_text, strlen(key_text)); /* other users of the machine see arguments */
    if (!parsed)
        status = cli_usage(argv[0], "--private-key: %s", err.message);
    else if ((d->batch = batch_new(0, &err)) == NULL)
        status = cli_fail(&err);
    else
        status = decrypt_file(argv[0], positional == 1 ? argv[1] : "-", d);
    batch_free(d->batch);
    buf_free(&d->out);
    arena_free(arena);
    return status;
}

static const struct command decrypt = {
    .name = "decrypt",
    .summary = "open reports with a private key",
    .help = "Usage: trackerd report decrypt --private-key KEY [FILE|-]\n\n"
            "Reads one payload in base64 a line from FILE or standard input (default) and prints one\n"
            "JSON object a line, in the same order:\n\n"
            "  {\"timestamp\", \"latitude\", \"longitude\", \"horizontal_accuracy\", \"confidence\",\n"
            "   \"status\", \"battery\"}     battery is full, medium, low or very_low\n"
            "  {\"error\": CODE}           CODE is one of:\n\n"
            "    encoding  the line is not base64\n"
            "    length    the payload has neither 88 nor 89 bytes\n"
            "    point     the finder's public point is not on the curve\n"
            "    auth      damaged, or encrypted to another key\n"
            "    range     opened, but the coordinates are impossible\n\n"
            "KEY is base64 or 56 hex digits. Times are UTC; accuracy is in metres, 255 standing for\n"
            "255 or more. The battery is what the tag says; many tags always say full.\n\n"
            "Exit status: 0 all decrypted, 1 some failed, 2 bad usage or unreadable input.\n",
    .run = run_decrypt,
};

static const struct command *const parts[] = { &decrypt, &cmd_report_fetch, &cmd_report_recordings, NULL };

const struct command cmd_report = {
    .name = "report",
    .summary = "decrypt location reports, fetch them from Apple",
    .help = "Usage: trackerd report decrypt|fetch|recordings ...\n",
    .parts = parts,
};
