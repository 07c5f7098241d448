/* Vectors of signing in: pbkdf2, srp, gsa. */
#include <inttypes.h>
#include <openssl/bn.h>
#include <string.h>

#include "base/encode.h"
#include "findmy/delegates.h"
#include "findmy/gsa.h"
#include "findmy/plistx.h"
#include "findmy/srp.h"
#include "vectors.h"

/* ---- pbkdf2 ---- */

static void run_pbkdf2(struct vec *vec)
{
    const char *kind = vec_text(vec, vec->root, "kind");
    bool plain = strcmp(kind, "pbkdf2") == 0;
    size_t password_len, salt_len;
    uint8_t prehash[64], *password = prehash;
    if (plain) {
        password = vec_hex(vec, vec->root, "password_hex", 0, &password_len);
    } else if (srp_prehash(kind, vec_text(vec, vec->root, "password_utf8"), prehash, &password_len)) {
        vec_same_hex(vec, vec->root, "prehash_hex", prehash, password_len);
    } else {
        vec_fail(vec, "unknown kind %s", kind);
        return;
    }
    uint8_t *salt = vec_hex(vec, vec->root, "salt_hex", 0, &salt_len);
    int64_t iterations = vec_int(vec, vec->root, "iterations"), length = vec_int(vec, vec->root, "length");
    if (length <= 0 || length > 1 << 16) {
        vec_fail(vec, "length out of range");
        return;
    }
    uint8_t *out = arena_zalloc(vec->arena, (size_t)length, 1);
    if (!srp_pbkdf2(password, password_len, salt, salt_len, iterations, out, (size_t)length))
        vec_fail(vec, "failed");
    vec_same_hex(vec, vec->root, "out_hex", out, (size_t)length);
}

/* ---- srp ---- */

static json_t *expect_of(struct vec *vec)
{
    return vec_object(vec, vec->root, "expect");
}

static void gsa_srp(struct vec *vec)
{
    struct srp srp;
    struct error err = { .code = "" };
    size_t salt_len, a_len, b_len;
    uint8_t key[SRP_KEY_SIZE] = { 0 }, label[32];
    const char *username = vec_text(vec, vec->root, "username"),
               *password = vec_text(vec, vec->root, "password");
    const char *form = vec_text(vec, vec->root, "sp");
    uint8_t *salt = vec_hex(vec, vec->root, "salt_hex", 0, &salt_len);
    uint8_t *a = vec_hex(vec, vec->root, "a_hex", 0, &a_len);
    json_t *expect = expect_of(vec);
    uint8_t *B = vec_hex(vec, expect, "B_hex", SRP_MAX_GROUP, &b_len);
    vec_get(vec, vec->root, "b_hex"); /* the server's secret; null where only its B is known */

    if (!srp_password_key(form, password, salt, salt_len, vec_int(vec, vec->root, "iterations"), key, &err) ||
        !srp_start(&srp, &srp_gsa, a, a_len, &err) ||
        !srp_answer(&srp, username, key, sizeof(key), salt, salt_len, B, b_len, &err)) {
        vec_fail(vec, "%s: %s", err.code, err.message);
        return;
    }
    vec_same_hex(vec, expect, "password_key_hex", key, sizeof(key));
    vec_same_hex(vec, expect, "x_hex", srp.x, srp.hash_len);
    vec_same_hex(vec, expect, "A_hex", srp.A, sizeof(srp.A));
    vec_same_hex(vec, expect, "u_hex", srp.u, srp.hash_len);
    vec_same_hex(vec, expect, "S_hex", srp.S, sizeof(srp.S));
    vec_same_hex(vec, expect, "K_hex", srp.K, srp.hash_len);
    vec_same_hex(vec, expect, "M1_hex", srp.M1, srp.hash_len);
    vec_same_hex(vec, expect, "M2_hex", srp.M2, srp.hash_len);
    if (!srp_verify(&srp, srp.M2, srp.hash_len))
        vec_fail(vec, "does not take its own proof");

    static const struct {
        const char *field, *label;
        size_t len;
    } labels[] = { { "extra_data_key_hex", "extra data key:", 32 },
                   { "extra_data_iv_hex", "extra data iv:", 16 },
                   { "hmac_key_hex", "HMAC key:", 32 } };
    for (size_t i = 0; i < ARRAY_LEN(labels); i++)
        if (vec_has(expect, labels[i].field)) {
            if (!gsa_session_key(srp.K, srp.hash_len, labels[i].label, label))
                vec_fail(vec, "no session key");
            vec_same_hex(vec, expect, labels[i].field, label, labels[i].len);
        }

    /* Another reading of the protocol gives other values; we must know the exchange for ambiguous. */
    if (vec_has(vec->root, "padded_variant")) {
        vec_whole(vec, vec->root, "padded_variant");
        if (!srp_ambiguous(&srp))
            vec_fail(vec, "the exchange is not seen to be ambiguous");
    }
    srp_wipe(&srp);
}

