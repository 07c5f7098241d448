/* What an answer of Apple's means: the words that the state machine, the profile's tables and operators
 * share.
 *
 * Source: facts 3.7, 7.2, 7.5, 7.6 and the vector files gsa.json and fetch-responses.json. The names are
 * stable: they stand in provider profiles, in the database and in the operators' documentation. */
#ifndef FINDMY_OUTCOME_H
#define FINDMY_OUTCOME_H

/* of one step of signing in */
enum login_outcome {
    LOGIN_AUTHENTICATED,        /* done: the token for the delegates is there */
    LOGIN_TRUSTED_DEVICE,       /* a code shown on a trusted device is due */
    LOGIN_SMS,                  /* a code sent by text message is due */
    LOGIN_UNSUPPORTED_STEP,     /* Apple wants what only a person can do: new terms, account repair */
    LOGIN_BAD_CREDENTIALS,      /* wrong user name or password */
    LOGIN_BAD_CODE,             /* wrong or outdated second-factor code */
    LOGIN_TOO_MANY_CODES,       /* no more codes are sent or taken for some hours */
    LOGIN_PHONE_REFUSED,        /* no code can be sent to this number */
    LOGIN_ACCOUNT_LOCKED,       /* a person must unlock the account */
    LOGIN_ACCOUNT_LIMIT,        /* account never used on an Apple device, or signed in too often */
    LOGIN_BAD_ANISETTE,         /* the proof of the machine was not taken */
    LOGIN_REPROVISION,          /* the machine must be provisioned anew */
    LOGIN_BAD_SERVER_PROOF,     /* the server could not prove itself: nothing of its answer is used */
    LOGIN_UNSUPPORTED_PROTOCOL, /* a password form that we do not know, or unsafe parameters */
    LOGIN_DELEGATE_ERROR,       /* the delegate service refused the token, mostly because it is outdated */
    LOGIN_SERVER_ERROR,         /* trouble at Apple's end or on the way: later */
    LOGIN_BAD_RESPONSE,         /* an answer that nobody can read */
    LOGIN_REFUSED,              /* refused with a code that the profile does not know */
    LOGIN_OUTCOMES
};

/* of one request for reports */
enum fetch_outcome {
    FETCH_OK,
    FETCH_RETRY_EMPTY,  /* HTTP 200 around nothing: passing fault, not an empty list */
    FETCH_REAUTH,       /* the token is not valid (any more): sign in again */
    FETCH_AUTH_ERROR,   /* the account needs a person */
    FETCH_BACKOFF,      /* too many requests: wait as told */
    FETCH_SERVER_ERROR, /* trouble at Apple's end or on the way */
    FETCH_BAD_RESPONSE, /* an answer that nobody can read */
    FETCH_BAD_REQUEST,  /* Apple does not understand us: profile or program are outdated */
    FETCH_OUTCOMES
};

/* indexed by the enums, NULL-terminated: "authenticated", "2fa-trusted-device", ...; "ok", "retry_empty", ...
 */
extern const char *const login_outcome_names[LOGIN_OUTCOMES + 1];
extern const char *const fetch_outcome_names[FETCH_OUTCOMES + 1];

#endif
