#!/usr/bin/env python3
"""Random requests for mc-emulator's OSS part: it must survive them (with sanitizers: without a word), never
answer 500, never show an object but whole.  usage: oss_fuzz.py MC_EMULATOR [ROUNDS [SEED]]
"""
import random
import sys

sys.argv[2:] = ['', *sys.argv[2:]] if len(sys.argv) > 2 else ['']
from oss_client import crc64, md5_base64                                    # noqa: E402
from oss_harness import E, call, check, finish, fresh                       # noqa: E402

ROUNDS = int(sys.argv[3]) if len(sys.argv) > 3 else 4000
SEED = int(sys.argv[4]) if len(sys.argv) > 4 else 1

KEYS = ['a', 'a/', 'a/b', 'a/b/c', 'ln', 'z%', 'x y+', '中', '\U0001F600', 'k' * 1023, 'k' * 1024, '/x', '']
PARAMS = ['acl', 'append', 'bucketInfo', 'continuation-token', 'delete', 'delimiter', 'encoding-type', 'fetch-owner', 'list-type',
          'location', 'marker', 'max-keys', 'max-parts', 'max-uploads', 'objectMeta', 'part-number-marker', 'partNumber', 'position',
          'prefix', 'response-content-type', 'seal', 'start-after', 'stat', 'symlink', 'tagging', 'uploadId', 'uploads', 'key-marker',
          'upload-id-marker', 'sequential', 'versionId', 'x-oss-traffic-limit', 'regions']
HEADERS = ['Range', 'If-Match', 'If-None-Match', 'If-Modified-Since', 'If-Unmodified-Since', 'x-oss-range-behavior', 'Content-Type',
           'x-oss-acl', 'x-oss-object-acl', 'x-oss-storage-class', 'x-oss-tagging', 'x-oss-meta-a', 'x-oss-meta-', 'x-oss-copy-source',
           'x-oss-copy-source-range', 'x-oss-metadata-directive', 'x-oss-tagging-directive', 'x-oss-forbid-overwrite',
           'x-oss-complete-all', 'x-oss-symlink-target', 'x-oss-copy-source-if-match', 'x-oss-server-side-encryption']
VALUES = ['', '0', '1', '2', '3', '-1', '1000', '99999999999999999999', 'true', 'yes', 'url', 'standard', 'public-read', 'REPLACE', 'IA',
          '/', 'a', 'a/', 'bytes=0-1', 'bytes=5-', 'bytes=-3', 'bytes=0-18446744073709551615', 'bytes=', 'k=v&l=w', '=', '&', '%', '%zz',
          '/demo/a', '/demo/a?versionId=null', 'demo', 'Mon, 01 Jan 2024 00:00:00 GMT', '"x"', '*', ',,,', 'CgFh', 'CgJiYw--', 'Cg--']
BODIES = [b'', b'x', b'<', b'<Delete><Object><Key>a</Key></Object></Delete>', b'<CompleteMultipartUpload></CompleteMultipartUpload>',
          b'<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>',
          b'<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>', b'<Delete><Object/></Delete>', b'y' * 100000,
          b'<!DOCTYPE x [<!ENTITY a "b">]><Delete>&a;</Delete>']