static void gsa_srp_reject(struct vec *vec)
{
    struct srp srp;
    struct error err = { .code = "" };
    static const uint8_t key[SRP_KEY_SIZE], salt[16] = { 1 };
    size_t b_len;
    uint8_t *B = vec_hex(vec, vec->root, "B_hex", 0, &b_len);
    const char *expect = vec_text(vec, vec->root, "expect");
    if (strcmp(expect, "reject") != 0)
        vec_fail(vec, "unknown expectation %s", expect);
    if (!srp_start(&srp, &srp_gsa, NULL, 0, &err))
        vec_fail(vec, "%s", err.message);
    if (srp_answer(&srp, "user", key, sizeof(key), salt, sizeof(salt), B, b_len, &err))
        vec_fail(vec, "was accepted");
    else if (!error_is(&err, "srp_refused"))
        vec_fail(vec, "refused as %s", err.code);
    srp_wipe(&srp);
}

static uint8_t *group_prime(struct vec *vec, size_t *len)
{
    const char *text = vec_text(vec, vec->root, "N_hex");
    uint8_t *prime;
    if (strcmp(text, "rfc5054-2048") != 0)
        return vec_hex(vec, vec->root, "N_hex", 0, len);
    prime = arena_alloc(vec->arena, SRP_MAX_GROUP);
    text = json_string_value(json_object_get(vec->file, "N_2048_hex"));
    if (text == NULL || !hex_decode(text, strlen(text), prime, SRP_MAX_GROUP, len))
        vec_fail(vec, "the file has no N_2048_hex");
    else if (*len != srp_gsa.prime_len || memcmp(prime, srp_gsa.prime, *len) != 0)
        vec_fail(vec, "the group is another than ours");
    return prime;
}

/* Textbook vectors write numbers, not bytes: leading zero bytes may be left out. */
static void same_number(struct vec *vec, json_t *expect, const char *key, const uint8_t *got, size_t len)
{
    size_t digits = strlen(vec_text(vec, expect, key));
    while (len * 2 > digits && *got == 0) {
        got++;
        len--;
    }
    vec_same_hex(vec, expect, key, got, len);
}

/* The server's half, to check the verifier and B: v = g^x, B = k*v + g^b. */
static void check_server(struct vec *vec, json_t *expect, const struct srp *srp, const uint8_t *b,
                         size_t b_len)
{
    BN_CTX *context = BN_CTX_new();
    size_t n_len = srp->group->prime_len;
    BIGNUM *N = BN_bin2bn(srp->group->prime, (int)n_len, NULL), *g = BN_new(), *v = BN_new(), *B = BN_new();
    BIGNUM *x = BN_bin2bn(srp->x, (int)srp->hash_len, NULL), *k = BN_bin2bn(srp->k, (int)srp->hash_len, NULL);
    BIGNUM *secret = BN_bin2bn(b, (int)b_len, NULL);
    uint8_t out[SRP_MAX_GROUP];
    BN_set_word(g, srp->group->generator);
    BN_mod_exp(v, g, x, N, context);
    BN_bn2binpad(v, out, (int)n_len);
    same_number(vec, expect, "v", out, n_len);
    BN_mod_mul(k, k, v, N, context);
    BN_mod_exp(B, g, secret, N, context);
    BN_mod_add(B, B, k, N, context);
    BN_bn2binpad(B, out, (int)n_len);
    same_number(vec, expect, "B", out, n_len);
    BN_free(N), BN_free(g), BN_free(v), BN_free(B), BN_free(x), BN_free(k), BN_free(secret);
    BN_CTX_free(context);
}

