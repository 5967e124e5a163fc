#!/usr/bin/env python3
"""Self-test of mc-emulator's MaxCompute part: standard library only.

Replays the recorded signatures and record streams of official SDKs
(test/data/vectors/maxcompute), and builds its own streams and checksums, so the
emulator is not judged by its own codecs.
usage: odps_selftest.py MC_EMULATOR VECTOR_DIR
"""
import http.client
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import urllib.parse
import xml.dom.minidom
import zlib

BIN, VECTORS = sys.argv[1], sys.argv[2]
TABLES = '/projects/test_project/tables/'
passed = failed = 0


def check(what, got, want):
    global passed, failed
    if got == want:
        passed += 1
    else:
        failed += 1
        print('FAIL line %d: %s\n  got    %r\n  wanted %r' % (sys._getframe(1).f_lineno, what, got, want))


class Emulator:
    def __init__(self, *args):
        self.process = subprocess.Popen([BIN, '--maxcompute-port', '0', '--listen', '127.0.0.1', *args],
                                        stdout=subprocess.PIPE, text=True)
        for line in self.process.stdout:
            found = re.search(r'http://127.0.0.1:(\d+)', line)
            if found:
                self.port = int(found.group(1))
            if line.startswith('ready'):
                break

    def stop(self):
        self.process.terminate()
        check('exit code', self.process.wait(), 0)

    def call(self, method, target, body=None, headers=None):
        c = http.client.HTTPConnection('127.0.0.1', self.port, timeout=60)
        c.putrequest(method, target, skip_accept_encoding=True, skip_host='Host' in (headers or {}))
        for name, value in (headers or {}).items():
            c.putheader(name, value)
        data = body.encode() if isinstance(body, str) else body
        if data is not None or method in ('POST', 'PUT'):
            c.putheader('Content-Length', str(len(data or b'')))
        c.endheaders(data)
        r = c.getresponse()
        out = r.status, dict((k.lower(), v) for k, v in r.getheaders()), r.read()
        c.close()
        return out

    def code(self, method, target, body=None, headers=None):
        """Status, and the code of an error"""
        status, head, text = self.call(method, target, body, headers)
        if status < 300:
            return status
        found = re.search(rb'<Code>(.*?)</Code>', text)
        return status, found.group(1).decode() if found else json.loads(text)['Code']

    def json(self, method, target, body=None):
        status, head, text = self.call(method, target, body)
        assert status == 200, (method, target, status, text)
        return json.loads(text)

    def command(self, **members):
        status, head, text = self.call('POST', '/__mc/command', json.dumps(dict(service='maxcompute', **members)))
        return json.loads(text or b'{}') if status == 200 else text.decode()

    def sql(self, text, **more):
        reply = self.command(op='sql', sql=text, **more)
        return reply['result'] if isinstance(reply, dict) else reply

    def fault(self, *rules):
        assert self.call('POST', '/__mc/faults', json.dumps(rules))[0] == 200

    def rows(self, table):
        return self.command(op='checksum', table=table)['count']


# ---- streams of our own ----

CRC = []
for i in range(256):
    for _ in range(8):
        i = (i >> 1) ^ (0x82F63B78 if i & 1 else 0)
    CRC.append(i)


def crc32c(data):
    c = 0xffffffff
    for byte in data:
        c = CRC[(c ^ byte) & 255] ^ (c >> 8)
    return c ^ 0xffffffff


def varint(v):
    out = b''
    while v >= 128:
        out += bytes([v & 127 | 128])
        v >>= 7
    return out + bytes([v])


def zigzag(v):
    return ((v << 1) ^ (v >> 63)) & (2 ** 64 - 1)


def record(columns, extend):
    body = fed = b''
    for number, value in columns:
        fed += struct.pack('<I', number)
        if isinstance(value, int):
            body += varint(number << 3) + varint(zigzag(value))
            fed += struct.pack('<q', value)
        else:
            body += varint(number << 3 | 2) + varint(len(value)) + value
            fed += value
    crc = crc32c(fed)
    return body + varint(33553408 << 3) + varint(extend(crc)), crc


