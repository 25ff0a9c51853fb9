-- Queued runs: transactions decide what starts, priorities when; waiting and stopping.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mlplat;
RESET client_min_messages;

CREATE SCHEMA train_queue;
SET search_path = train_queue, public;
CREATE TABLE rows_ AS
SELECT i AS id, i % 17 AS a, (i * 31) % 101 / 10.0::float8 AS b, 3.0 * (i % 17) + (i * 7) % 13 / 10.0 AS y
FROM generate_series(1, 400) i;

-- committed: it runs; its settings come along (the name is found by the search_path of the caller)
SELECT ml_train_async('linear_regression', 'rows_', 'y', model => 'queued', note => 'first') AS job \gset
SELECT ml_wait(:job, '30 s');
SELECT model, version, state, progress, eta, sqlstate, queued_at <= started_at AS waited, started_at <= finished_at AS ran, seconds >= 0 AS took,
	peak_memory > 0 AS measured, owner = current_user AS mine FROM ml_jobs WHERE job = :job;

-- rolled back, wholly or to a savepoint: it never was
BEGIN;
SELECT ml_train_async('linear_regression', 'rows_', 'y', model => 'queued') AS job \gset
ROLLBACK;
\set VERBOSITY sqlstate
SELECT ml_wait(:job, '1 s');
\set VERBOSITY default
BEGIN;
SELECT ml_train_async('linear_regression', 'rows_', 'y', model => 'queued', note => 'kept') AS kept \gset
SAVEPOINT one;
SELECT ml_train_async('linear_regression', 'rows_', 'y', model => 'queued', note => 'undone') AS undone \gset
ROLLBACK TO one;
SAVEPOINT two;
SELECT ml_train_async('linear_regression', 'rows_', 'y', model => 'queued', note => 'released') AS released \gset
RELEASE two;
COMMIT;
SELECT ml_wait(:kept, '30 s'), ml_wait(:released, '30 s');
\set VERBOSITY sqlstate
SELECT ml_wait(:undone, '1 s');
\set VERBOSITY default
SELECT count(*) FROM ml_versions WHERE model = 'queued';

-- it sees what its transaction wrote
BEGIN;
CREATE TABLE fresh AS SELECT * FROM rows_;
SELECT ml_train_async('linear_regression', 'fresh', 'y', model => 'fresh') AS job \gset
-- but not within it
\set VERBOSITY sqlstate
SELECT ml_wait(:job, '1 s');
\set VERBOSITY default
ROLLBACK;
BEGIN;
CREATE TABLE fresh AS SELECT * FROM rows_;
SELECT ml_train_async('linear_regression', 'fresh', 'y', model => 'fresh') AS job \gset
COMMIT;
SELECT ml_wait(:job, '30 s');

-- not with PREPARE TRANSACTION
BEGIN;
SELECT ml_train_async('linear_regression', 'rows_', 'y', model => 'queued') IS NOT NULL AS queued;
PREPARE TRANSACTION 'train_queue';

-- the source has changed when it starts
BEGIN;
SELECT ml_train_async('linear_regression', 'fresh', 'y', model => 'fresh', features => '{a}') AS job \gset
ALTER TABLE fresh DROP COLUMN a;
COMMIT;
SELECT ml_wait(:job, '30 s');
SELECT state, sqlstate, message FROM ml_jobs WHERE job = :job;
BEGIN;
SELECT ml_train_async('linear_regression', 'fresh', 'y', model => 'fresh', features => '{b}') AS job \gset
ALTER TABLE fresh ALTER COLUMN b TYPE json USING to_json(b);
COMMIT;
SELECT ml_wait(:job, '30 s');
SELECT state, sqlstate, message FROM ml_jobs WHERE job = :job;
BEGIN;
SELECT ml_train_async('linear_regression', 'fresh', 'y', model => 'fresh') AS job \gset
DROP TABLE fresh;
COMMIT;
SELECT ml_wait(:job, '30 s');
SELECT state, sqlstate, message FROM ml_jobs WHERE job = :job;

-- waiting for a while, and looking meanwhile
SELECT ml_train_async('gbdt', 'rows_', 'y', model => 'long', params => '{"num_iterations": 100000}', validation => 0.2) AS job \gset
DO $$
BEGIN
	FOR i IN 1..300 LOOP
		EXIT WHEN EXISTS (SELECT FROM ml_training_history WHERE model = 'long' AND split = 'validation');
		PERFORM pg_sleep(0.1);
	END LOOP;
END $$;
SELECT ml_wait(:job, '0');
SELECT state, phase, progress > 0 AND progress < 1 AS part, eta IS NOT NULL AS estimated, seconds > 0 AS since,
	message ~ '^iteration \d+ of 100000, train loss [0-9.e-]+, validation loss [0-9.e-]+$' AS told, peak_memory > 0 AS measured
FROM ml_jobs WHERE job = :job;
SELECT version, split, metric, iteration > 0 AS goes_on, value > 0 AS has_loss FROM ml_training_history WHERE model = 'long' ORDER BY split;
-- it holds no snapshot and no lock on its source while it computes
SELECT backend_xmin, (SELECT count(*) FROM pg_locks l WHERE l.pid = s.pid AND locktype = 'relation') AS relations, application_name
FROM pg_stat_activity s WHERE backend_type = 'mlplat job';
SELECT ml_cancel(:job);
SELECT ml_wait(:job, '30 s');
SELECT state, phase, sqlstate, message FROM ml_jobs WHERE job = :job;
SELECT ml_cancel(:job);

-- terminated
SELECT ml_train_async('gbdt', 'rows_', 'y', model => 'long', params => '{"num_iterations": 100000}') AS job \gset
DO $$
BEGIN
	FOR i IN 1..300 LOOP
		EXIT WHEN EXISTS (SELECT FROM ml_jobs WHERE model = 'long' AND state = 'running' AND phase = 'fit');
		PERFORM pg_sleep(0.1);
	END LOOP;
END $$;
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE backend_type = 'mlplat job';
SELECT ml_wait(:job, '30 s');
SELECT state, phase, sqlstate, message FROM ml_jobs WHERE job = :job;

-- cancelled before it was committed
BEGIN;
SELECT ml_train_async('gbdt', 'rows_', 'y', model => 'long', params => '{"num_iterations": 100000}') AS job \gset
SELECT ml_cancel(:job);
COMMIT;
SELECT ml_wait(:job, '30 s');
SELECT state, started_at, sqlstate, message FROM ml_jobs WHERE job = :job;

\set VERBOSITY sqlstate
SELECT ml_wait(-1);
SELECT ml_cancel(-1);
\set VERBOSITY default
SELECT ml_cancel(NULL) IS NULL AS strict;
SELECT ml_wait(:job, '-1 s');

-- nothing is left running
SELECT count(*) FROM ml_jobs WHERE state IN ('queued', 'running');
SELECT count(*) FROM ml_models WHERE model = 'long';
SET client_min_messages = warning;
SELECT count(ml_drop(model)) FROM ml_models WHERE model IN ('queued', 'fresh');
DROP SCHEMA train_queue CASCADE;
