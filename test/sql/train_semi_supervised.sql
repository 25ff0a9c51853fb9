-- Rows whose target is NULL as unlabelled ones: self-training and label spreading, with any method of classification.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mlplat;
RESET client_min_messages;
\pset null -
CREATE SCHEMA semi;
SET search_path = semi, public;

-- Handwritten digits: a third judges, of the rest every tenth has a label.
CREATE TABLE few AS
SELECT id, pixels, CASE WHEN id % 3 = 0 THEN 'test' ELSE 'train' END AS part, CASE WHEN id % 3 = 0 OR id % 10 = 4 THEN digit END AS digit
FROM (SELECT row_number() OVER () AS id, * FROM public.digits) d;
ANALYZE few;
SELECT part, count(*), count(digit) AS labelled FROM few GROUP BY part ORDER BY part;

-- Better on the rows held out than without them; judged on the same rows.
CREATE FUNCTION score(algorithm text, how jsonb) RETURNS float8 LANGUAGE sql AS $$
SELECT score FROM ml_train(algorithm, 'semi.few', 'digit', model => 'd_' || algorithm || coalesce('_' || (how ->> 'semi_supervised'), ''), params => how,
	id => 'id', split => 'column', split_by => 'part') $$;
SET mlplat.progress = off;
SELECT a, score(a, '{"semi_supervised": "label_spreading"}') > score(a, '{}') + 0.03 AS better
FROM unnest(ARRAY['knn', 'random_forest', 'gbdt', 'linear_svm']) a;
SELECT a, score(a, '{"semi_supervised": "self_training"}') > score(a, '{}') + 0.01 AS better
FROM unnest(ARRAY['knn', 'logistic_regression', 'mlp']) a;
SELECT model, rows, rows_without_target, rows_train, rows_test FROM ml_versions WHERE model IN ('d_knn', 'd_knn_label_spreading') AND version = 1 ORDER BY model;

-- An ordinary model, which says of itself how many rows it learnt from.
SELECT metric, value FROM ml_metrics WHERE model = 'd_knn_label_spreading' AND split = 'train' AND metric ~ 'labelled|iter' ORDER BY metric;
SELECT metric, value FROM ml_metrics WHERE model = 'd_knn' AND version = 1 AND metric ~ 'labelled|iter';
SELECT value > 0 AND value = lead AS last_stands FROM (
	SELECT iteration, value, (SELECT value FROM ml_metrics WHERE model = 'd_knn_self_training' AND metric = 'pseudo_labelled_rows') AS lead
	FROM ml_training_history WHERE model = 'd_knn_self_training' AND metric = 'pseudo_labelled_rows' ORDER BY iteration DESC LIMIT 1) h;
SELECT count(*) FROM ml_evaluate('d_knn_label_spreading') WHERE metric ~ 'labelled';
SELECT avg((ml_predict_class('d_knn_label_spreading', f)::int = d.digit)::int) > 0.85 AS right
FROM (SELECT row_number() OVER () AS id, digit FROM public.digits) d JOIN few f USING (id);
SELECT count(*), bool_and(b.label = ml_predict_class('d_knn_label_spreading', f)) AS same
FROM ml_predict_batch('d_knn_label_spreading', 'semi.few', 'id') b JOIN few f ON f.id = b.id::bigint;
SELECT value > 0.85 AS good FROM ml_evaluate('d_knn_label_spreading', 'SELECT pixels, digit FROM semi.few WHERE digit IS NOT NULL') WHERE metric = 'accuracy';

-- Rows of numbers, a category and labels in text; most rows have none.
CREATE TABLE visits AS
SELECT i AS id, r.x + CASE WHEN i % 2 = 0 THEN 0.9 ELSE 0 END AS x, r.z, (ARRAY['Rome', 'Oslo', 'Bern'])[1 + (i * 7 % 11) % 3] AS city, i / 2 % 4 AS store,
	CASE WHEN i % 6 < 2 THEN CASE WHEN i % 2 = 0 THEN 'yes' ELSE 'no' END END AS bought, 1 + i % 3 AS weight,
	'2024-01-01'::date + i / 10 AS day, CASE WHEN i % 2 = 0 THEN 1.5 ELSE 0.5 END + r.z AS amount
FROM generate_series(1, 3000) i, LATERAL (SELECT abs(hashint4(i)) % 1000 / 1000.0::float8 AS x, abs(hashint4(i + 100000)) % 1000 / 1000.0::float8 AS z) r;
ANALYZE visits;
CREATE VIEW visits_seen AS SELECT * FROM visits;

