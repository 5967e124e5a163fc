#!/usr/bin/env python3
"""Every call of the emulator's OSS that the unmodified Python SDK oss2 has, under both signatures and each form of address."""
import os
import tempfile
import time
import urllib.request

import oss2
from oss2.models import PartInfo, Tagging, TaggingRule

from checks import equal, ok, section
from mctest import KEY, OSS, call, command
from oss_values import CONTENTS, CONTROL, STRANGE

REGION = "cn-hangzhou"
REAL = "http://oss-%s.aliyuncs.com" % REGION       # reached through a proxy: the emulator
HOW = {"V1": (oss2.Auth, OSS), "V4": (oss2.AuthV4, OSS), "V1 host": (oss2.Auth, REAL), "V4 host": (oss2.AuthV4, REAL),
       "V4 localhost": (oss2.AuthV4, OSS.replace("127.0.0.1", "localhost"))}


def bucket(how, name, auth=None, **more):
    make, endpoint = HOW[how]
    return oss2.Bucket(auth or make(*KEY), endpoint, name, region=REGION, proxies={"http": OSS} if endpoint == REAL else None, **more)


def refused(name, status, code, ec, function, *arguments, **named):
    try:
        function(*arguments, **named)
    except oss2.exceptions.ServerError as e:
        return ok(name, (e.status, e.code) == (status, code) and (ec is None or e.ec == ec or ec == "" and e.ec) and len(e.request_id) == 24,
                  "%s, want %s %s %s" % (e, status, code, ec))
    return ok(name, False, "was not refused")


def buckets(b, how):
    service = oss2.Service(b.auth, b.endpoint, region=REGION, proxies=b.proxies)
    b.create_bucket(oss2.BUCKET_ACL_PRIVATE)
    ok("listed", b.bucket_name in [x.name for x in oss2.BucketIterator(service, prefix="py-", max_keys=1)])
    equal("location", b.get_bucket_location().location, "oss-" + REGION)
    info = b.get_bucket_info()
    equal("info", (info.name, info.storage_class, info.acl.grant, info.location), (b.bucket_name, "Standard", "private", "oss-" + REGION))
    b.put_bucket_acl(oss2.BUCKET_ACL_PUBLIC_READ)
    equal("acl", b.get_bucket_acl().acl, "public-read")
    b.put_object("x", "12345")
    stat = b.get_bucket_stat()
    equal("stat", (stat.storage_size_in_bytes, stat.object_count, stat.multi_part_upload_count), (5, 1, 0))
    refused("not empty", 409, "BucketNotEmpty", "", b.delete_bucket)
    b.delete_object("x")
    b.delete_bucket()
    refused("gone", 404, "NoSuchBucket", "0015-00000101", b.get_bucket_info)
    b.create_bucket()


