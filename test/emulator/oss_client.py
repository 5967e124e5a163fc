"""Client side of the emulator's OSS self-test: start it, sign requests with V1 or V4,
in the header or in the URL.  Standard library only, so nothing of the emulator judges
itself."""
import base64
import hashlib
import hmac
import http.client
import json
import re
import subprocess
import time
import urllib.parse
from email.utils import formatdate

KEY, SECRET = 'testAccessKeyId', 'testAccessKeySecret'
SUB = {'acl', 'append', 'bucketInfo', 'continuation-token', 'delete', 'location', 'objectMeta', 'partNumber', 'position',
       'seal', 'security-token', 'sequential', 'stat', 'symlink', 'tagging', 'uploadId', 'uploads', 'versionId', 'versions',
       'restore', 'lifecycle', 'response-content-type', 'response-cache-control', 'response-content-disposition',
       'response-content-encoding', 'response-content-language', 'response-expires'}


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def find(self, element):
        """texts of all elements of that name"""
        return [x.decode().replace('&quot;', '"').replace('&amp;', '&') for x in
                re.findall(b'<%s>(.*?)</%s>' % (element.encode(), element.encode()), self.body, re.S)]

    @property
    def code(self):
        return (self.find('Code') or [''])[0]

    @property
    def crc(self):
        return int(self.headers['x-oss-hash-crc64ecma'])

    @property
    def etag(self):
        return self.headers['etag'].strip('"')

    @property
    def fault(self):
        return self.status, self.code

    def __repr__(self):
        return '<%d %s %r>' % (self.status, self.headers, self.body[:600])


def quote(text, safe=''):
    return urllib.parse.quote(text, safe=safe + '-._~')


