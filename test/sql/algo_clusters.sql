-- Methods without a target: k-means, principal components, singular vectors.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mlplat;
SET mlplat.max_threads = 2;
\set VERBOSITY default
\pset null <null>

-- Three groups of points, a category that says nothing, a label that must not be seen.
CREATE TABLE blob AS
	SELECT i AS id, i % 3 AS kind,
		(ARRAY[0, 10, 0])[i % 3 + 1] + (i * 7919 % 100) / 50.0 AS x,
		(ARRAY[0, 0, 20])[i % 3 + 1] + (i * 104729 % 97) / 48.5 AS y,
		(ARRAY['a', 'b'])[i / 3 % 2 + 1] AS tag
	FROM generate_series(1, 300) i;

-- A target is an error that says what to do; nothing but the features is needed.
SELECT ml_train('kmeans', 'blob', 'kind');
SELECT ml_train('gbdt', 'blob');
SELECT ml_train('kmeans', 'blob', params => '{"task": "regression"}');
SELECT ml_train('kmeans', 'blob', params => '{"task": "clustering", "k": 3}', class_weight => 'balanced');
SELECT ml_train('kmeans', 'blob', split => 'stratified');
SELECT model, version, task, algorithm, rows, features, metric, round(score::numeric, 4) AS score, warnings
	FROM ml_train('kmeans', 'blob', exclude => '{id, kind}', params => '{"k": 3}');

-- Every row counts and none is kept aside.
SELECT task, target, target_type, classes, rows, rows_without_target, rows_train, rows_test, metric FROM ml_versions WHERE model = 'blob';
SELECT task, target, algorithm FROM ml_models WHERE model = 'blob';
SELECT split, metric, round(value::numeric, 4) AS value FROM ml_metrics WHERE model = 'blob' ORDER BY metric;
SELECT metric, round(value::numeric, 4) AS value FROM ml_evaluate('blob');
SELECT metric, round(value::numeric, 4) AS value FROM ml_evaluate('blob', 'SELECT x, y, tag FROM blob WHERE kind < 2');
SELECT class, term, round(estimate::numeric, 2) AS estimate FROM ml_coefficients('blob');

-- Predictions: the number of the cluster, its label, no probabilities.
SELECT kind, count(DISTINCT ml_predict('blob', blob)) AS clusters, count(DISTINCT ml_predict_class('blob', blob)) AS labels FROM blob GROUP BY kind ORDER BY kind;
SELECT pg_typeof(ml_predict('blob', blob)), ml_predict_class('blob', blob) = ml_predict('blob', blob)::int::text AS same FROM blob WHERE id = 1;
SELECT ml_predict_json('blob', '{"x": 10, "y": 1, "tag": "a"}') = ml_predict_array('blob', ARRAY[10, 1, 0]) AS same;
SELECT ml_predict_proba('blob', blob) FROM blob WHERE id = 1;
SELECT ml_predict_probs('blob', blob) FROM blob WHERE id = 1;
SELECT ml_reduce('blob', blob) FROM blob WHERE id = 1;
SELECT * FROM ml_explain('blob', (SELECT blob FROM blob WHERE id = 1));
SELECT * FROM ml_importance('blob');
SELECT * FROM ml_confusion_matrix('blob');
SELECT * FROM ml_roc_curve('blob');
SELECT count(*), count(prediction) AS predictions, count(label) AS labels, count(probability) AS probabilities, count(DISTINCT label) AS clusters
	FROM ml_predict_batch('blob', 'blob', 'id');
SELECT count(*), bool_and(prediction::int::text = label) AS agree FROM (SELECT * FROM ml_predict_batch('blob', 'SELECT * FROM blob', 'id')) s;
SELECT ml_create_function('blob', 'blob');
SELECT count(DISTINCT blob_predict(blob)) FROM blob;

-- A hold-out where one is asked for; evaluation, retraining and deployment know it.
SELECT task, metric, round(score::numeric, 3) AS score FROM ml_train('kmeans', 'blob', model => 'held', exclude => '{id, kind}', params => '{"k": 3}', split => 'random');
SELECT rows_train, rows_test FROM ml_versions WHERE model = 'held';
SELECT count(*) FROM ml_evaluate('held');
SELECT version, metric FROM ml_retrain('held');
SELECT production_version, latest_version FROM ml_models WHERE model = 'held';
SELECT ml_deploy('held', 2, require => '{"silhouette": ">= 0.5"}');
SELECT ml_deploy('blob', 1, require => '{"silhouette": ">= 0.99"}');

