/* Apple's side as one run of a job sees it: the provider profile in force, transport, Anisette. */
#ifndef JOBS_APPLE_SIDE_H
#define JOBS_APPLE_SIDE_H

#include "base/arena.h"
#include "base/config.h"
#include "base/error.h"
#include "findmy/provider.h"
#include "store/db.h"

/* The profile in force: the active one of the database, else the file of PROVIDER_PROFILE, else the built-in
 * one. NULL with "profile_invalid" or a database error. */
MUST_CHECK const struct profile *apple_profile(const struct config *config, struct db *db,
                                               struct arena *arena, struct error *err);

/* Connections of this run, closed with the arena. Nothing is asked yet. */
MUST_CHECK struct provider *apple_side_open(const struct config *config, const struct profile *profile,
                                            struct arena *arena, struct error *err);

#endif
