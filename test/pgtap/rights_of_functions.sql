-- What each function that answers about a model asks for, and whose rows the functions that take a source read: also in plans made for another role,
-- in views of others, below security barriers, and in read-only transactions.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS mlplat;
BEGIN;
SELECT no_plan();
CREATE ROLE regress_maker;
CREATE ROLE regress_reader;
CREATE ROLE regress_user;
CREATE ROLE regress_nobody;
CREATE TABLE points AS
	SELECT i AS id, i::float8 AS x, (ARRAY['red', 'green', 'blue'])[1 + i % 3] AS colour, 'word' || i % 7 AS words, i % 2 = 0 AS even, 2.0::float8 * i AS y,
		   CASE WHEN i % 3 > 0 THEN CASE WHEN i % 2 = 0 THEN 'yes' ELSE 'no' END END AS half
	FROM generate_series(1, 120) i;
GRANT SELECT ON points TO regress_maker;

-- Runs a query as a role: its first value as text, or the SQLSTATE.
CREATE FUNCTION as_role(role text, query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text;
BEGIN
	PERFORM set_config('role', role, true);
	EXECUTE query INTO result;
	PERFORM set_config('role', 'none', true);
	RETURN result;
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE;
END $$;
SELECT is(as_role('regress_maker', query), '1', query) FROM unnest(ARRAY[
	$$SELECT version FROM ml_train('linear_regression', 'points', 'y', model => 'lin', features => '{x,words}')$$,
	$$SELECT version FROM ml_train('logistic_regression', 'points', 'even', model => 'log', features => '{x,colour}', transform => '{"x": "standard", "colour": {"hash": {"n": 8}}}')$$,
	$$SELECT version FROM ml_train('gbdt', 'points', 'y', model => 'parts', features => '{x}', segment_by => '{colour}', segment_min_rows => 5)$$,
	$$SELECT version FROM ml_train('naive_bayes', 'points', 'even', model => 'words', features => '{words}', transform => '{"words": "tfidf"}')$$,
	$$SELECT version FROM ml_train('gbdt', 'points', 'half', model => 'semi', features => '{x,colour}', params => '{"semi_supervised": "self_training"}')$$,
	$$SELECT version FROM ml_train('decision_tree', 'points', 'colour', model => 'tree', features => '{x}')$$,
	$$SELECT version FROM ml_train('pca', 'points', model => 'flat', features => '{x,y}')$$]) query;
SELECT ml_grant(model, 'regress_reader', 'read'), ml_grant(model, 'regress_user', 'predict') FROM ml_models;

CREATE TEMP TABLE question (privilege text, query text);
INSERT INTO question VALUES
	('predict', $$SELECT ml_predict_json('parts', '{"x": 3, "colour": "red"}')$$),
	('predict', $$SELECT ml_predict_probs('words', q) FROM (SELECT 'word1' AS words) q$$),
	('predict', $$SELECT ml_predict_class_json('semi', '{"x": 3, "colour": "red"}')$$),
	('predict', $$SELECT ml_reduce_array('flat', '{1,2}')$$),
	('predict', $$SELECT ml_reduce_json('flat', '{"x": 1, "y": 2}')$$),
	('predict', $$SELECT ml_reduce('flat', q) FROM (SELECT 1 AS x, 2 AS y) q$$),
	('predict', $$SELECT count(*) FROM ml_predict_batch('parts', 'SELECT 1.0 AS x, ''red'' AS colour')$$),
	('predict', $$SELECT count(*) FROM ml_reduce_batch('flat', 'SELECT 1.0 AS x, 2 AS y')$$),
	('predict', $$SELECT count(*) FROM ml_features('parts')$$),
	('read', $$SELECT count(*) FROM ml_explain('parts', (SELECT q FROM (SELECT 3.0 AS x, 'red' AS colour) q))$$),
	('read', $$SELECT ml_transform('words', q) FROM (SELECT 'word1' AS words) q$$),
	('read', $$SELECT ml_transform_json('words', '{"words": "word1"}')$$),
	('read', $$SELECT ml_transform_array('log', '{1, 1}')$$),
	('read', $$SELECT count(*) FROM ml_segments('parts')$$),
	('read', $$SELECT count(*) FROM ml_rules('tree')$$),
	('read', $$SELECT count(*) FROM ml_coefficients('lin')$$),
	('read', $$SELECT count(*) FROM ml_coefficient_intervals('lin')$$),
	('read', $$SELECT count(*) FROM ml_model_statistics('lin')$$),
	('read', $$SELECT count(*) FROM ml_importance('parts')$$),
	('read', $$SELECT count(*) FROM ml_evaluate('parts')$$),
	('read', $$SELECT count(*) FROM ml_confusion_matrix('tree')$$),
	('read', $$SELECT count(*) FROM ml_roc_curve('log')$$),
	('read', $$SELECT count(*) FROM ml_lineage('parts')$$);
SELECT is(as_role('regress_nobody', query), '42704', 'for nobody there is no such model: ' || query) FROM question;
SELECT is(as_role('regress_user', query), '42501', 'predict is not enough: ' || query) FROM question WHERE privilege = 'read';
SELECT doesnt_match(as_role('regress_user', query), '^[0-9A-Z]{5}$', 'predict is enough: ' || query) FROM question WHERE privilege = 'predict';
SELECT doesnt_match(as_role('regress_reader', query), '^[0-9A-Z]{5}$', 'read is enough: ' || query) FROM question;

-- Functions of plans are called with the id of a version: one of a model without a right on it is none, whatever the right on the model that is named.
SELECT ml_grant('lin', 'regress_nobody', 'own');
SELECT is(as_role('regress_nobody', format(query, (SELECT version_id FROM mlplat.version v JOIN mlplat.model m USING (model_id) WHERE m.name = other))),
		  expected, query)
FROM (VALUES
	('parts', '42704', $$SELECT mlplat._predict_planned('lin', %s, '{x,colour}', 1.0::float8, 'red'::text)$$),
	('parts', '42704', $$SELECT mlplat._predict_planned_json('lin', %s, '{"x": 1, "colour": "red"}')$$),
	('parts', '42704', $$SELECT mlplat._explain_planned('lin', %s, '{x,colour}', 2, 1.0::float8, 'red'::text)$$),
	('parts', '42704', $$SELECT mlplat._predict_version_columns(%s, 1.0::float8, 'red'::text)$$),
	('flat', '42704', $$SELECT mlplat._reduce_planned('lin', %s, '{x,y}', 1.0::float8, 2.0::float8)$$)) AS q (other, expected, query);

-- Whose rows: a policy, asked of whoever executes, not of who planned.
CREATE TABLE tenants AS
	SELECT i AS id, i::float8 AS x, i::float8 AS y, 'red'::text AS colour, i AS secret, CASE WHEN i % 4 = 0 THEN 'regress_user' ELSE 'regress_reader' END AS tenant
	FROM generate_series(1, 400) i;
ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON tenants USING (tenant = current_user);
GRANT SELECT (id, x, y, colour, tenant) ON tenants TO regress_user, regress_reader;
PREPARE batch AS SELECT count(*) FROM ml_predict_batch('parts', 'tenants', 'id');
PREPARE vectors AS SELECT count(*) FROM ml_reduce_batch('flat', 'tenants', 'id');
SET plan_cache_mode = force_generic_plan;
SELECT results_eq('batch', 'VALUES (400::bigint)', 'the owner of the table predicts all rows');
SELECT results_eq('vectors', 'VALUES (400::bigint)', 'and reduces them');
SELECT is(as_role('regress_user', 'EXECUTE batch'), '100', 'the same plan for a tenant: his rows');
SELECT is(as_role('regress_user', 'EXECUTE vectors'), '100', 'likewise');
SELECT is(as_role('regress_reader', 'EXECUTE batch'), '300', 'and for the other one');
SELECT is(as_role('regress_nobody', 'EXECUTE batch'), '42704', 'and for whom there is no such model');
SELECT is(as_role('regress_user', $$SELECT count(*) FROM ml_predict_batch('parts', 'tenants', 'secret')$$), '42501', 'an id that one may not read');
SELECT is(as_role('regress_user', $$SELECT count(*) FROM ml_predict_batch('parts', 'TABLE tenants')$$), '42501', 'nor all columns');
SELECT is(as_role('regress_reader', $$SELECT value > 0 FROM ml_evaluate('parts', 'SELECT x, y, colour FROM tenants') WHERE metric = 'rmse'$$), 'true', 'evaluating');
SELECT is(as_role('regress_user', $$SELECT rows FROM ml_train('gbdt', 'tenants', 'y', model => 'mine', features => '{x}', segment_by => '{colour}')$$), '100', 'training by segments');
SELECT is(as_role('regress_user', $$SELECT rows FROM ml_train('gbdt', 'tenants', 'y', model => 'mine', features => '{x}', segment_by => '{secret}')$$), '42501', 'a segment of a column that one may not read');
SELECT is(as_role('regress_user', $$SELECT rows FROM ml_train('gbdt', 'tenants', 'y', model => 'mine', features => '{x}', split => 'time', split_by => 'secret')$$), '42501', 'a split by one');
SELECT is(as_role('regress_user', $$SELECT rows FROM ml_train('gbdt', 'tenants', 'y', model => 'mine', features => '{x}', weight => 'secret')$$), '42501', 'a weight');
SELECT is(as_role('regress_user', $$SELECT count(*) FROM ml_fit_distribution('tenants', 'secret', 'gamma')$$), '42501', 'a distribution');

-- A view of the superuser's over the function: the source is read by who asks, as by any function in a view.
CREATE VIEW answers AS SELECT * FROM ml_predict_batch('parts', 'points', 'id');
CREATE VIEW own_answers AS SELECT * FROM ml_predict_batch('parts', 'tenants', 'id');
CREATE VIEW few WITH (security_barrier) AS SELECT * FROM points WHERE id < 3;
GRANT SELECT ON answers, own_answers, few TO regress_user;
SELECT is(as_role('regress_user', 'SELECT count(*) FROM answers'), '42501', 'a table that one may not read');
SELECT is(as_role('regress_user', 'SELECT count(*) FROM own_answers'), '100', 'a table of which one may read some rows');
CREATE FUNCTION overheard(id text) RETURNS boolean LANGUAGE plpgsql COST 0.000001 AS $$
BEGIN
	IF id::float8 >= 3 THEN
		RAISE EXCEPTION 'overheard: %', id USING ERRCODE = 'ZZ001';
	END IF;
	RETURN true;
END $$;
SELECT is(as_role('regress_user', $$SELECT count(*) FROM ml_predict_batch('parts', 'few', 'id') WHERE overheard(id)$$), '2', 'a barrier around the source');
SELECT is(as_role('regress_user', $$SELECT count(*) FROM ml_predict_batch('parts', 'SELECT * FROM few WHERE overheard(x::text)', 'id')$$), '2', 'a barrier in it');

-- Read-only: all that answers does, all that writes says so before it works.
SET LOCAL transaction_read_only = on;
SELECT doesnt_match(as_role('regress_reader', query), '^[0-9A-Z]{5}$', 'read only: ' || query) FROM question;
SELECT is(as_role('regress_maker', query), '25006', 'read only: ' || query) FROM unnest(ARRAY[
	$$SELECT version FROM ml_train('gbdt', 'points', 'y', model => 'parts', features => '{x}', segment_by => '{colour}')$$,
	$$SELECT version FROM ml_retrain('semi')$$, $$SELECT ml_train_async('gbdt', 'points', 'y')$$, $$SELECT ml_deploy('parts')$$,
	$$SELECT ml_rollback('parts')$$, $$SELECT ml_drop('parts')$$, $$SELECT ml_rename('parts', 'p')$$, $$SELECT ml_set_alias('parts', 'a', 1)$$,
	$$SELECT ml_grant('parts', 'regress_nobody', 'predict')$$]) query;
SELECT * FROM finish();
ROLLBACK;
