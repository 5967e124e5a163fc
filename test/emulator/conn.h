/*
 * conn.h
 *		mc-emulator: one client connection, shared by the loop (http.c) and the request
 *		cycle (conn.c).
 */
#ifndef EMU_CONN_H
#define EMU_CONN_H

#include "core.h"

typedef enum conn_state
{
	CONN_HEAD,					/* waiting for a request head */
	CONN_BODY,
	CONN_HELD,					/* stalled or delayed: see 'wake' */
	CONN_WRITE
} conn_state;

/* What a held connection does when its timer fires, or when its body part is out */
typedef enum conn_next
{
	NEXT_PROCESS, NEXT_WRITE, NEXT_RESUME, NEXT_KEEP, NEXT_CLOSE, NEXT_RESET, NEXT_HOLD
} conn_next;

typedef struct conn
{
	bool		is_listener;
	int			fd;
	emu_service *service;
	conn_state	state;
	conn_next	next;
	uint32_t	events;
	char		peer[48];
	bool		loopback;

	char	   *in;
	size_t		in_len;
	size_t		in_pos;
	size_t		in_cap;

	char	   *head_text;
	emu_head	head;
	emu_chunks	chunks;
	mcw_buf		body;
	mcw_arena	arena;
	emu_request req;
	emu_response resp;
	emu_fault_hit hit;
	bool		close_after;

	char	   *out_head;
	size_t		out_head_len;
	const char *out_body;
	size_t		out_body_len;
	size_t		out_limit;		/* bytes of head + body to send before 'next' */
	size_t		out_done;

	int64_t		deadline;		/* monotonic ms; 0 = none */
	int			heap_at;		/* -1 = not in the heap */
	struct conn *prev_conn;
	struct conn *next_conn;
} conn;

/* http.c */
extern void emu_timer_set(conn *c, int64_t ms);
extern void emu_timer_clear(conn *c);
extern void emu_conn_watch(conn *c, uint32_t events);
extern void emu_conn_close(conn *c, bool reset);	/* freed at the end of the round */

/* conn.c */
extern void emu_conn_init(conn *c);
extern void emu_conn_release(conn *c);	/* everything the current request holds */
extern void emu_conn_event(conn *c, uint32_t events);
extern void emu_conn_wake(conn *c);		/* its timer fired */

#endif							/* EMU_CONN_H */
