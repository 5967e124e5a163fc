package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"
)

const ossRegion = "cn-hangzhou"
const ossHost = "http://oss-" + ossRegion + ".aliyuncs.com" // reached through a proxy: the emulator

func ossEndpoint() string { return "http://127.0.0.1:" + os.Getenv("MC_OSS_PORT") }

// "V1" or "V4", and behind a blank how the bucket is addressed: "host", "cname", "localhost" or nothing
func goOssClient(how, id, secret string, more ...oss.ClientOption) *oss.Client {
	version, form, _ := strings.Cut(how, " ")
	endpoint := ossEndpoint()
	options := []oss.ClientOption{}
	if version == "V4" {
		options = append(options, oss.AuthVersion(oss.AuthV4), oss.Region(ossRegion))
	}
	switch form {
	case "host":
		endpoint = ossHost
		options = append(options, oss.Proxy(ossEndpoint()))
	case "cname":
		endpoint = "http://data-go.example.com"
		options = append(options, oss.Proxy(ossEndpoint()), oss.UseCname(true))
	case "localhost":
		endpoint = strings.Replace(endpoint, "127.0.0.1", "localhost", 1)
		options = append(options, oss.ForcePathStyle(true))
	}
	return get(oss.New(endpoint, id, secret, append(options, more...)...))
}

// What "oss" writes and reads, by one of the two SDKs
type ossStore interface {
	put(key string, data []byte)
	append(key string, pieces [][]byte)
	multipart(key string, parts [][]byte)
	keys(prefix string) []string
	read(key string) (http.Header, []byte)
	uploads() []string
}

func ossCut(data []byte, size int) (parts [][]byte) {
	for len(data) > size && size > 0 {
		parts = append(parts, data[:size])
		data = data[size:]
	}
	return append(parts, data)
}

// JSON lines to objects
func ossWrite(s ossStore) {
	in := bufio.NewReader(os.Stdin)
	for {
		line, err := in.ReadBytes('\n')
		if err == io.EOF {
			return
		}
		must(err)
		var x struct {
			How, Key string
			Data     []byte
			Cut      int
		}
		must(json.Unmarshal(line, &x))
		switch x.How {
		case "put":
			s.put(x.Key, x.Data)
		case "append":
			s.append(x.Key, ossCut(x.Data, x.Cut))
		case "multipart":
			s.multipart(x.Key, ossCut(x.Data, x.Cut))
		default:
			panic(x.How)
		}
	}
}

// Objects under the prefix as JSON lines
func ossRead(s ossStore, prefix string) {
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for _, key := range s.keys(prefix) {
		h, data := s.read(key)
		meta := map[string]string{}
		for name := range h {
			if rest := strings.TrimPrefix(strings.ToLower(name), "x-oss-meta-"); rest != strings.ToLower(name) {
				meta[rest] = h.Get(name)
			}
		}
		line := get(json.Marshal(map[string]interface{}{"key": key, "data": base64.StdEncoding.EncodeToString(data), "etag": strings.Trim(h.Get("ETag"), `"`),
			"type": h.Get("X-Oss-Object-Type"), "content_type": h.Get("Content-Type"), "meta": meta}))
		fmt.Fprintln(out, string(line))
	}
}

func ossUploads(s ossStore) {
	for _, key := range s.uploads() {
		fmt.Println(string(get(json.Marshal(map[string]string{"key": key}))))
	}
}

func ossData(s ossStore, what string, more []string) {
	switch what {
	case "write":
		ossWrite(s)
	case "read":
		ossRead(s, more[0])
	case "uploads":
		ossUploads(s)
	default:
		panic(what)
	}
}

type goOssStore struct{ *oss.Bucket }

func goOssBucket(how, name string) goOssStore {
	return goOssStore{get(goOssClient(how, os.Getenv("MC_KEY_ID"), os.Getenv("MC_KEY_SECRET")).Bucket(name))}
}

func (b goOssStore) put(key string, data []byte) { must(b.PutObject(key, bytes.NewReader(data))) }

func (b goOssStore) append(key string, pieces [][]byte) {
	var position int64
	for _, p := range pieces {
		position = get(b.AppendObject(key, bytes.NewReader(p), position))
	}
}

func (b goOssStore) multipart(key string, parts [][]byte) {
	upload := get(b.InitiateMultipartUpload(key))
	list := []oss.UploadPart{}
	for i, p := range parts {
		list = append(list, get(b.UploadPart(upload, bytes.NewReader(p), int64(len(p)), i+1)))
	}
	get(b.CompleteMultipartUpload(upload, list))
}

func (b goOssStore) list(version, step int, options ...oss.Option) (keys, prefixes []string) {
	options = append(options, oss.MaxKeys(step))
	if version == 1 {
		for marker := ""; ; {
			r := get(b.ListObjects(append(options, oss.Marker(marker))...))
			for _, o := range r.Objects {
				keys = append(keys, o.Key)
			}
			prefixes = append(prefixes, r.CommonPrefixes...)
			if marker = r.NextMarker; !r.IsTruncated {
				return
			}
		}
	}
	for token := ""; ; {
		more := options
		if token != "" {
			more = append(more, oss.ContinuationToken(token))
		}
		r := get(b.ListObjectsV2(more...))
		for _, o := range r.Objects {
			keys = append(keys, o.Key)
		}
		prefixes = append(prefixes, r.CommonPrefixes...)
		if token = r.NextContinuationToken; !r.IsTruncated {
			return
		}
	}
}

func (b goOssStore) keys(prefix string) []string {
	keys, _ := b.list(2, 1000, oss.Prefix(prefix))
	return keys
}

func (b goOssStore) fetch(key string, options ...oss.Option) (http.Header, []byte, error) {
	r, err := b.DoGetObject(&oss.GetObjectRequest{ObjectKey: key}, options)
	if err != nil {
		return nil, nil, err
	}
	defer r.Response.Close()
	data, err := io.ReadAll(r.Response)
	if err == nil && r.ClientCRC != nil && r.ServerCRC != 0 && r.ClientCRC.Sum64() != r.ServerCRC && r.Response.StatusCode == 200 {
		err = fmt.Errorf("CRC of %s: %d, want %d", key, r.ClientCRC.Sum64(), r.ServerCRC)
	}
	return r.Response.Headers, data, err
}

func (b goOssStore) read(key string) (http.Header, []byte) {
	h, data, err := b.fetch(key)
	must(err)
	return h, data
}

func (b goOssStore) uploads() (keys []string) {
	for marker, id := "", ""; ; {
		r := get(b.ListMultipartUploads(oss.KeyMarker(marker), oss.UploadIDMarker(id), oss.MaxUploads(1000)))
		for _, u := range r.Uploads {
			keys = append(keys, u.Key)
		}
		if marker, id = r.NextKeyMarker, r.NextUploadIDMarker; !r.IsTruncated {
			return
		}
	}
}
