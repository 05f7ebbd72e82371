/* watch_memory NAME COMMAND...: runs a command that reads files NAME0.nc, NAME1.nc, ... one after
 * the other while it writes a .part, and looks at its memory and open files then. Prints a line
 *
 *   files A and B: early MEMORY kB OPEN, late MEMORY kB OPEN
 *
 * early: the first look at a file after the first one; late: the last look. Its exit code is the
 * command's; files -1 stand for no look. */
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef struct look {
    int file; /* the number in NAMEnumber.nc; -1: none is open, or no .part */
    long memory;
    int open;
} look;

static int number_in(const char *path, const char *name)
{
    int number = -1, used = 0;
    const char *slash = strrchr(path, '/');
    const size_t length = strlen(name);
    if (!slash || strncmp(slash + 1, name, length) != 0) return -1;
    if (sscanf(slash + 1 + length, "%d.nc%n", &number, &used) != 1 || used == 0) return -1;
    return number;
}

static bool ends_in(const char *path, const char *end)
{
    const size_t length = strlen(path), n = strlen(end);
    return length >= n && strcmp(path + length - n, end) == 0;
}

static look look_at(pid_t pid, const char *name)
{
    look l = {.file = -1};
    bool writing = false;
    char path[300], target[4096];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        snprintf(path, sizeof path, "/proc/%d/fd/%.200s", (int)pid, entry->d_name);
        const ssize_t length = readlink(path, target, sizeof target - 1);
        if (length <= 0) continue;
        target[length] = '\0';
        l.open++;
        writing |= ends_in(target, ".part");
        const int number = number_in(target, name);
        if (number > l.file) l.file = number;
    }
    if (folder) closedir(folder);
    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    FILE *file = fopen(path, "r");
    if (!file || fscanf(file, "%*d %ld", &l.memory) != 1 || !writing) l.file = -1;
    if (file) fclose(file);
    l.memory *= sysconf(_SC_PAGESIZE) / 1024;
    return l;
}

int main(int argc, char **argv)
{
    const struct timespec nap = {0, 3000000};
    look early = {.file = -1}, late = {.file = -1};
    int status = 0;
    if (argc < 3) return 2;
    const pid_t child = fork();
    if (child == 0) {
        execvp(argv[2], argv + 2);
        _exit(127);
    }
    while (waitpid(child, &status, WNOHANG) == 0) {
        const look now = look_at(child, argv[1]);
        if (now.file > 0 && early.file < 0) early = now;
        if (now.file > early.file) late = now;
        nanosleep(&nap, NULL);
    }
    printf("files %d and %d: early %ld kB %d, late %ld kB %d\n", early.file, late.file,
           early.memory, early.open, late.memory, late.open);
    if (!WIFEXITED(status)) return 98;
    return WEXITSTATUS(status);
}