-- The same model however the rows are read (bins while reading, or not) and by any number of threads.
SELECT count(*) AS trained
FROM unnest(ARRAY['gbdt', 'lightgbm', 'logistic_regression', 'random_forest']) a, unnest(ARRAY['self_training', 'label_spreading']) s,
	unnest(ARRAY['1', '2']) threads, unnest(ARRAY['visits', 'visits_seen']) source,
	LATERAL (SELECT set_config('mlplat.threads', threads, false) AS set OFFSET 0) t,
	LATERAL ml_train(a, 'semi.' || source, 'bought', model => 'v_' || a || '_' || s, id => CASE WHEN t.set <> '' THEN 'id' END, features => ARRAY['x', 'z', 'city'],
		params => jsonb_build_object('semi_supervised', s), deploy => 'never') r;
RESET mlplat.threads;
SELECT model, count(*), count(DISTINCT checksum) AS different, min(rows) AS rows FROM ml_versions WHERE model LIKE 'v\_%' GROUP BY model ORDER BY model;

-- Weights, class weights, steps before the method; target encoding knows labelled rows only.
SELECT rows, score > 0.8 AS good, warnings
FROM ml_train('logistic_regression', 'visits', 'bought', model => 'w', id => 'id', weight => 'weight', class_weight => 'balanced', features => ARRAY['x', 'z', 'city'],
	params => '{"semi_supervised": "self_training", "self_training_criterion": "k_best", "self_training_k_best": 300, "self_training_max_iter": 4}',
	transform => '{"city": ["target_encode"], "x": ["log1p", "standard"]}', validation => 0.1);
SELECT metric, value FROM ml_metrics WHERE model = 'w' AND split = 'train' AND metric ~ 'labelled|iter' ORDER BY metric;
SELECT iteration, value FROM ml_training_history WHERE model = 'w' AND metric = 'pseudo_labelled_rows' ORDER BY iteration;

-- Sparse columns: words of a text and one-hot cities; and a network that goes on from an earlier one.
SELECT a, s, r.rows, r.score > 0.8 AS good
FROM unnest(ARRAY['gbdt', 'logistic_regression', 'naive_bayes']) a, unnest(ARRAY['self_training', 'label_spreading']) s,
	LATERAL ml_train(a, 'SELECT id, city, CASE WHEN x > 0.9 THEN ''often here'' ELSE ''rare guest'' END || '' '' || store AS note, bought FROM semi.visits', 'bought',
		model => 'sparse_' || a, id => 'id', params => jsonb_build_object('semi_supervised', s),
		transform => '{"city": ["one_hot"], "note": {"tfidf": {"config": "simple", "max_features": 20}}}') r;
SELECT rows, score > 0.8 AS good FROM ml_train('mlp', 'visits', 'bought', model => 'net', id => 'id', features => ARRAY['x', 'z'], params => '{"epochs": 5}');
SELECT rows, score > 0.8 AS good FROM ml_train('mlp', 'visits', 'bought', model => 'net', id => 'id', features => ARRAY['x', 'z'],
	params => '{"epochs": 2, "warm_start": "net@1", "semi_supervised": "self_training"}');

-- What is held out stays held out: a day, a group, and what a column says.
SELECT rows, warnings FROM ml_train('gbdt', 'visits', 'bought', model => 'by_time', split => 'time', split_by => 'day', features => ARRAY['x', 'z'], params => '{"semi_supervised": "self_training"}');
SELECT rows, warnings FROM ml_train('gbdt', 'SELECT *, id % 20 AS person FROM semi.visits', 'bought', model => 'by_group', split => 'group', split_by => 'person', features => ARRAY['x', 'z'],
	params => '{"semi_supervised": "self_training"}');
SELECT rows, warnings FROM ml_train('gbdt', 'SELECT x, z, bought, CASE WHEN id % 5 = 0 THEN ''test'' ELSE ''train'' END AS part FROM semi.visits', 'bought', model => 'by_column',
	split => 'column', split_by => 'part', params => '{"semi_supervised": "self_training"}');
SELECT rows, warnings FROM ml_train('gbdt', 'visits', 'bought', model => 'all', split => 'none', features => ARRAY['x', 'z'], params => '{"semi_supervised": "self_training"}');

-- One model per group, each with its own rows.
SELECT rows, score > 0.8 AS good, warnings
FROM ml_train('logistic_regression', 'visits', 'bought', model => 'stores', id => 'id', features => ARRAY['x', 'z', 'city'], segment_by => ARRAY['store'],
	params => '{"semi_supervised": "label_spreading"}');
SELECT segment, rows, error FROM ml_segments('stores');
SELECT bool_and(ml_predict_proba('stores', v) BETWEEN 0 AND 1) FROM visits v;

