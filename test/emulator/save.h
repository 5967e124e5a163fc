/*
 * save.h
 *		mc-emulator: what the binary files of --data are made of.
 *
 * Integers of 64 bits in the machine's byte order; texts and bytes with their length
 * before them.
 */
#ifndef EMU_SAVE_H
#define EMU_SAVE_H

#include "emu.h"

extern void emu_put_int(FILE *f, uint64_t v);
extern void emu_put_bytes(FILE *f, mcw_view v);
extern void emu_put_text(FILE *f, const char *s);	/* NULL as the empty one */

/* A file that is read; once bad, all that is still asked for is 0 and empty */
typedef struct emu_saved
{
	FILE	   *f;
	bool		bad;
} emu_saved;

extern uint64_t emu_get_int(emu_saved *s);
/* A number up to a maximum, so that a damaged file cannot ask for everything */
extern uint64_t emu_get_count(emu_saved *s, uint64_t max);
/* Malloced, with a zero byte behind */
extern char *emu_get_bytes(emu_saved *s, uint64_t max, uint64_t *len);
extern char *emu_get_text(emu_saved *s);

#endif							/* EMU_SAVE_H */
