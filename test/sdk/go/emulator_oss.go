package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"
)

// In the order of their bytes
var ossStrange = func() []string {
	keys := []string{"plain", "a b", "a+b", "a%2Fb", "100%", "#hash", "?q=1&r=2", "x&y", "<tag>\"'", "dots/../up", "two//slashes", "end/", "semi;colon:at@",
		"comma,=equals", "[glob]*", "back\\slash", "中文 é 🎉", "tilde~!'()*", "$dollar^`{|}", "long" + strings.Repeat("x", 1000), "new\nline", "tab\there", " blank "}
	for i := range keys {
		keys[i] = "strange/" + keys[i]
	}
	sort.Strings(keys)
	return keys
}()

var ossContents = map[string][]byte{"empty": {}, "one": []byte("x"), "text": []byte("Zeile\n中文\r\n"), "large": bytes.Repeat([]byte("0123456\xff\x00"), 80000)}

// A fault plan of the emulator; none clears it
func ossFaults(rules ...string) {
	answer := get((&http.Client{Transport: &http.Transport{Proxy: nil}}).Post("http://127.0.0.1:"+os.Getenv("MC_LOGHUB_PORT")+"/__mc/faults",
		"application/json", strings.NewReader("["+strings.Join(rules, ",")+"]")))
	answer.Body.Close()
	if answer.StatusCode != 200 {
		panic(fmt.Sprint(rules, ": ", answer.Status))
	}
}

func ossFault(api, action string) string {
	return fmt.Sprintf(`{"service":"oss","api":"%s","action":"%s"}`, api, action)
}

// HTTP without the SDK, for URLs; behind the proxy if the host is not an address
func ossHTTP(method, url string, body io.Reader, headers map[string]string) (int, http.Header, string) {
	transport := &http.Transport{}
	if strings.Contains(url, "aliyuncs.com") {
		proxy := get(http.NewRequest("GET", ossEndpoint(), nil)).URL
		transport.Proxy = http.ProxyURL(proxy)
	}
	r := get(http.NewRequest(method, url, body))
	for k, v := range headers {
		r.Header.Set(k, v)
	}
	answer := get((&http.Client{Transport: transport}).Do(r))
	defer answer.Body.Close()
	return answer.StatusCode, answer.Header, string(get(io.ReadAll(answer.Body)))
}

// The SDK must see status and code, an id of the request and, if given, the EC ("*": any)
func goOssRefused(name string, status int, code, ec string, err error) {
	e, is := err.(oss.ServiceError)
	ok(name, is && e.StatusCode == status && e.Code == code && len(e.RequestID) == 24 && (ec == "" || ec == e.Ec || ec == "*" && e.Ec != ""), err, ", want ", status, " ", code, " ", ec)
}

// Every call of the emulator's OSS that the unmodified Go SDK (the first) has.
func emulatorOss() {
	for _, how := range []string{"V1", "V4", "V1 host", "V4 host", "V4 localhost"} {
		name := "go-" + strings.ReplaceAll(strings.ToLower(how), " ", "-")
		c := goOssClient(how, os.Getenv("MC_KEY_ID"), os.Getenv("MC_KEY_SECRET"))
		b := goOssStore{get(c.Bucket(name))}
		section("buckets", func() { goOssBuckets(c, b) })
		section("objects", func() { goOssObjects(b) })
		section("listings", func() { goOssListings(b) })
		section("urls", func() { goOssURLs(b) })
		section("access", func() { goOssAccess(c, b, how) })
		if strings.Contains(how, " ") {
			continue // the rest does not depend on how the bucket is named
		}
		section("conditions", func() { goOssConditions(b) })
		section("appends", func() { goOssAppends(b) })
		section("multipart", func() { goOssMultipart(b) })
		section("helpers", func() { goOssHelpers(b) })
		section("copies", func() { goOssCopies(b) })
		section("deletes", func() { goOssDeletes(b) })
		section("attributes", func() { goOssAttributes(b) })
	}
}

