-- ml_predict_batch in FROM is planned with the query around it; its answers are those of the function.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mlplat;
RESET client_min_messages;
\set SHOW_CONTEXT never

CREATE TABLE shop AS
SELECT i AS id, i % 60 AS age, ((i % 90) / 3.0)::numeric(10, 3) AS paid, (ARRAY['a', 'b', 'c'])[i % 3 + 1] AS city,
       ARRAY[i % 4, i % 5] AS visits, i % 60 > 30 AS returns, CASE WHEN i % 60 > 30 THEN 'yes' ELSE 'no' END AS word, sqrt(i) AS value
FROM generate_series(1, 5000) i;
UPDATE shop SET paid = NULL WHERE id % 11 = 0;
ALTER TABLE shop SET (parallel_workers = 2);
ANALYZE shop;
SELECT version FROM ml_train('gbdt', 'shop', 'returns', model => 'flag', features => '{age,paid,city,visits}', params => '{"num_iterations": 10}', split => 'none');
SELECT version FROM ml_train('gbdt', 'shop', 'word', model => 'word', features => '{paid,city,age}', params => '{"num_iterations": 10}', split => 'none');
SELECT version FROM ml_train('linear_regression', 'shop', 'value', model => 'value', features => '{id,age,city}', split => 'none');

