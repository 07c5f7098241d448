/* Static keys: making, reading, and the Bluetooth side where the vectors do not go. */
#include "findmy/crypto.h"
#include "findmy/keys.h"
#include "testing.h"

static void generated_keys_differ_and_derive(void **state)
{
    (void)state;
    uint8_t keys[50][FINDMY_PRIVATE_SIZE];
    struct findmy_public made, derived;
    for (size_t i = 0; i < 50; i++) {
        assert_true(findmy_generate(keys[i], &made, NULL));
        assert_true(findmy_derive(keys[i], &derived, NULL));
        assert_memory_equal(&made, &derived, sizeof(made));
        for (size_t k = 0; k < i; k++)
            assert_memory_not_equal(keys[i], keys[k], FINDMY_PRIVATE_SIZE);
    }
}

static void derive_names_a_bad_key(void **state)
{
    (void)state;
    uint8_t zero[FINDMY_PRIVATE_SIZE] = { 0 };
    struct findmy_public out = { { 7 }, { 7 } };
    struct error err;
    assert_false(findmy_derive(zero, &out, &err));
    assert_true(error_is(&err, "key"));
    assert_int_equal(out.adv[0], 7); /* untouched */
}

static void private_text_is_read_strictly(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message; /* NULL: is read */
    } cases[] = {
        { "rGMnTa7faqBfhKVmYpeK+IzMBbZFdOiGYkYY7Q==", NULL },
        { "rGMnTa7faqBfhKVmYpeK+IzMBbZFdOiGYkYY7Q", NULL },   /* without padding */
        { "rGMnTa7faqBfhKVmYpeK-IzMBbZFdOiGYkYY7Q==", NULL }, /* URL alphabet */
        { "ac63274daedf6aa05f84a56662978af88ccc05b64574e886624618ed", NULL },
        { "AC63274DAEDF6AA05F84A56662978AF88CCC05B64574E886624618ED", NULL },
        { "", "0 bytes" },
        { "ac63274daedf6aa05f84a56662978af88ccc05b64574e886624618e", "neither" },
        { "ac63274daedf6aa05f84a56662978af88ccc05b64574e886624618edff", "neither" },
        { "zc63274daedf6aa05f84a56662978af88ccc05b64574e886624618ed", "42 bytes" },
        { " rGMnTa7faqBfhKVmYpeK+IzMBbZFdOiGYkYY7Q==", "neither" },
        { "rGMnTa7faqBfhKVmYpeK+IzMBbZFdOiGYkYY7Q==\n", "neither" },
        { "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==", "out of range" },
        { "ffffffffffffffffffffffffffff16a2e0b8f03e13dd29455c5c2a3d", "out of range" },
        { "ffffffffffffffffffffffffffff16a2e0b8f03e13dd29455c5c2a3c", NULL },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t key[FINDMY_PRIVATE_SIZE];
        struct error err = { "", "" };
        bool read = findmy_private_parse(cases[i].text, strlen(cases[i].text), key, &err);
        if (read != (cases[i].message == NULL))
            fail_msg("case %zu: %s", i, err.message);
        if (!read && strstr(err.message, cases[i].message) == NULL)
            fail_msg("case %zu: says %s", i, err.message);
    }
}

/* A key that is refused must not come back in the message. */
static void messages_hold_no_key(void **state)
{
    (void)state;
    static const char *const texts[] = { "uSADfclZy7gV7+6rwkxE1GmDroP+JSxYqYx9",
                                         "P7WIWyYzwZx/DI/VsYd2v/b5Zqo/waYAyqAfdsu+qF8=",
                                         "a6C9bgy4H/bpZ7vGtVBdO3/UyNjan2/3a7U*4w==" };
    for (size_t i = 0; i < 3; i++) {
        uint8_t key[FINDMY_PRIVATE_SIZE];
        char head[9] = { 0 };
        struct error err;
        memcpy(head, texts[i], 8);
        assert_false(findmy_private_parse(texts[i], strlen(texts[i]), key, &err));
        assert_null(strstr(err.message, head));
    }
}

