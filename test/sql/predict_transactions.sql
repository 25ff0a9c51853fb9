-- One session: what ROLLBACK, savepoints, roles, isolation levels and prepared statements mean for a prediction.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mlplat;
RESET client_min_messages;

\set SHOW_CONTEXT never

-- Version n predicts n times x.
CREATE TABLE points AS SELECT x % 40 AS x, x % 40 * 1.0 AS y1, x % 40 * 2.0 AS y2, x % 40 * 3.0 AS y3 FROM generate_series(1, 200) x;
SELECT version FROM ml_train('linear_regression', 'SELECT x, y1 AS y FROM points', 'y', model => 'times');
SELECT version FROM ml_train('linear_regression', 'SELECT x, y2 AS y FROM points', 'y', model => 'times');
CREATE TABLE ten AS SELECT 10 AS x;
PREPARE predict AS SELECT round(ml_predict('times', t)) AS prepared FROM ten t;
PREPARE predict_named(text) AS SELECT round(ml_predict($1, t)) AS prepared FROM ten t;
SET plan_cache_mode = force_generic_plan;
EXECUTE predict;
EXECUTE predict_named('times@2');

-- The own deploy is seen by the next command, and gone after ROLLBACK.
BEGIN;
SELECT ml_deploy('times', 2);
EXECUTE predict;
SELECT round(ml_predict('times', t)) AS twice, round(ml_predict('times@production', t)) AS production, round(ml_predict('times@1', t)) AS once FROM ten t;
ROLLBACK;
EXECUTE predict;
-- Not within the command that deploys: it has its snapshot already.
SELECT ml_deploy('times', 2), round(ml_predict('times', t)) AS before FROM ten t;
EXECUTE predict;
SELECT ml_rollback('times');
EXECUTE predict;

BEGIN;
SAVEPOINT a;
SELECT ml_deploy('times', 2);
EXECUTE predict;
ROLLBACK TO a;
EXECUTE predict;
SELECT ml_deploy('times', 2);
RELEASE a;
EXECUTE predict;
ROLLBACK;
EXECUTE predict;

-- A model that was trained in this transaction serves in it, and is gone with it.
BEGIN;
SELECT version FROM ml_train('linear_regression', 'SELECT x, y3 AS y FROM points', 'y', model => 'fresh');
SELECT round(ml_predict('fresh', t)) AS fresh FROM ten t;
ROLLBACK;
SELECT ml_predict('fresh', t) FROM ten t; \echo :SQLSTATE
BEGIN;
SELECT ml_drop('times');
SELECT ml_predict('times', t) FROM ten t; \echo :SQLSTATE
ROLLBACK;
EXECUTE predict;
BEGIN;
SELECT ml_rename('times', 'often');
SELECT round(ml_predict('often', t)) AS renamed FROM ten t;
SAVEPOINT a;
SELECT ml_predict('times', t) FROM ten t; \echo :SQLSTATE
ROLLBACK TO a;
ROLLBACK;
EXECUTE predict;

-- In an aborted transaction.
BEGIN;
SELECT 1 / 0; \echo :SQLSTATE
EXECUTE predict; \echo :SQLSTATE
ROLLBACK;
EXECUTE predict;

-- Read-only and stricter transactions; nothing is written, no transaction id is taken.
BEGIN READ ONLY ISOLATION LEVEL SERIALIZABLE, DEFERRABLE;
EXECUTE predict;
SELECT round(ml_predict_array('times', '{10}')) AS array, (SELECT count(*) FROM ml_predict_batch('times', 'ten')) AS batch,
       (SELECT count(*) FROM ml_evaluate('times')) AS stored, (SELECT count(*) FROM ml_evaluate('times', 'SELECT x, y1 AS y FROM points')) AS measured, (SELECT count(*) FROM ml_coefficients('times')) AS coefficients;