func goOssBuckets(c *oss.Client, b goOssStore) {
	must(c.CreateBucket(b.BucketName, oss.ACL(oss.ACLPrivate), oss.StorageClass(oss.StorageIA)))
	found := false
	for marker := ""; ; {
		r := get(c.ListBuckets(oss.Prefix("go-"), oss.MaxKeys(1), oss.Marker(marker)))
		found = found || len(r.Buckets) == 1 && r.Buckets[0].Name == b.BucketName
		if marker = r.NextMarker; !r.IsTruncated {
			break
		}
	}
	ok("listed", found)
	equal("location", get(c.GetBucketLocation(b.BucketName)), "oss-"+ossRegion)
	info := get(c.GetBucketInfo(b.BucketName)).BucketInfo
	equal("info", words(info.Name, info.StorageClass, info.ACL, info.Location), words(b.BucketName, "IA", "private", "oss-"+ossRegion))
	ok("created", time.Since(info.CreationDate).Abs() < time.Minute, info.CreationDate)
	must(c.SetBucketACL(b.BucketName, oss.ACLPublicRead))
	equal("acl", get(c.GetBucketACL(b.BucketName)).ACL, "public-read")
	b.put("x", []byte("12345"))
	stat := get(c.GetBucketStat(b.BucketName))
	equal("stat", words(stat.Storage, stat.ObjectCount, stat.MultipartUploadCount), "5 1 0")
	goOssRefused("not empty", 409, "BucketNotEmpty", "*", c.DeleteBucket(b.BucketName))
	must(b.DeleteObject("x"))
	must(c.DeleteBucket(b.BucketName))
	_, err := c.GetBucketInfo(b.BucketName)
	goOssRefused("gone", 404, "NoSuchBucket", "0015-00000101", err)
	equal("exists", get(c.IsBucketExist(b.BucketName)), false)
	must(c.CreateBucket(b.BucketName))
	equal("exists now", get(c.IsBucketExist(b.BucketName)), true)
}

func goOssObjects(b goOssStore) {
	expires := time.Date(2025, 3, 4, 5, 6, 7, 0, time.UTC)
	for name, data := range ossContents {
		must(b.PutObject(name, bytes.NewReader(data), oss.ContentType("text/x-test"), oss.Meta("name", name), oss.Meta("two-words", "a b"), oss.CacheControl("no-cache"),
			oss.ContentDisposition("attachment"), oss.ContentEncoding("identity"), oss.Expires(expires)))
		h, got := b.read(name)
		ok("content of "+name, bytes.Equal(got, data), len(got))
		head := get(b.GetObjectDetailedMeta(name))
		equal("head of "+name, words(head.Get("Content-Length"), head.Get("Content-Type"), head.Get("ETag"), head.Get("X-Oss-Object-Type"), head.Get("X-Oss-Hash-Crc64ecma")),
			words(len(data), "text/x-test", h.Get("ETag"), "Normal", h.Get("X-Oss-Hash-Crc64ecma")))
		equal("metadata of "+name, words(head.Get("X-Oss-Meta-Name"), head.Get("X-Oss-Meta-Two-Words"), head.Get("Cache-Control"), head.Get("Content-Disposition"), head.Get("Content-Encoding"), head.Get("Expires")),
			words(name, "a b", "no-cache", "attachment", "identity", "Tue, 04 Mar 2025 05:06:07 GMT"))
		equal("meta of "+name, get(b.GetObjectMeta(name)).Get("Content-Length"), len(data))
	}
	equal("exists", words(get(b.IsObjectExist("large")), get(b.IsObjectExist("none"))), "true false")
	// of a reader without length the SDK sends chunks
	must(b.PutObject("chunked", io.MultiReader(strings.NewReader("abc"), bytes.NewReader(ossContents["large"]))))
	_, got := b.read("chunked")
	ok("chunked", bytes.Equal(got, append([]byte("abc"), ossContents["large"]...)), len(got))
	dir := get(os.MkdirTemp("", "mc"))
	defer os.RemoveAll(dir)
	must(b.GetObjectToFile("large", dir+"/f.csv"))
	ok("to a file", bytes.Equal(get(os.ReadFile(dir+"/f.csv")), ossContents["large"]))
	must(b.PutObjectFromFile("from file.csv", dir+"/f.csv"))
	equal("from a file", get(b.GetObjectDetailedMeta("from file.csv")).Get("Content-Type"), "text/csv")
	must(b.SetObjectMeta("large", oss.Meta("a", "1"), oss.ContentType("a/b")))
	head := get(b.GetObjectDetailedMeta("large"))
	equal("new metadata", words(head.Get("X-Oss-Meta-A"), head.Get("X-Oss-Meta-Name"), head.Get("Content-Type")), "1  a/b")
	h, _, err := b.fetch("large", oss.ResponseContentType("c/d"), oss.ResponseContentDisposition(`inline; filename="e f"`))
	must(err)
	equal("response-", words(h.Get("Content-Type"), h.Get("Content-Disposition")), `c/d inline; filename="e f"`)
	b.put("large", []byte("new"))
	_, got = b.read("large")
	equal("replaced", string(got), "new")
	goOssRefused("wrong MD5", 400, "InvalidDigest", "*", b.PutObject("md5", strings.NewReader("x"), oss.ContentMD5("1B2M2Y8AsgTpgAmY7PhCfg==")))
	_, _, err = b.fetch("none")
	goOssRefused("missing object", 404, "NoSuchKey", "0026-00000001", err)
	_, err = b.GetObjectDetailedMeta("none")
	goOssRefused("head of a missing object", 404, "NoSuchKey", "0026-00000001", err)
	must(b.DeleteObject("none"))
}

