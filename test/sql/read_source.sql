-- What a source may be: names, queries, kinds of relations; and that it is only read.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mlplat;
RESET client_min_messages;
CREATE SCHEMA read_source;
SET search_path = read_source, public;
\pset format unaligned
\pset tuples_only on

-- What a statement complains about: SQLSTATE, message, detail, hint; or that it does not.
CREATE FUNCTION complaint(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	message text;
	detail text;
	hint text;
BEGIN
	EXECUTE statement;
	RETURN 'no complaint';
EXCEPTION WHEN OTHERS OR query_canceled THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(E'\n  ', SQLSTATE || ' ' || message, 'DETAIL ' || nullif(detail, ''), 'HINT ' || nullif(hint, ''));
END $$;

-- Whether a source can be read, and what of it: features, columns left out, and what a run should know.
CREATE FUNCTION try(source text, target text DEFAULT 'y') RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN complaint(format('SELECT * FROM ml_estimate(%L, %L, %L)', 'linear_regression', source, target));
END $$;
CREATE FUNCTION estimate(source text, target text DEFAULT 'y') RETURNS text LANGUAGE sql AS
	$$ SELECT concat_ws(' / ', 'features ' || features, 'left out ' || excluded::text, 'warnings ' || warnings::text)
	   FROM ml_estimate('linear_regression', source, target) $$;

CREATE TABLE t (a int, b float8, y float8);
INSERT INTO t SELECT i, i % 7, 2 * i FROM generate_series(1, 100) i;
ANALYZE t;
CREATE TABLE "Big One" (x float8, "Y" float8);
CREATE TABLE victim (x int);

-- Names.
SELECT try('t');
SELECT try('T');
SELECT try(' read_source . t ');
SELECT try('"t"');
SELECT try('missing');
SELECT try('read_source.missing');
SELECT try('"Missing ""one"""');
SELECT try('nowhere.t');
SELECT try('other_database.public.t');
SELECT try('a.b.c.d');
SELECT try('Big One', 'Y');
SELECT try('read_source."Big One"', 'Y');
SELECT try('');
SELECT try('  ');
SELECT try('.');
SELECT try('"t');
SELECT try('select');
SELECT length(try(repeat('x', 1000000)));
SELECT complaint($$SELECT * FROM ml_estimate('linear_regression', NULL, 'y')$$);

-- SQL in the place of a name is a bad name, and nothing runs.
SELECT try('t; DROP TABLE victim');
SELECT try('t) UNION SELECT 1, 2 --');
SELECT try('t--');
SELECT try('t/*');
SELECT try('t'' OR ''1''=''1');
SELECT try('SELECT 1 AS a, 2 AS y; DROP TABLE victim');
SELECT try('DROP TABLE victim');
SELECT try('DELETE FROM victim');
SELECT try('EXPLAIN SELECT 1 AS a, 2 AS y');
SELECT to_regclass('victim') IS NOT NULL AS still_there;

-- Queries.
SELECT estimate('SELECT a, y FROM t');
SELECT estimate('SELECT a, y FROM t;');
SELECT estimate('TABLE t');
SELECT estimate('VALUES (1, 2.5), (3, 4)', 'column2');
SELECT estimate('(SELECT a, y FROM t UNION ALL SELECT b, y FROM t) ORDER BY 1 LIMIT 5');
SELECT estimate('WITH q AS (SELECT a, y FROM t) SELECT a, a * a AS square, y FROM q -- a comment');
SELECT estimate('/* c */ SELECT t.*, ''x'' AS literal, a + 1 FROM t');
SELECT try('SELECT a, FROM t');
SELECT try('SELECT nothing, y FROM t');
SELECT try('SELECT a, y FROM missing');
SELECT try('SELECT $1 AS a, y FROM t');
SELECT try('SELECT a, b AS a, y FROM t');
SELECT try('SELECT FROM t');
SELECT try('SELECT ' || repeat('(', 100000) || '1');
SELECT split_part(try(repeat('(', 9000) || 'SELECT 1 AS y, 2 AS a' || repeat(')', 9000)), ' ', 1) IN ('no', '54001', '42601');
SELECT try('SELECT 1 AS y, 2 AS a' || repeat(' UNION ALL SELECT 1, 2', 1000));
-- A mistake inside the query is shown there, not in the statement around it.
\pset tuples_only off
SELECT * FROM ml_estimate('linear_regression', 'SELECT a, wrong FROM t', 'y');
SELECT * FROM ml_estimate('linear_regression', 'SELECT a wrong syntax FROM t', 'y');
\pset tuples_only on

-- A source is only read.
SELECT try('WITH gone AS (DELETE FROM t RETURNING *) SELECT * FROM gone');
SELECT try('SELECT * FROM (WITH new AS (INSERT INTO t VALUES (0, 0, 0) RETURNING *) SELECT * FROM new) q');
SELECT try('SELECT a, y INTO copied FROM t');
SELECT try('SELECT a, y FROM t FOR UPDATE');
SELECT try('SELECT * FROM (SELECT a, y FROM t FOR UPDATE) q');

-- Kinds of relations.
CREATE VIEW v AS SELECT a, b, y FROM t WHERE a > 10;
CREATE MATERIALIZED VIEW mv AS SELECT a, y FROM t;
CREATE MATERIALIZED VIEW mv_empty AS SELECT a, y FROM t WITH NO DATA;
CREATE TABLE part (k int, a int, y int) PARTITION BY LIST (k);
CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1);
CREATE TABLE part_2 (y int, dropped text, a int, k int);
ALTER TABLE part_2 DROP COLUMN dropped;
ALTER TABLE part ATTACH PARTITION part_2 FOR VALUES IN (2);
CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER nothing FOREIGN DATA WRAPPER nothing;
CREATE FOREIGN TABLE ft (a int, y int) SERVER nothing;
CREATE TEMP TABLE tt (a int, y int);
CREATE SEQUENCE s;
CREATE INDEX i ON t (a);
CREATE TYPE c AS (a int, y int);
SELECT estimate('v');
SELECT estimate('part');
SELECT try('mv');
SELECT try('tt');
SELECT try('pg_temp.tt');
SELECT try('pg_catalog.pg_class', 'relpages');
SELECT try('ft');
SELECT try('s');
SELECT try('i');
SELECT try('c');
SELECT try('part_1');

-- The session reads by itself what a worker cannot: unsafe functions, temporary tables, wherever they hide.
CREATE FUNCTION unsafe(int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN $1; END';
CREATE VIEW v_unsafe AS SELECT unsafe(a) AS a, y FROM t;
CREATE VIEW v_deep AS SELECT * FROM v_unsafe WHERE a > 0;
CREATE TABLE parent (a int, y int);
CREATE TEMP TABLE child () INHERITS (parent);
ANALYZE parent, part, tt;
SELECT estimate('v_deep');
SELECT estimate('parent');
SELECT estimate('tt');
SELECT estimate('SELECT a, y FROM t WHERE EXISTS (SELECT FROM tt)');

\set VERBOSITY terse
SET client_min_messages = warning;
DROP SCHEMA read_source CASCADE;
DROP FOREIGN DATA WRAPPER nothing CASCADE;
