-- Contributions of features: they add up to the score, for every algorithm, task and shape of row.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mlplat;
RESET client_min_messages;

CREATE TABLE flats AS
SELECT i AS id, 20 + i % 90 AS area, CASE WHEN i % 9 <> 0 THEN (i * 37 % 60)::numeric END AS age, (ARRAY['Rome', 'Milan', 'Turin', NULL])[i % 4 + 1] AS city,
       i % 3 = 0 AS lift, date '2020-01-01' + i % 300 AS sold, ARRAY[i % 5, i % 7]::float8[] AS rooms,
       1000 * (20 + i % 90) + CASE i % 4 WHEN 0 THEN 50000 WHEN 1 THEN 20000 ELSE 0 END + (i % 5) * 3000 AS price,
       (i % 90) + (i % 4) * 10 > 60 AS dear, (ARRAY['low', 'mid', 'high'])[((i % 90) + (i % 4) * 10) / 41 + 1] AS class
FROM generate_series(1, 800) i;
SELECT model FROM ml_train('gbdt', 'flats', 'price', model => 'price', exclude => '{id,dear,class}', split => 'none', params => '{"num_iterations": 30}');
SELECT model FROM ml_train('gbdt', 'flats', 'dear', model => 'dear', exclude => '{id,price,class}', split => 'none', params => '{"num_iterations": 30}');
SELECT model FROM ml_train('gbdt', 'flats', 'class', model => 'class', exclude => '{id,price,dear}', split => 'none', params => '{"num_iterations": 10}');
SELECT model FROM ml_train('gbdt', 'flats', 'dear', model => 'dear_softmax', exclude => '{id,price,class}', split => 'none',
	params => '{"num_iterations": 10, "objective": "softmax"}');
SELECT model FROM ml_train('linear_regression', 'flats', 'price', model => 'price_linear', exclude => '{id,dear,class}', split => 'none');
SELECT model FROM ml_train('logistic_regression', 'flats', 'dear', model => 'dear_logistic', exclude => '{id,price,class}', split => 'none');
SELECT model FROM ml_train('logistic_regression', 'flats', 'class', model => 'class_logistic', exclude => '{id,price,dear}', split => 'none');

-- One row: the baseline first, then the greatest effects; values as they are in the row.
SELECT row_number() OVER () AS nr, feature, value FROM ml_explain('price', (SELECT f FROM flats f WHERE id = 4)) WHERE feature IN ('(baseline)', 'area', 'sold', 'lift', 'rooms[2]');
SELECT count(*) AS rows, count(DISTINCT feature) AS features, count(*) FILTER (WHERE feature = '(baseline)') AS baselines,
       bool_and(abs(contribution) <= before OR before IS NULL) AS ordered
FROM (SELECT *, lag(abs(contribution)) OVER () AS before FROM ml_explain('price', (SELECT f FROM flats f WHERE id = 4)) WITH ORDINALITY WHERE feature <> '(baseline)') s;
SELECT value IS NULL AS missing, abs(contribution) < 1e5 AS has_contribution FROM ml_explain('price', (SELECT f FROM flats f WHERE id = 9)) WHERE feature = 'age';

-- Contributions and baseline add up to the score of each row.
SELECT max(abs(total - ml_predict('price', f)) / 1e5) < 1e-10 AS gbdt, max(abs(total_linear - ml_predict('price_linear', f)) / 1e5) < 1e-10 AS linear
FROM flats f, LATERAL (SELECT sum(contribution) AS total FROM ml_explain('price', f)) a, LATERAL (SELECT sum(contribution) AS total_linear FROM ml_explain('price_linear', f)) b;
SELECT max(abs(1 / (1 + exp(-a)) - ml_predict_proba('dear', f))) < 1e-10 AS gbdt, max(abs(1 / (1 + exp(-b)) - ml_predict_proba('dear_softmax', f))) < 1e-10 AS softmax,
       max(abs(1 / (1 + exp(-greatest(c, -600))) - ml_predict_proba('dear_logistic', f))) < 1e-10 AS logistic
FROM flats f, LATERAL (SELECT sum(contribution) AS a FROM ml_explain('dear', f)) a, LATERAL (SELECT sum(contribution) AS b FROM ml_explain('dear_softmax', f)) b,
	LATERAL (SELECT sum(contribution) AS c FROM ml_explain('dear_logistic', f)) c;

-- The baseline is the same for all rows, and the mean of the scores of the training rows.
SELECT count(DISTINCT baseline) AS baselines, abs(avg(total) / avg(baseline) - 1) < 1e-9 AS is_mean
FROM flats f, LATERAL (SELECT sum(contribution) AS total, min(contribution) FILTER (WHERE feature = '(baseline)') AS baseline FROM ml_explain('price', f)) e;
SELECT count(DISTINCT baseline) AS baselines, abs(avg(total) / avg(baseline) - 1) < 1e-9 AS is_mean
FROM flats f, LATERAL (SELECT sum(contribution) AS total, min(contribution) FILTER (WHERE feature = '(baseline)') AS baseline FROM ml_explain('price_linear', f)) e;

