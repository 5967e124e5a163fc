// Every call of the emulator's OSS that the unmodified Node.js SDK has.
'use strict';
const fs = require('fs');
const os = require('os');
const path = require('path');
const { Readable } = require('stream');
const urllib = require('urllib');
const { ok, equal, control, sections } = require('./checks');
const { client, keys, uploads, multipart, append, REGION } = require('./oss_client');

// in the order of their bytes
const STRANGE = ['plain', 'a b', 'a+b', 'a%2Fb', '100%', '#hash', '?q=1&r=2', 'x&y', '<tag>"\'', 'two//slashes', 'end/', 'semi;colon:at@', 'comma,=equals',
  '[glob]*', 'back\\slash', '中文 é 🎉', "tilde~!'()*", '$dollar^`{|}', 'long' + 'x'.repeat(1000), 'new\nline', 'tab\there'].map(k => 'strange/' + k)
  .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
const CONTENTS = { empty: Buffer.alloc(0), one: Buffer.from('x'), text: Buffer.from('Zeile\n中文\r\n'), large: Buffer.alloc(700000, 'large\0\xff') };
const fault = (api, action, more) => control('faults', [Object.assign({ service: 'oss', api, action }, more)]);
const noFault = () => control('faults', []);

// ec: null when the answer has no body, which is where the SDK takes it from
async function refused(name, status, code, ec, call) {
  try {
    await call();
  } catch (e) {
    return ok(name, e.status === status && e.code === code && /^[0-9A-F]{24}$/.test(e.requestId) && (ec === null || e.ecCode === ec || (ec === '' && e.ecCode)),
      [e.status, e.code, e.ecCode, e.requestId, e.message] + ', want ' + [status, code, ec]);
  }
  return ok(name, false, 'was not refused');
}

async function buckets(c, how) {
  const name = c.options.bucket;
  await c.putBucket(name, { acl: 'private', storageClass: 'IA' });
  const found = [];
  for (let marker = {}; ;) {
    const page = await c.listBuckets({ prefix: 'js-', 'max-keys': 1, ...marker });
    found.push(...(page.buckets || []).map(b => b.name));
    if (!page.isTruncated) break;
    marker = { marker: page.nextMarker };
  }
  ok('listed', found.includes(name), found);
  equal('location', (await c.getBucketLocation(name)).location, REGION);
  const info = (await c.getBucketInfo(name)).bucket;
  equal('info', [info.Name, info.StorageClass, info.AccessControlList.Grant, info.Location], [name, 'IA', 'private', REGION]);
  await c.putBucketACL(name, 'public-read');
  equal('acl', (await c.getBucketACL(name)).acl, 'public-read');
  await c.put('x', Buffer.from('12345'));
  const { stat } = await c.getBucketStat(name);
  equal('stat', [stat.Storage, stat.ObjectCount, stat.MultipartUploadCount], ['5', '1', '0']);
  await refused('not empty', 409, 'BucketNotEmpty', '', () => c.deleteBucket(name));
  await c.delete('x');
  await c.deleteBucket(name);
  await refused('gone', 404, 'NoSuchBucket', '0015-00000101', () => c.getBucketInfo(name));
  await c.putBucket(name);
}