def objects(b, how):
    for name, data in CONTENTS.items():
        put = b.put_object(name, data, headers={"Content-Type": "text/x-test", "x-oss-meta-name": name, "x-oss-meta-two-words": "a b", "Cache-Control": "no-cache",
                                                "Content-Disposition": "attachment", "Content-Encoding": "identity", "Expires": "Tue, 04 Mar 2025 05:06:07 GMT"})
        got = b.get_object(name)
        equal("content of " + name, got.read(), data)
        equal("checksums of " + name, (got.client_crc, got.etag, put.crc), (got.server_crc, put.etag, got.server_crc))
        head = b.head_object(name)
        equal("head of " + name, (head.content_length, head.content_type, head.etag, head.object_type, head.server_crc), (len(data), "text/x-test", put.etag, "Normal", put.crc))
        equal("metadata of " + name, [head.headers.get(h) for h in ("x-oss-meta-name", "x-oss-meta-two-words", "Cache-Control", "Content-Disposition", "Content-Encoding", "Expires")],
              [name, "a b", "no-cache", "attachment", "identity", "Tue, 04 Mar 2025 05:06:07 GMT"])
    meta = b.get_object_meta("large")
    equal("meta", (meta.content_length, meta.etag), (700000, head.etag))
    equal("exists", (b.object_exists("large"), b.object_exists("none")), (True, False))
    # a body whose length is not known: chunked
    b.put_object("chunked", iter([b"abc", b"", b"x" * 70000, b"end"]))
    equal("chunked", b.get_object("chunked").read(), b"abc" + b"x" * 70000 + b"end")
    seen = []
    with tempfile.NamedTemporaryFile() as f:
        b.get_object_to_file("large", f.name, progress_callback=lambda done, total: seen.append((done, total)))
        equal("to a file", open(f.name, "rb").read(), CONTENTS["large"])
        b.put_object_from_file("from file.csv", f.name)
    equal("progress", seen[-1], (700000, 700000))
    equal("from a file", (b.head_object("from file.csv").content_length, b.head_object("from file.csv").content_type), (700000, "text/csv"))
    b.put_object("large", b"new")
    equal("replaced", b.get_object("large").read(), b"new")
    b.update_object_meta("large", {"x-oss-meta-a": "1", "Content-Type": "a/b"})
    head = b.head_object("large")
    equal("new metadata", (head.headers.get("x-oss-meta-a"), head.headers.get("x-oss-meta-name"), head.content_type), ("1", None, "a/b"))
    got = b.get_object("large", params={"response-content-type": "c/d", "response-content-disposition": "inline; filename=\"é\"".encode().decode("latin-1").replace("Ã©", "e")})
    equal("response-", (got.headers["Content-Type"], got.headers["Content-Disposition"]), ("c/d", 'inline; filename="e"'))
    refused("wrong MD5", 400, "InvalidDigest", "", b.put_object, "md5", b"x", headers={"Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg=="})
    refused("missing object", 404, "NoSuchKey", "0026-00000001", b.get_object, "none")
    # an answer to HEAD has no body: the SDK says NotFound when it does not know better
    try:
        b.head_object("none")
        ok("head of a missing object", False, "was not refused")
    except oss2.exceptions.NoSuchKey as e:
        equal("head of a missing object", (e.status, e.headers.get("x-oss-ec")), (404, "0026-00000001"))
    equal("deleted", b.delete_object("none").status, 204)


def conditions(b, how):
    etag = b.put_object("c", b"0123456789").etag
    now, then = oss2.http_date(int(time.time()) + 60), oss2.http_date(int(time.time()) - 86400)
    for headers, passes in [({"If-Match": etag}, 1), ({"If-Match": '"%s"' % etag.lower()}, 1), ({"If-Match": "x"}, 412), ({"If-None-Match": "x"}, 1), ({"If-None-Match": etag}, 304),
                            ({"If-Modified-Since": then}, 1), ({"If-Modified-Since": now}, 304), ({"If-Unmodified-Since": now}, 1), ({"If-Unmodified-Since": then}, 412)]:
        if passes == 1:
            equal("get %s" % headers, b.get_object("c", headers=headers).read(), b"0123456789")
        else:
            refused("get %s" % headers, passes, "PreconditionFailed" if passes == 412 else "", None, b.get_object, "c", headers=headers)
    refused("forbid-overwrite", 409, "FileAlreadyExists", "", b.put_object, "c", b"x", headers={"x-oss-forbid-overwrite": "true"})
    b.put_object("new", b"x", headers={"x-oss-forbid-overwrite": "true"})
    refused("copy If-Match", 412, "PreconditionFailed", None, b.copy_object, b.bucket_name, "c", "d", headers={"x-oss-copy-source-if-match": "x"})


def ranges(b, how):
    whole = b"0123456789"
    b.put_object("r", whole)
    std = {"x-oss-range-behavior": "standard"}
    # byte_range, standard, status, content
    for r, h, status, want in [((0, 9), {}, 206, whole), ((2, 4), {}, 206, b"234"), ((5, None), {}, 206, b"56789"), ((None, 3), {}, 206, b"789"), ((0, 0), {}, 206, b"0"),
                               ((5, 20), {}, 200, whole), ((20, 30), {}, 200, whole), ((20, None), {}, 200, whole), ((None, 20), {}, 200, whole), ((5, 20), std, 206, b"56789"),
                               ((None, 20), std, 206, whole), ((2, 4), std, 206, b"234")]:
        got = b.get_object("r", byte_range=r, headers=h)
        equal("range %s %s" % (r, "standard" if h else ""), (got.status, got.read()), (status, want))
    equal("content range", b.get_object("r", byte_range=(2, 4)).content_range, "bytes 2-4/10")
    refused("outside", 416, "InvalidRange", "", b.get_object, "r", byte_range=(20, 30), headers=std)
    got = b.get_object("r", headers={"Range": "bytes=4-2"})
    equal("malformed", (got.status, got.read()), (200, whole))


