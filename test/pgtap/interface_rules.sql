-- What holds for every object of the extension: comments, explicit rights, honest labels, dump.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS mlplat;
BEGIN;
SELECT no_plan();

-- Objects of the extension.
CREATE TEMP VIEW member AS
	SELECT d.classid, d.objid, d.objsubid FROM pg_depend d
	JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
	WHERE e.extname = 'mlplat';
CREATE TEMP VIEW fn AS
	SELECT p.*, n.nspname, l.lanname, p.oid::regprocedure::text AS signature FROM pg_proc p
	JOIN member m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
	JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang;
CREATE TEMP VIEW rel AS
	SELECT c.*, n.nspname FROM pg_class c
	JOIN member m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
	JOIN pg_namespace n ON n.oid = c.relnamespace;

SELECT cmp_ok((SELECT count(*) FROM fn)::int, '>', 30, 'the extension has functions to look at');
SELECT is_empty($$SELECT signature FROM fn WHERE obj_description(oid, 'pg_proc') IS NULL$$, 'every function has a comment');
SELECT is_empty($$SELECT signature FROM fn WHERE proacl IS NULL$$, 'every function is granted or revoked explicitly');
SELECT is_empty($$SELECT signature FROM fn WHERE prosecdef$$, 'no function is SECURITY DEFINER');
SELECT is_empty($$SELECT signature FROM fn WHERE lanname NOT IN ('c', 'internal')
				  AND NOT coalesce(array_to_string(proconfig, ',') LIKE '%search_path=pg_catalog%', false)$$,
				'SQL and PL functions pin search_path');
SELECT is_empty($$SELECT signature FROM fn WHERE lanname = 'c' AND proconfig IS NOT NULL$$, 'C functions have no SET clause');
SELECT is_empty($$SELECT proname FROM fn WHERE nspname <> 'mlplat' GROUP BY proname HAVING count(*) > 1$$, 'no public name is overloaded');
SELECT is_empty($$SELECT signature FROM fn WHERE nspname <> 'mlplat' AND proname !~ '^ml_'$$, 'public functions are called ml_*');
SELECT is_empty($$SELECT signature FROM fn WHERE nspname = 'mlplat' AND proname !~ '^_'$$, 'internal functions are called _*');
-- (_batch_* are volatile only so that the planner leaves them where they are.)
SELECT is_empty($$SELECT signature FROM fn WHERE provolatile = 'v' AND proparallel = 's' AND proname !~ '^_batch_'$$, 'what may write is not called parallel safe');
SELECT is_empty($$SELECT signature FROM fn WHERE (provolatile <> 'v' OR proparallel <> 'u')
				  AND proname IN ('ml_train', 'ml_train_async', 'ml_retrain', 'ml_deploy', 'ml_rollback', 'ml_drop', 'ml_rename', 'ml_set_alias',
								  'ml_drop_alias', 'ml_grant', 'ml_revoke', 'ml_cancel', 'ml_wait', 'ml_create_function')$$,
				'what writes is VOLATILE and PARALLEL UNSAFE');
SELECT is_empty($$SELECT signature FROM fn WHERE (provolatile <> 's' OR proparallel <> 's')
				  AND proname ~ '^ml_(predict|explain|reduce)' AND proname NOT IN ('ml_predict_batch', 'ml_reduce_batch')$$,
				'predicting by name is STABLE and PARALLEL SAFE');

-- Views.
SELECT is_empty($$SELECT relname FROM rel WHERE relkind = 'v' AND obj_description(oid, 'pg_class') IS NULL$$, 'every view has a comment');
SELECT is_empty($$SELECT relname, attname FROM rel JOIN pg_attribute a ON attrelid = rel.oid AND attnum > 0
				  WHERE relkind = 'v' AND nspname <> 'mlplat' AND col_description(rel.oid, attnum) IS NULL$$, 'every column of a view has a comment');
SELECT is_empty($$SELECT relname FROM rel WHERE relkind = 'v' AND nspname <> 'mlplat'
				  AND NOT coalesce(reloptions @> '{security_barrier=true}', false)$$, 'public views are security barriers');
SELECT is_empty($$SELECT relname FROM rel WHERE relkind = 'v' AND nspname <> 'mlplat'
				  AND NOT has_table_privilege('pg_monitor', oid, 'SELECT')$$, 'public views may be read by everybody');

