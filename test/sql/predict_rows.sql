-- Rows of every shape: by name, in any order, with missing values, from tables, views, subselects, JSON and arrays.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mlplat;
RESET client_min_messages;

CREATE TYPE regress_mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN regress_years AS int;
CREATE TABLE guests AS
SELECT i AS id, (20 + i % 50)::regress_years AS age, CASE WHEN i % 7 <> 0 THEN (i % 100)::numeric(18, 6) / 3 END AS spent,
       (ARRAY['Rome', 'Milan', 'naples', ''])[i % 4 + 1] AS city, i % 3 = 0 AS vip, (ARRAY['sad', 'ok', 'happy'])[i % 3 + 1]::regress_mood AS mood,
       date '2020-01-01' + i % 300 AS since, timestamptz '2020-01-01 12:00+00' + i % 97 * interval '1 hour' AS seen,
       ARRAY[i % 5, i % 6, i % 7]::float8[] AS visits,
       CASE WHEN (i % 50 > 25) <> (i % 3 = 0) THEN 'stays' ELSE 'Leaves ' END AS fate
FROM generate_series(1, 600) i;
SELECT model, version, task, rows, features FROM ml_train('gbdt', 'guests', 'fate', model => 'fate', id => 'id', split => 'none', params => '{"num_iterations": 20}');
SELECT "position", feature, source_column, type FROM ml_features('fate');

-- A text label comes back byte by byte; ml_predict() has no number for it.
SELECT ml_predict_class('fate', g) AS class, count(*), count(*) FILTER (WHERE ml_predict_class('fate', g) = fate) > 290 AS good
FROM guests g GROUP BY 1 ORDER BY 1;
SELECT ml_predict('fate', g) FROM guests g LIMIT 1; \echo :SQLSTATE
SELECT ml_predict_proba('fate', g) = ml_predict_proba('fate', g, 'stays') AS positive_is_second,
       abs(ml_predict_proba('fate', g, 'stays') + ml_predict_proba('fate', g, 'Leaves ') - 1) < 1e-15 AS sums_to_one,
       (ml_predict_probs('fate', g) ->> 'stays')::float8 = ml_predict_proba('fate', g, 'stays') AS exact_in_json
FROM guests g LIMIT 1;
SELECT ml_predict_proba('fate', g, 'Leaves') FROM guests g LIMIT 1; \echo :SQLSTATE

-- Order, further columns and dropped columns do not matter.
CREATE TABLE base AS SELECT id, ml_predict_proba('fate', g) AS p FROM guests g;
CREATE VIEW mirrored AS SELECT 'x' AS extra, fate, visits, seen, since, mood, vip, city, spent, age, id FROM guests;
CREATE TABLE grown (junk int, LIKE guests);
ALTER TABLE grown DROP junk;
ALTER TABLE grown ADD later text DEFAULT 'z';
INSERT INTO grown SELECT * FROM guests;
ALTER TABLE grown DROP fate;
CREATE MATERIALIZED VIEW seen_guests AS SELECT * FROM guests;
SELECT bool_and(ml_predict_proba('fate', m) = p) AS view, (SELECT bool_and(ml_predict_proba('fate', m) = p) FROM grown m JOIN base USING (id)) AS grown,
       (SELECT bool_and(ml_predict_proba('fate', m) = p) FROM seen_guests m JOIN base USING (id)) AS matview,
       (SELECT bool_and(ml_predict_proba('fate', s) = p) FROM (SELECT age::bigint, spent, city::varchar(20), vip, mood, since, seen::timestamp AT TIME ZONE current_setting('TimeZone') AS seen, visits, id FROM guests) s JOIN base USING (id)) AS subselect
FROM mirrored m JOIN base USING (id);
CREATE TABLE parted (LIKE guests) PARTITION BY RANGE (id);
CREATE TABLE parted_low PARTITION OF parted FOR VALUES FROM (1) TO (300);
CREATE TABLE parted_high (fate text, visits float8[], seen timestamptz, since date, mood regress_mood, vip bool, city text, spent numeric, age regress_years, id int);
ALTER TABLE parted ATTACH PARTITION parted_high FOR VALUES FROM (300) TO (1000);
INSERT INTO parted SELECT * FROM guests;
SELECT bool_and(ml_predict_proba('fate', m) = p) AS partitioned FROM parted m JOIN base USING (id);

