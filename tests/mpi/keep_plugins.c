/* For sanitizer builds: MPI's plug-ins stay mapped, so that LeakSanitizer can name what they have
 * kept and lsan.supp can match it. */
int dlclose(void *handle);

int dlclose(void *handle)
{
    (void)handle;
    return 0;
}
