/* model - what is on disk and what is not; see shim.h. */
#include "tests/crash/shim.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void broken(const char *what)
{
    dprintf(STDERR_FILENO, "crash shim: %s\n", what);
    _exit(99);
}

static void check(bool condition, const char *what)
{
    if (!condition)
        broken(what);
}

/* The shim's own writes must not go through itself. */
static void write_back(int fd, const void *data, size_t length, uint64_t offset)
{
    check(syscall(SYS_pwrite64, fd, data, length, offset) == (long)length, "cannot write back");
}

int real_unlink(const char *path)
{
    return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

int real_rename(const char *from, const char *to)
{
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

static double chance(struct shim *s)
{
    s->random = s->random * 6364136223846793005u + 1442695040888963407u;
    return (double)(s->random >> 40) / (double)(1 << 24);
}

static bool is_below(const struct shim *s, int fd)
{
    char link[64], path[512];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    size_t length = strlen(s->directory);
    return n > (ssize_t)length && strncmp(path, s->directory, length) == 0 && path[length] == '/';
}

/* A descriptor of our own, to write with also when theirs is for reading. */
static int own(int fd)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    return (int)syscall(SYS_openat, AT_FDCWD, link, O_RDWR | O_CLOEXEC);
}

struct file *model_file(struct shim *s, int fd)
{
    struct stat st;
    if (s->directory[0] == '\0' || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return NULL;
    for (size_t i = 0; i < s->file_count; i++) {
        struct file *f = &s->files[i];
        if (f->inode == st.st_ino && f->device == st.st_dev) {
            if (f->fd < 0)
                f->fd = own(fd);
            return f;
        }
    }
    if (!is_below(s, fd))
        return NULL;
    check(s->file_count < FILES_MAX, "too many files");
    struct file *f = &s->files[s->file_count++];
    *f = (struct file){
        .device = st.st_dev, .inode = st.st_ino, .fd = own(fd), .size = (uint64_t)st.st_size};
    return f;
}

static struct page *find_page(struct file *f, uint64_t offset)
{
    for (size_t i = 0; i < f->page_count; i++) {
        if (f->pages[i].offset == offset)
            return &f->pages[i];
    }
    return NULL;
}

void model_dirty(struct shim *s, struct file *f, int fd, uint64_t offset, uint64_t length)
{
    for (uint64_t at = offset / s->page_bytes * s->page_bytes; at < offset + length;
         at += s->page_bytes) {
        struct page *page = find_page(f, at);
        if (page != NULL) {
            page->forgotten = page->punched = false;
            continue;
        }
        if (f->page_count == f->page_room) {
            f->page_room = f->page_room == 0 ? 16 : 2 * f->page_room;
            f->pages = realloc(f->pages, f->page_room * sizeof *f->pages);
            check(f->pages != NULL, "out of memory");
        }
        page = &f->pages[f->page_count++];
        *page = (struct page){.offset = at};
        ssize_t n = pread(fd, page->bytes, s->page_bytes, (off_t)at);
        check(n >= 0, "cannot read what is to be overwritten");
        page->length = (uint32_t)n;
    }
}

/* Holes stay as they are, whatever is lost. */
void model_punched(struct shim *s, struct file *f, int fd, uint64_t offset, uint64_t length)
{
    uint64_t end = offset + length;
    while (offset < end) {
        off_t data = lseek(fd, (off_t)offset, SEEK_DATA);
        if (data < 0 || (uint64_t)data >= end)
            return;
        off_t hole = lseek(fd, data, SEEK_HOLE);
        check(hole > data, "cannot find a hole");
        uint64_t stop = (uint64_t)hole < end ? (uint64_t)hole : end;
        model_dirty(s, f, fd, (uint64_t)data, stop - (uint64_t)data);
        for (uint64_t at = (uint64_t)data / s->page_bytes * s->page_bytes; at < stop;
             at += s->page_bytes)
            find_page(f, at)->punched = true;
        offset = stop;
    }
}

void model_synced(struct shim *s, struct file *f)
{
    size_t kept = 0;
    struct stat st;
    (void)s;
    for (size_t i = 0; i < f->page_count; i++) {
        if (f->pages[i].forgotten)
            f->pages[kept++] = f->pages[i];
    }
    f->page_count = kept;
    if (fstat(f->fd, &st) == 0)
        f->size = (uint64_t)st.st_size;
}

void model_sync_failed(struct file *f)
{
    for (size_t i = 0; i < f->page_count; i++)
        f->pages[i].forgotten = !f->pages[i].punched;
}

void model_step(struct shim *s, enum step_kind kind, const char *from, const char *to)
{
    check(s->step_count < STEPS_MAX, "too many changes of the directory");
    struct step *step = &s->steps[s->step_count++];
    *step = (struct step){.kind = kind};
    snprintf(step->from, sizeof step->from, "%s", from);
    snprintf(step->to, sizeof step->to, "%s", to == NULL ? "" : to);
    const char *lost = kind == STEP_RENAME ? to : kind == STEP_UNLINK ? from : NULL;
    if (lost == NULL || access(lost, F_OK) != 0)
        return;
    snprintf(step->saved, sizeof step->saved, "%.400s/%zu", s->saves, s->saved_count++);
    check(link(lost, step->saved) == 0, "cannot keep a file");
}

void model_steps_synced(struct shim *s)
{
    for (size_t i = 0; i < s->step_count; i++) {
        if (s->steps[i].saved[0] != '\0')
            real_unlink(s->steps[i].saved);
    }
    s->step_count = 0;
}

static void undo_step(const struct step *step)
{
    if (step->kind == STEP_CREATE)
        check(real_unlink(step->from) == 0, "cannot undo a creation");
    if (step->kind == STEP_RENAME)
        check(real_rename(step->to, step->from) == 0, "cannot undo a rename");
    if (step->saved[0] != '\0')
        check(real_rename(step->saved, step->kind == STEP_RENAME ? step->to : step->from) == 0,
              "cannot bring back a file");
}

/* A file that an earlier process had open. */
static int find_file(const char *directory, const struct file *f)
{
    DIR *d = opendir(directory);
    int found = -1;
    for (struct dirent *e; d != NULL && found < 0 && (e = readdir(d)) != NULL;) {
        char path[1024];
        struct stat st;
        snprintf(path, sizeof path, "%s/%s", directory, e->d_name);
        if (stat(path, &st) == 0 && st.st_ino == f->inode && st.st_dev == f->device)
            found = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR);
    }
    if (d != NULL)
        closedir(d);
    return found;
}

static void lose_pages(struct shim *s, struct file *f)
{
    if (f->fd < 0)
        f->fd = find_file(s->directory, f);
    if (f->fd < 0)
        f->fd = find_file(s->saves, f);
    if (f->fd < 0)
        return; /* removed for good */
    for (size_t i = 0; i < f->page_count; i++) {
        const struct page *page = &f->pages[i];
        uint8_t bytes[sizeof page->bytes] = {0};
        if (!page->forgotten && chance(s) >= s->loss)
            continue;
        memcpy(bytes, page->bytes, page->length);
        struct stat st;
        check(fstat(f->fd, &st) == 0, "cannot examine a file");
        if ((uint64_t)st.st_size <= page->offset)
            continue;
        uint64_t left = (uint64_t)st.st_size - page->offset;
        write_back(f->fd, bytes, left < s->page_bytes ? (size_t)left : s->page_bytes, page->offset);
    }
    struct stat st;
    if (fstat(f->fd, &st) == 0 && (uint64_t)st.st_size > f->size && chance(s) < s->loss)
        check(syscall(SYS_ftruncate, f->fd, f->size) == 0, "cannot shorten a file");
}

void model_power_cut(struct shim *s)
{
    for (size_t i = 0; i < s->file_count; i++)
        lose_pages(s, &s->files[i]);
    /* File systems keep changes of one directory in order: some of the last ones are lost. */
    size_t kept = (size_t)(chance(s) * (double)(s->step_count + 1));
    while (s->step_count > kept)
        undo_step(&s->steps[--s->step_count]);
    model_steps_synced(s);
    real_unlink(s->state);
}

void model_save(const struct shim *s)
{
    FILE *to = s->state[0] == '\0' ? NULL : fopen(s->state, "wb");
    if (to == NULL)
        return;
    bool ok = fwrite(s, sizeof *s, 1, to) == 1;
    for (size_t i = 0; ok && i < s->file_count; i++) {
        const struct file *f = &s->files[i];
        ok = f->page_count == 0 || fwrite(f->pages, sizeof *f->pages, f->page_count, to) > 0;
    }
    check(fclose(to) == 0 && ok, "cannot save the state");
}

void model_load(struct shim *s)
{
    FILE *from = s->state[0] == '\0' ? NULL : fopen(s->state, "rb");
    if (from == NULL)
        return;
    struct shim *old = malloc(sizeof *old);
    check(old != NULL && fread(old, sizeof *old, 1, from) == 1, "cannot load the state");
    s->file_count = old->file_count;
    s->step_count = old->step_count;
    s->saved_count = old->saved_count;
    memcpy(s->files, old->files, sizeof s->files);
    memcpy(s->steps, old->steps, sizeof s->steps);
    for (size_t i = 0; i < s->file_count; i++) {
        struct file *f = &s->files[i];
        f->fd = -1;
        f->page_room = f->page_count;
        f->pages = f->page_count == 0 ? NULL : malloc(f->page_count * sizeof *f->pages);
        check(f->page_count == 0 ||
                  (f->pages != NULL &&
                   fread(f->pages, sizeof *f->pages, f->page_count, from) == f->page_count),
              "cannot load the pages");
    }
    fclose(from);
    free(old);
}
