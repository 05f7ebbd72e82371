/* Messages to whoever runs the library. The library never prints: it calls this, if set. */
#ifndef GWF_CORE_LOG_H
#define GWF_CORE_LOG_H

typedef struct gwf_log {
    void (*write)(void *user, const char *line); /* one line, no newline; NULL: nobody listens */
    void *user;
} gwf_log;

/* log may be NULL. */
void gwf_log_line(const gwf_log *log, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