func goOssConditions(b goOssStore) {
	b.put("c", []byte("0123456789"))
	etag := get(b.GetObjectDetailedMeta("c")).Get("ETag")
	before, after := time.Now().Add(-24*time.Hour).UTC(), time.Now().Add(time.Minute).UTC()
	standard := oss.RangeBehavior("standard")
	for i, x := range []struct {
		options []oss.Option
		status  int
		want    string
	}{
		{[]oss.Option{oss.IfMatch(etag)}, 200, "0123456789"}, {[]oss.Option{oss.IfMatch("x")}, 412, ""}, {[]oss.Option{oss.IfNoneMatch("x")}, 200, "0123456789"}, {[]oss.Option{oss.IfNoneMatch(etag)}, 304, ""},
		{[]oss.Option{oss.IfModifiedSince(before)}, 200, "0123456789"}, {[]oss.Option{oss.IfModifiedSince(after)}, 304, ""}, {[]oss.Option{oss.IfUnmodifiedSince(after)}, 200, "0123456789"},
		{[]oss.Option{oss.IfUnmodifiedSince(before)}, 412, ""}, {[]oss.Option{oss.Range(0, 9)}, 206, "0123456789"}, {[]oss.Option{oss.Range(2, 4)}, 206, "234"}, {[]oss.Option{oss.NormalizedRange("-3")}, 206, "789"},
		{[]oss.Option{oss.NormalizedRange("5-")}, 206, "56789"}, {[]oss.Option{oss.Range(5, 20)}, 200, "0123456789"}, {[]oss.Option{oss.Range(20, 30)}, 200, "0123456789"},
		{[]oss.Option{oss.NormalizedRange("-20")}, 200, "0123456789"}, {[]oss.Option{oss.Range(5, 20), standard}, 206, "56789"}, {[]oss.Option{oss.Range(20, 30), standard}, 416, ""},
		{[]oss.Option{oss.NormalizedRange("-20"), standard}, 206, "0123456789"},
	} {
		r, err := b.DoGetObject(&oss.GetObjectRequest{ObjectKey: "c"}, x.options)
		if err != nil {
			ok(fmt.Sprint("condition ", i), strings.Contains(err.Error(), fmt.Sprint(x.status)), err, ", want ", x.status)
			continue
		}
		equal(fmt.Sprint("condition ", i), words(r.Response.StatusCode, string(get(io.ReadAll(r.Response)))), words(x.status, x.want))
		r.Response.Close()
	}
	goOssRefused("forbid-overwrite", 409, "FileAlreadyExists", "*", b.PutObject("c", strings.NewReader("x"), oss.ForbidOverWrite(true)))
	must(b.PutObject("new", strings.NewReader("x"), oss.ForbidOverWrite(true)))
}

