-- Who may train on what, and who sees which runs.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mlplat;
RESET client_min_messages;

CREATE SCHEMA train_rights;
SET search_path = train_rights, public;
CREATE TABLE rows_ AS
SELECT i AS id, i % 17 AS a, (i * 31) % 101 / 10.0::float8 AS b, i % 4 AS tenant, 3.0 * (i % 17) + (i * 7) % 13 / 10.0 AS y
FROM generate_series(1, 400) i;
CREATE ROLE regress_anna LOGIN;
CREATE ROLE regress_bert LOGIN;
CREATE ROLE regress_team NOLOGIN;
GRANT regress_team TO regress_anna;
GRANT USAGE ON SCHEMA train_rights TO regress_anna, regress_bert, regress_team;

-- no SELECT on the source: refused in every mode, before a run exists
SET ROLE regress_anna;
SELECT ml_train('linear_regression', 'rows_', 'y');
SET mlplat.execution = foreground;
SELECT ml_train('linear_regression', 'rows_', 'y');
RESET mlplat.execution;
SELECT ml_train_async('linear_regression', 'rows_', 'y');
SELECT count(*) FROM ml_jobs WHERE owner = 'regress_anna';
RESET ROLE;

-- some columns only
GRANT SELECT (a, y) ON rows_ TO regress_anna;
SET ROLE regress_anna;
SELECT ml_train('linear_regression', 'rows_', 'y', model => 'anna', features => '{a, b}');
SELECT version, features FROM ml_train('linear_regression', 'rows_', 'y', model => 'anna', features => '{a}', split => 'none', holdout => 0);
RESET ROLE;

-- row-level security, under SET ROLE to a role that cannot log in, with a policy on a setting
ALTER TABLE rows_ ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON rows_ USING (tenant = current_setting('train_rights.tenant', true)::int);
GRANT SELECT ON rows_ TO regress_team;
SET ROLE regress_team;
SET train_rights.tenant = 2;
SET mlplat.execution = worker;
SELECT rows FROM ml_train('linear_regression', 'rows_', 'y', model => 'team');
SET mlplat.execution = foreground;
SELECT rows FROM ml_train('linear_regression', 'rows_', 'y', model => 'team');
RESET mlplat.execution;
SET row_security = off;
SELECT ml_train('linear_regression', 'rows_', 'y', model => 'team');
RESET row_security;
-- a queued run is one of a role that can log in
SELECT ml_train_async('linear_regression', 'rows_', 'y', model => 'team');
RESET ROLE;
RESET train_rights.tenant;
ALTER TABLE rows_ DISABLE ROW LEVEL SECURITY;

-- queued under SET ROLE: it runs as that role, which must still have the right when it starts
GRANT SELECT ON rows_ TO regress_bert;
SET ROLE regress_bert;
SELECT ml_train_async('linear_regression', 'rows_', 'y', model => 'bert') AS job \gset
SELECT ml_wait(:job, '30 s');
SELECT model, version, state, owner FROM ml_jobs;
BEGIN;
SELECT ml_train_async('linear_regression', 'rows_', 'y', model => 'bert') AS job \gset
RESET ROLE;
REVOKE SELECT ON rows_ FROM regress_bert;
COMMIT;
SELECT ml_wait(:job, '30 s');
SELECT state, sqlstate, message FROM ml_jobs WHERE job = :job;
GRANT SELECT ON rows_ TO regress_bert;

-- a new version of somebody else's model
SET ROLE regress_bert;
SELECT ml_train('linear_regression', 'rows_', 'y', model => 'anna');
SELECT ml_retrain('anna');
RESET ROLE;
SET ROLE regress_anna;
SELECT ml_grant('anna', 'regress_bert', 'train');
RESET ROLE;
SET ROLE regress_bert;
SELECT version FROM ml_train('linear_regression', 'rows_', 'y', model => 'anna');
SELECT ml_train('linear_regression', 'rows_', 'y', model => 'anna', deploy => 'always');
SELECT ml_retrain('anna');
SELECT version FROM ml_retrain('anna', deploy => 'never');
RESET ROLE;

-- whose runs one sees: one's own, those on models one may read, all for who may see all statistics
SET ROLE regress_bert;
SELECT model, owner, state FROM ml_jobs ORDER BY job;
RESET ROLE;
SET ROLE regress_team;
SELECT model, owner, state FROM ml_jobs ORDER BY job;
SELECT count(*) FROM ml_training_history WHERE model = 'anna';
RESET ROLE;
SELECT job FROM ml_jobs WHERE model = 'bert' ORDER BY job LIMIT 1 \gset
SET ROLE regress_team;
-- for others it does not exist
\set VERBOSITY sqlstate
SELECT ml_wait(:job);
SELECT ml_cancel(:job);
\set VERBOSITY default
RESET ROLE;
GRANT pg_read_all_stats TO regress_team;
SET ROLE regress_team;
SELECT count(*) > 5 AS all_of_them FROM ml_jobs WHERE owner LIKE 'regress\_%';
-- seeing is not stopping: but this one has ended, so look at one that runs
RESET ROLE;
SET ROLE regress_bert;
SELECT ml_train_async('gbdt', 'rows_', 'y', model => 'long', params => '{"num_iterations": 100000}', priority => 3) AS job \gset
RESET ROLE;
SET ROLE regress_team;
\set VERBOSITY sqlstate
SELECT ml_cancel(:job);
\set VERBOSITY default
RESET ROLE;
SET ROLE regress_bert;
SELECT ml_cancel(:job);
SELECT ml_wait(:job, '30 s');
SELECT ml_cancel(:job);
RESET ROLE;
SELECT state, sqlstate FROM ml_jobs WHERE job = :job;
-- who may signal backends may stop runs, but not those of a superuser
GRANT pg_signal_backend TO regress_team;
SET ROLE regress_bert;
SELECT ml_train_async('gbdt', 'rows_', 'y', model => 'long', params => '{"num_iterations": 100000}') AS job \gset
RESET ROLE;
SET ROLE regress_team;
SELECT ml_cancel(:job);
SELECT ml_wait(:job, '30 s');
RESET ROLE;
SELECT ml_train_async('gbdt', 'rows_', 'y', model => 'long', params => '{"num_iterations": 100000}') AS job \gset
SET ROLE regress_team;
\set VERBOSITY sqlstate
SELECT ml_cancel(:job);
\set VERBOSITY default
RESET ROLE;
SELECT ml_cancel(:job);
SELECT ml_wait(:job, '30 s');
REVOKE pg_read_all_stats, pg_signal_backend FROM regress_team;

-- the owner of a queued job goes away before it starts
CREATE ROLE regress_gone LOGIN;
GRANT SELECT ON rows_ TO regress_gone;
GRANT USAGE ON SCHEMA train_rights TO regress_gone;
BEGIN;
SET LOCAL ROLE regress_gone;
SELECT ml_train_async('linear_regression', 'rows_', 'y', model => 'gone') AS job \gset
RESET ROLE;
DROP OWNED BY regress_gone;
DROP ROLE regress_gone;
COMMIT;
SELECT ml_wait(:job, '30 s');
SELECT state, sqlstate, message FROM ml_jobs WHERE job = :job;

SET client_min_messages = warning;
SELECT count(ml_drop(model)) FROM ml_models WHERE model IN ('anna', 'bert', 'team', 'long');
DROP SCHEMA train_rights CASCADE;
DROP ROLE regress_anna, regress_bert, regress_team;