def stream(rows, extend=lambda crc: crc):
    out = crcs = b''
    for columns in rows:
        body, crc = record(columns, extend)
        out += body
        crcs += struct.pack('<I', crc)
    return (out + varint(33554430 << 3) + varint(zigzag(len(rows))) + varint(33554431 << 3) +
            varint(extend(crc32c(crcs))))


GOOD = stream([[(1, 5), (2, b'abc')]])

# ---- tests ----


def signatures():
    with open(os.path.join(VECTORS, 'signatures.json')) as f:
        vectors = json.load(f)
    e = Emulator('--clock', '2023-11-14T22:13:20Z', '--access-key', 'test-access-id:test-access-key-0123456789')
    cases = []
    for v in vectors['v2_hmac_sha1'] + vectors['v4'] + vectors['pyodps_edge_cases']:
        cases += [(v, v['authorization'])]
        cases += [(v, v[k]) for k in ('go_sdk_authorization', 'java_sdk_authorization') if k in v]
    denied = ('SignatureNotMatch', 'ODPS-0410042', 'Unauthorized', 'ODPS-0410051')

    def outcome(v, authorization, **change):
        headers = dict(v['headers'], Authorization=authorization)
        headers.pop('authorization-sts-token', None)
        headers.update(change)
        code = e.code(v['method'], v['request_target'], headers.pop('body', None), headers)
        return code[1] in denied + ('ODPS-0410031',) if isinstance(code, tuple) else False

    for v, authorization in cases:
        check('signature ' + v['name'], outcome(v, authorization), False)
        wrong = authorization[:-3] + ('A' if authorization[-3] != 'A' else 'B') + authorization[-2:]
        check('wrong signature ' + v['name'], outcome(v, wrong), True)
    v, authorization = cases[0]
    check('no Authorization', e.code('GET', '/projects/test_project'), (401, 'ODPS-0410001'))
    check('no Authorization, tunnel', e.code('POST', TABLES + 't?downloads'), (401, 'Unauthorized'))
    check('bearer', e.code('GET', '/projects/test_project', None, {'x-odps-bearer-token': 'x'}), (401, 'ODPS-0410011'))
    check('token of a permanent key', outcome(v, authorization, **{'authorization-sts-token': 'x'}), True)
    check('digest', e.code(v['method'], v['request_target'], None, dict(v['headers'], Authorization=authorization, **{'Content-MD5': ''}))
          in (200, (404, 'NoSuchObject')), True)
    e.call('POST', '/__mc/clock', json.dumps({'advance_s': 901}))
    check('clock skew', outcome(v, authorization), True)
    e.stop()
    e = Emulator('--clock', '2023-11-14T22:13:20Z', '--access-key', 'test-access-id:test-access-key-0123456789:STS.token.value')
    v = next(v for v in vectors['v2_hmac_sha1'] if v['name'] == 'sts_token')
    check('token', outcome(v, v['authorization'], **{'authorization-sts-token': 'STS.token.value'}), False)
    check('no token', outcome(v, v['authorization']), True)
    check('another token', outcome(v, v['authorization'], **{'authorization-sts-token': 'STS.token.valuf'}), True)
    e.stop()