static void id_spellings_are_the_same(void **state)
{
    (void)state;
    uint8_t a[FINDMY_HASH_SIZE], b[FINDMY_HASH_SIZE];
    assert_true(findmy_id_parse("/Z5xHE5LcnSnypZ1x7BYDItDwp9ON2fnarSY/6AAE+c=", a));
    assert_true(findmy_id_parse("_Z5xHE5LcnSnypZ1x7BYDItDwp9ON2fnarSY_6AAE-c", b));
    assert_memory_equal(a, b, sizeof(a));
    assert_false(findmy_id_parse("/Z5xHE5LcnSnypZ1x7BYDItDwp9ON2fnarSY/6AAEw==", a));
    assert_false(findmy_id_parse("", a));
}

static void advertisements_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *hex, *code; /* NULL: is read */
    } cases[] = {
        { "1eff4c001219009263c8578840253221daa984f6cd56dd8e0fa01a28860300", NULL },
        { "4c001219009263c8578840253221daa984f6cd56dd8e0fa01a28860300", NULL },
        { "4c0012020003", NULL },
        { "07ff4c0012020003", NULL },
        { "", "length" },
        { "4c0012", "length" },
        { "1dff4c001219009263c8578840253221daa984f6cd56dd8e0fa01a28860300", "length" },
        { "4c001219009263c8578840253221daa984f6cd56dd8e0fa01a288603", "length" },
        { "4c00120200", "length" },
        { "4c001203000300", "length" },
        { "4d001219009263c8578840253221daa984f6cd56dd8e0fa01a28860300", "company" },
        { "004c1219009263c8578840253221daa984f6cd56dd8e0fa01a28860300", "company" },
        { "4c000719009263c8578840253221daa984f6cd56dd8e0fa01a28860300", "type" },
        { "4c001019009263c8578840253221daa984f6cd56dd8e0fa01a28860300", "type" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t data[64];
        size_t len;
        struct ble_advertisement ad;
        struct error err = { "", "" };
        assert_true(hex_decode(cases[i].hex, strlen(cases[i].hex), data, sizeof(data), &len));
        bool read = ble_parse(data, len, &ad, &err);
        if (read != (cases[i].code == NULL) || (!read && !error_is(&err, cases[i].code)))
            fail_msg("case %zu: %s", i, err.message);
    }
}

static void short_form_gives_no_key(void **state)
{
    (void)state;
    static const uint8_t nearby[] = { 0x4c, 0, 0x12, 2, 0x20, 3 };
    uint8_t mac[FINDMY_MAC_SIZE] = { 0xc8, 1, 2, 3, 4, 5 }, adv[FINDMY_ADV_SIZE];
    struct ble_advertisement ad;
    assert_true(ble_parse(nearby, sizeof(nearby), &ad, NULL));
    assert_int_equal(ad.status, 0x20);
    assert_int_equal(ad.key_bits, 3);
    assert_false(ble_adv_key(&ad, mac, adv));
}

/* The upper bits of the byte that carries two key bits are not ours to read. */
static void key_bits_are_masked(void **state)
{
    (void)state;
    uint8_t adv[FINDMY_ADV_SIZE], payload[BLE_ADVERTISEMENT_SIZE], mac[FINDMY_MAC_SIZE],
        back[FINDMY_ADV_SIZE];
    struct ble_advertisement ad;
    for (size_t i = 0; i < sizeof(adv); i++)
        adv[i] = (uint8_t)(i * 7 + 0x40);
    ble_encode(adv, 0xff, 0xc7, payload);
    payload[29] |= 0xfc;
    findmy_mac(adv, mac);
    assert_true(ble_parse(payload, sizeof(payload), &ad, NULL));
    assert_true(ble_adv_key(&ad, mac, back));
    assert_memory_equal(adv, back, sizeof(adv));
    assert_int_equal(ad.status, 0xff);
    assert_int_equal(ad.hint, 0xc7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(generated_keys_differ_and_derive), cmocka_unit_test(derive_names_a_bad_key),
        cmocka_unit_test(private_text_is_read_strictly),    cmocka_unit_test(messages_hold_no_key),
        cmocka_unit_test(id_spellings_are_the_same),        cmocka_unit_test(advertisements_are_checked),
        cmocka_unit_test(short_form_gives_no_key),          cmocka_unit_test(key_bits_are_masked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
