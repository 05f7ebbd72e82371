/* The command `gwflux`: finds the subcommand and runs it. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "io/nc.h"

static const command *const commands[] = {
    &command_import,  &command_quantise, &command_predict,
    &command_prepare, &command_info,     &command_bench,
#ifdef GWF_HAVE_MAGICS
    &command_plot,
#endif
};
enum { COMMANDS = sizeof commands / sizeof *commands };

int exit_code(gwf_status status)
{
    if (status == GWF_OK) return 0;
    return status == GWF_ERR_ARGUMENT ? 2 : status == GWF_ERR_STOPPED ? 3 : 1;
}

int report(gwf_status status, const gwf_error *err)
{
    if (status != GWF_OK)
        fprintf(stderr, "gwflux: error: %s\n", err->text[0] ? err->text : gwf_status_text(status));
    return exit_code(status);
}

static void write_line(void *user, const char *line)
{
    (void)user;
    fprintf(stderr, "gwflux: %s\n", line);
}

const gwf_log stderr_log = {.write = write_line};

static const command *find(const char *name)
{
    for (int i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i]->name, name) == 0) return commands[i];
    return NULL;
}

static int help(const char *topic)
{
    const command *c = topic ? find(topic) : NULL;
    if (c) {
        args_help(c);
        return 0;
    }
    if (topic && strcmp(topic, "plugin") == 0) {
        args_help_plugin();
        return 0;
    }
    printf("gwflux %s: gravity-wave momentum fluxes from nonlocal neural networks\n\n"
           "usage: gwflux COMMAND [options]\n\n",
           gwf_version());
    for (int i = 0; i < COMMANDS; i++)
        printf("  %-10s %s\n", commands[i]->name, commands[i]->summary);
    printf("  %-10s %s\n\n", "help",
           "what a command takes: gwflux help predict; a host model's options: gwflux help plugin");
    if (!topic) return 0;
    fprintf(stderr, "gwflux: error: there is no command %s\n", topic);
    return 2;
}

static int is_help(const char *word)
{
    return strcmp(word, "help") == 0 || strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* Where other programs use the cores too, OpenMP threads that spin while they wait lose whole time
 * slices (up to ten times slower); on a quiet machine short spinning costs nothing. libgomp reads
 * its settings when it is loaded: so the program starts itself once more. */
static void spin_shortly(char **argv)
{
    char self[4096]; /* its own path: started as /proc/self/exe it would be called "exe" */
    if (getenv("OMP_WAIT_POLICY") || getenv("GOMP_SPINCOUNT")) return;
    const ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length <= 0) return;
    self[length] = '\0';
    if (setenv("GOMP_SPINCOUNT", "1000", 0) == 0) execv(self, argv);
}

int main(int argc, char **argv)
{
    gwf_nc_program_start();
    signal(SIGXFSZ, SIG_IGN); /* a file-size limit is an error of the write, not a signal */
    if (argc < 2) {
        help(NULL);
        return 2;
    }
    if (is_help(argv[1])) return help(argc > 2 ? argv[2] : NULL);
    if (strcmp(argv[1], "--version") == 0) {
        printf("gwflux %s\n", gwf_version());
        return 0;
    }
    const command *c = find(argv[1]);
    if (!c) return help(argv[1]);
    if (argc > 2 && is_help(argv[2])) return help(argv[1]);
    if (c->engine || c == &command_prepare || c == &command_quantise) spin_shortly(argv);
    const int code = c->run(argc - 1, argv + 1);
    if (fflush(stdout) == 0 && !ferror(stdout)) return code;
    fprintf(stderr, "gwflux: error: standard output cannot be written\n");
    return code ? code : 1;
}