-- A linear model: coefficient times distance from the mean; a missing number is at the mean; a category counts as one.
SELECT abs(e.contribution - c.estimate * (f.area - (SELECT avg(area) FROM flats))) < 1e-6 AS area
FROM flats f, LATERAL ml_explain('price_linear', f) e, ml_coefficients('price_linear') c WHERE f.id = 77 AND e.feature = 'area' AND c.term = 'area';
SELECT feature, value, contribution = 0 AS none FROM flats f, LATERAL ml_explain('price_linear', f) e WHERE f.id = 9 AND feature = 'age';
SELECT count(*) AS one_row FROM flats f, LATERAL ml_explain('price_linear', f) e WHERE f.id = 9 AND feature LIKE 'city%';
SELECT abs(a.contribution - b.contribution - 30000) < 1000 AS difference_of_cities
FROM ml_explain('price_linear', (SELECT f FROM flats f WHERE id = 4)) a, ml_explain('price_linear', (SELECT f FROM flats f WHERE id = 5)) b
WHERE a.feature = 'city' AND b.feature = 'city';

-- Several classes: the score of the predicted one.
SELECT count(*) AS rows, count(contribution) AS contributions FROM ml_explain('class', (SELECT f FROM flats f WHERE id = 4));
SELECT count(*) AS rows, bool_and(contribution = contribution) AS numbers FROM ml_explain('class_logistic', (SELECT f FROM flats f WHERE id = 4));

-- top: the rest is summed.
SELECT feature, value IS NULL AS no_value FROM ml_explain('price', (SELECT f FROM flats f WHERE id = 4), 1) WHERE feature LIKE '(%';
SELECT count(*) AS rows, abs(sum(contribution) - ml_predict('price', f)) < 1e-5 AS adds_up
FROM flats f, generate_series(0, 8) top, LATERAL ml_explain('price', f, top) WHERE f.id = 4 GROUP BY top, f ORDER BY top;
SELECT * FROM ml_explain('price', (SELECT f FROM flats f WHERE id = 4), -1); \echo :SQLSTATE

-- Categories that training never saw, rows of NULLs, NULL rows and models, the select list.
SELECT feature, value FROM ml_explain('price', (SELECT s FROM (SELECT 50 AS area, 1 AS age, 'Paris' AS city, true AS lift, date '2020-02-02' AS sold, '{1,2}'::float8[] AS rooms) s)) WHERE feature = 'city';
SELECT count(*) AS rows, count(value) AS vals FROM ml_explain('price', (SELECT s FROM (SELECT NULL::int AS area, NULL::int AS age, NULL::text AS city, NULL::boolean AS lift, NULL::date AS sold, NULL::float8[] AS rooms) s));
SELECT count(*) FROM ml_explain('price', NULL::flats);
SELECT count(*) FROM ml_explain(NULL, (SELECT f FROM flats f WHERE id = 4));
SELECT count(*) AS rows, count(DISTINCT id) AS ids FROM (SELECT id, (ml_explain('price', f)).* FROM flats f WHERE id <= 10) s;

-- What cannot be explained says why.
SELECT * FROM ml_explain('nothing', (SELECT f FROM flats f WHERE id = 4)); \echo :SQLSTATE
SELECT * FROM ml_explain('price', ROW(1, 2)); \echo :SQLSTATE
SELECT * FROM ml_explain('price', (SELECT s FROM (SELECT 1 AS area) s)); \echo :SQLSTATE

-- The next version is explained as soon as it is deployed; also where the cache holds nothing.
CREATE TABLE first_version AS SELECT * FROM ml_explain('price', (SELECT f FROM flats f WHERE id = 4));
SELECT version FROM ml_train('gbdt', 'flats', 'price', model => 'price', exclude => '{id,dear,class}', split => 'none', params => '{"num_iterations": 3}', deploy => 'always');
SELECT bool_or(e.contribution <> v.contribution) AS another FROM first_version v JOIN ml_explain('price', (SELECT f FROM flats f WHERE id = 4)) e USING (feature);
SELECT bool_and(e.contribution = v.contribution) AS the_same FROM first_version v JOIN ml_explain('price@1', (SELECT f FROM flats f WHERE id = 4)) e USING (feature);
SET mlplat.model_cache_size = 0;
SELECT bool_and(e.contribution = v.contribution) AS the_same FROM first_version v JOIN ml_explain('price@1', (SELECT f FROM flats f WHERE id = 4)) e USING (feature);
RESET mlplat.model_cache_size;
SET mlplat.simd = 'baseline';
SELECT bool_and(e.contribution = v.contribution) AS the_same FROM first_version v JOIN ml_explain('price@1', (SELECT f FROM flats f WHERE id = 4)) e USING (feature);
RESET mlplat.simd;

-- Whoever may predict only is not told how the model works.
CREATE ROLE regress_explainer;
GRANT SELECT ON flats TO regress_explainer;
SELECT ml_grant('price', 'regress_explainer', 'predict');
SET ROLE regress_explainer;
SELECT ml_predict('price', f) > 0 AS predicts FROM flats f WHERE id = 4;
SELECT * FROM ml_explain('price', (SELECT f FROM flats f WHERE id = 4)); \echo :SQLSTATE
SELECT * FROM ml_explain('dear', (SELECT f FROM flats f WHERE id = 4)); \echo :SQLSTATE
RESET ROLE;
SELECT ml_grant('price', 'regress_explainer', 'read');
SET ROLE regress_explainer;
SELECT count(*) AS rows FROM ml_explain('price', (SELECT f FROM flats f WHERE id = 4));
RESET ROLE;

-- Nothing is written.
SET default_transaction_read_only = on;
SELECT count(*) AS rows FROM ml_explain('price', (SELECT f FROM flats f WHERE id = 4));
RESET default_transaction_read_only;

SELECT ml_drop(model) FROM ml_models WHERE model IN ('price', 'dear', 'class', 'dear_softmax', 'price_linear', 'dear_logistic', 'class_logistic');
REVOKE ALL ON flats FROM regress_explainer;
DROP ROLE regress_explainer;
DROP TABLE flats, first_version;
