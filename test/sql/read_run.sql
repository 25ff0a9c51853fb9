-- A training run reads what its caller would read: rows, rights, one snapshot, nothing written; and gives up in time.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mlplat;
RESET client_min_messages;
CREATE SCHEMA read_run;
SET search_path = read_run, public;
SELECT coalesce(array_agg(model), '{}') AS models_before FROM ml_models \gset
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

CREATE FUNCTION try(source text, more text DEFAULT '') RETURNS text LANGUAGE sql AS
	$$ SELECT complaint(format('SELECT * FROM ml_train(%L, %L, %L, %L %s)', 'linear_regression', source, 'y', 'tried', more)) $$;
CREATE FUNCTION train(source text, model text, more text DEFAULT '') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer text;
BEGIN
	EXECUTE format('SELECT concat_ws('' '', rows, features, ''left out '' || nullif(cardinality(warnings), 0)) FROM ml_train(%L, %L, %L, %L %s)', 'gbdt', source, 'y', model, more) INTO answer;
	RETURN answer;
END $$;
CREATE ROLE regress_reader;
GRANT USAGE ON SCHEMA read_run TO regress_reader;
CREATE TABLE t (k int, a float8, y float8);
INSERT INTO t SELECT i, i % 7, i % 13 FROM generate_series(1, 200) i;

-- Kinds of sources, and uncommitted rows of the own transaction.
CREATE VIEW v AS SELECT * FROM t WHERE k <= 150;
CREATE MATERIALIZED VIEW mv AS SELECT * FROM v WITH NO DATA;
SELECT try('mv');
REFRESH MATERIALIZED VIEW mv;
CREATE TABLE part (y float8, k int, a float8) PARTITION BY RANGE (k);
CREATE TABLE part_low PARTITION OF part FOR VALUES FROM (MINVALUE) TO (100);
CREATE TABLE part_high (dropped text, k int, y float8, a float8);
ALTER TABLE part_high DROP COLUMN dropped;
ALTER TABLE part ATTACH PARTITION part_high FOR VALUES FROM (100) TO (MAXVALUE);
INSERT INTO part SELECT y, k, a FROM t;
CREATE TEMP TABLE tt AS SELECT * FROM t WHERE k <= 60;
SELECT train('t', 'from_t', $$, id => 'k'$$), train('v', 'from_v', $$, id => 'k'$$), train('mv', 'from_mv', $$, id => 'k'$$), train('part', 'from_part', $$, id => 'k'$$),
       train('tt', 'from_tt', $$, id => 'k'$$), train('SELECT * FROM t', 'from_query', $$, id => 'k'$$);
BEGIN;
INSERT INTO t SELECT 1000 + k, a, y FROM t;
SELECT train('t', 'uncommitted', $$, id => 'k'$$);
ROLLBACK;
-- The same rows, the same model, whichever way they are reached.
SELECT count(DISTINCT checksum) AS images FROM ml_versions WHERE model IN ('from_t', 'from_part', 'from_query');
SELECT count(DISTINCT checksum) AS images FROM ml_versions WHERE model IN ('from_v', 'from_mv');

-- A foreign table.
CREATE EXTENSION file_fdw;
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
CREATE FOREIGN TABLE ft (k int, a float8, y float8) SERVER files
	OPTIONS (format 'csv', program $$awk 'BEGIN { for (i = 1; i <= 200; i++) print i "," i % 7 "," i % 13 }'$$);
SELECT train('ft', 'from_ft', $$, id => 'k'$$);
SELECT count(DISTINCT checksum) AS images FROM ml_versions WHERE model IN ('from_t', 'from_ft');
SET client_min_messages = warning;
DROP EXTENSION file_fdw CASCADE;
RESET client_min_messages;
-- Training within what is read would write.
SELECT try('SELECT score AS a, version AS y FROM ml_train(''gbdt'', ''t'', ''y'', ''inner'')');

-- Columns that came, went and moved.
CREATE TABLE moved (x1 int, y float8, x2 text, a float8, k int);
INSERT INTO moved (y, a, k) SELECT y, a, k FROM t;
ALTER TABLE moved DROP COLUMN x1, DROP COLUMN x2, ADD COLUMN g float8 GENERATED ALWAYS AS (a * 2) STORED;
SELECT train('moved', 'moved', $$, id => 'k', exclude => '{g}'$$);
SELECT count(DISTINCT checksum) AS images FROM ml_versions WHERE model IN ('from_t', 'moved');

