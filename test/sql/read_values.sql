-- Values of each type become the numbers and categories they are documented as; what no number can hold is refused.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mlplat;
RESET client_min_messages;
CREATE SCHEMA read_values;
SET search_path = read_values, public;
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

CREATE DOMAIN positive AS numeric CHECK (value > -1000);
CREATE FUNCTION try(arguments text) RETURNS text LANGUAGE sql AS
	$$ SELECT complaint('SELECT * FROM ml_train(''linear_regression'', ' || arguments || ', deploy => ''never'', split => ''none'')') $$;
-- Trains y on one expression x of the rows; the slope and whether the line goes through every point.
CREATE FUNCTION line(x text, y text, rows text DEFAULT 'generate_series(1, 50)') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	name text := md5(x || y);
	slope float8;
	fit float8;
BEGIN
	PERFORM ml_train('linear_regression', format('SELECT %s AS x, (%s)::float8 AS y FROM %s i', x, y, rows), 'y', name, '{x}', split => 'none');
	SELECT c.estimate INTO slope FROM ml_coefficients(name) c WHERE c.term = 'x';
	SELECT value INTO fit FROM ml_metrics m WHERE m.model = name AND m.metric = 'r2';
	RETURN format('slope %s, r2 %s', round(slope::numeric, 9), round(fit::numeric, 12));
END $$;

-- Each type becomes the number it is documented as: a slope of 1 against that number.
SELECT t AS type, line(format('(i * 3 - 50)::%s', t), 'i * 3 - 50') FROM unnest('{int2,int4,int8,float4,float8,numeric,numeric(10\,2),positive}'::text[]) t;
SELECT line('(i % 2 = 0)', '(i % 2 = 0)::int');
SELECT line($$date '1999-12-20' + i$$, $$date '1999-12-20' + i - date '2000-01-01'$$);
SELECT line($$time '00:00' + i * interval '17 min 0.25 s'$$, $$extract(epoch FROM time '00:00' + i * interval '17 min 0.25 s')$$);
SELECT line($$timestamp '1999-12-31' + i * interval '1 h 0.000001 s'$$, $$extract(epoch FROM timestamp '1999-12-31' + i * interval '1 h 0.000001 s' - timestamp '2000-01-01')$$);
SELECT line($$timestamptz '1999-12-31 00:00+02' + i * interval '1 h'$$, $$extract(epoch FROM timestamptz '1999-12-31 00:00+02' + i * interval '1 h' - timestamptz '2000-01-01 00:00+00')$$);
SELECT line($$i * interval '1 mon 2 days 3 s'$$, $$i * (30 * 86400 + 2 * 86400 + 3)$$);
SELECT line($$(i * 1234567.891)::numeric$$, $$(i * 1234567.891)$$);
SELECT line($$(i * 0.123456789012345678901234567890)::numeric$$, $$(i * 0.123456789012345678901234567890)$$);

-- Categories are the bytes they are: '' is no NULL, 'A' no 'a', blanks count.
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE categories AS
SELECT i, (ARRAY['', ' ', 'A', 'a', 'a ', 'ä', E'a\u0308', NULL])[i % 8 + 1] AS tx, (ARRAY['sad', 'ok', 'happy']::mood[])[i % 3 + 1] AS m,
       (ARRAY['x', 'y'])[i % 2 + 1]::char(3) AS ch, (ARRAY['p', 'q'])[i % 5 / 4 + 1]::"char" AS c1,
       (ARRAY['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12'])[i % 7 / 5 + 1]::uuid AS u,
       (i * 37 % 101)::float8 AS y
FROM generate_series(1, 400) i;
SELECT model, features FROM ml_train('linear_regression', 'categories', 'y', 'categories', '{tx,m,ch,c1,u}', split => 'none');
SELECT '[' || term || ']' FROM ml_coefficients('categories') ORDER BY term COLLATE "C";

