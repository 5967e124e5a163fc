#!/usr/bin/env python3
"""Self-test of mc-emulator's OSS part, multipart uploads, listings, commands, faults, state
files: standard library only.  usage: oss_list_selftest.py MC_EMULATOR VECTOR_DIR
"""
import hashlib
import json
import os
import shutil
import tempfile
import time
import urllib.parse

from oss_client import Emulator, crc64, md5
from oss_harness import E, call, check, complete, finish, fresh, get, initiate, keys, part, put, v1, v2


def test_multipart():
    fresh()
    big = [bytes([i]) * 102400 for i in (1, 2)] + [b'tail']
    want = hashlib.md5(b''.join(hashlib.md5(x).digest() for x in big)).hexdigest().upper() + '-3'
    for form in ('%s', '"%s"', '&quot;%s&quot;', '&#34;%s&#34;', '""%s""'):
        u = initiate('m', x_oss_meta_mc_token='t', Content_Type='text/csv')
        etags = []
        for n, data in enumerate(big, 1):
            r = part('m', u, n, data)
            check('part', (r.status, r.etag, r.crc), (200, md5(data), crc64(data)))
            etags.append((n, r.etag if form != '%s' else r.etag.lower()))
        check('not visible', 'm' in keys(), False)
        r = complete('m', u, etags, form)
        check(form, (r.status, r.find('ETag'), r.etag, r.crc), (200, ['"%s"' % want], want, crc64(b''.join(big))))
        check('location', (r.find('Bucket'), r.find('Key')), (['demo'], ['m']))
        g = get('m')
        check('object', (g.body == b''.join(big), g.headers['x-oss-object-type'], g.headers['x-oss-meta-mc-token'],
                         g.headers['content-type'], 'content-md5' in g.headers), (True, 'Multipart', 't', 'text/csv', False))
        check('gone', complete('m', u, etags).fault, (404, 'NoSuchUpload'))
        call('DELETE', '/demo/m')
    u = initiate('m')
    check('replaced part', (part('m', u, 1, b'x' * 102400).status, part('m', u, 1, b'y').status), (200, 200))
    part('m', u, 2, b'z')
    y, z = md5(b'y'), md5(b'z')
    check('too small', complete('m', u, [(1, y), (2, z)]).fault, (400, 'EntityTooSmall'))
    check('wrong etag', complete('m', u, [(1, z)]).fault, (400, 'InvalidPart'))
    check('unknown part', complete('m', u, [(3, z)]).fault, (400, 'InvalidPart'))
    check('order', complete('m', u, [(2, z), (1, y)]).fault, (400, 'InvalidPartOrder'))
    check('twice', complete('m', u, [(1, y), (1, y)]).fault, (400, 'InvalidPartOrder'))
    check('malformed', call('POST', '/demo/m', {'uploadId': u}, b'<Complete').fault, (400, 'MalformedXML'))
    check('empty body', call('POST', '/demo/m', {'uploadId': u}, b'').fault, (400, 'MalformedXML'))
    check('wrong upload', part('m', 'nope', 1, b'').fault, (404, 'NoSuchUpload'))
    check('upload of another key', part('n', u, 1, b'').fault, (404, 'NoSuchUpload'))
    for n in (0, 10001, 'x'):
        check('number', part('m', u, n, b'').fault, (400, 'InvalidArgument'))
    check('only the last', (complete('m', u, [(2, z)]).status, get('m').body), (200, b'z'))
    u = initiate('m')
    part('m', u, 2, b'b' * 102400)
    part('m', u, 5, b'e')
    r = call('POST', '/demo/m', {'uploadId': u}, b'', {'x-oss-complete-all': 'yes'})
    check('complete all', (r.status, get('m').body), (200, b'b' * 102400 + b'e'))
    u = initiate('m2')
    check('no parts', (complete('m2', u, []).status, get('m2').body), (200, b''))
    u = initiate('m')
    r = call('DELETE', '/demo/m', {'uploadId': u})
    check('abort', (r.status, 'content-length' in r.headers), (204, False))
    check('abort again', call('DELETE', '/demo/m', {'uploadId': u}).fault, (404, 'NoSuchUpload'))
    check('forbid at initiate', initiate('m', x_oss_forbid_overwrite='true').fault, (409, 'FileAlreadyExists'))
    u = initiate('f', x_oss_forbid_overwrite='true')
    r = part('f', u, 1, b'1')
    put('f', b'first')
    check('forbid at complete', complete('f', u, [(1, r.etag)]).fault, (409, 'FileAlreadyExists'))
    check('untouched', get('f').body, b'first')
    u = initiate('p')
    r = call('PUT', '/demo/p', {'partNumber': 1, 'uploadId': u}, headers={
        'x-oss-copy-source': '/demo/m', 'x-oss-copy-source-range': 'bytes=10-19'})
    check('part copy', (r.status, r.find('ETag')), (200, ['"%s"' % md5(b'b' * 10)]))
    check('outside', call('PUT', '/demo/p', {'partNumber': 1, 'uploadId': u}, headers={
        'x-oss-copy-source': '/demo/m', 'x-oss-copy-source-range': 'bytes=10-1000000'}).fault, (400, 'InvalidArgument'))
    check('complete', (complete('p', u, [(1, md5(b'b' * 10))]).status, get('p').body), (200, b'b' * 10))
    r = call('POST', '/demo/s', {'uploads': None, 'sequential': None})
    check('sequential', part('s', r.find('UploadId')[0], 2, b'').fault, (400, 'PartNotSequential'))
    E.command(op='set', max_part=5, max_parts=3)
    u = initiate('m')
    check('part too large', part('m', u, 1, b'123456').fault, (400, 'EntityTooLarge'))
    check('too many', part('m', u, 4, b'').fault, (400, 'InvalidArgument'))
    E.command(op='set', max_part=5 << 30, max_parts=10000)


