-- naive_bayes through SQL: mixed columns, what it says of itself, its errors.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mlplat;
RESET client_min_messages;

SELECT algorithm, task, rows, features, metric, round(score::numeric, 3) AS score
FROM ml_train('naive_bayes', 'iris', 'species', model => 'bayes_iris', split => 'none');
SELECT count(*) AS rows, count(*) FILTER (WHERE ml_predict_class('bayes_iris', i) = species) AS right FROM iris i;
SELECT class, term, round(estimate::numeric, 4) AS estimate, std_error FROM ml_coefficients('bayes_iris') WHERE class = 'virginica' ORDER BY term;
SELECT feature, round(importance::numeric, 3) AS importance FROM ml_importance('bayes_iris') ORDER BY importance DESC;

-- Numbers, booleans and categories side by side, some of them missing.
SELECT model, task, warnings FROM ml_train('naive_bayes', 'customers', 'churned', model => 'bayes_churn', exclude => '{id,email}');
SELECT round(value::numeric, 2) AS auc FROM ml_metrics WHERE model = 'bayes_churn' AND split = 'test' AND metric = 'auc';
SELECT bool_and(abs(ml_predict_proba('bayes_churn', c) - 1 / (1 + exp(-score))) < 1e-9) AS explained
FROM (SELECT * FROM customers WHERE id <= 50) c, LATERAL (SELECT sum(contribution) AS score FROM ml_explain('bayes_churn', c)) e;

-- One distribution for all; what does not fit is said.
SELECT round(score::numeric, 3) AS score FROM ml_train('naive_bayes', 'digits', 'digit', model => 'bayes_digits', params => '{"distribution": "multinomial", "task": "classification"}');
SELECT model FROM ml_train('naive_bayes', 'SELECT age - 50 AS a, progression > 150 AS high FROM diabetes', 'high', model => 'bayes_wrong', params => '{"distribution": "multinomial"}');
SELECT model FROM ml_train('naive_bayes', 'diabetes', 'progression', model => 'bayes_wrong');

SELECT ml_drop(m) FROM unnest('{bayes_iris,bayes_churn,bayes_digits}'::text[]) m;
