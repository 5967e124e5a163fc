#!/usr/bin/env python3
"""Self-test of mc-emulator's OSS part, signatures, addresses, objects, buckets: standard
library only.

Replays the recorded signatures of official SDKs (test/data/vectors/oss) and speaks the
protocol with its own signatures and checksums, so the emulator is not judged by its own
code.  usage: oss_selftest.py MC_EMULATOR VECTOR_DIR
"""
import base64
import hashlib
import http.client
import socket
import time
import urllib.parse

from oss_client import Emulator, crc64, md5, md5_base64
from oss_harness import E, call, check, finish, fresh, get, initiate, keys, put, vectors

FROZEN = '2025-03-04T05:06:07Z'


def test_vectors():
    plain = Emulator('--clock', FROZEN, '--access-key', 'LTAItestid:testsecret0123456789')
    sts = Emulator('--clock', FROZEN, '--access-key', 'LTAItestid:testsecret0123456789:CAISexample+token/==')
    for e in (plain, sts):
        e.command(op='create_bucket', bucket='examplebucket')
        e.command(op='cname', host='img.example.com', bucket='examplebucket')
    for name in ('v1_signatures.json', 'v4_signatures.json', 'presigned_urls.json'):
        for case in vectors(name):
            url = urllib.parse.urlsplit(case['url'])
            headers = dict(case.get('request_headers') or case.get('headers_to_send') or {})
            method = case.get('method') or (case.get('canonical_request') or case['string_to_sign']).split('\n')[0]
            if name.startswith('presigned') and method == 'PUT' and 'V1' in case['name']:
                headers = {'Content-Type': 'text/csv', 'x-oss-meta-uid': '42'}
            headers.setdefault('host', url.netloc)
            headers = {k: v for k, v in headers.items() if k.lower() != 'content-length'}
            token = 'security-token' in case['url'] or any('security-token' in k for k in headers)
            e = sts if token else plain
            target = url.path + ('?' + url.query if url.query else '')
            r = e.raw(method, target, list(headers.items()), b'' if method in ('PUT', 'POST') else None)
            check('%s: %s' % (name, case['name']), r.status in (200, 204, 206, 400, 404, 409, 501), True)
            check('not for the signature', 'ign' in r.code or 'Authorization' in r.body.decode(), False)
            # one letter of the signature changed
            for k in list(headers):
                if k.lower() == 'authorization':
                    headers[k] = headers[k][:-2] + ('A' if headers[k][-2] != 'A' else 'B') + headers[k][-1]
            bad = target.replace('ignature=', 'ignature=' + 'f', 1) if name.startswith('presigned') else target
            r = e.raw(method, bad, list(headers.items()), b'' if method in ('PUT', 'POST') else None)
            check('spoiled %s: %s' % (name, case['name']), r.status, 403 if not (
                name.startswith('presigned') and r.code == 'InvalidArgument') else 400)
    # the string to sign is shown
    case = vectors('v4_signatures.json')[0]
    headers = dict(case['request_headers'], host='examplebucket.oss-cn-hangzhou.aliyuncs.com')
    headers['authorization'] = headers['authorization'][:-4] + '0000'
    r = plain.raw('GET', '/dir/data.csv', list(headers.items()))
    check('code', r.fault, (403, 'SignatureDoesNotMatch'))
    check('StringToSign', r.find('StringToSign'), [case['string_to_sign']])
    check('CanonicalRequest', r.find('CanonicalRequest'), [case['canonical_request']])
    check('exit', plain.stop() + sts.stop(), 0)


