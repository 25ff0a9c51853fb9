-- Conditions and policies over pages: the same rows, model, hash and complaint for any number of threads, and as by the executor.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mlplat;
RESET client_min_messages;
CREATE SCHEMA read_conditions;
SET search_path = read_conditions, public;
SET mlplat.execution = 'foreground';
SELECT coalesce(array_agg(model), '{}') AS models_before FROM ml_models \gset
\pset format unaligned
\pset tuples_only on

-- outcome() and compare()
\getenv sources PG_ABS_SRCDIR
\set readers :sources /sql/include/readers.sql
\set ECHO none
\i :readers
\set ECHO all

CREATE TABLE t AS
	SELECT i AS k, sin(i) AS a, (cos(i) * 100)::float4 AS b, CASE WHEN i % 11 <> 0 THEN 'word ' || i % 300 END AS w, nullif(i % 13, 5)::numeric / 7 AS n, i % 3 = 0 AS e,
		'2020-01-01'::timestamptz + i * interval '1 minute' AS ts, sin(i) + cos(i * 3) AS y
	FROM generate_series(1, 60000) i;

-- None, one, some and all; of all types; with an id; before and after ANALYZE, which changes what is expected.
SELECT compare('gbdt', 'SELECT * FROM t WHERE a > 0'), compare('gbdt', 'SELECT * FROM t WHERE a > -2'), compare('gbdt', 'SELECT * FROM t WHERE a > 2'),
	compare('linear_regression', 'SELECT * FROM t WHERE k BETWEEN 100 AND 400'), compare('gbdt', 'SELECT * FROM t WHERE k = 59999');
SELECT compare('sampled', 'SELECT * FROM t WHERE a > 0'), compare('sampled', 'SELECT * FROM t WHERE k > 30000'), compare('sampled', 'SELECT * FROM t WHERE k % 100 = 7'),
	compare('sampled', 'SELECT * FROM t WHERE a > 0', $$, id => 'k'$$), compare('sampled', 'SELECT * FROM t WHERE b < 50', $$, split => 'time', split_by => 'ts'$$);
SELECT compare('gbdt', 'SELECT * FROM t WHERE w LIKE ''word 1%'''), compare('gbdt', 'SELECT * FROM t WHERE w IS NULL OR n > 1.5'), compare('gbdt', 'SELECT * FROM t WHERE w ~ ''^word [0-9]$'' AND NOT e'),
	compare('gbdt', 'SELECT * FROM t WHERE k % 7 IN (1, 3, 5)'), compare('gbdt', 'SELECT * FROM t WHERE coalesce(length(w), 0) > 6 AND CASE WHEN e THEN a > 0 ELSE b > 0 END'),
	compare('gbdt', 'SELECT * FROM t WHERE e'), compare('gbdt', 'SELECT * FROM t WHERE NULL::boolean IS NULL AND (k, a) > (1000, 0.5)');
ANALYZE t;
SELECT compare('sampled', 'SELECT * FROM t WHERE a > 0'), compare('sampled', 'SELECT * FROM t WHERE k > 30000'), compare('sampled', 'SELECT * FROM t WHERE k % 100 = 7'), compare('gbdt', 'SELECT a, y FROM t WHERE n * 7 > b');
-- A boolean target that is known late, and where a row is.
SELECT compare('gbdt', 'SELECT a, b, e AS y FROM t WHERE e OR k > 30000'), compare('gbdt', 'SELECT * FROM t WHERE ctid > ''(100,3)'' AND tableoid <> 0');
-- What changes with the session, not with the row.
SELECT compare('gbdt', 'SELECT * FROM t WHERE ts < now() - interval ''1 year'' AND current_user IS NOT NULL'), compare('gbdt', 'SELECT * FROM t WHERE k > current_setting(''read_conditions.least'')::int');
SET read_conditions.least = 20000;
SELECT compare('gbdt', 'SELECT * FROM t WHERE k > current_setting(''read_conditions.least'')::int'), compare('gbdt', 'SELECT * FROM t WHERE to_char(ts, ''HH24'') = ''07''');
-- What only the executor runs: functions of users, subqueries, what may be another at each call.
CREATE FUNCTION mine(float8) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN $1 > 0.5; END';
CREATE FUNCTION inlined(float8) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT $1 > 0.5';
SELECT compare('gbdt', 'SELECT * FROM t WHERE mine(a)'), compare('gbdt', 'SELECT * FROM t WHERE inlined(a)'), compare('gbdt', 'SELECT * FROM t WHERE a > (SELECT avg(a) FROM t)'),
	outcome('gbdt', 'SELECT * FROM t WHERE a > 0.5', '') = outcome('gbdt', 'SELECT * FROM t WHERE mine(a)', '') AS same;
