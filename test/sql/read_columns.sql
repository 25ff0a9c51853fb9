-- Columns of a source and their roles: names, types, what can be used and what is said when not.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mlplat;
RESET client_min_messages;
CREATE SCHEMA read_columns;
SET search_path = read_columns, public;
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

CREATE FUNCTION try(arguments text) RETURNS text LANGUAGE sql AS
	$$ SELECT complaint('SELECT * FROM ml_estimate(''linear_regression'', ' || arguments || ')') $$;

CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN positive AS numeric CHECK (value > 0);
CREATE DOMAIN pixels AS float8[];
CREATE TABLE t (
	id bigint GENERATED ALWAYS AS IDENTITY, dropped int,
	i2 int2, i4 int4, i8 int8, f4 float4, f8 float8, n numeric, p positive,
	flag boolean, d date, tm time, ts timestamp, tz timestamptz, iv interval,
	tx text, vc varchar(20), ch char(5), nm name, m mood, u uuid,
	ai int[], af float8[], an numeric[], px pixels, g int GENERATED ALWAYS AS (i4 * 2) STORED,
	js json, jb jsonb, x xml, pt point, by bytea, ci cidr, inet inet, r int4range, mr int4multirange,
	ta text[], da date[], mo money, tt timetz, b bit(3), o oid, rc regclass, sv tsvector, v int2vector,
	y float8);
ALTER TABLE t DROP COLUMN dropped;
INSERT INTO t (i4, ai, af, an, px, v) VALUES (1, '{1,2}', '{1,2,3}', '{1,NULL,3,4}', '{1}', '1 2');
ANALYZE t;

-- What can be used and what is left out, with the reason.
SELECT features, replace(array_to_string(excluded, E'\n'), ': ', ' : ') FROM ml_estimate('linear_regression', 't', 'y');

-- The same when named is an error that says what to do.
SELECT complaint(format('SELECT * FROM ml_estimate(%L, %L, %L, ARRAY[%L])', 'linear_regression', 't', 'y', attname))
FROM pg_attribute
WHERE attrelid = 't'::regclass AND attname IN ('jb', 'x', 'pt', 'by', 'ci', 'r', 'mr', 'ta', 'da', 'mo', 'tt', 'b', 'o', 'sv', 'v')
ORDER BY attnum;

-- Names that do not exist; the nearest one is offered.
SELECT try($$'t', 'yy'$$);
SELECT try($$'t', 'Y'$$);
SELECT try($$'t', 'dropped'$$);
SELECT try($$'t', 'ctid'$$);
SELECT try($$'t', 'y', '{i4,flagg}'$$);
SELECT try($$'t', 'y', exclude => '{mooood}'$$);
SELECT try($$'SELECT 1 AS age, 2 AS income', 'incom'$$);
SELECT try($$'SELECT 1 AS age, 2 AS income', 'something else'$$);

-- Roles that contradict each other.
SELECT try($$'t', 'y', '{y,i4}'$$);
SELECT try($$'t', 'y', '{i4,i8,i4}'$$);
SELECT try($$'t', 'y', '{i4,i8}', exclude => '{i8}'$$);
SELECT try($$'t', 'y', ARRAY['i4', NULL]$$);
SELECT try($$'t', 'y', '{{i4,i8},{f4,f8}}'$$);
SELECT try($$'t', 'jb'$$);
SELECT try($$'t', 'ai'$$);

-- Nothing left to learn from.
SELECT try($$'SELECT 1 AS y', 'y'$$);
SELECT try($$'SELECT 1 AS y, 2 AS a', 'y', exclude => '{a}'$$);
SELECT try($$'SELECT 1 AS y, ''{}''::json AS j, ''x''::bytea AS b', 'y'$$);
CREATE TABLE one_column (y int);
CREATE TABLE no_column ();
SELECT try($$'one_column', 'y'$$);
SELECT try($$'no_column', 'y'$$);

-- As wide as a table can be.
DO $$ BEGIN
	EXECUTE (SELECT format('CREATE TABLE wide (%s)', string_agg('c' || i || ' int2', ', ')) FROM generate_series(1, 1600) i);
END $$;
SELECT features, cardinality(excluded) FROM ml_estimate('linear_regression', 'wide', 'c1');
-- Wider still through arrays; but not without end.
SELECT features FROM ml_estimate('linear_regression', 'SELECT 1 AS y, array_agg(i) AS a FROM generate_series(1, 5000) i', 'y');
SELECT try($$'SELECT 1 AS y, array_agg(i) AS a FROM generate_series(1, 200000) i', 'y'$$);
SELECT try($$'SELECT 1 AS y, 2 AS "a[2]", ARRAY[1, 2] AS a', 'y'$$);

-- Any name, printed as it is.
CREATE TABLE "ta""b.l'e\ %s %n $1
select 🐘" ("Col" int, "col" int, "a""b" int, "c'd" int, "e\f" int, "g.h" int, "new
line" int, "$1" int, "%s%n%d" int, "select" int, "🐘" int, "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk" int, " y" int, "%s" json);
SELECT features, excluded FROM ml_estimate('linear_regression', E'"ta""b.l''e\\ %s %n $1\nselect 🐘"', ' y');
SELECT features, excluded FROM ml_estimate('linear_regression', E'SELECT * FROM "ta""b.l''e\\ %s %n $1\nselect 🐘"', '🐘', ARRAY[E'new\nline', 'a"b', '%s%n%d', '$1', 'e\f', 'g.h', 'c''d', 'Col', 'col']);
SELECT try(format('%L, %L', E'"ta""b.l''e\\ %s %n $1\nselect 🐘"', '%s%n%s%n'));
SELECT try(format('%L, %L', E'"ta""b.l''e\\ %s %n $1\nselect 🐘"', '%s'));

\set VERBOSITY terse
SET client_min_messages = warning;
DROP SCHEMA read_columns CASCADE;