def record_vectors(e):
    with open(os.path.join(VECTORS, 'tunnel_records.json')) as f:
        vectors = json.load(f)
    for n, v in enumerate(vectors['vectors'] if 'vectors' in vectors else vectors['streams']):
        name = 'v%d' % n
        columns = ','.join('`%s` %s' % (c['name'], c['type']) for c in v['columns'])
        check('create ' + v['name'], e.sql('create table %s (%s)' % (name, columns)), '')
        raw = bytes.fromhex(v['raw_hex'])
        bodies = {'identity': raw}
        bodies.update((k, bytes.fromhex(x if isinstance(x, str) else x['hex'])) for k, x in v['encoded'].items())
        for coding, body in bodies.items():
            session = e.json('POST', TABLES + name + '?uploads&overwrite=true')['UploadID']
            check('%s %s' % (v['name'], coding), e.code('PUT', TABLES + '%s?uploadid=%s&blockid=0' % (name, session), body,
                                                        {'Content-Encoding': coding}), 200)
            e.json('POST', TABLES + name + '?uploadid=' + session)
        d = e.json('POST', TABLES + name + '?downloads')
        target = TABLES + '%s?data&downloadid=%s&rowrange=(0,%d)' % (name, d['DownloadID'], d['RecordCount'])
        check('download ' + v['name'], e.call('GET', target)[2].hex(), v['raw_hex'])
        everything = ','.join(c['name'] for c in v['columns'])
        if re.fullmatch(r'[\w,]+', everything):
            check('projection ' + v['name'], e.call('GET', target + '&columns=' + everything)[2].hex(), v['raw_hex'])
        dump = e.command(op='dump', table=name)
        floats = [i for i, c in enumerate(v['columns']) if c['type'] in ('float', 'double')]
        for got, want in zip(dump['rows'], v['rows']):
            for i in floats:
                if got[i] is not None and want[i] is not None:
                    got[i], want[i] = repr(float(got[i])), repr(float(want[i]))
            if 'float' not in json.dumps([c['type'] for c in v['columns'] if '<' in c['type'] or '(' in c['type']]):
                check('rows ' + v['name'], got, want)
        check('number of rows ' + v['name'], len(dump['rows']), len(v['rows']))


def put(e, session, block, body, coding=None):
    return e.code('PUT', TABLES + 'n?uploadid=%s&blockid=%s' % (session, block), body,
                  {'Content-Encoding': coding} if coding else None)


def upload(e, more=''):
    return e.json('POST', TABLES + 'n?uploads&partition=pt=a,h=1' + more)['UploadID']


def commit(e, session):
    return e.code('POST', TABLES + 'n?uploadid=' + session)


def status(e, session):
    return e.json('GET', TABLES + 'n?uploadid=' + session)['Status']


