/* trackerd places: loads the towns by which the offline geocoder names positions. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/database.h"
#include "geocode/places_load.h"

static int load(struct db *db, struct arena *arena, const struct places_files *files, bool if_empty)
{
    struct error err;
    struct places_report report;
    int64_t count = 0;
    db_use(db, arena, NULL);
    if (if_empty && !places_count(db, &count, &err))
        return cli_fail(&err);
    if (count > 0) {
        printf("%" PRId64 " places are loaded already\n", count);
        return EXIT_OK;
    }
    if (!places_load(db, arena, files, &report, &err))
        return cli_fail(&err);
    printf("read %" PRId64 " lines, skipped %" PRId64 "; wrote %" PRId64 " places, removed %" PRId64
           "; now %" PRId64 " places with %" PRId64 " regions (GeoNames, CC BY 4.0)\n",
           report.lines, report.skipped, report.written, report.removed, report.places, report.regions);
    return EXIT_OK;
}

static int load_into_database(const struct config *config, const struct places_files *files, bool if_empty)
{
    struct error err;
    struct db *db = cli_database(config, "trackerd places", &err);
    if (db == NULL)
        return cli_fail(&err);
    struct arena *arena = arena_new();
    int status = load(db, arena, files, if_empty);
    db_free(db);
    arena_free(arena);
    return status;
}

/* GeoNames keeps the names of regions in a file of its own beside the gazetteers. */
static const char *regions_beside(struct arena *arena, const char *places)
{
    const char *slash = strrchr(places, '/');
    int folder = slash != NULL ? (int)(slash + 1 - places) : 0;
    const char *path = arena_printf(arena, "%.*sadmin1CodesASCII.txt", folder, places);
    return access(path, R_OK) == 0 ? path : NULL;
}

static int run(int argc, char **argv, const struct config *config)
{
    const char *standard = NULL, *if_empty = NULL, *regions = NULL;
    int positional;
    const struct cli_option options[] = {
        { "--default", true, &standard },
        { "--if-empty", true, &if_empty },
        { "--regions", false, &regions },
    };
    if (!cli_options(argc, argv, options, ARRAY_LEN(options), &positional))
        return EXIT_USAGE;
    if (positional == 0 || strcmp(argv[1], "load") != 0)
        return cli_usage("places", positional == 0 ? "which action? load" : "unknown action %s", argv[1]);
    if (positional > 2)
        return cli_usage("places", "unexpected argument %s", argv[3]);
    if ((positional == 2) == (standard != NULL))
        return cli_usage("places", "load takes either a FILE or --default");

    struct arena *arena = arena_new();
    struct places_files files = { .places = argv[2], .regions = regions };
    if (standard != NULL)
        files.places = arena_printf(arena, "%s/cities500.txt", config->places_folder);
    if (regions == NULL)
        files.regions = regions_beside(arena, files.places);
    int status = load_into_database(config, &files, if_empty != NULL);
    arena_free(arena);
    return status;
}

const struct command cmd_places = {
    .name = "places",
    .summary = "load the towns for geocoding without the internet",
    .help = "Usage: trackerd places load FILE [--regions FILE] [--if-empty]\n"
            "       trackerd places load --default [--if-empty]\n\n"
            "Makes the database's towns those of a GeoNames gazetteer (cities500.txt, DE.txt,\n"
            "allCountries.txt, … unpacked), in one transaction: new ones are added, changed ones\n"
            "corrected, others removed. Of a gazetteer with mountains and rivers only the populated\n"
            "places are taken. Names that positions have got already stay.\n\n"
            "  --default        take cities500.txt from PLACES_FOLDER, where `make deps` puts it\n"
            "  --regions FILE   admin1CodesASCII.txt, for the names of regions; else the one beside FILE\n"
            "  --if-empty       do nothing when there are towns already\n\n"
            "DATABASE_URL names the database; the login of the workers or the owner's will do.\n"
            "GeoNames' data are licensed under CC BY 4.0: https://www.geonames.org\n",
    .settings = true,
    .run = run,
};
