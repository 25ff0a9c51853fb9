-- Pages dealt out to threads: the same model, hash and complaint for any number of them, and as by the executor.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mlplat;
RESET client_min_messages;
CREATE SCHEMA read_threads;
SET search_path = read_threads, public;
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

CREATE TABLE numbers AS
	SELECT sin(i) AS a, (cos(i) * 100)::float4 AS b, i % 1000 AS c, (i * 7 % 50)::smallint AS d, i % 3 = 0 AS e, i::bigint * 10000000000 AS f,
		'2020-01-01'::timestamp + i * interval '1 minute' AS g, sin(i) + cos(i * 3) AS y
	FROM generate_series(1, 60000) i;
SELECT compare('gbdt', 'numbers'), compare('linear_regression', 'numbers');
SELECT compare('gbdt', 'numbers', $$, id => 'f'$$), compare('linear_regression', 'numbers', $$, id => 'f', weight => 'c'$$);

-- Texts and long numbers, which the main thread reads; NULL and NaN; columns that came and went.
CREATE TABLE mixed AS
	SELECT CASE WHEN i % 11 <> 0 THEN 'word ' || i % 300 END AS t, sin(i) AS a, nullif(i % 13, 5)::numeric / 7 AS n,
		CASE i % 17 WHEN 0 THEN NULL WHEN 1 THEN 'NaN' ELSE cos(i) END AS b, i AS gone, repeat('x', i % 5) AS s, i % 1000 AS c, i AS k, (i % 7)::float8 AS y
	FROM generate_series(1, 40000) i;
ALTER TABLE mixed DROP gone, ADD later float8 DEFAULT 3.5, ADD empty float8;
INSERT INTO mixed SELECT t, a, n, b, s, c, k + 40000, y, a * 2, b FROM mixed WHERE k <= 20000;
DELETE FROM mixed WHERE k % 10 = 3;
UPDATE mixed SET b = -b WHERE k % 10 = 4;
SELECT compare('gbdt', 'mixed'), compare('linear_regression', 'mixed'), compare('gbdt', 'mixed', $$, id => 'k'$$);
ANALYZE mixed;
SELECT compare('gbdt', 'mixed'), compare('linear_regression', 'mixed', $$, id => 'k', split => 'time', split_by => 'c'$$);

-- A boolean target: what threads make of it, from the row on where both have been seen, is what the main thread makes of it.
CREATE TABLE truths AS SELECT sin(i) AS a, i % 9 = 0 AS flag, CASE WHEN i % 31 = 0 THEN NULL WHEN i > 20000 THEN i % 3 = 0 ELSE true END AS y FROM generate_series(1, 50000) i;
SELECT compare('gbdt', 'truths'), compare('gbdt', 'truths', $$, features => '{a}'$$), compare('logistic_regression', 'truths');
CREATE TABLE truth AS SELECT * FROM truths WHERE y;
SELECT compare('gbdt', 'truth');

-- Limits of bins on a sample: taken in the first pass, or picked again where more rows came than were expected, or few of them train, or there is an id.
CREATE TABLE grown (LIKE numbers) WITH (autovacuum_enabled = off);
ALTER TABLE grown ADD part text DEFAULT 'train', ADD constant float8 DEFAULT 3;
INSERT INTO grown SELECT * FROM numbers LIMIT 20000;
ANALYZE grown;
SELECT compare('sampled', 'grown'), compare('sampled', 'grown', $$, id => 'f'$$), compare('sampled', 'grown', $$, split => 'none'$$);
INSERT INTO grown SELECT n.*, CASE WHEN c % 10 = 0 THEN 'train' ELSE 'test' END, CASE WHEN c % 10 = 0 THEN 3 ELSE 4 END FROM numbers n;
SELECT compare('sampled', 'grown', $$, split => 'column', split_by => 'part'$$);
UPDATE grown SET a = NULL, b = 'NaN' WHERE d = 7;
SELECT compare('sampled', 'grown'), compare('sampled', 'grown', $$, split => 'time', split_by => 'g'$$);
ANALYZE grown;
SELECT compare('sampled', 'grown', $$, split => 'column', split_by => 'part'$$), compare('sampled', 'grown', $$, exclude => '{part}', holdout => 0.9$$);
SELECT compare('gbdt', 'grown', $$, split => 'column', split_by => 'part', features => '{a, constant}'$$);