def uploads(e):
    check('create', e.sql('create table n (a bigint not null, v varchar(3), d decimal(4,2), c char(2), t tinyint) '
                          'partitioned by (pt string, h int)'), '')
    check('partitions', e.sql("alter table n add partition (pt='a', h=1) partition (pt='b',h='02')"), '')
    check('canonical values', e.sql('show partitions n'), 'pt=a/h=1\npt=b/h=2\n')
    for target, want in (('n?uploads', (400, 'MissingPartitionSpec')), ('n?uploads&partition=pt=a', (400, 'InvalidPartitionSpec')),
                         ('n?uploads=1&partition=pt=a,zz=1', (400, 'InvalidPartitionSpec')),
                         ('n?uploads&partition=pt=z,h=1', (404, 'NoSuchPartition')), ('zzz?uploads', (404, 'NoSuchTable')),
                         ("n?uploads=&partition=h='1'/pt=%22a%22", 200)):
        check(target, e.code('POST', TABLES + target), want)
    check('no project', e.code('POST', '/projects/nop/tables/n?uploads'), (404, 'NoSuchProject'))
    u = upload(e)
    for block, body, want in ((0, GOOD, 200), (20000, GOOD, (400, 'InvalidBlockID')), (-1, GOOD, (400, 'InvalidBlockID')),
                              ('x', GOOD, (400, 'InvalidBlockID')), (1, GOOD[:-1], (400, 'MalformedDataStream')),
                              (1, GOOD + b'x', (400, 'MalformedDataStream')), (1, b'', (400, 'MalformedDataStream')),
                              (1, GOOD.replace(b'abc', b'abd'), (400, 'CorruptedDataStream')),
                              (1, stream([[(2, b'a')]]), (400, 'InvalidArgument')),
                              (1, stream([[(1, 1), (2, b'abcd')]]), (400, 'InvalidArgument')),
                              (1, stream([[(1, 1), (2, '\u00e9\u00e9\u00e9'.encode())]]), 200),
                              (1, stream([[(1, -2 ** 63)]]), (400, 'InvalidArgument')),
                              (1, stream([[(1, 1 - 2 ** 63), (5, 127)]]), 200), (1, stream([[(1, 1), (5, 128)]]), (400, 'MalformedDataStream')),
                              (1, stream([[(1, 1), (3, b'123.45')]]), (400, 'InvalidArgument')),
                              (1, stream([[(1, 1), (3, b'12.345')]]), (400, 'InvalidArgument')),
                              (1, stream([[(1, 1), (3, b'12.450')]]), 200), (1, stream([[(1, 1), (3, b'1e3')]]), (400, 'InvalidArgument'))):
        check('block %r of %d bytes' % (block, len(body)), put(e, u, block, body), want)
    check('unknown session', put(e, 'nope', 0, GOOD), (404, 'NoSuchUpload'))
    check('unknown coding', put(e, u, 1, GOOD, 'br'), (400, 'InvalidArgument'))
    check('deflate', put(e, u, 1, zlib.compress(GOOD), 'deflate'), 200)
    check('deflate, cut', put(e, u, 1, zlib.compress(GOOD)[:-3], 'deflate'), (400, 'MalformedDataStream'))
    check('replaced', put(e, u, 0, stream([[(1, 5)], [(1, 6)]])), 200)
    check('blocks', [(b['BlockID'], b['RecordCount']) for b in e.json('GET', TABLES + 'n?uploadid=' + u)['UploadedBlockList']],
          [(0, 2), (1, 1)])
    check('another partition', e.code('GET', TABLES + 'n?uploadid=%s&partition=pt=b,h=2' % u), (400, 'InvalidResourceSpec'))
    check('nothing visible', e.rows('n'), 0)
    check('commit', [commit(e, u), commit(e, u), put(e, u, 3, GOOD), e.rows('n')], [200, 200, (409, 'StatusConflict'), 3])
    u = upload(e, '&overwrite=true')
    put(e, u, 0, GOOD)
    check('overwrite', [e.rows('n'), commit(e, u), e.rows('n')], [3, 200, 1])
    check('empty overwrite', [commit(e, upload(e, '&overwrite')), e.rows('n')], [200, 0])
    u = upload(e)
    long_crcs = stream([[(1, i)] for i in range(8)], lambda crc: crc if crc < 2 ** 31 else crc + 2 ** 64 - 2 ** 32)
    check('sign-extended checksums', [put(e, u, 0, long_crcs), commit(e, u)], [200, 200])
    d = e.json('POST', TABLES + 'n?downloads&partition=pt=a,h=1')['DownloadID']
    check('are stored short', e.call('GET', TABLES + 'n?data&downloadid=%s&rowrange=(0,8)' % d)[2], stream([[(1, i)] for i in range(8)]))
    check('create_partition', e.code('POST', TABLES + 'n?uploads&partition=pt=c,h=3&create_partition=true'), 200)
    check('was created', e.sql('show partitions n').split()[-1], 'pt=c/h=3')
    check('truncate', e.sql("truncate table n partition (pt='a',h=1)"), '')