-- Missing: a row of NULLs predicts, a NULL row or model is NULL.
SELECT ml_predict_proba('fate', r) BETWEEN 0 AND 1 AS predicts
FROM (SELECT NULL::int AS age, NULL::float8 AS spent, NULL::text AS city, NULL::bool AS vip, NULL::text AS mood, NULL::date AS since, NULL::timestamptz AS seen, NULL::float8[] AS visits) r;
SELECT ml_predict_proba('fate', NULL::guests), ml_predict_class(NULL, g), ml_predict_json('fate', NULL), ml_predict_proba_json(NULL, '{}') FROM guests g LIMIT 1;
SELECT ml_predict_class('fate', g) IS NULL AS outer_join FROM (VALUES (-1)) v(id) LEFT JOIN guests g USING (id);
-- NaN is missing too; a category that training never saw predicts.
SELECT ml_predict_proba('fate', a) = ml_predict_proba('fate', b) AS nan_is_null
FROM (SELECT age, 'NaN'::float8 AS spent, city, vip, mood, since, seen, visits FROM guests WHERE id = 3) a,
     (SELECT age, NULL::float8 AS spent, city, vip, mood, since, seen, visits FROM guests WHERE id = 3) b;
SELECT ml_predict_proba('fate', a) = ml_predict_proba('fate', b) AS unseen
FROM (SELECT age, spent, 'Paris' AS city, vip, mood, since, seen, visits FROM guests WHERE id = 3) a,
     (SELECT age, spent, repeat('long', 100000) AS city, vip, mood, since, seen, visits FROM guests WHERE id = 3) b;

-- Errors name the model, the version and the column.
SELECT ml_predict_class('fate', s) FROM (SELECT age, spent, city, vip, since, seen, visits FROM guests) s; \echo :SQLSTATE
SELECT ml_predict_class('fate', ROW(1, 2.0, 'Rome')); \echo :SQLSTATE
SELECT ml_predict_class('fate', s) FROM (SELECT age, age, spent, city, vip, mood, since, seen, visits FROM guests) s; \echo :SQLSTATE
SELECT ml_predict_class('fate', s) FROM (SELECT age::text, spent, city, vip, mood, since, seen, visits FROM guests) s; \echo :SQLSTATE
SELECT ml_predict_class('fate', s) FROM (SELECT age, spent, 7 AS city, vip, mood, since, seen, visits FROM guests) s; \echo :SQLSTATE
SELECT ml_predict_class('fate', s) FROM (SELECT age, spent, city, vip, mood, since::timestamp AS since, seen, visits FROM guests) s; \echo :SQLSTATE
SELECT ml_predict_class('fate', s) FROM (SELECT age, spent, city, vip, mood, 7000 AS since, seen, visits FROM guests) s; \echo :SQLSTATE
SELECT ml_predict_class('fate', s) FROM (SELECT since AS age, spent, city, vip, mood, since, seen, visits FROM guests) s; \echo :SQLSTATE
SELECT ml_predict_class('fate', s) FROM (SELECT interval '1 day' AS age, spent, city, vip, mood, since, seen, visits FROM guests) s; \echo :SQLSTATE
SELECT ml_predict_class('fate', s) FROM (SELECT point(1, 2) AS age, spent, city, vip, mood, since, seen, visits FROM guests) s; \echo :SQLSTATE
SELECT ml_predict_class('fate', s) FROM (SELECT age, 'Infinity'::float8 AS spent, city, vip, mood, since, seen, visits FROM guests) s; \echo :SQLSTATE
SELECT ml_predict_class('fate', s) FROM (SELECT age, spent, city, vip, mood, 'infinity'::date AS since, seen, visits FROM guests) s; \echo :SQLSTATE
SELECT ml_predict_class('fate', s) FROM (SELECT age, spent, city, vip, mood, since, seen, ARRAY[1.0, 2] AS visits FROM guests) s; \echo :SQLSTATE
SELECT ml_predict_class('fate', s) FROM (SELECT age, spent, city, vip, mood, since, seen, ARRAY[[1.0, 2, 3]] AS visits FROM guests) s; \echo :SQLSTATE
SELECT ml_predict_class('fate', s) FROM (SELECT age, spent, city, vip, mood, since, seen, '[0:2]={1,2,3}'::float8[] AS visits FROM guests) s; \echo :SQLSTATE
SELECT ml_predict_class('fate', s) FROM (SELECT age, spent, city, vip, mood, since, seen, 1 AS visits FROM guests) s; \echo :SQLSTATE
SELECT ml_predict_class('Fate', g) FROM guests g; \echo :SQLSTATE
SELECT ml_predict_class('fate@2', g) FROM guests g; \echo :SQLSTATE
SELECT ml_predict_class('fate@canary', g) FROM guests g; \echo :SQLSTATE
SELECT ml_predict_class('fate@@', g) FROM guests g; \echo :SQLSTATE
SELECT ml_predict_class('', g) FROM guests g; \echo :SQLSTATE
SELECT ml_predict_class(repeat('x', 200), g) FROM guests g; \echo :SQLSTATE
SELECT ml_predict_class('fate', 1); \echo :SQLSTATE
-- An element may be missing.
SELECT ml_predict_class('fate', s) IS NOT NULL AS element FROM (SELECT age, spent, city, vip, mood, since, seen, '{NULL,1,2}'::int[] AS visits FROM guests LIMIT 1) s;