-- Partitions, which go to the threads one after the other.
CREATE TABLE ranges (LIKE grown) PARTITION BY RANGE (c);
CREATE TABLE range_1 PARTITION OF ranges FOR VALUES FROM (0) TO (300);
CREATE TABLE range_2 PARTITION OF ranges FOR VALUES FROM (300) TO (310);
CREATE TABLE range_3 (part text, y float8, constant float8, g timestamp, f bigint, e boolean, d smallint, c int, b float4, a float8);
ALTER TABLE ranges ATTACH PARTITION range_3 FOR VALUES FROM (310) TO (1000);
INSERT INTO ranges SELECT * FROM grown;
SELECT compare('sampled', 'ranges'), compare('linear_regression', 'ranges'), compare('sampled', 'ranges', $$, split => 'column', split_by => 'part'$$);
ANALYZE ranges;
SELECT compare('sampled', 'ranges'), compare('gbdt', 'ranges', $$, split => 'none'$$);
UPDATE ranges SET a = 'infinity' WHERE f = (SELECT max(f) FROM range_3);
SELECT compare('gbdt', 'ranges') ~ '^22000 \| .* row \d+ of the source$' AS same_complaint;

-- The first error counts, whoever finds it.
CREATE TABLE wrong AS SELECT i AS k, sin(i) AS a, cos(i) AS b, (i % 7)::numeric AS n, (i % 5)::float8 AS y FROM generate_series(1, 50000) i;
UPDATE wrong SET b = 'infinity' WHERE k = 49999;
CREATE TABLE wrong_order AS SELECT * FROM wrong ORDER BY k;
SELECT compare('gbdt', 'wrong_order');
UPDATE wrong SET a = '-infinity' WHERE k = 31234;
CREATE TABLE wrong_twice AS SELECT * FROM wrong ORDER BY k;
SELECT compare('gbdt', 'wrong_twice');
UPDATE wrong SET n = 1e400 WHERE k = 31300;
UPDATE wrong SET k = NULL WHERE k = 40000;
CREATE TABLE wrong_often AS SELECT * FROM wrong ORDER BY coalesce(k, 40000);
SELECT compare('gbdt', 'wrong_often', $$, id => 'k'$$);
UPDATE wrong SET n = 1e400 WHERE k = 20000;
CREATE TABLE wrong_number AS SELECT * FROM wrong ORDER BY coalesce(k, 40000);
SELECT compare('gbdt', 'wrong_number', $$, id => 'k'$$);

-- Rows that are decoded together: in the first column, in one that only the main thread reads, in the last one.
CREATE TABLE wrong_near AS SELECT i AS k, sin(i) AS a, (i % 7)::numeric AS n, 'w' || i % 5 AS w, cos(i) AS b, (i % 5)::float8 AS y FROM generate_series(1, 50000) i;
UPDATE wrong_near SET b = 'infinity' WHERE k = 30001;
UPDATE wrong_near SET n = 1e400 WHERE k = 30002;
UPDATE wrong_near SET a = 'infinity' WHERE k = 30003;
CREATE TABLE wrong_near_1 AS SELECT * FROM wrong_near ORDER BY k;
CREATE TABLE wrong_near_2 AS SELECT * FROM wrong_near WHERE k <> 30001 ORDER BY k;
CREATE TABLE wrong_near_3 AS SELECT * FROM wrong_near WHERE k NOT IN (30001, 30002) ORDER BY k;
SELECT compare('gbdt', 'wrong_near_1'), compare('gbdt', 'wrong_near_2'), compare('gbdt', 'wrong_near_3');

-- A run that is stopped while it reads leaves a session that works.
SET statement_timeout = '1ms';
SELECT ml_train('gbdt', 'mixed', 'y', model => 'm');
RESET statement_timeout;
SELECT compare('linear_regression', 'numbers');

SELECT count(ml_drop(model)) > 0 AS dropped FROM ml_models WHERE model <> ALL (:'models_before');
SET client_min_messages = warning;
DROP SCHEMA read_threads CASCADE;
