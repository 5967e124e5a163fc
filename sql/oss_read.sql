-- Reading csv, text and line objects: COPY's rules, options, policies, headers.
\i sql/setup.psql
CREATE SCHEMA oss_read;
SET search_path = oss_read, public;
-- the place is the same for all: VERBOSITY terse shows messages only
\set VERBOSITY terse

-- csv as COPY reads it
\! oss printf demo/read/a.csv '1,one,2024-01-02,1.5,t\n2,"two, quoted",2024-01-03,-0.25,f\n3,,2024-02-29,1e3,true\n4,"",,,\n5,"a ""q"" b",infinity,NaN,no\n6,"line\nbreak","2024-12-31"," 7 ","yes"\n'
CREATE FOREIGN TABLE a (id int, name text, day date, x float8, ok bool) SERVER oss OPTIONS (object 'read/a.csv');
SELECT * FROM a;
SELECT id, name IS NULL AS null, name FROM a WHERE id IN (3, 4);
SELECT count(*) FROM a;
SELECT ok FROM a WHERE x < 0;
SELECT a FROM a WHERE id = 2;
SELECT id FROM a ORDER BY day DESC NULLS LAST LIMIT 1;
SELECT sum(x) FILTER (WHERE x < 'NaN') FROM a;
-- the last line without its end; CRLF; CR; a BOM; nothing at all
\! oss printf demo/read/crlf.csv '\xef\xbb\xbf1,a\r\n2,"b\r\nc"\r\n3,d'
\! oss printf demo/read/cr.csv '1,a\r2,b\r'
\! oss printf demo/read/empty.csv ''
CREATE FOREIGN TABLE two (id int, name text) SERVER oss OPTIONS (object 'read/crlf.csv');
SELECT id, length(name), name FROM two;
ALTER FOREIGN TABLE two OPTIONS (SET object 'read/cr.csv');
SELECT * FROM two;
ALTER FOREIGN TABLE two OPTIONS (SET object 'read/empty.csv');
SELECT * FROM two;
-- an unquoted \. is data
\! oss printf demo/read/dot.csv '\\.\na\n"\\."\n'
CREATE FOREIGN TABLE one (name text) SERVER oss OPTIONS (object 'read/dot.csv');
SELECT * FROM one;
-- an empty line is NULL in a table of one column
\! oss printf demo/read/blank.csv 'a\n\n""\n'
ALTER FOREIGN TABLE one OPTIONS (SET object 'read/blank.csv');
SELECT name, name IS NULL AS null FROM one;

