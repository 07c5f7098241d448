/* Key files: what is taken, what is refused and why, and that no refusal repeats a key. */
#include <fcntl.h>
#include <unistd.h>

#include "base/buf.h"
#include "findmy/keyfile.h"
#include "testing.h"

/* three key pairs for the cases below, with hashes */
#define D1      "dUbrm8fV7mpvvLrCwIOj8WT/is6NMe6rUisCQg=="
#define A1      "AG3LUYBTNXt3sFE5+KP0B+eoPvFKYkl9gZphBQ=="
#define H1      "t40NwOjNYL0+muxoBEzXQN3gi5AzdBxU5YWpaHSWr/I="
#define D2      "aRRyyF/G3A+fpyPIL1tB9ORJ2C0XbNepVVz7YQ=="
#define A2      "uvAp3nVw+7tDKaa8+WRWbXPom3rk3w6Nd/i/bw=="
#define H2      "QM6Vzn5FsIhh6dgtXsSu4AUHqLlSIOAz8Vo2tO8jubo="
#define SHORT_D "Jx1R2WVz0n1DIZ4vCAJiYY+gqnmupz0X3KPw" /* 27 bytes: lost its leading zero */
#define SHORT_A "1MQuoSIpTX7P6bLuWtguISa61czRsX39tgTpJQ=="
#define ORDER   "//////////////////8WouC48D4T3SlFXFwqPQ=="
#define SEED    "+eV70Kvf4U6IMiIjjgNXrCLraDunCA12ItEO86N4kYE="

#define P(key)             "Private key: " key "\n"
#define A(key)             "Advertisement key: " key "\n"
#define H(key)             "Hashed adv key: " key "\n"
#define DATA(key)          "<data>" key "</data>"
#define PLIST(value)       "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<plist version=\"1.0\">" value "</plist>"
#define FIELD(name, value) "<key>" name "</key>" value
#define NESTED(name, value)                                                                                  \
    FIELD(name, "<dict>" FIELD("key", "<dict>" FIELD("data", DATA(value)) "</dict>") "</dict>")
#define PAIRED         FIELD("pairingDate", "<date>2025-02-27T20:03:32Z</date>")
#define BEACON(fields) PLIST("<dict>" fields "</dict>")
#define ID(text)       FIELD("stableIdentifier", "<array><string>" text "</string></array>")
#define GOOD_BEACON(more)                                                                                    \
    BEACON(NESTED("privateKey", D1) NESTED("sharedSecret", SEED) NESTED("secondarySharedSecret", SEED)       \
               PAIRED more)

#define ACCESSORY_HEAD                                                                                       \
    "{\"type\":\"accessory\",\"master_key\":\"9ea2b736a8d480817e3874a50cadef898c8a36dc8dac20838388a965\","   \
    "\"skn\":\"3fe6afa0baf4e434a65ce53765437f60ab6445e04f8e23e24aa3836e55e1a4b2\","                          \
    "\"sks\":\"0f46bfad681516519409cafb32490753b8f6d08425b0b2f41159df8167bbe9c5\""

static struct arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = arena_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static struct keyfile read_text(const char *text)
{
    struct keyfile file = { 0 };
    struct error err = { "", "" };
    if (!keyfile_parse(arena, KEYFILE_AUTO, text, strlen(text), &file, &err))
        fail_msg("refused: %s\n%s", err.message, text);
    return file;
}

static void assert_key(const struct keyfile_key *key, const char *private_text)
{
    char text[BASE64_SIZE(FINDMY_PRIVATE_SIZE)];
    base64_encode(key->private_key, FINDMY_PRIVATE_SIZE, text);
    assert_true(key->has_private);
    assert_string_equal(text, private_text);
}

