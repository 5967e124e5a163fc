/*
 * oss_install.c
 *		mc-emulator, Object Storage Service part: the moment a change becomes visible, and
 *		changes the fault plan puts off: the client is told of an error, the change is
 *		made later all the same.
 */
#include <stdlib.h>

#include "oss.h"

typedef struct pending
{
	struct pending *next;
	char	   *bucket;
	char	   *key;
	oss_change	change;
	int64_t		due_us;			/* 0 = by the number of writes */
	int64_t		writes;
} pending;

static pending *queue = NULL;

static void
apply(oss_bucket *bucket, oss_change *change, int64_t now_us)
{
	oss_object *old = oss_object_find(bucket, change->key);
	oss_upload *upload = oss_upload_find(bucket, change->key, mcw_str(change->upload));

	if (change->object)
	{
		change->object->created_us = now_us;
		change->object->modified_us = now_us - now_us % OSS_SECOND;
		oss_object_insert(bucket, change->object);
	}
	else if (old)
		oss_object_delete(bucket, old);
	change->object = NULL;
	if (upload)
		oss_upload_drop(bucket, upload);
}

bool
oss_install(oss_call *call, oss_change *change)
{
	pending    *late;
	oss_plan	plan;

	if (change->forbid && oss_object_find(call->bucket, change->key))
	{
		oss_object_free(change->object);
		oss_extra(call, "ObjectName", change->key);
		return oss_error(call, 409, "FileAlreadyExists", "The object you specified already exists and can not be overwritten.");
	}
	if (!emu_fault_armed(call->req, "apply_later"))
	{
		apply(call->bucket, change, call->req->now_us);
		return true;
	}
	late = emu_malloc(sizeof(*late));
	memset(late, 0, sizeof(*late));
	late->bucket = emu_strdup(mcw_str(call->bucket->name));
	late->key = emu_strdup(change->key);
	late->change = *change;
	late->change.key = (mcw_view) {late->key, change->key.len};
	late->writes = emu_fault_param("writes", 0);
	if (late->writes <= 0)
		late->due_us = call->req->now_us + emu_fault_param("ms", oss_set.apply_later_ms) * 1000;
	late->next = queue;
	queue = late;
	call->deferred = true;
	oss_read_plan(&plan, OSS_INTERNAL);
	return oss_error(call, plan.status, plan.code, "%s", plan.message);
}

/* What has not been overtaken: the bucket is there, the upload too, nothing forbids it */
static void
apply_late(pending *late, int64_t now_us)
{
	oss_bucket *bucket = oss_bucket_find(mcw_str(late->bucket));
	oss_change *c = &late->change;

	if (bucket && !(c->forbid && oss_object_find(bucket, c->key)) &&
		(c->upload[0] == '\0' || oss_upload_find(bucket, c->key, mcw_str(c->upload))))
		apply(bucket, c, now_us);
	oss_object_free(c->object);
	free(late->bucket);
	free(late->key);
	free(late);
}

void
oss_install_tick(int64_t now_us, bool write)
{
	pending   **at = &queue;

	while (*at)
	{
		pending    *late = *at;
		bool		due = late->due_us > 0 ? late->due_us <= now_us : write && --late->writes <= 0;

		if (!due)
		{
			at = &late->next;
			continue;
		}
		*at = late->next;
		apply_late(late, now_us);
	}
}

int
oss_install_pending(void)
{
	int			n = 0;

	for (pending *p = queue; p; p = p->next)
		n++;
	return n;
}
