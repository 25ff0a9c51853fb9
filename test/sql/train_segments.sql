-- One model per group: training, listing, predicting in every form, explaining, retraining, dropping.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mlplat;
RESET client_min_messages;

\pset null -
CREATE SCHEMA segments;
SET search_path = segments, public;
CREATE TABLE sales AS
SELECT i AS id,
	(ARRAY['north', 'south', 'tiny'])[CASE WHEN i % 100 = 0 THEN 3 ELSE 1 + i % 2 END] AS region,
	i / 2 % 3 AS store, i % 7 AS x, (ARRAY['Rome', 'Oslo', 'Bern'])[1 + i / 5 % 3] AS city,
	CASE WHEN i % 2 = 0 THEN 1 ELSE -1 END * (i % 7) + i / 2 % 3 + sin(i) / 10 AS y,
	CASE WHEN i % 7 > 3 AND i % 2 = 0 THEN 'c' WHEN i % 7 > 2 THEN 'b' ELSE 'a' END AS class,
	'2024-01-01'::date + i % 2 AS day, i % 2 = 0 AS even
FROM generate_series(1, 3000) i;
INSERT INTO sales (id, store, x, city, y) SELECT i, 1, i % 7, 'Rome', 1 FROM generate_series(4001, 4050) i;
ANALYZE sales;

SELECT model, version, rows, features, metric, score > 0.9 AS good, warnings
FROM ml_train('linear_regression', 'sales', 'y', model => 'sales', features => ARRAY['x', 'city'], id => 'id',
	segment_by => ARRAY['region', 'store'], segment_min_rows => 30);
SELECT segment, rows, score > 0.99 AS good, error, bytes > 0 AS has_model FROM ml_segments('sales');

-- A dry run counts what the groups need beside it, and complains of what training would.
SELECT a.rows = b.rows AS same_rows, a.features, b.features, b.memory - a.memory >= 30 * a.rows AS more_memory
FROM ml_estimate('linear_regression', 'sales', 'y', '{x,city}') a, ml_estimate('linear_regression', 'sales', 'y', '{x,city}', segment_by => '{region,store}') b;
SELECT * FROM ml_estimate('linear_regression', 'sales', 'y', segment_by => '{regon}'); \echo :SQLSTATE
SELECT * FROM ml_estimate('linear_regression', 'sales', 'y', segment_by => '{region}', segment_min_rows => 1); \echo :SQLSTATE
SELECT * FROM ml_estimate('linear_regression', 'sales', 'y', segment_by => '{region}', segment_min_rows => NULL); \echo :SQLSTATE
SELECT * FROM ml_estimate('linear_regression', 'sales', 'y', segment_by => '{region,y}'); \echo :SQLSTATE
SELECT * FROM ml_estimate('linear_regression', 'sales', 'y', features => '{}'); \echo :SQLSTATE

-- Without segments the same columns say little.
SELECT score < 0.5 AS poor
FROM ml_train('linear_regression', 'sales', 'y', model => 'plain', features => ARRAY['x', 'city'], id => 'id');
SELECT count(*) FROM ml_segments('plain');

-- A segment's model is what training on its rows alone with the same parts gives; where there is none, the model of all rows answers.
SELECT bool_and(abs(ml_predict('sales', s) - y) < 0.3) FROM sales s WHERE region IN ('north', 'south');
SELECT bool_and(ml_predict('sales', s) = ml_predict('plain', s)) FROM sales s WHERE region = 'tiny' OR region IS NULL;

-- Every form of a row finds the same model.
SELECT bool_and(ml_predict('sales', s) = ml_predict_json('sales', to_jsonb(s))) AS json,
	bool_and(ml_predict('sales', s) = ml_predict('sales', ROW(s.*)::sales)) AS "row",
	bool_and(ml_predict('sales', s) = ml_predict('sales', r)) AS subselect
FROM sales s, LATERAL (SELECT s.city, s.region, s.store::bigint, s.x) r;
SELECT count(*), bool_and(prediction = ml_predict('sales', s)) FROM ml_predict_batch('sales', 'sales', 'id') b JOIN sales s ON s.id = b.id::int;
SELECT ml_create_function('sales', 'sales', 'sales_columns', 'columns');
SELECT ml_create_function('sales', 'sales', 'sales_row');
SELECT ml_create_function('sales@1', 'sales', 'sales_pinned', 'columns');
SELECT bool_and(ml_predict('sales', s) = sales_columns(x, city, region, store)) AS columns,
	bool_and(ml_predict('sales', s) = sales_row(s)) AS "row",
	bool_and(ml_predict('sales', s) = sales_pinned(x, city, region, store)) AS pinned