SELECT substring(outcome('gbdt', 'SELECT * FROM t WHERE random() < 0.5', '') from '^.\d{5}') BETWEEN '(29000' AND '(31000' AS half;

-- Rows that were changed, moved within their page, deleted; columns that came and went.
UPDATE t SET a = a + 1 WHERE k % 5 = 0;
UPDATE t SET a = a - 1 WHERE k % 10 = 0;
DELETE FROM t WHERE k % 7 = 0 OR k BETWEEN 20000 AND 24000;
SELECT compare('gbdt', 'SELECT * FROM t WHERE a > 0'), compare('linear_regression', 'SELECT * FROM t WHERE k % 5 <> 1');
VACUUM t;
ALTER TABLE t DROP b, ADD later float8 DEFAULT 2.5, ADD empty text, ADD note text DEFAULT 'none';
SELECT compare('gbdt', 'SELECT * FROM t WHERE later > 2 AND note = ''none'''), compare('gbdt', 'SELECT * FROM t WHERE later > 3'), compare('gbdt', 'SELECT k, a, y FROM t WHERE empty IS NULL AND k % 2 = 0');
INSERT INTO t SELECT k + 100000, a, w, n, e, ts, y, k % 5, 'full', NULL FROM t WHERE k < 20000;
SELECT compare('gbdt', 'SELECT * FROM t WHERE later > 2'), compare('sampled', 'SELECT * FROM t WHERE note IS NULL OR later < 3');
BEGIN;
DELETE FROM t WHERE k % 2 = 0;
SELECT compare('gbdt', 'SELECT * FROM t WHERE a > 0');
ROLLBACK;
CREATE TEMP TABLE tt AS SELECT * FROM t;
SELECT compare('gbdt', 'SELECT * FROM tt WHERE a > 0');

-- Arrays, whose rows come one by one: the first that pass have none yet.
CREATE TABLE arrays AS SELECT i AS k, CASE WHEN i > 300 THEN ARRAY[i, i % 3, NULL]::float8[] END AS v, i % 5 AS y FROM generate_series(1, 20000) i;
SELECT compare('gbdt', 'SELECT * FROM arrays WHERE k % 3 > 0'), compare('gbdt', 'SELECT * FROM arrays WHERE v[1] > 1000'), compare('gbdt', 'SELECT * FROM arrays WHERE k < 200 OR array_length(v, 1) = 4');
UPDATE arrays SET v = '{1,2}' WHERE k = 17770;
SELECT compare('gbdt', 'SELECT * FROM arrays WHERE k % 3 > 0'), compare('gbdt', 'SELECT * FROM arrays WHERE k % 10 > 0'), compare('gbdt', 'SELECT * FROM arrays WHERE 1 / (k - 17000) < 1');