func goOssAppends(b goOssStore) {
	pieces := [][]byte{{}, []byte("first\n"), bytes.Repeat([]byte("x"), 100000), []byte("last")}
	var position int64
	var crc uint64
	for _, p := range pieces {
		r := get(b.DoAppendObject(&oss.AppendObjectRequest{ObjectKey: "log", Reader: bytes.NewReader(p), Position: position}, []oss.Option{oss.InitCRC(crc), oss.Meta("n", "1")}))
		position += int64(len(p))
		equal("appended", r.NextPosition, position)
		crc = r.CRC
	}
	_, err := b.AppendObject("log", strings.NewReader("x"), 3)
	goOssRefused("wrong position", 409, "PositionNotEqualToLength", "0026-00000016", err)
	h, data := b.read("log")
	equal("appendable", words(h.Get("X-Oss-Object-Type"), h.Get("X-Oss-Next-Append-Position"), h.Get("X-Oss-Meta-N"), h.Get("X-Oss-Hash-Crc64ecma")), words("Appendable", position, 1, crc))
	ok("content", bytes.Equal(data, bytes.Join(pieces, nil)), len(data))
	b.put("normal", []byte("x"))
	_, err = b.AppendObject("normal", strings.NewReader("x"), 1)
	goOssRefused("not appendable", 409, "ObjectNotAppendable", "*", err)
}

func goOssMultipart(b goOssStore) {
	data, key := bytes.Repeat([]byte("part\x00\xff"), 75000), "multi part/中文+1"
	upload := get(b.InitiateMultipartUpload(key, oss.ContentType("text/m"), oss.Meta("m", "1")))
	parts := make([]oss.UploadPart, 5)
	for _, i := range []int{4, 3, 0, 1, 2} {
		piece := ossCut(data, 102400)[i]
		parts[i] = get(b.UploadPart(upload, bytes.NewReader(piece), int64(len(piece)), i+1))
	}
	seen := ""
	for marker := 0; ; {
		r := get(b.ListUploadedParts(upload, oss.MaxParts(2), oss.PartNumberMarker(marker)))
		for _, p := range r.UploadedParts {
			seen += fmt.Sprint(p.PartNumber, ":", p.Size, " ")
		}
		if !r.IsTruncated {
			break
		}
		_, err := fmt.Sscan(r.NextPartNumberMarker, &marker)
		must(err)
	}
	equal("parts", seen, "1:102400 2:102400 3:102400 4:102400 5:40400 ")
	equal("uploads", b.uploads(), []string{key})
	equal("not there before", get(b.IsObjectExist(key)), false)
	done := get(b.CompleteMultipartUpload(upload, parts))
	ok("ETag of parts", strings.HasSuffix(strings.Trim(done.ETag, `"`), "-5"), done.ETag)
	h, got := b.read(key)
	ok("content", bytes.Equal(got, data), len(got))
	equal("head", words(h.Get("X-Oss-Object-Type"), h.Get("X-Oss-Meta-M"), h.Get("Content-Type")), "Multipart 1 text/m")
	_, err := b.UploadPart(upload, strings.NewReader("x"), 1, 1)
	goOssRefused("gone", 404, "NoSuchUpload", "*", err)
	open := []oss.InitiateMultipartUploadResult{}
	for _, k := range []string{"u/a", "u/a", "u/b", "v/c", ossStrange[3]} {
		open = append(open, get(b.InitiateMultipartUpload(k)))
	}
	seen = ""
	for marker, id := "", ""; ; {
		r := get(b.ListMultipartUploads(oss.KeyMarker(marker), oss.UploadIDMarker(id), oss.MaxUploads(1)))
		seen += r.Uploads[0].Key + " "
		if marker, id = r.NextKeyMarker, r.NextUploadIDMarker; !r.IsTruncated {
			break
		}
	}
	equal("pages", seen, ossStrange[3]+" u/a u/a u/b v/c ")
	equal("common prefixes", get(b.ListMultipartUploads(oss.Delimiter("/"))).CommonPrefixes, []string{"strange/", "u/", "v/"})
	for _, u := range open {
		must(b.AbortMultipartUpload(u))
	}
	equal("aborted", len(b.uploads()), 0)
	upload = get(b.InitiateMultipartUpload("bad"))
	one := get(b.UploadPart(upload, strings.NewReader("small"), 5, 1))
	two := get(b.UploadPart(upload, strings.NewReader("small"), 5, 2))
	_, err = b.CompleteMultipartUpload(upload, []oss.UploadPart{one, two})
	goOssRefused("small part", 400, "EntityTooSmall", "*", err)
	_, err = b.CompleteMultipartUpload(upload, []oss.UploadPart{{PartNumber: 1, ETag: strings.Repeat("0", 32)}})
	goOssRefused("wrong ETag", 400, "InvalidPart", "*", err)
	get(b.CompleteMultipartUpload(upload, []oss.UploadPart{two}))
	_, got = b.read("bad")
	equal("some of the parts", string(got), "small")
}

