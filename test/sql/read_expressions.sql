-- Expressions over pages: the same values, model, hash and complaint for any number of threads, and as by the executor.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mlplat;
RESET client_min_messages;
CREATE SCHEMA read_expressions;
SET search_path = read_expressions, public;
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
	SELECT i AS k, sin(i) AS a, CASE WHEN i % 17 > 0 THEN (cos(i) * 100)::float4 END AS b, CASE WHEN i % 11 <> 0 THEN 'word ' || i % 300 END AS w, nullif(i % 13, 5)::numeric / 7 AS n, i % 3 = 0 AS e,
		timestamptz '2020-01-01 00:00+00' + i * interval '1 minute' AS ts, ARRAY[i % 7, i % 5]::float8[] AS v, sin(i) + cos(i * 3) AS y
	FROM generate_series(1, 60000) i;

-- Numbers, times, texts, booleans; beside columns, and nothing but; of columns that are read as well; with conditions; before and after ANALYZE.
SELECT compare('gbdt', 'SELECT k, a, b, ln(a + 2) AS c, y FROM t'), compare('sampled', 'SELECT k, a, b, a * b AS c, extract(hour FROM ts AT TIME ZONE ''UTC'') AS h, y FROM t'),
	compare('gbdt', 'SELECT a * 2 AS a2, b + 1 AS b1, y * 2 AS y FROM t'), compare('linear_regression', 'SELECT a, b * b AS b2, abs(y) AS y FROM t');
SELECT compare('gbdt', 'SELECT a, n * 3 AS n3, round(n, 2) AS n2, y FROM t'), compare('gbdt', 'SELECT a, upper(w) AS u, w || ''!'' AS x, coalesce(w, ''none'') AS c, k::text AS s, y FROM t'),
	compare('gbdt', 'SELECT a, a > 0 AS p, e AND b > 0 AS q, y FROM t'), compare('gbdt', 'SELECT a, ts::date AS d, ts - timestamptz ''2020-01-01'' AS iv, date_trunc(''hour'', ts) AS dt, (ts AT TIME ZONE ''UTC'')::time AS tm, y FROM t'),
	compare('gbdt', 'SELECT a, k / 7 AS i4, k::int8 * 1000000007 AS i8, (k % 100)::int2 AS i2, b::float8::float4 AS f4, md5(k::text)::uuid AS u, y FROM t');
ANALYZE t;
SELECT compare('sampled', 'SELECT k, a, b, a * b AS c, y FROM t WHERE a > 0'), compare('sampled', 'SELECT a, b, ln(a + 2) AS c, y FROM t WHERE k > 30000'), compare('gbdt', 'SELECT a + b AS c, y FROM t WHERE k % 100 = 7'),
	compare('sampled', 'SELECT a, a * b AS c, y, k FROM t WHERE b < 50', $$, split => 'time', split_by => 'k'$$);
-- In every role; the target a boolean, or a text; two of one expression, and one of none.
SELECT compare('gbdt', 'SELECT k + 1 AS key, a, b * 2 AS b, y FROM t', $$, id => 'key'$$), compare('gbdt', 'SELECT ''k'' || k AS key, a, b * 2 AS b, y FROM t', $$, id => 'key'$$),
	compare('gbdt', 'SELECT a, b, k % 3 + 1 AS weight, y FROM t', $$, weight => 'weight'$$), compare('gbdt', 'SELECT a, b, ts + interval ''1 day'' AS late, y FROM t', $$, split => 'time', split_by => 'late'$$),
	compare('gbdt', 'SELECT a, b, ''g'' || k % 50 AS g, y FROM t', $$, split => 'group', split_by => 'g'$$);
SELECT compare('gbdt', 'SELECT a, b, a + b > 0 AS y FROM t'), compare('gbdt', 'SELECT a, b, k > 30000 AS y FROM t'), compare('gbdt', 'SELECT a, b, CASE WHEN a > 0.3 THEN ''high'' WHEN a > -0.3 THEN ''low'' END AS y FROM t'),
	compare('gbdt', 'SELECT a, b * 2 AS b1, b * 2 AS b2, 1 AS one, NULL::float8 AS missing, ''same'' AS same, y FROM t'), compare('gbdt', 'SELECT 1 AS one, y FROM t');
