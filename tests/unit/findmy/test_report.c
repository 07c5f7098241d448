/* Reports: every bit of a payload matters where it should, and nothing leaves a report that does not open. */
#include "base/timeutil.h"
#include "findmy/report.h"
#include "make_report.h"
#include "testing.h"

static const struct plain_report plain = { 799999999, 3, -337654321, 1512093000, 42, 0xa5 };

static void random_reports_open(void **state)
{
    (void)state;
    uint32_t seed = 12345;
    for (int i = 0; i < 300; i++) {
        uint8_t key[FINDMY_PRIVATE_SIZE], payload[REPORT_LONG];
        struct findmy_public public_key;
        struct report report;
        seed = seed * 1664525 + 1013904223;
        struct plain_report want = {
            .seconds = seed,
            .confidence = (uint8_t)(seed >> 3),
            .lat_e7 = (int32_t)(seed % 1800000001u) - 900000000,
            .lon_e7 = (int32_t)((seed >> 1) % 3600000001u) - 1800000000,
            .accuracy = (uint8_t)(seed >> 11),
            .status = (uint8_t)(seed >> 19),
        };
        size_t form = i % 2 == 0 ? REPORT_SHORT : REPORT_LONG;
        assert_true(findmy_generate(key, &public_key, NULL));
        make_report(key, &want, form, payload);
        assert_int_equal(report_open(payload, form, key, &report), REPORT_OK);
        assert_int_equal(report.time, SECONDS(REPORT_EPOCH + (int64_t)want.seconds));
        assert_int_equal(report.confidence, want.confidence);
        assert_int_equal(report.lat_e7, want.lat_e7);
        assert_int_equal(report.lon_e7, want.lon_e7);
        assert_int_equal(report.accuracy, want.accuracy);
        assert_int_equal(report.status, want.status);
    }
}

/* Flip each bit: the header is not authenticated, the added byte is not read, all else is refused and gives
 * nothing. */
static void every_bit_counts(void **state)
{
    (void)state;
    static const struct report nothing;
    uint8_t key[FINDMY_PRIVATE_SIZE], payload[REPORT_LONG];
    struct findmy_public public_key;
    assert_true(findmy_generate(key, &public_key, NULL));
    for (size_t form = REPORT_SHORT; form <= REPORT_LONG; form++) {
        make_report(key, &plain, form, payload);
        size_t point = form - REPORT_SHORT + 5;
        for (size_t bit = 0; bit < form * 8; bit++) {
            struct report report;
            memset(&report, 0xaa, sizeof(report));
            payload[bit / 8] ^= (uint8_t)(1u << bit % 8);
            enum report_result result = report_open(payload, form, key, &report);
            payload[bit / 8] ^= (uint8_t)(1u << bit % 8);
            bool in_header = bit / 8 < point, in_point = !in_header && bit / 8 < point + P224_POINT_SIZE;
            enum report_result want = in_header ? REPORT_OK : in_point ? REPORT_POINT : REPORT_AUTH;
            if (result != want)
                fail_msg("form %zu, bit %zu: %s", form, bit, report_result_name(result));
            if (result != REPORT_OK)
                assert_memory_equal(&report, &nothing, sizeof(report));
        }
    }
}

static void every_length_but_two_is_refused(void **state)
{
    (void)state;
    uint8_t key[FINDMY_PRIVATE_SIZE] = { [27] = 1 }, bytes[256] = { 0 };
    struct report report;
    struct report_envelope envelope;
    for (size_t len = 0; len < sizeof(bytes); len++) {
        bool fits = len == REPORT_SHORT || len == REPORT_LONG;
        assert_int_equal(report_parse(bytes, len, &envelope), fits ? REPORT_OK : REPORT_LENGTH);
        assert_int_equal(report_open(bytes, len, key, &report), fits ? REPORT_POINT : REPORT_LENGTH);
    }
}

