/* asan.c - company for programs built with AddressSanitizer, whose run time, if it is a shared object, refuses to
 * work behind a preloaded library. Behind this one it can: what we call is found by RTLD_NEXT, its own functions
 * first. It asks this function for its options; those of the program and of ASAN_OPTIONS count more. */
const char *sockshim_asan_options(void) __asm__("__asan_default_options") __attribute__((visibility("default")));

const char *sockshim_asan_options(void)
{
	return "verify_asan_link_order=0";
}
