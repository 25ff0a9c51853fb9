-- Who may do what with a model, and what strangers get to see: nothing.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS mlplat;
BEGIN;
SELECT no_plan();

CREATE ROLE regress_owner;
CREATE ROLE regress_stranger;
CREATE ROLE regress_team;
CREATE ROLE regress_member IN ROLE regress_team;
CREATE ROLE regress_heir IN ROLE regress_owner;
CREATE TABLE points AS SELECT i AS id, i::float8 AS x, 2.0 * i + 1 AS y FROM generate_series(1, 60) i;
GRANT SELECT ON points TO PUBLIC;

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

SELECT is(as_role('regress_owner', $$SELECT version FROM ml_train('linear_regression', 'points', 'y', model => 'prices', id => 'id')$$), '1', 'a role trains');
SELECT is(as_role('regress_owner', $$SELECT version FROM ml_train('linear_regression', 'points', 'y', model => 'prices', id => 'id')$$), '2', 'and again');
SELECT is((SELECT owner FROM ml_models WHERE model = 'prices'), 'regress_owner', 'and owns the model');

-- Each action with the privilege it needs, as seen by a role that has exactly the one before it and then this one.
CREATE TEMP TABLE action (n serial, privilege text, query text);
INSERT INTO action (privilege, query) VALUES
	('predict', $$SELECT count(*) FROM ml_models WHERE model = 'prices' HAVING count(*) = 1$$),
	('predict', $$SELECT round(ml_predict_array('prices', ARRAY[4]))$$),
	('predict', $$SELECT round(ml_predict('prices', p)) FROM points p WHERE id = 4$$),
	('predict', $$SELECT count(*) FROM ml_predict_batch('prices', 'points')$$),
	('read', $$SELECT count(*) FROM ml_evaluate('prices')$$),
	('read', $$SELECT count(*) FROM ml_coefficients('prices')$$),
	('read', $$SELECT count(*) FROM ml_jobs WHERE model = 'prices' HAVING count(*) > 0$$),
	('read', $$SELECT count(*) FROM ml_versions WHERE model = 'prices' HAVING count(*) > 0$$),
	('read', $$SELECT count(*) FROM ml_metrics WHERE model = 'prices' HAVING count(*) > 0$$),
	('read', $$SELECT count(*) FROM ml_deployments WHERE model = 'prices' HAVING count(*) > 0$$),
	('read', $$SELECT count(*) FROM ml_lineage('prices')$$),
	('train', $$SELECT version FROM ml_train('linear_regression', 'points', 'y', model => 'prices', id => 'id')$$),
	('deploy', $$SELECT ml_deploy('prices', 2)$$),
	('deploy', $$SELECT ml_rollback('prices')$$),
	('deploy', $$SELECT ml_set_alias('prices', 'candidate', 2)$$),
	('deploy', $$SELECT ml_drop_alias('prices', 'candidate')$$),
	('deploy', $$SELECT version FROM ml_train('linear_regression', 'points', 'y', model => 'prices', id => 'id', deploy => 'always')$$),
	('own', $$SELECT ml_grant('prices', 'regress_heir', 'predict')$$),
	('own', $$SELECT ml_revoke('prices', 'regress_heir', 'predict')$$),
	('own', $$SELECT ml_drop('prices', 2)$$),
	('own', $$SELECT ml_rename('prices', 'prices')$$),
	('own', $$SELECT ml_drop('prices')$$);
ALTER TABLE action ADD below text;
UPDATE action SET below = (ARRAY[NULL, 'predict', 'read', 'train', 'deploy'])[array_position('{predict,read,train,deploy,own}', privilege)];
ALTER TABLE action ADD tried_below text;

