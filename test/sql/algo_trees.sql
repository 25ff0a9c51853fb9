-- Decision trees and forests through every function of the platform.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mlplat;
CREATE TABLE trees_data AS
	SELECT g AS id, (g * 7919 % 1000) / 1000.0::float8 AS a, CASE WHEN g % 9 = 0 THEN NULL ELSE (g * 104729 % 997) / 997.0::float8 END AS b,
		   (ARRAY['north', 'south', 'east', 'west'])[1 + g * 31 % 4] AS region
	FROM generate_series(1, 1200) g;
ALTER TABLE trees_data ADD grade text, ADD amount float8;
UPDATE trees_data SET grade = CASE WHEN region = 'north' THEN CASE WHEN a > 0.5 THEN 'high' ELSE 'low' END ELSE CASE WHEN b IS NULL THEN 'high' ELSE 'middle' END END,
	amount = round((10 * a)::numeric) + CASE region WHEN 'south' THEN 100 ELSE 0 END;

SELECT score = 1 AS right, warnings FROM ml_train('decision_tree', 'trees_data', 'grade', 'trees_tree', features => '{a,b,region}', id => 'id');
SELECT score > 0.98 AS right, warnings FROM ml_train('random_forest', 'trees_data', 'grade', 'trees_forest', features => '{a,b,region}', id => 'id', params => '{"n_estimators": 40, "max_features": "sqrt"}');
SELECT score > 0.95 AS right, warnings FROM ml_train('extra_trees', 'trees_data', 'grade', 'trees_extra', features => '{a,b,region}', id => 'id', params => '{"n_estimators": 40, "max_features": 2}');
SELECT score > -1 AS right, warnings FROM ml_train('random_forest', 'trees_data', 'amount', 'trees_number', features => '{a,b,region}', id => 'id', params => '{"n_estimators": 40, "max_features": 1.0}');
SELECT model, algorithm, task FROM ml_models WHERE model LIKE 'trees_%' ORDER BY model;

-- Rows, blocks of rows, probabilities.
SELECT ml_predict_class('trees_tree', d) = grade AS right, count(*) FROM trees_data d GROUP BY 1 ORDER BY 1;
SELECT count(*) FILTER (WHERE ml_predict_class('trees_forest', d) = grade) >= 1190 AS nearly_all FROM trees_data d;
SELECT count(*) FILTER (WHERE abs(ml_predict('trees_number', d) - amount) < 1) >= 1150 AS nearly_all FROM trees_data d;
SELECT ml_predict_class('trees_tree', r) FROM (SELECT 0.9::float8 AS a, 0.1::float8 AS b, 'north' AS region) r;
-- A region that training never saw goes with the larger side.
SELECT ml_predict_class('trees_tree', r) FROM (SELECT 0.9::float8 AS a, 0.1::float8 AS b, 'moon' AS region) r;

-- What matters.
SELECT feature FROM ml_importance('trees_tree') ORDER BY importance DESC, feature;
SELECT feature FROM ml_importance('trees_number') ORDER BY importance DESC, feature LIMIT 1;
SELECT feature, importance > 0 AS used FROM ml_importance('trees_tree', 'split') ORDER BY feature;

-- How good a forest is without a hold-out, on the rows that its trees did not see.
SELECT statistic, value > 0.95 FROM ml_model_statistics('trees_forest') WHERE statistic IN ('oob_accuracy', 'trees', 'leaves') ORDER BY statistic;
SELECT statistic FROM ml_model_statistics('trees_tree') ORDER BY statistic;
SELECT split, metric, count(*), max(iteration) FROM ml_training_history WHERE model = 'trees_number' GROUP BY split, metric ORDER BY split, metric;

-- The tree, to be read.
CREATE TABLE trees_small AS SELECT * FROM (VALUES
	(1, 1.0::float8, true, 'ham', 'no'), (2, 2, true, 'ham', 'no'), (3, 3, true, 'egg', 'no'), (4, 4, false, 'egg', 'no'), (5, 5, false, 'ham', 'yes'),
	(6, 6, true, 'ham', 'yes'), (7, 7, false, 'egg', 'yes'), (8, 8, true, 'egg', 'yes'), (9, 9, false, 'egg', 'yes'), (10, NULL, false, 'egg', 'no')) t (id, x, flag, food, y);