def test_signatures():
    fresh()
    put('a', b'hello')
    for v4 in (False, True):
        more = {'v4': v4}
        check('plain', call('GET', '/demo/a', **more).body, b'hello')
        check('spoiled', call('GET', '/demo/a', spoil=True, **more).fault, (403, 'SignatureDoesNotMatch'))
        check('wrong secret', call('GET', '/demo/a', secret='x', **more).fault, (403, 'SignatureDoesNotMatch'))
        check('unknown key', call('GET', '/demo/a', key='nobody', **more).fault, (403, 'InvalidAccessKeyId'))
        check('resource without slash', call('GET', '/demo', {'list-type': 2}, resource='/demo', **more).status, 200)
        check('other resource', call('GET', '/demo', {'list-type': 2}, resource='/dem', **more).status, 403)
        check('URL', call('GET', '/demo/a', url=60, **more).body, b'hello')
        check('URL spoiled', call('GET', '/demo/a', url=60, spoil=True, **more).fault, (403, 'SignatureDoesNotMatch'))
        check('URL expired', call('GET', '/demo/a', url=60, date=time.time() - 100, **more).fault, (403, 'AccessDenied'))
        check('response-*', call('GET', '/demo/a', {'response-content-type': 'x/y', 'response-expires': 'never'}, **more)
              .headers['content-type'], 'x/y')
        r = call('GET', '/demo/a', date=time.time() - 1000, **more)
        check('skew', r.fault, (403, 'RequestTimeTooSkewed'))
        check('ServerTime', [len(x) for x in r.find('ServerTime') + r.find('RequestTime')], [24, 24])
        check('nearly skewed', call('GET', '/demo/a', date=time.time() - 800, **more).status, 200)
        check('future', call('GET', '/demo/a', date=time.time() + 1000, **more).fault, (403, 'RequestTimeTooSkewed'))
    check('V4 with a Date line', call('GET', '/demo/a', v4=True, headers={
        'Date': time.strftime('%a, %d %b %Y %H:%M:%S GMT', time.gmtime())}).body, b'hello')
    check('additional host', call('GET', '/demo/a', v4=True, headers={'Host': 'localhost'}, additional=('host',)).body, b'hello')
    check('traffic limit', call('GET', '/demo/a', headers={'x-oss-traffic-limit': '1000'}).fault, (400, 'InvalidArgument'))
    check('traffic limit', call('GET', '/demo/a', {'x-oss-traffic-limit': '819200'}).status, 200)
    check('additional header', call('GET', '/demo/a', v4=True, headers={'Range': 'bytes=1-2'}, additional=('range',)).body, b'el')
    check('region', call('GET', '/demo/a', v4=True, region='cn-beijing').fault, (400, 'InvalidArgument'))
    check('validity', call('GET', '/demo/a', v4=True, url=604801).fault, (400, 'InvalidArgument'))
    check('payload', call('GET', '/demo/a', v4=True, headers={'x-oss-content-sha256': '0' * 64}).fault, (400, 'InvalidArgument'))
    check('no date', E.raw('GET', '/demo/a', [('Authorization', 'OSS testAccessKeyId:x')]).fault, (403, 'AccessDenied'))
    check('nonsense', E.raw('GET', '/demo/a', [('Authorization', 'Basic x')]).fault, (400, 'InvalidArgument'))
    check('both', call('GET', '/demo/a', {'Signature': 'x'}).fault, (400, 'InvalidArgument'))
    check('empty parameters, variant A', call('GET', '/demo', {'list-type': 2, 'prefix': '', 'delimiter': ''}, v4=True).status, 200)
    # blanks after the commas, other order
    h = {}
    Emulator._v4('GET', '/demo/a', {}, h, time.time(), time.strftime('%Y%m%dT%H%M%SZ', time.gmtime()), 'testAccessKeyId',
                 'testAccessKeySecret', 'cn-hangzhou', (), 0, False)
    parts = h['Authorization'][17:].split(',')
    h['Authorization'] = 'OSS4-HMAC-SHA256 ' + ', '.join(reversed(parts))
    check('order of the list', E.raw('GET', '/demo/a', list(h.items())).body, b'hello')


def test_tokens():
    fresh()
    put('a', b'hello')
    E.control('command', {'service': 'emulator', 'op': 'access_key', 'id': 'STS.x', 'secret': 's', 'token': 'tok/+='})
    for v4 in (False, True):
        for url in (0, 60):
            more = dict(key='STS.x', secret='s', v4=v4, url=url)
            check('token', call('GET', '/demo/a', token='tok/+=', **more).status, 200)
            check('no token', call('GET', '/demo/a', **more).fault, (403, 'InvalidAccessKeyId'))
            check('wrong token', call('GET', '/demo/a', token='other', **more).fault, (403, 'InvalidSecurityToken'))
    check('token of a permanent key', call('GET', '/demo/a', token='x').fault, (403, 'InvalidSecurityToken'))
    E.control('command', {'service': 'emulator', 'op': 'access_key', 'id': 'STS.x', 'secret': 's', 'token': 'tok/+=', 'expired': True})
    check('expired', call('GET', '/demo/a', key='STS.x', secret='s', token='tok/+=').fault, (403, 'SecurityTokenExpired'))
    E.control('command', {'service': 'emulator', 'op': 'access_key', 'id': 'STS.x', 'secret': 's', 'disabled': True})
    check('disabled', call('GET', '/demo/a', key='STS.x', secret='s').fault, (403, 'UserDisable'))


