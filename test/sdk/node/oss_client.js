// The unmodified Node.js SDK of OSS, pointed at the emulator.
'use strict';
const OSS = require('ali-oss');

const REGION = 'oss-cn-hangzhou';
const port = process.env.MC_OSS_PORT;

// how: V1 or V4, and behind a blank `path` for buckets in the path.  To an address the SDK sends the bucket in the header Host alone.
function client(how, bucket, more) {
  const [version, form] = how.split(' ');
  return new OSS(Object.assign({ region: REGION, bucket, accessKeyId: process.env.MC_KEY_ID, accessKeySecret: process.env.MC_KEY_SECRET, authorizationV4: version === 'V4',
    endpoint: 'http://' + (form === 'path' ? 'localhost' : '127.0.0.1') + ':' + port, sldEnable: form === 'path' }, more));
}

// Every key under the prefix, and the directories below it if there is a delimiter
async function keys(c, prefix, query) {
  const [found, directories] = [[], []];
  for (let token; ;) {
    const page = await c.listV2(Object.assign({ prefix, 'max-keys': 1000 }, token ? { 'continuation-token': token } : {}, query));
    (page.objects || []).forEach(o => found.push(o.name));
    (page.prefixes || []).forEach(p => directories.push(p));
    if (!page.isTruncated) return query && query.delimiter ? [found, directories] : found;
    token = page.nextContinuationToken;
  }
}

async function uploads(c, query) {
  const found = [];
  for (let marker = {}; ;) {
    const page = await c.listUploads(Object.assign({ 'max-uploads': 1000 }, query, marker));
    found.push(...page.uploads);
    if (!page.isTruncated) return found;
    marker = { 'key-marker': page.nextKeyMarker, 'upload-id-marker': page.nextUploadIdMarker };
  }
}

// Parts of a buffer, uploaded and completed
async function multipart(c, name, data, cut, options) {
  const { uploadId } = await c.initMultipartUpload(name, options);
  const done = [];
  for (let at = 0; at === 0 || at < data.length; at += cut) {
    const number = done.length + 1;
    done.push({ number, etag: (await c.uploadPart(name, uploadId, number, data, at, Math.min(at + cut, data.length))).etag });
  }
  return c.completeMultipartUpload(name, uploadId, done);
}

async function append(c, name, data, cut) {
  let position = '0';
  for (let at = 0; at === 0 || at < data.length; at += cut)
    position = (await c.append(name, data.subarray(at, at + cut), { position })).nextAppendPosition;
  return position;
}

module.exports = { client, keys, uploads, multipart, append, REGION };
