-- The backend's cache of models: bounded, shared by call sites, unharmed by errors; damaged images.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mlplat;
RESET client_min_messages;
\set SHOW_CONTEXT never

CREATE TABLE samples AS SELECT i % 50 AS a, i % 31 AS b, i % 17 AS c, (i * 7919) % 1009 * 1.0 AS y FROM generate_series(1, 2000) i;
CREATE VIEW cached AS SELECT count(*) AS models, coalesce(sum(total_bytes), 0) AS bytes FROM pg_backend_memory_contexts WHERE name = 'mlplat model';
\c -

-- One copy for all call sites and statements.
SELECT count(*) FROM ml_train('gbdt', 'samples', 'y', model => 'forest', split => 'none', params => '{"num_iterations": 50}');
SELECT models FROM cached;
SELECT count(ml_predict('forest', s)), count(ml_predict('forest@1', s)), count(ml_predict('forest@production', s)) FROM samples s;
SELECT models FROM cached;
SELECT count(ml_predict('forest', s)) FROM samples s;
SELECT models FROM cached;

-- What makes a forest faster is made when some rows have been predicted, in the same statement or in several; by a batch at once.
\c -
CREATE VIEW hastened AS SELECT count(*) AS hastened FROM pg_backend_memory_contexts WHERE name = 'mlplat hastened model';
SELECT count(ml_predict('forest', s)), min((SELECT hastened FROM hastened)) FROM (SELECT * FROM samples LIMIT 40) s;
SELECT count(ml_predict('forest', s)) FROM (SELECT * FROM samples LIMIT 20) s;
SELECT hastened FROM hastened;
CREATE TABLE slow AS SELECT s.*, ml_predict('forest', s) AS p FROM (SELECT * FROM samples LIMIT 3) s;
SELECT hastened FROM hastened;
SELECT count(ml_predict('forest', s)) FROM (SELECT * FROM samples LIMIT 1) s;
SELECT hastened FROM hastened;
SELECT bool_and(p = ml_predict('forest', s)) AS same FROM slow s;
\c -
SELECT count(*) FROM ml_predict_batch('forest', 'SELECT * FROM samples LIMIT 1');
SELECT hastened FROM hastened;
\c -
SELECT count(*) > 0 AS evaluated FROM ml_evaluate('forest', 'SELECT * FROM samples LIMIT 10');
SELECT hastened FROM hastened;
DROP VIEW hastened;
DROP TABLE slow;

-- Many models in one session: the cache stays within its size, and each answers for itself.
DO $$
BEGIN
  FOR k IN 1..60 LOOP
    PERFORM ml_train('linear_regression', format('SELECT a, a * %s.0 AS y FROM samples', k), 'y', model => 'segment ' || k, split => 'none');
  END LOOP;
END $$;
SET mlplat.model_cache_size = '64kB';
SELECT bool_and(abs(ml_predict('segment ' || k, r) - 10 * k) < 1e-6) AS right, count(*) FROM generate_series(1, 60) k, generate_series(1, 5) again, (SELECT 10 AS a) r;
SELECT models BETWEEN 1 AND 30 AS bounded FROM cached;
-- Models in use by a running statement stay, however small the cache is.
BEGIN;
DECLARE c CURSOR FOR SELECT round(ml_predict('segment 7', r)) AS seventh FROM (SELECT 10 AS a FROM generate_series(1, 3)) r;
FETCH c;
SELECT bool_and(abs(ml_predict('segment ' || k, r) - 10 * k) < 1e-6) AS right FROM generate_series(1, 60) k, (SELECT 10 AS a) r;
FETCH ALL c;
COMMIT;

