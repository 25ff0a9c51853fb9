-- The story that "make demo" tells.  psql shows each statement, its result and its time.
-- Expects the extension and the tables of test/data.
\set QUIET on
\pset footer off
\pset null '·'
\pset border 1
\timing off
SET client_min_messages = notice;
\set QUIET off
\set ECHO queries

\echo
\echo '== 1. The data: customers who stay or leave =='
\echo '   Text, booleans, dates, money and NULLs.  Nothing is prepared.'
SELECT count(*) AS customers, round(avg(churned::int), 3) AS churned, count(*) - count(satisfaction) AS no_answer FROM customers;
SELECT id, country, plan, contract, signup_date, monthly_charge, support_calls, satisfaction, churned FROM customers ORDER BY id LIMIT 3;
\set QUIET on
\timing on
\set QUIET off

\echo
\echo '== 2. Models, trained where the data are =='
\echo '   Each call computes in a background worker and commits with your transaction.  Scores are of rows kept aside.'
SELECT model, version, task, rows, features, metric, round(score::numeric, 4) AS score, round(seconds::numeric, 2) AS seconds
FROM ml_train('gbdt', 'customers', 'churned', model => 'churn', id => 'id', params => '{"num_iterations": 50}');
SELECT model, version, task, rows, features, metric, round(score::numeric, 4) AS score, round(seconds::numeric, 2) AS seconds
FROM ml_train('logistic_regression', 'breast_cancer', 'malignant', model => 'tumour');
SELECT model, version, task, rows, features, metric, round(score::numeric, 4) AS score, round(seconds::numeric, 2) AS seconds
FROM ml_train('linear_regression', 'diabetes', 'progression');
SELECT model, version, task, rows, features, metric, round(score::numeric, 4) AS score, round(seconds::numeric, 2) AS seconds
FROM ml_train('gbdt', 'iris', 'species', model => 'flowers');

\echo
\echo '== 3. Predictions are expressions: in SELECT, WHERE, views, triggers =='
\echo '   A probability ...'
SELECT id, plan, contract, churned, round(ml_predict_proba('churn', c)::numeric, 3) AS risk FROM customers c WHERE id <= 3 ORDER BY id;
\echo '   ... a value ...'
SELECT age, bmi, bp, progression, round(ml_predict('diabetes_progression', d)::numeric, 1) AS predicted FROM diabetes d LIMIT 3;
\echo '   ... a label ...'
SELECT DISTINCT ON (species) petal_length, petal_width, species, ml_predict_class('flowers', i) AS predicted FROM iris i ORDER BY species;
SELECT mean_radius, worst_texture, malignant, ml_predict_class('tumour', b) AS predicted FROM breast_cancer b OFFSET 18 LIMIT 3;
\echo '   ... the probability of each label, from a document an application sends.'
SELECT ml_predict_probs('flowers', i) AS probabilities FROM iris i WHERE petal_length = 5.1 LIMIT 3;
SELECT ml_predict_class_json('flowers', '{"sepal_length": 6.1, "sepal_width": 2.8, "petal_length": 4.7, "petal_width": null}') AS predicted;
\echo '   A whole table, by name:'
SELECT count(*) FILTER (WHERE ml_predict_proba('churn', c) > 0.5) AS at_risk, count(*) AS customers FROM customers c;

\echo
\echo '== 4. How good, and why =='
SELECT metric, round(value::numeric, 4) AS value FROM ml_evaluate('churn');
SELECT * FROM ml_confusion_matrix('churn');
SELECT feature, round(importance::numeric) AS gain FROM ml_importance('churn') LIMIT 5;
SELECT term, round(estimate::numeric, 3) AS estimate, round(std_error::numeric, 3) AS std_error, to_char(p_value, '9.9EEEE') AS p_value
FROM ml_coefficients('diabetes_progression') c ORDER BY c.p_value LIMIT 4;

\echo
\echo '== 5. A better version, trained in the background while you work =='
SELECT ml_train_async('gbdt', 'customers', 'churned', model => 'churn', id => 'id', validation => 0.1,
	params => '{"num_iterations": 400, "learning_rate": 0.05, "early_stopping_round": 20}', note => 'slower, stops early') AS job \gset
SELECT ml_wait(:job) AS state;
SELECT job, model, version, state, round(seconds::numeric, 2) AS seconds, pg_size_pretty(peak_memory) AS peak_memory FROM ml_jobs WHERE job = :job;
SELECT version, algorithm, metric, round(score::numeric, 4) AS score, pg_size_pretty(bytes) AS size, left(checksum, 12) AS checksum, note
FROM ml_versions WHERE model = 'churn' ORDER BY version;
\echo '   It is not in production yet.  Deploying takes effect at COMMIT, for all sessions, and only if it is good enough:'
SELECT ml_deploy('churn', 2, require => '{"auc": ">= 0.8"}', note => 'approved') AS production;
SELECT id, round(ml_predict_proba('churn@1', c)::numeric, 3) AS version_1, round(ml_predict_proba('churn', c)::numeric, 3) AS production
FROM customers c WHERE id <= 3 ORDER BY id;

\echo
\echo '== 6. Second thoughts =='
SELECT ml_rollback('churn') AS production;
\echo '   And whatever happens in a transaction can be undone, like everything in PostgreSQL:'
BEGIN;
SELECT ml_drop('churn');
SELECT count(*) AS churn_models FROM ml_models WHERE model = 'churn';
ROLLBACK;
SELECT model, production_version, versions FROM ml_models WHERE model = 'churn';
SELECT alias, version, action, deployed_by, note FROM ml_deployments WHERE model = 'churn' ORDER BY entry;

\echo
\echo '== 7. A model as a column of its table =='
SELECT ml_create_function('churn', 'customers', 'churn_risk', kind => 'proba');
SELECT id, country, plan, round(c.churn_risk::numeric, 3) AS risk FROM customers c WHERE NOT churned ORDER BY c.churn_risk DESC LIMIT 3;
\set QUIET on
\timing off
\echo