SELECT pg_current_xact_id_if_assigned() IS NULL AS no_xid;
SELECT ml_create_function('times', 'ten'); \echo :SQLSTATE
ROLLBACK;
BEGIN ISOLATION LEVEL REPEATABLE READ;
EXECUTE predict;
SELECT ml_deploy('times', 2);
EXECUTE predict;
ROLLBACK;
EXECUTE predict;

-- PL/pgSQL keeps expressions from loop to loop, and still follows; so does a function that sees its own transaction only.
CREATE FUNCTION follow() RETURNS SETOF float8 LANGUAGE plpgsql AS $$
DECLARE
  r ten;
  v float8;
BEGIN
  SELECT * INTO r FROM ten;
  FOR i IN 1..3 LOOP
    IF i = 2 THEN PERFORM ml_deploy('times', 2); END IF;
    IF i = 3 THEN PERFORM ml_rollback('times'); END IF;
    v := ml_predict('times', r);
    RETURN NEXT round(v);
  END LOOP;
END $$;
SELECT follow();
-- Its row type may change as well.
CREATE FUNCTION follow_type() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  r record;
BEGIN
  FOR i IN 1..3 LOOP
    IF i = 2 THEN ALTER TABLE ten RENAME x TO old_x; ALTER TABLE ten ADD x numeric DEFAULT 11; END IF;
    IF i = 3 THEN ALTER TABLE ten ALTER x TYPE text; END IF;
    SELECT * INTO r FROM ten;
    RAISE NOTICE '%', round(ml_predict('times', r));
  END LOOP;
END $$;
BEGIN;
SELECT follow_type(); \echo :SQLSTATE
ROLLBACK;
-- One version for the whole statement, also where it is called after the deploy.
CREATE FUNCTION deploy_second() RETURNS int LANGUAGE sql AS $$ SELECT ml_deploy('times', 2) $$;
SELECT round(ml_predict('times', t)) AS early, deploy_second(), round(ml_predict('times', t)) AS late FROM ten t;
SELECT round(ml_predict('times', t)) AS next, ml_rollback('times') FROM ten t;

-- Errors inside a block leave the session as it was.
DO $$
DECLARE
  v float8;
BEGIN
  FOR i IN 1..3 LOOP
    BEGIN
      v := ml_predict(CASE i WHEN 2 THEN 'nothing' ELSE 'times' END, t) FROM ten t;
      RAISE NOTICE 'loop %: %', i, round(v);
    EXCEPTION WHEN undefined_object THEN
      RAISE NOTICE 'loop %: %', i, SQLERRM;
    END;
  END LOOP;
END $$;
-- A name that varies from row to row.
SELECT n, round(ml_predict('times@' || n, t)) AS value FROM ten t, unnest('{1,2,1,2}'::int[]) n;
SELECT n, round(ml_predict('times@' || n, t)) AS value FROM ten t, unnest('{1,9}'::int[]) n; \echo :SQLSTATE

-- Roles: the privilege counts at each statement, whatever is in the cache.
CREATE ROLE regress_ml_ann;
CREATE ROLE regress_ml_bob;
GRANT SELECT ON ten, points TO regress_ml_ann, regress_ml_bob;
EXECUTE predict;
SET ROLE regress_ml_ann;
EXECUTE predict; \echo :SQLSTATE
SELECT ml_predict('times@9', t) FROM ten t; \echo :SQLSTATE
RESET ROLE;
SELECT ml_grant('times', 'regress_ml_ann', 'predict');
SET ROLE regress_ml_ann;
EXECUTE predict;
SELECT round(prediction) FROM ml_predict_batch('times', 'ten');
SELECT count(*) FROM ml_features('times');
SELECT metric FROM ml_evaluate('times', 'SELECT x, y1 AS y FROM points');
SELECT metric FROM ml_evaluate('times'); \echo :SQLSTATE
SELECT * FROM ml_coefficients('times'); \echo :SQLSTATE
SELECT * FROM ml_importance('times'); \echo :SQLSTATE
SET ROLE regress_ml_bob;
EXECUTE predict; \echo :SQLSTATE
SELECT * FROM ml_predict_batch('times', 'ten'); \echo :SQLSTATE
SELECT * FROM ml_features('times'); \echo :SQLSTATE
SELECT * FROM ml_coefficients('times'); \echo :SQLSTATE
SELECT * FROM ml_roc_curve('times'); \echo :SQLSTATE
SELECT mlplat._predict_version(1, t) FROM ten t; \echo :SQLSTATE
SELECT mlplat._predict(1, 'production', t) FROM ten t; \echo :SQLSTATE
RESET ROLE;
GRANT regress_ml_ann TO regress_ml_bob;
SET ROLE regress_ml_bob;
EXECUTE predict;
RESET ROLE;
SELECT ml_revoke('times', 'regress_ml_ann', 'predict');
SET ROLE regress_ml_bob;
EXECUTE predict; \echo :SQLSTATE
RESET ROLE;
-- Roles that change within one PL/pgSQL expression.
SELECT ml_grant('times', 'regress_ml_ann', 'predict');
REVOKE regress_ml_ann FROM regress_ml_bob;
DO $$
DECLARE
  who text;
  r ten;
  v float8;
