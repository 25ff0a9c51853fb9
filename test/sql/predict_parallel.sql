-- Predictions in parallel plans equal those of a serial one; labels and costs of the functions.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mlplat;
RESET client_min_messages;
\set SHOW_CONTEXT never

CREATE TABLE many AS SELECT i AS id, i % 101 AS a, (i % 37)::float8 / 3 AS b, (ARRAY['x', 'y', 'z'])[i % 3 + 1] AS c, i % 101 > 50 AS y FROM generate_series(1, 20000) i;
ALTER TABLE many SET (parallel_workers = 2);
SELECT version FROM ml_train('gbdt', 'many', 'y', model => 'many', exclude => '{id}', params => '{"num_iterations": 30}', split => 'none');
SELECT ml_create_function('many', 'many', kind => 'columns_proba', pinned => true);
CREATE TABLE serial AS SELECT id, ml_predict('many', m) AS p, ml_predict_class('many', m) AS label, ml_predict_proba('many', m) AS proba, ml_predict_probs('many', m) AS probs FROM many m;

SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS OFF) SELECT sum(ml_predict_proba('many', m)) FROM many m;
SELECT bool_and(m.p = s.p AND m.label = s.label AND m.proba = s.proba AND m.probs = s.probs AND m.j = s.p AND m.f = s.proba) AS equal, count(*)
FROM (SELECT id, ml_predict('many', m) AS p, ml_predict_class('many', m) AS label, ml_predict_proba('many', m) AS proba, ml_predict_probs('many', m) AS probs,
             ml_predict_json('many', to_jsonb(m)) AS j, many_columns_proba(a, b, c) AS f FROM many m OFFSET 0) m JOIN serial s USING (id);
SET parallel_leader_participation = off;
SELECT bool_and(m.p = s.p) AS equal, count(*) FROM (SELECT id, ml_predict('many', m) AS p FROM many m) m JOIN serial s USING (id);
SET force_parallel_mode = on;
SELECT ml_predict('many', m) IS NOT NULL AS forced FROM many m WHERE id = 1;
-- Workers look through the leader's snapshot: an own deploy that is not committed.
SELECT version FROM ml_train('gbdt', 'SELECT id, a, b, c, NOT y AS y FROM many', 'y', model => 'many', exclude => '{id}', params => '{"num_iterations": 30}', split => 'none');
BEGIN;
SELECT ml_deploy('many', 2);
SELECT count(*) FILTER (WHERE ml_predict('many', m) = ml_predict('many@1', m)) AS by_old, count(*) FILTER (WHERE ml_predict('many', m) = ml_predict('many@2', m)) AS by_new FROM many m;
ROLLBACK;
SELECT count(*) FILTER (WHERE ml_predict('many', m) = ml_predict('many@1', m)) AS by_old FROM many m;
SELECT ml_predict('many@5', m) FROM many m; \echo :SQLSTATE
RESET ALL;

-- The cost follows the model: the cheap filter comes first.
LOAD 'mlplat';
SELECT count(ml_predict('many', m)) FROM many m WHERE id = 1;
EXPLAIN (COSTS OFF) SELECT id FROM many m WHERE ml_predict_array('many', ARRAY[a, b, id % 3]) = 1 AND a = 7;

-- What reads is safe in parallel and says by its volatility what it depends on.
SELECT proname, provolatile, proparallel, proisstrict FROM pg_proc
WHERE (proname ~ '^ml_(predict|evaluate|confusion|roc|importance|coefficients|features|create_function)' OR proname ~ '^_(predict|batch)')
ORDER BY proname COLLATE "C";

SET client_min_messages = warning;
DROP FUNCTION many_columns_proba;
SELECT ml_drop('many');
DROP TABLE many, serial;