-- Odd names: the same figures as plain ones.
CREATE TABLE "ta""b.l'e\ %s %n $1 🐘" ("k'1" int, "a""b\ %s.%n $1" float8, "select 🐘" float8);
INSERT INTO "ta""b.l'e\ %s %n $1 🐘" SELECT * FROM t;
SELECT model, features FROM ml_train('gbdt', '"ta""b.l''e\ %s %n $1 🐘"', 'select 🐘', 'odd', ARRAY['a"b\ %s.%n $1'], id => 'k''1');
SELECT v.features, m.target FROM ml_versions v JOIN ml_models m USING (model) WHERE model = 'odd';
SELECT count(DISTINCT value) AS figures FROM ml_metrics WHERE model IN ('from_t', 'odd') AND split = 'test' AND metric = 'rmse';
SELECT ml_predict('odd', q) = ml_predict('from_t', t) AS same_prediction FROM "ta""b.l'e\ %s %n $1 🐘" q, t WHERE t.k = 5 AND q."k'1" = 5;
SELECT model FROM ml_train('gbdt', '"ta""b.l''e\ %s %n $1 🐘"', 'select 🐘');

-- What the session has set makes no difference.
SET DateStyle = 'German'; SET IntervalStyle = 'iso_8601'; SET extra_float_digits = 0; SET TimeZone = 'America/New_York';
SET bytea_output = 'escape'; SET lc_numeric = 'C'; SET enable_seqscan = off; SET default_transaction_isolation = 'serializable';
CREATE TABLE times AS SELECT i AS k, timestamptz '2020-03-29 00:00+00' + i * interval '10 min' AS tz, date '2020-01-01' + i AS d, i * interval '1 day 1 h' AS iv, (i * 0.1)::float8 AS f, (i % 5 * 0.1)::numeric AS y
FROM generate_series(1, 200) i;
SELECT train('times', 'times', $$, id => 'k'$$);
RESET ALL;
SET search_path = read_run, public;
SELECT train('times', 'times', $$, id => 'k'$$);
SELECT count(*) AS versions, count(DISTINCT checksum) AS images FROM ml_versions WHERE model = 'times';

-- A search_path full of traps: nothing of it is called.
CREATE SCHEMA read_run_traps;
DO $$
DECLARE
	t text;
BEGIN
	CREATE FUNCTION read_run_traps.trap() RETURNS text LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''trapped''; END';
	FOREACH t IN ARRAY '{text,int4,int8,name,oid,float8,jsonb}'::text[] LOOP
		EXECUTE format('CREATE FUNCTION read_run_traps.trap(%1$s, %1$s) RETURNS boolean LANGUAGE plpgsql AS ''BEGIN RAISE EXCEPTION $q$trapped$q$; END''', t);
		EXECUTE format('CREATE OPERATOR read_run_traps.= (LEFTARG = %1$s, RIGHTARG = %1$s, FUNCTION = read_run_traps.trap)', t);
		EXECUTE format('CREATE OPERATOR read_run_traps.|| (LEFTARG = %1$s, RIGHTARG = %1$s, FUNCTION = read_run_traps.trap)', t);
	END LOOP;
	FOREACH t IN ARRAY '{now,clock_timestamp,pg_current_snapshot,pg_backend_pid,version}'::text[] LOOP
		EXECUTE format('CREATE FUNCTION read_run_traps.%I() RETURNS text LANGUAGE plpgsql AS ''BEGIN RAISE EXCEPTION $q$trapped$q$; END''', t);
	END LOOP;
	FOREACH t IN ARRAY '{lower,upper,length,quote_ident,nextval,to_json,current_setting}'::text[] LOOP
		EXECUTE format('CREATE FUNCTION read_run_traps.%I(text) RETURNS text LANGUAGE plpgsql AS ''BEGIN RAISE EXCEPTION $q$trapped$q$; END''', t);
	END LOOP;
END $$;
CREATE TABLE read_run_traps.pg_class AS SELECT 1 AS k, 1.0 AS a, 1.0 AS y;
SET search_path = read_run_traps, pg_catalog, read_run, public;
SELECT 1::int8 = 1::int8;
SELECT ml_train('gbdt', 'read_run.t', 'y', 'trapped', id => 'k') IS NOT NULL;
SELECT count(*) > 0 FROM ml_estimate('gbdt', 'read_run.t', 'y'), ml_algorithms();
SET search_path = '';
SELECT public.ml_train('gbdt', 'read_run.t', 'y', 'no_path', id => 'k') IS NOT NULL;
SET search_path = read_run, public;
SELECT count(DISTINCT checksum) AS images FROM ml_versions WHERE model IN ('from_t', 'trapped', 'no_path');