def appends(b, how):
    crc, position = 0, 0
    for part in (b"", b"first\n", b"x" * 100000, b"last"):
        r = b.append_object("log", position, part, init_crc=crc, headers={"x-oss-meta-n": "1"})
        position += len(part)
        equal("appended %d" % len(part), r.next_position, position)
        crc = r.crc
    refused("wrong position", 409, "PositionNotEqualToLength", "0026-00000016", b.append_object, "log", 3, b"x")
    try:
        b.append_object("log", 0, b"x")
    except oss2.exceptions.PositionNotEqualToLength as e:
        equal("position told", e.next_position, position)
    head = b.head_object("log")
    equal("appendable", (head.object_type, head.content_length, head.headers["x-oss-next-append-position"], head.headers["x-oss-meta-n"], head.server_crc),
          ("Appendable", position, str(position), "1", crc))
    equal("content", b.get_object("log").read(), b"first\n" + b"x" * 100000 + b"last")
    b.put_object("normal", b"x")
    refused("not appendable", 409, "ObjectNotAppendable", "", b.append_object, "normal", 1, b"x")


def parts_of(data, size):
    return [data[i:i + size] for i in range(0, len(data), size)]


def multipart(b, how):
    data = os.urandom(450 * 1024)
    key = "multi part/中文+1"
    upload = b.init_multipart_upload(key, headers={"Content-Type": "text/m", "x-oss-meta-m": "1"}).upload_id
    parts = []
    for i, part in reversed(list(enumerate(parts_of(data, 100 * 1024), 1))):
        r = b.upload_part(key, upload, i, part)
        parts.insert(0, PartInfo(i, r.etag, size=len(part), part_crc=r.crc))
    b.upload_part(key, upload, 9, b"not used")
    equal("not there before", b.object_exists(key), False)
    seen = list(oss2.PartIterator(b, key, upload, max_parts=2))
    equal("parts", [(p.part_number, p.size, p.etag) for p in seen][:5], [(p.part_number, p.size, p.etag) for p in parts])
    equal("uploads", [(u.key, u.upload_id) for u in oss2.MultipartUploadIterator(b)], [(key, upload)])
    done = b.complete_multipart_upload(key, upload, parts)
    ok("ETag of parts", done.etag.endswith("-5"), done.etag)
    got = b.get_object(key)
    equal("content", got.read(), data)
    equal("checksum", (got.client_crc, done.crc), (got.server_crc, got.server_crc))
    equal("head", (got.object_type, got.headers["x-oss-meta-m"], got.content_type), ("Multipart", "1", "text/m"))
    refused("gone", 404, "NoSuchUpload", "", b.upload_part, key, upload, 1, b"x")
    # pages of uploads
    ids = sorted((k, b.init_multipart_upload(k).upload_id) for k in ("u/a", "u/a", "u/b", "v/c", STRANGE[3]))
    equal("pages", [(u.key, u.upload_id) for u in oss2.MultipartUploadIterator(b, max_uploads=1)], ids)
    equal("common prefixes", [(u.key, u.is_prefix()) for u in oss2.MultipartUploadIterator(b, delimiter="/")], [("strange/", True), ("u/", True), ("v/", True)])
    equal("of a key", [u.upload_id for u in oss2.ObjectUploadIterator(b, "u/a", max_uploads=1)], [i for k, i in ids if k == "u/a"])
    for k, i in ids:
        b.abort_multipart_upload(k, i)
    equal("aborted", list(oss2.MultipartUploadIterator(b)), [])
    refused("aborted twice", 404, "NoSuchUpload", "", b.abort_multipart_upload, *ids[0])
    # what Complete refuses
    upload = b.init_multipart_upload("bad").upload_id
    one, two = (PartInfo(i, b.upload_part("bad", upload, i, b"small").etag) for i in (1, 2))
    refused("small part", 400, "EntityTooSmall", "", b.complete_multipart_upload, "bad", upload, [one, two])
    refused("wrong ETag", 400, "InvalidPart", "", b.complete_multipart_upload, "bad", upload, [PartInfo(1, "0" * 32)])
    refused("missing part", 400, "InvalidPart", "", b.complete_multipart_upload, "bad", upload, [PartInfo(7, one.etag)])
    b.complete_multipart_upload("bad", upload, [two])
    equal("some of the parts", b.get_object("bad").read(), b"small")
    upload = b.init_multipart_upload("bad").upload_id
    b.upload_part("bad", upload, 3, b"third")
    b.complete_multipart_upload("bad", upload, None, headers={"x-oss-complete-all": "yes"})
    equal("all of the parts", b.get_object("bad").read(), b"third")
    # parts of other objects
    upload = b.init_multipart_upload("copied").upload_id
    copied = [PartInfo(i + 1, b.upload_part_copy(b.bucket_name, key, (i * 200000, min(i * 200000 + 199999, len(data) - 1)), "copied", upload, i + 1).etag) for i in range(3)]
    b.complete_multipart_upload("copied", upload, copied)
    equal("copied in parts", b.get_object("copied").read(), data)


