-- Functions and operators of an attacker in front of search_path are never called, whoever calls.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS mlplat;
BEGIN;
SELECT no_plan();
CREATE TABLE points AS SELECT i AS id, i::float8 AS x, 2.0::float8 * i AS y FROM generate_series(1, 60) i;
CREATE SCHEMA evil;
CREATE FUNCTION evil.fail(text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'evil % was called', $1 USING ERRCODE = 'ZZ666'; END $$;

-- Every operator between two values of the types our SQL compares, and every plain function it calls.
DO $$
DECLARE type text; op text;
BEGIN
	FOREACH type IN ARRAY '{text,bigint,integer,name,oid,boolean,double precision,timestamptz,"char"}'::text[] LOOP
		FOREACH op IN ARRAY '{=,<>,<,>,<=,>=,+,-,||}'::text[] LOOP
			EXECUTE format('CREATE FUNCTION evil.%I(%s, %s) RETURNS boolean LANGUAGE sql AS $f$ SELECT evil.fail(%L) $f$',
						   'op' || op, type, type, op || ' ' || type);
			EXECUTE format('CREATE OPERATOR evil.%s (FUNCTION = evil.%I, LEFTARG = %s, RIGHTARG = %s)', op, 'op' || op, type, type);
		END LOOP;
	END LOOP;
END $$;
CREATE FUNCTION evil.concat(text, bigint) RETURNS text LANGUAGE sql AS $$ SELECT evil.fail('concat')::text $$;
CREATE FUNCTION evil.concat(text, text, integer) RETURNS text LANGUAGE sql AS $$ SELECT evil.fail('concat')::text $$;
CREATE FUNCTION evil.pg_get_userbyid(oid) RETURNS name LANGUAGE sql AS $$ SELECT evil.fail('pg_get_userbyid')::text::name $$;
CREATE FUNCTION evil.to_regprocedure(text) RETURNS regprocedure LANGUAGE sql AS $$ SELECT evil.fail('to_regprocedure')::text::regprocedure $$;
CREATE FUNCTION evil.nextval(regclass) RETURNS bigint LANGUAGE sql AS $$ SELECT evil.fail('nextval')::int::bigint $$;
CREATE FUNCTION evil.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$ SELECT evil.fail('clock_timestamp')::text::timestamptz $$;
CREATE FUNCTION evil.unnest(text[]) RETURNS SETOF text LANGUAGE sql AS $$ SELECT evil.fail('unnest')::text $$;
CREATE FUNCTION evil.unnest(double precision[]) RETURNS SETOF double precision LANGUAGE sql AS $$ SELECT evil.fail('unnest')::int::float8 $$;
CREATE FUNCTION evil.array_agg(bigint) RETURNS bigint[] LANGUAGE sql AS $$ SELECT ARRAY[evil.fail('array_agg')::int::bigint] $$;
CREATE FUNCTION evil.count(bigint) RETURNS bigint LANGUAGE sql AS $$ SELECT evil.fail('count')::int::bigint $$;
CREATE FUNCTION evil.ml_has_privilege(text, text, text) RETURNS boolean LANGUAGE sql AS $$ SELECT evil.fail('ml_has_privilege') $$;
CREATE TABLE evil.pg_type (typname name);
CREATE TABLE evil.model (model_id bigint, name text);
CREATE DOMAIN evil.text AS int;
CREATE DOMAIN evil.int8 AS pg_catalog.text;

-- First value of a query under an evil search_path; names of the public functions stay reachable.
CREATE FUNCTION under_path(path text, query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result pg_catalog.text; before pg_catalog.text := current_setting('search_path'); failed pg_catalog.text;
BEGIN
	PERFORM set_config('search_path', path, true);
	BEGIN
		EXECUTE query INTO result;
	EXCEPTION WHEN OTHERS THEN
		GET STACKED DIAGNOSTICS failed = MESSAGE_TEXT;
		result := pg_catalog.concat(SQLSTATE, ' ', failed);
	END;
	PERFORM pg_catalog.set_config('search_path', before, true);
	RETURN result;
END $$;
CREATE FUNCTION under_attack(query text) RETURNS text LANGUAGE sql AS $$ SELECT under_path('evil, pg_catalog, public', query) $$;
SELECT matches(under_attack('SELECT 1::bigint = 1::bigint'), 'ZZ666 evil = bigint was called', 'the trap works');

SELECT is(under_attack($$SELECT version FROM ml_train('linear_regression', 'points', 'y', model => 'm', id => 'id')$$), '1', 'ml_train');
SELECT is(under_attack($$SELECT version FROM ml_train('gbdt', 'points', 'y', model => 'm', id => 'id', deploy => 'always')$$), '2', 'ml_train again');
SELECT is(under_attack($$SELECT ml_rollback('m')$$), '1', 'ml_rollback');
SELECT is(under_attack($$SELECT ml_deploy('m', 2, require => '{"rmse": "< 1e9"}')$$), '2', 'ml_deploy');
SELECT is(under_attack($$SELECT ml_set_alias('m', 'candidate', 1)$$), '', 'ml_set_alias');
SELECT is(under_attack($$SELECT round(ml_predict_array('m@candidate', ARRAY[10]::float8[]))$$), '20', 'ml_predict_array');
SELECT is(under_attack($$SELECT round(ml_predict('m@candidate', l)) FROM points l LIMIT 1$$), '2', 'ml_predict');
SELECT is(under_attack($$SELECT model FROM ml_models$$), 'm', 'ml_models');
SELECT is(under_attack($$SELECT model FROM ml_versions$$), 'm', 'ml_versions');
SELECT is(under_attack($$SELECT model FROM ml_metrics$$), 'm', 'ml_metrics');
SELECT is(under_attack($$SELECT model FROM ml_deployments$$), 'm', 'ml_deployments');
SELECT is(under_attack($$SELECT model FROM ml_jobs ORDER BY job DESC LIMIT 1$$), 'm', 'ml_jobs');
SELECT is(under_attack($$SELECT model FROM ml_training_history$$), 'm', 'ml_training_history');
SELECT is(under_attack($$SELECT kind FROM ml_lineage('m')$$), 'version', 'ml_lineage up');
SELECT is(under_attack($$SELECT kind FROM ml_lineage('m', 'down')$$), 'version', 'ml_lineage down');
SELECT is(under_attack($$SELECT metric IS NOT NULL FROM ml_evaluate('m')$$), 'true', 'ml_evaluate');
SELECT is(under_attack($$SELECT metric IS NOT NULL FROM ml_evaluate('m', 'points')$$), 'true', 'ml_evaluate with a source');
SELECT is(under_attack($$SELECT feature FROM ml_features('m')$$), 'x', 'ml_features');
SELECT is(under_attack($$SELECT feature FROM ml_importance('m')$$), 'x', 'ml_importance');
SELECT is(under_attack($$SELECT term FROM ml_coefficients('m@candidate')$$), '(intercept)', 'ml_coefficients');
SELECT is(under_attack($$SELECT ml_grant('m', 'public', 'predict')$$), '', 'ml_grant');
SELECT is(under_attack($$SELECT ml_revoke('m', 'public', 'predict')$$), '', 'ml_revoke');
SELECT is(under_attack($$SELECT version FROM ml_retrain('m')$$), '3', 'ml_retrain');
SELECT matches(under_attack($$SELECT ml_create_function('m', 'points'::regclass, 'guess', pinned => true)$$), 'guess', 'ml_create_function');
SELECT is(under_attack($$SELECT ml_rename('m', 'n')$$), '', 'ml_rename');
SELECT matches(under_attack($$SELECT ml_drop('n', 1)$$), '^2BP01', 'ml_drop of a version in use');
SELECT is(under_attack($$SELECT ml_drop_alias('n', 'candidate')$$), '', 'ml_drop_alias');
SELECT is(under_attack($$SELECT ml_drop('n', 1)$$), '', 'ml_drop of a version');
DROP FUNCTION IF EXISTS guess(points);
DROP FUNCTION IF EXISTS evil.guess(points);
SELECT is(under_attack($$SELECT ml_drop('n')$$), '', 'ml_drop');

-- No search_path at all.
SELECT is(under_path('', $$SELECT version FROM public.ml_train('linear_regression', 'public.points', 'y', model => 'm', id => 'id')$$), '1', 'ml_train without search_path');
SELECT is(under_path('', $$SELECT public.ml_deploy('m')$$), '1', 'ml_deploy without search_path');
SELECT is(under_path('', $$SELECT round(public.ml_predict('m', l)) FROM public.points l WHERE id = 1$$), '2', 'ml_predict without search_path');
SELECT is(under_path('', $$SELECT model FROM public.ml_models$$), 'm', 'ml_models without search_path');
SELECT is(under_path('', $$SELECT public.ml_drop('m')$$), '', 'ml_drop without search_path');
SELECT matches(under_path('', $$SELECT public.ml_train('linear_regression', 'points', 'y')$$), '^42P01', 'a bare name is not found where it should not be');
SELECT * FROM finish();
ROLLBACK;
