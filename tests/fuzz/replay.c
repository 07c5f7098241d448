/* Runs a fuzz target over the files of its corpus once, so that every build and sanitizer tests them too. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REPLAY_MAX (1u << 20)

static void fail(const char *what, const char *path)
{
    fprintf(stderr, "replay: %s %s\n", what, path);
    exit(1);
}

static void replay(const char *path)
{
    static uint8_t data[REPLAY_MAX];
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        fail("cannot open", path);
    size_t size = fread(data, 1, sizeof(data), file);
    fclose(file);
    /* a copy of exactly this size, so that reading past its end is noticed */
    uint8_t *exact = malloc(size > 0 ? size : 1);
    if (exact == NULL)
        fail("no memory for", path);
    for (size_t i = 0; i < size; i++)
        exact[i] = data[i];
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

int main(int argc, char **argv)
{
    unsigned count = 0;
    if (argc != 2)
        fail("usage: replay", "FOLDER");
    DIR *folder = opendir(argv[1]);
    if (folder == NULL)
        fail("cannot open", argv[1]);
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char path[4096];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s", argv[1], entry->d_name);
        replay(path);
        count++;
    }
    closedir(folder);
    printf("%u inputs\n", count);
    if (count == 0)
        fail("nothing in", argv[1]);
    return 0;
}
