-- A random history of a table, with batches, splits and merges: windows of its change
-- stream tile, and a local copy to which they are applied one after the other is the
-- table.
\i sql/setup.psql
CREATE SCHEMA ts_stream_apply;
SET search_path = ts_stream_apply, public;
-- a history of the last two hours
SELECT floor(extract(epoch FROM now()))::bigint - 7200 AS base \gset
\set clock '{"now":' :base '}'
\setenv CLOCK :clock
\! emu clock "$CLOCK" >/dev/null
\! emu '{"service":"tablestore","op":"stream_set","page_records":20,"shard_limit":3,"iterator_steps":1,"seek_early":3}' >/dev/null
\! emu '{"service":"tablestore","op":"create_table","table":"stock","keys":[{"name":"store","type":"STRING"},{"name":"item","type":"INTEGER"}],"stream_hours":24}' >/dev/null

CREATE FUNCTION history(base bigint, steps int) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	at numeric := base + 100;
	serial int := 0;
	dice int;
	parts int := 1;
	splits int := 0;
	batch json[];
BEGIN
	PERFORM setseed(0.25);
	FOR i IN 1..steps LOOP
		at := at + round((random() * 8)::numeric, 3);
		RETURN NEXT json_build_object('service', 'emulator', 'op', 'clock', 'now', at::text);
		dice := floor(random() * 100);
		IF dice < 3 THEN
			parts := parts + 1;
			splits := splits + 1;
			RETURN NEXT json_build_object('service', 'tablestore', 'op', 'split_partition', 'table', 'stock', 'at', 's' || to_char(splits * 37 % 100, 'FM00'));
		ELSIF dice < 5 AND parts > 2 THEN
			parts := parts - 1;
			RETURN NEXT json_build_object('service', 'tablestore', 'op', 'merge_partitions', 'table', 'stock', 'index', floor(random() * (parts - 1))::int);
		ELSIF dice < 6 THEN
			RETURN NEXT json_build_object('service', 'tablestore', 'op', 'stream_epoch', 'table', 'stock', 'skew_ms', 0);
		END IF;
		batch := '{}';
		FOR k IN 1..1 + floor(random() * 4)::int LOOP
			serial := serial + 1;
			dice := floor(random() * 100);
			batch := batch || json_build_object(
				'do', CASE WHEN dice < 40 THEN 'put' WHEN dice < 85 THEN 'update' ELSE 'delete' END,
				'key', json_build_array('s' || to_char(floor(random() * 25) * 4, 'FM00'), floor(random() * 3)::int),
				'columns', CASE WHEN dice >= 85 THEN '{}'::jsonb ELSE jsonb_strip_nulls(jsonb_build_object(
					'serial', serial,
					'n', CASE floor(random() * 3) WHEN 0 THEN to_jsonb(floor(random() * 100)::int)
						WHEN 1 THEN CASE WHEN dice >= 40 THEN '[{"delete":true}]'::jsonb END END,
					'note', CASE floor(random() * 3) WHEN 0 THEN to_jsonb('note ' || serial)
						WHEN 1 THEN CASE WHEN dice >= 40 THEN '[{"delete":true}]'::jsonb END END,
					'price', CASE floor(random() * 3) WHEN 0 THEN jsonb_build_object('double', (random() * 100)::numeric(8, 2))
						WHEN 1 THEN CASE WHEN dice >= 40 THEN '[{"delete":true}]'::jsonb END END)) END);
		END LOOP;
		RETURN NEXT json_build_object('service', 'tablestore', 'op', 'put', 'table', 'stock', 'rows', array_to_json(batch));
	END LOOP;
	RETURN NEXT json_build_object('service', 'emulator', 'op', 'clock', 'system', true);
