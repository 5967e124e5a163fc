/*
 * oss_bucket.c
 *		mc-emulator, Object Storage Service part: calls on buckets, and ListBuckets.
 *
 * Reference: oss.md 3.12.
 */
#include <stdlib.h>

#include "oss.h"

/* oss-cn-hangzhou and the like */
static void
put_location(mcw_buf *b, const char *element)
{
	(void) mcw_buf_printf(b, "<%s>oss-%s</%s>", element, oss_set.region[0] ? oss_set.region : "cn-hangzhou", element);
}

static void
put_endpoints(mcw_buf *b)
{
	const char *region = oss_set.region[0] ? oss_set.region : "cn-hangzhou";

	(void) mcw_buf_printf(b, "<ExtranetEndpoint>oss-%s.aliyuncs.com</ExtranetEndpoint>"
						  "<IntranetEndpoint>oss-%s-internal.aliyuncs.com</IntranetEndpoint>", region, region);
}

/* "x-oss-acl" of PutBucket and PutBucketAcl; false after answering */
static bool
read_acl(oss_call *call, bool required, oss_acl *acl)
{
	mcw_view	given = oss_header(call->req, "x-oss-acl");

	if (given.len == 0 && !required)
		return true;
	if (oss_acl_parse(given, acl) && *acl != OSS_ACL_DEFAULT)
		return true;
	return oss_invalid_argument(call, "x-oss-acl", given, "no such bucket access control exists");
}

void
oss_put_bucket(oss_call *call)
{
	oss_acl		acl = call->bucket ? call->bucket->acl : OSS_ACL_PRIVATE;
	const char *class = "Standard";
	mcw_node   *root = NULL;
	mcw_error	err;

	if (!read_acl(call, false, &acl))
		return;
	if (call->req->body.len > 0)
	{
		mcw_view	given;

		if (mcw_xml_parse(call->req->body, call->req->arena, &root, &err) != MCW_OK ||
			!mcw_view_eq(root->name, MCW_LIT("CreateBucketConfiguration")))
		{
			(void) oss_error(call, 400, "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema.");
			return;
		}
		given = mcw_node_text(root, "StorageClass");
		class = given.len > 0 ? oss_class_parse(given) : class;
		if (class == NULL)
		{
			(void) oss_invalid_argument(call, "StorageClass", given, "The storage class is invalid.");
			return;
		}
	}
	if (call->bucket == NULL)
	{
		call->bucket = oss_bucket_create(call->bucket_name, call->req->now_us);
		call->bucket->storage_class = class;
	}
	call->bucket->acl = acl;
	emu_header_add(call->resp, "Location", "/%s", call->bucket->name);
	call->resp->status = 200;
}

void
oss_delete_bucket(oss_call *call)
{
	if (call->bucket->objects.count > 0 || call->bucket->uploads.count > 0)
	{
		oss_extra(call, "BucketName", call->bucket_name);
		(void) oss_error(call, 409, "BucketNotEmpty", "The bucket has objects or uploads in it. Please delete them first.");
		return;
	}
	oss_bucket_drop(call->bucket);
	call->bucket = NULL;
	call->resp->status = 204;
}