# well-formed calls that chance hardly makes: method, bucket call, parameters, headers, body
SHAPES = [
    ('GET', False, {}, {'Range': 'bytes=1-2'}, None), ('GET', False, {}, {'Range': 'bytes=0-0', 'x-oss-range-behavior': 'standard'}, None),
    ('GET', True, {'list-type': '2', 'prefix': 'a', 'max-keys': '1'}, {}, None), ('GET', True, {'delimiter': '/', 'max-keys': '2'}, {}, None),
    ('GET', True, {'uploads': None, 'max-uploads': '1'}, {}, None), ('POST', False, {'uploads': None}, {}, b''),
    ('PUT', False, {'uploadId': '', 'partNumber': '1'}, {}, b'part'), ('PUT', False, {'uploadId': '', 'partNumber': '2'}, {}, b''),
    ('POST', False, {'uploadId': ''}, {'x-oss-complete-all': 'yes'}, b''), ('GET', False, {'uploadId': ''}, {}, None),
    ('DELETE', False, {'uploadId': ''}, {}, None), ('POST', False, {'append': None, 'position': '0'}, {}, b'abc'),
    ('PUT', False, {}, {'x-oss-copy-source': '/demo/a'}, b''), ('PUT', False, {'symlink': None}, {'x-oss-symlink-target': 'a'}, b''),
    ('PUT', False, {'partNumber': '1', 'uploadId': ''}, {'x-oss-copy-source': '/demo/a', 'x-oss-copy-source-range': 'bytes=0-0'}, b''),
    ('POST', True, {'delete': None}, {}, BODIES[3]), ('PUT', False, {'tagging': None}, {}, BODIES[6]), ('PUT', False, {}, {}, b'data'),
]


def test_random_requests():
    rnd = random.Random(SEED)
    fresh(acl='public-read-write')
    E.command(op='set', min_part=0)
    uploads = [('a', 'nothing')]
    for i in range(ROUNDS):
        key = rnd.choice(KEYS)
        params = {rnd.choice(PARAMS): rnd.choice(VALUES + [None]) for _ in range(rnd.choice((0, 0, 1, 2, 3)))}
        headers = {rnd.choice(HEADERS): rnd.choice(VALUES) for _ in range(rnd.choice((0, 0, 1, 2, 4)))}
        method = rnd.choice(('GET', 'GET', 'HEAD', 'PUT', 'PUT', 'POST', 'POST', 'DELETE'))
        body = rnd.choice(BODIES) if method in ('PUT', 'POST') else None
        if rnd.random() < .6:
            method, bucket, more, fixed, body = rnd.choice(SHAPES)
            params = dict(params, **more) if rnd.random() < .2 else dict(more)
            headers = dict(headers, **fixed) if rnd.random() < .4 else dict(fixed)
            key = '' if bucket else rnd.choice(KEYS[:8])
        if 'uploadId' in params:
            key, params['uploadId'] = rnd.choice(uploads)
        if 'delete' in params and body:
            headers['Content-MD5'] = md5_base64(body)
        if method == 'DELETE' and key == '':
            continue
        r = call(method, '/demo/' + key, params, body, headers, v4=rnd.random() < .5, anonymous=rnd.random() < .1)
        if r.find('UploadId'):
            uploads = (uploads + [(key, r.find('UploadId')[0])])[-20:]
        if r.status == 500 or r.code == 'SignatureDoesNotMatch':
            check('round %d: %s %s %r %r' % (i, method, key, params, headers), r.fault, 'something else')
        whole = method == 'GET' and key and r.status == 200 and not params
        if whole and crc64(r.body) != r.crc:
            check('round %d: CRC of %s' % (i, key), crc64(r.body), r.crc)
    check('alive', E.process.poll(), None)


def test_random_bytes():
    """Heads that are no requests, or nearly none"""
    import socket
    rnd = random.Random(SEED)
    good = b'PUT /demo/a?uploads&partNumber=1 HTTP/1.1\r\nHost: demo.localhost\r\nAuthorization: OSS4-HMAC-SHA256 Credential=a/b/c/d/e,' \
        b'AdditionalHeaders=x;y,Signature=0\r\nContent-MD5: AAAA\r\nRange: bytes=0-9\r\nContent-Length: 3\r\n\r\nabc'
    for i in range(ROUNDS // 10):
        data = bytearray(good)
        for _ in range(rnd.randrange(1, 6)):
            data[rnd.randrange(len(data))] = rnd.randrange(256)
        s = socket.create_connection(('127.0.0.1', E.port), timeout=5)
        s.sendall(bytes(data[:rnd.randrange(20, len(data))] if rnd.random() < .3 else data))
        s.shutdown(socket.SHUT_WR)
        while s.recv(65536):
            pass
        s.close()
    check('alive', E.process.poll(), None)


finish('oss_fuzz', globals())
