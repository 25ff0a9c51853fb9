-- bayesian_linear_regression through SQL, and intervals of coefficients of all linear methods.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mlplat;
RESET client_min_messages;

CREATE TABLE plots AS
SELECT i AS id, i % 50 AS rain, (i * 37 % 61)::numeric AS sun, (ARRAY['clay', 'loam', 'sand'])[1 + i % 3] AS soil,
       3 * (i % 50) + 0.5 * (i * 37 % 61) + CASE i % 3 WHEN 0 THEN 10 ELSE 0 END + (i * 7919 % 1000) / 25.0 AS yield
FROM generate_series(1, 600) i;

SELECT model, score > 0.9 AS good FROM ml_train('bayesian_linear_regression', 'plots', 'yield', model => 'b', exclude => '{id}');
SELECT model, score > 0.9 AS good FROM ml_train('bayesian_linear_regression', 'plots', 'yield', model => 'evidence', exclude => '{id}', params => '{"prior": "evidence"}');
SELECT model FROM ml_train('linear_regression', 'plots', 'yield', model => 'ols', exclude => '{id}');
SELECT term, round(estimate::numeric, 1) AS estimate, lower < estimate AND estimate < upper AS inside FROM ml_coefficient_intervals('b') WHERE term IN ('rain', 'sun', 'soil=clay') ORDER BY term;
SELECT bool_and(3 BETWEEN lower AND upper) AS rain_covered FROM ml_coefficient_intervals('b', 0.99) WHERE term = 'rain';
SELECT bool_and(w.upper - w.lower > n.upper - n.lower) AS wider FROM ml_coefficient_intervals('b', 0.99) w JOIN ml_coefficient_intervals('b', 0.5) n USING (term);
SELECT statistic FROM ml_model_statistics('b');
SELECT statistic FROM ml_model_statistics('evidence');
-- With a prior that says little, the intervals are those of least squares.
SELECT max(abs((b.upper - b.lower) / (o.upper - o.lower) - 1)) < 0.02 AS alike, count(*) FROM ml_coefficient_intervals('b') b JOIN ml_coefficient_intervals('ols') o USING (term);
-- An interval that does not hold 0 has a small p value, and the other way round.
SELECT bool_and((i.lower > 0 OR i.upper < 0) = (c.p_value < 0.05)) AS agrees FROM ml_coefficient_intervals('ols') i JOIN ml_coefficients('ols') c USING (term);
SELECT max(abs(ml_predict(m.model, p) - e.total)) < 1e-9 AS explained
FROM (VALUES ('b'), ('evidence')) m(model), plots p, LATERAL (SELECT sum(contribution) AS total FROM ml_explain(m.model, p)) e WHERE p.id <= 40;

SELECT model FROM ml_train('lasso', 'plots', 'yield', model => 'l', exclude => '{id}');
SELECT bool_and(lower IS NULL AND upper IS NULL AND estimate IS NOT NULL) AS no_bounds FROM ml_coefficient_intervals('l');
SELECT * FROM ml_coefficient_intervals('b', 1); \echo :SQLSTATE
SELECT * FROM ml_coefficient_intervals('b', NULL); \echo :SQLSTATE
SELECT * FROM ml_train('bayesian_linear_regression', 'plots', 'yield', params => '{"prior_precision": 0}'); \echo :SQLSTATE

SELECT count(ml_drop(model)) FROM ml_models WHERE model IN ('b', 'evidence', 'ols', 'l');
DROP TABLE plots;