def downloads(e):
    u = upload(e)
    put(e, u, 0, GOOD)
    put(e, u, 1, stream([[(1, 6), (2, b'x')], [(1, 7)]]))
    commit(e, u)
    d = e.json('POST', TABLES + 'n?downloads&partition=pt=a,h=1')
    check('RecordCount', d['RecordCount'], 3)

    def read(rows, more=''):
        return TABLES + 'n?data&downloadid=%s&rowrange=%s%s' % (d['DownloadID'], rows, more)
    for rows, more, want in (('(0,4)', '', 'InvalidRowRange'), ('(4,0)', '', 'InvalidRowRange'), ('x', '', 'InvalidRowRange'),
                             ('(0,1)', '&columns=a,zz', 'InvalidColumnSpec'), ('(0,1)', '&columns=pt', 'InvalidColumnSpec'),
                             ('(0,1)', '&columns=a,a', 'InvalidColumnSpec')):
        check(rows + more, e.code('GET', read(rows, more)), (400, want))
    check('empty range', e.call('GET', read('(3,0)'))[2].hex(), 'f0ffff7f00f8ffff7f00')
    check('across blocks', e.call('GET', read('%280%2C2%29'))[2], stream([[(1, 5), (2, b'abc')], [(1, 6), (2, b'x')]]))
    check('columns in the order asked for', e.call('GET', read('(0,2)', '&columns=v,a'))[2],
          stream([[(1, b'abc'), (2, 5)], [(1, b'x'), (2, 6)]]))
    s, head, body = e.call('GET', read('(0,1)'), None, {'Accept-Encoding': 'deflate'})
    check('deflate', [head.get('content-encoding'), zlib.decompress(body)], ['deflate', GOOD])
    s, head, body = e.call('GET', read('(0,1)'), None, {'Accept-Encoding': 'gzip, br'})
    check('unknown codings', [head.get('content-encoding'), body], [None, GOOD])
    check('unknown session', e.code('GET', TABLES + 'n?downloadid=zz'), (404, 'NoSuchDownload'))
    u = upload(e)
    put(e, u, 0, GOOD)
    commit(e, u)
    check('modified', e.code('GET', read('(0,1)')), (409, 'TableModified'))
    check('snapshot', e.call('GET', read('(0,1)', '&disable_modified_check=true'))[2], GOOD)
    check('rows of the snapshot', e.json('GET', TABLES + 'n?downloadid=' + d['DownloadID'])['RecordCount'], 3)


def faulty(e, action, **more):
    """A commit under a fault: its code, then status and rows gained"""
    before = e.rows('n')
    e.fault(dict(api='CommitUpload', action=action, nth=1, **more))
    u = upload(e)
    put(e, u, 0, GOOD)
    put(e, u, 1, GOOD)
    return u, before, commit(e, u)


def commit_faults(e):
    error = (500, 'InternalServerError')
    u, n, code = faulty(e, 'apply_later', ms=500)
    check('apply_later', [code, status(e, u), e.rows('n') - n], [error, 'normal', 0])
    e.call('POST', '/__mc/clock', json.dumps({'advance_s': 1}))
    check('applied', [status(e, u), e.rows('n') - n], ['closed', 2])
    for action, state in (('stuck_closing', 'closing'), ('stuck_committing', 'committing')):
        u, n, code = faulty(e, action, ms=20000)
        check(action, [code, status(e, u), commit(e, u), e.rows('n') - n], [200, state, (409, 'StatusConflict'), 0])
        e.call('POST', '/__mc/clock', json.dumps({'advance_s': 30}))
        check('closed', [status(e, u), e.rows('n') - n], ['closed', 2])
    u, n, code = faulty(e, 'append_residue')
    check('append_residue', [code, status(e, u), e.rows('n') - n], [error, 'critical', 1])
    u, n, code = faulty(e, 'append_residue', normal=1)
    check('append_residue, normal', [code, status(e, u), e.rows('n') - n], [error, 'normal', 1])
    u, n, code = faulty(e, 'critical')
    check('critical', [code, status(e, u), e.rows('n') - n, commit(e, u)], [error, 'critical', 0, (409, 'StatusConflict')])
    u, n, code = faulty(e, 'forget_after_close')
    check('forget_after_close', [code, commit(e, u), e.rows('n') - n], [200, (404, 'NoSuchUpload'), 2])
    u, n, code = faulty(e, 'session_expired')
    check('session_expired', [code, status(e, u), e.rows('n') - n], [(409, 'StatusConflict'), 'expired', 0])
    u, n, code = faulty(e, 'status_after', http=500, code='InternalServerError')
    check('status_after', [code, status(e, u), e.rows('n') - n], [error, 'closed', 2])
    e.fault()
    log = e.command(op='commits')[-5:]
    check('commit log', [(c['rows'], c['partial']) for c in log], [(2, False), (1, True), (1, True), (2, False), (2, False)])
    u = upload(e)
    put(e, u, 0, GOOD)
    e.call('POST', '/__mc/clock', json.dumps({'advance_s': 86400}))
    check('expired', [status(e, u), commit(e, u)], ['expired', (409, 'StatusConflict')])


