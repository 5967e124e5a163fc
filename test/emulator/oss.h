/*
 * oss.h
 *		mc-emulator, Object Storage Service part: what its files share.
 *
 * Reference: oss.md 1 (addresses), 2 (signatures), 3 (calls), 8 (what SDKs rely on).
 * Buckets hold objects and open uploads in ordered maps; an object is immutable once
 * it is visible, except for its tags, ACL and, for appendable ones, its end.
 */
#ifndef OSS_H
#define OSS_H

#include "emu.h"
#include "../../src/wire/mcw_hash.h"

#define OSS_SECOND INT64_C(1000000)
#define OSS_MAX_KEY 1023
#define OSS_MAX_META 8192
#define OSS_OWNER "1234567890123456"

/* ---- oss_map.c: an ordered set of nodes by bytes; the node is the first member of its owner ---- */

#define OSS_LEVELS 20

typedef struct oss_node
{
	char	   *key;			/* owned by the node's owner, NUL-terminated besides */
	size_t		key_len;
	int			height;
	struct oss_node **next;		/* 'height' of them, owned by the map */
} oss_node;

typedef struct oss_map
{
	oss_node	head;
	uint64_t	count;
	uint64_t	random;
} oss_map;

extern void oss_map_init(oss_map *map);
extern oss_node *oss_map_find(const oss_map *map, mcw_view key);
extern oss_node *oss_map_seek(const oss_map *map, mcw_view key, bool after);	/* the first >= key, or > key */
extern oss_node *oss_map_first(const oss_map *map);
/* The first node behind everything that begins with 'prefix' */
extern oss_node *oss_map_behind(const oss_map *map, mcw_view prefix);
extern void oss_map_insert(oss_map *map, oss_node *node);	/* no node of that key may be there */
extern void oss_map_remove(oss_map *map, oss_node *node);

static inline oss_node *
oss_next(const oss_node *node)
{
	return node->next[0];
}

static inline mcw_view
oss_key(const oss_node *node)
{
	return (mcw_view) {node->key, node->key_len};
}

/* ---- oss_store.c: buckets and objects ---- */

typedef enum oss_acl
{
	OSS_ACL_DEFAULT, OSS_ACL_PRIVATE, OSS_ACL_READ, OSS_ACL_READ_WRITE
} oss_acl;

typedef enum oss_kind
{
	OSS_NORMAL, OSS_MULTIPART, OSS_APPENDABLE, OSS_SYMLINK
} oss_kind;

typedef struct oss_pair
{
	char	   *name;			/* headers: as they are sent back */
	char	   *value;
} oss_pair;

/* What comes with Put and Initiate and is kept with the object */
typedef struct oss_meta
{
	oss_pair   *headers;		/* Content-Type, Cache-Control, ..., x-oss-meta-* */
	int			nheaders;
	oss_pair   *tags;
	int			ntags;
	oss_acl		acl;
	const char *storage_class;	/* static */
} oss_meta;

typedef struct oss_object
{
	oss_node	node;
	oss_kind	kind;
	emu_blob   *blob;			/* NULL: only size and sums are known */
	uint64_t	size;			/* above the blob's length: the blob is repeated */
	char		etag[48];		/* without quotes */
	bool		has_md5;		/* the ETag is the MD5 of the bytes */
	uint64_t	crc;
	int64_t		created_us;
	int64_t		modified_us;	/* whole seconds */
	bool		sealed;
	char	   *target;			/* of a symlink: key */
	oss_meta	meta;
} oss_object;

typedef struct oss_part
{
	int			number;
	emu_blob   *blob;			/* NULL: discarded */
	uint64_t	size;
	unsigned char md5[16];
	uint64_t	crc;
	int64_t		modified_us;
} oss_part;

typedef struct oss_upload
{
	oss_node	node;			/* key, NUL, id */
	size_t		object_len;		/* of the key */
	const char *id;				/* points into node.key */
	oss_meta	meta;
	bool		sequential;
	bool		forbid;
	oss_part   *parts;			/* by number */
	int			nparts;
	int			parts_cap;
	int64_t		initiated_us;
} oss_upload;

