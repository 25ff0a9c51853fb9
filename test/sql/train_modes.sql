-- One outcome wherever it is computed; what a rollback, a failure and a limit leave.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mlplat;
RESET client_min_messages;

CREATE SCHEMA train_modes;
SET search_path = train_modes, public;
CREATE TABLE rows_ AS
SELECT i AS id, i % 17 AS a, (i * 31) % 101 / 10.0::float8 AS b, (ARRAY['x', 'y', 'z'])[i % 3 + 1] AS kind,
	i % 5 = 0 AS flag, 3 * (i % 17) - 0.5 * ((i * 31) % 101) / 10.0 + (i * 7) % 13 / 10.0 AS y
FROM generate_series(1, 1000) i;

-- worker, foreground, queued; one, two and four threads: the same image
SELECT version, rows, features, metric FROM ml_train('gbdt', 'rows_', 'y', model => 'modes', id => 'id', params => '{"num_iterations": 20}');
SET mlplat.execution = worker;
SET mlplat.threads = 1;
SELECT version FROM ml_train('gbdt', 'rows_', 'y', model => 'modes', id => 'id', params => '{"num_iterations": 20}');
SET mlplat.execution = foreground;
SET mlplat.threads = 4;
SELECT version FROM ml_train('gbdt', 'rows_', 'y', model => 'modes', id => 'id', params => '{"num_iterations": 20}');
RESET mlplat.execution;
SET mlplat.threads = 2;
SELECT ml_train_async('gbdt', 'rows_', 'y', model => 'modes', id => 'id', params => '{"num_iterations": 20}') AS job \gset
SELECT ml_wait(:job, '30 s');
RESET mlplat.threads;
SELECT count(*), count(DISTINCT checksum) AS different FROM ml_versions WHERE model = 'modes';

-- a query that a worker cannot run, and a temporary table: the session computes
CREATE FUNCTION unsafe(n int) RETURNS int LANGUAGE sql PARALLEL UNSAFE AS 'SELECT n';
SET mlplat.execution = worker;
SELECT version FROM ml_train('gbdt', 'SELECT id, train_modes.unsafe(a) AS a, b, kind, flag, y FROM rows_', 'y', model => 'modes', id => 'id',
	params => '{"num_iterations": 20}');
CREATE TEMP TABLE passing AS SELECT * FROM rows_;
SELECT version FROM ml_train('gbdt', 'passing', 'y', model => 'modes', id => 'id', params => '{"num_iterations": 20}');
RESET mlplat.execution;
SELECT count(*), count(DISTINCT checksum) AS different FROM ml_versions WHERE model = 'modes';
-- which cannot be queued
SELECT ml_train_async('gbdt', 'passing', 'y', model => 'modes');

-- no worker to be had
SET max_parallel_workers = 0;
SET mlplat.execution = worker;
SELECT version FROM ml_train('gbdt', 'rows_', 'y', model => 'modes', id => 'id', params => '{"num_iterations": 20}');
RESET mlplat.execution;
SELECT version FROM ml_train('gbdt', 'rows_', 'y', model => 'modes', id => 'id', params => '{"num_iterations": 20}');
RESET max_parallel_workers;

-- a worker sees what the transaction sees: rows and tables that are not committed, changed settings
BEGIN;
INSERT INTO rows_ SELECT 10000 + id, a, b, kind, flag, y FROM rows_;
CREATE TABLE fresh AS SELECT * FROM rows_;
SET LOCAL mlplat.execution = worker;
SELECT rows FROM ml_train('linear_regression', 'rows_', 'y', model => 'inside');
SELECT rows FROM ml_train('linear_regression', 'fresh', 'y', model => 'inside');
SELECT model, version FROM ml_versions WHERE model = 'inside' ORDER BY version;
ROLLBACK;
SELECT count(*) FROM ml_models WHERE model = 'inside';
SELECT state, version, sqlstate FROM ml_jobs WHERE model = 'inside';

-- the view of jobs in a parallel query, while one has been rolled back and nobody has settled it
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT state, (SELECT count(*) FROM rows_ WHERE a >= 0) AS rows FROM ml_jobs WHERE model = 'inside';
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;

-- an error inside a function reads the same in a worker and in the session
CREATE FUNCTION train_error_context() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	context text;
BEGIN
	PERFORM ml_train('gbdt', 'SELECT 1 / (id - 500) AS a, y FROM rows_', 'y', model => 'failing');
EXCEPTION WHEN division_by_zero THEN
	GET STACKED DIAGNOSTICS context = PG_EXCEPTION_CONTEXT;
	RETURN context;
END $$;
SELECT train_error_context() AS worker \gset
SET mlplat.execution = foreground;
SELECT train_error_context() AS foreground \gset
RESET mlplat.execution;
SELECT :'worker' = :'foreground' AS equal, :'worker' AS context;

-- and in every isolation level
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM rows_;
SELECT version FROM ml_train('linear_regression', 'rows_', 'y', model => 'levels');
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT version FROM ml_train('linear_regression', 'rows_', 'y', model => 'levels');
COMMIT;
SELECT state, version FROM ml_jobs WHERE model = 'levels' ORDER BY job;

-- not where nothing may be written, and nothing may be written by the source
BEGIN READ ONLY;
SELECT ml_train('linear_regression', 'rows_', 'y', model => 'levels');
ROLLBACK;
BEGIN READ ONLY;
SELECT ml_train_async('linear_regression', 'rows_', 'y', model => 'levels');
ROLLBACK;
CREATE FUNCTION writes(n int) RETURNS int LANGUAGE plpgsql AS 'BEGIN INSERT INTO train_modes.rows_ (id) VALUES (n); RETURN n; END';
SELECT ml_train('linear_regression', 'SELECT train_modes.writes(a) AS a, b, y FROM rows_', 'y', model => 'levels');
SELECT ml_train('linear_regression', 'WITH gone AS (DELETE FROM rows_ RETURNING *) SELECT a, b, y FROM gone', 'y', model => 'levels');
SELECT count(*) FROM rows_;