func goOssHelpers(b goOssStore) {
	dir := get(os.MkdirTemp("", "mc"))
	defer os.RemoveAll(dir)
	data, file := bytes.Repeat([]byte("helper\x01"), 150000), filepath.Join(dir, "f")
	must(os.WriteFile(file, data, 0600))
	must(b.UploadFile("up", file, 102400, oss.Routines(4), oss.ContentType("a/b")))
	h, got := b.read("up")
	ok("UploadFile", bytes.Equal(got, data) && h.Get("X-Oss-Object-Type") == "Multipart" && h.Get("Content-Type") == "a/b", h)
	ossFaults(`{"service":"oss","api":"UploadPart","nth":3,"action":"status","http":403,"code":"AccessDenied"}`)
	err := b.UploadFile("resumed", file, 204800, oss.Routines(1), oss.Checkpoint(true, dir+"/cp"))
	ossFaults()
	goOssRefused("interrupted", 403, "AccessDenied", "*", err)
	open := len(b.uploads())
	must(b.UploadFile("resumed", file, 204800, oss.Routines(3), oss.Checkpoint(true, dir+"/cp")))
	_, got = b.read("resumed")
	ok("resumed", open == 1 && bytes.Equal(got, data) && len(b.uploads()) == 0, open, len(got), b.uploads())
	must(b.DownloadFile("up", dir+"/g", 102400, oss.Routines(4), oss.Checkpoint(true, dir+"/cq")))
	ok("DownloadFile", bytes.Equal(get(os.ReadFile(dir+"/g")), data))
	must(b.CopyFile(b.BucketName, "up", "copied", 204800, oss.Routines(3)))
	_, got = b.read("copied")
	ok("CopyFile", bytes.Equal(got, data), len(got))
}

func goOssCopies(b goOssStore) {
	for _, key := range ossStrange {
		must(b.PutObject(key, strings.NewReader(key), oss.Meta("k", "v"), oss.ContentType("a/b")))
		done, err := b.CopyObject(key, "copy of "+key)
		must(err)
		h, got := b.read("copy of " + key)
		equal(fmt.Sprintf("copy of %.40q", key), words(string(got), done.ETag, h.Get("X-Oss-Meta-K")), words(key, h.Get("ETag"), "v"))
		must(b.DeleteObject("copy of " + key))
	}
	get(b.CopyObject(ossStrange[0], "d", oss.MetadataDirective(oss.MetaReplace), oss.Meta("z", "1")))
	h := get(b.GetObjectDetailedMeta("d"))
	equal("metadata is replaced", words(h.Get("X-Oss-Meta-K"), h.Get("X-Oss-Meta-Z")), " 1")
	_, err := b.CopyObject(ossStrange[0], "d", oss.CopySourceIfMatch("x"))
	goOssRefused("copy If-Match", 412, "PreconditionFailed", "*", err)
	_, err = b.CopyObject("none", "d")
	goOssRefused("missing source", 404, "NoSuchKey", "0026-00000001", err)
}