/* An object that came, in place of another or not, or went */
typedef struct oss_changed
{
	char	   *key;
	bool		gone;
	uint64_t	size;
	uint64_t	crc;
} oss_changed;

#define OSS_HISTORY 16384

typedef struct oss_bucket
{
	struct oss_bucket *next;	/* by name */
	char	   *name;
	oss_acl		acl;
	const char *storage_class;
	int64_t		created_us;
	oss_map		objects;
	oss_map		uploads;
	uint64_t	bytes;			/* of the objects */
	char	  **discard;		/* prefixes whose contents are not kept */
	int			ndiscard;
	int			abort_days;		/* lifecycle rule that aborts uploads, as ?lifecycle shows it; 0 = no lifecycle */
	const char *versioning;		/* as ?versioning shows it: "Enabled", "Suspended", NULL; objects have one version all the same */
	oss_changed *history;		/* the last OSS_HISTORY changes, a ring */
	uint64_t	nhistory;		/* ever */
} oss_bucket;

extern oss_bucket *oss_buckets;

extern oss_bucket *oss_bucket_find(mcw_view name);
extern oss_bucket *oss_bucket_create(mcw_view name, int64_t now_us);
extern void oss_bucket_drop(oss_bucket *bucket);	/* with everything in it */
extern bool oss_bucket_name_ok(mcw_view name);
extern bool oss_key_ok(mcw_view key);
extern bool oss_discards(const oss_bucket *bucket, mcw_view key);

extern oss_object *oss_object_find(const oss_bucket *bucket, mcw_view key);
extern oss_object *oss_object_new(mcw_view key, oss_kind kind, int64_t now_us);
/* Bytes, ETag and CRC of a Normal object; takes the reference; 'keep' false: only the sums */
extern void oss_object_content(oss_object *object, emu_blob *blob, bool keep);
extern void oss_object_free(oss_object *object);
extern void oss_object_insert(oss_bucket *bucket, oss_object *object);	/* replaces one of that key */
extern void oss_object_delete(oss_bucket *bucket, oss_object *object);

extern oss_upload *oss_upload_find(const oss_bucket *bucket, mcw_view key, mcw_view id);
extern oss_upload *oss_upload_new(oss_bucket *bucket, mcw_view key, int64_t now_us);
extern void oss_upload_drop(oss_bucket *bucket, oss_upload *upload);
/* Parts of the upload become an object that is not yet visible */
extern oss_object *oss_upload_object(const oss_upload *upload, oss_part **parts, int n, int64_t now_us);

extern void oss_meta_add(oss_meta *meta, const char *name, mcw_view value);	/* a header; replaces one of that name */
extern void oss_meta_tag(oss_meta *meta, mcw_view name, mcw_view value);
extern void oss_meta_clear_tags(oss_meta *meta);
extern void oss_meta_copy(oss_meta *to, const oss_meta *from);
extern void oss_meta_free(oss_meta *meta);

extern const char *oss_acl_name(oss_acl acl);
extern bool oss_acl_parse(mcw_view v, oss_acl *acl);
extern const char *oss_class_parse(mcw_view v);	/* static text, NULL = unknown */
extern const char *oss_kind_name(oss_kind kind);

/* ---- oss_service.c: one request ---- */

typedef struct oss_op oss_op;

typedef struct oss_call
{
	emu_request *req;
	emu_response *resp;
	const oss_op *op;
	mcw_view	bucket_name;	/* empty: a call of the service */
	mcw_view	key;			/* empty: a call of the bucket */
	bool		path_style;
	oss_bucket *bucket;			/* exists, unless the operation makes one */
	bool		anonymous;
	bool		deferred;		/* the change was put off by the fault plan */
	/* what an error says besides */
	mcw_buf		extra;
} oss_call;

typedef enum oss_right
{
	OSS_RIGHT_OWNER,			/* never anonymous */
	OSS_RIGHT_READ,				/* the object, or the bucket's list */
	OSS_RIGHT_WRITE
} oss_right;