def limits(e):
    target = TABLES + 'n?uploads&partition=pt=b,h=2'
    e.call('POST', '/__mc/clock', json.dumps({'advance_s': 301}))
    codes = [e.code('POST', target) for _ in range(501)]
    check('session limit', [codes.count(200), codes[-1]], [500, (429, 'QPSExceeded')])
    e.call('POST', '/__mc/clock', json.dumps({'advance_s': 301}))
    codes = [commit(e, upload(e)) for _ in range(76)]
    check('commit limit', [codes.count(200), codes[-1]], [75, (429, 'FlowExceeded')])
    e.command(op='set', rates=False)
    check('limits off', commit(e, upload(e)), 200)


def metadata(e):
    e.command(op='set', page_size=2)
    check('add', e.sql("alter table n add if not exists " + ' '.join("partition (pt='p%d', h=1)" % i for i in range(5))), '')
    marker, names = '', []
    while True:
        text = e.call('GET', TABLES + 'n?partitions&expectmarker=true&name&marker=' + marker)[2].decode()
        names += re.findall('<Name>(.*?)</Name>', text)
        marker = re.search('<Marker>(.*?)</Marker>', text).group(1)
        if not marker:
            break
    check('paged', names, ['pt=a/h=1', 'pt=b/h=2', 'pt=c/h=3'] + ['pt=p%d/h=1' % i for i in range(5)])
    e.command(op='set', page_size=1000)
    text = e.call('GET', TABLES + "n?partitions&partition=pt='b'")[2].decode()
    check('filtered', re.findall('Value="(.*?)"', text), ['b', '2'])
    check('one partition', e.code('GET', TABLES + "n?partition=pt%3D'a'%2Ch%3D'1'"), 200)
    check('odd value', e.sql("alter table n add partition (pt='a\\'\"<&>/,=b', h=9)"), '')
    text = e.call('GET', TABLES + "n?partitions&marker=")[2]
    check('is XML', xml.dom.minidom.parseString(text).getElementsByTagName('Column')[2].getAttribute('Value'), 'a\'"<&>/,=b')
    check('is found by the tunnel', e.code('POST', TABLES + 'n?downloads&partition=' + urllib.parse.quote('pt=a\'"<&>/,=b,h=9')), 200)
    check('drop it', e.sql("alter table n drop partition (pt='a\\'\"<&>/,=b', h=9)"), '')
    check('head', e.call('GET', TABLES + "n?data&linenum=1&partition=pt='a'&cols=pt,a")[2], b'"pt","a"\n"a","5"\n')
    check('head, wrong column', e.code('GET', TABLES + 'n?data&linenum=1&cols=zz'), (400, 'InvalidParameter'))
    check('missing partition', e.code('GET', TABLES + "n?partition=pt='q',h=1"), (404, 'NoSuchPartition'))
    check('missing table', e.code('GET', TABLES + 'none'), (404, 'NoSuchTable'))
    status, head, text = e.call('GET', '/projects/test_project')
    check('project headers', [h in head for h in ('x-odps-owner', 'x-odps-creation-time', 'last-modified', 'x-odps-request-id')], [True] * 4)
    check('error elements', [x in e.call('GET', TABLES + 'none')[2] for x in (b'<Code>', b'<Message>', b'<RequestId>', b'<HostId>')], [True] * 4)
    check('tunnel', e.call('GET', '/api/projects/test_project/tunnel?service')[2].decode(), '127.0.0.1:%d' % e.port)
    check('path with a schema', e.code('GET', '/projects/test_project/schemas/default/tables/n'), 200)
    check('no such schema', e.code('POST', '/projects/test_project/schemas/zz/tables/n?downloads'), (404, 'NoSuchSchema'))
    check('telemetry', e.call('PUT', '/projects/test_project/logs', '{}')[0], 404)
    for statement, code in (('select x from n', 'ODPS-0130161'), ('select * from none', 'ODPS-0130131'), ('', 'ODPS-0130161'),
                            ('create table q (a foo)', 'ODPS-0130071'), ('create table q (a bigint, A string)', 'ODPS-0130071'),
                            ('create table q (a decimal(39,1))', 'ODPS-0130071'), ('truncate table n', 'ODPS-0130071'),
                            ("alter table n add partition (pt='a',h=1)", 'ODPS-0110061'), ("alter table n add partition (pt='a')", 'ODPS-0130071'),
                            ("alter table n drop partition (pt='zz',h=1)", 'ODPS-0130131'), ('insert into n values (1)', 'ODPS-0130161'),
                            ('drop schema default', 'ODPS-0420096')):
        check(statement, code in e.sql(statement), True)
    check('count', e.sql("SELECT count(*) FROM test_project.`n` -- all\n WHERE pt='a' AND h=1;"), '"_c0"\n"%d"\n' % e.rows('n'))
    check('drop', e.sql("alter table n drop if exists partition (pt='p0',h=1), partition (pt='zz',h=1)"), '')


