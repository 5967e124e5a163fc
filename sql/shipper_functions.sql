-- conversions of LogHub Shipper
SELECT base, v, mc.to_int(base, v) FROM (VALUES
	(10, '0'), (10, '42'), (10, '-42'), (10, '+7'), (16, 'fF'), (16, '0xff'), (2, '101'), (2, '102'), (36, 'Zz'), (36, 'zik0zj'),
	(10, '9223372036854775807'), (10, '9223372036854775808'), (10, '-9223372036854775808'), (10, '-9223372036854775809'),
	(10, ''), (10, '-'), (10, ' 1'), (10, '1 '), (10, '1.0'), (10, '１'), (10, '12a')) AS t(base, v);
SELECT mc.to_int(1, '0');
SELECT mc.to_int(37, '0');
SELECT mc.to_int(10, NULL) IS NULL AS missing;
SELECT v, mc.to_bool(v) FROM (VALUES ('true'), ('false'), ('TRUE'), ('t'), ('1'), (''), (NULL)) AS t(v);
-- check values: "123456789" is the standard's, the others were computed with zlib of Python
SELECT v, mc.crc32(v) FROM (VALUES ('123456789'), (''), ('a'), ('raw-no-17'), ('日志服务'), (repeat('x', 100000))) AS t(v) WHERE length(v) < 100;
SELECT mc.crc32(repeat('x', 100000));
