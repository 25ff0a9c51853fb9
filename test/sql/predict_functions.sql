-- Functions that make a prediction read like a column; indexes and generated columns on them.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mlplat;
RESET client_min_messages;
\set SHOW_CONTEXT never

CREATE SCHEMA "Shop";
SET search_path = "Shop", public;
CREATE TABLE "Shop"."Buyers" AS
SELECT i AS id, i % 60 AS age, (i % 90) / 3.0::numeric AS paid, (ARRAY['a', 'b', 'c'])[i % 3 + 1] AS city, i % 60 > 30 AS returns,
       (ARRAY['low', 'high'])[(i % 60 > 20)::int + 1] AS value, 5.0 + i % 60 AS score
FROM generate_series(1, 300) i;
SELECT version FROM ml_train('gbdt', '"Shop"."Buyers"', 'returns', model => 'returns', features => '{age,paid,city}', params => '{"num_iterations": 10}', split => 'none');
SELECT version FROM ml_train('gbdt', '"Shop"."Buyers"', 'value', model => 'value', features => '{age,city}', params => '{"num_iterations": 10}', split => 'none');
SELECT version FROM ml_train('linear_regression', '"Shop"."Buyers"', 'score', model => 'score', features => '{age}', split => 'none');

-- Each kind answers as the function of that name does.
SELECT ml_create_function('returns', '"Shop"."Buyers"');
SELECT ml_create_function('value', '"Shop"."Buyers"', kind => 'class');
SELECT ml_create_function('value', '"Shop"."Buyers"', kind => 'proba', name => 'How "likely"');
SELECT ml_create_function('returns@production', '"Shop"."Buyers"', kind => 'columns', name => 'by_columns');
SELECT ml_create_function('value', '"Shop"."Buyers"', kind => 'columns_class');
SELECT ml_create_function('value', '"Shop"."Buyers"', kind => 'columns_proba');
SELECT bool_and(b.returns_predict = ml_predict('returns', b)) AS predict, bool_and(b.value_class = ml_predict_class('value', b)) AS class,
       bool_and(b."How ""likely""" = ml_predict_proba('value', b)) AS proba, bool_and("Shop".by_columns(age, paid, city) = ml_predict('returns', b)) AS columns,
       bool_and("Shop".value_columns_class(age, city) = ml_predict_class('value', b)) AS columns_class,
       bool_and("Shop".value_columns_proba(age, city) = ml_predict_proba('value', b)) AS columns_proba
FROM "Shop"."Buyers" b;
-- Columns that are NULL are missing values, not a NULL answer.
SELECT "Shop".by_columns(NULL, NULL, NULL) IS NOT NULL AS nulls_predict;