-- JSON: the same answer as the row.
SELECT bool_and(ml_predict_proba_json('fate', to_jsonb(g)) = p) AS json, bool_and(ml_predict_class_json('fate', to_jsonb(g)) = ml_predict_class('fate', g)) AS class
FROM guests g JOIN base USING (id);
PREPARE untyped AS SELECT ml_predict_class_json($1, $2), ml_predict_proba_json($1, $2, $3);
EXECUTE untyped('fate', '{"age": 21, "spent": null, "city": "Rome", "vip": true, "mood": null, "since": "2020-02-01", "seen": "2020-01-02 00:00+00", "visits": [1, 2, null], "more": {}}', 'nobody'); \echo :SQLSTATE
SELECT ml_predict_class_json('fate', '{"age": 21, "spent": null, "city": "Rome", "vip": true, "mood": null, "since": "2020-02-01", "seen": null, "visits": null}') IS NOT NULL AS nulls;
SELECT ml_predict_class_json('fate', '{"age": 21}'); \echo :SQLSTATE
SELECT ml_predict_class_json('fate', '[1, 2]'); \echo :SQLSTATE
SELECT ml_predict_class_json('fate', to_jsonb(g) || '{"age": "abc"}') FROM guests g; \echo :SQLSTATE
SELECT ml_predict_class_json('fate', to_jsonb(g) || '{"age": "12"}') FROM guests g; \echo :SQLSTATE
SELECT ml_predict_class_json('fate', to_jsonb(g) || '{"age": {}}') FROM guests g; \echo :SQLSTATE
SELECT ml_predict_class_json('fate', to_jsonb(g) || '{"age": 1e400}') FROM guests g; \echo :SQLSTATE
SELECT ml_predict_class_json('fate', to_jsonb(g) || '{"city": 5}') FROM guests g; \echo :SQLSTATE
SELECT ml_predict_class_json('fate', to_jsonb(g) || '{"since": 5}') FROM guests g; \echo :SQLSTATE
SELECT ml_predict_class_json('fate', to_jsonb(g) || '{"since": "soon"}') FROM guests g; \echo :SQLSTATE
SELECT ml_predict_class_json('fate', to_jsonb(g) || '{"visits": [1, 2]}') FROM guests g; \echo :SQLSTATE
SELECT ml_predict_class_json('fate', to_jsonb(g) || '{"visits": [1, [2], 3]}') FROM guests g; \echo :SQLSTATE
SELECT ml_predict_class_json('fate', to_jsonb(g) || '{"visits": "1"}') FROM guests g; \echo :SQLSTATE

-- Arrays, in the order of ml_features().
SELECT version FROM ml_train('linear_regression', 'SELECT id, age, vip, id * 2.0 + age AS y FROM guests', 'y', model => 'line', features => '{id,age,vip}', split => 'none');
SELECT round(ml_predict_array('line', '{10,20,1}')::numeric, 6) AS value, ml_predict_array('line', '{10,NULL,1}') IS NOT NULL AS missing, ml_predict_array('line', NULL);
SELECT ml_predict_array('line', '{1,2}'); \echo :SQLSTATE
SELECT ml_predict_array('line', '{}'); \echo :SQLSTATE
SELECT ml_predict_array('line', '{{1,2,3}}'); \echo :SQLSTATE
SELECT ml_predict_array('line', '[0:2]={1,2,3}'); \echo :SQLSTATE
SELECT ml_predict_array('line', '{1,2,Infinity}'); \echo :SQLSTATE
SELECT ml_predict_array('fate', '{1,2,7,1,0,1,1,1,1,1}'); \echo :SQLSTATE
SELECT ml_predict_array('fate', '{1,2,0.5,1,0,1,1,1,1,1}'); \echo :SQLSTATE