SELECT score FROM ml_train('decision_tree', 'trees_small', 'y', 'trees_small', features => '{x}', split => 'none', id => 'id');
SELECT node, parent, depth, condition, missing, leaf, prediction, round(value::numeric, 3) AS value, rows, round(share::numeric, 2) AS share, path FROM ml_rules('trees_small');
SELECT version FROM ml_train('decision_tree', 'SELECT * FROM trees_small UNION ALL SELECT id + 100, x, flag, food, y FROM trees_small', 'x', 'trees_words', features => '{food,flag}', split => 'none', id => 'id', params => '{"max_depth": 2, "task": "regression"}');
SELECT node, condition, prediction, round(value::numeric, 3) AS value, rows FROM ml_rules('trees_words');
SELECT version FROM ml_train('gbdt', 'trees_small', 'y', 'trees_boosted', features => '{x,food}', split => 'none', id => 'id', params => '{"min_data_in_leaf": 1, "min_data_in_bin": 1, "num_iterations": 2, "learning_rate": 1}');
SELECT node, condition, leaf, prediction, round(value::numeric, 3) AS value, rows FROM ml_rules('trees_boosted', tree => 2);
SELECT count(*) > 10 AS some, sum(rows) FILTER (WHERE leaf) = max(rows) AS leaves_have_all_rows FROM ml_rules('trees_forest', tree => 40);

-- Why a prediction is what it is: the shares of the class add up.
SELECT feature, value, round(contribution::numeric, 3) AS contribution FROM ml_explain('trees_small', (SELECT t FROM trees_small t WHERE id = 9));
SELECT abs(sum(contribution) - (SELECT ml_predict('trees_number', d) FROM trees_data d WHERE id = 77)) < 1e-9 AS adds_up
	FROM ml_explain('trees_number', (SELECT d FROM trees_data d WHERE id = 77));

-- What is refused.
SELECT * FROM ml_rules('trees_forest', tree => 41);
SELECT * FROM ml_rules('trees_forest', tree => NULL);
\set VERBOSITY terse
SELECT ml_train('decision_tree', 'trees_data', 'grade', 'trees_bad', params => '{"criterion": "poisson"}');
SELECT ml_train('random_forest', 'trees_data', 'grade', 'trees_bad', params => '{"max_features": "some"}');
SELECT ml_train('extra_trees', 'trees_data', 'grade', 'trees_bad', params => '{"oob_score": true}');
\set VERBOSITY default

SELECT count(ml_drop(model)) FROM (SELECT model FROM ml_models WHERE model LIKE 'trees_%') m;
DROP TABLE trees_data, trees_small;

-- What is odd.
CREATE TABLE odd_data AS SELECT g AS id, sin(g) * (1 + g % 7) AS a, cos(g * 1.3) * (1 + g % 5) AS b, CASE WHEN g % 2 = 0 THEN 'card' ELSE 'cash' END AS kind FROM generate_series(1, 2000) g
	UNION ALL VALUES (2001, 30.0, -25.0, 'card'), (2002, -28, 31, 'cash'), (2003, 0.5, 0.5, 'gold');
SELECT model, task, metric, score > 1 AS separated, warnings FROM ml_train('isolation_forest', 'odd_data', model => 'odd', id => 'id', params => '{"contamination": 0.002, "max_samples": "auto"}');
SELECT id, ml_predict_class('odd', d) FROM odd_data d ORDER BY ml_predict('odd', d) DESC LIMIT 2;
SELECT ml_predict_class('odd', d), count(*) < 10 AS few, min(ml_predict('odd', d)) > 0 AND max(ml_predict('odd', d)) < 1 AS in_range FROM odd_data d GROUP BY 1 ORDER BY 1;
SELECT statistic FROM ml_model_statistics('odd') ORDER BY 1;
SELECT leaf, count(*) > 20 AS many FROM ml_rules('odd', 3) GROUP BY leaf ORDER BY leaf;
SELECT ml_predict_proba('odd', d) FROM odd_data d LIMIT 1;
SELECT feature FROM ml_importance('odd');
SELECT ml_train('isolation_forest', 'odd_data', model => 'odd', params => '{"contamination": 0.7}');
SELECT ml_drop('odd');
DROP TABLE odd_data;