-- Partitions with columns in another order, conditions that leave some of them out, and tables with conditions of their own.
CREATE TABLE parts (k int, a float8, w text, n numeric, y float8) PARTITION BY RANGE (k);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10000);
CREATE TABLE parts_2 (y float8, gone text, n numeric, w text, k int, a float8);
ALTER TABLE parts_2 DROP gone;
ALTER TABLE parts ATTACH PARTITION parts_2 FOR VALUES FROM (10000) TO (30000);
CREATE TABLE parts_3 PARTITION OF parts FOR VALUES FROM (30000) TO (1000000);
INSERT INTO parts SELECT k, a, w, n, y FROM t;
SELECT compare('sampled', 'SELECT * FROM parts WHERE a > 0'), compare('gbdt', 'SELECT * FROM parts WHERE w < ''word 2'' AND n > 0.5', $$, id => 'k'$$), compare('gbdt', 'SELECT * FROM parts WHERE k > 15000'),
	compare('gbdt', 'SELECT * FROM parts WHERE k BETWEEN 25000 AND 25500'), compare('sampled', 'SELECT a, y FROM parts_1 UNION ALL SELECT a, y FROM parts_2 WHERE n > 1 UNION ALL SELECT a, y FROM parts_3 WHERE a < 0');

-- By an index, or all pages, whichever costs less with what becomes of the rows: in the order of the table both are the same, and with an id anyway.
CREATE TABLE indexed AS SELECT * FROM t ORDER BY k;
CREATE INDEX ON indexed (k);
CREATE INDEX ON indexed (a);
VACUUM ANALYZE indexed;
SELECT compare('gbdt', 'SELECT * FROM indexed WHERE k > 30000'), compare('gbdt', 'SELECT * FROM indexed WHERE k < 200'), compare('sampled', 'SELECT * FROM indexed WHERE k > 15000 AND a > 0', $$, id => 'k'$$), compare('sampled', 'SELECT * FROM indexed WHERE a > 0.9', $$, id => 'k'$$);
SET enable_seqscan = off;
SELECT compare('gbdt', 'SELECT * FROM indexed WHERE k > 30000'), compare('sampled', 'SELECT * FROM indexed WHERE k > 15000 AND a > 0', $$, id => 'k'$$);
RESET enable_seqscan;
CREATE FUNCTION settings() RETURNS text LANGUAGE sql AS $$ SELECT string_agg(setting, ' ') FROM pg_settings WHERE name IN ('enable_indexscan', 'enable_indexonlyscan', 'enable_bitmapscan') $$;
SELECT settings();

-- An error of a condition, after which no row counts, and before which all do.
CREATE TABLE wrong AS SELECT i AS k, sin(i) AS a, i::numeric AS n, 'w' || i % 9 AS w, (i % 5)::float8 AS y FROM generate_series(1, 50000) i;
SELECT compare('gbdt', 'SELECT * FROM wrong WHERE 1 / (k - 31234) < 1'), compare('gbdt', 'SELECT * FROM wrong WHERE 1 / (k - 50000) < 1'), compare('linear_regression', 'SELECT * FROM wrong WHERE 1 / (k - 1) < 1'),
	compare('gbdt', 'SELECT * FROM wrong WHERE k < 40000 AND 1 / (k - 40000) < 1'), compare('gbdt', 'SELECT * FROM wrong WHERE ln(40000.5 - k) > 0', $$, id => 'k'$$);
UPDATE wrong SET a = 'infinity' WHERE k IN (31233, 45000);
CREATE TABLE wrong_before AS SELECT * FROM wrong ORDER BY k;
SELECT compare('gbdt', 'SELECT * FROM wrong_before WHERE 1 / (k - 31234) < 1'), compare('gbdt', 'SELECT * FROM wrong_before WHERE 1 / (k - 31232) < 1'), compare('gbdt', 'SELECT * FROM wrong_before WHERE 1 / (k - 31232) < 1 AND k > 31232'),
	compare('gbdt', 'SELECT * FROM wrong_before WHERE k > 31232 AND 1 / (k - 31232) < 1'), compare('gbdt', 'SELECT * FROM wrong_before WHERE a < 2');