async function objects(c) {
  for (const [name, data] of Object.entries(CONTENTS)) {
    const put = await c.put(name, data, { mime: 'text/x-test', meta: { name, words: 'a b' },
      headers: { 'Cache-Control': 'no-cache', 'Content-Disposition': 'attachment', 'Content-Encoding': 'identity', Expires: 'Tue, 04 Mar 2025 05:06:07 GMT' } });
    const got = await c.get(name);
    ok('content of ' + name, got.content.equals(data), got.content.length);
    const head = await c.head(name);
    const h = head.res.headers;
    equal('head of ' + name, [h['content-length'], h['content-type'], h.etag, h['x-oss-object-type'], h['x-oss-hash-crc64ecma'], head.meta],
      [String(data.length), 'text/x-test', put.res.headers.etag, 'Normal', put.res.headers['x-oss-hash-crc64ecma'], { name, words: 'a b' }]);
    equal('headers of ' + name, [h['cache-control'], h['content-disposition'], h['content-encoding'], h.expires],
      ['no-cache', 'attachment', 'identity', 'Tue, 04 Mar 2025 05:06:07 GMT']);
    equal('meta of ' + name, (await c.getObjectMeta(name)).res.headers['content-length'], String(data.length));
  }
  // a stream of unknown length is sent in chunks
  await c.putStream('chunked', Readable.from([Buffer.from('abc'), CONTENTS.large]));
  ok('chunked', (await c.get('chunked')).content.equals(Buffer.concat([Buffer.from('abc'), CONTENTS.large])));
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'mc'));
  await c.get('large', dir + '/f.csv');
  ok('to a file', fs.readFileSync(dir + '/f.csv').equals(CONTENTS.large));
  await c.put('from file.csv', dir + '/f.csv');
  const stream = (await c.getStream('from file.csv')).stream;
  const pieces = [];
  for await (const x of stream) pieces.push(x);
  ok('from a file to a stream', Buffer.concat(pieces).equals(CONTENTS.large));
  fs.rmSync(dir, { recursive: true });
  await c.putMeta('large', { a: '1' });
  equal('new metadata', (await c.head('large')).meta, { a: '1' });
  await c.put('large', Buffer.from('new'));
  equal('replaced', (await c.get('large')).content.toString(), 'new');
  const h = (await c.get('large', { subres: { 'response-content-type': 'c/d', 'response-content-disposition': 'inline; filename="e f"' } })).res.headers;
  equal('response-', [h['content-type'], h['content-disposition']], ['c/d', 'inline; filename="e f"']);
  await refused('wrong MD5', 400, 'InvalidDigest', '', () => c.put('md5', Buffer.from('x'), { headers: { 'Content-MD5': '1B2M2Y8AsgTpgAmY7PhCfg==' } }));
  await refused('missing object', 404, 'NoSuchKey', '0026-00000001', () => c.get('none'));
  await refused('head of a missing object', 404, 'NoSuchKey', null, () => c.head('none'));
  equal('deleted', (await c.delete('none')).res.status, 204);
}

async function conditions(c) {
  const whole = '0123456789';
  const { etag } = (await c.put('c', Buffer.from(whole))).res.headers;
  const at = s => new Date(Date.now() + 1000 * s).toUTCString();
  const standard = { 'x-oss-range-behavior': 'standard' };
  for (const [headers, status, want] of [[{ 'If-Match': etag }, 200, whole], [{ 'If-Match': 'x' }, 412], [{ 'If-None-Match': 'x' }, 200, whole], [{ 'If-None-Match': etag }, 304, ''],
    [{ 'If-Modified-Since': at(-86400) }, 200, whole], [{ 'If-Modified-Since': at(60) }, 304, ''], [{ 'If-Unmodified-Since': at(60) }, 200, whole], [{ 'If-Unmodified-Since': at(-86400) }, 412],
    [{ Range: 'bytes=2-4' }, 206, '234'], [{ Range: 'bytes=5-' }, 206, '56789'], [{ Range: 'bytes=-3' }, 206, '789'], [{ Range: 'bytes=5-20' }, 200, whole], [{ Range: 'bytes=20-' }, 200, whole],
    [{ Range: 'bytes=5-20', ...standard }, 206, '56789'], [{ Range: 'bytes=20-', ...standard }, 416], [{ Range: 'bytes=-20', ...standard }, 206, whole], [{ Range: 'bytes=4-2' }, 200, whole]]) {
    const name = 'get ' + JSON.stringify(headers);
    try {
      const got = await c.get('c', { headers });
      equal(name, [got.res.status, got.content.toString()], [status, want]);
    } catch (e) {
      equal(name, e.status, status);
    }
  }
  await refused('forbid-overwrite', 409, 'FileAlreadyExists', '', () => c.put('c', Buffer.from('x'), { headers: { 'x-oss-forbid-overwrite': 'true' } }));
  await c.put('new', Buffer.from('x'), { headers: { 'x-oss-forbid-overwrite': 'true' } });
}

