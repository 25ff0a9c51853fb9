-- mlp through SQL: train, history, predict, probabilities, importance, parameters that are lists, refusals.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mlplat;
RESET client_min_messages;

CREATE TABLE net AS
SELECT i AS id, sin(i) AS a, CASE WHEN i % 11 <> 0 THEN cos(i * 1.7) END AS b, (ARRAY['Rome', 'Milan', 'Turin', NULL])[i * 7919 % 4 + 1] AS city,
       sin(i) * 2 + CASE i * 7919 % 4 WHEN 0 THEN 1 WHEN 1 THEN -1 ELSE 0 END AS y,
       CASE WHEN sin(i) > 0.3 THEN 'high' WHEN sin(i) > -0.3 THEN 'middle' ELSE 'low' END AS level
FROM generate_series(1, 2000) i;

SELECT model, task, metric, score > 0.98 AS good FROM ml_train('mlp', 'net', 'y', model => 'n', exclude => '{id,level}', params => '{"hidden_layer_sizes": [32, 16], "max_epochs": 60}');
SELECT model, task, metric, score > 0.97 AS good
FROM ml_train('mlp', 'net', 'level', model => 'c', exclude => '{id,y}', validation => 0.1, params => '{"hidden_layer_sizes": 24, "activation": "tanh", "categories": "embedding", "learning_rate": 0.005, "max_epochs": 80}');

-- Rows alone, in a batch and as json get the same answer; what is missing has one.
SELECT count(*) AS rows, max(abs(ml_predict('n', n) - b.prediction)) = 0 AS same FROM net n JOIN ml_predict_batch('n', 'net', 'id') b ON b.id = n.id::text;
SELECT abs(ml_predict('n', n) - ml_predict_json('n', to_jsonb(n))) = 0 AS same FROM net n WHERE id = 22;
SELECT ml_predict_class('c', n) AS class, abs(p.total - 1) < 1e-12 AS sums_to_one
FROM net n, LATERAL (SELECT sum(value::float8) AS total FROM jsonb_each_text(ml_predict_probs('c', n))) p WHERE id IN (1, 2, 3) ORDER BY id;
SELECT ml_predict('n', x) IS NOT NULL AS known FROM (SELECT NULL::float8 AS a, NULL::float8 AS b, 'Nowhere' AS city) x;

-- A value of each epoch for both parts; stopping early kept the best.
SELECT split, metric, count(*) > 5 AS has_epochs, min(iteration) AS first FROM ml_training_history WHERE model = 'c' GROUP BY split, metric ORDER BY split;
SELECT m.value - h.best < 1e-6 AS kept_the_best
FROM ml_metrics m, (SELECT min(value) AS best FROM ml_training_history WHERE model = 'c' AND split = 'validation') h WHERE m.model = 'c' AND m.split = 'validation' AND m.metric = 'logloss';

-- Threads and instruction sets change nothing.
SET mlplat.threads = 1;
SET mlplat.simd = 'baseline';
SELECT version FROM ml_train('mlp', 'net', 'y', model => 'n', exclude => '{id,level}', params => '{"hidden_layer_sizes": [32, 16], "max_epochs": 60}');
RESET mlplat.threads;
RESET mlplat.simd;
SELECT count(DISTINCT checksum) AS different FROM ml_versions WHERE model = 'n';

SELECT feature, importance > 0 AS enters FROM ml_importance('n', 'weight') ORDER BY feature;
SELECT count(*) AS rows, max(abs(ml_predict('n', n) - e.total)) < 1e-9 AS explained FROM net n, LATERAL (SELECT sum(contribution) AS total FROM ml_explain('n', n)) e WHERE n.id <= 20;
SELECT count(*) AS metrics FROM ml_evaluate('n', 'net');
SELECT name, type, default_value, minimum, maximum FROM ml_params('mlp') WHERE name IN ('hidden_layer_sizes', 'activation', 'learning_rate') ORDER BY name;