def test_addresses():
    fresh()
    put('dir/a b+c.txt', b'hello')
    path = '/dir/a b+c.txt'
    for host in ('demo.oss-cn-hangzhou.aliyuncs.com', 'demo.oss-cn-hangzhou-internal.aliyuncs.com', 'demo.localhost:1234',
                 'demo.cn-hangzhou.oss.aliyuncs.com', 'demo.example.com', 'DEMO.localhost'):
        want = b'hello' if host[0] == 'd' else None
        if want:
            check(host, call('GET', path, host=host).body, want)
    for host in ('127.0.0.1:99', 'localhost', '[::1]:80', 'oss-cn-hangzhou.aliyuncs.com', 'cn-hangzhou.oss.aliyuncs.com'):
        check(host, call('GET', '/demo' + path, host=host, resource='/demo' + path).body, b'hello')
    for target in ('/demo/dir%2Fa%20b%2Bc.txt', '/demo%2Fdir%2Fa%20b%2Bc.txt', '/demo/dir/a%20b+c.txt'):
        h = {}
        Emulator._v1('GET', '/demo' + path, {}, h, time.time(), '', 'testAccessKeyId', 'testAccessKeySecret', '', (), 0, False)
        check(target, E.raw('GET', target, list(h.items())).body, b'hello')
    for host in ('.oss-cn-hangzhou.aliyuncs.com', 'oss-cn-hangzhou.aliyuncs.com'):
        check(host, call('GET', '/', host=host, resource='/').find('Name'), ['demo'])
    E.command(op='cname', host='img.example.net', bucket='demo')
    check('cname', call('GET', path, host='img.example.net', resource='/demo' + path).body, b'hello')
    check('key with //', put('a//b/../c', b'1').status, 200)
    check('kept as it is', 'a//b/../c' in keys(), True)
    E.command(op='set', refuse_path_style=True)
    check('path style refused', get('x').fault, (403, 'SecondLevelDomainForbidden'))
    check('EC', get('x').headers['x-oss-ec'], '0003-00001401')
    check('virtual host goes on', call('GET', path, host='demo.localhost').status, 200)
    E.command(op='set', refuse_path_style=False)
    check('bucket name', call('GET', '/Demo/x').fault, (400, 'InvalidBucketName'))
    check('no bucket', call('GET', '/nobody/x').fault, (404, 'NoSuchBucket'))
    check('its name', call('GET', '/nobody/x').find('BucketName'), ['nobody'])
    check('leading slash', call('PUT', '/demo//x', body=b'').fault, (400, 'InvalidObjectName'))
    check('long key', put('k' * 1024).fault, (400, 'InvalidObjectName'))
    check('longest key', put('k' * 1023).status, 200)