-- A number of clusters that fits the rows better wins, one that fits worse does not.
SELECT version, round(score::numeric, 4) AS score FROM ml_train('kmeans', 'blob', model => 'compared', exclude => '{id, kind}', params => '{"k": 2}');
SELECT version, round(score::numeric, 4) AS score FROM ml_train('kmeans', 'blob', model => 'compared', exclude => '{id, kind}', params => '{"k": 3}', deploy => 'if_better');
SELECT version, round(score::numeric, 4) AS score FROM ml_train('kmeans', 'blob', model => 'compared', exclude => '{id, kind}', params => '{"k": 4}', deploy => 'if_better');
SELECT production_version FROM ml_models WHERE model = 'compared';

-- Principal components.
SELECT model, task, algorithm, rows, features, metric, round(score::numeric, 4) AS score
	FROM ml_train('pca', 'blob', model => 'axes', features => '{x, y}', params => '{"n_components": 1}');
SELECT split, metric, round(value::numeric, 4) AS value FROM ml_metrics WHERE model = 'axes' ORDER BY metric;
SELECT class, term, round(estimate::numeric, 4) AS estimate FROM ml_coefficients('axes');
SELECT id, array_length(ml_reduce('axes', blob), 1), round((ml_reduce('axes', blob))[1]::numeric, 4) AS first FROM blob WHERE id < 4 ORDER BY id;
CREATE FUNCTION pg_temp.plan_of(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (VERBOSE, COSTS OFF) ' || query LOOP
		RETURN NEXT regexp_replace(line, '''\d+''::bigint', 'version');
	END LOOP;
END $$;
SELECT pg_temp.plan_of('SELECT ml_reduce(''axes'', blob) FROM blob');
SELECT ml_reduce_json('axes', '{"x": 1, "y": 2}') = ml_reduce_array('axes', ARRAY[1, 2]) AS same;
SELECT count(*), min(array_length(vector, 1)), max(array_length(vector, 1)), min(version) FROM ml_reduce_batch('axes', 'blob', 'id');
SELECT bool_and(vector = ml_reduce('axes', blob)) AS same FROM ml_reduce_batch('axes', 'blob', 'id') b JOIN blob ON blob.id::text = b.id;
SELECT ml_predict('axes', blob) FROM blob WHERE id = 1;
SELECT ml_predict_class('axes', blob) FROM blob WHERE id = 1;
SELECT ml_predict_proba('axes', blob) FROM blob WHERE id = 1;
SELECT * FROM ml_predict_batch('axes', 'blob', 'id');
SELECT * FROM ml_reduce_batch('blob', 'blob', 'id');
SELECT ml_create_function('axes', 'blob');
SELECT ml_train('pca', 'blob', model => 'axes', params => '{"n_components": 9}');
SELECT ml_train('pca', 'blob', model => 'axes', params => '{"n_components": 1.5}');
SELECT task, metric, round(score::numeric, 4) AS score FROM ml_train('truncated_svd', 'blob', model => 'singular', features => '{x, y}', params => '{"n_components": 1}');
SELECT term, round(estimate::numeric, 4) AS estimate FROM ml_coefficients('singular');

-- Queued as well; the estimate of a run; weights.
SELECT ml_train_async('kmeans', 'blob', model => 'queued', features => '{x, y}', params => '{"k": 2}') AS job \gset
SELECT ml_wait(:job);
SELECT count(*) FROM ml_versions WHERE model = 'queued';
SELECT e.* IS NOT NULL AS estimated FROM ml_estimate('kmeans', 'blob', features => '{x, y}') e;
SELECT round(score::numeric, 4) AS score FROM ml_train('kmeans', 'SELECT x, y, 1 + kind AS w FROM blob', model => 'weighted', weight => 'w', params => '{"k": 3}');
SELECT class, round(estimate::numeric, 4) AS share FROM ml_coefficients('weighted') WHERE term = '(share)';
DROP TABLE blob CASCADE;
SELECT count(ml_drop(model)) FROM ml_models WHERE model IN ('blob', 'held', 'axes', 'singular', 'queued', 'weighted', 'compared');

-- Mixtures: memberships are probabilities.
CREATE TABLE blob AS
	SELECT i AS id, k AS kind, k * 4 + (i * 7919 % 100) / 50.0 AS x, k * 2 + (i * 104729 % 97) / 48.5 AS y
	FROM generate_series(1, 200) i, LATERAL (SELECT (i % 5 < 2)::int AS k) s;
SELECT task, metric, round(score::numeric, 4) AS score FROM ml_train('gmm', 'blob', model => 'mix', features => '{x, y}', params => '{"k": 2}');
SELECT split, metric, round(value::numeric, 4) AS value FROM ml_metrics WHERE model = 'mix' ORDER BY metric;
SELECT metric, round(value::numeric, 4) AS value FROM ml_evaluate('mix', 'SELECT x, y FROM blob WHERE id <= 100');
SELECT class, term, round(estimate::numeric, 3) AS estimate FROM ml_coefficients('mix');
SELECT kind, count(*), count(DISTINCT ml_predict('mix', blob)) AS clusters FROM blob GROUP BY kind ORDER BY kind;
SELECT bool_and(abs(ml_predict_proba('mix', blob, '0') + ml_predict_proba('mix', blob, '1') - 1) < 1e-12) AS sum_to_one,
	bool_and(ml_predict_proba('mix', blob) = ml_predict_proba('mix', blob, ml_predict_class('mix', blob))) AS own,
	bool_and((ml_predict_probs('mix', blob) ->> ml_predict_class('mix', blob))::float8 = ml_predict_proba('mix', blob)) AS all_of_them FROM blob;
SELECT ml_predict_proba('mix', blob, '2') FROM blob WHERE id = 1;
SELECT ml_predict_proba('mix', blob, 'noise') FROM blob WHERE id = 1;
SELECT count(*), count(probability), bool_and(probability BETWEEN 0.5 AND 1) AS likely FROM ml_predict_batch('mix', 'blob', 'id');
SELECT ml_train('gmm', 'SELECT 1.5 AS x, i::float8 AS y FROM generate_series(1, 9) i', model => 'few', params => '{"k": 20}');
DROP TABLE blob;
SELECT ml_drop('mix');

-- A model per group: each group has its own clusters, and vectors of its own length.
CREATE TABLE grouped AS
	SELECT i AS id, 'g' || i % 2 AS g, (i % 97) / 10.0 AS x,
		CASE WHEN i % 2 = 0 THEN (i % 97) / 10.0 + (i % 7) / 1000.0 ELSE (i * 31 % 89) / 10.0 END AS y
	FROM generate_series(1, 600) i;
SELECT task, warnings FROM ml_train('pca', 'grouped', model => 'by_group', features => '{x, y}', segment_by => '{g}', params => '{"n_components": 0.8}');
SELECT g, array_length(ml_reduce('by_group', grouped), 1) AS length, count(*) FROM grouped GROUP BY 1, 2 ORDER BY 1;
SELECT bool_and(vector = ml_reduce('by_group', grouped)) AS same, count(*) FROM ml_reduce_batch('by_group', 'grouped', 'id') b JOIN grouped ON grouped.id::text = b.id;
SELECT task, warnings FROM ml_train('gmm', 'grouped', model => 'mixed', features => '{x, y}', segment_by => '{g}', params => '{"k": 2}');
SELECT bool_and(label = ml_predict_class('mixed', grouped) AND probability = ml_predict_proba('mixed', grouped)) AS same
	FROM ml_predict_batch('mixed', 'grouped', 'id') b JOIN grouped ON grouped.id::text = b.id;

-- Dense regions, and rows that belong to none.
SELECT task, metric, warnings FROM ml_train('dbscan', 'grouped', model => 'dense', features => '{x, y}', params => '{"eps": 0.4, "min_samples": 4}', exclude => '{g}');
SELECT ml_predict_class_json('dense', '{"x": 100, "y": 100}'), ml_predict_json('dense', '{"x": 100, "y": 100}');
SELECT ml_predict_proba('dense', grouped) FROM grouped WHERE id = 1;
SELECT warnings FROM ml_train('dbscan', 'grouped', model => 'noise', features => '{x, y}', params => '{"eps": 0.000001}');
SELECT metric, round(value::numeric, 4) AS value FROM ml_metrics WHERE model = 'noise' ORDER BY metric;
SELECT task, warnings FROM ml_train('kmeans', 'grouped', model => 'small', features => '{x, y}', params => '{"k": 3, "algorithm": "minibatch", "batch_size": 50}');
DROP TABLE grouped;
SELECT count(ml_drop(model)) FROM ml_models WHERE model IN ('by_group', 'mixed', 'dense', 'noise', 'small');