static void formats_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum keyfile_format format;
        size_t keys;
    } cases[] = {
        { P(D1) A(A1) H(H1), KEYFILE_KEYS_TEXT, 1 },
        { H(H1) A(A1) P(D1) H(H2) A(A2) P(D2), KEYFILE_KEYS_TEXT, 2 },
        { P(D1) P(D2), KEYFILE_KEYS_TEXT, 2 },
        { "\xef\xbb\xbf# mine\r\n\r\nprivate KEY :" D1 "  \r\n", KEYFILE_KEYS_TEXT, 1 },
        { P(SHORT_D) A(SHORT_A), KEYFILE_KEYS_TEXT, 1 },
        { P(D1) A("bctRgFM1e3ewUTn4o/QH56g+8UpiSX2BmmEF"), KEYFILE_KEYS_TEXT, 1 }, /* adv lost its zero */
        { P(D1) P(D1), KEYFILE_KEYS_TEXT, 1 },                                     /* twice: taken once */
        { D1, KEYFILE_BARE_LINES, 1 },
        { "# c\n" D1 " # the first\n\n\t" D2 "\r\n", KEYFILE_BARE_LINES, 2 },
        { " [{\"privateKey\":\"" D1 "\"}]", KEYFILE_DEVICES_JSON, 1 },
        { "[{\"id\":123456789012345678901234567890,\"privateKey\":\"" D1 "\",\"colorComponents\":[\"a\"]}]",
          KEYFILE_DEVICES_JSON, 1 },
        { "{\"type\":\"keypair\",\"private_key\":\"" D1 "\",\"key_type\":2,\"name\":null}",
          KEYFILE_FINDMYPY_JSON, 1 },
        { "{\"type\":\"locReportDecrypted\",\"payload\":\"\",\"key\":{\"type\":\"keypair\",\"private_key\":\"" D1
          "\",\"key_type\":1}}",
          KEYFILE_FINDMYPY_JSON, 1 },
        { ACCESSORY_HEAD ",\"paired_at\":\"2025-02-27T20:15:44\"}", KEYFILE_FINDMYPY_JSON, 0 },
        { GOOD_BEACON(""), KEYFILE_ACCESSORY_PLIST, 0 },
        { BEACON(FIELD("associatedBeacon", "<string>B</string>") FIELD("name", "<string>Keys</string>")),
          KEYFILE_NAMING_PLIST, 0 },
        { PLIST("<array><dict>" FIELD("name", "<string>n</string>") FIELD("privateKey", DATA(D1))
                    FIELD("additionalKeys", "<array>" DATA(D2) "</array>") "</dict></array>"),
          KEYFILE_DEVICES_PLIST, 2 },
        { PLIST("<array><dict>" FIELD(
              "keys", "<array><dict>" FIELD("privateKey", DATA(D1)) "</dict></array>") "</dict></array>"),
          KEYFILE_OPENHAYSTACK_PLIST, 1 },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct keyfile file = read_text(cases[i].text);
        if (file.format != cases[i].format || file.key_count != cases[i].keys)
            fail_msg("case %zu: %s with %zu keys", i, keyfile_format_name(file.format), file.key_count);
    }
}

