-- The same rows, parameters and seed: the same image to the bit, for any number of threads, in each process mode, and,
-- with an id, in any physical order.  Real data: 5,000 customers, the tumours and the diabetes patients.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mlplat;
SET mlplat.progress = off;

CREATE TABLE rep_customers AS SELECT * FROM customers WHERE id <= 5000;
CREATE TABLE rep_tumours AS SELECT row_number() OVER () AS id, * FROM breast_cancer;
CREATE TABLE rep_patients AS SELECT row_number() OVER () AS id, * FROM diabetes;
CREATE TABLE rep_kinds (model text, algorithm text, source text, target text, params jsonb);
INSERT INTO rep_kinds VALUES
	('rep_trees', 'gbdt', 'rep_customers', 'churned', '{"num_iterations": 20, "bagging_fraction": 0.7, "bagging_freq": 1, "feature_fraction": 0.8}'),
	('rep_value', 'gbdt', 'rep_patients', 'progression', '{"num_iterations": 20}'),
	('rep_odds', 'logistic_regression', 'rep_tumours', 'malignant', '{}'),
	('rep_line', 'linear_regression', 'rep_patients', 'progression', '{}');

CREATE FUNCTION rep_train() RETURNS void LANGUAGE sql AS $$
	SELECT count(*) FROM rep_kinds k, ml_train(k.algorithm, k.source, k.target, model => k.model, params => k.params, id => 'id') $$;

-- threads and process modes
SELECT rep_train();
SET mlplat.threads = 1;
SELECT rep_train();
SET mlplat.threads = 2;
SELECT rep_train();
SET mlplat.threads = 4;
SELECT rep_train();
RESET mlplat.threads;
SET mlplat.execution = worker;
SELECT rep_train();
SET mlplat.execution = foreground;
SELECT rep_train();
RESET mlplat.execution;
SELECT array_agg(ml_train_async(k.algorithm, k.source, k.target, model => k.model, params => k.params, id => 'id')) AS jobs FROM rep_kinds k \gset
SELECT ml_wait(job), count(*) FROM unnest(:'jobs'::bigint[]) job GROUP BY 1;
SELECT model, count(*) AS versions, count(DISTINCT checksum) AS images FROM ml_versions WHERE model LIKE 'rep\_%' GROUP BY model ORDER BY model;

-- physical order: rows rewritten by UPDATE, clustered, inserted again backwards
UPDATE rep_customers SET support_calls = support_calls WHERE id % 3 = 0;
UPDATE rep_tumours SET mean_area = mean_area WHERE id % 2 = 0;
UPDATE rep_patients SET bmi = bmi WHERE id % 5 < 2;
SELECT rep_train();
CREATE INDEX rep_by_charge ON rep_customers (monthly_charge);
CREATE INDEX rep_by_area ON rep_tumours (mean_area);
CREATE INDEX rep_by_age ON rep_patients (age);
CLUSTER rep_customers USING rep_by_charge;
CLUSTER rep_tumours USING rep_by_area;
CLUSTER rep_patients USING rep_by_age;
SELECT rep_train();
CREATE TABLE rep_again AS TABLE rep_customers;
TRUNCATE rep_customers;
INSERT INTO rep_customers SELECT * FROM rep_again ORDER BY id DESC;
SELECT rep_train();
SELECT model, count(*) AS versions, count(DISTINCT checksum) AS images FROM ml_versions WHERE model LIKE 'rep\_%' GROUP BY model ORDER BY model;

-- and a different image for another seed, or other data
SELECT count(*) FROM rep_kinds k, ml_train(k.algorithm, k.source, k.target, model => k.model, params => k.params, id => 'id', seed => 43);
UPDATE rep_customers SET support_calls = 9 WHERE id <= 300;
UPDATE rep_tumours SET mean_area = 1 WHERE id <= 3;
UPDATE rep_patients SET bmi = 20 WHERE id <= 3;
SELECT rep_train();
SELECT model, count(DISTINCT checksum) AS images FROM ml_versions WHERE model LIKE 'rep\_%' GROUP BY model ORDER BY model;

SELECT count(ml_drop(model)) FROM rep_kinds;
DROP FUNCTION rep_train();
DROP TABLE rep_customers, rep_tumours, rep_patients, rep_kinds, rep_again;