def test_put_get():
    fresh()
    data = bytes(range(256)) * 5
    r = put('k', data, x_oss_meta_Uid='42', Content_Type='text/csv', Cache_Control='no-cache', Content_MD5=md5_base64(data))
    check('status', r.status, 200)
    check('no body', (r.body, r.headers['content-length']), (b'', '0'))
    check('etag', r.headers['etag'], '"%s"' % md5(data))
    check('crc', r.crc, crc64(data))
    check('request id', len(r.headers['x-oss-request-id']), 24)
    check('server', (r.headers['server'], 'x-oss-server-time' in r.headers), ('AliyunOSS', True))
    g = get('k')
    check('bytes', g.body, data)
    for name, want in (('content-type', 'text/csv'), ('cache-control', 'no-cache'), ('x-oss-meta-uid', '42'),
                       ('x-oss-object-type', 'Normal'), ('x-oss-storage-class', 'Standard'), ('accept-ranges', 'bytes'),
                       ('content-md5', md5_base64(data)), ('x-oss-hash-crc64ecma', str(crc64(data)))):
        check(name, g.headers.get(name), want)
    h = call('HEAD', '/demo/k')
    check('head', (h.status, h.headers['content-length'], h.headers['x-oss-meta-uid'], h.body), (200, str(len(data)), '42', b''))
    m = call('HEAD', '/demo/k', {'objectMeta': None})
    check('meta', (m.headers['content-length'], 'x-oss-meta-uid' in m.headers, m.etag), (str(len(data)), False, md5(data)))
    n = call('HEAD', '/demo/none')
    check('head of nothing', (n.status, n.headers['x-oss-ec']), (404, '0026-00000001'))
    check('x-oss-err', b'<Code>NoSuchKey</Code>' in base64.b64decode(n.headers['x-oss-err']), True)
    check('get of nothing', (get('none').fault, get('none').find('Key')), ((404, 'NoSuchKey'), ['none']))
    check('wrong MD5', put('k', data, Content_MD5=md5_base64(b'')).fault, (400, 'InvalidDigest'))
    check('bad MD5', put('k', data, Content_MD5='!').fault, (400, 'InvalidDigest'))
    garbage = base64.b64encode(hashlib.md5(data).digest() + b'\0\1\2\3').decode()
    check('20 bytes of MD5', put('k', data, Content_MD5=garbage).status, 200)
    check('MD5 of nothing on GET', get('k', Content_MD5='1B2M2Y8AsgTpgAmY7PhCfg==').status, 200)
    check('forbid', put('k', b'', x_oss_forbid_overwrite='true').fault, (409, 'FileAlreadyExists'))
    check('forbid elsewhere', put('k2', b'', x_oss_forbid_overwrite='true').status, 200)
    check('empty object', (get('k2').body, get('k2').crc), (b'', 0))
    check('meta limit', put('k', b'', **{'x_oss_meta_a': 'v' * 8192}).fault, (400, 'InvalidArgument'))
    check('class', put('k3', b'', x_oss_storage_class='IA').status, 200)
    check('class shown', get('k3').headers['x-oss-storage-class'], 'IA')
    check('bad class', put('k3', b'', x_oss_storage_class='Cheap').fault, (400, 'InvalidArgument'))
    put('arch', b'1', x_oss_storage_class='Archive')
    check('archive', get('arch').fault, (403, 'InvalidObjectState'))
    check('encryption', put('k3', b'', x_oss_server_side_encryption='ROT13').fault, (400, 'InvalidEncryptionAlgorithmError'))
    E.command(op='set', max_put=10)
    check('too large', put('k', b'12345678901').fault, (400, 'EntityTooLarge'))
    E.command(op='set', max_put=5 << 30)
    d = call('DELETE', '/demo/k')
    check('delete', (d.status, 'content-length' in d.headers, d.body), (204, False, b''))
    check('again', call('DELETE', '/demo/k').status, 204)
    check('tags', (put('t', b'', x_oss_tagging='a=1&b=%2F').status, get('t').headers['x-oss-tagging-count']), (200, '2'))
    check('same tag twice', put('t', b'', x_oss_tagging='a=1&a=2').fault, (400, 'InvalidTag'))


def test_http():
    """Chunked bodies, both lengths, Expect"""
    fresh()
    h = {}
    Emulator._v1('PUT', '/demo/c', {}, h, time.time(), '', 'testAccessKeyId', 'testAccessKeySecret', '', (), 0, False)
    head = ''.join('%s: %s\r\n' % x for x in h.items())

    def talk(*pieces):
        s = socket.create_connection(('127.0.0.1', E.port), timeout=30)
        out = b''
        for p in pieces:
            s.sendall(p)
            out = s.recv(65536)
        while b'\r\n\r\n' not in out.replace(b'HTTP/1.1 100 Continue\r\n\r\n', b''):
            out += s.recv(65536)
        s.close()
        return out

    first = ('PUT /demo/c HTTP/1.1\r\nHost: 127.0.0.1\r\n%s' % head).encode()
    r = talk(first + b'Transfer-Encoding: chunked\r\nContent-Length: 999\r\n\r\n3\r\nabc\r\n0\r\n\r\n')
    check('both lengths', (r[:12], get('c').body), (b'HTTP/1.1 200', b'abc'))
    r = talk(first + b'Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n')
    check('empty chunked', (r[:12], get('c').body), (b'HTTP/1.1 200', b''))
    r = talk(first + b'Expect: 100-continue\r\nContent-Length: 2\r\n\r\n', b'hi')
    check('expect', (b'200 OK' in r, get('c').body), (True, b'hi'))
    r = talk(first + b'\r\n')
    check('no length', (r[:12], b'MissingContentLength' in r), (b'HTTP/1.1 411', True))