def test_list_parts():
    fresh()
    u = initiate('a b')
    for n in (1, 3, 7, 9, 10000):
        part('a b', u, n, b'%d' % n)
    r = call('GET', '/demo/a b', {'uploadId': u, 'encoding-type': 'url'})
    check('parts', (r.find('PartNumber'), r.find('IsTruncated'), r.find('NextPartNumberMarker'), r.find('Key'), r.find('Size')),
          (['1', '3', '7', '9', '10000'], ['false'], ['10000'], ['a%20b'], ['1', '1', '1', '1', '5']))
    check('crc', r.find('HashCrc64ecma')[4], str(crc64(b'10000')))
    r = call('GET', '/demo/a b', {'uploadId': u, 'max-parts': 2, 'part-number-marker': 3})
    check('page', (r.find('PartNumber'), r.find('IsTruncated'), r.find('NextPartNumberMarker'), r.find('ETag')[0]),
          (['7', '9'], ['true'], ['9'], '"%s"' % md5(b'7')))
    check('max', call('GET', '/demo/a b', {'uploadId': u, 'max-parts': 1001}).fault, (400, 'InvalidArgument'))


def test_list_uploads():
    fresh()
    ids = {}
    for k in ('a', 'b/1', 'b/2', 'c', 'c'):
        ids.setdefault(k, []).append(initiate(k))
    ls = lambda **p: call('GET', '/demo', dict({k.replace('_', '-'): v for k, v in p.items()}, uploads=None))
    r = ls()
    check('all', (r.find('Key'), r.find('UploadId')), (['a', 'b/1', 'b/2', 'c', 'c'], ids['a'] + ids['b/1'] + ids['b/2'] + ids['c']))
    check('markers are there', (r.find('NextKeyMarker'), r.find('NextUploadIdMarker'), r.find('IsTruncated')), ([''], [''], ['false']))
    r = ls(prefix='b/')
    check('prefix', r.find('Key'), ['b/1', 'b/2'])
    r = ls(delimiter='/')
    check('delimiter', (r.find('Key'), r.find('Prefix')), (['a', 'c', 'c'], ['', 'b/']))
    seen, key, ident = [], '', ''
    while True:
        r = ls(max_uploads=1, key_marker=key, upload_id_marker=ident)
        seen += r.find('UploadId')
        if r.find('IsTruncated') == ['false']:
            break
        key, ident = r.find('NextKeyMarker')[0], r.find('NextUploadIdMarker')[0]
    check('one by one', seen, ids['a'] + ids['b/1'] + ids['b/2'] + ids['c'])
    check('key marker alone', ls(key_marker='b/1').find('Key'), ['b/2', 'c', 'c'])
    r = ls(max_uploads=2, delimiter='/')
    check('page with prefix', (r.find('NextKeyMarker'), ls(delimiter='/', key_marker='b/').find('Key')), (['b/'], ['c', 'c']))
    check('expire', E.command(op='expire_uploads', bucket='demo', prefix='b/'), {'count': 2})
    check('left', ls().find('Key'), ['a', 'c', 'c'])


