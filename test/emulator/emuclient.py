"""Client side of the emulator's self-test: start it, sign requests (V1), read and
write log groups.  Standard library only, so nothing of the emulator judges itself."""
import base64
import hashlib
import hmac
import http.client
import json
import re
import signal
import struct
import subprocess
import urllib.parse
from email.utils import formatdate

KEY, SECRET = 'testAccessKeyId', 'testAccessKeySecret'


class Emulator:
    running = []
    binary = 'test/emulator/mc-emulator'

    def __init__(self, *args):
        self.proc = subprocess.Popen([self.binary, '--loghub-port', '0', *args], stdout=subprocess.PIPE, text=True)
        Emulator.running.append(self)
        self.port = 0
        for line in self.proc.stdout:
            m = re.match(r'loghub http://.*:(\d+)$', line)
            if m:
                self.port = int(m.group(1))
            if line == 'ready\n':
                break

    def stop(self, sig=signal.SIGTERM):
        self.proc.send_signal(sig)
        code = self.proc.wait(60)
        self.proc.stdout.close()
        Emulator.running.remove(self)
        return code

    def control(self, path, body=None):
        c = http.client.HTTPConnection('127.0.0.1', self.port, timeout=30)
        data = body if body is None or isinstance(body, str) else json.dumps(body)
        c.request('GET' if body is None else 'POST', '/__mc/' + path, data)
        r = c.getresponse()
        text = r.read()
        c.close()
        lines = [json.loads(x) for x in text.splitlines() if x.strip()] if path == 'command' else [json.loads(text)]
        return r.status, lines[0] if len(lines) == 1 else lines

    def command(self, **cmd):
        cmd.setdefault('service', 'loghub')
        return self.control('command', cmd)

    def raw(self, method, target, headers, body=b'', timeout=30):
        c = http.client.HTTPConnection('127.0.0.1', self.port, timeout=timeout)
        c.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for k, v in headers:
            c.putheader(k, v)
        if body and not any(k.lower() in ('content-length', 'transfer-encoding') for k, _ in headers):
            c.putheader('Content-Length', str(len(body)))
        c.endheaders()
        if body:
            c.send(body)
        r = c.getresponse()
        data = r.read()
        c.close()
        return Answer(r.status, {k.lower(): v for k, v in r.getheaders()}, data)

    def call(self, method, path, params=(), body=b'', headers=(), project='proj', key=KEY, secret=SECRET,
             date=None, domain='localhost', timeout=30):
        """One request signed with V1."""
        params = list(params.items()) if isinstance(params, dict) else list(params)
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
            headers = list(headers) + [('Content-Type', 'application/json')]
        h = {'x-log-apiversion': '0.6.0', 'x-log-signaturemethod': 'hmac-sha1', 'x-log-bodyrawsize': str(len(body)),
             'Date': date or formatdate(usegmt=True)}
        h.update(dict(headers))
        if body:
            h['Content-MD5'] = hashlib.md5(body).hexdigest().upper()
        extra = ''.join('%s:%s\n' % (k.lower(), h[k]) for k in sorted(h, key=str.lower)
                        if k.lower().startswith(('x-log-', 'x-acs-')) and k.lower() != 'x-log-date')
        resource = path + ('?' + '&'.join('%s=%s' % p for p in sorted(params)) if params else '')
        text = '\n'.join([method, h.get('Content-MD5', ''), h.get('Content-Type', ''), h['Date'], extra + resource])
        sig = base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha1).digest()).decode()
        target = path + ('?' + urllib.parse.urlencode(params) if params else '')
        host = '%s.%s' % (project, domain) if project else domain
        return self.raw(method, target, [('Host', host), ('Authorization', 'LOG %s:%s' % (key, sig))] + list(h.items()),
                        body, timeout)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        try:
            return self.json['errorCode']
        except (ValueError, KeyError, TypeError):
            return ''

    def __repr__(self):
        return '<%d %s %r>' % (self.status, self.headers, self.body[:300])


def varint(n):
    out = b''
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def log(t, pairs, ns=None):
    body = b'\x08' + varint(t)
    for k, v in pairs:
        body += field(2, field(1, k if isinstance(k, bytes) else k.encode()) +
                      field(2, v if isinstance(v, bytes) else v.encode()))
    if ns is not None:
        body += b'\x25' + struct.pack('<I', ns)
    return body


def group(logs, topic='t', tags=()):
    out = b''.join(field(1, x) for x in logs)
    if topic is not None:
        out += field(3, topic.encode())
    return out + b''.join(field(6, field(1, k.encode()) + field(2, v.encode())) for k, v in tags)


def fields(data):
    pos = 0
    while pos < len(data):
        tag, pos = read_varint(data, pos)
        kind = tag & 7
        if kind == 0:
            v, pos = read_varint(data, pos)
        elif kind == 5:
            v, pos = data[pos:pos + 4], pos + 4
        else:
            n, pos = read_varint(data, pos)
            v, pos = data[pos:pos + n], pos + n
        yield tag >> 3, v


def read_varint(data, pos):
    v = shift = 0
    while True:
        b = data[pos]
        v |= (b & 127) << shift
        pos, shift = pos + 1, shift + 7
        if b < 128:
            return v, pos


def groups_of(data):
    """[(tags, [(time, {key: value})])] of a LogGroupList"""
    out = []
    for _, g in fields(data):
        logs, tags = [], {}
        for n, v in fields(g):
            if n == 1:
                parts = list(fields(v))
                pairs = [dict(fields(x)) for m, x in parts if m == 2]
                logs.append(([x for m, x in parts if m == 1][0], {p[1].decode(): p[2].decode() for p in pairs}))
            elif n == 6:
                p = dict(fields(v))
                tags[p[1].decode()] = p[2].decode()
        out.append((tags, logs))
    return out


def cursor_int(c):
    return int(base64.b64decode(c))


def put(e, store, logs, headers=(), path='/shards/lb', params=(), **kw):
    return e.call('POST', '/logstores/%s%s' % (store, path), params, group(logs, **kw),
                  [('Content-Type', 'application/x-protobuf'), *headers])


def get_cursor(e, store, shard, origin):
    a = e.call('GET', '/logstores/%s/shards/%s' % (store, shard), {'type': 'cursor', 'from': str(origin)})
    return a.json['cursor'] if a.status == 200 else a


def pull(e, store, shard, cursor, end=None, count=1000, method='GET', coding='', **more):
    params = {'type': 'logs', 'cursor': cursor, 'count': str(count), **more}
    if end:
        params['end_cursor'] = end
    return e.call(method, '/logstores/%s/shards/%s' % (store, shard), params,
                  headers=[('Accept', 'application/x-protobuf'), ('Accept-Encoding', coding)])