def test_one_connection():
    """Nothing of an answer is left for the next one"""
    fresh(acl='public-read-write')
    put('k', b'0123456789')
    put('empty', b'')
    c = http.client.HTTPConnection('127.0.0.1', E.port, timeout=30)
    want = {'GET k': (200, b'0123456789'), 'GET k range': (206, b'789'), 'GET empty': (200, b''), 'HEAD k': (200, b''),
            'HEAD none': (404, b''), 'GET k not': (304, b''), 'DELETE none': (204, b'')}
    for first in want:
        for second in want:
            for name in (first, second):
                method, key, *more = name.split()
                c.request(method, '/demo/' + key, headers={'range': {'Range': 'bytes=7-9'}, 'not': {'If-None-Match': '*'}}[more[0]] if more else {})
                r = c.getresponse()
                got = r.status, r.read()
                check('%s after %s' % (second, first) if name is second else name, got, want[name])
    c.close()


def test_ranges():
    fresh()
    data = bytes(range(100))
    put('r', data)
    for text, default, standard in (
            ('bytes=0-9', (206, data[:10]), (206, data[:10])),
            ('bytes=90-', (206, data[90:]), (206, data[90:])),
            ('bytes=-10', (206, data[90:]), (206, data[90:])),
            ('bytes=99-99', (206, data[99:]), (206, data[99:])),
            ('bytes=50-100', (200, data), (206, data[50:])),
            ('bytes=0-1000', (200, data), (206, data)),
            ('bytes=100-', (200, data), (416, None)),
            ('bytes=100-110', (200, data), (416, None)),
            ('bytes=-200', (200, data), (206, data)),
            ('bytes=', (200, data), (200, data)),
            ('bytes=9-3', (200, data), (200, data)),
            ('bytes=a-b', (200, data), (200, data)),
            ('bytes=0-1,4-5', (200, data), (200, data)),
            ('lines=0-1', (200, data), (200, data))):
        r = get('r', Range=text)
        check(text, (r.status, r.body), default)
        r = get('r', Range=text, x_oss_range_behavior='standard')
        check(text + ' standard', (r.status, r.body if r.status != 416 else None), standard)
        check('whole CRC', r.headers.get('x-oss-hash-crc64ecma'), None if r.status == 416 else str(crc64(data)))
    check('Content-Range', get('r', Range='bytes=5-9').headers['content-range'], 'bytes 5-9/100')
    r = get('r', Range='bytes=100-', x_oss_range_behavior='standard')
    check('416', (r.code, r.find('ActualObjectSize'), r.find('RangeRequested')), ('InvalidRange', ['100'], ['bytes=100-']))


def test_conditions():
    fresh()
    put('c', b'abc')
    etag = md5(b'abc')
    E.command(op='set_last_modified', bucket='demo', key='c', time='2024-01-01T00:00:00Z')
    old, exact, new = ('Sun, 31 Dec 2023 00:00:00 GMT', 'Mon, 01 Jan 2024 00:00:00 GMT', 'Tue, 02 Jan 2024 00:00:00 GMT')
    check('Last-Modified', get('c').headers['last-modified'], exact)
    for headers, status in (({'If_Match': '"%s"' % etag}, 200), ({'If_Match': etag.lower()}, 200), ({'If_Match': '"x"'}, 412),
                            ({'If_None_Match': '"x"'}, 200), ({'If_None_Match': etag}, 304),
                            ({'If_Modified_Since': old}, 200), ({'If_Modified_Since': exact}, 304), ({'If_Modified_Since': new}, 304),
                            ({'If_Unmodified_Since': old}, 412), ({'If_Unmodified_Since': exact}, 200),
                            ({'If_Unmodified_Since': new}, 200), ({'If_Modified_Since': 'soon'}, 200)):
        check(str(headers), get('c', **headers).status, status)
    r = get('c', If_Match='"x"')
    check('412', (r.code, r.find('Condition')), ('PreconditionFailed', ['If-Match']))
    r = get('c', If_None_Match=etag)
    check('304', (r.body, r.etag, 'content-length' in r.headers), (b'', etag, False))
    check('head', call('HEAD', '/demo/c', headers={'If-Match': 'x'}).status, 412)