func goOssListings(b goOssStore) {
	for _, key := range ossStrange {
		b.put(key, []byte(key))
	}
	tree := []string{"t/", "t/a", "t/a/1", "t/a/2", "t/a-b", "t/b/", "t/b/1", "t/b/c/2", "t/z"}
	for _, key := range tree {
		b.put(key, nil)
	}
	for version := 1; version <= 2; version++ {
		for _, step := range []int{1000, 3} {
			keys, _ := b.list(version, step, oss.Prefix("strange/"))
			equal(fmt.Sprint("V", version, " by ", step), keys, ossStrange)
		}
		for _, step := range []int{1000, 1} {
			keys, prefixes := b.list(version, step, oss.Prefix("t/"), oss.Delimiter("/"))
			equal(fmt.Sprint("V", version, " directories by ", step), words(keys, prefixes), words([]string{"t/", "t/a", "t/a-b", "t/z"}, []string{"t/a/", "t/b/"}))
		}
	}
	keys, _ := b.list(2, 1000, oss.Prefix("t/"), oss.StartAfter("t/b/"))
	equal("after", keys, []string{"t/b/1", "t/b/c/2", "t/z"})
	o := get(b.ListObjectsV2(oss.Prefix("strange/plain"), oss.FetchOwner(true))).Objects[0]
	equal("entry", words(o.Size, o.ETag, o.Type, o.StorageClass, o.Owner.ID != ""), words(13, get(b.GetObjectDetailedMeta(o.Key)).Get("ETag"), "Normal", "Standard", true))
	ok("time", time.Since(o.LastModified).Abs() < time.Minute, o.LastModified)
	command(fmt.Sprintf(`{"service":"oss","op":"generate_many","bucket":"%s","key":"many/{n}","count":2345,"text":"x"}`, b.BucketName))
	equal("many", len(b.keys("many/")), 2345)
}

func goOssDeletes(b goOssStore) {
	for _, quiet := range []bool{false, true} {
		for _, key := range ossStrange {
			b.put(key, []byte("x"))
		}
		want := append(append([]string{}, ossStrange...), "none")
		done := get(b.DeleteObjects(want, oss.DeleteObjectsQuiet(quiet)))
		if quiet {
			want = nil
		}
		equal(fmt.Sprint("deleted, quiet ", quiet), done.DeletedObjects, want)
		equal("nothing left", len(b.keys("strange/")), 0)
	}
}

func goOssAttributes(b goOssStore) {
	tagging := func(tags ...oss.Tag) oss.Tagging { return oss.Tagging{Tags: tags} }
	tags := func() (out string) {
		for _, t := range get(b.GetObjectTagging("t")).Tags {
			out += t.Key + "=" + t.Value + ";"
		}
		return
	}
	must(b.PutObject("t", strings.NewReader("x"), oss.SetTagging(tagging(oss.Tag{Key: "a", Value: "1"}, oss.Tag{Key: "b c", Value: "+"}))))
	equal("tags", tags(), "a=1;b c=+;")
	must(b.PutObjectTagging("t", tagging(oss.Tag{Key: "key", Value: "é +/"})))
	equal("new tags", tags(), "key=é +/;")
	must(b.DeleteObjectTagging("t"))
	equal("no tags", tags(), "")
	for _, acl := range []oss.ACLType{"private", "public-read", "public-read-write", "default"} {
		must(b.SetObjectACL("t", acl))
		equal("acl", get(b.GetObjectACL("t")).ACL, acl)
	}
	must(b.PutSymlink("link+1", ossStrange[5]))
	b.put(ossStrange[5], []byte("target"))
	h, got := b.read("link+1")
	equal("symlink", words(get(b.GetSymlink("link+1")).Get("X-Oss-Symlink-Target"), string(got), h.Get("X-Oss-Object-Type")), words(ossStrange[5], "target", "Symlink"))
}