-- delimiter, quote, escape, null, force_null, force_not_null
\! oss printf demo/read/opt.csv "1|'it\\\\'s'|NIL|'NIL'\n2|NIL|'NIL'|NIL\n"
CREATE FOREIGN TABLE opt (id int, a text, b text, c text) SERVER oss
	OPTIONS (object 'read/opt.csv', delimiter '|', quote '''', escape '\', null 'NIL');
SELECT * FROM opt;
SELECT id, b IS NULL AS b, c IS NULL AS c FROM opt;
ALTER FOREIGN TABLE opt ALTER b OPTIONS (ADD force_null 'true');
ALTER FOREIGN TABLE opt ALTER c OPTIONS (ADD force_not_null 'true');
SELECT id, b IS NULL AS b, c FROM opt;

-- text
\! oss printf demo/read/t.txt '1\ta\\tb\\\\c\n2\t\\N\n3\t\\x41\\102\\\\N\n4\t\n5\tone\\\ntwo\n\\.\n'
CREATE FOREIGN TABLE t (id int, name text) SERVER oss OPTIONS (object 'read/t.txt', format 'text');
SELECT id, name, name IS NULL AS null FROM t;
\! oss printf demo/read/t2.txt '1,a\n2,-\n'
CREATE FOREIGN TABLE t2 (id int, name text) SERVER oss
	OPTIONS (object 'read/t2.txt', format 'text', delimiter ',', null '-');
SELECT * FROM t2;
\! oss printf demo/read/t3.txt '1\ta\n\\.\n2\tb\n'
ALTER FOREIGN TABLE t OPTIONS (SET object 'read/t3.txt');
SELECT * FROM t;

-- line
\! oss printf demo/read/l.log 'first, line\n\n"third\tline\r\nlast'
CREATE FOREIGN TABLE l (line text, no bigint OPTIONS (field '__line__')) SERVER oss OPTIONS (object 'read/l.log', format 'line');
SELECT no, line, length(line) FROM l;
\! oss printf demo/read/n.log '10\n20\n30'
CREATE FOREIGN TABLE n (n numeric) SERVER oss OPTIONS (object 'read/n.log', format 'line');
SELECT sum(n) FROM n;

-- headers
\! oss printf demo/read/h.csv 'id,"na\nme"\n1,a\n'
CREATE FOREIGN TABLE h (id int, name text, no bigint OPTIONS (field '__line__')) SERVER oss
	OPTIONS (object 'read/h.csv', header 'true');
SELECT * FROM h;
ALTER FOREIGN TABLE h OPTIONS (SET header 'match');
SELECT * FROM h;
ALTER FOREIGN TABLE h ALTER name OPTIONS (ADD field E'na\nme');
SELECT * FROM h;
ALTER FOREIGN TABLE h OPTIONS (SET header 'false');
SELECT * FROM h;

-- fields by name: any order, fields of nobody, columns without a field
\! oss printf demo/read/byname.csv 'x,name,id\n9.5,a,1\n8.5,b,2\n'
CREATE FOREIGN TABLE byname (id int, name text, none text) SERVER oss
	OPTIONS (object 'read/byname.csv', header 'true', match_by 'name');
SELECT * FROM byname;
SELECT count(*) FROM byname;
ALTER FOREIGN TABLE byname OPTIONS (ADD missing_columns 'error');
SELECT id FROM byname;
ALTER FOREIGN TABLE byname OPTIONS (SET missing_columns 'null', ADD unknown_columns 'error');
SELECT id FROM byname;
\! oss printf demo/read/ragged.csv 'name,id\na,1\nb\n'
ALTER FOREIGN TABLE byname OPTIONS (SET object 'read/ragged.csv', SET unknown_columns 'ignore');
SELECT * FROM byname;

-- too few, too many fields
\! oss printf demo/read/few.csv '1,a\n2\n'
\! oss printf demo/read/many.csv '1,a\n2,b,c\n'
ALTER FOREIGN TABLE two OPTIONS (SET object 'read/few.csv');
SELECT * FROM two;
SELECT count(*) FROM two;
ALTER FOREIGN TABLE two OPTIONS (ADD missing_columns 'null');
SELECT * FROM two;
ALTER FOREIGN TABLE two OPTIONS (SET object 'read/many.csv');
SELECT * FROM two;
ALTER FOREIGN TABLE two OPTIONS (ADD unknown_columns 'ignore');
SELECT * FROM two;
-- a blank line has one field
\! oss printf demo/read/blank2.csv '1,a\n\n2,b\n'
ALTER FOREIGN TABLE two OPTIONS (SET object 'read/blank2.csv', DROP missing_columns);
SELECT * FROM two;

-- values in place: texts of 126, 127 and many bytes, multi-byte characters
\! (for n in 0 1 125 126 127 128 300; do printf '%s,%0*d\n' $n $n 0; done; printf '9,Stra\303\237e\n'; printf '10,\344\270\255\346\226\207\n') | oss put demo/read/len.csv
ALTER FOREIGN TABLE two OPTIONS (SET object 'read/len.csv');
SELECT id, length(name), octet_length(name), right(name, 3) AS tail FROM two;
CREATE TABLE copy AS SELECT * FROM two;
SELECT count(*) FROM copy JOIN two USING (id, name);

-- types: what the fast road does not know goes to the input function
\! oss printf demo/read/types.csv '32767,-2147483648,9223372036854775807,1.25,3.14,0.1,abc,xy,2024-01-02 03:04:05.678,2024-01-02 03:04:05+02,\\xdead,"{1,2}",a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\n +7 , 8 , 9 ,-1e-2,1e10,2.5,ABC,x,now,epoch,\\x,{},A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11\n' 
CREATE FOREIGN TABLE types (a int2, b int4, c int8, d float4, e float8, f numeric(5,2), g varchar(3), h char(3),
	i timestamp(1), j timestamptz, k bytea, l int[], m uuid) SERVER oss
	OPTIONS (object 'read/types.csv', format 'csv', timezone 'UTC');
SELECT a, b, c, d, e, f, g, h, i > '2024-01-01' AS i, j, k, l, m FROM types;

-- system columns
CREATE FOREIGN TABLE sys (id int, name text, __object__ text, __size__ bigint, __line__ bigint, __etag__ text,
	__last_modified__ timestamptz) SERVER oss OPTIONS (object 'read/crlf.csv');
SELECT id, __object__, __size__, __line__, __etag__ = upper(md5(E'\xEF\xBB\xBF1,a\r\n2,"b\r\nc"\r\n3,d')) AS etag,
	now() - __last_modified__ < '1 hour' AS now FROM sys;
SELECT __line__ FROM sys;
SELECT __object__, count(*) FROM sys GROUP BY 1;
-- a slot that was made to own its values
SELECT id, __object__ FROM sys WHERE __object__ = 'read/crlf.csv' FOR UPDATE;

-- LIMIT, cursors, rescans, parameters
SELECT id FROM a LIMIT 2;
SELECT id FROM a OFFSET 4;
SELECT g, (SELECT count(*) FROM a WHERE id <= g) FROM generate_series(1, 3) g;
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM a;
FETCH 2 FROM c;
FETCH 2 FROM c;
CLOSE c;
COMMIT;
SELECT x.id, y.id FROM a x JOIN a y ON y.id = x.id + 3 ORDER BY 1;
