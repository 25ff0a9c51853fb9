-- A model's life: versions, aliases, requirements, rollback, history, names, drop.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mlplat;
RESET client_min_messages;
\set VERBOSITY terse
\set SHOW_CONTEXT never

SELECT (SELECT count(*) FROM mlplat.model) AS models, (SELECT count(*) FROM mlplat.version) AS versions, (SELECT count(*) FROM mlplat.chunk) AS chunks,
       (SELECT count(*) FROM mlplat.metric) AS metrics, (SELECT count(*) FROM mlplat.deployment) AS deployments,
       (SELECT count(*) FROM mlplat.deployment_log) AS entries, (SELECT count(*) FROM pg_type WHERE typname LIKE 'm\_%') AS anchors \gset
CREATE TABLE line AS SELECT i AS id, i::float8 AS x, i % 7 AS noise, 3.0::float8 * i + (i % 5) AS y FROM generate_series(1, 200) i;

SELECT model, version, task, rows, features, metric, score > 0.99 AS good, warnings
FROM ml_train('linear_regression', 'line', 'y', model => 'line', id => 'id');
SELECT model, version FROM ml_train('linear_regression', 'line', 'y', model => 'line', id => 'id', note => 'second');
SELECT model, version FROM ml_train('linear_regression', 'line', 'y', model => 'line', id => 'id', deploy => 'never', features => '{noise}');
SELECT model, version FROM ml_train('linear_regression', 'line', 'y', model => 'line', id => 'id', deploy => 'always');
SELECT model, owner = current_user AS mine, task, target, algorithm, production_version, versions, latest_version, privilege FROM ml_models WHERE model = 'line';
SELECT version, algorithm, features, rows, metric, note, aliases, length(checksum) FROM ml_versions WHERE model = 'line' ORDER BY version;
SELECT alias, version, action, current FROM ml_deployments WHERE model = 'line' ORDER BY entry;

-- Requirements.
SELECT ml_deploy('line', 1, require => '{"r2": ">= 0.9", "rmse": "< 100"}');
\set VERBOSITY default
SELECT ml_deploy('line', 3, require => '{"r2": ">= 0.9"}') IS NULL AS never_shown \gset
\set VERBOSITY terse
SELECT ml_deploy('line', 3, require => '{"auc": ">= 0.9"}');
SELECT ml_deploy('line', 3, require => '{"r2": 0.9}');
SELECT ml_deploy('line', 3, require => '{"r2": "=> 0.9"}');
SELECT ml_deploy('line', 3, require => '{"r2": ">= high"}');
SELECT ml_deploy('line', 3, require => '{"r2": ">= nan"}');
SELECT ml_deploy('line', 3, require => '{"r2": {"min": 1}}');
SELECT ml_deploy('line', 3, require => '[">= 0.9"]');
SELECT production_version FROM ml_models WHERE model = 'line';

-- Rolling back goes back a step at a time; a deployment in between starts afresh.
SELECT ml_deploy('line', 2), ml_deploy('line', 3);
SELECT ml_rollback('line');
SELECT ml_rollback('line');
SELECT ml_deploy('line@3');
SELECT ml_deploy('line@3', note => 'once more');
SELECT ml_rollback('line'), ml_rollback('line'), ml_rollback('line');
SELECT version, action, note FROM ml_deployments WHERE model = 'line' ORDER BY entry OFFSET 3;

-- Aliases.
SELECT ml_set_alias('line', 'candidate', 2);
SELECT ml_deploy('line', alias => 'newest');
SELECT ml_deploy('line@candidate', alias => 'copy');
SELECT alias, version FROM ml_deployments WHERE model = 'line' AND current ORDER BY alias;
SELECT ml_drop_alias('line', 'copy');
SELECT ml_drop_alias('line', 'copy');
SELECT ml_rollback('line', 'copy');
SELECT ml_rollback('line', 'candidate');
SELECT ml_set_alias('line', '7', 2);
SELECT ml_set_alias('line', 'a@b', 2);
SELECT ml_set_alias('line', ' ', 2);
SELECT ml_set_alias('line', 'x', 9);
SELECT ml_set_alias('line', 'x', 0);
SELECT ml_set_alias('line', 'x', NULL);
SELECT ml_deploy('line@2', 3);
SELECT ml_deploy('line@nobody');
SELECT ml_deploy('line@99999999999');
SELECT ml_deploy(NULL);
SELECT ml_deploy('line', alias => NULL);