-- Rows as the caller sees them.
CREATE TABLE tenant (owner name, k int, a float8, y float8);
INSERT INTO tenant SELECT CASE WHEN k <= 80 THEN 'regress_reader' ELSE 'somebody' END, k, a, y FROM t;
ALTER TABLE tenant ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON tenant USING (owner = current_user);
CREATE VIEW all_tenants AS SELECT k, a, y FROM tenant;
GRANT SELECT ON tenant, all_tenants TO regress_reader;
SET ROLE regress_reader;
SELECT train('tenant', 'reader_own'), train('SELECT * FROM tenant', 'reader_query'), train('all_tenants', 'reader_view');
SET mlplat.execution = 'foreground';
SELECT train('tenant', 'reader_foreground');
RESET mlplat.execution;
SET row_security = off;
SELECT try('tenant');
RESET row_security;
SELECT try('t');
RESET ROLE;
SELECT train('tenant', 'everybody');

-- A view whose rows change is read once.
CREATE VIEW restless AS SELECT k, a + random() AS a, y FROM t WHERE random() < 0.5;
SELECT rows_add_up FROM ml_train('gbdt', 'restless', 'y', 'restless', id => 'k') m,
     LATERAL (SELECT m.rows BETWEEN 50 AND 150 AS rows_add_up) q;

-- Nothing is written, in whatever way somebody tries.
CREATE TABLE written (x int);
CREATE SEQUENCE s;
CREATE FUNCTION writes() RETURNS int LANGUAGE plpgsql AS 'BEGIN INSERT INTO written VALUES (1); RETURN 1; END';
CREATE FUNCTION unlocks() RETURNS int LANGUAGE plpgsql AS 'BEGIN SET transaction_read_only = off; INSERT INTO written VALUES (1); RETURN 1; END';
CREATE VIEW writing AS SELECT writes() AS a, y FROM t;
SELECT try('SELECT writes() AS a, y FROM t');
SELECT try('SELECT unlocks() AS a, y FROM t');
SELECT try('SELECT nextval(''s'') AS a, y FROM t');
SELECT try('writing');
SET mlplat.execution = 'foreground';
SELECT try('SELECT writes() AS a, y FROM t');
SELECT try('writing');
RESET mlplat.execution;
SELECT count(*) FROM written;
-- Afterwards the session can write and has its settings.
INSERT INTO written VALUES (2);
SHOW transaction_read_only;
SHOW synchronize_seqscans;

-- An error inside the rows is the query's own; it leaves no model.
SELECT try('SELECT 100 / (k - 50) AS a, y FROM t');
SELECT try('SELECT a::text::date AS a, y FROM t');
SELECT count(*) FROM ml_models WHERE model = 'tried';

-- Too much: refused by the size of the table, or while a query delivers; no reading without end.
CREATE TABLE much AS SELECT i AS a, i * 2 AS b, i % 10 AS y FROM generate_series(1, 200000) i;
ANALYZE much;
SET mlplat.max_training_memory = '2MB';
SELECT regexp_replace(try('much'), '\d+ MB, more|about \d+', '..., more');
SELECT split_part(try('SELECT i AS a, i AS b, i AS y FROM generate_series(1, 1000000) i'), ' ', 1);
SET mlplat.execution = 'foreground';
SELECT split_part(try('SELECT i AS a, i AS b, i AS y FROM generate_series(1, 1000000) i'), ' ', 1);
SET statement_timeout = '200ms';
SELECT * FROM ml_train('linear_regression', 'SELECT i AS a, 1 AS y FROM generate_series(1, 1000000000) i WHERE i < 0', 'y', 'tried');
SET mlplat.execution = 'worker';
SELECT * FROM ml_train('linear_regression', 'SELECT i AS a, 1 AS y FROM generate_series(1, 1000000000) i WHERE i < 0', 'y', 'tried');
RESET statement_timeout;
RESET mlplat.execution;
RESET mlplat.max_training_memory;

\set VERBOSITY terse
SET client_min_messages = warning;
SELECT count(ml_drop(model)) > 10 AS dropped FROM ml_models WHERE model <> ALL (:'models_before');
DROP SCHEMA read_run, read_run_traps CASCADE;
DROP ROLE regress_reader;
