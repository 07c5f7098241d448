/* The bounded pool of threads that run handlers. */
#include <stdlib.h>

#include "http/server_private.h"

struct handlers {
    const struct http_hooks *hooks;
    void (*run)(struct request *req, const struct http_thread *thread);

    pthread_mutex_t lock;
    pthread_cond_t work;           /* a request was pushed, or stopping */
    pthread_cond_t started;        /* a thread is ready or failed */
    struct request *first, **last; /* guarded by lock, as are all below */
    size_t waiting;                /* pushed or reserved */
    size_t limit;
    size_t ready, failed;
    bool stopping;
    struct error err; /* of the first thread that failed */

    _Atomic int64_t busy;
    pthread_t *threads;
    size_t count;
};

static struct request *take(struct handlers *handlers)
{
    pthread_mutex_lock(&handlers->lock);
    while (handlers->first == NULL && !handlers->stopping)
        pthread_cond_wait(&handlers->work, &handlers->lock);
    struct request *req = handlers->first;
    if (req != NULL) {
        handlers->first = req->private_->next;
        if (handlers->first == NULL)
            handlers->last = &handlers->first;
        handlers->waiting--;
    }
    pthread_mutex_unlock(&handlers->lock);
    return req;
}

/* Returns whether the thread may go on. */
static bool start(struct handlers *handlers, struct http_thread *thread)
{
    struct error err = { .code = "", .message = "" };
    const struct http_hooks *hooks = handlers->hooks;
    bool good = hooks->thread_start == NULL || hooks->thread_start(hooks->app, thread, &err);
    pthread_mutex_lock(&handlers->lock);
    if (good)
        handlers->ready++;
    else if (handlers->failed++ == 0)
        handlers->err = err;
    pthread_cond_signal(&handlers->started);
    pthread_mutex_unlock(&handlers->lock);
    return good;
}

static void *thread_main(void *arg)
{
    struct handlers *handlers = arg;
    struct http_thread thread = { 0 };
    struct request *req;
    if (!start(handlers, &thread))
        return NULL;
    while ((req = take(handlers)) != NULL) {
        atomic_fetch_add_explicit(&handlers->busy, 1, memory_order_relaxed);
        handlers->run(req, &thread);
        atomic_fetch_sub_explicit(&handlers->busy, 1, memory_order_relaxed);
    }
    if (handlers->hooks->thread_stop != NULL)
        handlers->hooks->thread_stop(handlers->hooks->app, &thread);
    return NULL;
}

struct handlers *handlers_new(const struct http_server_options *options,
                              void (*run)(struct request *req, const struct http_thread *thread),
                              struct error *err)
{
    struct handlers *handlers = calloc(1, sizeof(*handlers));
    if (handlers == NULL || (handlers->threads = calloc(options->handlers, sizeof(pthread_t))) == NULL)
        abort();
    handlers->hooks = &options->hooks;
    handlers->run = run;
    handlers->last = &handlers->first;
    handlers->limit = options->queue;
    pthread_mutex_init(&handlers->lock, NULL);
    pthread_cond_init(&handlers->work, NULL);
    pthread_cond_init(&handlers->started, NULL);
    while (handlers->count < options->handlers &&
           pthread_create(&handlers->threads[handlers->count], NULL, thread_main, handlers) == 0)
        handlers->count++;

    pthread_mutex_lock(&handlers->lock);
    while (handlers->ready + handlers->failed < handlers->count)
        pthread_cond_wait(&handlers->started, &handlers->lock);
    bool good = handlers->ready == options->handlers;
    pthread_mutex_unlock(&handlers->lock);
    if (good)
        return handlers;
    if (handlers->failed > 0)
        *err = handlers->err;
    else
        error_set(err, "no_threads", "only %zu of %u handler threads could be started", handlers->count,
                  options->handlers);
    handlers_free(handlers);
    return NULL;
}

void handlers_free(struct handlers *handlers)
{
    if (handlers == NULL)
        return;
    pthread_mutex_lock(&handlers->lock);
    handlers->stopping = true;
    pthread_cond_broadcast(&handlers->work);
    pthread_mutex_unlock(&handlers->lock);
    for (size_t i = 0; i < handlers->count; i++)
        pthread_join(handlers->threads[i], NULL);
    pthread_cond_destroy(&handlers->started);
    pthread_cond_destroy(&handlers->work);
    pthread_mutex_destroy(&handlers->lock);
    free(handlers->threads);
    free(handlers);
}

bool handlers_reserve(struct handlers *handlers)
{
    pthread_mutex_lock(&handlers->lock);
    bool room = handlers->waiting < handlers->limit;
    if (room)
        handlers->waiting++;
    pthread_mutex_unlock(&handlers->lock);
    return room;
}

void handlers_push(struct handlers *handlers, struct request *req)
{
    req->private_->next = NULL;
    pthread_mutex_lock(&handlers->lock);
    *handlers->last = req;
    handlers->last = &req->private_->next;
    pthread_mutex_unlock(&handlers->lock);
    pthread_cond_signal(&handlers->work); /* not before: who wakes would only wait for the lock */
}

int64_t handlers_waiting(void *self)
{
    struct handlers *handlers = self;
    pthread_mutex_lock(&handlers->lock);
    int64_t n = (int64_t)handlers->waiting;
    pthread_mutex_unlock(&handlers->lock);
    return n;
}

int64_t handlers_busy(void *self)
{
    return atomic_load_explicit(&((struct handlers *)self)->busy, memory_order_relaxed);
}
