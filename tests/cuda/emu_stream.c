/* Streams, events and graphs of the emulated GPU. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "emu.h"

/* Something in a stream: an action, or a wait for an item of another stream (or neither: a mark).
 */
typedef struct item {
    struct item *next; /* in the same stream */
    emu_action *action;
    void *arguments;
    struct item *after; /* what has to be done before */
    struct CUstream_st *stream;
    double cost, time; /* of the clock when it was done */
    bool done;
    struct item *all; /* in the list of all items, for the end */
} item;

struct CUstream_st {
    item *first_left, *last;  /* not done yet; the last of all */
    struct CUstream_st *next; /* in the list of those that were created */
    struct CUgraph_st *capture;
};

struct CUevent_st {
    item *mark;
};

/* A recorded graph: a list of what was enqueued, in order; `stream` is a number. */
typedef struct node {
    struct node *next;
    emu_action *action;
    void *arguments;
    size_t size;
    int stream, after; /* after: number of a node, -1: none */
    double cost;
    bool mark;
} node;

typedef struct member {
    cudaStream_t stream;
    int last; /* its last node, -1: none */
    bool joined;
} member;

enum { MEMBERS = 16 };

struct CUgraph_st {
    node *first, *last;
    int nodes;
    member members[MEMBERS];
    int n_members;
    bool broken;
};

static item *all_items;
static long actions;
static double now; /* the GPU's clock: everything one after the other */

/* ---- doing what is left ---- */

static void demand(item *wanted)
{
    if (!wanted || wanted->done) return;
    struct CUstream_st *stream = wanted->stream;
    while (!wanted->done) {
        item *next = stream->first_left;
        if (next->after) demand(next->after);
        if (next->action) {
            actions++;
            next->action(next->arguments);
        }
        free(next->arguments);
        next->arguments = NULL;
        now += next->cost;
        next->time = now;
        next->done = true;
        stream->first_left = next->next;
    }
}

static item *append(cudaStream_t stream)
{
    item *i = calloc(1, sizeof *i);
    if (!i) abort();
    i->stream = stream;
    i->all = all_items;
    all_items = i;
    if (stream->first_left)
        stream->last->next = i;
    else
        stream->first_left = i;
    stream->last = i;
    return i;
}

__attribute__((destructor)) static void forget_items(void)
{
    while (all_items) {
        item *next = all_items->all;
        free(all_items->arguments);
        free(all_items);
        all_items = next;
    }
}

long emu_actions(void)
{
    return actions;
}

static struct CUstream_st *created;

void emu_hurry(cudaStream_t stream)
{
    if (stream->first_left == stream->last && !stream->capture) demand(stream->last);
}

double emu_clock(void)
{
    return now + emu_number("GWF_EMU_BUILD", 0) * (double)emu_plans_made();
}

int emu_spoil_capture(cudaStream_t stream)
{
    if (stream->capture) stream->capture->broken = true;
    return stream->capture != NULL;
}

void emu_finish(void)
{
    for (struct CUstream_st *s = created; s; s = s->next)
        if (s->first_left) demand(s->last);
}

/* ---- graphs ---- */

static member *member_of(cudaGraph_t graph, cudaStream_t stream)
{
    for (int i = 0; i < graph->n_members; i++)
        if (graph->members[i].stream == stream) return &graph->members[i];
    return NULL;
}

static node *append_node(cudaGraph_t graph, cudaStream_t stream)
{
    node *n = calloc(1, sizeof *n);
    if (!n) abort();
    member *m = member_of(graph, stream);
    n->after = -1;
    n->stream = (int)(m - graph->members);
    m->last = graph->nodes++;
    m->joined = false;
    if (graph->last)
        graph->last->next = n;
    else
        graph->first = n;
    graph->last = n;
    return n;
}

/* Events that were recorded while a graph was: which node they mark. */
enum { MARKS = 64 };
static struct {
    cudaEvent_t event;
    cudaGraph_t graph;
    cudaStream_t stream;
    int node;
} marks[MARKS];
static int n_marks;

static void capture_record(cudaEvent_t event, cudaStream_t stream)
{
    int at = 0;
    while (at < n_marks && marks[at].event != event) at++;
    if (at == MARKS) abort();
    if (at == n_marks) n_marks++;
    append_node(stream->capture, stream)->mark = true;
    marks[at].event = event;
    marks[at].graph = stream->capture;
    marks[at].stream = stream;
    marks[at].node = stream->capture->nodes - 1;
}

/* A stream that waits for a recorded event becomes part of the recording. */
static cudaError_t capture_wait(cudaStream_t stream, int at)
{
    cudaGraph_t graph = marks[at].graph;
    if (!member_of(graph, stream)) {
        if (graph->n_members == MEMBERS) abort();
        graph->members[graph->n_members++] = (member){stream, -1, false};
        stream->capture = graph;
    }
    append_node(graph, stream)->after = marks[at].node;
    member_of(graph, marks[at].stream)->joined = true;
    return cudaSuccess;
}

/* ---- the calls ---- */