async function appends(c) {
  equal('appended', await append(c, 'log', CONTENTS.large, 300000), '700000');
  const got = await c.get('log');
  equal('appendable', [got.content.equals(CONTENTS.large), got.res.headers['x-oss-object-type'], got.res.headers['x-oss-next-append-position']], [true, 'Appendable', '700000']);
  await refused('wrong position', 409, 'PositionNotEqualToLength', '0026-00000016', () => c.append('log', Buffer.from('x'), { position: '3' }));
  await c.put('normal', Buffer.from('x'));
  await refused('not appendable', 409, 'ObjectNotAppendable', '', () => c.append('normal', Buffer.from('x'), { position: '1' }));
}

async function multiparts(c) {
  const [data, name] = [Buffer.alloc(450 * 1024, 'part\0\xff'), 'multi part/中文+1'];
  const done = await multipart(c, name, data, 102400, { mime: 'text/m', headers: { 'x-oss-meta-m': '1' } });
  ok('ETag of parts', /-5"?$/.test(done.etag), done.etag);
  const got = await c.get(name);
  equal('content', [got.content.equals(data), got.res.headers['x-oss-object-type'], got.res.headers['content-type'], got.res.headers['x-oss-meta-m']], [true, 'Multipart', 'text/m', '1']);
  const names = [STRANGE[3], 'u/a', 'u/a', 'u/b', 'v/c'];
  for (const n of names) await c.initMultipartUpload(n);
  const open = await uploads(c, { 'max-uploads': 1 });
  equal('pages', open.map(u => u.name), names);
  for (const u of open) await c.abortMultipartUpload(u.name, u.uploadId);
  equal('aborted', await uploads(c), []);
  await refused('gone', 404, 'NoSuchUpload', '', () => c.uploadPart('u/a', open[1].uploadId, 1, Buffer.from('x'), 0, 1));
  const { uploadId } = await c.initMultipartUpload('bad');
  const [one, two] = [await c.uploadPart('bad', uploadId, 1, Buffer.from('small'), 0, 5), await c.uploadPart('bad', uploadId, 2, Buffer.from('small'), 0, 5)].map((x, i) => ({ number: i + 1, etag: x.etag }));
  equal('parts', (await c.listParts('bad', uploadId, { 'max-parts': 2 })).parts.map(p => [p.PartNumber, p.Size, p.ETag]), [['1', '5', one.etag], ['2', '5', two.etag]]);
  await refused('small part', 400, 'EntityTooSmall', '', () => c.completeMultipartUpload('bad', uploadId, [one, two]));
  await refused('wrong ETag', 400, 'InvalidPart', '', () => c.completeMultipartUpload('bad', uploadId, [{ number: 1, etag: '0'.repeat(32) }]));
  await c.completeMultipartUpload('bad', uploadId, [two]);
  const copied = await c.initMultipartUpload('copied');
  const list = [];
  for (let i = 0; i < 3; i++)
    list.push({ number: i + 1, etag: (await c.uploadPartCopy('copied', copied.uploadId, i + 1, (i * 200000) + '-' + (Math.min(i * 200000 + 200000, data.length) - 1),
      { sourceKey: name, sourceBucketName: c.options.bucket })).etag });
  await c.completeMultipartUpload('copied', copied.uploadId, list);
  ok('copied in parts', (await c.get('copied')).content.equals(data));
}

async function helpers(c) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'mc'));
  const data = Buffer.alloc(1050000, 'helper\x01');
  fs.writeFileSync(dir + '/f', data);
  await c.multipartUpload('up', dir + '/f', { partSize: 102400, parallel: 4, mime: 'a/b', meta: { m: '1' } });
  let got = await c.get('up');
  equal('multipartUpload', [got.content.equals(data), got.res.headers['x-oss-object-type'], got.res.headers['content-type'], got.res.headers['x-oss-meta-m']], [true, 'Multipart', 'a/b', '1']);
  await c.multipartUpload('up2', data, { partSize: 204800 });
  ok('multipartUpload of a buffer', (await c.get('up2')).content.equals(data));
  await fault('UploadPart', 'status', { nth: 3, http: 403, code: 'AccessDenied' });
  let checkpoint;
  try {
    await c.multipartUpload('resumed', dir + '/f', { partSize: 204800, parallel: 1, progress: (p, cpt) => { checkpoint = cpt; } });
    ok('interrupted', false, 'was not');
  } catch (e) {
    ok('interrupted', /AccessDenied|injected/.test(e.code + e.message), e);
  }
  await noFault();
  equal('left open', (await uploads(c)).length, 1);
  await c.multipartUpload('resumed', dir + '/f', { checkpoint, parallel: 2 });
  equal('resumed', [(await c.get('resumed')).content.equals(data), (await uploads(c)).length], [true, 0]);
  await c.multipartUploadCopy('copier', { sourceKey: 'up', sourceBucketName: c.options.bucket }, { partSize: 204800 });
  ok('multipartUploadCopy', (await c.get('copier')).content.equals(data));
  fs.rmSync(dir, { recursive: true });
}