static void files_are_refused_for_a_reason(void **state)
{
    (void)state;
    static const struct {
        const char *text, *code, *message;
    } cases[] = {
        { "", "syntax", "no keys" },
        { "# nothing\n", "syntax", "no keys" },
        { "[]", "syntax", "no keys" },
        { D1 "\n" D2 "x\n", "key", "line 2: " },
        { D1 "\n" ORDER "\n", "key", "line 2: the private key is out of range" },
        { SHORT_D, "key", "line 1: the private key has 27 bytes" },
        { P(SHORT_D), "key", "line 1: the private key has 27 bytes" },
        { P(SHORT_D) A(A1), "mismatch", "line 1: the advertisement key does not belong" },
        { P(A1) A(A1), "mismatch", "was given as the private key" },
        { P(D1) A(A2), "mismatch", "does not belong" },
        { P(D1) H(H2), "mismatch", "line 1: the hashed key" },
        { P(D1) A(A1) H(H1) A(A2), "syntax", "line 4: no private key" },
        { A(A1), "syntax", "line 1: no private key" },
        { P(D1) "Secret key: x\n", "syntax", "line 2: neither" },
        { P(D1) A("AAAA*"), "key", "line 2: the advertisement key" },
        { P(D1) A(H1), "key", "line 2: the advertisement key" },
        { P(D1) H(A1), "key", "line 2: the hashed key" },
        { P(""), "key", "line 1: the private key has 0 bytes" },
        { "{", "syntax", "not JSON" },
        { "{}", "format", "unknown" },
        { "{\"type\":7}", "format", "unknown" },
        { "{\"type\":\"account\"}", "format", "sign-in" },
        { "{\"type\":\"locReportEncrypted\"}", "format", "report" },
        { "{\"type\":\"locReportDecrypted\"}", "syntax", "key is missing" },
        { "{\"type\":\"keypair\"}", "syntax", "private_key is missing" },
        { "{\"type\":\"keypair\",\"private_key\":5}", "syntax", "private_key is not a text" },
        { "{\"type\":\"keypair\",\"private_key\":\"" D1 "\",\"key_type\":3}", "syntax", "key_type" },
        { "{\"type\":\"keypair\",\"private_key\":\"" D1 "\",\"name\":3}", "syntax", "name" },
        { "{\"type\":\"keypair\",\"private_key\":\"" D1 "\",\"private_key\":\"" D1 "\"}", "syntax",
          "not JSON" },
        { "{\"type\":\"custom_rolling_key_accessory\"}", "syntax", "private_keys" },
        { "{\"type\":\"custom_rolling_key_accessory\",\"private_keys\":[\"00\"]}", "key", "entry 1" },
        { "{\"type\":\"custom_rolling_key_accessory\",\"private_keys\":[]}", "syntax", "no keys" },
        { ACCESSORY_HEAD "}", "syntax", "paired_at is missing" },
        { ACCESSORY_HEAD ",\"paired_at\":\"yesterday\"}", "syntax", "paired_at is not a time" },
        { ACCESSORY_HEAD ",\"paired_at\":\"2025-02-27T20:15:44Z\",\"alignment_index\":3}", "syntax",
          "go together" },
        { ACCESSORY_HEAD
          ",\"paired_at\":\"2025-02-27T20:15:44Z\",\"alignment_date\":\"2025-02-27T20:15:44Z\"}",
          "syntax", "go together" },
        { ACCESSORY_HEAD
          ",\"paired_at\":\"2025-02-27T20:15:44Z\",\"alignment_date\":\"2025-02-27T20:15:44Z\","
          "\"alignment_index\":1.5}",
          "syntax", "alignment_index" },
        { ACCESSORY_HEAD
          ",\"paired_at\":\"2025-02-27T20:15:44Z\",\"alignment_date\":\"2025-02-27T20:15:44Z\","
          "\"alignment_index\":-1}",
          "syntax", "alignment_index" },
        { "{\"type\":\"accessory\",\"master_key\":\"00\"}", "key", "master_key" },
        { "[7]", "syntax", "record 1" },
        { "[{\"name\":\"a\"}]", "syntax", "record 1 (a): privateKey is missing" },
        { "[{\"privateKey\":\"" D1 "\"},{\"name\":\"bad\",\"privateKey\":\"AAAA\"}]", "key",
          "record 2 (bad): privateKey: the private key has 3 bytes" },
        { "[{\"privateKey\":\"" D1 "\",\"additionalKeys\":\"x\"}]", "syntax",
          "additionalKeys is not a list" },
        { "[{\"privateKey\":\"" D1 "\",\"additionalKeys\":[7]}]", "syntax", "additionalKeys is not a text" },
        { "[{\"privateKey\":\"" D1 "\",\"usesDerivation\":true}]", "syntax", "symmetricKey" },
        { "[{\"privateKey\":\"" D1 "\",\"usesDerivation\":true,\"symmetricKey\":\"" D1 "\"}]", "key",
          "symmetricKey" },
        { "[{\"privateKey\":\"" D1 "\",\"usesDerivation\":true,\"symmetricKey\":\"" SEED
          "\",\"lastDerivationTimestamp\":1,\"updateInterval\":0}]",
          "syntax", "out of range" },
        { "<x", "syntax", "not a property list" },
        { "bplist00", "syntax", "not a property list" },
        { PLIST("<dict/>"), "format", "none of the known" },
        { PLIST("<string>x</string>"), "format", "none of the known" },
        { PLIST("<array>" DATA("AAAA") DATA("AAAA") DATA("AAAA") "</array>"), "format", "encrypted" },
        { PLIST("<array><string/></array>"), "syntax", "record 1: privateKey is missing" },
        { BEACON(FIELD("peerTrustSharedSecret", "<dict/>")), "key", "shared by somebody else" },
        { BEACON(NESTED("privateKey", SEED)), "key", "privateKey" },
        { BEACON(NESTED("privateKey", ORDER)), "key", "out of range" },
        { BEACON(NESTED("privateKey", D1)), "key", "sharedSecret" },
        { BEACON(NESTED("privateKey", D1) NESTED("sharedSecret", SEED)), "key", "secondarySharedSecret" },
        { BEACON(NESTED("privateKey", D1) NESTED("sharedSecret", SEED) NESTED("secondarySharedSecret", SEED)),
          "syntax", "pairingDate" },
        { BEACON(FIELD("lastIndexObserved", "<integer>5</integer>")), "syntax", "beaconIdentifier" },
        { BEACON(FIELD("lastIndexObserved", "<integer>5</integer>")
                     FIELD("beaconIdentifier", "<string>B</string>")),
          "syntax", "lastIndexObservationDate" },
        { BEACON(FIELD("lastIndexObserved", "<integer>99999999999</integer>")
                     FIELD("beaconIdentifier", "<string>B</string>")
                         FIELD("lastIndexObservationDate", "<date>2025-02-27T20:03:32Z</date>")),
          "syntax", "lastIndexObserved" },
        { PLIST("<array><dict>" FIELD("keys",
                                      "<array><dict>" FIELD("privateKey", DATA(D1))
                                          FIELD("hashedKey", DATA(H2)) "</dict></array>") "</dict></array>"),
          "mismatch", "record 1: key 1: the hashed key" },
        { PLIST("<array><dict>" FIELD("keys", "<string/>") "</dict></array>"), "syntax",
          "keys is not a list" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct keyfile file = { .format = KEYFILE_FORMATS };
        struct error err = { "", "" };
        if (keyfile_parse(arena, KEYFILE_AUTO, cases[i].text, strlen(cases[i].text), &file, &err))
            fail_msg("case %zu was taken: %s", i, cases[i].text);
        if (!error_is(&err, cases[i].code) || strstr(err.message, cases[i].message) == NULL)
            fail_msg("case %zu says %s: %s", i, err.code, err.message);
        assert_int_equal(file.format, KEYFILE_FORMATS); /* untouched */
        /* the first characters of any key above */
        static const char *const heads[] = { "dUbrm8", "aRRyyF", "Jx1R2W", "AG3LUY", "9ea2b7", "+eV70K" };
        for (size_t k = 0; k < sizeof(heads) / sizeof(heads[0]); k++)
            assert_null(strstr(err.message, heads[k]));
    }
}

static void stated_format_must_fit(void **state)
{
    (void)state;
    struct keyfile file;
    struct error err = { "", "" };
    const char *text = GOOD_BEACON("");
    assert_false(keyfile_parse(arena, KEYFILE_ALIGNMENT_PLIST, text, strlen(text), &file, &err));
    assert_true(error_is(&err, "format"));
    assert_false(keyfile_parse(arena, KEYFILE_DEVICES_JSON, text, strlen(text), &file, &err));
    assert_true(keyfile_parse(arena, KEYFILE_ACCESSORY_PLIST, text, strlen(text), &file, &err));
}

static void names_of_formats_are_read_back(void **state)
{
    (void)state;
    enum keyfile_format format;
    for (int i = 0; i < KEYFILE_FORMATS; i++) {
        assert_true(keyfile_format_parse(keyfile_format_name((enum keyfile_format)i), &format));
        assert_int_equal(format, i);
    }
    assert_false(keyfile_format_parse("pem", &format));
}

static void roles_and_names_are_kept(void **state)
{
    (void)state;
    struct keyfile file = read_text("[{\"name\":\"Palette \\u00e4\",\"privateKey\":\"" D1
                                    "\",\"additionalKeys\":[\"" D2 "\"]}]");
    assert_int_equal(file.key_count, 2);
    assert_key(&file.keys[0], D1);
    assert_key(&file.keys[1], D2);
    assert_int_equal(file.keys[0].role, KEY_ROLE_MAIN);
    assert_int_equal(file.keys[1].role, KEY_ROLE_ADDITIONAL);
    assert_string_equal(file.keys[1].name, "Palette \xc3\xa4");
    file = read_text("{\"type\":\"keypair\",\"private_key\":\"" D1 "\",\"key_type\":2,\"name\":\"\"}");
    assert_int_equal(file.keys[0].type, KEY_TYPE_SECONDARY);
    assert_null(file.keys[0].name);
}

static void derivation_is_read(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "[{\"name\":\"oh\",\"privateKey\":\"" D1 "\",\"usesDerivation\":true,\"symmetricKey\":\"" H1
        "\",\"oldestRelevantSymmetricKey\":\"" SEED
        "\",\"lastDerivationTimestamp\":700000000.5,\"updateInterval\":3600}]",
        PLIST("<array><dict>" FIELD("name", "<string>oh</string>") FIELD("privateKey", DATA(D1))
                  FIELD("usesDerivation", "<true/>") FIELD("symmetricKey", DATA(SEED))
                      FIELD("lastDerivationTimestamp", "<date>2023-03-08T20:26:40Z</date>")
                          FIELD("updateInterval", "<real>3600</real>") "</dict></array>"),
    };
    for (size_t i = 0; i < 2; i++) {
        struct keyfile file = read_text(texts[i]);
        char seed[BASE64_SIZE(ROLLING_SEED_SIZE)];
        assert_int_equal(file.key_count, 1);
        assert_int_equal(file.derivation_count, 1);
        const struct keyfile_derivation *d = &file.derivations[0];
        base64_encode(d->seed, sizeof(d->seed), seed);
        assert_string_equal(seed, SEED);
        assert_string_equal(d->name, "oh");
        assert_memory_equal(d->master, file.keys[0].private_key, sizeof(d->master));
        assert_int_equal(d->interval, HOURS(1));
        assert_int_equal(d->since / USEC_PER_SEC, 1678307200);
    }
}