struct oss_op
{
	const char *name;
	void		(*run) (oss_call *call);
	oss_right	right;
	bool		writes;
	bool		no_bucket;		/* the bucket need not exist */
	bool		needs_length;	/* 411 without one */
};

/* Answers an error; always false */
extern bool oss_error(oss_call *call, int status, const char *code, const char *fmt, ...) MCW_PRINTF(4, 5);
extern void oss_extra(oss_call *call, const char *element, mcw_view text);	/* before oss_error */
extern bool oss_invalid_argument(oss_call *call, const char *name, mcw_view value, const char *message);	/* false */
extern bool oss_has(const emu_request *req, const char *param);
extern mcw_view oss_param(const emu_request *req, const char *param);	/* data NULL = absent */
extern mcw_view oss_header(const emu_request *req, const char *name);
/* A number parameter; false after answering */
extern bool oss_number(oss_call *call, const char *param, int64_t min, int64_t max, int64_t missing, int64_t *out);
extern void oss_xml_begin(oss_call *call, const char *root);
extern void oss_xml_end(oss_call *call, const char *root);	/* sets status 200 */
extern void oss_xml_text(mcw_buf *out, const char *element, mcw_view text);
extern void oss_xml_name(mcw_buf *out, const char *element, mcw_view text, bool url);	/* key or prefix, encoded if asked */
extern void oss_xml_time(mcw_buf *out, const char *element, int64_t us);
extern void oss_xml_owner(mcw_buf *out);
extern bool oss_url_encoding(oss_call *call, bool *url);	/* false after answering */
extern void oss_etag_header(oss_call *call, const char *etag);
extern void oss_md5_header(oss_call *call, const char *etag);
extern void oss_crc_header(oss_call *call, uint64_t crc);
extern void oss_time_header(oss_call *call, const char *name, int64_t us);
extern void oss_drop_headers(emu_response *resp, const char *name);
extern mcw_view oss_unquote(mcw_view etag);
extern bool oss_no_such_key(oss_call *call);	/* answers; false */
extern void oss_md5_hex(const unsigned char md5[16], char out[33]);
extern void oss_request_id(const emu_request *req, char out[32]);

/* The error a fault rule asks for */
typedef struct oss_plan
{
	int			status;
	char		code[96];
	char		message[256];
} oss_plan;

#define OSS_INTERNAL 500, "InternalError", "We encountered an internal error. Please try again."

/* Of the rule consumed last; the arguments are what it does not say */
extern void oss_read_plan(oss_plan *plan, int status, const char *code, const char *message);
/* If the fault 'kind' is armed: answers the error, or the one its rule names; true */
extern bool oss_planned_error(oss_call *call, const char *kind, int status, const char *code, const char *message);

/* oss_auth.c */
extern bool oss_authenticate(oss_call *call);
extern bool oss_allowed(oss_call *call);	/* ACLs, for anonymous calls */
extern bool oss_body_digest_ok(oss_call *call);

/* oss_install.c: the moment a change becomes visible */
typedef struct oss_change
{
	mcw_view	key;
	oss_object *object;			/* becomes visible; owned.  NULL: the key is deleted */
	bool		forbid;			/* unless one of that key exists */
	char		upload[40];		/* ends with it; empty = none */
} oss_change;

/* Done, or arranged for later; false after answering an error.  Takes the object. */
extern bool oss_install(oss_call *call, oss_change *change);
extern void oss_install_tick(int64_t now_us, bool write);
extern int	oss_install_pending(void);