-- Labels come back as they went in, whatever their type: 64-bit integers, long decimals, times.
CREATE FUNCTION label(type text, one text, other text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM ml_train('gbdt', format('SELECT i AS x, CASE WHEN i <= 50 THEN %L ELSE %L END::%s AS y FROM generate_series(1, 100) i', one, other, type),
					 'y', 'labels', '{x}', params => '{"task": "classification"}', split => 'none', deploy => 'always');
	RETURN concat_ws(' ', type, '[' || (SELECT ml_predict_class('labels', q) FROM (SELECT 10 AS x) q) || ']', '[' || (SELECT ml_predict_class('labels', q) FROM (SELECT 90 AS x) q) || ']');
END $$;
SELECT label('text', 'no', 'Yes ');
SELECT label('text', '', ' ');
SELECT label('char(5)', 'ab', 'c');
SELECT label('boolean', 'false', 'true');
SELECT label('mood', 'sad', 'happy');
SELECT label('int8', '9007199254740993', '9007199254740992');
SELECT label('numeric', '0.10', '12345678901234567890.5');
SELECT label('float8', '0.1', '1e300');
SELECT label('float4', '0.1', '1e30');
SELECT label('date', '2000-01-01', '0044-03-15 BC');
SELECT label('timestamptz', '2000-01-01 00:00+02', '2000-01-01 00:00:00.000001+00');
SELECT label('uuid', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12');
SET extra_float_digits = 0;
SET DateStyle = 'German, DMY';
SET TimeZone = 'Asia/Kolkata';
SELECT label('float8', '0.1', '0.30000000000000004');
SELECT label('date', '2000-01-01', '13.01.2001');
SELECT label('timestamptz', '2000-01-01 00:00+02', '2000-01-01 00:00:00.000001+00');
RESET ALL;
SET search_path = read_values, public;

-- NULL and NaN are the same: missing; zero is not.
CREATE TABLE holes AS SELECT i, CASE WHEN i % 3 > 0 THEN i * 0.5::float8 END AS a, (i % 5)::numeric AS b, i * 2.0::float8 AS y FROM generate_series(1, 200) i;
SELECT model FROM ml_train('gbdt', 'holes', 'y', 'with_null', '{a,b}', id => 'i');
SELECT model FROM ml_train('gbdt', 'SELECT i, coalesce(a, ''NaN'') AS a, b, y FROM holes', 'y', 'with_nan', '{a,b}', id => 'i');
SELECT model FROM ml_train('gbdt', 'SELECT i, coalesce(a, ''NaN'')::numeric AS a, b, y FROM holes', 'y', 'with_numeric_nan', '{a,b}', id => 'i');
SELECT model FROM ml_train('gbdt', 'SELECT i, coalesce(a, 0) AS a, b, y FROM holes', 'y', 'with_zero', '{a,b}', id => 'i');
SELECT a.score = b.score AS nan_is_null, a.score = d.score AS numeric_nan_is_null, a.score = c.score AS zero_is_null
FROM ml_versions a, ml_versions b, ml_versions c, ml_versions d
WHERE a.model = 'with_null' AND b.model = 'with_nan' AND c.model = 'with_zero' AND d.model = 'with_numeric_nan';

-- What no number can hold: the column is named.
CREATE TABLE odd (id int, x float8, f float4, n numeric, d date, ts timestamp, tz timestamptz, y float8);
INSERT INTO odd SELECT i, i, i, i, date '2000-01-01' + i, timestamp '2000-01-01' + i * interval '1 h', timestamptz '2000-01-01' + i * interval '1 h', i FROM generate_series(1, 20) i;
CREATE FUNCTION try_with(assignment text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer text;
BEGIN
	EXECUTE 'UPDATE odd SET ' || assignment || ' WHERE id = 7';
	answer := try($q$'odd', 'y', 'odd'$q$);
	RAISE EXCEPTION USING MESSAGE = answer, ERRCODE = 'ZZ000';
EXCEPTION WHEN SQLSTATE 'ZZ000' THEN
	RETURN answer;
END $$;
SELECT a || ': ' || try_with(a) FROM unnest(ARRAY['x = x', 'x = ''infinity''', 'x = ''-infinity''', 'f = ''infinity''', 'n = ''infinity''', 'n = 1e400', 'n = -1e400', 'n = 1e-400',
	'd = ''infinity''', 'ts = ''-infinity''', 'tz = ''infinity''', 'y = ''infinity''', 'x = ''NaN''', 'n = ''NaN''', 'x = 1e308', 'x = 1e-320']) a;
-- In a column that is left out it does no harm, though it takes part in the split.
UPDATE odd SET x = 'infinity', d = 'infinity', n = 1e400 WHERE id = 7;
SELECT rows, features FROM ml_train('linear_regression', 'odd', 'y', 'odd_left_out', exclude => '{x,d,n}');

-- Arrays: one feature for each element.
CREATE TABLE vectors AS
SELECT i AS id, CASE WHEN i > 30 THEN ARRAY[i, i % 7, CASE WHEN i % 9 > 0 THEN i * i % 11 END] END AS v, ARRAY[i * 0.25::float8] AS w, ARRAY[(i % 4)::numeric, 1.5 * (i % 3)] AS n,
       (10 + 2 * i)::float8 AS y
FROM generate_series(1, 200) i;
SELECT features FROM ml_train('linear_regression', 'vectors', 'y', 'vectors', '{v,w,n}');
SELECT feature, source_column, type FROM ml_features('vectors') ORDER BY position;
UPDATE vectors SET v = '{1,2}' WHERE id = 150;
SELECT try($$'vectors', 'y', 'ragged'$$);
SELECT try($$'vectors', 'y', 'ragged', id => 'id'$$);
SELECT features FROM ml_train('linear_regression', 'vectors', 'y', 'ragged_left_out', exclude => '{id,v}');
UPDATE vectors SET v = '{{1,2,3}}' WHERE id = 150;
SELECT try($$'vectors', 'y', 'ragged'$$);
UPDATE vectors SET v = '[0:2]={1,2,3}' WHERE id = 150;
SELECT try($$'vectors', 'y', 'ragged'$$);
UPDATE vectors SET w = '{infinity}', v = NULL WHERE id = 150;
SELECT try($$'vectors', 'y', 'infinite'$$);
UPDATE vectors SET w = NULL, v = '{}';
SELECT features, warnings FROM ml_train('linear_regression', 'vectors', 'y', 'empty_arrays', exclude => '{id}');
SELECT try($$'vectors', 'y', 'none', '{w}'$$);
SELECT try($$'vectors', 'y', 'none', '{v,n}'$$);

-- An id orders the rows, whatever its type; NULL is refused with its row.
CREATE TABLE keyed AS
SELECT i AS k_int, 9007199254740992 + i AS k_big, (i + 0.5)::numeric AS k_numeric, md5(i::text) AS k_text, md5(i::text)::uuid AS k_uuid,
       date '1990-01-01' + i AS k_date, timestamp '2020-01-01' + i * interval '1 us' AS k_ts, i * 0.1::float8 AS k_float, (i * 37) % 64 AS x, i % 10 AS y
FROM generate_series(1, 300) i;
CREATE TABLE keyed_elsewhere AS SELECT * FROM keyed ORDER BY md5(k_int::text);
SELECT count(*) AS trained
FROM information_schema.columns c, unnest(ARRAY['keyed', 'keyed_elsewhere']) source,
     LATERAL ml_train('gbdt', source, 'y', 'by_' || column_name, '{x}', id => column_name, deploy => 'never')
WHERE c.table_schema = 'read_values' AND c.table_name = 'keyed' AND column_name LIKE 'k\_%';
SELECT model, count(*) AS versions, count(DISTINCT checksum) AS images FROM ml_versions WHERE model LIKE 'by\_k\_%' GROUP BY model ORDER BY model COLLATE "C";
UPDATE keyed SET k_int = NULL WHERE k_big = 9007199254740992 + 42;
SELECT regexp_replace(try($$'keyed', 'y', 'null_id', '{x}', id => 'k_int'$$), 'row \d+', 'row N');
UPDATE keyed SET k_text = 'twice' WHERE x = 1;
SELECT try($$'keyed', 'y', 'double_id', '{x}', id => 'k_text'$$);

-- The split hangs on the rows alone: not on the columns that are used, nor on the form in which the target is read.
CREATE TABLE judged AS SELECT i * 37 % 101 AS x, i * 0.1::float8 AS f, 't' || i % 9 AS t, ARRAY[i, -i] AS v, i % 2 = 0 AS b, i % 3 AS y FROM generate_series(1, 300) i;
SELECT count(*) AS trained FROM unnest(ARRAY['x', 'x']) f, ml_train('gbdt', 'judged', 'y', 'judged', ARRAY[f], deploy => 'never');
SELECT version FROM ml_train('gbdt', 'judged', 'y', 'judged', exclude => '{f,t,v,b}', deploy => 'never');
SELECT version FROM ml_train('gbdt', 'judged', 'y', 'judged', '{x}', params => '{"task": "classification"}', deploy => 'never');
SELECT version FROM ml_train('gbdt', 'SELECT y, v, b, t, f, x FROM judged', 'y', 'judged', '{x}', deploy => 'never');
SELECT count(*) AS versions, count(DISTINCT checksum) AS images FROM ml_versions WHERE model = 'judged';
SELECT version FROM ml_train('gbdt', 'judged', 'y', 'judged', '{x}', seed => 43, deploy => 'never');
SELECT count(*) AS versions, count(DISTINCT checksum) AS images FROM ml_versions WHERE model = 'judged';

-- Roles want types.
SELECT try($$'categories', 'y', 'm', weight => 'tx'$$);
SELECT complaint($$SELECT * FROM ml_train('gbdt', 'categories', 'y', 'm', split => 'time', split_by => 'tx')$$);
SELECT complaint($$SELECT * FROM ml_train('gbdt', 'vectors', 'y', 'm', split => 'group', split_by => 'n')$$);
SELECT try($$'vectors', 'y', 'm', id => 'n'$$);

\set VERBOSITY terse
SET client_min_messages = warning;
SELECT count(ml_drop(model)) > 10 AS dropped FROM ml_models WHERE model <> ALL (:'models_before');
DROP SCHEMA read_values CASCADE;