def helpers(b, how):
    """What the SDK uploads and downloads in several threads, resuming what was begun"""
    with tempfile.TemporaryDirectory() as d:
        data = os.urandom(1000000)
        path, store = d + "/f", oss2.ResumableStore(root=d)
        open(path, "wb").write(data)
        call("faults", [{"service": "oss", "api": "UploadPart", "nth": 3, "action": "status", "http": 500, "code": "InternalError"}])
        try:
            oss2.resumable_upload(b, "resumed", path, store=store, multipart_threshold=1, part_size=200000, num_threads=1)
            ok("interrupted", False, "was not")
        except oss2.exceptions.ServerError as e:
            equal("interrupted", e.code, "InternalError")
        call("faults", [])
        before = [len(list(oss2.PartIterator(b, u.key, u.upload_id))) for u in oss2.MultipartUploadIterator(b)]
        oss2.resumable_upload(b, "resumed", path, store=store, multipart_threshold=1, part_size=200000, num_threads=2)
        equal("resumed", (before, b.get_object("resumed").read() == data, list(oss2.MultipartUploadIterator(b))), ([2], True, []))
        oss2.resumable_download(b, "resumed", d + "/g", multiget_threshold=1, part_size=100000, num_threads=3, store=oss2.ResumableDownloadStore(root=d))
        equal("downloaded", open(d + "/g", "rb").read() == data, True)


def copies(b, how):
    for key in STRANGE:
        b.put_object(key, key.encode(), headers={"x-oss-meta-k": "v", "Content-Type": "a/b"})
        done = b.copy_object(b.bucket_name, key, "copy of " + key)
        equal("copy of %.40r" % key, (b.get_object("copy of " + key).read(), done.etag), (key.encode(), b.head_object(key).etag))
        b.delete_object("copy of " + key)
    head = b.head_object(b.copy_object(b.bucket_name, STRANGE[0], "d") and "d")
    equal("metadata goes along", (head.headers["x-oss-meta-k"], head.content_type), ("v", "a/b"))
    b.copy_object(b.bucket_name, STRANGE[0], "d", headers={"x-oss-metadata-directive": "REPLACE", "x-oss-meta-z": "1"})
    head = b.head_object("d")
    equal("metadata is replaced", (head.headers.get("x-oss-meta-k"), head.headers["x-oss-meta-z"]), (None, "1"))
    refused("missing source", 404, "NoSuchKey", "0026-00000001", b.copy_object, b.bucket_name, "none", "d")


