/* peak_memory LIMIT_MB COMMAND...: runs the command, prints its peak resident memory; exit 1 when
 * it failed or needed more. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    int status = 0;
    struct rusage usage;
    if (argc < 3) return 2;
    const pid_t child = fork();
    if (child == 0) {
        execvp(argv[2], argv + 2);
        _exit(127);
    }
    if (wait4(child, &status, 0, &usage) != child) return 2;
    const long peak = usage.ru_maxrss / 1024;
    printf("peak %ld MB\n", peak);
    return !(WIFEXITED(status) && WEXITSTATUS(status) == 0 && peak <= strtol(argv[1], NULL, 10));
}
