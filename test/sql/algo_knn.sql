-- knn through SQL: classes and numbers, what it refuses, and judging where predictions are slow.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mlplat;
RESET client_min_messages;

SELECT algorithm, task, rows, metric, round(score::numeric, 2) AS score FROM ml_train('knn', 'iris', 'species', model => 'knn_iris');
SELECT ml_predict_class('knn_iris', i) = species AS right, count(*) > 130 AS most FROM iris i GROUP BY 1 ORDER BY 1 DESC LIMIT 1;
SELECT round(score::numeric, 2) AS score FROM ml_train('knn', 'digits', 'digit', model => 'knn_digits', params => '{"scale": "none", "task": "classification"}');
SELECT task, round(score::numeric) AS score FROM ml_train('knn', 'diabetes', 'progression', model => 'knn_diabetes', params => '{"k": 10, "weights": "distance"}');
SELECT count(*) AS rows, count(*) FILTER (WHERE abs(ml_predict('knn_diabetes', d) - progression) < 1e-6) > 350 AS trained_rows_know_themselves FROM diabetes d;

-- It has neither importance nor coefficients nor contributions.
SELECT * FROM ml_importance('knn_iris');
SELECT * FROM ml_coefficients('knn_iris');
SELECT * FROM ml_explain('knn_iris', (SELECT i FROM iris i LIMIT 1));
SELECT model FROM ml_train('knn', 'iris', 'species', model => 'knn_wrong', params => '{"metric": "minkowski"}');

SET client_min_messages = warning;
-- Many rows in many columns: the training part is judged on a sample.
CREATE TABLE knn_many AS
SELECT i AS id, i % 2 = 0 AS y, sin(i) AS a, cos(i * 1.1) AS b, sin(i * 1.3) AS c, cos(i * 1.7) AS d, sin(i * 1.9) AS e, cos(i * 2.3) AS f, sin(i * 2.9) AS g, cos(i * 3.1) AS h,
	sin(i * 3.7) AS j, cos(i * 4.1) AS k, sin(i * 4.3) AS l, cos(i * 4.7) AS m, sin(i * 5.3) AS n, cos(i * 5.9) AS o, sin(i * 6.1) AS p
FROM generate_series(1, 50000) i;
SELECT rows, regexp_replace(warnings[1], '[0-9]+', 'N', 'g') AS warning FROM ml_train('knn', 'knn_many', 'y', model => 'knn_many', holdout => 0.01, exclude => '{id}');
SELECT split, value BETWEEN 0 AND 1 AS sane FROM ml_metrics WHERE model = 'knn_many' AND metric = 'accuracy' ORDER BY split;
SELECT rows_train + rows_test AS rows FROM ml_versions WHERE model = 'knn_many';

SELECT count(ml_drop(m)) AS dropped FROM unnest('{knn_iris,knn_digits,knn_diabetes,knn_many}'::text[]) m;
DROP TABLE knn_many;
