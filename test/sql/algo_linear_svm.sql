-- linear_svm through SQL: two classes, more, numbers.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mlplat;
RESET client_min_messages;

CREATE TABLE seeds AS
SELECT i AS id, (i * 37 % 101) / 10.0 AS size, CASE WHEN i % 11 <> 0 THEN (i * 53 % 89)::numeric END AS weight, (ARRAY['red', 'green', NULL])[1 + i % 3] AS colour,
       (i * 37 % 101) / 10.0 + CASE i % 3 WHEN 0 THEN 3 ELSE 0 END + (i * 7919 % 100) / 100.0 > 6 AS good,
       (ARRAY['small', 'middle', 'large'])[1 + (i * 37 % 101) / 34] AS class,
       5 * (i * 37 % 101) / 10.0 + CASE i % 3 WHEN 0 THEN 3 ELSE 0 END + (i * 7919 % 100) / 100.0 AS yield
FROM generate_series(1, 900) i;

SELECT model, metric, score > 0.97 AS good FROM ml_train('linear_svm', 'seeds', 'good', model => 'two', exclude => '{id,class,yield}');
SELECT model, metric, score > 0.97 AS good FROM ml_train('linear_svm', 'seeds', 'good', model => 'hinge', exclude => '{id,class,yield}', params => '{"loss": "hinge", "C": 10}');
SELECT model, metric FROM ml_train('linear_svm', 'seeds', 'class', model => 'three', exclude => '{id,good,yield}');
SELECT model, metric, score > 0.99 AS good FROM ml_train('linear_svm', 'seeds', 'yield', model => 'number', exclude => '{id,good,class}', params => '{"epsilon": 0.1, "C": 100}');

SELECT class, term, estimate > 0 AS positive, std_error IS NULL AS no_error FROM ml_coefficients('two') WHERE term IN ('size', '(intercept)') ORDER BY term;
SELECT class, count(*) FROM ml_coefficients('three') GROUP BY class ORDER BY class;
SELECT statistic, value > 0 AS positive FROM ml_model_statistics('two');
SELECT avg((ml_predict_class('two', s) = good::text)::int) > 0.97 AS two, avg((ml_predict_class('three', s) = class)::int) > 0.6 AS three FROM seeds s;
-- The class is that of the greater probability, and contributions add up to the log-odds.
SELECT bool_and((ml_predict_proba('two', s) > 0.5) = (ml_predict_class('two', s) = 'true')) AS agrees,
       max(abs(ml_predict_proba('two', s) - 1 / (1 + exp(-e.total)))) < 1e-12 AS explained
FROM seeds s, LATERAL (SELECT sum(contribution) AS total FROM ml_explain('two', s)) e WHERE s.id <= 100;
SELECT max(abs(ml_predict('number', s) - e.total)) < 1e-9 AS explained FROM seeds s, LATERAL (SELECT sum(contribution) AS total FROM ml_explain('number', s)) e WHERE s.id <= 100;
SELECT feature FROM ml_importance('two') ORDER BY importance DESC LIMIT 2;

SELECT * FROM ml_train('linear_svm', 'seeds', 'yield', params => '{"loss": "hinge"}'); \echo :SQLSTATE
SELECT * FROM ml_train('linear_svm', 'seeds', 'good', exclude => '{id,class,yield}', params => '{"loss": "epsilon_insensitive"}'); \echo :SQLSTATE
SELECT * FROM ml_train('linear_svm', 'seeds', 'good', params => '{"C": 0}'); \echo :SQLSTATE

SELECT count(ml_drop(model)) FROM ml_models WHERE model IN ('two', 'hinge', 'three', 'number');
DROP TABLE seeds;
