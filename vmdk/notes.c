/* notes - see notes.h. */
#include "vmdk/notes.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct notes {
    pthread_mutex_t lock;
    size_t count, lost;
    char *texts[NOTES_MAX];
};

struct notes *notes_new(void)
{
    struct notes *notes = calloc(1, sizeof *notes);
    if (notes != NULL)
        pthread_mutex_init(&notes->lock, NULL);
    return notes;
}

void notes_free(struct notes *notes)
{
    if (notes == NULL)
        return;
    for (size_t i = 0; i < notes->count; i++)
        free(notes->texts[i]);
    pthread_mutex_destroy(&notes->lock);
    free(notes);
}

void notes_add(struct notes *notes, const char *file, const char *format, ...)
{
    char text[1024];
    int used = snprintf(text, sizeof text, "%.500s: ", file);
    va_list args;
    va_start(args, format);
    vsnprintf(text + used, sizeof text - (size_t)used, format, args);
    va_end(args);
    pthread_mutex_lock(&notes->lock);
    size_t i = 0;
    while (i < notes->count && strcmp(notes->texts[i], text) != 0)
        i++;
    char *copy = i < notes->count || i == NOTES_MAX ? NULL : strdup(text);
    if (copy != NULL)
        notes->texts[notes->count++] = copy;
    else if (i == notes->count)
        notes->lost++;
    pthread_mutex_unlock(&notes->lock);
}

size_t notes_count(struct notes *notes)
{
    pthread_mutex_lock(&notes->lock);
    size_t count = notes->count;
    pthread_mutex_unlock(&notes->lock);
    return count;
}

const char *notes_at(struct notes *notes, size_t i)
{
    return notes->texts[i];
}

size_t notes_lost(struct notes *notes)
{
    pthread_mutex_lock(&notes->lock);
    size_t lost = notes->lost;
    pthread_mutex_unlock(&notes->lock);
    return lost;
}