#define EMU(call)                                                                                  \
    do {                                                                                           \
        const int emu_error_ = emu_fails(#call);                                                   \
        if (emu_error_) return (cudaError_t)emu_error_;                                            \
    } while (0)

cudaError_t emu_enqueue(cudaStream_t stream, emu_action *action, void *arguments, double cost)
{
    if (stream->capture) {
        node *n = append_node(stream->capture, stream);
        n->action = action;
        n->arguments = arguments;
        n->size = arguments ? *(size_t *)arguments : 0; /* every argument begins with its size */
        n->cost = cost;
        return cudaSuccess;
    }
    item *i = append(stream);
    i->action = action;
    i->arguments = arguments;
    i->cost = cost;
    return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags)
{
    EMU(cudaStreamCreateWithFlags);
    if (flags != cudaStreamNonBlocking) return cudaErrorInvalidValue;
    *stream = calloc(1, sizeof **stream);
    if (!*stream) return cudaErrorMemoryAllocation;
    (*stream)->next = created;
    created = *stream;
    return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    if (stream->first_left) demand(stream->last);
    for (struct CUstream_st **s = &created; *s; s = &(*s)->next)
        if (*s == stream) {
            *s = stream->next;
            break;
        }
    free(stream);
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    EMU(cudaStreamSynchronize);
    if (stream->capture) {
        stream->capture->broken = true;
        return cudaErrorStreamCaptureUnsupported;
    }
    if (stream->first_left) demand(stream->last);
    return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags)
{
    EMU(cudaEventCreateWithFlags);
    (void)flags;
    *event = calloc(1, sizeof **event);
    return *event ? cudaSuccess : cudaErrorMemoryAllocation;
}

cudaError_t cudaEventCreate(cudaEvent_t *event)
{
    return cudaEventCreateWithFlags(event, 0);
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    for (int i = 0; i < n_marks; i++)
        if (marks[i].event == event) marks[i] = marks[--n_marks];
    free(event);
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    EMU(cudaEventRecord);
    static struct CUstream_st legacy; /* stream 0 of the caller's own */
    if (!stream) stream = &legacy;
    if (stream->capture)
        capture_record(event, stream);
    else
        event->mark = append(stream);
    return cudaSuccess;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags)
{
    EMU(cudaStreamWaitEvent);
    if (flags) return cudaErrorInvalidValue;
    for (int i = 0; i < n_marks; i++)
        if (marks[i].event == event && marks[i].stream->capture == marks[i].graph)
            return capture_wait(stream, i);
    if (stream->capture) return cudaErrorStreamCaptureIsolation;
    append(stream)->after = event->mark;
    return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
    EMU(cudaEventSynchronize);
    demand(event->mark);
    return cudaSuccess;
}

cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t start, cudaEvent_t end)
{
    EMU(cudaEventElapsedTime);
    if (!start->mark || !end->mark) return cudaErrorInvalidResourceHandle;
    if (!start->mark->done || !end->mark->done) return cudaErrorNotReady;
    *ms = (float)(1e3 * (end->mark->time - start->mark->time));
    return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, enum cudaStreamCaptureMode mode)
{
    EMU(cudaStreamBeginCapture);
    if (mode != cudaStreamCaptureModeThreadLocal || stream->capture) return cudaErrorIllegalState;
    stream->capture = calloc(1, sizeof *stream->capture);
    if (!stream->capture) return cudaErrorMemoryAllocation;
    stream->capture->members[0] = (member){stream, -1, true};
    stream->capture->n_members = 1;
    return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
    while (graph->first) {
        node *next = graph->first->next;
        free(graph->first->arguments);
        free(graph->first);
        graph->first = next;
    }
    free(graph);
    return cudaSuccess;
}

/* What side streams have begun the first one must have waited for. */
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph)
{
    cudaGraph_t g = stream->capture;
    *graph = NULL;
    if (!g) return cudaErrorIllegalState;
    bool joined = !g->broken && !emu_fails("cudaStreamEndCapture");
    for (int i = 0; i < g->n_members; i++) {
        g->members[i].stream->capture = NULL;
        if (i > 0 && !g->members[i].joined) joined = false;
    }
    if (joined) {
        *graph = g;
        return cudaSuccess;
    }
    cudaGraphDestroy(g);
    return cudaErrorStreamCaptureUnjoined;
}

struct CUgraphExec_st {
    node *nodes; /* copies */
    int count, streams;
};

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long flags)
{
    EMU(cudaGraphInstantiate);
    if (flags) return cudaErrorInvalidValue;
    cudaGraphExec_t e = calloc(1, sizeof *e);
    node *nodes = calloc((size_t)graph->nodes + 1, sizeof *nodes);
    if (!e || !nodes) abort();
    *e = (struct CUgraphExec_st){nodes, graph->nodes, graph->n_members};
    int i = 0;
    for (const node *n = graph->first; n; n = n->next, i++) {
        nodes[i] = *n;
        if (!n->arguments) continue;
        nodes[i].arguments = malloc(n->size);
        memcpy(nodes[i].arguments, n->arguments, n->size);
    }
    *exec = e;
    return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec)
{
    for (int i = 0; i < exec->count; i++) free(exec->nodes[i].arguments);
    free(exec->nodes);
    free(exec);
    return cudaSuccess;
}

/* One launch: streams of its own that begin after what the stream has, and that it waits for. */
typedef struct launch {
    struct CUstream_st streams[MEMBERS];
} launch;

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream)
{
    EMU(cudaGraphLaunch);
    if (stream->capture) return cudaErrorStreamCaptureUnsupported;
    static launch *launches[4096]; /* kept: items point at their streams */
    static int n;
    launch *l = calloc(1, sizeof *l);
    item **made = calloc((size_t)exec->count + 1, sizeof *made);
    if (!l || !made) abort();
    if (n == 4096) n = 0; /* by then those are long done */
    if (launches[n]) free(launches[n]);
    launches[n++] = l;
    item *before = append(stream);
    append(&l->streams[0])->after = before;
    for (int i = 0; i < exec->count; i++) {
        const node *from = &exec->nodes[i];
        item *to = made[i] = append(&l->streams[from->stream]);
        to->action = from->action;
        to->cost = from->cost;
        if (from->after >= 0) to->after = made[from->after];
        if (!from->arguments) continue;
        to->arguments = malloc(from->size);
        memcpy(to->arguments, from->arguments, from->size);
    }
    append(stream)->after = append(&l->streams[0]);
    free(made);
    return cudaSuccess;
}