static void serials_of_all_kinds(void **state)
{
    (void)state;
    static const struct {
        const char *text, *serial;
    } cases[] = {
        { GOOD_BEACON(ID("2006~#0011223344556677~#HGJABC123456")), "HGJABC123456" },
        { GOOD_BEACON(ID("a:/5D1D9D7E-0000-0000-0000-000000000000~#X1")), "X1" },
        { GOOD_BEACON(ID("x~#\xc2\xb6"
                         "8206\xc2\xa7"
                         "0011\xc2\xa7"
                         "47583132\xc2\xa7"
                         "1")),
          "GX12" },
        { GOOD_BEACON(ID("x~#\xc2\xb6"
                         "8206\xc2\xa7"
                         "0011\xc2\xa7"
                         "47583132")),
          "GX12" },
        { GOOD_BEACON(ID("x~#\xc2\xb6"
                         "8206\xc2\xa7"
                         "0011")),
          NULL },
        { GOOD_BEACON(ID("x~#\xc2\xb6"
                         "8206\xc2\xa7"
                         "0011\xc2\xa7"
                         "4758zz\xc2\xa7"
                         "1")),
          NULL },
        { GOOD_BEACON(ID("x~#\xc2\xb6"
                         "8206\xc2\xa7"
                         "0011\xc2\xa7"
                         "0a\xc2\xa7"
                         "1")),
          NULL },
        { GOOD_BEACON(ID("plain")), NULL },
        { GOOD_BEACON(ID("x~#")), NULL },
        { GOOD_BEACON(FIELD("stableIdentifier", "<array/>")), NULL },
        { GOOD_BEACON(FIELD("stableIdentifier", "<string>x~#y</string>")), NULL },
        { GOOD_BEACON(""), NULL },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct keyfile file = read_text(cases[i].text);
        const char *got = file.accessories[0].serial;
        if ((got == NULL) != (cases[i].serial == NULL) || (got != NULL && strcmp(got, cases[i].serial) != 0))
            fail_msg("case %zu: %s", i, got == NULL ? "none" : got);
    }
}

