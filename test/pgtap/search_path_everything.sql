-- A stranger's copies of everything in pg_catalog stand in front of search_path: each of its functions, operators, types and tables.  No function
-- of the extension calls any of them, and none is left out here.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS mlplat;
BEGIN;
SELECT no_plan();
CREATE TABLE points AS
	SELECT i AS id, i::float8 AS x, (ARRAY['red', 'green', 'blue'])[1 + i % 3] AS colour, 'word' || i % 7 || ' the ' || 'term' || i % 5 AS words,
		   date '2020-01-01' + i AS day, ARRAY[i, i % 4]::float8[] AS v, i % 2 = 0 AS even, 2.0::float8 * i AS y,
		   CASE WHEN i % 3 > 0 THEN CASE WHEN i % 2 = 0 THEN 'yes' ELSE 'no' END END AS half,
		   (i || ' s')::interval AS iv, i::numeric(10, 2) AS nu, timestamptz '2020-01-01' + i * interval '1 h' AS ts, '{"a": 1}'::jsonb AS j
	FROM generate_series(1, 120) i;
CREATE TABLE parts (LIKE points) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (60);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (60) TO (1000);
INSERT INTO parts SELECT * FROM points;

CREATE SCHEMA evil;
CREATE FUNCTION evil.fail(text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'evil % was called', $1 USING ERRCODE = 'ZZ666'; END $$;
CREATE TABLE trap (kind text, number int);
DO $$
DECLARE f record; functions int := 0; operators int := 0; types int := 0; tables int := 0;
BEGIN
	-- Input and output functions of pseudo-types and what takes "internal" cannot be written in PL/pgSQL: nobody can make a trap of them.
	FOR f IN SELECT proname, proretset, oid::regprocedure::text AS signature, prorettype::regtype::text AS result,
					(SELECT string_agg(t::regtype::text, ', ' ORDER BY i) FROM unnest(proargtypes::oid[]) WITH ORDINALITY u(t, i)) AS arguments
			 FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND prokind = 'f' LOOP
		BEGIN
			EXECUTE format('CREATE FUNCTION evil.%I(%s) RETURNS %s %s LANGUAGE plpgsql AS $f$ BEGIN PERFORM evil.fail(%L); END $f$',
						   f.proname, f.arguments, CASE WHEN f.proretset THEN 'SETOF ' ELSE '' END, f.result, f.signature);
			functions := functions + 1;
		EXCEPTION WHEN feature_not_supported OR invalid_function_definition THEN
			NULL;
		END;
	END LOOP;
	FOR f IN SELECT oprname, nullif(oprleft, 0)::regtype::text AS l, oprright::regtype::text AS r FROM pg_operator
			 WHERE oprnamespace = 'pg_catalog'::regnamespace LOOP
		BEGIN
			EXECUTE format('CREATE FUNCTION evil.%I(%s) RETURNS boolean LANGUAGE plpgsql AS $f$ BEGIN PERFORM evil.fail(%L); END $f$',
						   'op' || f.oprname, concat_ws(', ', f.l, f.r), concat_ws(' ', f.l, f.oprname, f.r));
			EXECUTE format('CREATE OPERATOR evil.%s (FUNCTION = evil.%I%s, RIGHTARG = %s)', f.oprname, 'op' || f.oprname, ', LEFTARG = ' || f.l, f.r);
			operators := operators + 1;
		EXCEPTION WHEN feature_not_supported OR invalid_function_definition OR syntax_error THEN
			NULL;
		END;
	END LOOP;
	FOR f IN SELECT typname FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype = 'b' AND typname !~ '^_' LOOP
		EXECUTE format('CREATE DOMAIN evil.%I AS pg_catalog.%I', f.typname, CASE f.typname WHEN 'int4' THEN 'text' ELSE 'int4' END);
		types := types + 1;
	END LOOP;
	FOR f IN SELECT relname FROM pg_class WHERE relkind IN ('r', 'v') AND relnamespace IN ('pg_catalog'::regnamespace, 'mlplat'::regnamespace) LOOP
		EXECUTE format('CREATE TABLE evil.%I (nothing pg_catalog.int4)', f.relname);
		tables := tables + 1;
	END LOOP;
	INSERT INTO trap VALUES ('functions', functions), ('operators', operators), ('types', types), ('tables', tables);
END $$;
SELECT cmp_ok(number, '>', (CASE kind WHEN 'functions' THEN 2000 WHEN 'operators' THEN 700 ELSE 60 END), 'traps: ' || kind) FROM trap;

-- First value of a query under the evil path; public functions stay reachable.
CREATE FUNCTION under_attack(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result pg_catalog.text; before pg_catalog.text := current_setting('search_path'); message pg_catalog.text;
BEGIN
	PERFORM set_config('search_path', 'evil, pg_catalog, public', true);
	BEGIN
		EXECUTE query INTO result;
	EXCEPTION WHEN OTHERS THEN
		GET STACKED DIAGNOSTICS message = MESSAGE_TEXT;
		result := pg_catalog.concat('ERROR ', SQLSTATE, ' ', message);
	END;
	PERFORM pg_catalog.set_config('search_path', before, true);
	RETURN result;
END $$;
SELECT is(under_attack('SELECT 1 = 1'), 'ERROR ZZ666 evil integer = integer was called', 'the trap of an operator works');
SELECT is(under_attack('SELECT round(1::pg_catalog.float8)'), 'ERROR ZZ666 evil round(double precision) was called', 'and that of a function');

CREATE TABLE attempt (n serial, query text);
INSERT INTO attempt (query) VALUES
	($q$SELECT version, metric, warnings FROM ml_train('linear_regression', 'points', 'y', model => 'lin', id => 'id')$q$),
	($q$SELECT version, metric, warnings FROM ml_train('logistic_regression', 'points', 'even', model => 'log', exclude => '{id,half}', transform => '{"x": "standard", "colour": {"hash": {"n": 8}}}')$q$),
	($q$SELECT version, metric, warnings FROM ml_train('gbdt', 'points', 'y', model => 'g', exclude=>'{half}', segment_by => '{colour}', segment_min_rows => 5)$q$),
	($q$SELECT version, metric, warnings FROM ml_train('naive_bayes', 'points', 'even', model => 'nb', features => '{words}', transform => '{"words": "tfidf"}')$q$),
	($q$SELECT version, metric, warnings FROM ml_train('gbdt', 'points', 'half', model => 'semi', features => '{x,colour}', params => '{"semi_supervised": "self_training"}')$q$),
	($q$SELECT version, metric, warnings FROM ml_train('kmeans', 'points', model => 'km', features => '{x,nu}')$q$),
	($q$SELECT version, metric, warnings FROM ml_train('pca', 'points', model => 'pca', features => '{x,y,nu}')$q$),
	($q$SELECT version, metric, warnings FROM ml_train('decision_tree', 'parts', 'colour', model => 'tree', features => '{x,ts,day,iv,nu,v}', split => 'time', split_by => 'ts')$q$),
	($q$SELECT ml_cancel(ml_train_async('linear_regression', 'points', 'y', model => 'queued'))$q$),
	($q$SELECT job, state, message FROM ml_jobs ORDER BY job$q$),
	($q$SELECT * FROM ml_retrain('g')$q$),
	($q$SELECT * FROM ml_retrain('nb', 'TABLE public.points', 'always')$q$),
	($q$SELECT * FROM ml_estimate('gbdt', 'points', 'y')$q$),
	($q$SELECT ml_predict('lin', p) FROM points p LIMIT 1$q$),
	($q$SELECT ml_predict('g', p) FROM points p LIMIT 1$q$),
	($q$SELECT ml_predict_class('log', p), ml_predict_proba('log', p), ml_predict_probs('log', p) FROM points p LIMIT 1$q$),
	($q$SELECT ml_predict_class('nb', p), ml_predict_proba('nb', p), ml_predict_probs('nb', p) FROM points p LIMIT 1$q$),
	($q$SELECT ml_predict_class('tree', p), ml_predict_proba('tree', p), ml_predict_probs('tree', p) FROM parts p LIMIT 1$q$),
	($q$SELECT ml_predict_json('km', '{"x": 1, "nu": 3}'), ml_predict_class_json('km', '{"x": 1, "nu": 3}'), ml_predict_array('km', '{1,2}')$q$),
	($q$SELECT ml_predict_proba_json('log', pg_catalog.to_jsonb(p)) FROM points p LIMIT 1$q$),
	($q$SELECT * FROM ml_predict_batch('nb', 'points', 'id') LIMIT 1$q$),
	($q$SELECT * FROM ml_predict_batch('g', 'SELECT * FROM points', 'id') LIMIT 1$q$),
	($q$SELECT prediction, id FROM ml_predict_batch('lin', 'points', 'day') LIMIT 1$q$),
	($q$SELECT * FROM ml_reduce_batch('pca', 'points', 'id') LIMIT 1$q$),
	($q$SELECT ml_reduce('pca', p) FROM points p LIMIT 1$q$),
	($q$SELECT ml_reduce_json('pca', '{"x": 1, "y":1, "nu": 3}'), ml_reduce_array('pca', '{1,2,3}')$q$),
	($q$SELECT * FROM points p, ml_explain('g', p) LIMIT 2$q$),
	($q$SELECT e.* FROM points p, ml_explain('nb', p, 2) e LIMIT 2$q$),
	($q$SELECT ml_transform('log', p), ml_transform('nb', p) FROM points p LIMIT 1$q$),
	($q$SELECT ml_transform_json('nb', '{"words": "word1 the"}')$q$),
	($q$SELECT ml_transform_array('km', '{1,2}')$q$),
	($q$SELECT * FROM ml_transform_steps() LIMIT 1$q$),
	($q$SELECT * FROM ml_segments('g') LIMIT 2$q$),
	($q$SELECT * FROM ml_rules('tree') LIMIT 2$q$),
	($q$SELECT term FROM ml_coefficients('lin') LIMIT 1$q$),
	($q$SELECT term FROM ml_coefficient_intervals('lin') LIMIT 1$q$),
	($q$SELECT * FROM ml_model_statistics('lin') LIMIT 1$q$),
	($q$SELECT * FROM ml_importance('g') LIMIT 1$q$),
	($q$SELECT * FROM ml_evaluate('g', 'points') LIMIT 1$q$),
	($q$SELECT * FROM ml_confusion_matrix('tree', 'parts') LIMIT 1$q$),
	($q$SELECT * FROM ml_roc_curve('log', 'points') LIMIT 1$q$),
	($q$SELECT * FROM ml_fit_distribution('points', 'x', 'gamma') LIMIT 1$q$),
	($q$SELECT * FROM ml_algorithms() LIMIT 1$q$),
	($q$SELECT name FROM ml_params('gbdt') LIMIT 1$q$),
	($q$SELECT * FROM ml_version() LIMIT 1$q$),
	($q$SELECT * FROM ml_lineage('g') LIMIT 1$q$),
	($q$SELECT * FROM ml_lineage('g', 'down') LIMIT 1$q$),
	($q$SELECT ml_has_privilege('postgres', 'g', 'own')$q$),
	($q$SELECT ml_create_function('g', 'points', 'g_fun')$q$),
	($q$SELECT ml_create_function('log', 'points', 'log_fun', kind => 'proba')$q$),
	($q$SELECT ml_create_function('lin@1', 'points', 'lin_fun', pinned => true)$q$),
	($q$SELECT ml_create_function('lin', 'points', 'lin_col', kind => 'columns')$q$),
	($q$SELECT ml_create_function('nb', 'points', 'nb_class', kind => 'class')$q$),
	($q$SELECT model,current FROM ml_deployments ORDER BY entry LIMIT 1$q$),
	($q$SELECT g_fun(p), log_fun(p), lin_fun(p), nb_class(p) FROM points p LIMIT 1$q$),
	($q$SELECT feature FROM ml_features('g') LIMIT 1$q$),
	($q$SELECT model FROM ml_models$q$),
	($q$SELECT model FROM ml_versions$q$),
	($q$SELECT model FROM ml_metrics$q$),
	($q$SELECT count(*) FROM ml_training_history$q$),
	($q$SELECT ml_rmse(x,y), ml_mae(x,y), ml_r2(x,y), ml_auc(even, x), ml_logloss(even,0.5), ml_brier(even,0.5), ml_accuracy(colour,half), ml_f1(colour,half) FROM points$q$),
	($q$SELECT ml_deploy('nb', 1)$q$),
	($q$SELECT ml_rollback('nb')$q$),
	($q$SELECT ml_grant('nb', 'public', 'read')$q$),
	($q$SELECT ml_revoke('nb', 'public', 'read')$q$),
	($q$SELECT ml_set_alias('nb', 'best', 2)$q$),
	($q$SELECT ml_drop_alias('nb', 'best')$q$),
	($q$SELECT ml_rename('semi', 'other')$q$),
	($q$SELECT ml_drop('pca')$q$);
SELECT doesnt_match(coalesce(under_attack(query), ''), '^ERROR', query) FROM attempt ORDER BY n;
SELECT is_empty($$
	SELECT p.proname FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid
	JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
	WHERE e.extname = 'mlplat' AND p.proname ~ '^ml_' AND NOT EXISTS (SELECT FROM attempt WHERE query ~ ('\m' || p.proname || '\('))
	-- tested with a queued job in sql/train_queue
	AND p.proname <> 'ml_wait'$$, 'every function was attacked');
SELECT is_empty($$
	SELECT c.relname FROM pg_class c JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid
	JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
	WHERE e.extname = 'mlplat' AND c.relname ~ '^ml_' AND NOT EXISTS (SELECT FROM attempt WHERE query ~ ('\m' || c.relname))$$, 'and every view');
SELECT * FROM finish();
ROLLBACK;