func goOssURLs(b goOssStore) {
	for i := 0; i < len(ossStrange); i += 4 {
		key := "url/" + ossStrange[i]
		url := get(b.SignURL(key, oss.HTTPPut, 60, oss.ContentType("text/u"), oss.Meta("u", "1")))
		must(b.PutObjectWithURL(url, strings.NewReader("through a URL"), oss.ContentType("text/u"), oss.Meta("u", "1")))
		status, h, text := ossHTTP("GET", get(b.SignURL(key, oss.HTTPGet, 60, oss.ResponseContentType("o/p"))), nil, nil)
		equal(fmt.Sprintf("get %.40q", key), words(status, text, h.Get("Content-Type"), h.Get("X-Oss-Meta-U")), "200 through a URL o/p 1")
	}
	url := get(b.SignURL("url/"+ossStrange[0], oss.HTTPGet, 60))
	_, err := b.GetObjectWithURL(strings.Replace(url, "url", "URL", 1))
	goOssRefused("spoiled", 403, "SignatureDoesNotMatch", "*", err)
}

func goOssAccess(c *oss.Client, b goOssStore, how string) {
	id := os.Getenv("MC_KEY_ID")
	other := func(id, secret string, more ...oss.ClientOption) goOssStore {
		return goOssStore{get(goOssClient(how, id, secret, more...).Bucket(b.BucketName))}
	}
	fetch := func(b goOssStore) error {
		_, _, err := b.fetch("a")
		return err
	}
	b.put("a", []byte("x"))
	goOssRefused("wrong secret", 403, "SignatureDoesNotMatch", "*", fetch(other(id, "wrong")))
	goOssRefused("unknown key", 403, "InvalidAccessKeyId", "0002-00000902", fetch(other("nobody", "x")))
	goOssRefused("missing bucket", 404, "NoSuchBucket", "0015-00000101", fetch(goOssStore{get(c.Bucket("go-none"))}))
	equal("STS", fetch(other("sts-id", "sts-secret", oss.SecurityToken("sts-token"))), nil)
	goOssRefused("wrong token", 403, "InvalidSecurityToken", "*", fetch(other("sts-id", "sts-secret", oss.SecurityToken("wrong"))))
	for action, code := range map[string]string{"token_expired": "SecurityTokenExpired", "time_skewed": "RequestTimeTooSkewed", "throttle": "QpsLimitExceeded"} {
		ossFaults(ossFault("GetObject", action))
		status := 403
		if action == "throttle" {
			status = 503
		}
		goOssRefused(code, status, code, "*", fetch(b))
	}
	ossFaults(ossFault("GetObject", "corrupt_body"))
	err := b.GetObjectToFile("a", os.DevNull)
	_, is := err.(oss.CRCCheckError)
	ok("a changed byte is noticed", is || err != nil && strings.Contains(err.Error(), "crc"), err)
	ossFaults()
	if version, ok := strings.CutSuffix(how, " host"); ok {
		command(fmt.Sprintf(`{"service":"oss","op":"cname","host":"data-go.example.com","bucket":"%s"}`, b.BucketName))
		own := goOssBucket(version+" cname", b.BucketName)
		own.put("its own name", []byte("c"))
		_, got := own.read("its own name")
		equal("a host of the bucket's own", words(string(got), own.keys("its")), "c [its own name]")
	}
	// the SDK always signs, but not what is a URL already
	url := get(b.SignURL("a", oss.HTTPGet, 60))
	plain := url[:strings.Index(url, "?")]
	_, err = b.GetObjectWithURL(plain)
	goOssRefused("anonymous", 403, "AccessDenied", "0003-00000001", err)
	must(b.SetObjectACL("a", oss.ACLPublicRead))
	equal("anonymous read", string(get(io.ReadAll(get(b.GetObjectWithURL(plain))))), "x")
	goOssRefused("anonymous write", 403, "AccessDenied", "0003-00000001", b.PutObjectWithURL(plain, strings.NewReader("y")))
	must(c.SetBucketACL(b.BucketName, oss.ACLPublicReadWrite))
	must(b.PutObjectWithURL(plain+"b", strings.NewReader("z")))
	equal("anonymous write", b.keys("ab"), []string{"ab"})
	must(c.SetBucketACL(b.BucketName, oss.ACLPrivate))
}