-- They are inlined, so nothing is between the plan and the prediction; a pinned one is IMMUTABLE.
SELECT ml_create_function('score', '"Shop"."Buyers"', pinned => true);
SELECT ml_create_function('score', '"Shop"."Buyers"', kind => 'columns', pinned => true);
SELECT ml_create_function('score@1', '"Shop"."Buyers"', name => 'score_one');
SELECT proname, provolatile, proparallel, prosecdef, prolang = (SELECT oid FROM pg_language WHERE lanname = 'sql') AS sql
FROM pg_proc WHERE pronamespace = '"Shop"'::regnamespace ORDER BY proname;
CREATE FUNCTION plan(sql text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (VERBOSE, COSTS OFF) ' || sql LOOP
    RETURN NEXT regexp_replace(line, '''\d+''::bigint', 'id', 'g');
  END LOOP;
END $$;
SELECT plan('SELECT "Shop".by_columns(age, paid, city) FROM "Shop"."Buyers"');
SELECT plan('SELECT b.returns_predict, b.score_predict, "Shop".score_columns(age) FROM "Shop"."Buyers" b');

-- By name it is STABLE: nothing to be indexed. Pinned it is.
CREATE INDEX ON "Shop"."Buyers" ((ml_predict('score', "Buyers"))); \echo :SQLSTATE
CREATE INDEX ON "Shop"."Buyers" (returns_predict("Buyers".*)); \echo :SQLSTATE
ALTER TABLE "Shop"."Buyers" ADD g float8 GENERATED ALWAYS AS ("Shop".by_columns(age, paid, city)) STORED; \echo :SQLSTATE
CREATE INDEX buyers_score ON "Shop"."Buyers" ("Shop".score_columns(age));
ANALYZE "Shop"."Buyers";
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SELECT plan('SELECT id FROM "Shop"."Buyers" WHERE "Shop".score_columns(age) > 63');
SELECT count(*) FROM "Shop"."Buyers" WHERE "Shop".score_columns(age) > 63;
RESET enable_seqscan;
RESET enable_bitmapscan;
ALTER TABLE "Shop"."Buyers" ADD predicted float8 GENERATED ALWAYS AS ("Shop".score_columns(age)) STORED;
INSERT INTO "Shop"."Buyers" (id, age) VALUES (1000, 7);
UPDATE "Shop"."Buyers" SET age = 9 WHERE id = 1;
SELECT id, round(predicted::numeric, 6) AS predicted FROM "Shop"."Buyers" WHERE id IN (1, 1000) ORDER BY id;
CREATE MATERIALIZED VIEW "Shop".scores AS SELECT id, b.score_predict FROM "Shop"."Buyers" b;
CREATE VIEW "Shop".now AS SELECT id, b.returns_predict FROM "Shop"."Buyers" b;
SELECT count(score_predict), (SELECT count(returns_predict) FROM "Shop".now) FROM "Shop".scores;

-- They follow a deploy; pinned ones stay.
SELECT version FROM ml_train('linear_regression', 'SELECT age, score * 2 AS score FROM "Shop"."Buyers" WHERE id BETWEEN 2 AND 999', 'score', model => 'score', features => '{age}', split => 'none', deploy => 'always');
SELECT ml_create_function('score', '"Shop"."Buyers"', name => 'score_now');
SELECT round(b.score_now::numeric, 6) AS now, round(b.score_predict::numeric, 6) AS pinned, round(b.score_one::numeric, 6) AS one FROM "Shop"."Buyers" b WHERE id = 2;
SELECT ml_deploy('score', 1);
SELECT round(b.score_now::numeric, 6) AS now FROM "Shop"."Buyers" b WHERE id = 2;

-- Renaming is safe, a version in use cannot be dropped.
SELECT ml_rename('score', 'Renamed');
SELECT round(b.score_now::numeric, 6) AS now, round(b.score_predict::numeric, 6) AS pinned FROM "Shop"."Buyers" b WHERE id = 2;
SELECT ml_deploy('Renamed', 2);
SELECT ml_drop('Renamed', 1); \echo :SQLSTATE
SELECT ml_drop('Renamed'); \echo :SQLSTATE
SELECT ml_rename('Renamed', 'score');
-- An alias other than production.
SELECT ml_set_alias('score', 'canary', 2);
SELECT ml_create_function('score@canary', '"Shop"."Buyers"', name => 'score_canary');
SELECT round(b.score_canary::numeric, 6) AS canary FROM "Shop"."Buyers" b WHERE id = 2;
SELECT ml_drop_alias('score', 'canary');
SELECT b.score_canary FROM "Shop"."Buyers" b WHERE id = 2; \echo :SQLSTATE

-- A later version may read the columns in another order, or fewer of them: they are found by name.
SELECT ml_create_function('score', '"Shop"."Buyers"', kind => 'columns', name => 'score_by_age');
SELECT version FROM ml_train('linear_regression', 'SELECT id, age, 100.0 * id + age AS score FROM "Shop"."Buyers"', 'score', model => 'two', features => '{id,age}', split => 'none');
SELECT ml_create_function('two', '"Shop"."Buyers"', kind => 'columns', name => 'two_columns');
SELECT version FROM ml_train('linear_regression', 'SELECT id, age, 100.0 * id + age AS score FROM "Shop"."Buyers"', 'score', model => 'two', features => '{age,id}', split => 'none', deploy => 'always');
SELECT round(two_columns(3, 4)) AS swapped;
SELECT version FROM ml_train('linear_regression', 'SELECT id, 7.0 * id AS score FROM "Shop"."Buyers"', 'score', model => 'two', features => '{id}', split => 'none', deploy => 'always');
SELECT round(two_columns(3, 4)) AS fewer;
SELECT version FROM ml_train('linear_regression', 'SELECT id, paid, 7.0 * id AS score FROM "Shop"."Buyers"', 'score', model => 'two', features => '{id,paid}', split => 'none', deploy => 'always');
SELECT two_columns(3, 4); \echo :SQLSTATE
DROP FUNCTION two_columns, score_by_age;
SELECT ml_drop('two');

-- What cannot be made.
SELECT ml_create_function('value', '"Shop"."Buyers"'); \echo :SQLSTATE
SELECT ml_create_function('score', '"Shop"."Buyers"', kind => 'class'); \echo :SQLSTATE
SELECT ml_create_function('score', '"Shop"."Buyers"', kind => 'proba'); \echo :SQLSTATE
SELECT ml_create_function('score', '"Shop"."Buyers"', kind => 'magic'); \echo :SQLSTATE
SELECT ml_create_function('score', '"Shop"."Buyers"', name => 'score_now'); \echo :SQLSTATE
SELECT ml_create_function('score', '"Shop"."Buyers"', name => ''); \echo :SQLSTATE
SELECT ml_create_function('score', '"Shop"."Buyers"', name => repeat('x', 64)); \echo :SQLSTATE
SELECT ml_create_function('score', '"Shop"."Buyers"', name => 'public.score'); \echo :SQLSTATE
SELECT ml_create_function('score', 'buyers_score'); \echo :SQLSTATE
SELECT ml_create_function('score', '"Shop".buyers_score'); \echo :SQLSTATE
SELECT ml_create_function('score', 'pg_class'); \echo :SQLSTATE
SELECT ml_create_function('nothing', '"Shop"."Buyers"'); \echo :SQLSTATE
SELECT ml_create_function('score', NULL); \echo :SQLSTATE
SELECT ml_create_function(NULL, '"Shop"."Buyers"'); \echo :SQLSTATE
SELECT ml_create_function('score', '"Shop"."Buyers"', pinned => NULL); \echo :SQLSTATE
SELECT count(*) AS wide FROM (SELECT string_agg(format('i %% %s AS c%s', n + 10, n), ', ') AS list FROM generate_series(1, 120) n) l,
  LATERAL (SELECT set_config('regress.wide', list, false)) s;
DO $$ BEGIN EXECUTE 'CREATE TABLE wide AS SELECT ' || current_setting('regress.wide') || ', i % 7 * 1.0 AS y FROM generate_series(1, 300) i'; END $$;
SELECT features FROM ml_train('linear_regression', 'wide', 'y', model => 'wide', split => 'none');
SELECT ml_create_function('wide', 'wide', kind => 'columns'); \echo :SQLSTATE
SELECT ml_create_function('wide', 'wide');
SELECT count(w.wide_predict) FROM wide w;

-- A function serves those who may predict; whoever makes a pinned one must be able to read the model.
CREATE ROLE regress_ml_maker;
GRANT USAGE, CREATE ON SCHEMA "Shop" TO regress_ml_maker;
GRANT SELECT ON "Shop"."Buyers" TO regress_ml_maker;
SET ROLE regress_ml_maker;
SELECT ml_create_function('returns', '"Shop"."Buyers"', name => 'mine'); \echo :SQLSTATE
\set VERBOSITY sqlstate
SELECT b.returns_predict FROM "Shop"."Buyers" b LIMIT 1;
\set VERBOSITY default
RESET ROLE;
SELECT ml_grant('returns', 'regress_ml_maker', 'predict');
SET ROLE regress_ml_maker;
SELECT b.returns_predict IS NOT NULL AS works FROM "Shop"."Buyers" b LIMIT 1;
SELECT ml_create_function('returns', '"Shop"."Buyers"', name => 'mine');
SELECT ml_create_function('returns', '"Shop"."Buyers"', name => 'mine_pinned', pinned => true); \echo :SQLSTATE
SELECT b.mine IS NOT NULL AS works FROM "Shop"."Buyers" b LIMIT 1;
RESET ROLE;
REVOKE CREATE ON SCHEMA "Shop" FROM regress_ml_maker;
SET ROLE regress_ml_maker;
SELECT ml_create_function('returns', '"Shop"."Buyers"', name => 'mine_too'); \echo :SQLSTATE
RESET ROLE;

RESET search_path;
SET client_min_messages = warning;
DROP SCHEMA "Shop" CASCADE;
-- Nothing holds the models any more.
SELECT ml_drop('returns'), ml_drop('value'), ml_drop('score'), ml_drop('wide');
DROP OWNED BY regress_ml_maker;
DROP ROLE regress_ml_maker;
