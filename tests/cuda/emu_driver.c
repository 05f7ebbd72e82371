/* A file of the name of the driver's library, for those who look whether there is one. */
int gwf_emu_driver;