JOB = '<Instance><Job><Priority>9</Priority><Tasks><SQL><Name>A</Name><Query><![CDATA[%s]]></Query></SQL></Tasks></Job></Instance>'


def submit(e, text):
    status, head, body = e.call('POST', '/api/projects/test_project/instances', JOB % text)
    check('submitted', status, 201)
    return re.sub('.*/projects', '/projects', head['location'])


def instances(e):
    e.command(op='set', instance_ms=60000)
    one = submit(e, 'select 1;')
    drop = submit(e, 'drop table n')
    check('running', re.findall(b'<Status>(.*?)</Status>', e.call('GET', one)[2]), [b'Running'])
    check('no tasks while running', b'<Tasks>' in e.call('GET', one)[2], False)
    check('not yet', e.code('POST', one + '?downloads'), (409, 'InstanceNotTerminate'))
    stop = '<Instance><Status>Terminated</Status></Instance>'
    check('cancel', [e.code('PUT', drop, stop), e.code('PUT', drop, stop)], [200, (400, 'InvalidStateSetting')])
    e.call('POST', '/__mc/clock', json.dumps({'advance_s': 61}))
    check('terminated', re.findall(b'<Status>(.*?)</Status>', e.call('GET', one + '?taskstatus')[2]), [b'Terminated', b'Success'])
    check('cancelled', re.findall(b'<Status>(.*?)</Status>', e.call('GET', drop + '?taskstatus')[2]), [b'Terminated', b'Cancelled'])
    check('not dropped', e.code('GET', TABLES + 'n'), 200)
    check('result', b'&quot;_c0&quot;\n&quot;1&quot;\n' in e.call('GET', one + '?result')[2] or
          b'"_c0"\n"1"\n' in e.call('GET', one + '?result')[2], True)
    d = e.json('POST', one + '?downloads')
    check('instance tunnel', [d['RecordCount'], e.call('GET', one + '?data&downloadid=%s&rowrange=(0,1)' % d['DownloadID'])[2]],
          [1, stream([[(1, 1)]])])
    e.command(op='set', instance_ms=0)
    failed = submit(e, 'nonsense')
    check('failed', re.findall(b'<Status>(.*?)</Status>', e.call('GET', failed + '?taskstatus')[2]), [b'Terminated', b'Failed'])
    check('failed, tunnel', e.code('POST', failed + '?downloads'), (400, 'TaskFailed'))
    check('not a SELECT', e.code('POST', submit(e, 'show schemas') + '?downloads'), (400, 'InstanceTypeNotSupported'))
    check('source', e.call('GET', one + '?source')[2][:5], b'<Job>')
    check('broken XML', e.code('POST', '/projects/test_project/instances', '<a'), (400, 'MalformedXML'))