FROM sales s;

-- Judged on other rows, each by its own model; on rows of segments it has never seen by that of all rows.
SELECT value > 0.99 AS good FROM ml_evaluate('sales', 'SELECT * FROM segments.sales WHERE region IN (''north'', ''south'')') WHERE metric = 'r2';
SELECT a.metric, a.value = b.value AS same
FROM ml_evaluate('sales', 'SELECT x, city, y, ''nowhere''::text AS region, id AS store FROM segments.sales') a
	JOIN ml_evaluate('plain', 'segments.sales') b USING (metric) ORDER BY 1;
SELECT * FROM ml_evaluate('sales', 'SELECT x, city, y, region FROM segments.sales');

-- Only the columns that are needed are read, those of the segment among them.
CREATE FUNCTION plan_of(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (VERBOSE, COSTS OFF) ' || query LOOP
		RETURN NEXT regexp_replace(line, '''\d+''::bigint', 'version');
	END LOOP;
END $$;
SELECT plan_of('SELECT ml_predict(''sales'', s) FROM sales s');
SET enable_seqscan = off;
PREPARE one AS SELECT round(ml_predict('sales', s)::numeric, 1) FROM sales s WHERE id = $1;
EXECUTE one(98);
EXECUTE one(99);
DEALLOCATE one;
RESET enable_seqscan;

-- Keys are typed: 2 and 2.0 of JSON are one store, 2.5 is none; rows of another type are refused.
SELECT ml_predict_json('sales', '{"x": 1, "city": "Rome", "region": "north", "store": 2}')
	= ml_predict_json('sales', '{"x": 1, "city": "Rome", "region": "north", "store": 2.0}') AS same;
SELECT ml_predict_json('sales', '{"x": 1, "city": "Rome", "region": "north", "store": 2.5}');
SELECT ml_predict_json('sales', '{"x": 1, "city": "Rome", "region": "north", "store": "2"}');
SELECT ml_predict_json('sales', '{"x": 1, "city": "Rome", "region": "north"}');
SELECT ml_predict_json('sales', '{"x": 1, "city": "Rome", "region": "north", "store": null}')
	= ml_predict_json('sales', '{"x": 1, "city": "Rome", "region": "nowhere", "store": 7}') AS both_by_the_model_of_all_rows;
SELECT ml_predict('sales', r) FROM (SELECT 1 AS x, 'Rome'::text AS city, 'north'::text AS region, '1'::text AS store) r;
SELECT ml_predict('sales', r) FROM (SELECT 1 AS x, 'Rome'::text AS city, 'north'::text AS region) r;
SELECT ml_predict_array('sales', ARRAY[1, 0]);

-- Why: by the model that answered.
SELECT feature, value, round(contribution::numeric, 1) AS contribution FROM ml_explain('sales', (SELECT s FROM sales s WHERE id = 98)) ORDER BY 1;
SELECT feature, value, round(contribution::numeric, 1) AS contribution FROM ml_explain('sales', (SELECT s FROM sales s WHERE id = 99)) ORDER BY 1;

-- Classes: a segment that has seen two of three gives the third none.
SELECT version, task, score > 0.95 AS good, warnings
FROM ml_train('logistic_regression', 'sales', 'class', model => 'class', features => ARRAY['x', 'city', 'even'], segment_by => ARRAY['day', 'even']);
SELECT segment, rows, error, bytes > 0 AS has_model FROM ml_segments('class');
SELECT s.even, ml_predict_class('class', s), ml_predict_proba('class', s, 'c') = 0 AS no_c, (SELECT round(sum(value::numeric), 9) FROM jsonb_each(ml_predict_probs('class', s))) AS total
FROM sales s WHERE id IN (5, 6, 13, 14) ORDER BY id;
SELECT bool_and(ml_predict_class('class', s) = ml_predict_class_json('class', to_jsonb(s)))  FROM sales s WHERE class IS NOT NULL;

SELECT count(*), bool_and(label = ml_predict_class('class', s)), bool_and(probability = (SELECT max(value::float8) FROM jsonb_each(ml_predict_probs('class', s))))
FROM ml_predict_batch('class', 'sales', 'id') b JOIN sales s ON s.id = b.id::int WHERE class IS NOT NULL;

-- A segment with one class cannot be learnt: it is listed with the reason, and the model of all rows answers.
SELECT warnings FROM ml_train('logistic_regression', 'SELECT x, city, store, CASE WHEN store = 0 THEN ''a'' ELSE class END AS class FROM segments.sales',
	'class', model => 'one_class', segment_by => ARRAY['store']);
SELECT * FROM ml_segments('one_class') WHERE error IS NOT NULL;

-- Once more as before, in the session itself, and queued.
SELECT version, rows, warnings FROM ml_retrain('sales', deploy => 'never');
SELECT count(*), bool_and(a.score = b.score AND a.bytes = b.bytes AND a.rows = b.rows) FROM ml_segments('sales@1') a JOIN ml_segments('sales@2') b USING (segment) WHERE a.bytes IS NOT NULL;
SET mlplat.execution = 'foreground';
SET mlplat.threads = 1;
SELECT version FROM ml_retrain('sales', deploy => 'never');
RESET mlplat.execution;
RESET mlplat.threads;
SELECT count(DISTINCT s.image) FROM mlplat.segment s JOIN mlplat.version v USING (version_id) JOIN mlplat.model m USING (model_id)
WHERE m.name = 'sales' AND s.key = ARRAY['north', '1'];
SELECT ml_train_async('linear_regression', 'segments.sales', 'y', model => 'queued', features => ARRAY['x'], segment_by => ARRAY['region']) AS job \gset
SELECT ml_wait(:job);
SELECT segment, rows, bytes > 0 AS has_model FROM ml_segments('queued');

-- A version without segments does not beat one with them on the same rows, but the other way round.
SELECT version, warnings FROM ml_train('linear_regression', 'sales', 'y', model => 'plain', features => ARRAY['x', 'city'], id => 'id',
	segment_by => ARRAY['store', 'region'], deploy => 'if_better');
SELECT production_version FROM ml_models WHERE model = 'plain';
SELECT version, regexp_replace(warnings[3], '[0-9.]+(, and) [0-9.]+', 'x\1 x') AS why FROM ml_retrain('plain', deploy => 'if_better');
SELECT production_version FROM ml_models WHERE model = 'plain';

-- What makes no segments.
SELECT ml_train('linear_regression', 'sales', 'y', segment_by => ARRAY['nothing']);
SELECT ml_train('linear_regression', 'sales', 'y', segment_by => ARRAY['y']);
SELECT ml_train('linear_regression', 'sales', 'y', segment_by => ARRAY['region', 'region']);
SELECT ml_train('linear_regression', 'SELECT y, x, y / 2 AS half FROM segments.sales', 'y', model => 'm', segment_by => ARRAY['half']);
SELECT ml_train('linear_regression', 'sales', 'y', segment_by => ARRAY['region'], segment_min_rows => 1);
SELECT ml_train('linear_regression', 'sales', 'y', segment_by => ARRAY['region'], segment_min_rows => NULL);

-- Rights: who may predict sees no segments.
CREATE ROLE segment_reader;
GRANT USAGE ON SCHEMA segments TO segment_reader;
GRANT SELECT ON sales TO segment_reader;
SELECT ml_grant('sales', 'segment_reader', 'predict');
SET ROLE segment_reader;
SELECT round(ml_predict('sales', s)::numeric, 1) FROM sales s WHERE id = 98;
SELECT count(*) FROM ml_segments('sales');
SELECT count(*) FROM mlplat.segment;
RESET ROLE;
SELECT * FROM ml_segments(NULL);

-- A damaged image is found, that of another segment too; the others still answer.
UPDATE mlplat.segment s SET image = o.image FROM mlplat.segment o
WHERE s.version_id = o.version_id AND s.key = ARRAY['north', '1'] AND o.key = ARRAY['north', '2'];
\c -
SET search_path = segments, public;
SELECT ml_predict('sales', s) FROM sales s WHERE region = 'north' AND store = 1 LIMIT 1;
SELECT round(ml_predict('sales', s)::numeric, 1) FROM sales s WHERE id = 96;

-- They go with their version.
SELECT count(*) FROM mlplat.segment s JOIN mlplat.version v USING (version_id) JOIN mlplat.model m USING (model_id) WHERE m.name = 'sales' AND v.version = 2;
SELECT ml_drop('sales', 2);
SELECT ml_drop('class');
SELECT ml_drop('plain');
SELECT ml_drop('queued');
SELECT ml_drop('one_class');
DROP FUNCTION sales_pinned, sales_columns, sales_row;
SELECT ml_drop('sales');
SELECT count(*) FROM mlplat.segment s WHERE NOT EXISTS (SELECT FROM mlplat.version v WHERE v.version_id = s.version_id);
DROP SCHEMA segments CASCADE;
DROP ROLE segment_reader;