static void accessory_starts_aligned_at_pairing(void **state)
{
    (void)state;
    struct keyfile file = read_text(ACCESSORY_HEAD ",\"paired_at\":\"2025-02-27T22:15:44+02:00\"}");
    const struct keyfile_accessory *a = &file.accessories[0];
    assert_false(a->aligned);
    assert_int_equal(a->paired_at, SECONDS(1740687344));
    assert_int_equal(a->alignment.at, a->paired_at);
    assert_int_equal(a->alignment.index, 0);
}

static void binary_file_counts_its_keys(void **state)
{
    (void)state;
    uint8_t data[1 + 256 * FINDMY_ADV_SIZE];
    struct keyfile file;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 31 + i / 256);
    data[0] = 255;
    assert_true(keyfile_parse(arena, KEYFILE_AUTO, data, 1 + 255 * FINDMY_ADV_SIZE, &file, NULL));
    assert_int_equal(file.format, KEYFILE_BINARY);
    assert_false(file.keys[0].has_private);
    assert_memory_equal(file.keys[0].public_key.adv, data + 1, FINDMY_ADV_SIZE);
    assert_false(keyfile_parse(arena, KEYFILE_BINARY, data, 255 * FINDMY_ADV_SIZE, &file, NULL));
    assert_false(keyfile_parse(arena, KEYFILE_BINARY, data, 2 + 255 * FINDMY_ADV_SIZE, &file, NULL));
    data[0] = 0;
    assert_false(keyfile_parse(arena, KEYFILE_BINARY, data, 1, &file, NULL));
    assert_false(keyfile_parse(arena, KEYFILE_BINARY, data, 0, &file, NULL));
}