-- Dropping: what is in use stays.
SELECT ml_drop('line', 2);
SELECT ml_drop('line', 3);
SELECT ml_drop('line', 3);
SELECT version FROM ml_train('linear_regression', 'line', 'y', model => 'line', id => 'id');
SELECT ml_drop('line', 5);
SELECT version FROM ml_train('linear_regression', 'line', 'y', model => 'line', id => 'id') AS not_5_again;

-- Transactions.
BEGIN;
SELECT ml_deploy('line', 6);
SAVEPOINT before;
SELECT ml_deploy('line', 4);
SELECT production_version FROM ml_models WHERE model = 'line';
ROLLBACK TO before;
SELECT production_version FROM ml_models WHERE model = 'line';
ROLLBACK;
SELECT production_version FROM ml_models WHERE model = 'line';
BEGIN;
SELECT version FROM ml_train('linear_regression', 'line', 'y', model => 'line', id => 'id');
ROLLBACK;
SELECT version FROM ml_train('linear_regression', 'line', 'y', model => 'line', id => 'id') AS seven_again;
BEGIN;
SELECT ml_drop('line');
SELECT count(*) FROM ml_models WHERE model = 'line';
ROLLBACK;
SELECT count(*) FROM ml_models WHERE model = 'line';
BEGIN READ ONLY;
SELECT ml_deploy('line', 6);
ROLLBACK;

-- In one statement: what ml_train has just made can be deployed.
SELECT ml_deploy(model, version) FROM ml_train('linear_regression', 'line', 'y', model => 'fresh', id => 'id', deploy => 'never');
SELECT ml_drop('fresh');

-- Renaming, and names of every kind.
SELECT ml_rename('line', 'line');
SELECT ml_rename('line', '');
SELECT ml_rename('line', repeat('x', 64));
SELECT ml_rename('line', repeat('ü', 32));
SELECT ml_rename('line', E'a\nb');
SELECT ml_rename('line', 'a@b');
SELECT ml_rename('line', repeat('x', 63));
SELECT ml_rename(repeat('x', 63), E'q"''\\.$1 %s %n select ünï 😀');
SELECT model, versions FROM ml_models WHERE model LIKE 'q%';
SELECT ml_drop(E'q"''\\.$1 %s %n select ünï 😀', 99);
SELECT ml_deploy(E'q"''\\.$1 %s %n select ünï 😀', 1);
SELECT count(*) FROM ml_lineage(E'q"''\\.$1 %s %n select ünï 😀') WHERE object = E'q"''\\.$1 %s %n select ünï 😀@1';
SELECT ml_drop(E'q"''\\.$1 %s %n select ünï 😀');
SELECT ml_drop(E'q"''\\.$1 %s %n select ünï 😀');

-- Nothing is left, and a new model of an old name counts from one.
SELECT (SELECT count(*) FROM mlplat.model) - :models AS models, (SELECT count(*) FROM mlplat.version) - :versions AS versions,
       (SELECT count(*) FROM mlplat.chunk) - :chunks AS chunks, (SELECT count(*) FROM mlplat.metric) - :metrics AS metrics,
       (SELECT count(*) FROM mlplat.deployment) - :deployments AS deployments, (SELECT count(*) FROM mlplat.deployment_log) - :entries AS entries,
       (SELECT count(*) FROM pg_type WHERE typname LIKE 'm\_%') - :anchors AS anchors;
SELECT version FROM ml_train('linear_regression', 'line', 'y', model => 'line', id => 'id');

-- Lineage.
SELECT depth, kind, CASE WHEN kind IN ('data', 'snapshot', 'job', 'arguments', 'role', 'code') THEN '...' ELSE object END AS object, relation
FROM ml_lineage('line');
SELECT depth, kind, object, relation FROM ml_lineage('line', 'down');
SELECT * FROM ml_lineage('line', 'sideways');
SELECT * FROM ml_lineage('nobody');
SELECT * FROM ml_lineage('line@2');
SELECT ml_drop_alias('line', 'production');
SELECT * FROM ml_lineage('line');
SELECT ml_drop('line');
DROP TABLE line;