def test_append():
    fresh()
    app = lambda pos, data, key='a': call('POST', '/demo/' + key, {'append': None, 'position': pos}, data)
    r = app(0, b'abc')
    check('first', (r.status, r.headers['x-oss-next-append-position'], r.crc), (200, '3', crc64(b'abc')))
    first = r.etag
    r = app(3, b'def')
    check('second', (r.headers['x-oss-next-append-position'], r.crc, r.etag != first), ('6', crc64(b'abcdef'), True))
    check('bytes', get('a').body, b'abcdef')
    check('type', (get('a').headers['x-oss-object-type'], get('a').headers['x-oss-next-append-position']), ('Appendable', '6'))
    r = app(3, b'x')
    check('conflict', r.fault + (r.headers['x-oss-next-append-position'], r.crc, r.headers['x-oss-ec']),
          (409, 'PositionNotEqualToLength', '6', crc64(b'abcdef'), '0026-00000016'))
    put('n', b'1')
    check('not appendable', app(1, b'x', 'n').fault, (409, 'ObjectNotAppendable'))
    r = call('POST', '/demo/a', {'append': None}, b'x')
    check('no position', r.fault + (r.headers['x-oss-ec'],), (400, 'MissingArgument', '0016-00000501'))
    check('bad position', app('x', b'').fault, (400, 'InvalidArgument'))
    check('empty', (app(0, b'', 'e').headers['x-oss-next-append-position'], get('e').body), ('0', b''))
    check('seal', call('POST', '/demo/a', {'seal': None, 'position': 6}).status, 200)
    check('sealed', app(6, b'x').status, 409)
    check('overwritten by put', (put('a', b'n').status, get('a').headers['x-oss-object-type']), (200, 'Normal'))


def test_copy():
    fresh()
    put('dir/a b+c.txt', b'hello', x_oss_meta_m='1', x_oss_tagging='t=1', Content_Type='text/plain')
    for source in ('/demo/dir%2Fa%20b%2Bc.txt', '/demo/dir/a%20b%2Bc.txt', 'demo/dir/a+b%2Bc.txt'):
        r = call('PUT', '/demo/copy', headers={'x-oss-copy-source': source})
        check(source, (r.status, r.find('ETag'), get('copy').body), (200, ['"%s"' % md5(b'hello')], b'hello'))
    g = get('copy')
    check('metadata copied', (g.headers['x-oss-meta-m'], g.headers['content-type'], g.headers['x-oss-tagging-count']), ('1', 'text/plain', '1'))
    call('PUT', '/demo/copy', headers={'x-oss-copy-source': source, 'x-oss-metadata-directive': 'REPLACE', 'x-oss-meta-n': '2'})
    check('replaced', ('x-oss-meta-m' in get('copy').headers, get('copy').headers['x-oss-meta-n']), (False, '2'))
    call('PUT', '/demo/copy', headers={'x-oss-copy-source': source, 'x-oss-tagging-directive': 'Replace', 'x-oss-tagging': 'u=2&v=3'})
    check('tags replaced', get('copy').headers['x-oss-tagging-count'], '2')
    copy = lambda **h: call('PUT', '/demo/copy', headers=dict({k.replace('_', '-'): v for k, v in h.items()}, **{'x-oss-copy-source': source}))
    check('if-match', copy(x_oss_copy_source_if_match='"x"').fault, (412, 'PreconditionFailed'))
    check('if-match ok', copy(x_oss_copy_source_if_match=md5(b'hello')).status, 200)
    check('if-none-match', copy(x_oss_copy_source_if_none_match=md5(b'hello')).status, 304)
    check('forbid', copy(x_oss_forbid_overwrite='true').fault, (409, 'FileAlreadyExists'))
    check('no source', call('PUT', '/demo/c', headers={'x-oss-copy-source': '/demo/none'}).fault, (404, 'NoSuchKey'))
    check('no bucket', call('PUT', '/demo/c', headers={'x-oss-copy-source': '/nobody/none'}).fault, (404, 'NoSuchBucket'))
    check('no key', call('PUT', '/demo/c', headers={'x-oss-copy-source': '/demo'}).fault, (400, 'InvalidArgument'))