static void sizes_are_bounded(void **state)
{
    (void)state;
    struct keyfile file;
    struct error err = { "", "" };
    size_t len = (size_t)KEYFILE_MAX_SIZE + 1;
    char *text = arena_alloc(arena, len);
    memset(text, '#', len);
    assert_false(keyfile_parse(arena, KEYFILE_AUTO, text, len, &file, &err));
    assert_true(error_is(&err, "size"));

    /* one key more than allowed */
    struct buf list = { 0 };
    for (int i = 1; i <= KEYFILE_MAX_KEYS + 1; i++)
        buf_printf(&list, "%056x\n", i);
    assert_false(keyfile_parse(arena, KEYFILE_AUTO, list.data, list.len, &file, &err));
    assert_true(error_is(&err, "size"));
    assert_true(keyfile_parse(arena, KEYFILE_AUTO, list.data, list.len - 57, &file, &err));
    assert_int_equal(file.key_count, KEYFILE_MAX_KEYS);
    buf_free(&list);
}

static void deep_lists_are_refused(void **state)
{
    (void)state;
    struct buf text = { 0 };
    struct keyfile file;
    struct error err = { "", "" };
    buf_puts(&text, "<plist version=\"1.0\">");
    for (int i = 0; i < 100000; i++)
        buf_puts(&text, "<array>");
    assert_false(keyfile_parse(arena, KEYFILE_AUTO, text.data, text.len, &file, &err));
    assert_true(error_is(&err, "syntax"));
    buf_clear(&text);
    for (int i = 0; i < 100000; i++)
        buf_puts(&text, "[");
    assert_false(keyfile_parse(arena, KEYFILE_AUTO, text.data, text.len, &file, &err));
    buf_free(&text);
}