-- Batch: the same figures, ids as text, columns only as needed.
SELECT bool_and(b.probability = base.p) AS batch, bool_and(label = ml_predict_class('fate', g)) AS label, bool_and(prediction IS NULL) AS no_number, min(version), count(*)
FROM ml_predict_batch('fate', 'guests', 'id') b JOIN base ON base.id::text = b.id JOIN guests g ON g.id = base.id;
SELECT id, round(prediction::numeric, 6) AS prediction, label, probability, version FROM ml_predict_batch('line', 'SELECT * FROM guests WHERE id IN (1, 2) ORDER BY id');
SELECT * FROM ml_predict_batch('line', 'SELECT * FROM guests WHERE false');
SELECT * FROM ml_predict_batch('line', 'guests', 'nobody'); \echo :SQLSTATE
SELECT * FROM ml_predict_batch('line', 'SELECT id, vip FROM guests'); \echo :SQLSTATE
SELECT * FROM ml_predict_batch('line', 'nowhere'); \echo :SQLSTATE
SELECT * FROM ml_predict_batch('line', 'WITH d AS (DELETE FROM guests RETURNING *) SELECT * FROM d'); \echo :SQLSTATE
SELECT * FROM ml_predict_batch(NULL, 'guests'); \echo :SQLSTATE
SELECT * FROM ml_predict_batch('line', NULL); \echo :SQLSTATE
SET work_mem = '64kB';
SELECT count(*), count(DISTINCT id) FROM ml_predict_batch('line', 'SELECT g.* FROM guests g, generate_series(1, 50)', 'id');
RESET work_mem;

-- Names of any kind.
CREATE TABLE "My ""T'able" AS SELECT id % 90 AS "Größe ""x"" $1 %s", age AS "a'b\c", id % 90 * 3.0 AS "select" FROM guests;
SELECT model, version FROM ml_train('linear_regression', '"My ""T''able"', 'select', model => 'My "M''odel" %s 🙂', split => 'none');
SELECT bool_and(abs(ml_predict('My "M''odel" %s 🙂', t) - "select") < 1e-9) AS quoted FROM "My ""T'able" t;
SELECT ml_predict('My "M''odel" %s 🙂', t) FROM (SELECT 1 AS x) t; \echo :SQLSTATE
SELECT count(*) FROM ml_predict_batch('My "M''odel" %s 🙂', '"My ""T''able"', 'Größe "x" $1 %s');

-- No function or operator of somebody else is called.
CREATE SCHEMA regress_evil;
CREATE FUNCTION regress_evil.texteq(text, text) RETURNS bool LANGUAGE sql AS $$ SELECT 1 / 0 = 1 $$;
CREATE OPERATOR regress_evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = regress_evil.texteq);
SET search_path = regress_evil, pg_catalog, public;
SELECT count(public.ml_predict_class('fate', g)) AS predictions, (SELECT count(*) FROM public.ml_evaluate('fate', 'public.guests')) AS metrics FROM public.guests g;
SET search_path = '';
SELECT count(public.ml_predict_class('fate', g)) AS predictions, (SELECT count(*) FROM public.ml_evaluate('fate', 'public.guests')) AS metrics FROM public.guests g;
RESET search_path;
SET client_min_messages = warning;
DROP SCHEMA regress_evil CASCADE;
RESET client_min_messages;

-- Settings that change how values look change no prediction.
SET lc_numeric = 'C'; SET extra_float_digits = 0; SET DateStyle = 'SQL, DMY'; SET IntervalStyle = 'iso_8601'; SET bytea_output = 'escape'; SET standard_conforming_strings = off; SET TimeZone = 'Australia/Lord_Howe';
SELECT bool_and(ml_predict_proba('fate', g) = p) AS rows, bool_and(ml_predict_proba_json('fate', to_jsonb(g)) = p) AS json,
       bool_and((ml_predict_probs('fate', g) ->> 'stays')::float8 = p) AS exact FROM guests g JOIN base USING (id);
RESET ALL;

DROP TABLE base, "My ""T'able", parted, grown;
DROP VIEW mirrored;
DROP MATERIALIZED VIEW seen_guests;
SELECT ml_drop('fate'), ml_drop('line'), ml_drop('My "M''odel" %s 🙂');
DROP TABLE guests;
DROP DOMAIN regress_years;
DROP TYPE regress_mood;
