package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/credentials"
)

var background = context.Background()

// how: as for goOssClient
func goOss2Client(how string, provider credentials.CredentialsProvider, more ...func(*oss.Options)) *oss.Client {
	return oss.NewClient(goOss2Config(how, provider), more...)
}

func goOss2Config(how string, provider credentials.CredentialsProvider) *oss.Config {
	version, form, _ := strings.Cut(how, " ")
	c := oss.LoadDefaultConfig().WithRegion(ossRegion).WithEndpoint(ossEndpoint()).WithCredentialsProvider(provider)
	if version == "V1" {
		c.WithSignatureVersion(oss.SignatureVersionV1)
	}
	switch form {
	case "host":
		c.WithEndpoint(ossHost).WithProxyHost(ossEndpoint())
	case "localhost":
		c.WithEndpoint(strings.Replace(ossEndpoint(), "127.0.0.1", "localhost", 1)).WithUsePathStyle(true)
	}
	return c
}

func goOss2Key() credentials.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider(os.Getenv("MC_KEY_ID"), os.Getenv("MC_KEY_SECRET"))
}

// A client and the name of one bucket
type goOss2Store struct {
	*oss.Client
	name *string
}

func goOss2Bucket(how, name string) goOss2Store {
	return goOss2Store{goOss2Client(how, goOss2Key()), &name}
}

func (b goOss2Store) put(key string, data []byte) {
	get(b.PutObject(background, &oss.PutObjectRequest{Bucket: b.name, Key: &key, Body: bytes.NewReader(data)}))
}

func (b goOss2Store) append(key string, pieces [][]byte) {
	var position int64
	crc := "0"
	for _, p := range pieces {
		r := get(b.AppendObject(background, &oss.AppendObjectRequest{Bucket: b.name, Key: &key, Position: oss.Ptr(position), Body: bytes.NewReader(p), InitHashCRC64: oss.Ptr(crc)}))
		position, crc = r.NextPosition, *r.HashCRC64
	}
}

func (b goOss2Store) initiate(key string) *string {
	return get(b.InitiateMultipartUpload(background, &oss.InitiateMultipartUploadRequest{Bucket: b.name, Key: &key})).UploadId
}

func (b goOss2Store) part(key string, upload *string, n int, data []byte) (oss.UploadPart, error) {
	r, err := b.UploadPart(background, &oss.UploadPartRequest{Bucket: b.name, Key: &key, UploadId: upload, PartNumber: int32(n), Body: bytes.NewReader(data)})
	if err != nil {
		return oss.UploadPart{}, err
	}
	return oss.UploadPart{PartNumber: int32(n), ETag: r.ETag}, nil
}

func (b goOss2Store) complete(key string, upload *string, parts ...oss.UploadPart) (*oss.CompleteMultipartUploadResult, error) {
	return b.CompleteMultipartUpload(background, &oss.CompleteMultipartUploadRequest{Bucket: b.name, Key: &key, UploadId: upload,
		CompleteMultipartUpload: &oss.CompleteMultipartUpload{Parts: parts}})
}

func (b goOss2Store) multipart(key string, parts [][]byte) {
	upload := b.initiate(key)
	list := []oss.UploadPart{}
	for i, p := range parts {
		list = append(list, get(b.part(key, upload, i+1, p)))
	}
	get(b.complete(key, upload, list...))
}

func (b goOss2Store) list(request *oss.ListObjectsV2Request) (keys, prefixes []string) {
	request.Bucket = b.name
	for p := b.NewListObjectsV2Paginator(request); p.HasNext(); {
		page := get(p.NextPage(background))
		for _, o := range page.Contents {
			keys = append(keys, *o.Key)
		}
		for _, x := range page.CommonPrefixes {
			prefixes = append(prefixes, *x.Prefix)
		}
	}
	return
}

func (b goOss2Store) keys(prefix string) []string {
	keys, _ := b.list(&oss.ListObjectsV2Request{Prefix: &prefix, MaxKeys: 1000})
	return keys
}

func (b goOss2Store) fetch(request *oss.GetObjectRequest) (http.Header, []byte, error) {
	request.Bucket = b.name
	r, err := b.GetObject(background, request)
	if err != nil {
		return nil, nil, err
	}
	defer r.Body.Close()
	// the body ends with an error when its CRC is another
	data, err := io.ReadAll(r.Body)
	return r.Headers, data, err
}

func (b goOss2Store) read(key string) (http.Header, []byte) {
	h, data, err := b.fetch(&oss.GetObjectRequest{Key: &key})
	if err != nil {
		panic(fmt.Sprint(key, ": ", err))
	}
	return h, data
}

func (b goOss2Store) uploads() (keys []string) {
	for p := b.NewListMultipartUploadsPaginator(&oss.ListMultipartUploadsRequest{Bucket: b.name}); p.HasNext(); {
		for _, u := range get(p.NextPage(background)).Uploads {
			keys = append(keys, *u.Key)
		}
	}
	return
}