static void srp_core(struct vec *vec)
{
    struct srp srp;
    struct error err = { .code = "" };
    struct srp_group group = { .generator = (unsigned)vec_int(vec, vec->root, "g") };
    const char *hash = vec_text(vec, vec->root, "hash");
    group.digest = strcmp(hash, "sha1") == 0 ? "SHA1" : strcmp(hash, "sha256") == 0 ? "SHA256" : "SHA512";
    group.prime = group_prime(vec, &group.prime_len);
    group.username_in_x = vec_bool(vec, vec->root, "username_in_x");
    if (vec_has(vec->root, "g_padded_in_M1")) /* absent where no M1 is expected */
        group.generator_padded = vec_bool(vec, vec->root, "g_padded_in_M1");
    if (vec_int(vec, vec->root, "group_bits") != (int64_t)group.prime_len * 8)
        vec_fail(vec, "group_bits does not fit the group");

    const char *username = vec_text(vec, vec->root, "username"),
               *password = vec_text(vec, vec->root, "password");
    size_t salt_len, a_len, b_len, B_len;
    uint8_t *salt = vec_hex(vec, vec->root, "salt_hex", 0, &salt_len);
    uint8_t *a = vec_hex(vec, vec->root, "a_hex", 0, &a_len),
            *b = vec_hex(vec, vec->root, "b_hex", 0, &b_len);
    json_t *expect = expect_of(vec);
    uint8_t *B = vec_hex(vec, expect, "B", 0, &B_len);
    if (!srp_start(&srp, &group, a, a_len, &err) ||
        !srp_answer(&srp, username, (const uint8_t *)password, strlen(password), salt, salt_len, B, B_len,
                    &err)) {
        vec_fail(vec, "%s: %s", err.code, err.message);
        return;
    }
    same_number(vec, expect, "k", srp.k, srp.hash_len);
    same_number(vec, expect, "x", srp.x, srp.hash_len);
    same_number(vec, expect, "A", srp.A, group.prime_len);
    same_number(vec, expect, "u", srp.u, srp.hash_len);
    same_number(vec, expect, "S", srp.S, group.prime_len);
    check_server(vec, expect, &srp, b, b_len);
    const struct {
        const char *name;
        const uint8_t *value;
    } proofs[] = { { "K", srp.K }, { "M1", srp.M1 }, { "M2", srp.M2 } };
    for (size_t i = 0; i < ARRAY_LEN(proofs); i++)
        if (vec_has(expect, proofs[i].name))
            vec_same_hex(vec, expect, proofs[i].name, proofs[i].value, srp.hash_len);
}

static void run_srp(struct vec *vec)
{
    const char *kind = vec_text(vec, vec->root, "kind");
    if (strcmp(kind, "gsa-srp") == 0)
        gsa_srp(vec);
    else if (strcmp(kind, "gsa-srp-reject") == 0)
        gsa_srp_reject(vec);
    else if (strcmp(kind, "srp-core") == 0)
        srp_core(vec);
    else
        vec_fail(vec, "unknown kind %s", kind);
}

/* ---- gsa ---- */

static void same_outcome(struct vec *vec, json_t *expect, enum login_outcome outcome)
{
    vec_same_text(vec, expect, "outcome", login_outcome_names[outcome]);
}