def streams_and_upserts(e):
    e.sql('create table dp (a bigint) partitioned by (pt string, h int)')
    s = e.json('POST', TABLES + 'dp/streams?dynamic_partition=true')['session_name']
    body = stream([[(1, 1), (2, b'x'), (3, 7)], [(1, 2), (2, b'y'), (3, 7)], [(1, 3), (2, b'x'), (3, 7)]])
    target = TABLES + 'dp/streams?uploadid=' + s
    status, head, text = e.call('PUT', target + '&record_count=3', body)
    check('pack', [status, head.get('odps-tunnel-slot-num'), head.get('odps-tunnel-routed-server')], [200, '1', '127.0.0.1:%d' % e.port])
    check('count', e.code('PUT', target + '&record_count=4', body), (400, 'InvalidArgument'))
    check('NULL partition', e.code('PUT', target, stream([[(1, 1), (2, b'x')]])), (400, 'InvalidArgument'))
    check('rows', e.command(op='dump', table='dp')['rows'], [['1', 'x', '7'], ['3', 'x', '7'], ['2', 'y', '7']])
    check('reload, abort, gone', [e.code('POST', target), e.code('POST', target, None, {'odps-tunnel-routed-server': 'x'}), e.code('GET', target)],
          [200, 200, (404, 'StreamSessionNotFound')])
    check('no key', e.code('POST', TABLES + 'dp/upserts?slotnum=2'), (400, 'InvalidArgument'))
    check('create', e.sql('create table d (k bigint not null, v string, primary key (k)) tblproperties ("transactional"="true")'), '')
    check('overwrite', e.code('POST', TABLES + 'd?uploads&overwrite=true'), (400, 'OverwriteModeNotAllowed'))
    u = e.json('POST', TABLES + 'd/upserts?slotnum=3')
    check('buckets', sorted(b for slot in u['slots'] for b in slot['buckets']), list(range(16)))
    for rows in ([[(1, 1), (2, b'a'), (5, 85)], [(1, 2), (2, b'b'), (5, 85)], [(1, 1), (2, b'c'), (5, 85)]], [[(1, 2), (5, 68)], [(1, 3), (5, 85)]]):
        check('put', e.code('PUT', TABLES + 'd/upserts?upsertid=%s&bucketid=0&slotid=0' % u['id'], stream(rows)), 200)
    target = TABLES + 'd/upserts?upsertid=' + u['id']
    check('invisible', e.rows('d'), 0)
    check('commit', [e.json('POST', target)['status'], e.json('POST', target)['status']], ['committed'] * 2)
    check('merged', sorted(e.command(op='dump', table='d')['rows'], key=str), [['1', 'c'], ['3', None]])


def persistence():
    folder = tempfile.mkdtemp(prefix='odps_selftest')
    e = Emulator('--no-verify', '--data', folder)
    e.command(op='generate', table='g', profile='mixed', rows=5000, partition='pt=1')
    session = e.json('POST', TABLES + 'g?uploads&partition=pt=1')['UploadID']
    check('block', e.code('PUT', TABLES + 'g?uploadid=%s&blockid=7' % session, stream([[(1, 1)]])), 200)
    d = e.json('POST', TABLES + 'g?downloads&partition=pt=1')['DownloadID']
    target = TABLES + 'g?data&downloadid=%s&rowrange=(17,1000)' % d
    before = [e.command(op='checksum', table='g'), e.call('GET', TABLES + 'g')[2], e.call('GET', target)[2]]
    e.stop()
    e = Emulator('--no-verify', '--data', folder)
    check('after a restart', [e.command(op='checksum', table='g'), e.call('GET', TABLES + 'g')[2], e.call('GET', target)[2]], before)
    check('session continues', [e.code('POST', TABLES + 'g?uploadid=' + session), e.rows('g')], [200, 5001])
    e.stop()
    shutil.rmtree(folder)


signatures()
emulator = Emulator('--no-verify', '--no-clock-check', '--clock', '2026-01-01T00:00:00Z')
for test in (record_vectors, uploads, downloads, commit_faults, limits, metadata, instances, streams_and_upserts):
    test(emulator)
emulator.stop()
persistence()
print('odps_selftest: %d passed, %d failed' % (passed, failed))
sys.exit(1 if failed else 0)