-- A model larger than the cache serves, and is gone after the statement.
\set VERBOSITY terse
SET client_min_messages = log;
SELECT count(DISTINCT ml_predict('forest', s)) > 100 AS works, count(ml_predict('forest@1', s)) FROM samples s;
SELECT count(ml_predict('forest', s)) FROM samples s;
RESET client_min_messages;
\set VERBOSITY default
SELECT bytes < 100000 AS gone FROM cached;
RESET mlplat.model_cache_size;
SELECT sum(ml_predict('forest', s)) = (SELECT sum(prediction) FROM ml_predict_batch('forest', 'samples')) AS same FROM samples s;

-- Of more models of segments than there is room for, in turn, some are still there the next time; and all answer for themselves.
CREATE TABLE stores AS SELECT i AS id, i % 300 AS store, i / 300 % 20 AS a, i % 300 * (i / 300 % 20) AS y FROM generate_series(0, 11999) i;
SELECT rows FROM ml_train('linear_regression', 'stores', 'y', model => 'stores', features => '{a}', split => 'none', segment_by => '{store}', segment_min_rows => 10);
CREATE VIEW lookups AS SELECT idx_scan AS n FROM pg_stat_all_indexes WHERE indexrelname = 'segment_pkey';
\c -
SET max_parallel_workers_per_gather = 0;
SELECT max(abs(ml_predict('stores', s) - y)) < 1e-6 AS right FROM stores s;
SELECT models > 300 AS all_fit FROM cached;
SELECT pg_stat_force_next_flush();
SELECT n AS before FROM lookups \gset
SELECT max(abs(ml_predict('stores', s) - y)) < 1e-6 AS right FROM stores s;
SELECT pg_stat_force_next_flush();
SELECT n - :before AS looked_up FROM lookups;
SET mlplat.model_cache_size = '400kB';
SELECT max(abs(ml_predict('stores', s) - y)) < 1e-6 AS right FROM stores s;
SELECT bytes < 400 * 1024 AS bounded, models < 300 AS some_fit FROM cached;
SELECT pg_stat_force_next_flush();
SELECT n AS before FROM lookups \gset
SELECT max(abs(ml_predict('stores', s) - y)) < 1e-6 AS right FROM stores s;
SELECT pg_stat_force_next_flush();
SELECT n - :before BETWEEN 1000 AND 10000 AS looked_up_less FROM lookups;
RESET mlplat.model_cache_size;
RESET max_parallel_workers_per_gather;
SELECT ml_drop('stores');
DROP VIEW lookups;
DROP TABLE stores;

-- Memory does not grow with the number of rows.
CREATE FUNCTION peak_memory() RETURNS bigint LANGUAGE sql AS $$ SELECT (regexp_match(pg_read_file('/proc/self/status'), 'VmHWM:\s+(\d+)'))[1]::bigint $$;
SET max_parallel_workers_per_gather = 0;
SET jit = off;
SELECT count(ml_predict('forest', r)) FROM (SELECT a, b::numeric AS b, c FROM samples, generate_series(1, 5)) r;
SELECT peak_memory() AS before \gset
SELECT count(ml_predict('forest', r)) FROM (SELECT a, b::numeric AS b, c FROM samples, generate_series(1, 250)) r;
SELECT peak_memory() - :before < 2000 AS flat;
RESET max_parallel_workers_per_gather;

-- It can be stopped.
SET statement_timeout = '200ms';
SELECT count(ml_predict('forest', r)) FROM (SELECT i % 50 AS a, i % 31 AS b, i % 17 AS c FROM generate_series(1, 100000000) i) r; \echo :SQLSTATE
SELECT count(*) FROM ml_predict_batch('forest', 'SELECT i % 50 AS a, i % 31 AS b, i % 17 AS c FROM generate_series(1, 100000000) i'); \echo :SQLSTATE
RESET statement_timeout;
SELECT count(ml_predict('forest', s)) FROM samples s;