-- A plan, with the node where the call was replaced, without it where it stays.
CREATE FUNCTION shape(sql text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || sql LOOP
    RETURN NEXT line;
  END LOOP;
END $$;
SELECT shape('SELECT * FROM ml_predict_batch(''flag'', ''shop'', ''id'')');
SELECT shape('SELECT prediction FROM ml_predict_batch(model => ''flag@'' || 1, source => ''SELECT * FROM shop WHERE age < 5'') AS p WHERE prediction > 0.5');
SELECT shape('SELECT b.id FROM ml_predict_batch(''flag'', ''shop'', ''id'') b JOIN shop ON shop.id::text = b.id WHERE b.id = ''17''');
SELECT shape('SELECT * FROM ml_predict_batch((SELECT ''flag''), ''shop'')');
SELECT shape('SELECT * FROM ml_predict_batch(''flag'', ''shop'') WITH ORDINALITY');
SELECT shape('SELECT * FROM ROWS FROM (ml_predict_batch(''flag'', ''shop''), generate_series(1, 2))');
SELECT shape('SELECT ml_predict_batch(''flag'', ''shop'')');
SELECT shape('SELECT * FROM (VALUES (''shop''), (''shop'')) v(s), ml_predict_batch(''flag'', v.s)');
SELECT shape('SELECT * FROM ml_predict_batch(''flag'', ''SELECT *, random() FROM shop'')');
SELECT shape('SELECT * FROM ml_predict_batch(''unknown'', ''shop'')');
SELECT shape('SELECT * FROM ml_predict_batch(''flag'', ''SELECT age FROM shop'')');
SELECT shape('SELECT * FROM ml_predict_batch(''flag'', ''shop'', ''nobody'')');

-- The same answers: (SELECT ...) keeps the function, which then runs the same plan by itself; something volatile has rows predicted as they come.
CREATE FUNCTION differences(model text, source text, id text) RETURNS TABLE (planned bigint, called bigint, one_by_one bigint, different bigint) LANGUAGE plpgsql AS $$
BEGIN
  RETURN QUERY EXECUTE format('WITH p AS MATERIALIZED (SELECT * FROM ml_predict_batch(%1$L, %2$L, %3$L)), c AS MATERIALIZED (SELECT * FROM ml_predict_batch((SELECT %1$L), %2$L, %3$L)),
    r AS MATERIALIZED (SELECT * FROM ml_predict_batch(%1$L, %4$L, %3$L))
    SELECT (SELECT count(*) FROM p), (SELECT count(*) FROM c), (SELECT count(*) FROM r),
      (SELECT count(*) FROM (TABLE p EXCEPT ALL TABLE c UNION ALL (TABLE c EXCEPT ALL TABLE p) UNION ALL (TABLE p EXCEPT ALL TABLE r) UNION ALL (TABLE r EXCEPT ALL TABLE p)) x)',
    model, source, id, 'SELECT s.*, random() AS chance FROM (' || CASE WHEN source ~ '^SELECT' THEN source ELSE 'TABLE ' || source END || ') s');
END $$;
CREATE VIEW elders AS SELECT id::numeric / 3 AS share, city, age + 1 AS age, id, paid, visits FROM shop WHERE age > 30;
CREATE TABLE parted (LIKE shop) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (3000);
CREATE TABLE parted_2 (value float8, word text, returns bool, visits int[], extra int, city text, paid numeric(10, 3), age int, id int);
ALTER TABLE parted_2 DROP extra;
ALTER TABLE parted ATTACH PARTITION parted_2 FOR VALUES FROM (3000) TO (9000);
INSERT INTO parted SELECT * FROM shop;
CREATE TEMP TABLE passing AS SELECT * FROM shop LIMIT 100;
SELECT m.model, s.source, s.id, d.* FROM (VALUES ('flag'), ('word'), ('value')) m(model),
  (VALUES ('shop', 'id'), ('elders', 'share'), ('parted', 'city'), ('passing', NULL), ('SELECT * FROM shop WHERE false', 'id'), ('SELECT * FROM shop ORDER BY id LIMIT 65', 'age'),
          ('SELECT s.*, n FROM shop s JOIN generate_series(1, 3) n ON s.id % 3 = n', 'n'),
          ('SELECT min(id) AS id, age, avg(paid) AS paid, city, min(visits) AS visits FROM shop GROUP BY age, city', 'paid')) s(source, id),
  differences(m.model, s.source, s.id) d ORDER BY 1, 2;
SELECT id, round(prediction::numeric, 6) AS prediction, label, round(probability::numeric, 6) AS probability, version FROM ml_predict_batch('flag', 'SELECT * FROM shop ORDER BY id LIMIT 3', 'id');
SELECT id, prediction, label, version FROM ml_predict_batch('word', 'SELECT * FROM shop ORDER BY id LIMIT 3', 'id');
SELECT id, round(prediction::numeric, 6) AS prediction, label, probability, version FROM ml_predict_batch('value', 'SELECT * FROM shop ORDER BY id LIMIT 3');

-- The function reads and nothing else, however it is called.
CREATE FUNCTION writes(int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN CREATE TABLE written (); RETURN $1; END $$;
SELECT count(*) FROM ml_predict_batch('value', 'SELECT writes(id) AS id, age, city FROM shop'); \echo :SQLSTATE
SELECT count(*) FROM ml_predict_batch((SELECT 'value'), 'SELECT writes(id) AS id, age, city FROM shop'); \echo :SQLSTATE
-- With ORDINALITY, in a select list, beside another function, with arguments from rows.
SELECT max(ordinality), count(DISTINCT id), min(version) FROM ml_predict_batch('flag', 'shop', 'id') WITH ORDINALITY;
SELECT count(*), count(r) FROM (SELECT ml_predict_batch('flag', 'shop', 'id') AS r) x;
SELECT source, count(*), sum(b.version) FROM (VALUES ('shop'), ('elders'), ('nothing')) v(source), ml_predict_batch('flag', CASE v.source WHEN 'nothing' THEN 'SELECT * FROM shop WHERE false' ELSE v.source END) b GROUP BY 1 ORDER BY 1;

-- The functions that stand for its columns, written by somebody: they answer for a row, whatever stands beside them.
SELECT count(*) FROM (SELECT mlplat._batch_label('flag', 1, NULL), mlplat._batch_prediction(NULL, 1, s) FROM shop s OFFSET 0) q;
SELECT count(a), count(DISTINCT a), bool_and(b = ml_predict_class('flag@1', q.s)) FROM (SELECT s, mlplat._batch_prediction('value', 0, s) AS a, mlplat._batch_label('flag@1', 0, s) AS b FROM (SELECT shop AS s FROM shop OFFSET 0) x OFFSET 0) q;
SELECT bool_and(v = 1) AS versions, sum(p) = (SELECT sum(prediction) FROM ml_predict_batch('value', 'shop')) AS sums
FROM (SELECT mlplat._batch_version('flag', 0, r) AS v, mlplat._batch_prediction('value', 0, r) AS p FROM (SELECT id, age, city, paid, visits FROM shop) r) q;
SELECT count(*) FROM (SELECT mlplat._batch_prediction('value', 0, ROW(id, age, city)) FROM shop) q; \echo :SQLSTATE

-- In parallel, too.
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
SELECT shape('SELECT sum(prediction) FROM ml_predict_batch(''flag'', ''shop'')');
SELECT shape('SELECT * FROM ml_predict_batch(''flag'', ''parted'', ''id'')');
SELECT m.model, s.source, d.* FROM (VALUES ('flag'), ('word'), ('value')) m(model), (VALUES ('shop'), ('elders'), ('parted'), ('passing')) s(source), differences(m.model, s.source, 'id') d ORDER BY 1, 2;
-- What a worker must not do keeps the whole statement out of them.
CREATE FUNCTION careless(int) RETURNS int STABLE LANGUAGE plpgsql AS 'BEGIN RETURN $1; END';
SELECT shape('SELECT count(*) FROM shop, ml_predict_batch(''value'', ''SELECT careless(id) AS id, age, city FROM shop WHERE id < 3'')');
SELECT count(*) FROM shop, ml_predict_batch('value', 'SELECT careless(id) AS id, age, city FROM shop WHERE id < 3');
SET max_parallel_workers_per_gather = 0;

-- Outer references, rescans, outer joins, DML, cursors, prepared statements.
SELECT sum(n) FROM (SELECT (SELECT count(*) FROM ml_predict_batch('flag', 'SELECT * FROM shop WHERE id <= 100', 'id') b WHERE b.id::int <= s.id AND b.label = 'true') AS n FROM shop s WHERE s.id IN (1, 40, 90, 100)) x;
SET enable_material = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
SELECT count(*), count(b.id), count(b.version) FROM shop s LEFT JOIN ml_predict_batch('flag', 'SELECT * FROM shop WHERE id <= 130', 'id') b ON b.id = s.id::text WHERE s.id BETWEEN 120 AND 140;
RESET enable_material; RESET enable_hashjoin; RESET enable_mergejoin;
CREATE TABLE kept (id text PRIMARY KEY, prediction float8, label text, probability float8, version int);
INSERT INTO kept SELECT * FROM ml_predict_batch('flag', 'shop', 'id');
SELECT count(*), bool_and(k.prediction = ml_predict('flag', s) AND k.label = ml_predict_class('flag', s) AND k.probability = ml_predict_proba('flag', s)) AS same FROM kept k JOIN shop s ON s.id::text = k.id;
UPDATE shop s SET value = b.probability FROM ml_predict_batch('flag', 'shop', 'id') b WHERE b.id = s.id::text;
SELECT bool_and(value = probability) AS updated FROM shop s JOIN kept k ON k.id = s.id::text;
DELETE FROM kept WHERE id IN (SELECT id FROM ml_predict_batch('flag', 'shop', 'id') WHERE label = 'true');
SELECT count(*) FROM kept;
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT id FROM ml_predict_batch('flag', 'SELECT * FROM shop ORDER BY id', 'id');
MOVE 100 IN c;
FETCH c;
FETCH BACKWARD 40 FROM c \g /dev/null
FETCH c;
ROLLBACK;
SELECT count(*) FROM (SELECT * FROM ml_predict_batch('flag', 'shop', 'id') LIMIT 70) x;
CREATE VIEW scores AS SELECT * FROM ml_predict_batch('flag', 'shop', 'id');
SELECT count(*), min(version) FROM scores;

-- Others deploy: a plan that is kept is made anew; the statement sees one version in all columns.
PREPARE kept_plan AS SELECT count(*), min(version), max(version), sum(prediction) = (SELECT sum(ml_predict('flag', s)) FROM shop s) AS same FROM ml_predict_batch('flag', 'shop');
SET plan_cache_mode = force_generic_plan;
EXECUTE kept_plan;
SELECT version FROM ml_train('gbdt', 'shop', 'returns', model => 'flag', features => '{city,age}', params => '{"num_iterations": 20}', split => 'none', deploy => 'always');
EXECUTE kept_plan;
BEGIN; SELECT ml_deploy('flag', 1); EXECUTE kept_plan; ROLLBACK;
EXECUTE kept_plan;
ALTER TABLE shop RENAME COLUMN city TO town;
EXECUTE kept_plan; \echo :SQLSTATE
ALTER TABLE shop RENAME COLUMN town TO city;
EXECUTE kept_plan;
PREPARE named(text, text) AS SELECT count(*), min(version) FROM ml_predict_batch($1, $2);
EXECUTE named('flag@1', 'shop');
EXECUTE named('value', 'SELECT * FROM shop WHERE id < 10');
RESET plan_cache_mode;
EXECUTE named('flag', 'shop');

-- Rights: of the model, of the source and its columns, of the row; whoever made the plan.
CREATE ROLE batch_clerk;
CREATE ROLE batch_guest;
GRANT SELECT ON kept, shop TO batch_clerk;
GRANT SELECT (id, age) ON shop TO batch_guest;
ALTER TABLE shop ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON shop TO batch_clerk USING (id <= 10);
CREATE FUNCTION both_roles() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT count(*) FROM ml_predict_batch('flag', 'shop', 'id')); END $$;
SELECT both_roles();
SET ROLE batch_clerk;
SELECT both_roles(); \echo :SQLSTATE
RESET ROLE;
SELECT ml_grant('flag', 'batch_clerk', 'predict'), ml_grant('flag', 'batch_guest', 'predict');
SELECT count(*) FROM scores;
SET ROLE batch_clerk;
SELECT both_roles();
SELECT count(*) FROM ml_predict_batch('flag', 'shop');
SET ROLE batch_guest;
SELECT both_roles(); \echo :SQLSTATE
SELECT count(*) FROM ml_predict_batch('flag', 'SELECT id, age FROM shop'); \echo :SQLSTATE
RESET ROLE;
SELECT both_roles();

-- Models of more columns than a function takes arguments.
DO $$ BEGIN EXECUTE 'CREATE TABLE broad AS SELECT ' || (SELECT string_agg(format('i %% %s AS c%s', n + 10, n), ', ') FROM generate_series(1, 300) n) || ', i % 7 * 1.0 AS y FROM generate_series(1, 200) i'; END $$;
SELECT features FROM ml_train('linear_regression', 'broad', 'y', model => 'broad', split => 'none', params => '{"l2": 1}');
SELECT * FROM differences('broad', 'broad', 'c7');

-- People may call the functions that stand for the columns: what is asked for behind them holds.
CREATE TABLE pairs AS SELECT i % 13 * 1.0 AS f1, i % 5 * 1.0 AS f2, i % 7 * 1.0 AS y FROM generate_series(1, 500) i;
SELECT model FROM ml_train('linear_regression', 'pairs', 'y', model => 'pair');
SELECT version_id FROM mlplat.version JOIN mlplat.model USING (model_id) WHERE name = 'pair' \gset
SELECT count(p) FROM (SELECT mlplat._batch_prediction('pair', :version_id, ROW(f1, f2)) AS p FROM pairs LIMIT 3) s;
SELECT count(p) FROM (SELECT mlplat._batch_prediction('pair', :version_id, ROW(f1, f2)) AS p FROM pairs OFFSET 498) s;

-- Errors are those of the rows.
SELECT count(*) FROM ml_predict_batch('value', 'SELECT id, ''infinity''::float8 AS age, city FROM shop'); \echo :SQLSTATE
SELECT count(*) FROM ml_predict_batch('flag@1', 'SELECT age, city, 1 / (id - 3) AS paid, visits FROM shop'); \echo :SQLSTATE
SELECT * FROM ml_predict_batch('flag', 'SELECT FROM nowhere'); \echo :SQLSTATE

SET client_min_messages = warning;
DROP VIEW scores, elders;
DROP TABLE shop, kept, parted, passing, broad, pairs;
DROP FUNCTION shape(text), differences, careless, both_roles, writes;
SELECT ml_drop('flag'), ml_drop('word'), ml_drop('value'), ml_drop('broad'), ml_drop('pair');
DROP ROLE batch_clerk, batch_guest;
