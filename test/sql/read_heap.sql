-- Plain tables are read page by page, anything else by the executor: the same model, hash and complaint either way.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mlplat;
RESET client_min_messages;
CREATE SCHEMA read_heap;
SET search_path = read_heap, public;
SET mlplat.execution = 'foreground';
SELECT coalesce(array_agg(model), '{}') AS models_before FROM ml_models \gset
\pset format unaligned
\pset tuples_only on

-- SQLSTATE, message, detail and context of a training run, or the model and what it says of itself.
CREATE FUNCTION outcome(source text, more text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	message text;
	detail text;
	context text;
	answer text;
BEGIN
	EXECUTE format('SELECT row(rows, features, score, warnings) FROM ml_train(''gbdt'', %L, ''y'', %L, params => ''{"num_iterations": 5}'' %s)',
				   source, 'm_' || current_user, more) INTO answer;
	SELECT concat_ws(' ', answer, checksum, data_hash) INTO answer FROM ml_versions WHERE model = 'm_' || current_user ORDER BY version DESC LIMIT 1;
	RETURN answer;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, context = PG_EXCEPTION_CONTEXT;
	RETURN concat_ws(' | ', SQLSTATE, message, nullif(detail, ''), substring(context from 'row \d+ of the source'));
END $$;

-- A table, and a query on it that the executor has to run: "same", or what the outcomes were.
CREATE FUNCTION compare(source text, more text DEFAULT '') RETURNS text LANGUAGE sql AS $$
	SELECT CASE WHEN a <> b THEN a || E'\n' || b WHEN a LIKE '(%' THEN 'same model from ' || substring(a from '\d+') || ' rows' ELSE a END
	FROM (SELECT outcome(source, more) AS a, outcome(format('SELECT * FROM %s LIMIT 1000000000', source), more) AS b) q
$$;

CREATE TABLE t AS SELECT i AS k, (i % 7)::float8 AS a, (i % 13)::float8 AS y FROM generate_series(1, 20000) i;
CREATE TABLE parent (k int, a float8, y float8);
INSERT INTO parent SELECT * FROM t WHERE k <= 100;
CREATE TABLE child () INHERITS (parent);
INSERT INTO child SELECT k + 1000, a, y FROM parent;

-- Plain columns; with an id; before and after ANALYZE, with dead rows, with empty pages, with nothing.
SELECT compare('t'), compare('t', $$, id => 'k'$$), compare('t', $$, split_by => 'k', split => 'time'$$);
ANALYZE t;
SELECT compare('t');
DELETE FROM t WHERE k % 3 = 0 OR k BETWEEN 5000 AND 9000;
UPDATE t SET a = a + 1 WHERE k % 5 = 0;
SELECT compare('t'), compare('t', $$, id => 'k'$$);
VACUUM t;
SELECT compare('t'), compare('t', $$, id => 'k'$$);
-- Rows in another physical order: with an id, the same model.
CREATE TABLE turned AS SELECT * FROM t ORDER BY k DESC;
SELECT outcome('turned', $$, id => 'k'$$) = outcome('t', $$, id => 'k'$$) AS same;
BEGIN;
DELETE FROM t WHERE k % 2 = 0;
INSERT INTO t SELECT -k, a, y FROM t WHERE k % 10 = 1;
SELECT compare('t', $$, id => 'k'$$);
ROLLBACK;
CREATE TABLE nothing (LIKE t);
SELECT compare('nothing');

-- Rows of others: inserted, deleted, changed, locked by one and by several while it is not known how that ends; then undone, and once more with all hints set.
CREATE TABLE others AS SELECT * FROM t;
INSERT INTO others SELECT k + 50000, a, y FROM t WHERE k <= 1000;
BEGIN;
INSERT INTO others SELECT k + 60000, a, y FROM t WHERE k <= 1000;
ROLLBACK;
BEGIN;
DELETE FROM others WHERE k % 7 = 1;
UPDATE others SET a = -a WHERE k % 7 = 2;
INSERT INTO others SELECT k + 70000, a, y FROM t WHERE k <= 1000;
SELECT count(*) FROM (SELECT FROM others WHERE k % 7 = 3 FOR UPDATE) q;
PREPARE TRANSACTION 'others changed';
BEGIN;
SELECT count(*) FROM (SELECT FROM others WHERE k % 7 = 4 FOR KEY SHARE) q;
PREPARE TRANSACTION 'others locked';
BEGIN;
SELECT count(*) FROM (SELECT FROM others WHERE k % 7 IN (4, 5) FOR SHARE) q;
SAVEPOINT undone;
DELETE FROM others WHERE k % 7 = 6;
ROLLBACK TO undone;
UPDATE others SET y = y + 1 WHERE k % 7 = 6;
SELECT compare('others', $$, id => 'k'$$), compare('others');
COMMIT;
SELECT compare('others', $$, id => 'k'$$), compare('others', $$, id => 'k'$$);
ROLLBACK PREPARED 'others changed';
ROLLBACK PREPARED 'others locked';
SELECT compare('others', $$, id => 'k'$$), compare('others', $$, id => 'k'$$);
VACUUM (FREEZE) others;
SELECT compare('others', $$, id => 'k'$$);
DELETE FROM others WHERE k % 11 = 0;
SELECT compare('others', $$, id => 'k'$$);

-- Every type, of every width and alignment, before and behind a text; NULL and NaN now and then.
CREATE TYPE colour AS ENUM ('red', 'green', 'blue');
CREATE DOMAIN percentage AS float4 CHECK (value >= 0);
CREATE TABLE types AS
	SELECT i AS id, i % 2 = 0 AS b, (i % 100)::int2 AS i2, (i * 0.37)::float4 AS f4, 'c'::"char" AS c1, i::int8 * 1000000007 * 1000003 AS i8,
	       sin(i) AS f8, date '2020-01-01' + i % 1000 AS d, time '00:00' + i * interval '1 s' AS tm, timestamp '2020-01-01' + i * interval '1 min' AS ts,
	       timestamptz '2020-01-01 00:00+00' + i * interval '1 h' AS tz, i * interval '1 h' AS iv, md5(i::text)::uuid AS u, ('n' || i % 4)::name AS nm,
	       (enum_range(NULL::colour))[i % 3 + 1] AS en, (i % 50)::float4::percentage AS dm, 'text ' || i % 20 AS t1, (i * 1.1)::numeric(20, 3) AS nu,
	       (i % 7)::char(5) AS ch, ('v' || i % 9)::varchar AS vc, point(i, i) AS unusable, cos(i) AS f8b, i % 3 AS i4, -0.0::float8 * (i % 2) AS zero, (i % 13)::float8 AS y
	FROM generate_series(1, 3000) i;
SELECT compare('types'), compare('types', $$, id => 'id'$$), compare('types', $$, id => 'u'$$),
       compare('types', $$, id => 'tz', features => '{f8, t1, en}'$$), compare('types', $$, features => '{i4}', weight => 'f4'$$),
       compare('types', $$, split => 'group', split_by => 'i2'$$), compare('types', $$, split => 'group', split_by => 'vc'$$);
CREATE TABLE gaps AS SELECT * FROM types;
DO $$
DECLARE
	name text;
BEGIN
	FOR name IN SELECT attname FROM pg_attribute WHERE attrelid = 'gaps'::regclass AND attnum > 1 LOOP
		EXECUTE format('UPDATE gaps SET %I = NULL WHERE hashint4(id + %s) %% 37 = 0', name, length(name));
	END LOOP;
END $$;
UPDATE gaps SET f8 = 'NaN', f4 = 'NaN', nu = 'NaN' WHERE id % 17 = 0;
SELECT compare('gaps'), compare('gaps', $$, id => 'id'$$), compare('gaps', $$, split => 'group', split_by => 'f8'$$), compare('gaps', $$, id => 'u'$$);
-- Classification: labels of any type.
SELECT bool_and(a = b AND a LIKE '(%') FROM (VALUES ('b'), ('i2'), ('en'), ('vc')) l (label),
	LATERAL (SELECT outcome(format('SELECT %I AS y, f8, t1 FROM gaps', label), ''), outcome(format('SELECT %I AS y, f8, t1 FROM gaps LIMIT 1000000000', label), '')) q (a, b);
-- Long texts, compressed and out of line.
CREATE TABLE long AS SELECT i AS k, repeat('x', 5000) || i % 3 AS compressed, sin(i) AS y FROM generate_series(1, 500) i;
ALTER TABLE long ADD outside text;
ALTER TABLE long ALTER outside SET STORAGE EXTERNAL;
UPDATE long SET outside = repeat(md5((k % 5)::text), 200);
SELECT compare('long');
-- Arrays.
CREATE TABLE arrays AS SELECT i AS k, CASE WHEN i > 300 THEN ARRAY[i, i % 3, NULL]::float8[] END AS a, i % 5 AS y FROM generate_series(1, 2000) i;
SELECT compare('arrays'), compare('arrays', $$, id => 'k'$$);
UPDATE arrays SET a = '{1,2}' WHERE k = 1777;
SELECT compare('arrays');

-- Columns that came and went, values that were never written, values that are computed when stored.
CREATE TABLE moved AS SELECT k AS dropped, k, a, 'x'::text AS gone, y FROM t;
ALTER TABLE moved DROP dropped, DROP gone, ADD later float8 DEFAULT 2.5, ADD later_text text DEFAULT 'given', ADD never float8,
	ADD twice float8 GENERATED ALWAYS AS (a * 2) STORED;
ALTER TABLE moved ADD again float8 DEFAULT 3.5;
SELECT compare('moved', $$, id => 'k'$$), outcome('moved', '') ~ 'again';
INSERT INTO moved SELECT k + 100000, a, y, 7, 'new', k FROM t;
SELECT compare('moved', $$, id => 'k'$$), compare('moved');
-- Columns that are left out for they are constant: the first one, and others.
CREATE TABLE still AS SELECT 1.5::float8 AS c1, sin(i) AS a1, sin(i * 2) AS a2, 2.5::float8 AS c2, sin(i * 3) AS a3, sin(i * 4) AS a4, sin(i * 5) AS a5,
	sin(i * 6) AS a6, sin(i * 7) AS a7, 3.5::float8 AS c3, cos(i) AS y FROM generate_series(1, 40000) i;
SELECT compare('still');
-- A column that is read twice.
SELECT outcome('SELECT a, a AS again, y FROM t', '') = outcome('SELECT a, a AS again, y FROM t LIMIT 1000000000', '') AS same;
-- Materialized views and temporary tables; small and large blocks of rows.
CREATE MATERIALIZED VIEW mv AS SELECT * FROM types;
CREATE TEMP TABLE tt AS SELECT i AS k, sin(i) AS a, i % 10 AS y FROM generate_series(1, 140000) i;
SELECT compare('mv'), compare('tt'), compare('tt', $$, id => 'k'$$);

-- Partitions and children, one after the other: with columns in another order, of another past, empty, and within each other.
CREATE TABLE parts (k int, a float8, n numeric, t text, b float4, y float8) PARTITION BY RANGE (k);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (5000);
CREATE TABLE parts_2 (y float8, gone text, t text, b float4, k int, a float8, n numeric);
INSERT INTO parts_2 SELECT i % 13, 'gone', 'early ' || i % 3, i, i, sin(i), i / 7.0 FROM generate_series(5000, 5500) i;
ALTER TABLE parts_2 DROP gone;
ALTER TABLE parts ATTACH PARTITION parts_2 FOR VALUES FROM (5000) TO (10000);
CREATE TABLE parts_3 PARTITION OF parts FOR VALUES FROM (10000) TO (15000);
CREATE TABLE parts_4 PARTITION OF parts FOR VALUES FROM (15000) TO (30000) PARTITION BY LIST (t);
CREATE TABLE parts_4_x PARTITION OF parts_4 FOR VALUES IN ('t 0', 't 1', 't 2');
CREATE TABLE parts_4_other PARTITION OF parts_4 DEFAULT;
INSERT INTO parts SELECT i, sin(i), i / 3.0, 't ' || i % 5, i % 100, i % 13 FROM generate_series(1, 25000) i WHERE i < 5000 OR i BETWEEN 6000 AND 9999 OR i >= 15000;
ALTER TABLE parts ADD later float8 DEFAULT 2.5, ADD never float4;
INSERT INTO parts SELECT i, cos(i), NULL, NULL, NULL, i % 13, i, 1 FROM generate_series(25001, 29999) i;
SELECT compare('parts'), compare('parts', $$, id => 'k'$$), compare('parts', $$, split => 'time', split_by => 'k'$$);
ANALYZE parts;
DELETE FROM parts WHERE k % 4 = 0;
SELECT compare('parts'), compare('parts', $$, id => 'k'$$), compare('parts', $$, features => '{a, b, later}'$$), compare('parent'), compare('parts_2'), compare('parts_4');
-- A table that is partitioned differently is the same data to whoever has an id.
CREATE TABLE together AS SELECT * FROM parts;
SELECT outcome('parts', $$, id => 'k'$$) = outcome('together', $$, id => 'k'$$) AS same;
SELECT outcome('SELECT k, a, y FROM parts_1 UNION ALL SELECT k, b::float8, y FROM parts_2', '') ~ '^\(' AS trained;

-- What is wrong with a value, and in which row, is said alike; the first one counts.
UPDATE t SET a = 'inf' WHERE k IN (4001, 4003);
SELECT compare('t');
UPDATE t SET k = NULL WHERE k = 3001;
SELECT compare('t', $$, id => 'k'$$);
SELECT compare('t', $$, features => '{k}'$$);
UPDATE t SET k = 1 WHERE k = 2;
SELECT compare('t', $$, id => 'k', features => '{k}'$$);
UPDATE types SET d = 'infinity' WHERE id = 2000;
SELECT compare('types');
UPDATE types SET d = NULL WHERE id = 2000;
UPDATE types SET nu = NULL, f8 = '-infinity' WHERE id = 2500;
SELECT compare('types'), compare('types', $$, exclude => '{f8}'$$);

-- Rights, as the executor checks them.
CREATE ROLE regress_heap_reader;
GRANT USAGE ON SCHEMA read_heap TO regress_heap_reader;
CREATE TABLE guarded AS SELECT * FROM turned;
GRANT SELECT (a, y) ON guarded TO regress_heap_reader;
CREATE TABLE hidden AS SELECT * FROM turned;
CREATE VIEW shown AS SELECT a, y FROM hidden;
GRANT SELECT ON shown TO regress_heap_reader;
ALTER TABLE parent ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON child USING (k <= 1050);
ALTER TABLE child ENABLE ROW LEVEL SECURITY;
GRANT SELECT ON child TO regress_heap_reader;
SET ROLE regress_heap_reader;
SELECT outcome('SELECT a, y FROM guarded', '') = outcome('SELECT a, y FROM guarded LIMIT 1000000000', '') AS same;
SELECT outcome('guarded', $$, id => 'k'$$), outcome('SELECT * FROM guarded', '');
SELECT compare('shown'), outcome('hidden', '');
SELECT compare('child');
RESET ROLE;
SELECT compare('child');

\set VERBOSITY terse
SET client_min_messages = warning;
SELECT count(ml_drop(model)) AS dropped FROM ml_models WHERE model <> ALL (:'models_before');
DROP SCHEMA read_heap CASCADE;
DROP TABLE tt;
DROP ROLE regress_heap_reader;