def model(names, prefix='', delimiter='', marker=''):
    """(keys, prefixes) of a whole listing"""
    out, folds = [], []
    for k in sorted(names, key=lambda x: x.encode()):
        if not k.startswith(prefix) or k.encode() <= marker.encode():
            continue
        at = k.find(delimiter, len(prefix)) if delimiter else -1
        if at < 0:
            out.append(k)
        elif k[:at + len(delimiter)] != marker and k[:at + len(delimiter)] not in folds:
            folds.append(k[:at + len(delimiter)])
    return out, folds


def test_list():
    fresh()
    names = ['a', 'a/', 'a/1', 'a/2/x', 'a/2/y', 'a0', 'b', 'dir/a b+c', 'dir//x', 'zz/中', 'zz/\U0001F600', 'zz/é', 'zz']
    for k in names:
        put(k, k.encode())
    for prefix in ('', 'a', 'a/', 'dir/', 'zz/', 'none'):
        for delimiter in ('', '/', '2/', 'a'):
            for marker in ('', 'a', 'a/', 'a/1', 'dir/', 'zz/é', 'zzz'):
                want = model(names, prefix, delimiter, marker)
                for max_keys in (1, 2, 1000):
                    for listing in (v1, v2):
                        got, folds, token, pages = [], [], '', 0
                        while pages < 30:
                            pages += 1
                            more = dict(prefix=prefix, delimiter=delimiter, max_keys=max_keys, encoding_type='url')
                            more['marker' if listing is v1 else 'start_after'] = marker if listing is v2 or not token else token
                            if listing is v2 and token:
                                more['continuation_token'] = token
                            r = listing(**{k: v for k, v in more.items() if v != ''})
                            names_here = [urllib.parse.unquote(x) for x in r.find('Key')]
                            folds_here = [urllib.parse.unquote(x) for x in r.find('Prefix')[1:]]
                            if len(names_here) + len(folds_here) > max_keys:
                                check('page too long', True, False)
                            if listing is v2 and r.find('KeyCount') != [str(len(names_here) + len(folds_here))]:
                                check('KeyCount', r.find('KeyCount'), len(names_here) + len(folds_here))
                            got += names_here
                            folds += folds_here
                            if r.find('IsTruncated') == ['false']:
                                break
                            token = r.find('NextContinuationToken')[0] if listing is v2 else urllib.parse.unquote(r.find('NextMarker')[0])
                        if (got, folds) != want or pages == 30:
                            check('%s prefix=%r delimiter=%r marker=%r max=%d' % (listing.__name__, prefix, delimiter, marker, max_keys),
                                  (got, folds), want)
                check('all pages', True, True)
    r = v2(encoding_type='url', prefix='dir/', delimiter='/')
    check('encoded', (r.find('Key'), r.find('Prefix'), r.find('Delimiter'), r.find('EncodingType')),
          (['dir%2Fa%20b%2Bc'], ['dir%2F', 'dir%2F%2F'], ['%2F'], ['url']))
    r = v2(prefix='zz/')
    check('plain', (r.find('Key'), r.find('EncodingType')), (['zz/é', 'zz/中', 'zz/\U0001F600'], []))
    r = v2(max_keys=3)
    check('elements', (r.find('Name'), r.find('MaxKeys'), r.find('KeyCount'), r.find('Type'), r.find('StorageClass'), r.find('Size'),
                       r.find('ETag')[0], r.find('LastModified')[0][-5:], r.find('Owner')),
          (['demo'], ['3'], ['3'], ['Normal'] * 3, ['Standard'] * 3, ['1', '2', '3'], '"%s"' % md5(b'a'), '.000Z', []))
    check('token', set(r.find('NextContinuationToken')[0]) <= set(
        'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.='), True)
    check('start-after ignored', v2(continuation_token=r.find('NextContinuationToken')[0], start_after='zz').find('Key')[0], 'a/2/x')
    check('owner', len(v2(fetch_owner='true').find('Owner')), len(names))
    r = v1(max_keys=2)
    check('V1', (len(r.find('Owner')), r.find('NextMarker'), r.find('KeyCount'), r.find('Marker')), (2, ['a/'], [], ['']))
    check('default', v1().find('MaxKeys'), ['100'])
    for bad in (0, 1001, 'x', -1):
        check('max-keys', v2(max_keys=bad).fault, (400, 'InvalidArgument'))
    check('encoding', v2(encoding_type='x').fault, (400, 'InvalidArgument'))
    check('token', v2(continuation_token='x').fault, (400, 'InvalidArgument'))
    check('list-type', call('GET', '/demo', {'list-type': 3}).fault, (400, 'InvalidArgument'))
    E.command(op='set', page_keys=2)
    r = v2(max_keys=1000)
    check('short page', (r.find('MaxKeys'), len(r.find('Key')), r.find('IsTruncated')), (['1000'], 2, ['true']))
    E.command(op='set', page_keys=1000)


