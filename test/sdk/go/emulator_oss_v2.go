package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/credentials"
)

func goOss2Refused(name string, status int, code, ec string, err error) {
	var e *oss.ServiceError
	is := errors.As(err, &e)
	ok(name, is && e.StatusCode == status && (code == "" || e.Code == code) && len(e.RequestID) == 24 && (ec == "" || ec == e.EC || ec == "*" && e.EC != ""), err, ", want ", status, " ", code, " ", ec)
}

// Every call of the emulator's OSS that the unmodified second Go SDK has.
func emulatorOss2() {
	for _, how := range []string{"V4", "V1", "V4 host", "V1 host", "V4 localhost"} {
		b := goOss2Bucket(how, "go2-"+strings.ReplaceAll(strings.ToLower(how), " ", "-"))
		section("buckets", func() { goOss2Buckets(b) })
		section("objects", func() { goOss2Objects(b) })
		section("listings", func() { goOss2Listings(b) })
		section("urls", func() { goOss2URLs(b) })
		section("access", func() { goOss2Access(b, how) })
		if strings.Contains(how, " ") {
			continue // the rest does not depend on how the bucket is named
		}
		section("conditions", func() { goOss2Conditions(b) })
		section("appends", func() { goOss2Appends(b) })
		section("multipart", func() { goOss2Multipart(b) })
		section("helpers", func() { goOss2Helpers(b) })
		section("copies", func() { goOss2Copies(b) })
		section("deletes", func() { goOss2Deletes(b) })
		section("attributes", func() { goOss2Attributes(b) })
	}
}

func (b goOss2Store) head(key string) *oss.HeadObjectResult {
	return get(b.HeadObject(background, &oss.HeadObjectRequest{Bucket: b.name, Key: &key}))
}

func (b goOss2Store) drop(key string) {
	equal("deleted", get(b.DeleteObject(background, &oss.DeleteObjectRequest{Bucket: b.name, Key: &key})).StatusCode, 204)
}

func goOss2Buckets(b goOss2Store) {
	get(b.PutBucket(background, &oss.PutBucketRequest{Bucket: b.name, Acl: oss.BucketACLPrivate, CreateBucketConfiguration: &oss.CreateBucketConfiguration{StorageClass: oss.StorageClassIA}}))
	found := false
	for p := b.NewListBucketsPaginator(&oss.ListBucketsRequest{Prefix: oss.Ptr("go2-"), MaxKeys: 1}); p.HasNext(); {
		for _, x := range get(p.NextPage(background)).Buckets {
			found = found || *x.Name == *b.name
		}
	}
	ok("listed", found)
	equal("location", *get(b.GetBucketLocation(background, &oss.GetBucketLocationRequest{Bucket: b.name})).LocationConstraint, "oss-"+ossRegion)
	info := get(b.GetBucketInfo(background, &oss.GetBucketInfoRequest{Bucket: b.name})).BucketInfo
	equal("info", words(*info.Name, *info.StorageClass, *info.ACL, *info.Location), words(*b.name, "IA", "private", "oss-"+ossRegion))
	get(b.PutBucketAcl(background, &oss.PutBucketAclRequest{Bucket: b.name, Acl: oss.BucketACLPublicRead}))
	equal("acl", *get(b.GetBucketAcl(background, &oss.GetBucketAclRequest{Bucket: b.name})).ACL, "public-read")
	b.put("x", []byte("12345"))
	stat := get(b.GetBucketStat(background, &oss.GetBucketStatRequest{Bucket: b.name}))
	equal("stat", words(stat.Storage, stat.ObjectCount, stat.MultipartUploadCount), "5 1 0")
	_, err := b.DeleteBucket(background, &oss.DeleteBucketRequest{Bucket: b.name})
	goOss2Refused("not empty", 409, "BucketNotEmpty", "*", err)
	b.drop("x")
	get(b.DeleteBucket(background, &oss.DeleteBucketRequest{Bucket: b.name}))
	_, err = b.GetBucketInfo(background, &oss.GetBucketInfoRequest{Bucket: b.name})
	goOss2Refused("gone", 404, "NoSuchBucket", "0015-00000101", err)
	equal("exists", get(b.IsBucketExist(background, *b.name)), false)
	get(b.PutBucket(background, &oss.PutBucketRequest{Bucket: b.name}))
	equal("exists now", get(b.IsBucketExist(background, *b.name)), true)
}

