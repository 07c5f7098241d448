/* Component schemas of signing in, users and API keys, beyond those that the resource tables give. */
#include "api/accounts.h"

/* The JSON below is written as C text; a string of it reads as the schema does, without the quotes' escapes.
 */
#define OBJECT(required, properties)                                                                         \
    "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[" required                            \
    "],\"properties\":{" properties "}}"
#define TEXT(name, min, max)                                                                                 \
    "\"" name "\":{\"type\":\"string\",\"minLength\":" #min ",\"maxLength\":" #max "}"
#define SECRET(name)                                                                                         \
    "\"" name "\":{\"type\":\"string\",\"format\":\"password\",\"minLength\":1,\"maxLength\":1024}"
#define NEW_PASSWORD(name)                                                                                   \
    "\"" name "\":{\"type\":\"string\",\"format\":\"password\",\"minLength\":10,\"maxLength\":200}"
#define EMAIL           "\"email\":{\"type\":\"string\",\"format\":\"email\",\"minLength\":3,\"maxLength\":254}"
#define LANGUAGE        "\"language\":{\"type\":\"string\",\"pattern\":\"^[a-z]{2}(-[A-Z]{2})?$\"}"
#define TIME(name)      "\"" name "\":{\"type\":\"string\",\"format\":\"date-time\"}"
#define TIME_NULL(name) "\"" name "\":{\"type\":[\"string\",\"null\"],\"format\":\"date-time\"}"
#define IDS_OF(types)                                                                                        \
    "\"client_ids\":{\"type\":" types                                                                        \
    ",\"maxItems\":1000,\"items\":{\"type\":\"integer\",\"format\":\"int64\",\""                             \
    "minimum\":1}}"
#define ROLE "\"role\":{\"type\":\"string\",\"enum\":[\"admin\",\"manager\",\"user\"]}"
#define FLAGS                                                                                                      \
    "\"notification_preferences\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{\"email\":{" \
    "\"type\":\"boolean\"},\"ui\":{\"type\":\"boolean\"}}}"
#define SCOPES                                                                                                      \
    "\"scopes\":{\"type\":\"array\",\"minItems\":1,\"maxItems\":64,\"items\":{\"type\":\"string\",\"pattern\":\"^(" \
    "\\\\*|read|write|[a-z-]+:(read|write))$\"}}"
#define GRANT                                                                                                           \
    "\"access_token\":{\"type\":\"string\"},\"token_type\":{\"type\":\"string\",\"enum\":[\"bearer\"]},\"expires_in\":" \
    "{\"type\":\"integer\",\"description\":\"Seconds\"},\"refresh_token\":{\"type\":\"string\",\"description\":\""      \
    "Only when the refresh token was sent in the body\"}"

static const struct {
    const char *name, *json;
} schemas[] = {
    { "Login", OBJECT("\"email\",\"password\"", TEXT("email", 1, 254) "," SECRET("password")) },
    { "LoginForm", "{\"type\":\"object\",\"required\":[\"username\",\"password\"],\"properties\":{" TEXT(
                       "username", 1, 254) "," SECRET("password") "}}" },
    { "SignedIn", OBJECT("\"access_token\",\"token_type\",\"expires_in\"", GRANT) },
    { "SignedInUser", OBJECT("\"access_token\",\"token_type\",\"expires_in\",\"user\"",
                             GRANT ",\"user\":{\"$ref\":\"#/components/schemas/User\"}") },
    { "RefreshToken", OBJECT("", TEXT("refresh_token", 1, 256)) },
    { "ForgottenPassword", OBJECT("\"email\"", TEXT("email", 1, 254)) },
    { "NewPassword", OBJECT("\"token\",\"password\"", TEXT("token", 1, 256) "," NEW_PASSWORD("password")) },
    { "PasswordChange", OBJECT("\"current_password\",\"new_password\"",
                               SECRET("current_password") "," NEW_PASSWORD("new_password")) },
    { "MePatch", OBJECT("", TEXT("name", 1, 200) "," LANGUAGE "," TEXT("time_zone", 1, 64) "," FLAGS) },
    { "Session",
      OBJECT("\"id\",\"created_at\",\"last_used_at\",\"expires_at\",\"user_agent\",\"address\",\"current\"",
             "\"id\":{\"type\":\"integer\",\"format\":\"int64\"}," TIME("created_at") "," TIME(
                 "last_used_at") "," TIME("expires_at") ",\"user_agent\":{\"type\":\"string\"},\"address\":"
                                                        "{\"type\":[\"string\",\"null\"]},\"current\":{"
                                                        "\"type\":\"boolean\",\"description\":\"The one "
                                                        "that asks\"}") },
    { "SessionPage",
      OBJECT("\"items\",\"next_cursor\"",
             "\"items\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/Session\"}},\""
             "next_cursor\":{\"type\":\"null\"}") },
    { "UserCreate", OBJECT("\"email\",\"name\"", EMAIL
                           "," TEXT("name", 1, 200) "," ROLE "," IDS_OF("\"array\"") "," LANGUAGE "," TEXT(
                               "time_zone", 1, 64) "," NEW_PASSWORD("password")) },
    { "UserPatch", OBJECT("", EMAIL "," TEXT("name", 1, 200) "," ROLE "," IDS_OF(
                                  "\"array\"") "," LANGUAGE "," TEXT("time_zone", 1, 64)) },
    { "ApiKeyCreate", OBJECT("\"name\"", TEXT("name", 1, 200) "," ROLE "," SCOPES "," IDS_OF(
                                             "[\"array\",\"null\"]") "," TIME_NULL("expires_at")) },
    { "ApiKeyPatch", OBJECT("", TEXT("name", 1, 200) "," ROLE "," SCOPES "," IDS_OF(
                                    "[\"array\",\"null\"]") "," TIME_NULL("expires_at")) },
    { "ApiKeyCreated",
      "{\"allOf\":[{\"$ref\":\"#/components/schemas/ApiKey\"},{\"type\":\"object\",\"required\":["
      "\"key\"],\"properties\":{\"key\":{\"type\":\"string\",\"description\":\"Shown this once\"}}}"
      "]}" },
};

void account_schemas(void (*add)(void *to, const char *name, const char *json), void *to)
{
    for (size_t i = 0; i < ARRAY_LEN(schemas); i++)
        add(to, schemas[i].name, schemas[i].json);
}