def test_commands():
    fresh()
    check('put', E.command(op='put_object', bucket='demo', key='t', text='héllo', headers={'Content-Type': 'text/plain'},
                           meta={'mc-token': 'x'}, last_modified='2024-01-01T00:00:00Z', acl='public-read'), {})
    r = get('t')
    check('seen', (r.body.decode(), r.headers['content-type'], r.headers['x-oss-meta-mc-token'], r.headers['last-modified']),
          ('héllo', 'text/plain', 'x', 'Mon, 01 Jan 2024 00:00:00 GMT'))
    E.command(op='put_object', bucket='demo', key='b', base64='AAH/')
    check('get', E.command(op='get', bucket='demo', key='b')['base64'], 'AAH/')
    check('get text', E.command(op='get', bucket='demo', key='t')['text'], 'héllo')
    check('keys', E.command(op='keys', bucket='demo'), {'keys': ['b', 't']})
    o = E.command(op='list', bucket='demo', prefix='t')['objects'][0]
    check('list', (o['size'], o['etag'], o['crc64'], o['last_modified']), (6, md5('héllo'.encode()), str(crc64('héllo'.encode())), '20240101T000000Z'))
    check('checksum', E.command(op='checksum', bucket='demo'), {
        'count': 2, 'bytes': 9, 'sum': str((crc64('héllo'.encode()) + crc64(b'\0\1\xff')) % 2 ** 64)})
    check('delete', E.command(op='delete', bucket='demo', prefix=''), {'count': 2})
    check('unknown', 'unknown command' in E.command(op='nonsense'), True)
    check('no bucket', 'no such bucket' in E.command(op='keys', bucket='none'), True)
    check('bad option', 'unknown option' in E.command(op='set', nonsense=1), True)
    check('bad key', 'bad key' in E.command(op='put_object', bucket='demo', key='/x', text=''), True)
    check('no content', 'one of' in E.command(op='put_object', bucket='demo', key='x'), True)


def test_generate():
    fresh()
    block = b'0123456789abcdef\n'
    r = E.command(op='generate', bucket='demo', key='v', text=block.decode(), repeat=1000)
    check('crc', int(r['crc64']), crc64(block * 1000))
    g = get('v')
    check('whole', (g.body == block * 1000, g.crc, g.headers['x-oss-object-type']), (True, crc64(block * 1000), 'Multipart'))
    for a, b in ((0, 0), (5, 20), (16, 17), (17, 33), (100, 16999), (3, 5000)):
        r = get('v', Range='bytes=%d-%d' % (a, b))
        check('range %d-%d' % (a, b), (r.status, r.body == (block * 1000)[a:b + 1]), (206, True))
    E.command(op='generate', bucket='demo', key='huge', text=block.decode() * 60000, repeat=20000)
    size = len(block) * 60000 * 20000
    check('20 GB', call('HEAD', '/demo/huge').headers['content-length'], str(size))
    r = get('huge', Range='bytes=%d-' % (size - 20), x_oss_range_behavior='standard')
    check('its end', r.body, (block * 3)[-20:])
    check('copy', call('PUT', '/demo/part', headers={'x-oss-copy-source': '/demo/v'}).status, 200)
    check('copied', get('part').body == block * 1000, True)
    start = time.monotonic()
    check('many', E.command(op='generate_many', bucket='demo', key='many/{n%10}/{n:6}.csv', text='{n},x\n', count=100000), {'count': 100000})
    check('one', get('many/3/000013.csv').body, b'13,x\n')
    token, n, pages = None, 0, 0
    while True:
        r = v2(prefix='many/', max_keys=1000, **({'continuation_token': token} if token else {}))
        n += len(r.find('Key'))
        pages += 1
        if r.find('IsTruncated') == ['false']:
            break
        token = r.find('NextContinuationToken')[0]
    check('listed', (n, pages), (100000, 100))
    check('folded', v2(prefix='many/', delimiter='/').find('Prefix')[1:], ['many/%d/' % i for i in range(10)])
    check('fast', time.monotonic() - start < 60, True)


