#include "coupling/worker.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

struct gwf_worker {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    void (*job)(void *data); /* NULL: none, or done */
    void *data;
    bool end;
};

static void *work(void *user)
{
    gwf_worker *w = user;
    pthread_mutex_lock(&w->lock);
    while (!w->end) {
        if (!w->job) {
            pthread_cond_wait(&w->changed, &w->lock);
            continue;
        }
        pthread_mutex_unlock(&w->lock);
        w->job(w->data);
        pthread_mutex_lock(&w->lock);
        w->job = NULL;
        pthread_cond_broadcast(&w->changed);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* The host's signals are the host's: its own threads get them. */
static int start_thread(gwf_worker *w)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int rc = pthread_create(&w->thread, NULL, work, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

gwf_status gwf_worker_create(gwf_worker **worker, gwf_error *err)
{
    gwf_worker *w = calloc(1, sizeof *w);
    *worker = w;
    if (!w) return gwf_fail(err, GWF_ERR_MEMORY, "no memory for a thread");
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->changed, NULL);
    if (start_thread(w) == 0) return GWF_OK;
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->changed);
    free(w);
    *worker = NULL;
    return gwf_fail(err, GWF_ERR_MEMORY, "the system gives no thread");
}

void gwf_worker_free(gwf_worker **worker)
{
    gwf_worker *w = *worker;
    if (!w) return;
    gwf_worker_wait(w);
    pthread_mutex_lock(&w->lock);
    w->end = true;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->changed);
    free(w);
    *worker = NULL;
}

void gwf_worker_start(gwf_worker *worker, void (*job)(void *data), void *data)
{
    pthread_mutex_lock(&worker->lock);
    worker->data = data;
    worker->job = job;
    pthread_cond_broadcast(&worker->changed);
    pthread_mutex_unlock(&worker->lock);
}

void gwf_worker_wait(gwf_worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    while (worker->job) pthread_cond_wait(&worker->changed, &worker->lock);
    pthread_mutex_unlock(&worker->lock);
}