-- a failure: its SQLSTATE in each mode, its record, and nothing else
SELECT ml_train('linear_regression', 'SELECT 1 / (id - 500) AS a, b, y FROM rows_', 'y', model => 'fails');
SET mlplat.execution = foreground;
SELECT ml_train('linear_regression', 'SELECT 1 / (id - 500) AS a, b, y FROM rows_', 'y', model => 'fails');
RESET mlplat.execution;
SELECT ml_train_async('linear_regression', 'SELECT 1 / (id - 500) AS a, b, y FROM rows_', 'y', model => 'fails') AS job \gset
SELECT ml_wait(:job, '30 s');
SELECT state, version, phase, sqlstate, message, progress, finished_at >= started_at AS ended FROM ml_jobs WHERE model = 'fails' ORDER BY job;
SELECT count(*) FROM ml_models WHERE model = 'fails';

-- a failure inside a block that catches it leaves a session that goes on
DO $$
BEGIN
	PERFORM ml_train('linear_regression', 'SELECT 1 / (id - 500) AS a, b, y FROM rows_', 'y', model => 'caught');
EXCEPTION WHEN division_by_zero THEN
	PERFORM ml_train('linear_regression', 'rows_', 'y', model => 'caught');
END $$;
SELECT state, version, sqlstate FROM ml_jobs WHERE model = 'caught' ORDER BY job;

-- limits of time
SELECT ml_train('gbdt', 'rows_', 'y', model => 'slow', params => '{"num_iterations": 100000}', max_seconds => 0.3);
SET mlplat.execution = foreground;
SELECT ml_train('gbdt', 'rows_', 'y', model => 'slow', params => '{"num_iterations": 100000}', max_seconds => 0.3);
SELECT ml_train('gbdt', 'SELECT pg_sleep(10), a, y FROM rows_', 'y', model => 'slow', features => '{a}', max_seconds => 0.3);
RESET mlplat.execution;
SET statement_timeout = '300ms';
SELECT ml_train('gbdt', 'rows_', 'y', model => 'slow', params => '{"num_iterations": 100000}');
RESET statement_timeout;
SELECT ml_train_async('gbdt', 'rows_', 'y', model => 'slow', params => '{"num_iterations": 100000}', max_seconds => 0.3) AS job \gset
SELECT ml_wait(:job, '30 s');
SELECT state, phase, sqlstate, message, seconds < 5 AS in_time FROM ml_jobs WHERE model = 'slow' ORDER BY job;
SELECT count(*) FROM ml_models WHERE model = 'slow';
-- the limit of one run is not that of the next
SELECT version FROM ml_train('linear_regression', 'rows_', 'y', model => 'levels', max_seconds => 60);

-- retraining: as it was asked for before, on the rows of today
SELECT version, algorithm FROM ml_train('gbdt', 'rows_', 'flag', model => 'again', id => 'id', exclude => '{y}', params => '{"num_iterations": 5}', seed => 7);
SELECT version, algorithm, score IS NOT NULL AS judged, cardinality(warnings) AS warnings FROM ml_retrain('again');
SELECT production_version FROM ml_models WHERE model = 'again';
SELECT version FROM ml_retrain('again', deploy => 'always');
SELECT production_version FROM ml_models WHERE model = 'again';
SELECT version, rows FROM ml_retrain('again@1', source => 'SELECT * FROM rows_ WHERE id <= 600', deploy => 'never');
SELECT version, parent_version, request ->> 'seed' AS seed, request -> 'exclude' AS exclude, params
FROM mlplat.version v JOIN mlplat.model m USING (model_id) WHERE m.name = 'again' ORDER BY version;
SELECT count(DISTINCT checksum) FROM ml_versions WHERE model = 'again' AND version <= 3;
SELECT ml_retrain('no such model');
SELECT ml_retrain('again@99');

-- if_better with something better, and with nothing to beat
SELECT version FROM ml_train('gbdt', 'rows_', 'y', model => 'rivals', id => 'id', params => '{"num_iterations": 1, "num_leaves": 2}');
SELECT version, warnings FROM ml_train('gbdt', 'rows_', 'y', model => 'rivals', id => 'id', params => '{"num_iterations": 100}', deploy => 'if_better');
SELECT production_version FROM ml_models WHERE model = 'rivals';
SELECT version, warnings[1] LIKE 'not deployed: r2 is %, and % for version 2 in production, on the same rows' AS kept
FROM ml_train('gbdt', 'rows_', 'y', model => 'rivals', id => 'id', params => '{"num_iterations": 2, "num_leaves": 2}', deploy => 'if_better');
SELECT production_version FROM ml_models WHERE model = 'rivals';
SELECT version FROM ml_train('gbdt', 'rows_', 'y', model => 'nobody', id => 'id', params => '{"num_iterations": 2}', deploy => 'if_better');
SELECT production_version FROM ml_models WHERE model = 'nobody';

-- nothing is left running
SELECT count(*) FROM ml_jobs WHERE state IN ('queued', 'running');
SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 19788;

SET client_min_messages = warning;
SELECT count(ml_drop(model)) FROM ml_models WHERE model IN ('modes', 'levels', 'caught', 'again', 'rivals', 'nobody');
DROP SCHEMA train_modes CASCADE;