def test_multi_delete():
    fresh()
    for k in ('a', 'b & <c>', 'd e+f', 'stay'):
        put(k)
    body = b'<?xml version="1.0"?><Delete><Quiet>false</Quiet><Object><Key>a</Key></Object><Object><Key>b &amp; &lt;c&gt;</Key></Object><Object><Key>nothing</Key></Object></Delete>'
    r = call('POST', '/demo', {'delete': None}, body, {'Content-MD5': md5_base64(body)})
    check('deleted', (r.status, r.find('Key')), (200, ['a', 'b & &lt;c&gt;', 'nothing']))
    body = b'<Delete><Object><Key>d e+f</Key></Object></Delete>'
    r = call('POST', '/demo', {'delete': None, 'encoding-type': 'url'}, body, {'Content-MD5': md5_base64(body)})
    check('url', (r.find('EncodingType'), r.find('Key')), (['url'], ['d%20e%2Bf']))
    check('left', keys(), ['stay'])
    check('no MD5', call('POST', '/demo', {'delete': None}, body).fault, (400, 'MissingArgument'))
    body = b'<Delete><Quiet>true</Quiet><Object><Key>stay</Key></Object></Delete>'
    r = call('POST', '/demo', {'delete': None}, body, {'Content-MD5': md5_base64(body)})
    check('quiet', (r.status, r.body, keys()), (200, b'', []))
    for bad in (b'<Delete></Delete>', b'<Delete', b'<X/>', b'<Delete>' + b'<Object><Key>k</Key></Object>' * 1001 + b'</Delete>'):
        check('malformed', call('POST', '/demo', {'delete': None}, bad, {'Content-MD5': md5_base64(bad)}).fault, (400, 'MalformedXML'))
    body = b'<Delete><Object><Key>a</Key><VersionId>V1</VersionId></Object></Delete>'
    check('version', call('POST', '/demo', {'delete': None}, body, {'Content-MD5': md5_base64(body)}).status, 501)


def test_buckets():
    fresh()
    check('put', call('PUT', '/other', headers={'x-oss-acl': 'public-read'}).status, 200)
    check('put again', call('PUT', '/other').status, 200)
    check('acl', (call('GET', '/other', {'acl': None}).find('Grant')), ['public-read'])
    check('put acl', call('PUT', '/other', {'acl': None}, headers={'x-oss-acl': 'private'}).status, 200)
    check('bad acl', call('PUT', '/other', {'acl': None}, headers={'x-oss-acl': 'default'}).fault, (400, 'InvalidArgument'))
    r = call('GET', '/other', {'bucketInfo': None})
    check('info', (r.find('Name'), r.find('Grant'), len(r.find('Owner')), r.find('Location')), (['other'], ['private'], 1, ['oss-cn-hangzhou']))
    check('location', call('GET', '/other', {'location': None}).find('LocationConstraint'), ['oss-cn-hangzhou'])
    put('k', b'12345')
    initiate('u')
    r = call('GET', '/demo', {'stat': None})
    check('stat', (r.find('Storage'), r.find('ObjectCount'), r.find('MultipartUploadCount')), (['5'], ['1'], ['1']))
    check('list', call('GET', '/').find('Name'), ['demo', 'other'])
    r = call('GET', '/', {'max-keys': 1})
    check('page', (r.find('Name'), r.find('IsTruncated'), r.find('NextMarker')), (['demo'], ['true'], ['demo']))
    check('marker', call('GET', '/', {'marker': 'demo'}).find('Name'), ['other'])
    check('prefix', call('GET', '/', {'prefix': 'o'}).find('Name'), ['other'])
    check('not empty', call('DELETE', '/demo').fault, (409, 'BucketNotEmpty'))
    check('delete', call('DELETE', '/other').status, 204)
    check('gone', call('DELETE', '/other').fault, (404, 'NoSuchBucket'))
    body = b'<CreateBucketConfiguration><StorageClass>IA</StorageClass></CreateBucketConfiguration>'
    call('PUT', '/other', body=body)
    check('class', call('GET', '/other', {'bucketInfo': None}).find('StorageClass'), ['IA'])
    call('DELETE', '/other')
    for params in ({'versions': None}, {'lifecycle': None}, {'x-oss-process': 'csv/select'}, {'versionId': 'V1'}, {'restore': None}):
        check(str(params), call('GET', '/demo' if 'versions' in params else '/demo/k', params).fault, (501, 'NotImplemented'))
    check('post', call('POST', '/demo/k', body=b'').fault, (501, 'NotImplemented'))
    check('method', call('PATCH', '/demo/k').fault, (405, 'MethodNotAllowed'))
    check('version null', call('GET', '/demo/k', {'versionId': 'null'}).status, 200)