class Emulator:
    binary = None

    def __init__(self, *args):
        self.process = subprocess.Popen([self.binary, '--oss-port', '0', '--listen', '127.0.0.1', *args],
                                        stdout=subprocess.PIPE, text=True)
        for line in self.process.stdout:
            found = re.search(r'http://127.0.0.1:(\d+)', line)
            if found:
                self.port = int(found.group(1))
            if line.startswith('ready'):
                break

    def stop(self):
        self.process.terminate()
        code = self.process.wait(120)
        self.process.stdout.close()
        return code

    def raw(self, method, target, headers=(), body=None):
        """exactly these headers; Host and Content-Length are added where they are missing"""
        c = http.client.HTTPConnection('127.0.0.1', self.port, timeout=120)
        names = {k.lower() for k, _ in headers}
        c.putrequest(method, target, skip_accept_encoding=True, skip_host='host' in names)
        for name, value in headers:
            c.putheader(name, value)
        if body is not None and not names & {'content-length', 'transfer-encoding'}:
            c.putheader('Content-Length', str(len(body)))
        c.endheaders(body)
        r = c.getresponse()
        out = Answer(r.status, {k.lower(): v for k, v in r.getheaders()}, r.read())
        c.close()
        return out

    def control(self, path, body=None):
        text = None if body is None else (body if isinstance(body, str) else json.dumps(body)).encode()
        return self.raw('GET' if body is None else 'POST', '/__mc/' + path, [], text)

    def command(self, **members):
        r = self.control('command', dict(service='oss', **members))
        return json.loads(r.body or b'{}') if r.status == 200 else r.body.decode()

    def faults(self, *rules):
        assert self.control('faults', list(rules)).status == 200

    def call(self, method, path, params=None, body=None, headers=None, v4=False, key=KEY, secret=SECRET, date=None,
             region='cn-hangzhou', host=None, token=None, additional=(), url=0, anonymous=False, resource=None, spoil=False):
        """One request.  'path' is /bucket/key in path style, or /key with 'host' bucket.something;
        'url': seconds a presigned URL is valid"""
        params = dict(params or {})
        h = {k: str(v) for k, v in (headers or {}).items()}
        now = time.time() if date is None else date
        signed = resource if resource is not None else path if host is None else '/' + host.split('.')[0] + path
        if host is None and signed.count('/') == 1 and signed != '/' and resource is None:
            signed += '/'
        basic = time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(now))
        if token:
            if url:
                params['x-oss-security-token' if v4 else 'security-token'] = token
            else:
                h['x-oss-security-token'] = token
        if not anonymous:
            (self._v4 if v4 else self._v1)(method, signed, params, h, now, basic, key, secret, region, additional, url, spoil)
        target = quote(path, '/')
        if params:
            target += '?' + '&'.join(quote(k) + ('' if v is None else '=' + quote(str(v))) for k, v in params.items())
        if body is None and method in ('PUT', 'POST'):
            body = b''
        return self.raw(method, target, ([('Host', host)] if host else []) + list(h.items()), body)

    @staticmethod
    def _v1(method, resource, params, h, now, basic, key, secret, region, additional, url, spoil):
        when = str(int(now) + url) if url else formatdate(now, usegmt=True)
        if not url:
            h.setdefault('Date', when)
        low = {k.lower(): v for k, v in h.items()}
        text = '\n'.join([method, low.get('content-md5', ''), low.get('content-type', ''), low.get('x-oss-date', when)]) + '\n'
        text += ''.join('%s:%s\n' % (k, low[k].strip()) for k in sorted(low) if k.startswith('x-oss-'))
        sub = sorted((k, v) for k, v in params.items() if k in SUB or k.startswith('x-oss-'))
        text += resource + ('?' + '&'.join(k if v in (None, '') else '%s=%s' % (k, v) for k, v in sub) if sub else '')
        sig = base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha1).digest()).decode()
        if spoil:
            sig = 'A' + sig[1:] if sig[0] != 'A' else 'B' + sig[1:]
        if url:
            params.update(OSSAccessKeyId=key, Expires=when, Signature=sig)
        else:
            h['Authorization'] = 'OSS %s:%s' % (key, sig)

    @staticmethod
    def _v4(method, resource, params, h, now, basic, key, secret, region, additional, url, spoil):
        scope = '%s/%s/oss/aliyun_v4_request' % (basic[:8], region)
        if url:
            params.update({'x-oss-signature-version': 'OSS4-HMAC-SHA256', 'x-oss-credential': key + '/' + scope,
                           'x-oss-date': basic, 'x-oss-expires': str(url)})
            if additional:
                params['x-oss-additional-headers'] = ';'.join(sorted(additional))
        else:
            h.setdefault('x-oss-content-sha256', 'UNSIGNED-PAYLOAD')
            if 'Date' not in h:
                h.setdefault('x-oss-date', basic)
        when = basic if url else h.get('x-oss-date', h.get('Date'))
        low = {k.lower(): v for k, v in h.items()}
        query = '&'.join(quote(k) + ('' if v in (None, '') else '=' + quote(str(v))) for k, v in
                         sorted(params.items(), key=lambda p: quote(p[0])))
        lines = ''.join('%s:%s\n' % (k, low[k].strip()) for k in sorted(low) if k in ('content-type', 'content-md5')
                        or k.startswith('x-oss-') or k in additional)
        canonical = '\n'.join([method, quote(resource, '/'), query, lines, ';'.join(sorted(additional)),
                               low.get('x-oss-content-sha256', 'UNSIGNED-PAYLOAD')])
        text = '\n'.join(['OSS4-HMAC-SHA256', when, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        k = ('aliyun_v4' + secret).encode()
        for part in (basic[:8], region, 'oss', 'aliyun_v4_request'):
            k = hmac.new(k, part.encode(), hashlib.sha256).digest()
        sig = hmac.new(k, text.encode(), hashlib.sha256).hexdigest()
        if spoil:
            sig = ('0' if sig[0] != '0' else '1') + sig[1:]
        if url:
            params['x-oss-signature'] = sig
        else:
            h['Authorization'] = 'OSS4-HMAC-SHA256 Credential=%s/%s%s,Signature=%s' % (
                key, scope, ',AdditionalHeaders=' + ';'.join(sorted(additional)) if additional else '', sig)


CRC = []
for i in range(256):
    for _ in range(8):
        i = (i >> 1) ^ (0xC96C5795D7870F42 if i & 1 else 0)
    CRC.append(i)


def crc64(data):
    c = 2 ** 64 - 1
    for byte in data:
        c = CRC[(c ^ byte) & 255] ^ (c >> 8)
    return c ^ (2 ** 64 - 1)


def md5(data):
    return hashlib.md5(data).hexdigest().upper()


def md5_base64(data):
    return base64.b64encode(hashlib.md5(data).digest()).decode()
