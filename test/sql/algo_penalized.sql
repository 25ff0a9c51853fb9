-- ridge, lasso and elastic_net through SQL: train, choose, predict, coefficients, statistics, importance, explanations.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mlplat;
RESET client_min_messages;

CREATE TABLE houses AS
SELECT i AS id, 20 + i % 97 AS area, CASE WHEN i % 9 <> 0 THEN (i * 37 % 61)::numeric END AS age, (ARRAY['Rome', 'Milan', 'Turin', NULL])[i % 4 + 1] AS city,
       i * 31 % 7 AS noise1, i * 17 % 13 AS noise2, (i * 7919 % 1000) / 10.0 AS noise3,
       1000.0 * (20 + i % 97) + CASE i % 4 WHEN 0 THEN 50000 WHEN 1 THEN 20000 ELSE 0 END + (i * 7907 % 2000) AS price
FROM generate_series(1, 3000) i;

SELECT model, metric, score > 0.99 AS good FROM ml_train('ridge', 'houses', 'price', model => 'r', exclude => '{id}');
SELECT model, metric, score > 0.99 AS good FROM ml_train('lasso', 'houses', 'price', model => 'l', exclude => '{id}', params => '{"choose": "cv_1se"}');
SELECT model, metric, score > 0.99 AS good FROM ml_train('elastic_net', 'houses', 'price', model => 'e', exclude => '{id}', params => '{"l1_ratio": 0.9, "nfolds": 5}');

-- What matters is found, what does not is left out.
SELECT term, round(estimate / 1000) AS thousands, std_error IS NULL AS no_error FROM ml_coefficients('l') WHERE term <> '(intercept)' ORDER BY term;
SELECT term, round(estimate / 1000) AS thousands, std_error > 0 AS has_error, p_value BETWEEN 0 AND 1 AS has_p FROM ml_coefficients('r') WHERE term LIKE 'city%' OR term = 'area' ORDER BY term;
SELECT statistic FROM ml_model_statistics('r');
SELECT statistic FROM ml_model_statistics('e');
SELECT statistic, round(value::numeric, 3) AS value FROM ml_model_statistics('l') WHERE statistic IN ('rows', 'columns', 'nonzero_coefficients', 'cv_folds', 'r_squared');
SELECT a.value < b.value AND b.value < c.value AS alpha_between FROM ml_model_statistics('l') a, ml_model_statistics('l') b, ml_model_statistics('l') c
WHERE a.statistic = 'alpha_min' AND b.statistic = 'alpha' AND c.statistic = 'alpha_max';

-- Predictions, importance and contributions agree with the coefficients.
SELECT m.model, max(abs(ml_predict(m.model, h) - e.total)) < 1e-6 AS explained
FROM (VALUES ('r'), ('l'), ('e')) m(model), houses h, LATERAL (SELECT sum(contribution) AS total FROM ml_explain(m.model, h)) e WHERE h.id <= 50 GROUP BY m.model ORDER BY m.model;
SELECT feature, importance > 0 AS matters FROM ml_importance('l') ORDER BY 2 DESC, 1;
SELECT ml_predict('l', h) = ml_predict('l@1', h) AS same FROM houses h WHERE id = 5;

-- The whole path is in the history; equal seeds choose equally.
SELECT split, metric, count(*) FROM ml_training_history WHERE model = 'l' AND version = 1 GROUP BY split, metric ORDER BY split, metric;
SELECT version FROM ml_train('lasso', 'houses', 'price', model => 'l', exclude => '{id}', params => '{"choose": "cv_1se"}');
SELECT a.value = b.value AS the_same FROM ml_model_statistics('l@1') a JOIN ml_model_statistics('l@2') b USING (statistic) WHERE statistic = 'cv_mse';

-- Rights and refusals.
SELECT * FROM ml_train('lasso', 'houses', 'city', exclude => '{id}'); \echo :SQLSTATE
SELECT * FROM ml_train('lasso', 'houses', 'price', params => '{"l1_ratio": 0.5}'); \echo :SQLSTATE
SELECT * FROM ml_train('elastic_net', 'houses', 'price', params => '{"l1_ratio": 1.5}'); \echo :SQLSTATE
SELECT * FROM ml_train('ridge', 'houses', 'price', params => '{"cv": 21}'); \echo :SQLSTATE
SELECT * FROM ml_train('lasso', 'houses', 'price', params => '{"choose": "gcv"}'); \echo :SQLSTATE
SELECT model FROM ml_train('gbdt', 'houses', 'price', model => 'g', exclude => '{id}', params => '{"num_iterations": 2}');
SELECT * FROM ml_model_statistics('g'); \echo :SQLSTATE
CREATE ROLE regress_statistician;
SELECT ml_grant('l', 'regress_statistician', 'predict');
SET ROLE regress_statistician;
SELECT * FROM ml_model_statistics('l'); \echo :SQLSTATE
RESET ROLE;

SELECT ml_drop(model) FROM ml_models WHERE model IN ('r', 'l', 'e', 'g');
DROP TABLE houses;
DROP ROLE regress_statistician;