-- A damaged image is an error of that statement only; what is cached goes on.
SELECT version_id AS forest FROM mlplat.version JOIN mlplat.model USING (model_id) WHERE name = 'forest' \gset
SELECT version_id AS other FROM mlplat.version JOIN mlplat.model USING (model_id) WHERE name = 'segment 1' \gset
CREATE TABLE good AS SELECT * FROM mlplat.chunk WHERE version_id = :forest;
UPDATE mlplat.chunk SET data = set_byte(data, 1000, get_byte(data, 1000) # 1) WHERE version_id = :forest;
SELECT count(ml_predict('forest', s)) AS cached FROM samples s;
\c -
\set SHOW_CONTEXT never
SELECT ml_predict('forest', s) FROM samples s; \echo :SQLSTATE
SELECT * FROM ml_predict_batch('forest', 'samples'); \echo :SQLSTATE
SELECT models FROM cached;
SELECT round(ml_predict('segment 3', r)) AS others FROM (SELECT 10 AS a) r;
-- A checksum that was changed as well does not help.
BEGIN;
UPDATE mlplat.version SET checksum = encode(sha256((SELECT data FROM mlplat.chunk WHERE version_id = :forest)), 'hex') WHERE version_id = :forest;
SELECT ml_predict('forest', s) FROM samples s; \echo :SQLSTATE
ROLLBACK;
-- Truncated, too long, empty, missing, out of order, of another model.
\set VERBOSITY sqlstate
BEGIN; UPDATE mlplat.chunk c SET data = substr(g.data, 1, 500) FROM good g WHERE c.version_id = :forest; SELECT ml_predict('forest', s) FROM samples s; ROLLBACK;
BEGIN; UPDATE mlplat.chunk c SET data = g.data || '\x00' FROM good g WHERE c.version_id = :forest; SELECT ml_predict('forest', s) FROM samples s; ROLLBACK;
BEGIN; UPDATE mlplat.chunk SET data = '' WHERE version_id = :forest; SELECT ml_predict('forest', s) FROM samples s; ROLLBACK;
BEGIN; DELETE FROM mlplat.chunk WHERE version_id = :forest; SELECT ml_predict('forest', s) FROM samples s; ROLLBACK;
BEGIN; UPDATE mlplat.chunk SET chunk = 1 WHERE version_id = :forest; SELECT ml_predict('forest', s) FROM samples s; ROLLBACK;
BEGIN; UPDATE mlplat.version SET bytes = -1 WHERE version_id = :forest; SELECT ml_predict('forest', s) FROM samples s; ROLLBACK;
BEGIN; UPDATE mlplat.version SET bytes = 9223372036854775807 WHERE version_id = :forest; SELECT ml_predict('forest', s) FROM samples s; ROLLBACK;
BEGIN; UPDATE mlplat.chunk c SET data = o.data FROM mlplat.chunk o WHERE c.version_id = :forest AND o.version_id = :other;
UPDATE mlplat.version v SET bytes = o.bytes FROM mlplat.version o WHERE v.version_id = :forest AND o.version_id = :other; SELECT ml_predict('forest', s) FROM samples s; ROLLBACK;
\set VERBOSITY default
-- Chunks are put together in their order.
DELETE FROM mlplat.chunk WHERE version_id = :forest;
INSERT INTO mlplat.chunk SELECT version_id, 1, substr(data, 1001) FROM good UNION ALL SELECT version_id, 0, substr(data, 1, 1000) FROM good;
SELECT count(DISTINCT ml_predict('forest', s)) > 100 AS repaired FROM samples s;

-- A new extension with the same numbers serves its own models.
SET client_min_messages = warning;
SELECT round(ml_predict('segment 2', r)) AS before FROM (SELECT 10 AS a) r;
DROP EXTENSION mlplat CASCADE;
CREATE EXTENSION mlplat;
SELECT count(*) FROM ml_train('linear_regression', 'SELECT a, a * 5.0 AS y FROM samples', 'y', model => 'segment 2', split => 'none');
SELECT round(ml_predict('segment 2', r)) AS after FROM (SELECT 10 AS a) r;
SELECT ml_drop('segment 2');
DROP VIEW cached;
DROP TABLE samples, good;
DROP FUNCTION peak_memory;
