/* Reports, identifiers and advertisements from outside: never a crash, and nothing out of a report that does
 * not open. The corpus holds reports that open with the key below. */
#include <stdlib.h>
#include <string.h>

#include "findmy/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t key[FINDMY_PRIVATE_SIZE] = { [26] = 0x13, [27] = 0x37 };

static void open_payload(const uint8_t *data, size_t size)
{
    static const struct report nothing;
    struct report_envelope envelope;
    struct report report;
    enum report_result parsed = report_parse(data, size, &envelope);
    enum report_result result = report_open(data, size, key, &report);
    if ((parsed == REPORT_LENGTH) != (result == REPORT_LENGTH) || result == REPORT_KEY ||
        result == REPORT_INTERNAL)
        abort();
    if (result != REPORT_OK && result != REPORT_RANGE && memcmp(&report, &nothing, sizeof(report)) != 0)
        abort();
    if (result == REPORT_OK &&
        (abs(report.lat_e7) > REPORT_LAT_MAX_E7 || abs(report.lon_e7) > REPORT_LON_MAX_E7))
        abort();
}

static void read_texts(const uint8_t *data, size_t size)
{
    uint8_t payload[REPORT_LONG], private_key[FINDMY_PRIVATE_SIZE];
    size_t len = 0;
    if (report_decode((const char *)data, size, payload, &len) == REPORT_OK)
        open_payload(payload, len);
    if (findmy_private_parse((const char *)data, size, private_key, NULL) && !p224_scalar_valid(private_key))
        abort();
}

static void read_advertisement(const uint8_t *data, size_t size)
{
    struct ble_advertisement ad;
    uint8_t adv[FINDMY_ADV_SIZE], mac[FINDMY_MAC_SIZE] = { 0xc0 };
    if (ble_parse(data, size, &ad, NULL) &&
        (ad.key_bits > 3 || ble_adv_key(&ad, mac, adv) != (ad.len == 0x19)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    open_payload(data, size);
    read_texts(data, size);
    read_advertisement(data, size);
    return 0;
}