BEGIN
  SELECT * INTO r FROM ten;
  FOREACH who IN ARRAY '{regress_ml_ann,regress_ml_bob}'::text[] LOOP
    PERFORM set_config('role', who, true);
    v := ml_predict('times', r);
    RAISE NOTICE '%: %', who, round(v);
  END LOOP;
END $$; \echo :SQLSTATE
DISCARD ALL;
SELECT round(ml_predict('times', t)) AS after_discard FROM ten t;

-- NULLs and nonsense straight into the internal functions.
SELECT mlplat._predict_version(NULL, t), mlplat._predict(NULL, NULL, t), mlplat._predict_version_columns(NULL, 1), mlplat._predict_columns(NULL, NULL, NULL, 1) FROM ten t;
SELECT mlplat._predict_version(-1, t) FROM ten t; \echo :SQLSTATE
SELECT mlplat._predict(-1, 'production', t) FROM ten t; \echo :SQLSTATE
SELECT mlplat._predict_version_columns(9223372036854775807, 1); \echo :SQLSTATE
SELECT mlplat._predict_version_columns(version_id) FROM mlplat.version JOIN mlplat.model USING (model_id) WHERE name = 'times' LIMIT 1; \echo :SQLSTATE
SELECT mlplat._predict_version_columns(version_id, 1, 2) FROM mlplat.version JOIN mlplat.model USING (model_id) WHERE name = 'times' LIMIT 1; \echo :SQLSTATE
SELECT mlplat._predict_version_columns(version_id, 'x'::text) FROM mlplat.version JOIN mlplat.model USING (model_id) WHERE name = 'times' LIMIT 1; \echo :SQLSTATE
SELECT mlplat._predict_version_columns(version_id, VARIADIC '{1}'::int[]) FROM mlplat.version JOIN mlplat.model USING (model_id) WHERE name = 'times' LIMIT 1; \echo :SQLSTATE
SELECT mlplat._predict_columns(model_id, 'nobody', '{x}', 1) FROM mlplat.model WHERE name = 'times'; \echo :SQLSTATE
SELECT mlplat._predict_columns(model_id, 'production', '{x}', 1, 2) FROM mlplat.model WHERE name = 'times'; \echo :SQLSTATE
SELECT mlplat._predict_columns(model_id, 'production', '{x,NULL}', 1, 2) FROM mlplat.model WHERE name = 'times'; \echo :SQLSTATE
SELECT mlplat._predict_columns(model_id, 'production', '{z}', 1) FROM mlplat.model WHERE name = 'times'; \echo :SQLSTATE
SELECT round(mlplat._predict_columns(model_id, 'production', '{w,x}', 1, 10)) FROM mlplat.model WHERE name = 'times';

SELECT ml_drop('times');
DROP FUNCTION follow, follow_type, deploy_second;
DROP TABLE ten, points;
DROP ROLE regress_ml_ann, regress_ml_bob;
