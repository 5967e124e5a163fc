"""Client side of the self-tests of the emulator's Tablestore part: start it, sign
requests (V2), protobuf members and PlainBuffer rows.  Standard library only, so nothing
of the emulator judges itself."""
import base64
import datetime
import hashlib
import hmac
import http.client
import json
import re
import signal
import struct
import subprocess

KEY, SECRET = 'testAccessKeyId', 'testAccessKeySecret'
INF_MIN, INF_MAX, AUTO = object(), object(), object()


class Failure(Exception):
    def __init__(self, status, code, message):
        super().__init__('%d %s %s' % (status, code, message))
        self.status, self.code, self.message = status, code, message


class Emulator:
    running = []

    def __init__(self, binary, *args):
        self.proc = subprocess.Popen([binary, '--tablestore-port', '0', '--listen', '127.0.0.1', *args],
                                     stdout=subprocess.PIPE, text=True)
        Emulator.running.append(self)
        self.port = 0
        for line in self.proc.stdout:
            m = re.match(r'tablestore http://.*:(\d+)$', line)
            if m:
                self.port = int(m.group(1))
            if line == 'ready\n':
                break
        self.connection = None

    def stop(self, sig=signal.SIGTERM):
        self.proc.send_signal(sig)
        code = self.proc.wait(60)
        self.proc.stdout.close()
        Emulator.running.remove(self)
        return code

    def control(self, path, body=None):
        c = http.client.HTTPConnection('127.0.0.1', self.port, timeout=60)
        c.request('GET' if body is None else 'POST', '/__mc/' + path, None if body is None else json.dumps(body))
        r = c.getresponse()
        text = r.read()
        c.close()
        answer = json.loads(text) if text.strip() else {}
        if r.status != 200:
            raise Failure(r.status, 'control', str(answer))
        return answer

    def command(self, **cmd):
        cmd.setdefault('service', 'tablestore')
        return self.control('command', cmd)

    def clock(self, **cmd):
        return self.control('clock', cmd)

    def raw(self, path, body=b'', instance='demo'):
        """Status, headers, body of one signed request."""
        h = {'x-ots-date': datetime.datetime.fromtimestamp(self.now_us() / 1e6, datetime.timezone.utc).strftime('%Y-%m-%dT%H:%M:%S.000Z'),
             'x-ots-apiversion': '2015-12-31', 'x-ots-accesskeyid': KEY, 'x-ots-instancename': instance,
             'x-ots-contentmd5': base64.b64encode(hashlib.md5(body).digest()).decode()}
        text = '%s\nPOST\n\n' % path + ''.join('%s:%s\n' % (k, h[k]) for k in sorted(h))
        h['x-ots-signature'] = base64.b64encode(hmac.new(SECRET.encode(), text.encode(), hashlib.sha1).digest()).decode()
        if self.connection is None:
            self.connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=60)
        self.connection.request('POST', path, body, h)
        r = self.connection.getresponse()
        return r.status, {k.lower(): v for k, v in r.getheaders()}, r.read()

    frozen_us = None

    def now_us(self):
        return self.frozen_us if self.frozen_us is not None else int(datetime.datetime.now().timestamp() * 1e6)

    def freeze(self, us):
        """Stop the emulator's clock at this time; requests are dated with it."""
        self.frozen_us = us
        self.clock(now=datetime.datetime.fromtimestamp(us // 1000000, datetime.timezone.utc).strftime('%Y-%m-%dT%H:%M:%S') + '.%06dZ' % (us % 1000000))

    def call(self, operation, *members, **how):
        """Members as (number, value); the answer as {number: [values]}."""
        status, head, body = self.raw('/' + operation, message(*members), **how)
        if status != 200:
            e = fields(body)
            raise Failure(status, e[1][0].decode(), e.get(2, [b''])[0].decode())
        want = base64.b64encode(hashlib.md5(body).digest()).decode()
        if head.get('x-ots-contentmd5') != want:
            raise Failure(200, 'digest', 'wrong digest of %s' % operation)
        return fields(body)


# ---- protobuf ----

def varint(n):
    n &= (1 << 64) - 1
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def message(*members):
    out = b''
    for number, v in members:
        if v is None:
            continue
        if isinstance(v, (bool, int)):
            out += varint(number << 3) + varint(int(v))
        else:
            v = v.encode() if isinstance(v, str) else v
            out += varint(number << 3 | 2) + varint(len(v)) + v
    return out


def read_varint(data, pos):
    v = shift = 0
    while True:
        b = data[pos]
        v |= (b & 127) << shift
        pos, shift = pos + 1, shift + 7
        if b < 128:
            return v, pos


def fields(data):
    pos, out = 0, {}
    while pos < len(data):
        tag, pos = read_varint(data, pos)
        if tag & 7 == 0:
            v, pos = read_varint(data, pos)
            v = v - (1 << 64) if v >> 63 else v
        elif tag & 7 == 2:
            n, pos = read_varint(data, pos)
            v, pos = data[pos:pos + n], pos + n
            if len(v) != n:
                raise ValueError('cut short')
        else:
            raise ValueError('wire type %d' % (tag & 7))
        out.setdefault(tag >> 3, []).append(v)
    return out


# ---- PlainBuffer ----

TABLE = []
for i in range(256):
    for _ in range(8):
        i = (i << 1 ^ 7 if i & 128 else i << 1) & 255
    TABLE.append(i)


def crc8(crc, data):
    for b in data:
        crc = TABLE[crc ^ b]
    return crc


def variant(v):
    if v is INF_MIN:
        return b'\x09'
    if v is INF_MAX:
        return b'\x0a'
    if v is AUTO:
        return b'\x0b'
    if isinstance(v, bool):
        return b'\x02' + bytes([v])
    if isinstance(v, int):
        return b'\x00' + struct.pack('<q', v)
    if isinstance(v, float):
        return b'\x01' + struct.pack('<d', v)
    if isinstance(v, str):
        return b'\x03' + struct.pack('<i', len(v.encode())) + v.encode()
    return b'\x07' + struct.pack('<i', len(v)) + v


def cell(name, value=None, op=None, timestamp=None):
    out, crc = b'\x03\x04' + struct.pack('<i', len(name.encode())) + name.encode(), crc8(0, name.encode())
    if value is not None:
        v = variant(value)
        out += b'\x05' + struct.pack('<i', len(v)) + v
        crc = crc8(crc, v)
    if op is not None:
        out += b'\x06' + bytes([op])
    if timestamp is not None:
        out += b'\x07' + struct.pack('<q', timestamp)
        crc = crc8(crc, struct.pack('<q', timestamp))
    if op is not None:
        crc = crc8(crc, bytes([op]))
    return out + b'\x0a' + bytes([crc]), crc


def row(key, cells=(), delete=False):
    """key: [(name, value)], cells: [(name, value, op, timestamp)], shorter ones allowed"""
    out, crc = b'\x75\0\0\0\x01', 0
    for name, value in key:
        c, one = cell(name, value)
        out, crc = out + c, crc8(crc, [one])
    if cells:
        out += b'\x02'
    for args in cells:
        c, one = cell(*args)
        out, crc = out + c, crc8(crc, [one])
    if delete:
        out += b'\x08'
    return out + b'\x09' + bytes([crc8(crc, [int(delete)])])


def read_variant(data):
    kind = data[0]
    if kind == 0:
        return struct.unpack('<q', data[1:])[0]
    if kind == 1:
        return struct.unpack('<d', data[1:])[0]
    if kind == 2:
        return data[1] == 1
    if kind in (3, 7):
        text = data[5:]
        assert len(text) == struct.unpack('<i', data[1:5])[0]
        return text.decode() if kind == 3 else bytes(text)
    return {9: INF_MIN, 10: INF_MAX, 11: AUTO}[kind]


def rows(data):
    """[(key, cells, deleted, sequence)] of a buffer of rows, checksums verified"""
    if not data:
        return []
    assert data[:4] == b'\x75\0\0\0', 'header'
    pos, out = 4, []
    while pos < len(data):
        assert data[pos] == 1, 'row without key'
        pos, crc = pos + 1, 0
        key, cells, deleted, sequence, into = [], [], False, None, None
        into = key
        while data[pos] in (2, 3):
            if data[pos] == 2:
                into, pos = cells, pos + 1
                continue
            c, pos, one = read_cell(data, pos)
            crc = crc8(crc, [one])
            into.append(c[:2] if into is key else c)
        if data[pos] == 8:
            deleted, pos = True, pos + 1
        if data[pos] == 0x0b:
            assert data[pos:pos + 11] == b'\x0b\x18\0\0\0\x0c\x13\0\0\0\x0d', 'extension'
            epoch, = struct.unpack('<i', data[pos + 11:pos + 15])
            assert data[pos + 15] == 0x0e and data[pos + 24] == 0x0f
            us, = struct.unpack('<q', data[pos + 16:pos + 24])
            index, = struct.unpack('<i', data[pos + 25:pos + 29])
            sequence, pos = (epoch, us, index), pos + 29
        assert data[pos] == 9 and data[pos + 1] == crc8(crc, [int(deleted)]), 'row checksum'
        pos += 2
        out.append((key, cells, deleted, sequence))
    return out


def read_cell(data, pos):
    assert data[pos] == 3 and data[pos + 1] == 4
    n, = struct.unpack('<i', data[pos + 2:pos + 6])
    name = data[pos + 6:pos + 6 + n]
    pos, crc = pos + 6 + n, crc8(0, name)
    value = op = timestamp = None
    if data[pos] == 5:
        n, = struct.unpack('<i', data[pos + 1:pos + 5])
        raw = data[pos + 5:pos + 5 + n]
        value, crc, pos = read_variant(raw), crc8(crc, raw), pos + 5 + n
    if data[pos] == 6:
        op, pos = data[pos + 1], pos + 2
    if data[pos] == 7:
        timestamp, = struct.unpack('<q', data[pos + 1:pos + 9])
        crc, pos = crc8(crc, data[pos + 1:pos + 9]), pos + 9
    if op is not None:
        crc = crc8(crc, [op])
    assert data[pos] == 10 and data[pos + 1] == crc, 'cell checksum'
    return (name.decode(), value, op, timestamp), pos + 2, crc


# ---- calls that several tests make ----

INTEGER, STRING, BINARY = 1, 2, 3
CONDITION = message((1, 0))


def create_table(e, name, keys, stream_hours=None, columns=(), versions=1, ttl=-1, local_txn=False, **how):
    """keys: [(name, type)]"""
    meta = message((1, name), *[(2, message((1, k), (2, t))) for k, t in keys])
    stream = None
    if stream_hours is not None:
        stream = message((1, 1), (2, stream_hours), *[(3, c) for c in columns])
    return e.call('CreateTable', (1, meta), (2, message((1, message((1, 0), (2, 0))))),
                  (3, message((1, ttl), (2, versions))), (5, stream), (8, local_txn or None), **how)


def put(e, table, key, cells=(), condition=CONDITION, txn=None):
    return e.call('PutRow', (1, table), (2, row(key, cells)), (3, condition), (5, txn))


def update(e, table, key, cells, condition=CONDITION, txn=None):
    return e.call('UpdateRow', (1, table), (2, row(key, cells)), (3, condition), (5, txn))


def delete(e, table, key, condition=CONDITION, txn=None):
    return e.call('DeleteRow', (1, table), (2, row(key, delete=True)), (3, condition), (5, txn))


def get(e, table, key, txn=None):
    """The row or None"""
    answer = e.call('GetRow', (1, table), (2, row(key)), (5, 1), (11, txn))
    found = rows(answer[2][0])
    return found[0] if found else None


def scan(e, table, begin, end, txn=None):
    answer = e.call('GetRange', (1, table), (2, 0), (5, 1), (7, row(begin)), (8, row(end)), (14, txn))
    return rows(answer[2][0])