END $$;
CREATE TABLE commands AS SELECT * FROM history(:base, 500) AS command;
\copy commands TO PROGRAM 'emu @- | grep error; true' WITH (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02')

CREATE FOREIGN TABLE stock (
	store text OPTIONS (key '1'), item bigint OPTIONS (key '2'), serial bigint, n bigint, note text, price float8
) SERVER ots;
CREATE FOREIGN TABLE stock_changes (
	store text OPTIONS (key '1'), item bigint OPTIONS (key '2'), serial bigint, n bigint, note text, price float8,
	op text OPTIONS (field '__op__'), at timestamptz OPTIONS (field '__commit_time__'),
	seq text OPTIONS (field '__sequence__'), deleted text[] OPTIONS (field '__deleted__')
) SERVER ots OPTIONS (table 'stock', mode 'stream');
SELECT count(*) > 6 AS shards, bool_or(cardinality(parents) = 2) AS merged FROM mc.stream_shards('stock_changes');

CREATE TABLE span AS SELECT to_timestamp(:base) + interval '1 second' AS since;
SELECT since, since + interval '7 minutes' AS first, since + interval '15 minutes' AS second FROM span \gset

-- the copy, and what is applied to it
CREATE TABLE stock_copy (store text, item bigint, serial bigint, n bigint, note text, price float8, PRIMARY KEY (store, item));
CREATE TABLE seen (run int, arrival bigint, store text, item bigint, serial bigint, op text, at timestamptz, seq text);

CREATE PROCEDURE apply_changes(run int, since timestamptz, until timestamptz) LANGUAGE plpgsql AS $$
BEGIN
	-- the changes of a key arrive in the order in which they were made
	CREATE TEMP TABLE w ON COMMIT DROP AS
	SELECT row_number() OVER () AS arrival, * FROM stock_changes WHERE at >= since AND at < until;

	-- what they amount to: after the last put or delete of a key, the last thing done to each column
	CREATE TEMP TABLE state ON COMMIT DROP AS
	WITH last AS (
		SELECT store, item, max(arrival) FILTER (WHERE op <> 'update') AS replaced,
			(array_agg(op ORDER BY arrival DESC))[1] AS last_op
		FROM w GROUP BY store, item
	), after AS (
		SELECT w.*, replaced, last_op,
			serial IS NOT NULL OR coalesce('serial' = ANY (deleted), false) AS has_serial, n IS NOT NULL OR coalesce('n' = ANY (deleted), false) AS has_n,
			note IS NOT NULL OR coalesce('note' = ANY (deleted), false) AS has_note, price IS NOT NULL OR coalesce('price' = ANY (deleted), false) AS has_price
		FROM w JOIN last USING (store, item) WHERE arrival >= coalesce(replaced, 0)
	)
	SELECT store, item, last_op = 'delete' AS gone,
		bool_or(has_serial OR replaced IS NOT NULL) AS set_serial, (array_agg(serial ORDER BY arrival DESC) FILTER (WHERE has_serial))[1] AS serial,
		bool_or(has_n OR replaced IS NOT NULL) AS set_n, (array_agg(n ORDER BY arrival DESC) FILTER (WHERE has_n))[1] AS n,
		bool_or(has_note OR replaced IS NOT NULL) AS set_note, (array_agg(note ORDER BY arrival DESC) FILTER (WHERE has_note))[1] AS note,
		bool_or(has_price OR replaced IS NOT NULL) AS set_price, (array_agg(price ORDER BY arrival DESC) FILTER (WHERE has_price))[1] AS price
	FROM after GROUP BY store, item, last_op;

	DELETE FROM stock_copy c USING state s WHERE (c.store, c.item) = (s.store, s.item) AND s.gone;
	UPDATE stock_copy c SET
		serial = CASE WHEN set_serial THEN s.serial ELSE c.serial END, n = CASE WHEN set_n THEN s.n ELSE c.n END,
		note = CASE WHEN set_note THEN s.note ELSE c.note END, price = CASE WHEN set_price THEN s.price ELSE c.price END
	FROM state s WHERE (c.store, c.item) = (s.store, s.item) AND NOT s.gone;
	INSERT INTO stock_copy SELECT store, item, serial, n, note, price FROM state WHERE NOT gone ON CONFLICT DO NOTHING;

	INSERT INTO seen SELECT run, arrival, store, item, serial, op, at, seq FROM w;
	COMMIT;
END $$;

CREATE PROCEDURE apply_all(pieces int) LANGUAGE plpgsql AS $$
DECLARE
	cut timestamptz[] := ARRAY[(SELECT since FROM span)];
	newest timestamptz := mc.safe_until('stock_changes');
BEGIN
	FOR i IN 1..pieces - 1 LOOP
		-- anywhere, often just at a change
		cut := cut || CASE WHEN random() < 0.5 THEN (SELECT since FROM span) + round((random() * 2000)::numeric, 3) * interval '1 second'
			ELSE (SELECT at FROM whole ORDER BY md5(at::text || i || pieces) LIMIT 1) END;
	END LOOP;
	cut := ARRAY(SELECT DISTINCT c FROM unnest(cut || newest) c ORDER BY 1);
	FOR i IN 1..cardinality(cut) - 1 LOOP
		CALL apply_changes(i, cut[i], cut[i + 1]);
	END LOOP;
END $$;
CREATE TABLE whole AS SELECT * FROM stock_changes WHERE at >= :'since';
SELECT count(*) > 1000 AS many, count(*) = count(DISTINCT (at, seq)) AS distinct, count(DISTINCT op) FROM whole;
CALL apply_all(25);

-- each change once, in order for its key
SELECT count(*) = (SELECT count(*) FROM whole) AS complete, count(*) = count(DISTINCT (at, seq)) AS once, max(run) > 15 AS windows FROM seen;
SELECT count(*) AS disordered FROM (SELECT serial, lag(serial) OVER (PARTITION BY store, item ORDER BY run, arrival) AS before FROM seen WHERE serial IS NOT NULL) s WHERE before >= serial;
-- the copy is the table
SELECT count(*) > 30 AS rows FROM stock;
SELECT * FROM (TABLE stock EXCEPT TABLE stock_copy) a UNION ALL (TABLE stock_copy EXCEPT TABLE stock);
-- windows over a copy that is newer than they are: the history again over the finished copy
TRUNCATE seen;
CALL apply_all(7);
SELECT count(*) = (SELECT count(*) FROM whole) AS complete FROM seen;
SELECT * FROM (TABLE stock EXCEPT TABLE stock_copy) a UNION ALL (TABLE stock_copy EXCEPT TABLE stock);

-- changes to MaxCompute, a window in each run
\! emu '{"service":"maxcompute","op":"sql","project":"demo","sql":"create table stock_changes (op string, at timestamp, seq string, store string, item bigint, n bigint, note string, deleted array<string>) partitioned by (dt string)"}' >/dev/null
CREATE FOREIGN TABLE ods_stock_changes (
	op text, at timestamptz, seq text, store text, item bigint, n bigint, note text, deleted text[], dt text
) SERVER odps OPTIONS (table 'stock_changes');
PREPARE export(timestamptz, timestamptz) AS
INSERT INTO ods_stock_changes
SELECT op, at, seq, store, item, n, note, deleted, to_char(at, 'YYYYMMDD') FROM stock_changes WHERE at >= $1 AND at < $2;
EXECUTE export(:'since', :'first');
EXECUTE export(:'first', :'second');
SELECT count(*) AS different FROM (
	(SELECT op, at, seq, store, item, n, note, deleted FROM whole WHERE at < :'second' EXCEPT ALL
	SELECT op, at, seq, store, item, n, note, deleted FROM ods_stock_changes)
	UNION ALL
	(SELECT op, at, seq, store, item, n, note, deleted FROM ods_stock_changes EXCEPT ALL
	SELECT op, at, seq, store, item, n, note, deleted FROM whole WHERE at < :'second')) d;
SELECT count(*) > 100 AS many FROM ods_stock_changes;
\! emu '{"service":"tablestore","op":"drop_table","table":"stock"}' >/dev/null
DROP FOREIGN TABLE stock, stock_changes, ods_stock_changes;
\! emu '{"service":"maxcompute","op":"sql","project":"demo","sql":"drop table stock_changes"}' >/dev/null
DROP TABLE stock_copy, seen, whole, span, commands;
DROP PROCEDURE apply_all, apply_changes;
DROP FUNCTION history;