def test_discard():
    fresh()
    E.command(op='discard', bucket='demo', prefix='gone/')
    data = b'q' * 200000
    u = initiate('gone/x')
    etags = [(n, part('gone/x', u, n, data).etag) for n in (1, 2)]
    r = complete('gone/x', u, etags)
    check('complete', (r.status, r.crc), (200, crc64(data * 2)))
    check('length', call('HEAD', '/demo/gone/x').headers['content-length'], '400000')
    check('bytes', get('gone/x').status, 501)
    put('gone/y', b'abc')
    check('put', (get('gone/y').status, call('HEAD', '/demo/gone/y').crc), (501, crc64(b'abc')))
    put('kept', b'abc')
    check('others', get('kept').body, b'abc')
    E.command(op='discard', bucket='demo', on=False)
    put('gone/y', b'abc')
    check('off', get('gone/y').body, b'abc')


def test_faults():
    fresh()
    put('k', b'abcdef')
    E.faults({'action': 'status', 'api': 'GetObject', 'http': 503, 'code': 'QpsLimitExceeded', 'count': 1})
    r = get('k')
    check('status', r.fault + (r.headers['x-oss-ec'], len(r.headers['x-oss-request-id'])), (503, 'QpsLimitExceeded', '0004-00000302', 24))
    check('then', get('k').status, 200)
    for kind, want in (('throttle', (503, 'QpsLimitExceeded')), ('token_expired', (403, 'SecurityTokenExpired')),
                       ('time_skewed', (403, 'RequestTimeTooSkewed')), ('non_xml', (502, ''))):
        E.faults({'action': kind, 'count': 1})
        check(kind, get('k').fault, want)
        check(kind + ' over', get('k').status, 200)
    E.faults({'action': 'throttle', 'code': 'CpuLimitExceeded', 'retry_after': 3, 'count': 1})
    r = get('k')
    check('another code', r.fault + (r.headers['retry-after'],), (503, 'CpuLimitExceeded', '3'))
    E.faults({'action': 'wrong_crc', 'count': 1})
    check('wrong_crc', get('k').crc, crc64(b'abcdef') ^ 1)
    E.faults({'action': 'ignore_range', 'count': 1})
    check('ignore_range', get('k', Range='bytes=1-2').status, 200)
    etag = md5(b'abcdef')
    E.faults({'action': 'object_replaced', 'api': 'GetObject', 'nth': 2})
    check('before', get('k', If_Match=etag, Range='bytes=0-2').body, b'abc')
    check('replaced', get('k', If_Match=etag, Range='bytes=3-5').fault, (412, 'PreconditionFailed'))
    put('k', b'abcdef')
    E.faults({'action': 'object_truncated', 'count': 1})
    check('truncated', get('k').body, b'abc')
    E.faults({'action': 'object_deleted', 'count': 1})
    check('deleted', get('k').fault, (404, 'NoSuchKey'))
    E.faults({'action': 'apply_then_fail', 'api': 'PutObject', 'count': 1})
    r = put('k', b'1')
    check('apply_then_fail', (r.fault, get('k').body), ((500, 'InternalError'), b'1'))
    check('its headers', ('etag' in r.headers, len(r.headers['x-oss-request-id'])), (False, 24))
    E.faults({'action': 'apply_later', 'api': 'PutObject', 'count': 1, 'writes': 1})
    check('apply_later', (put('k', b'2').fault, get('k').body), ((500, 'InternalError'), b'1'))
    put('other', b'')
    check('applied by the next write', get('k').body, b'2')
    u = initiate('m', x_oss_forbid_overwrite='true')
    e1 = part('m', u, 1, b'm').etag
    E.faults({'action': 'apply_later', 'api': 'CompleteMultipartUpload', 'count': 1, 'ms': 300})
    check('complete later', (complete('m', u, [(1, e1)]).fault, get('m').status), ((500, 'InternalError'), 404))
    time.sleep(0.6)
    check('applied by time', (get('m').body, complete('m', u, [(1, e1)]).fault), (b'm', (404, 'NoSuchUpload')))
    u = initiate('m2')
    e1 = part('m2', u, 1, b'm').etag
    E.faults({'action': 'apply_later', 'api': 'CompleteMultipartUpload', 'count': 1, 'writes': 1})
    complete('m2', u, [(1, e1)])
    check('abort first', call('DELETE', '/demo/m2', {'uploadId': u}).status, 204)
    put('other', b'')
    check('overtaken', get('m2').fault, (404, 'NoSuchKey'))
    E.faults({'action': 'apply_later', 'api': 'DeleteObject', 'count': 1, 'writes': 1, 'http': 503, 'code': 'ServiceUnavailable'})
    check('delete later', (call('DELETE', '/demo/m').fault, get('m').status), ((503, 'ServiceUnavailable'), 200))
    put('other', b'')
    check('deleted', get('m').status, 404)
    check('history', [(c['key'], c['gone'], c['size']) for c in E.command(op='history', bucket='demo')['changes'][-2:]],
          [('other', False, 0), ('m', True, 0)])
    u = initiate('f')
    E.faults({'action': 'upload_forgotten', 'api': 'UploadPart', 'count': 1})
    check('upload_forgotten', (part('f', u, 1, b'').fault, E.command(op='uploads', bucket='demo')['uploads']), ((404, 'NoSuchUpload'), []))
    put('new', b'')
    E.faults({'action': 'stale_listing', 'api': 'ListObjectsV2', 'count': 1})
    check('stale_listing', (v2().find('Key'), 'new' in v2().find('Key')), ([], True))
    E.faults({'action': 'truncate_body', 'at': 2, 'count': 1})
    try:
        get('k2')
        check('truncate_body', False, True)
    except Exception as e:
        check('truncate_body', type(e).__name__, 'IncompleteRead')
    block = 'x' * 1000
    E.command(op='generate', bucket='demo', key='v', text=block, repeat=100)
    E.faults({'action': 'corrupt_body', 'api': 'GetObject', 'at': 50500, 'count': 1})
    r = get('v')
    check('corrupt_body of a repeated block', sum(a != ord('x') for a in r.body), 1)
    E.faults()


