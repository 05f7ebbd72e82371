/* A shared object that is none of gwflux's; with GWF_TEST_ORPHAN one that needs another library. */
#ifdef GWF_TEST_ORPHAN
int gwf_test_parent(void);
__attribute__((visibility("default"))) int gwf_test_orphan(void)
{
    return gwf_test_parent();
}
#else
__attribute__((visibility("default"))) int gwf_test_parent(void)
{
    return 1;
}
#endif
