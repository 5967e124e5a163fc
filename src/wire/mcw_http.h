/*
 * mcw_http.h
 *		An HTTP request as signers see it, and the request target it becomes.
 */
#ifndef MCW_HTTP_H
#define MCW_HTTP_H

#include "mcw.h"

#define MCW_MAX_PARAMS 24
#define MCW_MAX_HEADERS 40

typedef struct mcw_pair
{
	mcw_view	name;
	mcw_view	value;			/* data NULL: a flag parameter without "=" */
} mcw_pair;

/*
 * Views must outlive the request.  Names and values of parameters are decoded
 * text; 'path' is decoded too ("/projects/p/tables/t") without an endpoint's own
 * prefix, which is 'path_prefix' ("/api" or empty) and is not signed by ODPS.
 */
typedef struct mcw_request
{
	mcw_view	method;
	mcw_view	path_prefix;
	mcw_view	path;
	mcw_pair	params[MCW_MAX_PARAMS];
	int			nparams;
	mcw_pair	headers[MCW_MAX_HEADERS];
	int			nheaders;
} mcw_request;

typedef struct mcw_credentials
{
	mcw_view	access_key_id;
	mcw_view	access_key_secret;
	mcw_view	security_token;	/* empty = none */
} mcw_credentials;

extern mcw_status mcw_request_param(mcw_request *req, mcw_view name, mcw_view value);	/* MCW_ERR_LIMIT when full */
/* Replaces a header of that name.  Whoever sends the request refuses line ends in it. */
extern mcw_status mcw_request_header(mcw_request *req, mcw_view name, mcw_view value);
extern mcw_view mcw_request_get_header(const mcw_request *req, mcw_view name);	/* absent: data NULL */
extern mcw_view mcw_request_get_param(const mcw_request *req, mcw_view name);

/* path_prefix + percent-encoded path + "?" + encoded parameters, appended to out */
extern mcw_status mcw_request_target(const mcw_request *req, mcw_buf *out);
/*
 * The reverse: split and decode an origin-form target into path and params (views
 * into NUL-terminated arena memory).  If path_prefix was set before and the path
 * begins with it, it is taken off the path; otherwise it is set to empty.
 * Parameters present before are forgotten.  MCW_ERR_FORMAT when the target does
 * not begin with a slash or holds blanks or control bytes.
 */
extern mcw_status mcw_request_parse_target(mcw_request *req, mcw_view target, mcw_arena *arena, mcw_error *err);

#endif							/* MCW_HTTP_H */