-- Outcomes are kept from a subtransaction that is rolled back each time, so that each action finds the same model.
CREATE FUNCTION try_with(privilege text, query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text;
BEGIN
	BEGIN
		IF privilege IS NOT NULL THEN
			PERFORM ml_grant('prices', 'regress_member', privilege);
		END IF;
		PERFORM ml_set_alias('prices', 'candidate', 1);
		PERFORM ml_deploy('prices', 2);
		PERFORM ml_deploy('prices', 1);
		result := as_role('regress_member', query);
		RAISE EXCEPTION USING ERRCODE = 'ZZ001';
	EXCEPTION WHEN SQLSTATE 'ZZ001' THEN
		RETURN result;
	END;
END $$;

SELECT CASE WHEN query ~ 'ml_(models|versions|metrics|deployments|jobs) '
	   THEN is(try_with(below, query), NULL, format('without %s nothing is shown: %s', privilege, query))
	   ELSE is(try_with(below, query), CASE WHEN below IS NULL THEN '42704' ELSE '42501' END, format('without %s: %s', privilege, query)) END
FROM action ORDER BY n;
SELECT CASE WHEN query ~ 'ml_rename'
	   THEN is(try_with(privilege, query), '42710', 'the owner gets as far as the name')
	   ELSE ok(try_with(privilege, query) IS DISTINCT FROM '42501' AND coalesce(try_with(privilege, query), 'void') !~ '^[0-9A-Z]{5}$',
			   format('with %s: %s', privilege, query)) END
FROM action ORDER BY n;

-- The model is in this session's cache; each role is asked anew.
SELECT is(round(ml_predict_array('prices', ARRAY[4])), 9::float8, 'a superuser predicts, and the model is cached');
SELECT is(as_role('regress_heir', $$SELECT round(ml_predict_array('prices', ARRAY[4]))$$), '9', 'the cache serves who may');
SELECT is(as_role('regress_stranger', $$SELECT round(ml_predict_array('prices', ARRAY[4]))$$), '42704', 'and nobody else');

-- Functions of a model run with the rights of who calls them: nobody gets at a model by its id.
SELECT ml_create_function('prices', 'points', 'price_now'), ml_create_function('prices@1', 'points', 'price_then', pinned => true);
SELECT is(as_role('regress_heir', 'SELECT round(price_now(p)) FROM points p WHERE id = 4'), '9', 'the owner may call its function');
SELECT is(as_role('regress_stranger', 'SELECT round(price_now(p)) FROM points p WHERE id = 4'), '42704', 'a stranger may not');
SELECT is(as_role('regress_stranger', 'SELECT round(price_then(p)) FROM points p WHERE id = 4'), '42704', 'nor a pinned one');
SELECT is(try_with('predict', 'SELECT round(price_now(p) + price_then(p)) FROM points p WHERE id = 4'), '18', 'predict is enough');
DROP FUNCTION price_now(points), price_then(points);

-- A stranger: as if there were no such model.
SELECT is(as_role('regress_stranger', query), CASE WHEN query ~ 'ml_train' THEN '42501' ELSE '42704' END, 'a stranger: ' || query)
FROM action WHERE query !~ 'ml_(models|versions|metrics|deployments|jobs) ' ORDER BY n;
SELECT is(as_role('regress_stranger', 'SELECT count(*) FROM ' || v), '0', 'a stranger sees nothing in ' || v)
FROM unnest('{ml_models,ml_versions,ml_metrics,ml_deployments,ml_training_history}'::text[]) v;
SELECT is(as_role('regress_stranger', $$SELECT count(*) FROM ml_jobs WHERE model = 'prices'$$), '0', 'nor its runs');
SELECT is(as_role('regress_stranger', $$SELECT ml_has_privilege('regress_owner', 'prices', 'own')$$), 'false', 'nor who owns what');
SELECT is(as_role('regress_stranger', 'SELECT count(*) FROM mlplat.' || t), '42501', 'no reading of mlplat.' || t)
FROM unnest('{model,version,chunk,metric,confusion,roc,history,deployment,deployment_log,privilege,function,job,job_end}'::text[]) t;
SELECT is(as_role('regress_stranger', 'DELETE FROM mlplat.' || t || ' RETURNING 1'), '42501', 'no writing of mlplat.' || t)
FROM unnest('{model,version,chunk,deployment,privilege,job}'::text[]) t;
SELECT is(as_role('regress_stranger', $$SELECT setval('mlplat.model_model_id_seq', 1)$$), '42501', 'no writing of sequences');
SELECT is(as_role('regress_stranger', 'CREATE TYPE mlplat.m_99 AS ()'), '42501', 'no anchor of one''s own');

-- Membership, public, unknown names.
SELECT ok(ml_has_privilege('regress_heir', 'prices', 'own'), 'members of the owner own');
SELECT ok(NOT ml_has_privilege('regress_member', 'prices', 'predict'), 'not granted yet');
SELECT ml_grant('prices', 'regress_team', 'read');
SELECT ok(ml_has_privilege('regress_member', 'prices', 'read'), 'membership counts');
SELECT ok(NOT ml_has_privilege('regress_member', 'prices', 'train'), 'up to what was granted');
REVOKE regress_team FROM regress_member;
SELECT ok(NOT ml_has_privilege('regress_member', 'prices', 'predict'), 'and only while it lasts');
SELECT ml_grant('prices', 'public', 'predict');
SELECT ok(ml_has_privilege('regress_stranger', 'prices', 'predict'), 'public is everybody');
SELECT is(as_role('regress_stranger', $$SELECT privilege FROM ml_models WHERE model = 'prices'$$), 'predict', 'the view says so');
SELECT is(as_role('regress_stranger', $$SELECT count(*) FROM ml_versions$$), '0', 'predict shows no versions');
SELECT ml_revoke('prices', 'public', 'predict');
SELECT ok(NOT ml_has_privilege('public', 'prices', 'predict'), 'revoked');
SELECT ml_grant('prices', 'regress_member', 'predict');
SELECT ml_grant('prices', 'regress_member', 'deploy');
SELECT ml_revoke('prices', 'regress_member', 'train');
SELECT ok(ml_has_privilege('regress_member', 'prices', 'predict') AND NOT ml_has_privilege('regress_member', 'prices', 'read'),
		  'a revoke takes what includes the privilege, and leaves the smaller grant');
ALTER ROLE regress_member RENAME TO regress_renamed;
SELECT ok(NOT ml_has_privilege('regress_renamed', 'prices', 'predict'), 'grants are to names: a renamed role must be granted anew');
ALTER ROLE regress_renamed RENAME TO regress_member;
SELECT throws_ok($$SELECT ml_grant('prices', 'regress_nobody', 'read')$$, '42704', 'role "regress_nobody" does not exist');
SELECT throws_ok($$SELECT ml_has_privilege('regress_nobody', 'prices', 'read')$$, '42704', 'role "regress_nobody" does not exist');
SELECT throws_ok($$SELECT ml_grant('prices', 'public', 'write')$$, '22023', 'unknown privilege "write"');

-- A function of the stranger's in WHERE, cheaper than any other, is not asked about rows that he may not see.
SELECT is(as_role('regress_owner', $$SELECT version FROM ml_train('gbdt', 'points', 'y', model => 'hidden', params => '{"num_iterations": 3}')$$), '1', 'a model with a history');
CREATE FUNCTION overheard(row_text text) RETURNS boolean LANGUAGE plpgsql COST 0.000001 AS $$
BEGIN
	IF row_text LIKE '%hidden%' THEN
		RAISE EXCEPTION 'overheard: %', row_text USING ERRCODE = 'ZZ001';
	END IF;
	RETURN true;
END $$;
SELECT CASE role WHEN 'regress_owner' THEN is(answer, 'ZZ001', v || ' shows the model to its owner')
	ELSE isnt(answer, 'ZZ001', v || ' tells a stranger nothing') END
FROM unnest('{ml_models,ml_versions,ml_metrics,ml_training_history,ml_jobs,ml_deployments}'::text[]) v,
	unnest('{regress_owner,regress_stranger}'::text[]) role,
	as_role(role, format('SELECT count(*) FROM %I WHERE overheard(model)', v)) answer;

-- What failed before there was a model of the name is not shown to whoever takes the name later.
INSERT INTO mlplat.job_end (job, state, model, owner, sqlstate, message, started_at)
	VALUES (-1, 'failed', 'unborn', 'regress_owner', '22P02', 'invalid input syntax for type integer: "secret"', now());
SELECT is(as_role('regress_stranger', $$SELECT version FROM ml_train('linear_regression', 'points', 'y', model => 'unborn', id => 'id')$$), '1', 'the name is free');
SELECT is(as_role('regress_stranger', $$SELECT count(*) FROM ml_jobs WHERE model = 'unborn' AND state = 'failed'$$), '0', 'its new owner does not see what others tried before');
SELECT is(as_role('regress_owner', $$SELECT count(*) FROM ml_jobs WHERE model = 'unborn' AND state = 'failed'$$), '1', 'they do');
INSERT INTO mlplat.job_end (job, state, model, owner, sqlstate, message, started_at)
	VALUES (-2, 'failed', 'unborn', 'regress_owner', '22P02', 'later', clock_timestamp());
SELECT is(as_role('regress_stranger', $$SELECT string_agg(message, ',') FROM ml_jobs WHERE model = 'unborn' AND state = 'failed'$$), 'later', 'but what is tried on it since');

-- Owners change like those of tables.
SELECT throws_ok('DROP ROLE regress_owner', '2BP01');
REASSIGN OWNED BY regress_owner TO regress_member;
SELECT is((SELECT owner FROM ml_models WHERE model = 'prices'), 'regress_member', 'REASSIGN OWNED');
SELECT ok(NOT ml_has_privilege('regress_owner', 'prices', 'predict'), 'the old owner has nothing left');
ALTER ROLE regress_member RENAME TO regress_renamed;
SELECT is((SELECT owner FROM ml_models WHERE model = 'prices'), 'regress_renamed', 'ALTER ROLE RENAME');
SELECT throws_ok('DROP EXTENSION mlplat', '2BP01');
DROP OWNED BY regress_renamed;
SELECT is_empty($$SELECT model FROM ml_models WHERE model = 'prices'$$, 'DROP OWNED');
SELECT is_empty($$SELECT model FROM ml_versions WHERE model = 'prices'$$, 'with its versions');
SELECT throws_ok($$SELECT ml_deploy('prices')$$, '42704', 'model "prices" does not exist');
SELECT is(as_role('regress_stranger', $$SELECT version FROM ml_train('linear_regression', 'points', 'y', model => 'prices', id => 'id')$$), '1',
		  'the name is free, and numbering starts again');
SELECT is((SELECT owner FROM ml_models WHERE model = 'prices'), 'regress_stranger', 'for somebody else');
SELECT is((SELECT count(*)::int FROM mlplat.model WHERE name = 'prices'), 1, 'what was left of the old one is cleared');

SELECT * FROM finish();
ROLLBACK;