def listings(b, how):
    for key in STRANGE:
        b.put_object(key, key.encode())
    for step in (1000, 3):
        equal("V1 by %d" % step, [o.key for o in oss2.ObjectIterator(b, prefix="strange/", max_keys=step)], STRANGE)
        equal("V2 by %d" % step, [o.key for o in oss2.ObjectIteratorV2(b, prefix="strange/", max_keys=step)], STRANGE)
    entry = b.list_objects("strange/plain").object_list[0]
    equal("entry", (entry.size, entry.etag, entry.type, entry.storage_class), (13, b.head_object(entry.key).etag, "Normal", "Standard"))
    ok("time", abs(entry.last_modified - time.time()) < 60, entry.last_modified)
    tree = ["t/", "t/a", "t/a/1", "t/a/2", "t/a-b", "t/b/", "t/b/1", "t/b/c/2", "t/z"]
    for key in tree:
        b.put_object(key, b"")
    for version, walk in (("V1", oss2.ObjectIterator), ("V2", oss2.ObjectIteratorV2)):
        for step in (1000, 1):
            # the iterator puts directories between the objects by name
            equal("%s directories by %d" % (version, step), sorted((o.key, o.is_prefix()) for o in walk(b, prefix="t/", delimiter="/", max_keys=step)),
                  sorted([("t/", False), ("t/a", False), ("t/a-b", False), ("t/a/", True), ("t/b/", True), ("t/z", False)]))
        equal(version + " other delimiter", sorted(o.key for o in walk(b, prefix="t/a", delimiter="-")), ["t/a", "t/a-", "t/a/1", "t/a/2"])
    equal("after", [o.key for o in b.list_objects_v2("t/", start_after="t/b/").object_list], ["t/b/1", "t/b/c/2", "t/z"])
    equal("marker", [o.key for o in b.list_objects("t/", marker="t/b/").object_list], ["t/b/1", "t/b/c/2", "t/z"])
    equal("owner", [b.list_objects_v2("t/z", fetch_owner=f).object_list[0].owner is not None for f in (True, False)], [True, False])
    for key in CONTROL:
        b.put_object(key, b"x")
    equal("control characters", [o.key for o in oss2.ObjectIteratorV2(b, prefix="control/")], CONTROL)
    equal("nothing", (b.list_objects_v2("none/").object_list, b.list_objects("none/").is_truncated), ([], False))
    command("oss", "generate_many", bucket=b.bucket_name, key="many/{n}", count=2345, text="x")
    many = [o.key for o in oss2.ObjectIteratorV2(b, prefix="many/", max_keys=1000)]
    equal("many", (len(many), many == sorted("many/%d" % i for i in range(2345))), (2345, True))
    equal("at most", (len(b.list_objects_v2("many/").object_list), len(b.list_objects_v2("many/", max_keys=1000).object_list)), (100, 1000))


def deletes(b, how):
    for key in STRANGE:
        b.put_object(key, b"x")
    # the SDK always asks for the list
    equal("deleted", b.batch_delete_objects(STRANGE + ["none"]).deleted_keys, STRANGE + ["none"])
    equal("nothing left", b.list_objects("strange/").object_list, [])
    for key in CONTROL:
        equal("control character", b.delete_object(key).status, 204)


def attributes(b, how):
    b.put_object("t", b"x", headers={"x-oss-tagging": "a=1&b%20c=%2B"})
    equal("tags", b.get_object_tagging("t").tag_set.tagging_rule, {"a": "1", "b c": "+"})
    rule = TaggingRule()
    rule.add("key", "é +/")
    b.put_object_tagging("t", Tagging(rule))
    equal("new tags", (b.get_object_tagging("t").tag_set.tagging_rule, b.head_object("t").headers["x-oss-tagging-count"]), ({"key": "é +/"}, "1"))
    b.delete_object_tagging("t")
    equal("no tags", b.get_object_tagging("t").tag_set.tagging_rule, {})
    for acl in ("private", "public-read", "public-read-write", "default"):
        b.put_object_acl("t", acl)
        equal("acl " + acl, b.get_object_acl("t").acl, acl)
    b.put_symlink(STRANGE[5], "link+1")
    b.put_object(STRANGE[5], b"target")
    equal("symlink", (b.get_symlink("link+1").target_key, b.get_object("link+1").read(), b.head_object("link+1").object_type), (STRANGE[5], b"target", "Symlink"))
    b.put_symlink("nowhere", "link2")
    refused("nowhere", 404, "SymlinkTargetNotExist", "", b.get_object, "link2")


def urls(b, how):
    data = b"through a URL"
    headers = {"Content-Type": "text/u", "x-oss-meta-u": "1"}
    for key in ["url/" + k for k in STRANGE[::4]]:
        url = b.sign_url("PUT", key, 60, headers=dict(headers), slash_safe=True)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": OSS} if how.endswith(" host") else {}))
        opener.open(urllib.request.Request(url, data=data, method="PUT", headers=headers)).read()
        with opener.open(b.sign_url("GET", key, 60, params={"response-content-type": "o/p"})) as f:
            equal("get %.30r" % key, (f.read(), f.headers["Content-Type"], f.headers["x-oss-meta-u"]), (data, "o/p", "1"))
        equal("with the SDK", b.get_object_with_url(b.sign_url("GET", key, 60)).read(), data)
    if how in FULL:
        refused("expired", 403, "AccessDenied", "", b.get_object_with_url, late(b, key))
    refused("spoiled", 403, "SignatureDoesNotMatch", "", b.get_object_with_url, b.sign_url("GET", key, 60).replace("url", "URL", 1))