-- What changes with the session, not with the row.
SELECT compare('gbdt', 'SELECT a, date_part(''hour'', ts) AS h, k + current_setting(''work_mem'') :: text :: varchar(1) :: int AS c, y FROM t'),
	compare('gbdt', 'SELECT a, extract(epoch FROM now() - now()) + b AS age, y FROM t'), compare('gbdt', 'SELECT a, to_char(ts, ''Day'') AS day, y FROM t');
-- What only the executor runs.
CREATE FUNCTION mine(float8) RETURNS float8 IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN $1 * 2; END';
SELECT compare('gbdt', 'SELECT mine(a) AS m, b, y FROM t'), compare('gbdt', 'SELECT a, (SELECT avg(b) FROM t) AS m, y FROM t'),
	outcome('gbdt', 'SELECT mine(a) AS m, b, y FROM t', '') = outcome('gbdt', 'SELECT a * 2 AS m, b, y FROM t', '') AS same, outcome('gbdt', 'SELECT a, random() AS r, y FROM t', '') ~ '^.60000' AS trained;

-- Long texts that are compressed or out of line, handed on as they are and made into others.
CREATE TABLE long AS SELECT i AS k, repeat('x', 5000) || i % 3 AS compressed, sin(i) AS y FROM generate_series(1, 3000) i;
ALTER TABLE long ADD outside text;
ALTER TABLE long ALTER outside SET STORAGE EXTERNAL;
UPDATE long SET outside = repeat(md5((k % 5)::text), 200);
SELECT compare('gbdt', 'SELECT k, coalesce(compressed, ''none'') AS c, coalesce(outside, ''none'') AS o, substr(outside, 33) AS s, length(outside || compressed) AS l, y FROM long');
SELECT compare('gbdt', 'SELECT k, repeat(md5((k % 3)::text), 20 * (k % 50)) AS r, compressed || compressed AS cc, sin(k) AS a, y FROM long'), compare('gbdt', 'SELECT sin(k) AS a, compressed || CASE WHEN k = 2500 THEN repeat(''x'', 1 / (k - 2500)) END AS c, y FROM long');
-- Arrays: made of columns, cut; the first ones missing.
SELECT compare('gbdt', 'SELECT a, ARRAY[a, b, NULL, k] AS abk, y FROM t'), compare('linear_regression', 'SELECT v[1:1] AS first, v || ARRAY[a] AS more, y FROM t'), compare('gbdt', 'SELECT CASE WHEN k > 300 THEN v END AS late, a * 2 AS a2, y FROM t WHERE k % 2 = 0'),
	compare('gbdt', 'SELECT CASE WHEN k > 50000 THEN v || ARRAY[a] ELSE v END AS uneven, y FROM t');
-- Columns that came and went, values that were never written.
UPDATE t SET a = a + 1 WHERE k % 5 = 0;
DELETE FROM t WHERE k % 7 = 0 OR k BETWEEN 20000 AND 24000;
ALTER TABLE t DROP n, ADD later float8 DEFAULT 2.5, ADD empty text, ADD note text DEFAULT 'none';
INSERT INTO t SELECT k + 100000, a, b, w, e, ts, v, y, k % 5, 'full', NULL FROM t WHERE k < 20000;
SELECT compare('gbdt', 'SELECT a, b * later AS bl, note || coalesce(empty, ''!'') AS nn, later + 1 AS l1, y FROM t'), compare('gbdt', 'SELECT a, b * later AS bl, tableoid::int8 > 0 AS t, y FROM t WHERE note IS NULL OR later < 3');
CREATE TEMP TABLE tt AS SELECT * FROM t;
SELECT compare('sampled', 'SELECT a, b * later AS bl, upper(w) AS u, y FROM tt');

-- Partitions, and tables of which each has its own expressions, constants and columns.
CREATE TABLE parts (k int, a float8, w text, b float4, y float8) PARTITION BY RANGE (k);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10000);
CREATE TABLE parts_2 (y float8, gone text, b float4, w text, k int, a float8);
ALTER TABLE parts_2 DROP gone;
ALTER TABLE parts ATTACH PARTITION parts_2 FOR VALUES FROM (10000) TO (30000);
CREATE TABLE parts_3 PARTITION OF parts FOR VALUES FROM (30000) TO (1000000);
INSERT INTO parts SELECT k, a, w, b, y FROM t;
SELECT compare('sampled', 'SELECT k, a, a * b AS c, lower(w) AS w, y FROM parts'), compare('gbdt', 'SELECT k, a * b AS c, y FROM parts WHERE k > 15000 AND a > 0', $$, id => 'k'$$),
	compare('sampled', 'SELECT a, b::float8 AS b, w, 1 AS part, y FROM parts_1 UNION ALL SELECT a * 2, a, w, 2, y FROM parts_2 WHERE b > 0 UNION ALL SELECT a, NULL, ''none'', 3, -y FROM parts_3'),
	compare('gbdt', 'SELECT a, CASE WHEN b > 0 THEN ts - timestamptz ''2020-01-01'' END AS iv, y FROM t UNION ALL SELECT a, interval ''1 day'', y FROM parts');