def test_save():
    directory = tempfile.mkdtemp()
    try:
        e = Emulator('--data', directory)
        e.command(op='create_bucket', bucket='demo', acl='public-read')
        e.command(op='cname', host='img.example.org', bucket='demo')
        e.command(op='discard', bucket='demo', prefix='gone/')
        e.call('PUT', '/demo/k', body=b'abc', headers={'x-oss-meta-a': '1', 'x-oss-tagging': 't=1'})
        e.call('PUT', '/demo/gone/x', body=b'abc')
        e.call('PUT', '/demo/ln', {'symlink': None}, headers={'x-oss-symlink-target': 'k'})
        e.command(op='generate', bucket='demo', key='v', text='abc', repeat=1000000000)
        u = e.call('POST', '/demo/m', {'uploads': None}).find('UploadId')[0]
        etag = e.call('PUT', '/demo/m', {'partNumber': 1, 'uploadId': u}, b'part').etag
        before = e.command(op='list', bucket='demo')
        check('stop', e.stop(), 0)
        e = Emulator('--data', directory)
        check('list', e.command(op='list', bucket='demo'), before)
        r = e.call('GET', '/demo/ln')
        check('object', (r.body, r.headers['x-oss-meta-a'], r.headers['x-oss-tagging-count']), (b'abc', '1', '1'))
        check('acl', e.call('GET', '/demo/k', anonymous=True).status, 200)
        check('cname', e.call('GET', '/k', host='img.example.org', anonymous=True).status, 200)
        check('discarded', e.call('GET', '/demo/gone/x').status, 501)
        check('upload', e.call('POST', '/demo/m', {'uploadId': u}, (
            '<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>%s</ETag></Part></CompleteMultipartUpload>' % etag).encode()).status, 200)
        check('object', e.call('GET', '/demo/m').body, b'part')
        check('stop', e.stop(), 0)
        with open(os.path.join(directory, 'oss.state'), 'r+b') as f:
            f.truncate(100)
        e = Emulator('--data', directory)
        check('damaged state', e.process.wait(60), 2)
        e.process.stdout.close()
    finally:
        shutil.rmtree(directory)


def test_state():
    fresh()
    put('k', b'abc')
    u = initiate('m')
    part('m', u, 1, b'1234')
    state = json.loads(E.control('state').body)
    text = json.dumps(state)
    check('state', '"objects": 1' in text and '"part_bytes": 4' in text, True)
    names = {c['api'] for c in json.loads(E.control('counters').body)['counters']}
    check('api names', names >= {'PutObject', 'GetObject', 'ListObjectsV2', 'ListObjects', 'InitiateMultipartUpload', 'UploadPart',
                                 'UploadPartCopy', 'CompleteMultipartUpload', 'AbortMultipartUpload', 'ListParts', 'HeadObject',
                                 'ListMultipartUploads', 'DeleteObject'}, True)


finish('oss_list_selftest', globals())