def late(b, key):
    """A URL that was good for one second"""
    url = b.sign_url("GET", key, 1)
    time.sleep(2.1)
    return url


def access(b, how):
    v4 = how.startswith("V4")
    make = HOW[how][0]
    b.put_object("a", b"x")
    other = lambda *key: bucket(how, b.bucket_name, make(*key))
    refused("wrong secret", 403, "SignatureDoesNotMatch", "", other(KEY[0], "wrong").get_object, "a")
    refused("unknown key", 403, "InvalidAccessKeyId", "0002-00000902", other("nobody", "x").get_object, "a")
    refused("missing bucket", 404, "NoSuchBucket", "0015-00000101", bucket(how, "py-none").get_object, "a")
    try:
        other(KEY[0], "wrong").get_object("a")
    except oss2.exceptions.SignatureDoesNotMatch as e:
        ok("string to sign", ("UNSIGNED-PAYLOAD" in e.details["CanonicalRequest"] if v4 else e.details["StringToSign"].startswith("GET\n")) and b.bucket_name in e.details["StringToSign"] + e.details.get("CanonicalRequest", ""), e.details)
    sts = lambda token: bucket(how, b.bucket_name, oss2.StsAuth("sts-id", "sts-secret", token, auth_version="v4" if v4 else "v1"))
    equal("STS", sts("sts-token").get_object("a").read(), b"x")
    equal("STS in a URL", b.get_object_with_url(sts("sts-token").sign_url("GET", "a", 60)).read(), b"x")
    refused("wrong token", 403, "InvalidSecurityToken", "", sts("wrong").get_object, "a")
    for action, code in (("token_expired", "SecurityTokenExpired"), ("time_skewed", "RequestTimeTooSkewed")):
        call("faults", [{"service": "oss", "api": "GetObject", "action": action}])
        refused(code, 403, code, "", b.get_object, "a")
        call("faults", [])
    anonymous = bucket(how, b.bucket_name, oss2.AnonymousAuth())
    refused("anonymous", 403, "AccessDenied", "0003-00000001", anonymous.get_object, "a")
    b.put_object_acl("a", "public-read")
    equal("anonymous read", anonymous.get_object("a").read(), b"x")
    refused("anonymous list", 403, "AccessDenied", "0003-00000001", anonymous.list_objects_v2)
    refused("anonymous write", 403, "AccessDenied", "0003-00000001", anonymous.put_object, "a", b"y")
    b.put_bucket_acl("public-read-write")
    anonymous.put_object("by anyone", b"z")
    equal("anonymous write and list", [o.key for o in anonymous.list_objects_v2("by").object_list], ["by anyone"])
    b.put_bucket_acl("private")
    if how.endswith(" host"):
        command("oss", "cname", host="data.example.com", bucket=b.bucket_name)
        own = oss2.Bucket(b.auth, "http://data.example.com", b.bucket_name, is_cname=True, region=REGION, proxies=b.proxies)
        own.put_object("its own name", b"c")
        equal("a host of the bucket's own", [own.get_object(o.key).read() for o in own.list_objects_v2("its").object_list], [b"c"])
    # what the SDK checks
    call("faults", [{"service": "oss", "api": "GetObject", "action": "corrupt_body"}])
    try:
        b.get_object_to_file("by anyone", os.devnull)
        ok("a changed byte is noticed", False, "was not")
    except oss2.exceptions.InconsistentError:
        ok("a changed byte is noticed", True)
    call("faults", [])


FULL = ("V1", "V4")
PARTS = [buckets, objects, conditions, ranges, appends, multipart, helpers, copies, listings, deletes, attributes, urls, access]


def main():
    for how in HOW:
        b = bucket(how, "py-" + how.lower().replace(" ", "-"))
        # the rest of the calls does not depend on how the bucket is named
        for part in PARTS if how in FULL else [buckets, objects, listings, urls, access]:
            section(part, b, how)


main()
