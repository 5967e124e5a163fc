/*
 * core.h
 *		mc-emulator: what the files of the core share among themselves.
 *
 * Not for services: they see emu.h only.
 */
#ifndef EMU_CORE_H
#define EMU_CORE_H

#include "emu.h"

#define EMU_MAX_SERVICES 6
#define EMU_MAX_ARMED 8
#define EMU_LOG_RING 16384

/* What the fault plan wants done to one request */
typedef enum emu_action
{
	EMU_ACT_NONE = 0,
	EMU_ACT_STATUS,				/* error answer, not processed */
	EMU_ACT_STATUS_AFTER,		/* processed, then an error answer */
	EMU_ACT_RESET_BEFORE,
	EMU_ACT_RESET_AFTER,
	EMU_ACT_RESET_MID_BODY,
	EMU_ACT_STALL_BEFORE,
	EMU_ACT_STALL_AFTER,
	EMU_ACT_STALL_MID_BODY,
	EMU_ACT_TRUNCATE_BODY,
	EMU_ACT_CORRUPT_BODY,
	EMU_ACT_DELAY,
	EMU_ACT_DROP,				/* orderly close without an answer, not processed */
	EMU_ACT_CLOSE_AFTER,		/* answered, then closed without saying so */
	EMU_ACT_COMMAND,			/* run a command first, then go on as usual */
	EMU_ACT_SERVICE				/* a kind that the service's handler acts on */
} emu_action;

typedef struct emu_fault_rule emu_fault_rule;

typedef struct emu_fault_hit
{
	emu_action	action;			/* the first that is neither delay nor a service kind */
	char		name[32];		/* of the action or service kind that struck, for the log */
	uint64_t	plan;			/* generation of the plan 'armed' points into */
	int64_t		ms;				/* of the action; -1 = for ever */
	int64_t		delay_ms;		/* sum of all delay rules */
	int			http;
	const char *code;
	const char *message;
	int64_t		at;				/* byte of the body where a mid-body fault strikes, -1 = half */
	uint64_t	seed;
	const emu_fault_rule *armed[EMU_MAX_ARMED];
	int			narmed;
} emu_fault_hit;

/* fault.c */
extern bool emu_fault_load(mcw_view json, mcw_error *err);	/* replaces the plan, restarts its counting */
extern void emu_fault_match(const emu_request *req, emu_fault_hit *hit);
extern void emu_fault_begin(const emu_request *req, emu_fault_hit *hit);	/* its handler runs now */
extern void emu_fault_forget(void);	/* the handler is done */
extern void emu_fault_report(mcw_buf *out);	/* JSON array: rules, matched, fired */
extern uint64_t emu_fault_requests(void);	/* requests since the plan was loaded */
extern void emu_fault_free(void);

/* control.c */
extern void emu_control(emu_request *req, emu_response *resp);
extern void emu_count(const emu_request *req, int status, uint64_t bytes_in, uint64_t bytes_out, const char *fault);
extern void emu_control_free(void);

/* seed.c */
extern bool emu_command(const mcw_node *cmd, const emu_service *fallback, mcw_buf *reply, mcw_error *err);
extern bool emu_command_text(mcw_view text, const emu_service *fallback, mcw_buf *reply, mcw_error *err);
extern bool emu_seed_file(const char *path, mcw_error *err);

/* http.c */
extern int	emu_listen(const char *addr, int port, emu_service *service, mcw_error *err);	/* port, -1 on error */
extern void emu_loop(void);		/* until emu_stop */
extern void emu_http_free(void);
extern volatile int emu_stop;
extern uint64_t emu_max_body;
extern int64_t emu_latency_ms;	/* added to every answer of a service */

/* head.c: parsing of a request head and of chunked bodies */
typedef struct emu_head
{
	bool		keep_alive;
	bool		chunked;
	bool		expect_continue;
	bool		has_length;
	uint64_t	length;
} emu_head;

extern int	emu_parse_head(char *text, size_t len, emu_request *req, emu_head *head, const char **why);	/* 0 or an HTTP status */

typedef struct emu_chunks
{
	int			state;
	uint64_t	left;
	int			digits;
	size_t		trailer;
} emu_chunks;

/* Takes bytes from in[*pos..len) into body; 1 = complete, 0 = more needed, else an HTTP status */
extern int	emu_parse_chunks(emu_chunks *state, const char *in, size_t len, size_t *pos, mcw_buf *body);

/* main.c / util.c */
extern emu_service *emu_services[EMU_MAX_SERVICES];
extern int	emu_nservices;
extern emu_service *emu_find_service(mcw_view name);
extern bool emu_verbose;
extern int64_t emu_clock_real_us(void);
extern int64_t emu_monotonic_ms(void);
extern void emu_clock_freeze(int64_t unix_us);
extern void emu_clock_system(void);
extern void emu_clock_advance(int64_t us);
extern bool emu_clock_frozen(void);
extern bool emu_clock_command(const mcw_node *cmd, mcw_error *err);	/* {"now":t} | {"advance_s":s} | {"system":true} */
extern bool emu_parse_time(mcw_view v, int64_t *unix_us);	/* epoch seconds (also fractional) or ISO 8601, UTC unless it says otherwise */
extern bool emu_add_key(mcw_view id, mcw_view secret, mcw_view token, mcw_error *err);
extern emu_key *emu_key_for_update(mcw_view id);
extern void emu_response_init(emu_response *resp);
extern void emu_response_free(emu_response *resp);

#endif							/* EMU_CORE_H */
