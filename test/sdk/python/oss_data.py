#!/usr/bin/env python3
"""JSON lines to and from OSS with one of the unmodified Python SDKs; ../README.md has the formats.
usage: oss_data.py oss2|v2 write|read|uploads BUCKET [PREFIX]
"""
import base64
import json
import sys

from mctest import KEY, OSS


def cut(data, size):
    return [data[i:i + size] for i in range(0, len(data), size)] or [b""]


class First:
    """oss2"""

    def __init__(self, name):
        import oss2
        self.oss2, self.b = oss2, oss2.Bucket(oss2.AuthV4(*KEY), OSS, name, region="cn-hangzhou")

    def put(self, key, data):
        self.b.put_object(key, data)

    def append(self, key, pieces):
        position, crc = 0, 0
        for p in pieces:
            r = self.b.append_object(key, position, p, init_crc=crc)
            position, crc = r.next_position, r.crc

    def multipart(self, key, parts):
        upload = self.b.init_multipart_upload(key).upload_id
        self.b.complete_multipart_upload(key, upload, [self.oss2.models.PartInfo(i, r.etag, size=len(p), part_crc=r.crc) for i, p, r in (
            (i, p, self.b.upload_part(key, upload, i, p)) for i, p in enumerate(parts, 1))])

    def keys(self, prefix):
        return [o.key for o in self.oss2.ObjectIteratorV2(self.b, prefix=prefix, max_keys=1000)]

    def read(self, key):
        r = self.b.get_object(key)
        data = r.read()
        self.oss2.utils.check_crc("get", r.client_crc, r.server_crc, r.request_id)
        return r.headers, data

    def uploads(self):
        return [u.key for u in self.oss2.MultipartUploadIterator(self.b)]


class Second:
    """alibabacloud-oss-v2"""

    def __init__(self, name):
        import alibabacloud_oss_v2 as oss
        import oss_v2_client
        self.oss, self.name, self.c = oss, name, oss_v2_client.client()

    def put(self, key, data):
        self.c.put_object(self.oss.PutObjectRequest(self.name, key, body=data))

    def append(self, key, pieces):
        position = 0
        for p in pieces:
            position = self.c.append_object(self.oss.AppendObjectRequest(self.name, key, position, body=p)).next_position

    def multipart(self, key, parts):
        o = self.oss
        upload = self.c.initiate_multipart_upload(o.InitiateMultipartUploadRequest(self.name, key)).upload_id
        done = [o.UploadPart(i, self.c.upload_part(o.UploadPartRequest(self.name, key, i, upload, body=p)).etag) for i, p in enumerate(parts, 1)]
        self.c.complete_multipart_upload(o.CompleteMultipartUploadRequest(self.name, key, upload, complete_multipart_upload=o.CompleteMultipartUpload(done)))

    def keys(self, prefix):
        return [x.key for p in self.c.list_objects_v2_paginator().iter_page(self.oss.ListObjectsV2Request(self.name, prefix=prefix, max_keys=1000)) for x in p.contents or []]

    def read(self, key):
        import alibabacloud_oss_v2.crc
        r = self.c.get_object(self.oss.GetObjectRequest(self.name, key))
        with r.body as body:
            data = body.read()
        crc = alibabacloud_oss_v2.crc.Crc64(0)
        crc.write(data)
        if str(crc.sum64()) != r.hash_crc64:
            raise RuntimeError("CRC of %s: %s, want %s" % (key, crc.sum64(), r.hash_crc64))
        return r.headers, data

    def uploads(self):
        return [u.key for p in self.c.list_multipart_uploads_paginator().iter_page(self.oss.ListMultipartUploadsRequest(self.name)) for u in p.uploads or []]


def main():
    sdk, what, bucket = sys.argv[1:4]
    b = (First if sdk == "oss2" else Second)(bucket)
    if what == "write":
        for line in sys.stdin:
            x = json.loads(line)
            data = base64.b64decode(x["data"])
            if x["how"] == "put":
                b.put(x["key"], data)
            elif x["how"] == "multipart":
                b.multipart(x["key"], cut(data, x["cut"]))
            else:
                b.append(x["key"], cut(data, x["cut"]))
    elif what == "read":
        for key in b.keys(sys.argv[4]):
            h, data = b.read(key)
            print(json.dumps({"key": key, "data": base64.b64encode(data).decode(), "etag": h["ETag"].strip('"'), "type": h["x-oss-object-type"], "content_type": h["Content-Type"],
                              "meta": {k.lower()[11:]: v for k, v in h.items() if k.lower().startswith("x-oss-meta-")}}))
    else:
        for key in b.uploads():
            print(json.dumps({"key": key}))


main()