-- Once more as before; a new version against the one in production; queued.
UPDATE visits SET bought = CASE WHEN x + z > 1.2 THEN 'yes' ELSE 'no' END WHERE id % 6 = 2;
SELECT version, rows FROM ml_retrain('stores', deploy => 'always');
SELECT version FROM ml_train('naive_bayes', 'visits', 'bought', model => 'duel', id => 'id', features => ARRAY['z'], params => '{"semi_supervised": "self_training"}');
SELECT version, rows, warnings FROM ml_train('gbdt', 'visits', 'bought', model => 'duel', id => 'id', features => ARRAY['x', 'z'],
	params => '{"semi_supervised": "label_spreading"}', deploy => 'if_better');
SELECT production_version FROM ml_models WHERE model = 'duel';
SELECT ml_train_async('knn', 'semi.visits', 'bought', model => 'later', features => ARRAY['x', 'z'], params => '{"semi_supervised": "label_spreading"}') AS job \gset
SELECT ml_wait(:job);
SELECT value FROM ml_metrics WHERE model = 'later' AND metric = 'unlabelled_rows';

-- It costs memory, which is announced.
SELECT b.memory > a.memory AND c.memory > b.memory AS more
FROM ml_estimate('gbdt', 'visits', 'bought') a, ml_estimate('gbdt', 'visits', 'bought', params => '{"semi_supervised": "self_training"}') b,
	ml_estimate('gbdt', 'visits', 'bought', params => '{"semi_supervised": "label_spreading", "label_spreading_kernel": "rbf"}') c;
SET mlplat.max_training_memory = '64MB';
\set VERBOSITY sqlstate
SELECT * FROM ml_train('gbdt', 'visits', 'bought', params => '{"semi_supervised": "label_spreading", "label_spreading_kernel": "rbf"}');
\set VERBOSITY default
RESET mlplat.max_training_memory;

-- Nothing to do, and nothing that can be done.
SELECT rows, warnings FROM ml_train('knn', 'SELECT * FROM semi.visits WHERE bought IS NOT NULL', 'bought', model => 'nothing', features => ARRAY['x', 'z'],
	params => '{"semi_supervised": "label_spreading"}');
SELECT * FROM ml_train('knn', 'SELECT x, z, NULL::text AS bought FROM semi.visits', 'bought', model => 'odd', params => '{"semi_supervised": "self_training"}');
SELECT * FROM ml_train('knn', 'SELECT x, z, nullif(bought, ''no'') AS bought FROM semi.visits', 'bought', model => 'odd', params => '{"semi_supervised": "self_training"}');
SELECT * FROM ml_train('gbdt', 'visits', 'amount', params => '{"semi_supervised": "self_training"}');
SELECT * FROM ml_train('gbdt', 'visits', 'bought', params => '{"semi_supervised": "self_training", "task": "regression"}');
SELECT * FROM ml_train('ridge', 'visits', 'amount', params => '{"semi_supervised": "self_training"}');
SELECT * FROM ml_train('kmeans', 'visits', params => '{"semi_supervised": "self_training"}');
SELECT * FROM ml_train('gbdt', 'visits', 'bought', params => '{"semi_supervised": "yes"}');
SELECT * FROM ml_train('gbdt', 'visits', 'bought', params => '{"self_training_threshold": 0.9}');
SELECT * FROM ml_train('gbdt', 'visits', 'bought', params => '{"semi_supervised": "self_training", "self_training_threshold": 1}');
SELECT * FROM ml_train('gbdt', 'visits', 'bought', params => '{"semi_supervised": "self_training", "self_training_k_best": 5}');
SELECT * FROM ml_train('gbdt', 'visits', 'bought', params => '{"semi_supervised": "label_spreading", "label_spreading_gamma": 5}');
SELECT * FROM ml_train('knn', 'visits', 'bought', params => '{"semi_supervized": "self_training"}');
SELECT * FROM ml_train('knn', 'SELECT i AS x, CASE WHEN i < 100 THEN i % 2 END AS y FROM generate_series(1, 20000) i', 'y', model => 'odd', features => ARRAY['x'],
	params => '{"semi_supervised": "label_spreading", "label_spreading_kernel": "rbf"}');

-- What there is to set.
SELECT name, type, default_value, minimum, maximum FROM ml_params('naive_bayes') WHERE name ~ '^(semi|self|label)';
SELECT algorithm FROM ml_algorithms() a WHERE ('classification' = ANY (tasks)) <> EXISTS (SELECT FROM ml_params(a.algorithm) WHERE name = 'semi_supervised');

SET client_min_messages = warning;
DROP SCHEMA semi CASCADE;