func goOss2Objects(b goOss2Store) {
	for name, data := range ossContents {
		put := get(b.PutObject(background, &oss.PutObjectRequest{Bucket: b.name, Key: oss.Ptr(name), Body: bytes.NewReader(data), ContentType: oss.Ptr("text/x-test"),
			Metadata: map[string]string{"name": name, "two-words": "a b"}, CacheControl: oss.Ptr("no-cache"), ContentDisposition: oss.Ptr("attachment"), ContentEncoding: oss.Ptr("identity"),
			Expires: oss.Ptr("Tue, 04 Mar 2025 05:06:07 GMT")}))
		_, got := b.read(name)
		ok("content of "+name, bytes.Equal(got, data), len(got))
		h := b.head(name)
		equal("head of "+name, words(h.ContentLength, *h.ContentType, *h.ETag, *h.ObjectType, *h.HashCRC64, h.Metadata), words(len(data), "text/x-test", *put.ETag, "Normal", *put.HashCRC64,
			map[string]string{"name": name, "two-words": "a b"}))
		equal("headers of "+name, words(*h.CacheControl, *h.ContentDisposition, *h.ContentEncoding, *h.Expires), "no-cache attachment identity Tue, 04 Mar 2025 05:06:07 GMT")
		equal("meta of "+name, get(b.GetObjectMeta(background, &oss.GetObjectMetaRequest{Bucket: b.name, Key: oss.Ptr(name)})).ContentLength, len(data))
	}
	equal("exists", words(get(b.IsObjectExist(background, *b.name, "large")), get(b.IsObjectExist(background, *b.name, "none"))), "true false")
	get(b.PutObject(background, &oss.PutObjectRequest{Bucket: b.name, Key: oss.Ptr("chunked"), Body: io.MultiReader(strings.NewReader("abc"), bytes.NewReader(ossContents["large"]))}))
	_, got := b.read("chunked")
	ok("chunked", bytes.Equal(got, append([]byte("abc"), ossContents["large"]...)), len(got))
	dir := get(os.MkdirTemp("", "mc"))
	defer os.RemoveAll(dir)
	get(b.GetObjectToFile(background, &oss.GetObjectRequest{Bucket: b.name, Key: oss.Ptr("large")}, dir+"/f"))
	ok("to a file", bytes.Equal(get(os.ReadFile(dir+"/f")), ossContents["large"]))
	get(b.PutObjectFromFile(background, &oss.PutObjectRequest{Bucket: b.name, Key: oss.Ptr("from file")}, dir+"/f"))
	equal("from a file", b.head("from file").ContentLength, len(ossContents["large"]))
	h, _, err := b.fetch(&oss.GetObjectRequest{Key: oss.Ptr("large"), ResponseContentType: oss.Ptr("c/d"), ResponseContentDisposition: oss.Ptr(`inline; filename="e f"`)})
	must(err)
	equal("response-", words(h.Get("Content-Type"), h.Get("Content-Disposition")), `c/d inline; filename="e f"`)
	b.put("large", []byte("new"))
	_, got = b.read("large")
	equal("replaced", string(got), "new")
	_, err = b.PutObject(background, &oss.PutObjectRequest{Bucket: b.name, Key: oss.Ptr("md5"), Body: strings.NewReader("x"), ContentMD5: oss.Ptr("1B2M2Y8AsgTpgAmY7PhCfg==")})
	goOss2Refused("wrong MD5", 400, "InvalidDigest", "*", err)
	_, _, err = b.fetch(&oss.GetObjectRequest{Key: oss.Ptr("none")})
	goOss2Refused("missing object", 404, "NoSuchKey", "0026-00000001", err)
	_, err = b.HeadObject(background, &oss.HeadObjectRequest{Bucket: b.name, Key: oss.Ptr("none")})
	goOss2Refused("head of a missing object", 404, "NoSuchKey", "0026-00000001", err)
	b.drop("none")
}