-- Errors: of an expression, after which no row counts, and before which all do; of what comes of it.
CREATE TABLE wrong AS SELECT i AS k, sin(i) AS a, 'w' || i % 9 AS w, (i % 5)::float8 AS y FROM generate_series(1, 50000) i;
SELECT compare('gbdt', 'SELECT a, 1 / (k - 31234) AS c, y FROM wrong'), compare('gbdt', 'SELECT a, 1 / (k - 50000) AS c, y FROM wrong'), compare('linear_regression', 'SELECT a, 1 / (k - 1) AS c, y FROM wrong'),
	compare('gbdt', 'SELECT a, (w || CASE WHEN k = 40000 THEN ''x'' END)::int AS c, y FROM wrong'), compare('gbdt', 'SELECT a, k, ARRAY[a, 1 / (k - 31234)] AS c, y FROM wrong');
UPDATE wrong SET a = 'infinity' WHERE k IN (31233, 45000);
CREATE TABLE wrong_before AS SELECT * FROM wrong ORDER BY k;
SELECT compare('gbdt', 'SELECT a, 1 / (k - 31234) AS c, y FROM wrong_before'), compare('gbdt', 'SELECT a, 1 / (k - 31233) AS c, y FROM wrong_before'), compare('gbdt', 'SELECT a, 1 / (k - 31232) AS c, y FROM wrong_before'),
	compare('gbdt', 'SELECT ln(31300 - k) AS c, y FROM wrong_before WHERE 1 / (k - 31301) < 1'), compare('gbdt', 'SELECT ln(31300 - k) AS c, y FROM wrong_before WHERE 1 / (k - 31299) < 1'),
	compare('gbdt', 'SELECT CASE WHEN k = 31235 THEN ''infinity'' ELSE a END AS c, 1 / (k - 31236) AS d, y FROM wrong_before WHERE k > 31233'),
	compare('gbdt', 'SELECT a, nullif(k, 31111) AS key, 1 / (k - 31112) AS d, y FROM wrong_before', $$, id => 'key'$$);

-- A view that computes, behind a policy, for whom it concerns; a function that may not be called.
CREATE ROLE regress_expression_reader;
GRANT USAGE ON SCHEMA read_expressions TO regress_expression_reader;
CREATE TABLE secured AS SELECT k, a, b, y FROM t;
ALTER TABLE secured ENABLE ROW LEVEL SECURITY;
CREATE POLICY part ON secured USING (k % 3 = 1);
GRANT SELECT ON secured TO regress_expression_reader;
CREATE VIEW computed AS SELECT k, a, cbrt(a) * b AS c, y FROM secured;
GRANT SELECT ON computed TO regress_expression_reader;
SET ROLE regress_expression_reader;
SELECT compare('gbdt', 'SELECT k, a, cbrt(a) * b AS c, y FROM secured'), compare('gbdt', 'SELECT 1 / (k % 3 - 2) AS c, a, y FROM secured'), compare('gbdt', 'SELECT * FROM computed');
RESET ROLE;
REVOKE EXECUTE ON FUNCTION pg_catalog.cbrt(float8) FROM public;
SET ROLE regress_expression_reader;
SELECT compare('gbdt', 'SELECT k, a, cbrt(a) * b AS c, y FROM secured') ~ '^42501 .*permission denied for function cbrt' AS denied;
RESET ROLE;
GRANT EXECUTE ON FUNCTION pg_catalog.cbrt(float8) TO public;

\set VERBOSITY terse
SET client_min_messages = warning;
SELECT count(ml_drop(model)) > 0 AS dropped FROM ml_models WHERE model <> ALL (:'models_before');
DROP SCHEMA read_expressions CASCADE;
DROP TABLE tt;
DROP ROLE regress_expression_reader;