async function copies(c) {
  for (const key of STRANGE) {
    const { etag } = (await c.put(key, Buffer.from(key), { meta: { k: 'v' } })).res.headers;
    const done = await c.copy('copy of ' + key, key);
    const got = await c.get('copy of ' + key);
    equal('copy of ' + JSON.stringify(key).slice(0, 50), [got.content.toString(), done.data.etag, got.res.headers['x-oss-meta-k']], [key, etag, 'v']);
    await c.delete('copy of ' + key);
  }
  await c.copy('d', STRANGE[0], { meta: { z: '1' } });
  equal('metadata is replaced', (await c.head('d')).meta, { z: '1' });
  await refused('copy If-Match', 412, 'PreconditionFailed', '', () => c.copy('d', STRANGE[0], { headers: { 'x-oss-copy-source-if-match': 'x' } }));
  await refused('missing source', 404, 'NoSuchKey', '0026-00000001', () => c.copy('d', 'none'));
}

async function listings(c) {
  for (const key of STRANGE) await c.put(key, Buffer.from(key));
  for (const key of ['t/', 't/a', 't/a/1', 't/a/2', 't/a-b', 't/b/', 't/b/1', 't/b/c/2', 't/z']) await c.put(key, Buffer.alloc(0));
  for (const step of [1000, 3, 1]) {
    equal('V2 by ' + step, await keys(c, 'strange/', { 'max-keys': step }), STRANGE);
    equal('directories by ' + step, await keys(c, 't/', { 'max-keys': step, delimiter: '/' }), [['t/', 't/a', 't/a-b', 't/z'], ['t/a/', 't/b/']]);
  }
  const found = [];
  for (let marker = {}; ;) {
    const page = await c.list({ prefix: 'strange/', 'max-keys': 3, ...marker });
    found.push(...page.objects.map(o => o.name));
    if (!page.isTruncated) break;
    marker = { marker: page.nextMarker };
  }
  equal('V1 by 3', found, STRANGE);
  equal('after', await keys(c, 't/', { 'start-after': 't/b/' }), ['t/b/1', 't/b/c/2', 't/z']);
  const o = (await c.listV2({ prefix: 'strange/plain', 'fetch-owner': 'true' })).objects[0];
  equal('entry', [o.size, o.etag, o.type, o.storageClass, Boolean(o.owner)], [13, (await c.head(o.name)).res.headers.etag, 'Normal', 'Standard', true]);
  ok('time', Math.abs(Date.parse(o.lastModified) - Date.now()) < 60000, o.lastModified);
}

async function deletes(c) {
  for (const quiet of [false, true]) {
    for (const key of STRANGE) await c.put(key, Buffer.from('x'));
    const done = await c.deleteMulti(STRANGE.concat('none'), { quiet });
    equal('deleted, quiet ' + quiet, done.deleted.map(x => x.Key), quiet ? [] : STRANGE.concat('none'));
    equal('nothing left', await keys(c, 'strange/'), []);
  }
}

