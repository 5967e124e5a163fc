/*
 * mcs_oss_bucket.c
 *		Settings of a bucket that decide what becomes of uploads and objects: lifecycle
 *		rules, versioning (oss.md 3.12).
 */
#include "mcs_oss_private.h"

#include "../wire/mcw_doc.h"

#define MAX_SETTINGS ((size_t) 4 << 20)

/* GET /?<flag>; the tree lives in 'arena' */
static mcw_status
read_setting(mcs_oss *oss, const char *flag, const char *root_name, mcw_arena *arena, mcw_node **root, mcw_error *err)
{
	mcs_oss_call call;
	mcw_view	body;
	mcw_status	status;

	mcs_oss_call_init(&call, oss, "GET", MCW_LIT(""), MAX_SETTINGS);
	mcs_oss_call_param(&call, flag, (mcw_view) {NULL, 0});
	status = mcs_oss_call_run(&call, err);
	if (status == MCW_OK && (status = mcw_arena_copy(arena, mcw_buf_view(&call.req.response), &body)) != MCW_OK)
		status = mcw_fail(err, status, "out of memory for the answer to ?%s", flag);
	mcs_oss_call_free(&call);
	if (status != MCW_OK)
		return status;
	status = mcw_xml_parse(body, arena, root, err);
	if (status == MCW_ERR_FORMAT || (status == MCW_OK && !mcw_view_eq((*root)->name, mcw_str(root_name))))
		return mcw_fail(err, MCW_ERR_PROTOCOL, "the answer to ?%s is not a %s", flag, root_name);
	return status;
}

mcw_status
mcs_oss_abort_days(mcs_oss *oss, mcw_arena *arena, mcs_oss_abort_rule *rule, mcw_error *err)
{
	mcw_node   *root;
	const mcw_node *node;
	mcw_status	status = read_setting(oss, "lifecycle", "LifecycleConfiguration", arena, &root, err);

	memset(rule, 0, sizeof(*rule));
	rule->days = -1;
	if (status == MCW_ERR_SERVICE && mcs_oss_error_is(err, "NoSuchLifecycle"))
		return MCW_OK;
	if (status != MCW_OK)
		return status;
	for (node = mcw_node_get(root, "Rule"); node != NULL; node = mcw_node_next(node, "Rule"))
	{
		const mcw_node *abort = mcw_node_get(node, "AbortMultipartUpload");
		int64_t		days;

		if (abort == NULL || !mcw_view_ieq(mcw_node_text(node, "Status"), MCW_LIT("Enabled")))
			continue;
		/* a date has passed or will: uploads of any age are aborted then */
		if (!mcw_node_int(abort, "Days", &days))
			days = 0;
		if (rule->days < 0 || days < rule->days)
		{
			rule->days = days;
			rule->prefix = mcw_node_text(node, "Prefix");
		}
	}
	return MCW_OK;
}

mcw_status
mcs_oss_versioning(mcs_oss *oss, mcw_arena *arena, mcw_view *state, mcw_error *err)
{
	mcw_node   *root;
	mcw_status	status = read_setting(oss, "versioning", "VersioningConfiguration", arena, &root, err);

	*state = status == MCW_OK ? mcw_node_text(root, "Status") : (mcw_view) {NULL, 0};
	return status;
}