def test_acl():
    fresh()
    put('k', b'1')
    anon = lambda method, path, params=None, body=None: call(method, path, params, body, anonymous=True).fault[0]
    for acl, read, write in (('private', 403, 403), ('public-read', 200, 403), ('public-read-write', 200, 200)):
        E.command(op='set_acl', bucket='demo', acl=acl)
        check('get ' + acl, anon('GET', '/demo/k'), read)
        check('head', anon('HEAD', '/demo/k'), read)
        check('list', anon('GET', '/demo', {'list-type': 2}), read)
        check('missing', anon('GET', '/demo/none'), 404 if read == 200 else 403)
        check('put', anon('PUT', '/demo/w', body=b''), write)
        check('delete', anon('DELETE', '/demo/w'), 204 if write == 200 else 403)
        check('acl', anon('GET', '/demo', {'acl': None}), 403)
    E.command(op='set_acl', bucket='demo', acl='private')
    check('put acl', call('PUT', '/demo/k', {'acl': None}, headers={'x-oss-object-acl': 'public-read'}).status, 200)
    check('get acl', call('GET', '/demo/k', {'acl': None}).find('Grant'), ['public-read'])
    check('object acl', (anon('GET', '/demo/k'), anon('GET', '/demo', {'list-type': 2})), (200, 403))
    r = call('GET', '/demo/none', anonymous=True)
    check('EC', (r.code, r.headers['x-oss-ec']), ('AccessDenied', '0003-00000001'))
    check('service', anon('GET', '/'), 403)


def test_links_and_tags():
    fresh()
    put('dir/target', b'data')
    r = call('PUT', '/demo/ln', {'symlink': None}, headers={'x-oss-symlink-target': 'dir%2Ftarget'})
    check('link', r.status, 200)
    check('target', call('GET', '/demo/ln', {'symlink': None}).headers['x-oss-symlink-target'], 'dir/target')
    check('get', (get('ln').body, get('ln').headers['x-oss-object-type']), (b'data', 'Symlink'))
    check('head', call('HEAD', '/demo/ln').headers['content-length'], '4')
    call('PUT', '/demo/ln2', {'symlink': None}, headers={'x-oss-symlink-target': 'ln'})
    check('link to link', get('ln2').fault, (400, 'InvalidTargetType'))
    call('PUT', '/demo/ln3', {'symlink': None}, headers={'x-oss-symlink-target': 'none'})
    check('dangling', get('ln3').fault, (404, 'SymlinkTargetNotExist'))
    check('not a link', call('GET', '/demo/dir/target', {'symlink': None}).fault, (400, 'NotSymlink'))
    body = b'<Tagging><TagSet><Tag><Key>k</Key><Value>v&amp;w</Value></Tag></TagSet></Tagging>'
    check('put tags', call('PUT', '/demo/dir/target', {'tagging': None}, body).status, 200)
    r = call('GET', '/demo/dir/target', {'tagging': None})
    check('tags', (r.find('Key'), r.find('Value')), (['k'], ['v&w']))
    check('delete tags', call('DELETE', '/demo/dir/target', {'tagging': None}).status, 204)
    check('none', call('GET', '/demo/dir/target', {'tagging': None}).find('Tag'), [])
    check('malformed', call('PUT', '/demo/dir/target', {'tagging': None}, b'<x').fault, (400, 'MalformedXML'))


finish('oss_selftest', globals())