/* Fields that stand only in transcripts whose answer may be used. */
static void check_session(struct vec *vec, json_t *expect, const char *complete, const char *form,
                          const struct gsa_session *session, enum login_outcome outcome)
{
    struct error err;
    struct arena *arena = vec->arena;
    plist_t response = plistx_get(plistx_parse(arena, complete, strlen(complete), &err), "Response");
    size_t spd_len = 0, sc_len = 0;
    const uint8_t *spd = plistx_data(response, "spd", &spd_len), *sc = plistx_data(response, "sc", &sc_len);
    bool good = outcome == LOGIN_AUTHENTICATED || outcome == LOGIN_TRUSTED_DEVICE || outcome == LOGIN_SMS ||
                outcome == LOGIN_UNSUPPORTED_STEP;
    uint8_t digest[32];

    if (vec_has(expect, "M2_ok"))
        vec_same_bool(vec, expect, "M2_ok", good);
    if (vec_has(expect, "np_ok"))
        vec_same_bool(vec, expect, "np_ok", good);
    if (vec_has(expect, "np_digest_hex")) {
        if (spd == NULL || !gsa_negotiation_digest(form, spd, spd_len, sc, sc_len, digest))
            vec_fail(vec, "no negotiation digest");
        vec_same_hex(vec, expect, "np_digest_hex", digest, sizeof(digest));
    }
    if (vec_has(expect, "adsid"))
        vec_same_text(vec, expect, "adsid", session->adsid);
    if (vec_has(expect, "idms_token"))
        vec_same_text(vec, expect, "idms_token", session->idms_token);
    if (vec_has(expect, "pet"))
        vec_same_text(vec, expect, "pet", session->pet[0] != '\0' ? session->pet : NULL);
    if (vec_has(expect, "pet_expiry_ms")) {
        if (json_is_null(vec_get(vec, expect, "pet_expiry_ms"))) {
            if (session->pet_expiry != 0)
                vec_fail(vec, "an expiry was read");
        } else {
            vec_same_int(vec, expect, "pet_expiry_ms", session->pet_expiry / 1000);
        }
    }
    if (vec_has(expect, "identity_token_b64"))
        vec_same_text(vec, expect, "identity_token_b64", gsa_identity_token(arena, session));
    static const struct gsa_session nothing;
    if (!good && memcmp(session, &nothing, sizeof(nothing)) != 0)
        vec_fail(vec, "something of a refused answer was kept");
}

static void check_au(struct vec *vec, json_t *expect, enum login_outcome outcome)
{
    const char *au = vec_opt_text(vec, expect, "au");
    if (outcome == LOGIN_TRUSTED_DEVICE && (au == NULL || strcmp(au, "trustedDeviceSecondaryAuth") != 0))
        vec_fail(vec, "au was read as a trusted device");
    if (outcome == LOGIN_SMS && (au == NULL || strcmp(au, "secondaryAuth") != 0))
        vec_fail(vec, "au was read as SMS");
    if (outcome == LOGIN_AUTHENTICATED && au != NULL)
        vec_fail(vec, "au was overlooked");
}

static void transcript(struct vec *vec)
{
    const struct profile *profile = profile_default();
    const char *username = vec_text(vec, vec->root, "username"),
               *password = vec_text(vec, vec->root, "password");
    const char *init = vec_text(vec, vec->root, "init_response");
    const char *complete = vec_opt_text(vec, vec->root, "complete_response");
    json_t *expect = expect_of(vec);
    struct gsa_challenge challenge = { 0 };
    struct gsa_session session = { 0 };
    struct login_result result = { 0 };
    struct error err = { .code = "" };
    struct srp srp;
    size_t a_len;
    uint8_t *a = vec_hex(vec, vec->root, "a_hex", 0, &a_len);
    vec_get(vec, vec->root, "spd_fragment"); /* the plain text, for reading; proved through its fields */

    if (!srp_start(&srp, &srp_gsa, a, a_len, &err)) {
        vec_fail(vec, "%s", err.message);
        return;
    }
    vec_same_hex(vec, expect, "A_hex", srp.A, sizeof(srp.A));
    enum login_outcome outcome = gsa_read_init(profile, init, strlen(init), vec->arena, &challenge, &result);
    if (outcome == LOGIN_AUTHENTICATED) {
        if (vec_has(expect, "c"))
            vec_same_text(vec, expect, "c", challenge.cookie);
        outcome = gsa_answer(&srp, &challenge, username, password, &result);
    } else if (vec_has(expect, "c")) {
        vec_get(vec, expect, "c");
    }
    bool answered = outcome == LOGIN_AUTHENTICATED;
    if (answered && vec_has(expect, "M1_hex"))
        vec_same_hex(vec, expect, "M1_hex", srp.M1, srp.hash_len);
    else if (vec_has(expect, "M1_hex"))
        vec_get(vec, expect, "M1_hex"); /* a client that stops before has no M1 */
    if (answered && complete == NULL)
        vec_fail(vec, "the exchange goes on, but has no complete_response");
    else if (answered)
        outcome = gsa_read_complete(profile, complete, strlen(complete), &srp, challenge.form, vec->arena,
                                    &session, &result);
    same_outcome(vec, expect, outcome);
    if (answered && complete != NULL)
        check_session(vec, expect, complete, challenge.form, &session, outcome);
    if (vec_has(expect, "au"))
        check_au(vec, expect, outcome);
    srp_wipe(&srp);
}

