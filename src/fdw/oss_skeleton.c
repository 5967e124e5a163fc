/*
 * oss_skeleton.c
 *		Weak traps for what is not linked in yet, so that the library always loads.
 */
__asm__(".weak mcn_response_drain\n.set mcn_response_drain, mc_missing");

extern void mc_missing(void);

void
mc_missing(void)
{
	__builtin_trap();
}