-- Starting from an earlier version: all of it, its first layers for another target, and who may.
SELECT model, version, score > 0.98 AS good
FROM ml_train('mlp', 'net', 'y', model => 'n', exclude => '{id,level}', params => '{"hidden_layer_sizes": [32, 16], "max_epochs": 2, "warm_start": "n@1"}');
SELECT model, score > 0.9 AS good
FROM ml_train('mlp', 'net', 'level', model => 't', exclude => '{id,y}', params => '{"hidden_layer_sizes": [32, 8], "warm_start": "n", "transfer_layers": 1, "freeze_layers": 1, "max_epochs": 100, "learning_rate": 0.01}');
SELECT (h.value < 0.1 * f.value) AS begins_where_it_ended
FROM ml_training_history h, ml_training_history f WHERE h.model = 'n' AND h.version = 3 AND h.iteration = 1 AND f.model = 'n' AND f.version = 1 AND f.iteration = 1;
SELECT * FROM ml_train('mlp', 'net', 'y', exclude => '{id,level}', params => '{"hidden_layer_sizes": [32], "warm_start": "n@1"}'); \echo :SQLSTATE
SELECT * FROM ml_train('mlp', 'net', 'y', exclude => '{id,a,level}', params => '{"hidden_layer_sizes": [32, 16], "warm_start": "n@1"}'); \echo :SQLSTATE
SELECT * FROM ml_train('mlp', 'net', 'y', exclude => '{id,level}', params => '{"warm_start": "n@99"}'); \echo :SQLSTATE
SELECT * FROM ml_train('mlp', 'net', 'y', exclude => '{id,level}', params => '{"warm_start": "nobody"}'); \echo :SQLSTATE
SELECT * FROM ml_train('mlp', 'net', 'y', exclude => '{id,level}', params => '{"warm_start": 7}'); \echo :SQLSTATE
SELECT * FROM ml_train('mlp', 'net', 'y', exclude => '{id,level}', params => '{"freeze_layers": 1}'); \echo :SQLSTATE
SELECT model FROM ml_train('linear_regression', 'net', 'y', model => 'line', exclude => '{id,level}');
SELECT * FROM ml_train('mlp', 'net', 'y', exclude => '{id,level}', params => '{"warm_start": "line"}'); \echo :SQLSTATE
CREATE ROLE regress_neuron;
GRANT SELECT ON net TO regress_neuron;
SELECT ml_grant('n', 'regress_neuron', 'predict');
SET ROLE regress_neuron;
SELECT * FROM ml_train('mlp', 'net', 'y', model => 'own', exclude => '{id,level}', params => '{"hidden_layer_sizes": [32, 16], "warm_start": "n@1"}'); \echo :SQLSTATE
RESET ROLE;
SELECT ml_grant('n', 'regress_neuron', 'read');
SET ROLE regress_neuron;
SELECT model, version FROM ml_train('mlp', 'net', 'y', model => 'own', exclude => '{id,level}', params => '{"hidden_layer_sizes": [32, 16], "warm_start": "n@1", "max_epochs": 1}');
SELECT ml_drop('own');
RESET ROLE;

-- Refusals.
SELECT * FROM ml_train('mlp', 'net', 'y', params => '{"hidden_layer_sizes": [32, 0]}'); \echo :SQLSTATE
SELECT * FROM ml_train('mlp', 'net', 'y', params => '{"hidden_layer_sizes": [32, "wide"]}'); \echo :SQLSTATE
SELECT * FROM ml_train('mlp', 'net', 'y', params => '{"hidden_layer_sizes": "wide"}'); \echo :SQLSTATE
SELECT * FROM ml_train('mlp', 'net', 'y', params => '{"learning_rate": [0.1, 0.2]}'); \echo :SQLSTATE
SELECT * FROM ml_train('mlp', 'net', 'y', params => '{"loss": "cross_entropy"}'); \echo :SQLSTATE
SELECT * FROM ml_train('mlp', 'net', 'y', params => '{"loss": "poisson"}'); \echo :SQLSTATE
SELECT * FROM ml_train('mlp', 'net', 'y', params => '{"hidden_layer_sizes": [20000, 20000]}'); \echo :SQLSTATE

SELECT ml_drop(model) FROM ml_models WHERE model IN ('n', 'c', 't', 'line');
DROP TABLE net;
DROP ROLE regress_neuron;
