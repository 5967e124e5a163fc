-- Compression and encodings of objects.
\i sql/setup.psql
CREATE SCHEMA oss_codec;
SET search_path = oss_codec, public;
\! printf '1,a\n2,b\n3,c\n' | gzip -nc | oss put demo/codec/c.csv.gz
\! printf '1,a\n2,b\n3,c\n' | oss put demo/codec/c.csv
\! echo QlpoOTFBWSZTWeyVO6wAAANZAAAQAAQ4ADgAIAAxDAgjQZqEHCIXi7kinChIdkqd1gA= | base64 -d | oss put demo/codec/c.csv.bz2
\! echo /Td6WFoAAATm1rRGAgAhARYAAAB0L+WjAQALMSxhCjIsYgozLGMKAN/6CuDn/skKAAEkDKYY2NgftvN9AQAAAAAEWVo= | base64 -d | oss put demo/codec/c.csv.XZ
\! echo KLUv/QRYQQAAMSxhCjIsYgrEFJqTKLUv/QRYIQAAMyxjCkdOq8E= | base64 -d | oss put demo/codec/c.csv.zst
\! echo BCJNGGRApwgAAIAxLGEKMixiCgAAAADpH8WEBCJNGGRApwQAAIAzLGMKAAAAAPYoTKg= | base64 -d | oss put demo/codec/c.csv.lz4
\! echo /wYAAHNOYVBwWQEMAAAmbs0CMSxhCjIsYgoBCAAAhQPM6DMsYwo= | base64 -d | oss put demo/codec/c.csv.snappy
CREATE FOREIGN TABLE c (id int, name text, __object__ text, __line__ bigint) SERVER oss OPTIONS (prefix 'codec/c.csv');
SELECT __object__, count(*), sum(id), string_agg(name, ''), max(__line__) FROM c GROUP BY 1 ORDER BY __object__ COLLATE "C";
-- several members; bytes behind them; the option beats the suffix
\! (printf '1,a\n2' | gzip -nc; printf ',b\n' | gzip -nc; gzip -nc </dev/null; printf '3,c' | gzip -nc) | oss put demo/codec/m.bin
CREATE FOREIGN TABLE m (id int, name text) SERVER oss OPTIONS (object 'codec/m.bin', compression 'gzip');
SELECT * FROM m;
-- the setting is for bodies of the other services, not for files
SET mc_fdw.compression = 'zstd';
SELECT * FROM m;
RESET mc_fdw.compression;
\! (printf '1,a\n' | gzip -nc; echo rest) | oss put demo/codec/m.bin
SELECT * FROM m;
\! printf '1,a\n2,b\n3,c\n' | gzip -nc | head -c 20 | oss put demo/codec/m.bin
SELECT * FROM m;
\! printf '1,a\n' | gzip -nc | sed 's/....$/AAAA/' | oss put demo/codec/m.bin
SELECT * FROM m;
\! printf '' | oss put demo/codec/m.bin
SELECT * FROM m;
ALTER FOREIGN TABLE m OPTIONS (SET compression 'none', SET object 'codec/c.csv.gz');
SELECT * FROM m;
-- much out of little; LIMIT stops early
\! yes '1,abcdefghijklmnopqrstuvwxyz' | head -n 200000 | gzip -nc | oss put demo/codec/big.gz
ALTER FOREIGN TABLE m OPTIONS (SET compression 'auto', SET object 'codec/big.gz');
SELECT count(*), sum(id), max(length(name)) FROM m;
SELECT count(*) FROM (SELECT FROM m LIMIT 100000) s;
SET mc_fdw.block_size = '64kB';
SELECT count(*), sum(id) FROM m;
RESET mc_fdw.block_size;

-- encodings
\! printf '1,\326\320\316\304\n2,\242\343\n' | oss put demo/codec/gb.csv
CREATE FOREIGN TABLE e (id int, name text) SERVER oss OPTIONS (object 'codec/gb.csv', encoding 'GB18030');
SELECT id, name, length(name) FROM e;
ALTER FOREIGN TABLE e OPTIONS (SET encoding 'UTF8');
SELECT * FROM e;
SELECT id FROM e;
\! printf '1,Stra\337e \200\n' | oss put demo/codec/w.csv
ALTER FOREIGN TABLE e OPTIONS (SET encoding 'WIN1252', SET object 'codec/w.csv');
SELECT * FROM e;
-- a second byte that is the delimiter or the quote of ASCII
ALTER FOREIGN TABLE e OPTIONS (SET encoding 'SJIS', SET object 'codec/sj.csv', ADD delimiter '|');
\! printf '1|\203\174x\n2|"\203\134"\n' | oss put demo/codec/sj.csv
SELECT id, name, length(name) FROM e;
-- characters across pieces of 64 kB, compressed and not
\! (printf '1|x'; for i in $(seq 40000); do printf '\202\240'; done; echo; printf '2|'; for i in $(seq 40000); do printf '\202\240'; done) | oss put demo/codec/long.csv
ALTER FOREIGN TABLE e OPTIONS (SET object 'codec/long.csv');
SELECT id, length(name), replace(name, U&'\3042', '') FROM e;
\! oss get demo/codec/long.csv | gzip -nc | oss put demo/codec/long.csv.gz
ALTER FOREIGN TABLE e OPTIONS (SET object 'codec/long.csv.gz');
SELECT id, length(name), replace(name, U&'\3042', '') FROM e;
-- bytes that are no text
\! printf '1|a\n2|b\n3|\202' | oss put demo/codec/bad.csv
ALTER FOREIGN TABLE e OPTIONS (SET object 'codec/bad.csv');
SELECT * FROM e;
\! printf '1|a\n2|b\001\n3|\375\375\n4|c' | oss put demo/codec/bad.csv
SELECT * FROM e;
\! printf '1|a\n2|b\303\n3|\000\n4|c\n' | oss put demo/codec/bad.csv
ALTER FOREIGN TABLE e OPTIONS (DROP encoding);
SELECT * FROM e;
SET mc_fdw.on_error = 'reject';
SELECT * FROM e;
RESET mc_fdw.on_error;
ALTER FOREIGN TABLE e OPTIONS (ADD encoding 'no_such');
SELECT * FROM e;
ALTER FOREIGN TABLE e OPTIONS (ADD encoding 'MULE_INTERNAL');
SELECT * FROM e;
