-- Rules of deployment, retraining and its lineage, and functions that use a model.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mlplat;
RESET client_min_messages;
\set VERBOSITY terse
\set SHOW_CONTEXT never
-- y follows x; "noise" says nothing about it.
CREATE TABLE rules AS SELECT i AS id, i::float8 AS x, (i * 7919 % 101)::float8 AS noise, 3.0::float8 * i + (i % 5) AS y FROM generate_series(1, 300) i;
CREATE FUNCTION train(rule text, columns text) RETURNS TABLE (version int, warnings text[], in_production int) LANGUAGE sql AS $$
	SELECT t.version, t.warnings, (SELECT production_version FROM ml_models WHERE model = 'rules')
	FROM ml_train('linear_regression', 'rules', 'y', model => 'rules', id => 'id', features => columns::text[], deploy => rule) t;
$$;
CREATE VIEW state AS SELECT production_version, latest_version FROM ml_models WHERE model = 'rules';

SELECT version, warnings FROM train('first', '{noise}');
SELECT * FROM state;
SELECT version, warnings FROM train('first', '{x}');
SELECT * FROM state;
-- A better one replaces, an equal and a worse one do not.
SELECT version, warnings FROM train('if_better', '{x,noise}');
SELECT * FROM state;
SELECT version, regexp_replace(warnings::text, '[-0-9.]+[0-9]', 'N', 'g') AS warnings FROM train('if_better', '{x,noise}');
SELECT * FROM state;
SELECT version, regexp_replace(warnings::text, '[-0-9.]+[0-9]', 'N', 'g') AS warnings
FROM ml_train('gbdt', 'rules', 'y', model => 'rules', id => 'id', features => '{x,noise}', params => '{"num_iterations": 1}', deploy => 'if_better');
-- The one in production needs a column that was not read: no comparison, no deployment.
SELECT version, warnings FROM train('if_better', '{noise}');
SELECT * FROM state;
SELECT version, warnings FROM train('never', '{x}');
SELECT version, warnings FROM train('always', '{noise}');
SELECT * FROM state;
SELECT version, warnings FROM train('sometimes', '{x}');
-- Nothing in production: "if_better" is better than nothing, "first" is for a new name.
SELECT ml_drop_alias('rules', 'production');
SELECT version, warnings FROM train('first', '{x}');
SELECT * FROM state;
SELECT version, warnings FROM train('if_better', '{noise}');
SELECT * FROM state;

-- Retraining remembers its parent.
SELECT version, warnings FROM ml_retrain('rules@3', deploy => 'always');
SELECT version FROM ml_retrain('rules', deploy => 'always');
SELECT version, parent_version, features FROM ml_versions WHERE model = 'rules' ORDER BY version DESC LIMIT 2;
SELECT depth, object, relation FROM ml_lineage('rules') WHERE kind = 'version';
SELECT depth, object, relation FROM ml_lineage('rules@3', 'down');
SELECT ml_drop('rules', 3);
SELECT depth, object, relation FROM ml_lineage('rules') WHERE kind = 'version';

-- Functions: a pinned one keeps its version, each keeps the model; renaming the model is safe.
SELECT ml_create_function('rules@2', 'rules', 'pinned_guess', pinned => true);
SELECT ml_create_function('rules', 'rules', 'guess');
SELECT kind, object, relation FROM ml_lineage('rules', 'down') WHERE kind = 'function';
SELECT kind, object, relation FROM ml_lineage('rules@2', 'down') WHERE kind = 'function';
ALTER FUNCTION guess(rules) RENAME TO my_guess;
ALTER FUNCTION pinned_guess(rules) RENAME TO my_pinned_guess;
SELECT kind, object, relation, at IS NULL AS renamed FROM ml_lineage('rules', 'down') WHERE kind = 'function';
SELECT kind, object, relation, at IS NULL AS renamed FROM ml_lineage('rules@2', 'down') WHERE kind = 'function';
ALTER FUNCTION my_guess(rules) RENAME TO guess;
ALTER FUNCTION my_pinned_guess(rules) RENAME TO pinned_guess;
CREATE SCHEMA rules_elsewhere;
CREATE TABLE rules_elsewhere.rows AS TABLE rules;
SELECT ml_create_function('rules', 'rules_elsewhere.rows', 'guess_elsewhere');
SELECT kind, object, relation FROM ml_lineage('rules', 'down') WHERE kind = 'function';
SET client_min_messages = warning;
DROP SCHEMA rules_elsewhere CASCADE;
RESET client_min_messages;
SELECT kind, object, relation FROM ml_lineage('rules', 'down') WHERE kind = 'function';
SELECT ml_rename('rules', 'renamed');
SELECT round(guess(r)) = round(ml_predict('renamed', r)) AS same, round(pinned_guess(r)) = round(ml_predict('renamed@2', r)) AS same_pinned FROM rules r WHERE id = 5;
SELECT ml_drop('renamed', 2);
SELECT ml_drop('renamed');
DROP FUNCTION pinned_guess(rules);
SELECT ml_drop('renamed', 2);
SELECT ml_drop('renamed');
DROP FUNCTION guess(rules);
SELECT ml_drop('renamed');
DROP VIEW state;
DROP FUNCTION train(text, text);
DROP TABLE rules;