-- Policies, for those whom they concern; a view with a condition; a barrier, which shows a leaky function no row that it hides.
CREATE ROLE regress_condition_reader;
GRANT USAGE ON SCHEMA read_conditions TO regress_condition_reader;
CREATE TABLE secured AS SELECT k, a, w, n, y FROM t;
GRANT SELECT ON secured TO regress_condition_reader;
ALTER TABLE secured ENABLE ROW LEVEL SECURITY;
CREATE POLICY part ON secured USING (k % 3 = coalesce(nullif(current_setting('read_conditions.part', true), ''), '1')::int);
CREATE POLICY own ON secured AS RESTRICTIVE USING (current_user = 'regress_condition_reader' OR a > 0);
CREATE VIEW many AS SELECT * FROM secured WHERE k > 100;
CREATE VIEW barred WITH (security_barrier) AS SELECT k, a, y FROM secured WHERE k % 2 = 0;
CREATE FUNCTION leaks(k int) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS $$ BEGIN IF k % 2 = 1 THEN RAISE EXCEPTION 'row % is not hidden', k; END IF; RETURN true; END $$;
CREATE VIEW barred_parts WITH (security_barrier) AS SELECT k, a, w, y FROM parts WHERE k % 2 = 0;
GRANT SELECT ON many, barred, barred_parts TO regress_condition_reader;
SET ROLE regress_condition_reader;
SELECT outcome('gbdt', 'secured', '') = outcome('gbdt', 'SELECT * FROM secured LIMIT 1000000000', '') AS same, compare('gbdt', 'SELECT * FROM secured WHERE a > 0'), compare('gbdt', 'SELECT a, y FROM secured WHERE 1 / (k % 3 - 2) < 0');
SET read_conditions.part = '2';
SELECT outcome('gbdt', 'secured', '') = outcome('gbdt', 'SELECT * FROM secured LIMIT 1000000000', '') AS same, compare('gbdt', 'SELECT * FROM secured'), compare('gbdt', 'SELECT a, y FROM secured WHERE 1 / (k % 3 - 2) < 0');
SELECT compare('gbdt', 'SELECT * FROM many'), compare('gbdt', 'SELECT * FROM barred'), compare('gbdt', 'SELECT * FROM barred WHERE 1 / (k % 2 - 1) < 0'), compare('gbdt', 'SELECT * FROM barred WHERE leaks(k)');
SELECT compare('gbdt', 'SELECT a, y FROM barred'), compare('sampled', 'SELECT a * 2 AS a2, y FROM barred WHERE a > 0 AND 1 / (k % 2 - 1) < 0'), compare('gbdt', 'SELECT a, y, upper(w) AS u FROM barred_parts WHERE 1 / (k % 2 - 1) < 0 AND w <> ''word 7'''),
	compare('gbdt', 'SELECT k % 10 AS c, y FROM barred UNION ALL SELECT a, k FROM barred_parts'), compare('gbdt', 'SELECT a, y FROM barred WHERE 1 / (k - 40000) < 1');
RESET ROLE;
SELECT compare('gbdt', 'SELECT * FROM secured'), compare('gbdt', 'SELECT * FROM many');
-- A function that may not be called.
REVOKE EXECUTE ON FUNCTION pg_catalog.sqrt(float8) FROM public;
SET ROLE regress_condition_reader;
SELECT compare('gbdt', 'SELECT * FROM secured WHERE sqrt(a) > 0') ~ '^42501 .*permission denied for function' AS denied;
RESET ROLE;
GRANT EXECUTE ON FUNCTION pg_catalog.sqrt(float8) TO public;

-- What a scan has seen is counted, whether it passes or not.
CREATE TABLE counted AS SELECT i AS k, sin(i) AS a, (i % 7)::float8 AS y FROM generate_series(1, 1000) i;
BEGIN;
SELECT outcome('linear_regression', 'SELECT * FROM counted WHERE k <= 100', '') ~ '^.100,' AS trained, pg_stat_get_xact_numscans('counted'::regclass) AS scans, pg_stat_get_xact_tuples_returned('counted'::regclass) AS rows;
COMMIT;

\set VERBOSITY terse
SET client_min_messages = warning;
SELECT count(ml_drop(model)) > 0 AS dropped FROM ml_models WHERE model <> ALL (:'models_before');
DROP SCHEMA read_conditions CASCADE;
DROP TABLE tt;
DROP ROLE regress_condition_reader;
