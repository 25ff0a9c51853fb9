-- gbdt through SQL: its losses, directions, growth and the names that users of other libraries know.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mlplat;

CREATE TABLE claims AS
SELECT i AS id, i % 60 + 18 AS age, (i * 7 % 100) / 10.0::float8 AS power, (ARRAY['a', 'b', 'c'])[i % 3 + 1] AS region,
       (i * 31 % 11 < 2 + (i * 7 % 100) / 50)::int + (i * 13 % 17 < 1)::int AS claims,
       50 + (i * 7 % 100) + (i * 31 % 11) * 10.0::float8 AS amount, (i * 31 % 11) / 11.0::float8 AS share
FROM generate_series(1, 3000) i;

SELECT task, metric FROM ml_train('gbdt', 'claims', 'claims', model => 'claims_poisson', features => '{age,power,region}', params => '{"objective": "poisson", "task": "regression", "num_iterations": 30}');
SELECT model FROM ml_train('gbdt', 'claims', 'amount', model => 'claims_gamma', features => '{age,power,region}', params => '{"objective": "reg:gamma", "num_iterations": 30}');
SELECT model FROM ml_train('gbdt', 'claims', 'amount', model => 'claims_high', features => '{age,power,region}', params => '{"objective": "quantile", "quantile_alpha": 0.9, "num_iterations": 50}', split => 'none');
SELECT model FROM ml_train('gbdt', 'claims', 'share', model => 'claims_share', features => '{age,power,region}', params => '{"objective": "cross_entropy", "num_iterations": 30}');
SELECT min(ml_predict('claims_poisson', c)) > 0 AS counts_are_positive, min(ml_predict('claims_gamma', c)) > 0 AS amounts_are_positive,
       round(avg((amount <= ml_predict('claims_high', c))::int), 1) AS below_the_quantile,
       bool_and(ml_predict('claims_share', c) BETWEEN 0 AND 1) AS shares_are_shares
FROM claims c;
-- Contributions add up to the logarithm of the prediction.
SELECT bool_and(abs(exp(score) / ml_predict('claims_poisson', c) - 1) < 1e-9) AS explained
FROM (SELECT * FROM claims LIMIT 20) c, LATERAL (SELECT sum(contribution) AS score FROM ml_explain('claims_poisson', c)) e;
SELECT model FROM ml_train('gbdt', 'SELECT age, power, claims - 1.0::float8 AS y FROM claims', 'y', model => 'claims_wrong', params => '{"objective": "poisson"}');

-- What must rise with power does.
SELECT model FROM ml_train('gbdt', 'claims', 'amount', model => 'claims_rising', features => '{age,power,region}', params => '{"monotone_constraints": "power:1"}');
SELECT bool_and(p >= before) AS rises FROM (SELECT p, lag(p) OVER (PARTITION BY age ORDER BY power) AS before FROM (
	SELECT age, power, ml_predict('claims_rising', r) AS p FROM (SELECT a AS age, b / 10.0::float8 AS power, 'a'::text AS region FROM generate_series(20, 60, 10) a, generate_series(0, 100) b) r) s) t
WHERE before IS NOT NULL;
SELECT model FROM ml_train('gbdt', 'claims', 'amount', model => 'claims_wrong', features => '{age,region}', params => '{"monotone_constraints": "region:1"}');

-- Symmetric trees: no more conditions than levels, whichever way leads to a leaf.
SELECT model FROM ml_train('gbdt', 'claims', 'amount', model => 'claims_symmetric', features => '{age,power}', params => '{"grow_policy": "SymmetricTree", "depth": 3, "num_iterations": 20}');
SELECT count(*) AS nodes, count(DISTINCT regexp_replace(condition, '<=|>', '')) AS conditions FROM ml_rules('claims_symmetric', 1) WHERE condition IS NOT NULL;
SELECT algorithm FROM ml_train('xgboost', 'claims', 'claims', model => 'claims_symmetric', features => '{age,power,region}', params => '{"grow_policy": "symmetric", "monotone_constraints": "power:1"}');
SELECT model FROM ml_train('gbdt', 'claims', 'amount', model => 'claims_wrong', params => '{"grow_policy": "sideways"}');

-- Columns of a one-hot code share stored ones: the same model as without.
SELECT algorithm FROM ml_train('gbdt', 'claims', 'amount', model => 'claims_bundled', features => '{age,region,claims}', transform => '{"region": ["one_hot"], "claims": ["one_hot"]}', params => '{"num_iterations": 20}');
SELECT algorithm FROM ml_train('gbdt', 'claims', 'amount', model => 'claims_apart', features => '{age,region,claims}', transform => '{"region": ["one_hot"], "claims": ["one_hot"]}', params => '{"num_iterations": 20, "enable_bundle": false}');
SELECT bool_and(ml_predict('claims_bundled', c) = ml_predict('claims_apart', c)) AS the_same, count(DISTINCT ml_predict('claims_bundled', c)) > 5 AS some FROM claims c;

-- The same trees under other names.
SELECT algorithm FROM ml_train('xgboost', 'claims', 'amount', model => 'claims_xgboost', features => '{age,power,region}', params => '{"n_estimators": 20, "eta": 0.2, "max_depth": 4, "reg_lambda": 2, "colsample_bylevel": 0.8, "objective": "reg:squarederror"}');
SELECT algorithm FROM ml_train('lightgbm', 'claims', 'amount', model => 'claims_lightgbm', features => '{age,power,region}', params => '{"num_leaves": 15, "boosting": "goss", "objective": "regression_l2"}');
SELECT name, default_value FROM ml_params('xgboost') WHERE name IN ('learning_rate', 'max_depth', 'reg_lambda', 'grow_policy', 'n_estimators') ORDER BY name;

SELECT count(ml_drop(model)) FROM ml_models WHERE model LIKE 'claims%';
DROP TABLE claims;