async function attributes(c) {
  const tags = async () => (await c.getObjectTagging('t')).tag;
  await c.put('t', Buffer.from('x'), { headers: { 'x-oss-tagging': 'a=1&b%20c=%2B' } });
  equal('tags', await tags(), { a: '1', 'b c': '+' });
  await c.putObjectTagging('t', { key: 'value +/' });
  equal('new tags', [await tags(), (await c.head('t')).res.headers['x-oss-tagging-count']], [{ key: 'value +/' }, '1']);
  await c.deleteObjectTagging('t');
  equal('no tags', await tags(), {});
  for (const acl of ['private', 'public-read', 'public-read-write', 'default']) {
    await c.putACL('t', acl);
    equal('acl ' + acl, (await c.getACL('t')).acl, acl);
  }
  await c.putSymlink('link+1', 't', {});
  const got = await c.get('link+1');
  equal('symlink', [(await c.getSymlink('link+1')).targetName, got.content.toString(), got.res.headers['x-oss-object-type']], ['t', 'x', 'Symlink']);
}

async function urls(c, how) {
  // of an address the SDK makes no URL
  if (!how.includes('path')) return;
  const v4 = how.startsWith('V4');
  const sign = (method, key) => (v4 ? c.signatureUrlV4(method, 60, { headers: {} }, key) : c.signatureUrl(key, { method, expires: 60 }));
  for (const key of STRANGE.filter((k, i) => i % 4 === 0).map(k => 'url/' + k)) {
    const put = await urllib.request(await sign('PUT', key), { method: 'PUT', data: Buffer.from('through a URL') });
    const got = await urllib.request(await sign('GET', key), {});
    equal('URL of ' + JSON.stringify(key).slice(0, 50), [put.status, got.status, got.data.toString()], [200, 200, 'through a URL']);
  }
  const bad = await urllib.request((await sign('GET', 'url/x')).replace('url', 'URL'), {});
  ok('spoiled', bad.status === 403 && bad.data.includes('<Code>SignatureDoesNotMatch</Code>'), bad.data);
}

async function access(c, how) {
  const other = more => client(how, c.options.bucket, more);
  const wrong = (accessKeyId, accessKeySecret, stsToken) => other({ accessKeyId, accessKeySecret, stsToken });
  await c.put('a', Buffer.from('x'));
  await refused('wrong secret', 403, 'SignatureDoesNotMatch', '', () => wrong(process.env.MC_KEY_ID, 'wrong').get('a'));
  await refused('unknown key', 403, 'InvalidAccessKeyId', '0002-00000902', () => wrong('nobody', 'x').get('a'));
  await refused('missing bucket', 404, 'NoSuchBucket', '0015-00000101', () => client(how, 'js-none').get('a'));
  equal('STS', (await wrong('sts-id', 'sts-secret', 'sts-token').get('a')).content.toString(), 'x');
  await refused('wrong token', 403, 'InvalidSecurityToken', '', () => wrong('sts-id', 'sts-secret', 'wrong').get('a'));
  for (const [action, status, code] of [['token_expired', 403, 'SecurityTokenExpired'], ['time_skewed', 403, 'RequestTimeTooSkewed'], ['throttle', 503, 'QpsLimitExceeded']]) {
    await fault('GetObject', action);
    await refused(code, status, code, '', () => c.get('a'));
  }
  await noFault();
  // the SDK signs always; anyone may ask for what is public
  const plain = how.includes('path') ? c.options.endpoint.href + c.options.bucket + '/a' : c.options.endpoint.href + 'a';
  const anyone = (method, data) => urllib.request(plain, { method, data, headers: how.includes('path') ? {} : { Host: c.options.bucket + '.' + REGION + '.aliyuncs.com' } });
  const denied = await anyone('GET');
  equal('anonymous', [denied.status, denied.headers['x-oss-ec']], [403, '0003-00000001']);
  await c.putACL('a', 'public-read');
  equal('anonymous read', (await anyone('GET')).data.toString(), 'x');
  equal('anonymous write', (await anyone('PUT', 'y')).status, 403);
}

(async () => {
  for (const how of ['V4', 'V1', 'V4 path', 'V1 path']) {
    const c = client(how, 'js-' + how.toLowerCase().replace(' ', '-'));
    await sections([buckets, objects, listings, urls, access], c, how);
    // the rest does not depend on how the bucket is named
    if (!how.includes('path')) await sections([conditions, appends, multiparts, helpers, copies, deletes, attributes], c, how);
  }
  process.exit(0);
})();