func goOss2Conditions(b goOss2Store) {
	b.put("c", []byte("0123456789"))
	etag := b.head("c").ETag
	at := func(d time.Duration) *string {
		return oss.Ptr(time.Now().Add(d).UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT"))
	}
	before, after, x, standard := at(-24*time.Hour), at(time.Minute), oss.Ptr("x"), oss.Ptr("standard")
	whole := "0123456789"
	for i, c := range []struct {
		request oss.GetObjectRequest
		status  int
		want    string
	}{
		{oss.GetObjectRequest{IfMatch: etag}, 200, whole}, {oss.GetObjectRequest{IfMatch: x}, 412, ""}, {oss.GetObjectRequest{IfNoneMatch: x}, 200, whole}, {oss.GetObjectRequest{IfNoneMatch: etag}, 304, ""},
		{oss.GetObjectRequest{IfModifiedSince: before}, 200, whole}, {oss.GetObjectRequest{IfModifiedSince: after}, 304, ""}, {oss.GetObjectRequest{IfUnmodifiedSince: after}, 200, whole},
		{oss.GetObjectRequest{IfUnmodifiedSince: before}, 412, ""}, {oss.GetObjectRequest{Range: oss.Ptr("bytes=2-4")}, 206, "234"}, {oss.GetObjectRequest{Range: oss.Ptr("bytes=-3")}, 206, "789"},
		{oss.GetObjectRequest{Range: oss.Ptr("bytes=5-20")}, 200, whole}, {oss.GetObjectRequest{Range: oss.Ptr("bytes=20-")}, 200, whole},
		{oss.GetObjectRequest{Range: oss.Ptr("bytes=5-20"), RangeBehavior: standard}, 206, "56789"}, {oss.GetObjectRequest{Range: oss.Ptr("bytes=20-"), RangeBehavior: standard}, 416, ""},
		{oss.GetObjectRequest{Range: oss.Ptr("bytes=-20"), RangeBehavior: standard}, 206, whole},
	} {
		c.request.Bucket, c.request.Key = b.name, oss.Ptr("c")
		name := fmt.Sprint("condition ", i)
		r, err := b.GetObject(background, &c.request)
		if err != nil {
			goOss2Refused(name, c.status, "", "", err)
			continue
		}
		equal(name, words(r.StatusCode, string(get(io.ReadAll(r.Body)))), words(c.status, c.want))
		r.Body.Close()
	}
	put := func(key string) error {
		_, err := b.PutObject(background, &oss.PutObjectRequest{Bucket: b.name, Key: &key, Body: strings.NewReader("x"), ForbidOverwrite: oss.Ptr("true")})
		return err
	}
	goOss2Refused("forbid-overwrite", 409, "FileAlreadyExists", "*", put("c"))
	must(put("new"))
}

func goOss2Appends(b goOss2Store) {
	pieces := [][]byte{[]byte("first\n"), bytes.Repeat([]byte("x"), 100000), []byte("last")}
	b.append("log", pieces)
	whole := bytes.Join(pieces, nil)
	h := b.head("log")
	equal("appendable", words(*h.ObjectType, *h.NextAppendPosition, h.ContentLength), words("Appendable", len(whole), len(whole)))
	_, err := b.AppendObject(background, &oss.AppendObjectRequest{Bucket: b.name, Key: oss.Ptr("log"), Position: oss.Ptr(int64(3)), Body: strings.NewReader("x")})
	goOss2Refused("wrong position", 409, "PositionNotEqualToLength", "0026-00000016", err)
	f := get(b.AppendFile(background, *b.name, "log"))
	get(f.Write([]byte("more")))
	get(f.WriteFrom(strings.NewReader(" and more")))
	must(f.Close())
	whole = append(whole, "more and more"...)
	_, got := b.read("log")
	ok("AppendFile", bytes.Equal(got, whole), len(got))
	for _, prefetch := range []bool{false, true} {
		r := get(b.OpenFile(background, *b.name, "log", func(o *oss.OpenOptions) { o.EnablePrefetch, o.ChunkSize, o.PrefetchThreshold = prefetch, 8192, 0 }))
		got := get(io.ReadAll(r))
		ok(fmt.Sprint("OpenFile, prefetch ", prefetch), bytes.Equal(got, whole), len(got))
		get(r.Seek(-8, io.SeekEnd))
		equal("Seek", string(get(io.ReadAll(r))), "and more")
		must(r.Close())
	}
	b.put("normal", []byte("x"))
	_, err = b.AppendObject(background, &oss.AppendObjectRequest{Bucket: b.name, Key: oss.Ptr("normal"), Position: oss.Ptr(int64(1)), Body: strings.NewReader("x")})
	goOss2Refused("not appendable", 409, "ObjectNotAppendable", "*", err)
}

func goOss2Multipart(b goOss2Store) {
	data, key := bytes.Repeat([]byte("part\x00\xff"), 75000), "multi part/中文+1"
	upload := get(b.InitiateMultipartUpload(background, &oss.InitiateMultipartUploadRequest{Bucket: b.name, Key: &key, ContentType: oss.Ptr("text/m"), Metadata: map[string]string{"m": "1"}})).UploadId
	parts := make([]oss.UploadPart, 5)
	for _, i := range []int{4, 3, 0, 1, 2} {
		parts[i] = get(b.part(key, upload, i+1, ossCut(data, 102400)[i]))
	}
	seen := ""
	for p := b.NewListPartsPaginator(&oss.ListPartsRequest{Bucket: b.name, Key: &key, UploadId: upload, MaxParts: 2}); p.HasNext(); {
		for _, x := range get(p.NextPage(background)).Parts {
			seen += fmt.Sprint(x.PartNumber, ":", x.Size, ":", *x.ETag == *parts[x.PartNumber-1].ETag, " ")
		}
	}
	equal("parts", seen, "1:102400:true 2:102400:true 3:102400:true 4:102400:true 5:40400:true ")
	equal("uploads", b.uploads(), []string{key})
	done := get(b.complete(key, upload, parts...))
	ok("ETag of parts", strings.HasSuffix(strings.Trim(*done.ETag, `"`), "-5"), *done.ETag)
	_, got := b.read(key)
	ok("content", bytes.Equal(got, data), len(got))
	h := b.head(key)
	equal("head", words(*h.ObjectType, h.Metadata, *h.ContentType, *h.HashCRC64), words("Multipart", "map[m:1]", "text/m", *done.HashCRC64))
	_, err := b.part(key, upload, 1, []byte("x"))
	goOss2Refused("gone", 404, "NoSuchUpload", "*", err)
	names := []string{ossStrange[3], "u/a", "u/a", "u/b", "v/c"}
	for _, k := range names {
		b.initiate(k)
	}
	seenKeys := []string{}
	for p := b.NewListMultipartUploadsPaginator(&oss.ListMultipartUploadsRequest{Bucket: b.name, MaxUploads: 1}); p.HasNext(); {
		for _, u := range get(p.NextPage(background)).Uploads {
			seenKeys = append(seenKeys, *u.Key)
			get(b.AbortMultipartUpload(background, &oss.AbortMultipartUploadRequest{Bucket: b.name, Key: u.Key, UploadId: u.UploadId}))
		}
	}
	equal("pages", words(seenKeys, len(b.uploads())), words(names, 0))
	upload = b.initiate("bad")
	one, two := get(b.part("bad", upload, 1, []byte("small"))), get(b.part("bad", upload, 2, []byte("small")))
	_, err = b.complete("bad", upload, one, two)
	goOss2Refused("small part", 400, "EntityTooSmall", "*", err)
	_, err = b.complete("bad", upload, oss.UploadPart{PartNumber: 1, ETag: oss.Ptr(strings.Repeat("0", 32))})
	goOss2Refused("wrong ETag", 400, "InvalidPart", "*", err)
	get(b.complete("bad", upload, two))
	upload = b.initiate("all")
	get(b.part("all", upload, 7, []byte("seventh")))
	get(b.CompleteMultipartUpload(background, &oss.CompleteMultipartUploadRequest{Bucket: b.name, Key: oss.Ptr("all"), UploadId: upload, CompleteAll: oss.Ptr("yes")}))
	_, got = b.read("all")
	equal("all of the parts", string(got), "seventh")
	upload = b.initiate("copied")
	copied := []oss.UploadPart{}
	for i := 0; i < 3; i++ {
		r := get(b.UploadPartCopy(background, &oss.UploadPartCopyRequest{Bucket: b.name, Key: oss.Ptr("copied"), UploadId: upload, PartNumber: int32(i + 1), SourceKey: &key,
			Range: oss.Ptr(fmt.Sprintf("bytes=%d-%d", i*150000, i*150000+149999))}))
		copied = append(copied, oss.UploadPart{PartNumber: int32(i + 1), ETag: r.ETag})
	}
	get(b.complete("copied", upload, copied...))
	_, got = b.read("copied")
	ok("copied in parts", bytes.Equal(got, data), len(got))
}

func goOss2Helpers(b goOss2Store) {
	dir := get(os.MkdirTemp("", "mc"))
	defer os.RemoveAll(dir)
	data, file := bytes.Repeat([]byte("helper\x01"), 150000), dir+"/f"
	must(os.WriteFile(file, data, 0600))
	request := func(key string) *oss.PutObjectRequest { return &oss.PutObjectRequest{Bucket: b.name, Key: &key} }
	same := func(name, key, kind string) {
		h, got := b.read(key)
		ok(name, bytes.Equal(got, data) && h.Get("X-Oss-Object-Type") == kind, len(got), h)
	}
	up := b.NewUploader(func(o *oss.UploaderOptions) { o.PartSize, o.ParallelNum = 102400, 4 })
	get(up.UploadFile(background, request("up"), file))
	same("UploadFile", "up", "Multipart")
	get(up.UploadFrom(background, request("up2"), io.MultiReader(bytes.NewReader(data))))
	same("UploadFrom", "up2", "Multipart")
	get(up.UploadFile(background, request("up3"), file, func(o *oss.UploaderOptions) { o.PartSize = 2000000 }))
	same("UploadFile of one part", "up3", "Normal")
	ossFaults(`{"service":"oss","api":"UploadPart","nth":3,"action":"status","http":403,"code":"AccessDenied"}`)
	resume := func(o *oss.UploaderOptions) {
		o.EnableCheckpoint, o.CheckpointDir, o.PartSize, o.ParallelNum = true, dir, 204800, 1
	}
	_, err := up.UploadFile(background, request("resumed"), file, resume)
	ossFaults()
	goOss2Refused("interrupted", 403, "AccessDenied", "*", err)
	open := len(b.uploads())
	get(up.UploadFile(background, request("resumed"), file, resume))
	same("resumed", "resumed", "Multipart")
	equal("uploads before and after", words(open, len(b.uploads())), "1 0")
	down := b.NewDownloader(func(o *oss.DownloaderOptions) { o.PartSize, o.ParallelNum = 102400, 4 })
	get(down.DownloadFile(background, &oss.GetObjectRequest{Bucket: b.name, Key: oss.Ptr("up")}, dir+"/g"))
	ok("DownloadFile", bytes.Equal(get(os.ReadFile(dir+"/g")), data))
	copier := b.NewCopier(func(o *oss.CopierOptions) {
		o.PartSize, o.MultipartCopyThreshold, o.DisableShallowCopy = 204800, 1, true
	})
	get(copier.Copy(background, &oss.CopyObjectRequest{Bucket: b.name, Key: oss.Ptr("copier"), SourceKey: oss.Ptr("up")}))
	same("Copy", "copier", "Multipart")
}

func goOss2Copies(b goOss2Store) {
	for _, key := range ossStrange {
		get(b.PutObject(background, &oss.PutObjectRequest{Bucket: b.name, Key: oss.Ptr(key), Body: strings.NewReader(key), Metadata: map[string]string{"k": "v"}}))
		done, err := b.CopyObject(background, &oss.CopyObjectRequest{Bucket: b.name, Key: oss.Ptr("copy of " + key), SourceKey: oss.Ptr(key)})
		must(err)
		h, got := b.read("copy of " + key)
		equal(fmt.Sprintf("copy of %.40q", key), words(string(got), *done.ETag, h.Get("X-Oss-Meta-K")), words(key, h.Get("ETag"), "v"))
		b.drop("copy of " + key)
	}
	get(b.CopyObject(background, &oss.CopyObjectRequest{Bucket: b.name, Key: oss.Ptr("d"), SourceKey: oss.Ptr(ossStrange[0]), MetadataDirective: oss.Ptr("REPLACE"), Metadata: map[string]string{"z": "1"}}))
	equal("metadata is replaced", b.head("d").Metadata, "map[z:1]")
	_, err := b.CopyObject(background, &oss.CopyObjectRequest{Bucket: b.name, Key: oss.Ptr("d"), SourceKey: oss.Ptr(ossStrange[0]), IfMatch: oss.Ptr("x")})
	goOss2Refused("copy If-Match", 412, "PreconditionFailed", "*", err)
	_, err = b.CopyObject(background, &oss.CopyObjectRequest{Bucket: b.name, Key: oss.Ptr("d"), SourceKey: oss.Ptr("none")})
	goOss2Refused("missing source", 404, "NoSuchKey", "0026-00000001", err)
}

func goOss2Listings(b goOss2Store) {
	for _, key := range ossStrange {
		b.put(key, []byte(key))
	}
	for _, key := range []string{"t/", "t/a", "t/a/1", "t/a/2", "t/a-b", "t/b/", "t/b/1", "t/b/c/2", "t/z"} {
		b.put(key, nil)
	}
	for _, step := range []int32{1000, 3, 1} {
		keys, _ := b.list(&oss.ListObjectsV2Request{Prefix: oss.Ptr("strange/"), MaxKeys: step})
		equal(fmt.Sprint("V2 by ", step), keys, ossStrange)
		keys, prefixes := b.list(&oss.ListObjectsV2Request{Prefix: oss.Ptr("t/"), Delimiter: oss.Ptr("/"), MaxKeys: step})
		equal(fmt.Sprint("directories by ", step), words(keys, prefixes), words([]string{"t/", "t/a", "t/a-b", "t/z"}, []string{"t/a/", "t/b/"}))
	}
	keys := []string{}
	for p := b.NewListObjectsPaginator(&oss.ListObjectsRequest{Bucket: b.name, Prefix: oss.Ptr("strange/"), MaxKeys: 3}); p.HasNext(); {
		for _, o := range get(p.NextPage(background)).Contents {
			keys = append(keys, *o.Key)
		}
	}
	equal("V1 by 3", keys, ossStrange)
	keys, _ = b.list(&oss.ListObjectsV2Request{Prefix: oss.Ptr("t/"), StartAfter: oss.Ptr("t/b/")})
	equal("after", keys, []string{"t/b/1", "t/b/c/2", "t/z"})
	page := get(b.ListObjectsV2(background, &oss.ListObjectsV2Request{Bucket: b.name, Prefix: oss.Ptr("strange/plain"), FetchOwner: true}))
	o := page.Contents[0]
	equal("entry", words(o.Size, *o.ETag, *o.Type, *o.StorageClass, o.Owner != nil, page.KeyCount), words(13, *b.head(*o.Key).ETag, "Normal", "Standard", true, 1))
	ok("time", time.Since(*o.LastModified).Abs() < time.Minute, o.LastModified)
}

func goOss2Deletes(b goOss2Store) {
	for _, quiet := range []bool{false, true} {
		objects, want := []oss.DeleteObject{}, []string{}
		for _, key := range append(append([]string{}, ossStrange...), "none") {
			if key != "none" {
				b.put(key, []byte("x"))
			}
			objects = append(objects, oss.DeleteObject{Key: oss.Ptr(key)})
			if !quiet {
				want = append(want, key)
			}
		}
		got := []string{}
		for _, x := range get(b.DeleteMultipleObjects(background, &oss.DeleteMultipleObjectsRequest{Bucket: b.name, Objects: objects, Quiet: quiet})).DeletedObjects {
			got = append(got, *x.Key)
		}
		equal(fmt.Sprint("deleted, quiet ", quiet), got, want)
		equal("nothing left", len(b.keys("strange/")), 0)
	}
}

func goOss2Attributes(b goOss2Store) {
	key := oss.Ptr("t")
	tags := func() (out string) {
		for _, t := range get(b.GetObjectTagging(background, &oss.GetObjectTaggingRequest{Bucket: b.name, Key: key})).Tags {
			out += *t.Key + "=" + *t.Value + ";"
		}
		return
	}
	get(b.PutObject(background, &oss.PutObjectRequest{Bucket: b.name, Key: key, Body: strings.NewReader("x"), Tagging: oss.Ptr("a=1&b%20c=%2B")}))
	equal("tags", tags(), "a=1;b c=+;")
	get(b.PutObjectTagging(background, &oss.PutObjectTaggingRequest{Bucket: b.name, Key: key, Tagging: &oss.Tagging{TagSet: &oss.TagSet{Tags: []oss.Tag{{Key: oss.Ptr("key"), Value: oss.Ptr("é +/")}}}}}))
	equal("new tags", words(tags(), b.head("t").TaggingCount), "key=é +/; 1")
	get(b.DeleteObjectTagging(background, &oss.DeleteObjectTaggingRequest{Bucket: b.name, Key: key}))
	equal("no tags", tags(), "")
	for _, acl := range []oss.ObjectACLType{"private", "public-read", "public-read-write", "default"} {
		get(b.PutObjectAcl(background, &oss.PutObjectAclRequest{Bucket: b.name, Key: key, Acl: acl}))
		equal("acl", *get(b.GetObjectAcl(background, &oss.GetObjectAclRequest{Bucket: b.name, Key: key})).ACL, acl)
	}
	get(b.PutSymlink(background, &oss.PutSymlinkRequest{Bucket: b.name, Key: oss.Ptr("link+1"), Target: key}))
	h, got := b.read("link+1")
	equal("symlink", words(*get(b.GetSymlink(background, &oss.GetSymlinkRequest{Bucket: b.name, Key: oss.Ptr("link+1")})).Target, string(got), h.Get("X-Oss-Object-Type")), "t x Symlink")
}

func goOss2URLs(b goOss2Store) {
	for i := 0; i < len(ossStrange); i += 4 {
		key := "url/" + ossStrange[i]
		p := get(b.Presign(background, &oss.PutObjectRequest{Bucket: b.name, Key: &key, ContentType: oss.Ptr("text/u"), Metadata: map[string]string{"u": "1"}}, oss.PresignExpires(time.Minute)))
		status, _, text := ossHTTP(p.Method, p.URL, strings.NewReader("through a URL"), p.SignedHeaders)
		equal(fmt.Sprintf("put %.40q", key), words(status, text), "200 ")
		p = get(b.Presign(background, &oss.GetObjectRequest{Bucket: b.name, Key: &key, ResponseContentType: oss.Ptr("o/p")}, oss.PresignExpires(time.Minute)))
		status, h, text := ossHTTP("GET", p.URL, nil, nil)
		equal(fmt.Sprintf("get %.40q", key), words(status, text, h.Get("Content-Type"), h.Get("X-Oss-Meta-U")), "200 through a URL o/p 1")
	}
	p := get(b.Presign(background, &oss.GetObjectRequest{Bucket: b.name, Key: oss.Ptr("url/" + ossStrange[0])}, oss.PresignExpires(time.Minute)))
	status, _, text := ossHTTP("GET", strings.Replace(p.URL, "url", "URL", 1), nil, nil)
	ok("spoiled", status == 403 && strings.Contains(text, "<Code>SignatureDoesNotMatch</Code>"), text)
}

func goOss2Access(b goOss2Store, how string) {
	id := os.Getenv("MC_KEY_ID")
	b.put("a", []byte("x"))
	fetch := func(c *oss.Client, bucket string) error {
		_, _, err := goOss2Store{c, &bucket}.fetch(&oss.GetObjectRequest{Key: oss.Ptr("a")})
		return err
	}
	as := func(id, secret string, token ...string) error {
		return fetch(goOss2Client(how, credentials.NewStaticCredentialsProvider(id, secret, token...)), *b.name)
	}
	goOss2Refused("wrong secret", 403, "SignatureDoesNotMatch", "*", as(id, "wrong"))
	goOss2Refused("unknown key", 403, "InvalidAccessKeyId", "0002-00000902", as("nobody", "x"))
	goOss2Refused("missing bucket", 404, "NoSuchBucket", "0015-00000101", fetch(b.Client, "go2-none"))
	equal("STS", as("sts-id", "sts-secret", "sts-token"), nil)
	goOss2Refused("wrong token", 403, "InvalidSecurityToken", "*", as("sts-id", "sts-secret", "wrong"))
	ossFaults(ossFault("GetObject", "token_expired"))
	goOss2Refused("expired token", 403, "SecurityTokenExpired", "*", fetch(b.Client, *b.name))
	ossFaults(ossFault("GetObject", "time_skewed"))
	once := goOss2Client(how, goOss2Key(), func(o *oss.Options) { o.RetryMaxAttempts = oss.Ptr(1) })
	goOss2Refused("clock", 403, "RequestTimeTooSkewed", "*", fetch(once, *b.name))
	for _, action := range []string{"time_skewed", "throttle", "reset_before"} {
		if strings.Contains(how, " ") {
			break // each waits
		}
		ossFaults(fmt.Sprintf(`{"service":"oss","api":"GetObject","action":"%s","count":1}`, action))
		equal("again after "+action, fetch(b.Client, *b.name), nil)
	}
	ossFaults(ossFault("GetObject", "corrupt_body"))
	_, err := b.GetObjectToFile(background, &oss.GetObjectRequest{Bucket: b.name, Key: oss.Ptr("a")}, os.DevNull)
	ok("a changed byte is noticed", err != nil && strings.Contains(err.Error(), "crc"), err)
	ossFaults()
	if strings.HasSuffix(how, " host") {
		command(fmt.Sprintf(`{"service":"oss","op":"cname","host":"data-go2.example.com","bucket":"%s"}`, *b.name))
		own := goOss2Store{oss.NewClient(goOss2Config(how, goOss2Key()).WithEndpoint("http://data-go2.example.com").WithUseCName(true)), b.name}
		own.put("its own name", []byte("c"))
		_, got := own.read("its own name")
		equal("a host of the bucket's own", words(string(got), own.keys("its")), "c [its own name]")
	}
	anonymous := goOss2Store{goOss2Client(how, credentials.NewAnonymousCredentialsProvider()), b.name}
	goOss2Refused("anonymous", 403, "AccessDenied", "0003-00000001", fetch(anonymous.Client, *b.name))
	get(b.PutObjectAcl(background, &oss.PutObjectAclRequest{Bucket: b.name, Key: oss.Ptr("a"), Acl: oss.ObjectACLPublicRead}))
	equal("anonymous read", fetch(anonymous.Client, *b.name), nil)
	_, err = anonymous.ListObjectsV2(background, &oss.ListObjectsV2Request{Bucket: b.name})
	goOss2Refused("anonymous list", 403, "AccessDenied", "0003-00000001", err)
	get(b.PutBucketAcl(background, &oss.PutBucketAclRequest{Bucket: b.name, Acl: oss.BucketACLPublicReadWrite}))
	anonymous.put("by anyone", []byte("z"))
	equal("anonymous write and list", anonymous.keys("by"), []string{"by anyone"})
}