void
oss_bucket_location(oss_call *call)
{
	(void) mcw_buf_append_str(&call->resp->body, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
	put_location(&call->resp->body, "LocationConstraint");
	call->resp->status = 200;
	emu_header_add(call->resp, "Content-Type", "application/xml");
}

static void
put_acl(mcw_buf *b, oss_acl acl)
{
	(void) mcw_buf_printf(b, "<AccessControlList><Grant>%s</Grant></AccessControlList>", oss_acl_name(acl));
}

void
oss_bucket_info(oss_call *call)
{
	mcw_buf    *b = &call->resp->body;

	oss_xml_begin(call, "BucketInfo");
	(void) mcw_buf_append_str(b, "<Bucket>");
	oss_xml_time(b, "CreationDate", call->bucket->created_us);
	put_endpoints(b);
	put_location(b, "Location");
	oss_xml_text(b, "StorageClass", mcw_str(call->bucket->storage_class));
	(void) mcw_buf_append_str(b, "<TransferAcceleration>Disabled</TransferAcceleration><CrossRegionReplication>Disabled</CrossRegionReplication>"
							  "<DataRedundancyType>LRS</DataRedundancyType><AccessMonitor>Disabled</AccessMonitor>");
	oss_xml_text(b, "Name", mcw_str(call->bucket->name));
	(void) mcw_buf_append_str(b, "<ResourceGroupId>rg-default-id</ResourceGroupId>");
	oss_xml_owner(b);
	put_acl(b, call->bucket->acl);
	(void) mcw_buf_append_str(b, "<Comment></Comment></Bucket>");
	oss_xml_end(call, "BucketInfo");
}

void
oss_bucket_stat(oss_call *call)
{
	mcw_buf    *b = &call->resp->body;
	uint64_t	parts = 0;

	for (oss_node *n = oss_map_first(&call->bucket->uploads); n; n = oss_next(n))
		parts += ((oss_upload *) n)->nparts;
	oss_xml_begin(call, "BucketStat");
	(void) mcw_buf_printf(b, "<Storage>%llu</Storage><ObjectCount>%llu</ObjectCount><MultipartUploadCount>%llu</MultipartUploadCount>"
						  "<MultipartPartCount>%llu</MultipartPartCount><LiveChannelCount>0</LiveChannelCount><LastModifiedTime>%lld</LastModifiedTime>",
						  (unsigned long long) call->bucket->bytes, (unsigned long long) call->bucket->objects.count,
						  (unsigned long long) call->bucket->uploads.count, (unsigned long long) parts,
						  (long long) (call->req->now_us / OSS_SECOND));
	oss_xml_end(call, "BucketStat");
}

void
oss_get_bucket_acl(oss_call *call)
{
	oss_xml_begin(call, "AccessControlPolicy");
	oss_xml_owner(&call->resp->body);
	put_acl(&call->resp->body, call->bucket->acl);
	oss_xml_end(call, "AccessControlPolicy");
}

void
oss_get_lifecycle(oss_call *call)
{
	if (call->bucket->abort_days == 0)
	{
		(void) oss_error(call, 404, "NoSuchLifecycle", "No Row found in Lifecycle Table.");
		return;
	}
	oss_xml_begin(call, "LifecycleConfiguration");
	(void) mcw_buf_printf(&call->resp->body,
						  "<Rule><ID>abort</ID><Prefix></Prefix><Status>Enabled</Status><AbortMultipartUpload>"
						  "<Days>%d</Days></AbortMultipartUpload></Rule>", call->bucket->abort_days);
	oss_xml_end(call, "LifecycleConfiguration");
}

void
oss_get_versioning(oss_call *call)
{
	oss_xml_begin(call, "VersioningConfiguration");
	if (call->bucket->versioning)
		(void) mcw_buf_printf(&call->resp->body, "<Status>%s</Status>", call->bucket->versioning);
	oss_xml_end(call, "VersioningConfiguration");
}

void
oss_put_bucket_acl(oss_call *call)
{
	oss_acl		acl;

	if (!read_acl(call, true, &acl))
		return;
	call->bucket->acl = acl;
	call->resp->status = 200;
}

void
oss_list_buckets(oss_call *call)
{
	mcw_view	prefix = oss_param(call->req, "prefix");
	mcw_view	marker = oss_param(call->req, "marker");
	mcw_buf    *b = &call->resp->body;
	const oss_bucket *last = NULL;
	bool		truncated = false;
	int64_t		max;
	int64_t		n = 0;
	mcw_buf		list;

	if (!oss_number(call, "max-keys", 1, 1000, 100, &max))
		return;
	mcw_buf_init(&list, &mcw_malloc, (size_t) 1 << 26);
	for (const oss_bucket *k = oss_buckets; k; k = k->next)
	{
		mcw_view	name = mcw_str(k->name);

		if ((marker.len > 0 && mcw_view_cmp(name, marker) <= 0) || name.len < prefix.len ||
			(prefix.len > 0 && memcmp(name.data, prefix.data, prefix.len) != 0))
			continue;
		if (n == max)
		{
			truncated = true;
			break;
		}
		n++;
		last = k;
		(void) mcw_buf_append_str(&list, "<Bucket>");
		oss_xml_time(&list, "CreationDate", k->created_us);
		put_endpoints(&list);
		put_location(&list, "Location");
		oss_xml_text(&list, "Name", name);
		oss_xml_text(&list, "Region", mcw_str(oss_set.region[0] ? oss_set.region : "cn-hangzhou"));
		oss_xml_text(&list, "StorageClass", mcw_str(k->storage_class));
		(void) mcw_buf_append_str(&list, "</Bucket>\n");
	}
	oss_xml_begin(call, "ListAllMyBucketsResult");
	oss_xml_text(b, "Prefix", prefix);
	oss_xml_text(b, "Marker", marker);
	(void) mcw_buf_printf(b, "<MaxKeys>%lld</MaxKeys><IsTruncated>%s</IsTruncated>", (long long) max, truncated ? "true" : "false");
	oss_xml_text(b, "NextMarker", truncated && last ? mcw_str(last->name) : MCW_LIT(""));
	oss_xml_owner(b);
	(void) mcw_buf_append_str(b, "<Buckets>\n");
	(void) mcw_buf_append_view(b, mcw_buf_view(&list));
	(void) mcw_buf_append_str(b, "</Buckets>");
	oss_xml_end(call, "ListAllMyBucketsResult");
	mcw_buf_free(&list);
}