/* operations */
extern void oss_put_object(oss_call *call);
extern void oss_append_object(oss_call *call);
extern void oss_seal_object(oss_call *call);
extern void oss_copy_object(oss_call *call);
extern void oss_delete_object(oss_call *call);
extern void oss_delete_objects(oss_call *call);
extern void oss_get_object(oss_call *call);
extern void oss_head_object(oss_call *call);
extern void oss_object_meta(oss_call *call);
extern void oss_initiate(oss_call *call);
extern void oss_upload_part(oss_call *call);
extern void oss_upload_part_copy(oss_call *call);
extern void oss_complete(oss_call *call);
extern void oss_abort(oss_call *call);
extern void oss_list_parts(oss_call *call);
extern void oss_list_uploads(oss_call *call);
extern void oss_list_objects(oss_call *call);
extern void oss_list_objects_v2(oss_call *call);
extern void oss_list_buckets(oss_call *call);
extern void oss_put_bucket(oss_call *call);
extern void oss_delete_bucket(oss_call *call);
extern void oss_bucket_location(oss_call *call);
extern void oss_bucket_info(oss_call *call);
extern void oss_bucket_stat(oss_call *call);
extern void oss_get_bucket_acl(oss_call *call);
extern void oss_get_lifecycle(oss_call *call);
extern void oss_get_versioning(oss_call *call);
extern void oss_put_bucket_acl(oss_call *call);
extern void oss_get_object_acl(oss_call *call);
extern void oss_put_object_acl(oss_call *call);
extern void oss_get_tagging(oss_call *call);
extern void oss_put_tagging(oss_call *call);
extern void oss_delete_tagging(oss_call *call);
extern void oss_put_symlink(oss_call *call);
extern void oss_get_symlink(oss_call *call);

/* oss_meta.c: Put headers into a meta; false after answering */
extern bool oss_read_meta(oss_call *call, oss_meta *meta);
extern bool oss_forbids(const emu_request *req);
/* x-oss-copy-source; conditions checked; false after answering */
extern bool oss_copy_source(oss_call *call, oss_object **source);
extern bool oss_read_tags(oss_call *call, mcw_view text, oss_meta *meta);

/* oss_get.c */
extern emu_blob *oss_slice(const oss_object *object, uint64_t from, uint64_t len);	/* own reference */
extern bool oss_etag_list_has(mcw_view list, const char *etag);

typedef enum oss_range
{
	OSS_RANGE_NONE,				/* absent, malformed or several */
	OSS_RANGE_WITHIN,
	OSS_RANGE_CLIPPED,			/* reached beyond the end; 'to' is the last byte */
	OSS_RANGE_OUTSIDE
} oss_range;

extern oss_range oss_parse_range(mcw_view text, uint64_t size, uint64_t *from, uint64_t *to);	/* "bytes=a-b" */

/* oss_command.c, oss_generate.c, oss_save.c */
extern bool oss_command(const mcw_node *cmd, mcw_buf *reply, mcw_error *err);
extern bool oss_generate(const mcw_node *cmd, mcw_buf *reply, mcw_error *err);
extern bool oss_generate_many(const mcw_node *cmd, mcw_buf *reply, mcw_error *err);
extern bool oss_command_bucket(const mcw_node *cmd, oss_bucket **bucket, mcw_error *err);
extern bool oss_command_bytes(const mcw_node *cmd, mcw_buf *out, mcw_error *err);	/* "text" or "base64" */
extern bool oss_command_fail(mcw_error *err, const char *what, mcw_view name);	/* false */
extern void oss_state(mcw_buf *reply);
extern bool oss_save(FILE *out);
extern bool oss_load(FILE *in, mcw_error *err);

/* ---- settings, see docs/emulator.md ---- */

typedef struct oss_settings
{
	char		region[64];		/* V4 scope of hosts that name none; empty = any */
	bool		refuse_path_style;
	int64_t		max_put;
	int64_t		max_part;
	int64_t		min_part;
	int64_t		max_parts;
	int64_t		page_keys;		/* most entries on a page of a listing */
	int64_t		apply_later_ms;
} oss_settings;

typedef struct oss_counters
{
	uint64_t	auth_failures;
	uint64_t	puts;
	uint64_t	parts;
	uint64_t	completes;
	uint64_t	aborts;
	uint64_t	gets;
	uint64_t	deletes;
} oss_counters;

typedef struct oss_cname
{
	struct oss_cname *next;
	char	   *host;
	char	   *bucket;
} oss_cname;

extern oss_settings oss_set;
extern oss_counters oss_count;
extern oss_cname *oss_cnames;

#endif							/* OSS_H */