-- Tables.
SELECT is_empty($$SELECT relname, privilege FROM rel,
				  unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) privilege
				  WHERE nspname = 'mlplat' AND relkind IN ('r', 'v') AND has_table_privilege('pg_monitor', oid, privilege)$$,
				'an ordinary role has no right on the tables');
SELECT is_empty($$SELECT relname, privilege FROM rel, unnest(ARRAY['USAGE', 'SELECT', 'UPDATE']) privilege
				  WHERE relkind = 'S' AND has_sequence_privilege('pg_monitor', oid, privilege)$$,
				'nor on the sequences');
SELECT ok(NOT has_schema_privilege('pg_monitor', 'mlplat', 'CREATE'), 'nobody else creates in schema mlplat');
SELECT is_empty($$SELECT relname FROM rel WHERE relkind = 'r'
				  AND NOT oid = ANY (SELECT unnest(extconfig) FROM pg_extension WHERE extname = 'mlplat')$$, 'pg_dump carries every table');
SELECT is_empty($$SELECT c.relname FROM pg_class c WHERE c.relkind = 'S' AND c.relnamespace = 'mlplat'::regnamespace
				  AND NOT c.oid = ANY (SELECT unnest(extconfig) FROM pg_extension WHERE extname = 'mlplat')$$, 'and every sequence');
SELECT is_empty($$SELECT conrelid::regclass, conname FROM pg_constraint WHERE contype = 'f' AND connamespace = 'mlplat'::regnamespace$$,
				'no foreign keys: pg_restore -j loads the tables in any order');
SELECT is((SELECT count(*)::int FROM pg_trigger WHERE tgname = '_invalidate' AND tgenabled = 'A'
		   AND tgrelid IN ('mlplat.model'::regclass, 'mlplat.version'::regclass, 'mlplat.deployment'::regclass, 'mlplat.privilege'::regclass)), 4,
		  'what changes a resolution tells all sessions, ENABLE ALWAYS');

-- Columns that tools rely on stand first, in this order.
SELECT is(r.columns[1:cardinality(w.columns)], w.columns, w.name || ' has the promised columns')
FROM (VALUES
	('ml_models', '{model,owner,task,target,algorithm,production_version,versions,created_at,note}'::name[]),
	('ml_versions', '{model,version,algorithm,task,params,features,rows,metric,score,train_seconds,bytes,checksum,created_by,created_at,note}'),
	('ml_metrics', '{model,version,split,metric,value}'),
	('ml_deployments', '{model,alias,version,deployed_by,deployed_at,note}')) AS w (name, columns)
LEFT JOIN LATERAL (SELECT array_agg(attname ORDER BY attnum) AS columns FROM pg_attribute
				   WHERE attrelid = to_regclass(w.name) AND attnum > 0 AND NOT attisdropped) r ON true;

-- Frozen signatures of the registry.
SELECT is(pg_get_function_arguments(f.oid) || ' -> ' || pg_get_function_result(f.oid), w.signature, w.name || ' has the promised signature')
FROM (VALUES
	('ml_deploy', 'model text, version integer DEFAULT NULL::integer, alias text DEFAULT ''production''::text, require jsonb DEFAULT NULL::jsonb, note text DEFAULT NULL::text -> integer'),
	('ml_rollback', 'model text, alias text DEFAULT ''production''::text -> integer'),
	('ml_drop', 'model text, version integer DEFAULT NULL::integer -> void'),
	('ml_rename', 'model text, new_name text -> void'),
	('ml_set_alias', 'model text, alias text, version integer -> void'),
	('ml_drop_alias', 'model text, alias text -> void'),
	('ml_grant', 'model text, role text, privilege text -> void'),
	('ml_revoke', 'model text, role text, privilege text -> void'),
	('ml_has_privilege', 'role text, model text, privilege text -> boolean'),
	('ml_explain', 'model text, "row" record, top integer DEFAULT NULL::integer -> TABLE(feature text, value text, contribution double precision)'),
	('ml_lineage', 'model text, direction text DEFAULT ''up''::text -> TABLE(depth integer, kind text, object text, relation text, at timestamp with time zone)')) AS w (name, signature)
LEFT JOIN fn f ON f.proname = w.name;

SELECT * FROM finish();
ROLLBACK;