/* A binary list of arrays inside arrays, as deep as it has objects. */
static void deep_binary_lists_are_refused(void **state)
{
    (void)state;
    struct buf list = { 0 };
    struct keyfile file;
    struct error err = { "", "" };
    const unsigned count = 60000;
    buf_puts(&list, "bplist00");
    for (unsigned i = 0; i < count; i++) { /* array of one: the next object; the last one is empty */
        uint8_t object[] = { i + 1 < count ? 0xa1 : 0xa0, (uint8_t)((i + 1) >> 8), (uint8_t)(i + 1) };
        buf_append(&list, object, i + 1 < count ? 3 : 1);
    }
    size_t table = list.len;
    for (unsigned i = 0; i < count; i++) {
        unsigned at = 8 + 3 * i;
        uint8_t offset[] = { (uint8_t)(at >> 16), (uint8_t)(at >> 8), (uint8_t)at };
        buf_append(&list, offset, sizeof(offset));
    }
    uint8_t trailer[32] = { [6] = 3, [7] = 2, [14] = (uint8_t)(count >> 8), [15] = (uint8_t)count };
    trailer[29] = (uint8_t)(table >> 16);
    trailer[30] = (uint8_t)(table >> 8);
    trailer[31] = (uint8_t)table;
    buf_append(&list, trailer, sizeof(trailer));
    assert_false(keyfile_parse(arena, KEYFILE_AUTO, list.data, list.len, &file, &err));
    assert_true(error_is(&err, "syntax"));
    buf_free(&list);
}

static void files_are_loaded(void **state)
{
    (void)state;
    char path[] = "/tmp/keyfile-XXXXXX";
    struct keyfile file;
    struct error err = { "", "" };
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, P(D1), strlen(P(D1))), strlen(P(D1)));
    close(fd);
    assert_true(keyfile_load(arena, KEYFILE_AUTO, path, &file, &err));
    assert_key(&file.keys[0], D1);
    unlink(path);
    assert_false(keyfile_load(arena, KEYFILE_AUTO, path, &file, &err));
    assert_true(error_is(&err, "read"));
    assert_false(keyfile_load(arena, KEYFILE_AUTO, "/tmp", &file, &err));
    assert_true(error_is(&err, "read"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_are_told_apart),
        cmocka_unit_test(files_are_refused_for_a_reason),
        cmocka_unit_test(stated_format_must_fit),
        cmocka_unit_test(names_of_formats_are_read_back),
        cmocka_unit_test(roles_and_names_are_kept),
        cmocka_unit_test(derivation_is_read),
        cmocka_unit_test(serials_of_all_kinds),
        cmocka_unit_test(accessory_starts_aligned_at_pairing),
        cmocka_unit_test(binary_file_counts_its_keys),
        cmocka_unit_test(sizes_are_bounded),
        cmocka_unit_test(deep_lists_are_refused),
        cmocka_unit_test(deep_binary_lists_are_refused),
        cmocka_unit_test(files_are_loaded),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
