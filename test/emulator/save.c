/*
 * save.c
 *		mc-emulator: what the binary files of --data are made of.
 */
#include "core.h"
#include "save.h"

#define MAX_TEXT ((uint64_t) 1 << 28)

void
emu_put_int(FILE *f, uint64_t v)
{
	(void) fwrite(&v, sizeof(v), 1, f);
}

void
emu_put_bytes(FILE *f, mcw_view v)
{
	emu_put_int(f, v.len);
	if (v.len > 0)
		(void) fwrite(v.data, 1, v.len, f);
}

void
emu_put_text(FILE *f, const char *s)
{
	emu_put_bytes(f, mcw_str(s ? s : ""));
}

uint64_t
emu_get_int(emu_saved *s)
{
	uint64_t	v = 0;

	if (!s->bad && fread(&v, sizeof(v), 1, s->f) != 1)
		s->bad = true;
	return s->bad ? 0 : v;
}

uint64_t
emu_get_count(emu_saved *s, uint64_t max)
{
	uint64_t	v = emu_get_int(s);

	if (v > max)
		s->bad = true;
	return s->bad ? 0 : v;
}

char *
emu_get_bytes(emu_saved *s, uint64_t max, uint64_t *len)
{
	char	   *p;

	*len = emu_get_count(s, max);
	p = emu_malloc(*len + 1);
	if (*len > 0 && fread(p, 1, *len, s->f) != *len)
	{
		s->bad = true;
		*len = 0;
	}
	p[*len] = '\0';
	return p;
}

char *
emu_get_text(emu_saved *s)
{
	uint64_t	len;

	return emu_get_bytes(s, MAX_TEXT, &len);
}