static void bad_and_wrong_keys_differ(void **state)
{
    (void)state;
    uint8_t key[FINDMY_PRIVATE_SIZE], other[FINDMY_PRIVATE_SIZE], zero[FINDMY_PRIVATE_SIZE] = { 0 };
    uint8_t payload[REPORT_LONG];
    struct findmy_public public_key;
    struct report report;
    assert_true(findmy_generate(key, &public_key, NULL) && findmy_generate(other, &public_key, NULL));
    make_report(key, &plain, REPORT_LONG, payload);
    assert_int_equal(report_open(payload, REPORT_LONG, zero, &report), REPORT_KEY);
    assert_int_equal(report_open(payload, REPORT_LONG, other, &report), REPORT_AUTH);
    assert_int_equal(report_open(payload, REPORT_LONG, key, &report), REPORT_OK);
}

static void range_is_inclusive(void **state)
{
    (void)state;
    static const struct {
        int32_t lat, lon;
        enum report_result want;
    } cases[] = {
        { 900000000, 1800000000, REPORT_OK },   { -900000000, -1800000000, REPORT_OK },
        { 900000001, 0, REPORT_RANGE },         { -900000001, 0, REPORT_RANGE },
        { 0, 1800000001, REPORT_RANGE },        { 0, -1800000001, REPORT_RANGE },
        { INT32_MAX, INT32_MAX, REPORT_RANGE }, { INT32_MIN, INT32_MIN, REPORT_RANGE },
    };
    uint8_t key[FINDMY_PRIVATE_SIZE], payload[REPORT_LONG];
    struct findmy_public public_key;
    assert_true(findmy_generate(key, &public_key, NULL));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct plain_report made = plain;
        struct report report;
        made.lat_e7 = cases[i].lat;
        made.lon_e7 = cases[i].lon;
        make_report(key, &made, REPORT_SHORT, payload);
        assert_int_equal(report_open(payload, REPORT_SHORT, key, &report), cases[i].want);
        assert_int_equal(report.lat_e7, cases[i].lat);
        assert_int_equal(report.lon_e7, cases[i].lon);
    }
}

static void text_is_decoded(void **state)
{
    (void)state;
    uint8_t bytes[300] = { 0 }, payload[REPORT_LONG];
    char text[BASE64_SIZE(sizeof(bytes))];
    for (size_t size = 0; size <= sizeof(bytes); size++) {
        size_t len = 0;
        base64_encode(bytes, size, text);
        bool fits = size == REPORT_SHORT || size == REPORT_LONG;
        assert_int_equal(report_decode(text, strlen(text), payload, &len), fits ? REPORT_OK : REPORT_LENGTH);
        assert_int_equal(len, fits ? size : 0);
    }
    size_t len;
    assert_int_equal(report_decode("AA*A", 4, payload, &len), REPORT_ENCODING);
    assert_int_equal(report_decode("AAAAA", 5, payload, &len), REPORT_ENCODING);
}

static void names_are_complete(void **state)
{
    (void)state;
    for (int i = 0; i < REPORT_RESULTS; i++)
        for (int k = 0; k < i; k++)
            assert_string_not_equal(report_result_name((enum report_result)i),
                                    report_result_name((enum report_result)k));
    static const char *const names[] = { "full", "medium", "low", "very_low" };
    for (unsigned status = 0; status < 256; status++)
        assert_string_equal(battery_name(report_battery((uint8_t)status)), names[status / 64]);
}

static void failures_are_summed(void **state)
{
    (void)state;
    struct report_counts counts = { { 0 } };
    for (int i = 0; i < REPORT_RESULTS; i++)
        counts.of[i] = (uint64_t)1 << i;
    assert_int_equal(report_failures(&counts), ((uint64_t)1 << REPORT_RESULTS) - 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_reports_open),
        cmocka_unit_test(every_bit_counts),
        cmocka_unit_test(every_length_but_two_is_refused),
        cmocka_unit_test(bad_and_wrong_keys_differ),
        cmocka_unit_test(range_is_inclusive),
        cmocka_unit_test(text_is_decoded),
        cmocka_unit_test(names_are_complete),
        cmocka_unit_test(failures_are_summed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
