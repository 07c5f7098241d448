/* One file per account: FOLDER/NAME.account, written beside and renamed. */
#include "findmy/account_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/parse.h"

#define SUFFIX   ".account"
#define PATH_LEN 4096

static bool make_path(const struct account_store *store, const char *prefix, const char *name,
                      const char *suffix, char path[PATH_LEN], struct error *err)
{
    if (!account_name_valid(name))
        return error_set(err, "account_invalid", "this is no name of an account");
    int len = snprintf(path, PATH_LEN, "%s/%s%s%s", store->folder, prefix, name, suffix);
    return (len > 0 && len < PATH_LEN) || error_set(err, "account_folder", "the folder's name is too long");
}

/* Parents are made as well. */
bool account_store_open(const struct account_store *store, struct error *err)
{
    char path[PATH_LEN];
    if (store->folder[0] == '\0' || !text_copy(path, sizeof(path), store->folder))
        return error_set(err, "account_folder", "ACCOUNT_FOLDER is not usable");
    for (char *slash = path + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        if (mkdir(path, 0755) != 0 && errno != EEXIST)
            return error_set(err, "account_folder", "cannot make %s: %s", path, strerror(errno));
        *slash = '/';
    }
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return error_set(err, "account_folder", "cannot make %s: %s", path, strerror(errno));
    return true;
}

bool account_store_lock(const struct account_store *store, const char *name, int *fd, struct error *err)
{
    char path[PATH_LEN];
    if (!make_path(store, ".", name, ".lock", path, err))
        return false;
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (*fd >= 0 && flock(*fd, LOCK_EX | LOCK_NB) == 0)
        return true;
    error_set(err, "account_busy", "account %s is in use by another process (%s)", name, strerror(errno));
    if (*fd >= 0)
        close(*fd);
    return false;
}

bool account_store_exists(const struct account_store *store, const char *name)
{
    char path[PATH_LEN];
    return make_path(store, "", name, SUFFIX, path, NULL) && access(path, F_OK) == 0;
}

bool account_store_load(const struct account_store *store, const char *name, struct account *account,
                        struct error *err)
{
    char path[PATH_LEN];
    if (!make_path(store, "", name, SUFFIX, path, err))
        return false;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return error_set(err, errno == ENOENT ? "account_unknown" : "account_read", "account %s: %s", name,
                         errno == ENOENT ? "there is no such account; see `trackerd account add --help`"
                                         : strerror(errno));
    size_t room = ACCOUNT_MAX_STORED + SEAL_OVERHEAD + 1;
    uint8_t *sealed = malloc(room);
    size_t len = sealed != NULL ? fread(sealed, 1, room, file) : 0;
    bool ok = sealed != NULL && ferror(file) == 0;
    fclose(file);
    ok = ok ? account_unseal(account, name, store->sealer, sealed, len, err)
            : error_set(err, "account_read", "account %s cannot be read", name);
    free(sealed);
    return ok || error_prefix(err, "account %s", name);
}

/* A file's new content, on the disk when this returns. */
static bool write_file(const char *path, const struct buf *content)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    bool ok = true;
    for (size_t at = 0; ok && at < content->len;) {
        ssize_t n = write(fd, content->data + at, content->len - at);
        ok = n > 0 || (n < 0 && errno == EINTR);
        at += n > 0 ? (size_t)n : 0;
    }
    ok = ok && fsync(fd) == 0;
    return close(fd) == 0 && ok;
}

static bool sync_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

bool account_store_save(const struct account_store *store, const struct account *account, struct error *err)
{
    char path[PATH_LEN], beside[PATH_LEN];
    struct buf sealed = { 0 };
    if (!make_path(store, "", account->name, SUFFIX, path, err) ||
        !make_path(store, ".", account->name, ".new", beside, err))
        return false;
    bool ok = account_seal(account, store->sealer, &sealed, err);
    if (ok && !(write_file(beside, &sealed) && rename(beside, path) == 0 && sync_folder(store->folder))) {
        ok = error_set(err, "account_write", "cannot write %s: %s", path, strerror(errno));
        unlink(beside);
    }
    buf_free(&sealed);
    return ok;
}

bool account_store_remove(const struct account_store *store, const char *name, struct error *err)
{
    char path[PATH_LEN], lock[PATH_LEN];
    struct stat info;
    if (!make_path(store, "", name, SUFFIX, path, err) || !make_path(store, ".", name, ".lock", lock, err))
        return false;
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set(err, errno == ENOENT ? "account_unknown" : "account_write", "account %s: %s", name,
                         errno == ENOENT ? "there is no such account" : strerror(errno));
    static const char zeros[4096];
    bool ok = fstat(fd, &info) == 0;
    for (off_t at = 0; ok && at < info.st_size; at += (off_t)sizeof(zeros))
        ok = write(fd, zeros, sizeof(zeros)) == (ssize_t)sizeof(zeros);
    ok = fsync(fd) == 0 && ok;
    close(fd);
    if (unlink(path) != 0)
        return error_set(err, "account_write", "cannot remove %s: %s", path, strerror(errno));
    unlink(lock);
    return ok || error_set(err, "account_write", "%s was removed, but could not be overwritten before", path);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

bool account_store_list(const struct account_store *store, struct arena *arena, const char *const **names,
                        struct error *err)
{
    const char **list = arena_zalloc(arena, ACCOUNT_STORE_MAX + 1, sizeof(*list));
    size_t count = 0;
    *names = list;
    DIR *folder = opendir(store->folder);
    if (folder == NULL)
        return errno == ENOENT ||
               error_set(err, "account_folder", "cannot read %s: %s", store->folder, strerror(errno));
    struct dirent *entry;
    while ((entry = readdir(folder)) != NULL && count < ACCOUNT_STORE_MAX) {
        size_t len = strlen(entry->d_name), suffix = strlen(SUFFIX);
        if (len <= suffix || strcmp(entry->d_name + len - suffix, SUFFIX) != 0)
            continue;
        char *name = arena_strndup(arena, entry->d_name, len - suffix);
        if (account_name_valid(name))
            list[count++] = name;
    }
    closedir(folder);
    qsort(list, count, sizeof(*list), by_name);
    return true;
}