static void delegate_response(struct vec *vec)
{
    const char *response = vec_text(vec, vec->root, "response");
    json_t *expect = expect_of(vec);
    struct delegates delegates;
    struct login_result result;
    enum login_outcome outcome = delegates_read(response, strlen(response), &delegates, &result);
    vec_same_text(
        vec, expect, "outcome",
        outcome == LOGIN_AUTHENTICATED ? "ok" : login_outcome_names[outcome]); /* "ok" is the vectors' word */
    if (vec_has(expect, "message"))
        vec_same_text(vec, expect, "message", result.message);
    if (vec_has(expect, "dsid"))
        vec_same_text(vec, expect, "dsid", delegates.dsid);
    if (vec_has(expect, "search_party_token"))
        vec_same_text(vec, expect, "search_party_token", delegates.search_party_token);
    if (vec_has(expect, "basic_auth_b64"))
        vec_same_text(vec, expect, "basic_auth_b64",
                      httpc_basic(vec->arena, delegates.dsid, delegates.search_party_token) +
                          strlen("Basic "));
}

static void apptokens(struct vec *vec)
{
    size_t sk_len, et_len, plain_len = 0;
    uint8_t checksum[32];
    uint8_t *sk = vec_hex(vec, vec->root, "sk_hex", 32, &sk_len),
            *et = vec_hex(vec, vec->root, "et_hex", 0, &et_len);
    json_t *expect = expect_of(vec);
    if (!gsa_apptokens_checksum(sk, sk_len, vec_text(vec, vec->root, "adsid"),
                                vec_text(vec, vec->root, "app"), checksum))
        vec_fail(vec, "no checksum");
    vec_same_hex(vec, expect, "checksum_hex", checksum, sizeof(checksum));
    uint8_t *plain = arena_zalloc(vec->arena, et_len + 1, 1);
    if (!gsa_apptokens_open(sk, et, et_len, plain, &plain_len))
        vec_fail(vec, "does not open");
    plain[plain_len] = '\0';
    vec_same_text(vec, expect, "plaintext", (const char *)plain);
    et[et_len / 2] ^= 1;
    if (gsa_apptokens_open(sk, et, et_len, plain, &plain_len))
        vec_fail(vec, "opens although damaged");
}

static void run_gsa(struct vec *vec)
{
    const char *kind = vec_text(vec, vec->root, "kind");
    if (strcmp(kind, "transcript") == 0)
        transcript(vec);
    else if (strcmp(kind, "delegate-response") == 0)
        delegate_response(vec);
    else if (strcmp(kind, "apptokens") == 0)
        apptokens(vec);
    else
        vec_fail(vec, "unknown kind %s", kind);
}

static const struct vec_kind kinds[] = {
    { "pbkdf2", run_pbkdf2 },
    { "srp", run_srp },
    { "gsa", run_gsa },
};

const struct vec_group vec_group_login = { kinds, sizeof(kinds) / sizeof(kinds[0]) };
