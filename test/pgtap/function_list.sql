-- Every function of the extension with what it promises to the planner and who may call it.  A new function, a changed label, a grant: this list has
-- to say so, on purpose.  Kind: v/s/i volatile, stable, immutable; s/r/u parallel safe, restricted, unsafe; + if strict; a for an aggregate.
-- What holds for all of them: LANGUAGE C (aggregates: internal), no SECURITY DEFINER, no LEAKPROOF, no SET clause.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS mlplat;
BEGIN;
SELECT no_plan();

CREATE TEMP VIEW member AS
	SELECT d.classid, d.objid FROM pg_depend d
	JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
	WHERE e.extname = 'mlplat';

-- Grantees by name; the owner, who may everything, is left out.
CREATE FUNCTION pg_temp.grants(acl aclitem[], owner oid) RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(string_agg(format('%s%s%s', CASE grantee WHEN 0 THEN 'public' ELSE grantee::regrole::text END,
									  CASE privilege_type WHEN 'EXECUTE' THEN '' ELSE ':' || lower(privilege_type) END,
									  CASE WHEN is_grantable THEN '*' ELSE '' END), ' ' ORDER BY grantee::regrole::text, privilege_type), '-')
	FROM aclexplode(acl) WHERE grantee <> owner
$$;

CREATE TEMP TABLE found AS
	SELECT p.oid::regprocedure::text AS signature,
		   p.provolatile::text || p.proparallel::text || CASE WHEN p.proisstrict THEN '+' ELSE '' END || CASE p.prokind WHEN 'f' THEN '' ELSE p.prokind::text END AS kind,
		   CASE WHEN p.proacl IS NULL THEN 'nothing said' ELSE pg_temp.grants(p.proacl, p.proowner) END AS execute,
		   p.prosecdef OR p.proleakproof OR p.proconfig IS NOT NULL OR l.lanname <> CASE p.prokind WHEN 'a' THEN 'internal' ELSE 'c' END AS odd
	FROM pg_proc p JOIN member m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid JOIN pg_language l ON l.oid = p.prolang;
CREATE TEMP TABLE promised (signature text, kind text, execute text);
INSERT INTO promised VALUES
	('mlplat._accuracy_step(double precision[],text,text)', 'is+', '-'),
	('mlplat._auc_final(internal)', 'is', '-'),
	('mlplat._auc_step(internal,boolean,double precision)', 'is', '-'),
	('mlplat._batch_label(text,bigint,record)', 'vs', 'public'),
	('mlplat._batch_prediction(text,bigint,record)', 'vs', 'public'),
	('mlplat._batch_probability(text,bigint,record)', 'vs', 'public'),
	('mlplat._batch_version(text,bigint,record)', 'vs', 'public'),
	('mlplat._brier_step(double precision[],boolean,double precision)', 'is+', '-'),
	('mlplat._explain_planned(text,bigint,text[],integer,"any")', 'ss', 'public'),
	('mlplat._f1_combine(internal,internal)', 'is', '-'),
	('mlplat._f1_final(internal)', 'is', '-'),
	('mlplat._f1_load(bytea,internal)', 'is+', '-'),
	('mlplat._f1_save(internal)', 'is+', '-'),
	('mlplat._f1_step(internal,text,text)', 'is', '-'),
	('mlplat._invalidate()', 'vu', '-'),
	('mlplat._job_progress()', 'vr+', 'public'),
	('mlplat._job_state(bigint,boolean,timestamp with time zone,integer,bigint)', 'vr', 'public'),
	('mlplat._job_visible(text,text,timestamp with time zone)', 'sr+', 'public'),
	('mlplat._logloss_step(double precision[],boolean,double precision)', 'is+', '-'),
	('mlplat._mae_step(double precision[],double precision,double precision)', 'is+', '-'),
	('mlplat._mean_combine(double precision[],double precision[])', 'is+', '-'),
	('mlplat._mean_final(double precision[])', 'is+', '-'),
	('mlplat._predict(bigint,text,record)', 'ss+', 'public'),
	('mlplat._predict_batch_support(internal)', 'ss+', '-'),
	('mlplat._predict_class(bigint,text,record)', 'ss+', 'public'),
	('mlplat._predict_columns(bigint,text,text[],"any")', 'ss', 'public'),
	('mlplat._predict_columns_class(bigint,text,text[],"any")', 'ss', 'public'),
	('mlplat._predict_columns_proba(bigint,text,text[],"any")', 'ss', 'public'),
	('mlplat._predict_planned(text,bigint,text[],"any")', 'ss', 'public'),
	('mlplat._predict_planned_class(text,bigint,text[],"any")', 'ss', 'public'),
	('mlplat._predict_planned_class_json(text,bigint,jsonb)', 'ss+', 'public'),
	('mlplat._predict_planned_json(text,bigint,jsonb)', 'ss+', 'public'),
	('mlplat._predict_planned_model(bigint,text,bigint,text[],"any")', 'ss', 'public'),
	('mlplat._predict_planned_model_class(bigint,text,bigint,text[],"any")', 'ss', 'public'),
	('mlplat._predict_planned_model_proba(bigint,text,bigint,text[],"any")', 'ss', 'public'),
	('mlplat._predict_planned_proba(text,bigint,text[],text,"any")', 'ss', 'public'),
	('mlplat._predict_planned_proba_json(text,bigint,jsonb,text)', 'ss', 'public'),
	('mlplat._predict_planned_probs(text,bigint,text[],"any")', 'ss', 'public'),
	('mlplat._predict_proba(bigint,text,record)', 'ss+', 'public'),
	('mlplat._predict_support(internal)', 'is+', '-'),
	('mlplat._predict_version(bigint,record)', 'is+', 'public'),
	('mlplat._predict_version_class(bigint,record)', 'is+', 'public'),
	('mlplat._predict_version_columns(bigint,"any")', 'is', 'public'),
	('mlplat._predict_version_columns_class(bigint,"any")', 'is', 'public'),
	('mlplat._predict_version_columns_proba(bigint,"any")', 'is', 'public'),
	('mlplat._predict_version_proba(bigint,record)', 'is+', 'public'),
	('mlplat._privilege(bigint)', 'ss+', 'public'),
	('mlplat._r2_combine(double precision[],double precision[])', 'is+', '-'),
	('mlplat._r2_final(double precision[])', 'is+', '-'),
	('mlplat._r2_step(double precision[],double precision,double precision)', 'is+', '-'),
	('mlplat._reduce_planned(text,bigint,text[],"any")', 'ss', 'public'),
	('mlplat._rmse_final(double precision[])', 'is+', '-'),
	('mlplat._rmse_step(double precision[],double precision,double precision)', 'is+', '-'),
	('mlplat._shared_models()', 'vr', 'pg_monitor'),
	('ml_accuracy(text,text)', 'isa', 'public'),
	('ml_algorithms()', 'ss', 'public'),
	('ml_auc(boolean,double precision)', 'isa', 'public'),
	('ml_brier(boolean,double precision)', 'isa', 'public'),
	('ml_cancel(bigint)', 'vu+', 'public'),
	('ml_coefficient_intervals(text,double precision)', 'ss', 'public'),
	('ml_coefficients(text)', 'ss', 'public'),
	('ml_confusion_matrix(text,text)', 'vu', 'public'),
	('ml_create_function(text,regclass,text,text,boolean)', 'vu', 'public'),
	('ml_deploy(text,integer,text,jsonb,text)', 'vu', 'public'),
	('ml_drop(text,integer)', 'vu', 'public'),
	('ml_drop_alias(text,text)', 'vu', 'public'),
	('ml_estimate(text,text,text,text[],text[],jsonb,jsonb,text[],integer)', 'vu', 'public'),
	('ml_evaluate(text,text)', 'vu', 'public'),
	('ml_explain(text,record,integer)', 'ss', 'public'),
	('ml_f1(text,text)', 'isa', 'public'),
	('ml_features(text)', 'ss', 'public'),
	('ml_fit_distribution(text,text,text,text,jsonb,double precision)', 'su', 'public'),
	('ml_grant(text,text,text)', 'vu', 'public'),
	('ml_has_privilege(text,text,text)', 'ss', 'public'),
	('ml_importance(text,text)', 'ss', 'public'),
	('ml_lineage(text,text)', 'su', 'public'),
	('ml_logloss(boolean,double precision)', 'isa', 'public'),
	('ml_mae(double precision,double precision)', 'isa', 'public'),
	('ml_model_statistics(text)', 'ss', 'public'),
	('ml_params(text)', 'ss', 'public'),
	('ml_predict(text,record)', 'ss+', 'public'),
	('ml_predict_array(text,double precision[])', 'ss+', 'public'),
	('ml_predict_batch(text,text,text)', 'vr', 'public'),
	('ml_predict_class(text,record)', 'ss+', 'public'),
	('ml_predict_class_json(text,jsonb)', 'ss+', 'public'),
	('ml_predict_json(text,jsonb)', 'ss+', 'public'),
	('ml_predict_proba(text,record,text)', 'ss', 'public'),
	('ml_predict_proba_json(text,jsonb,text)', 'ss', 'public'),
	('ml_predict_probs(text,record)', 'ss+', 'public'),
	('ml_r2(double precision,double precision)', 'isa', 'public'),
	('ml_reduce(text,record)', 'ss+', 'public'),
	('ml_reduce_array(text,double precision[])', 'ss+', 'public'),
	('ml_reduce_batch(text,text,text)', 'vu', 'public'),
	('ml_reduce_json(text,jsonb)', 'ss+', 'public'),
	('ml_rename(text,text)', 'vu', 'public'),
	('ml_retrain(text,text,text)', 'vu', 'public'),
	('ml_revoke(text,text,text)', 'vu', 'public'),
	('ml_rmse(double precision,double precision)', 'isa', 'public'),
	('ml_roc_curve(text,text)', 'vu', 'public'),
	('ml_rollback(text,text)', 'vu', 'public'),
	('ml_rules(text,integer)', 'ss', 'public'),
	('ml_segments(text)', 'ss', 'public'),
	('ml_set_alias(text,text,integer)', 'vu', 'public'),
	('ml_train(text,text,text,text,text[],text[],jsonb,text,text,text,double precision,double precision,text,text,bigint,double precision,text,text,text[],integer,jsonb)', 'vu', 'public'),
	('ml_train_async(text,text,text,text,text[],text[],jsonb,text,text,text,double precision,double precision,text,text,bigint,double precision,text,text,text[],integer,jsonb,integer)', 'vu', 'public'),
	('ml_transform(text,record)', 'ss+', 'public'),
	('ml_transform_array(text,double precision[])', 'ss+', 'public'),
	('ml_transform_json(text,jsonb)', 'ss+', 'public'),
	('ml_transform_steps()', 'is', 'public'),
	('ml_version()', 'ss', 'public'),
	('ml_wait(bigint,interval)', 'vu', 'public');

SELECT is(f.kind, p.kind, 'labels of ' || signature) FROM promised p JOIN found f USING (signature) ORDER BY signature COLLATE "C";
SELECT is(f.execute, p.execute, 'callers of ' || signature) FROM promised p JOIN found f USING (signature) ORDER BY signature COLLATE "C";
SELECT is_empty('SELECT signature FROM found EXCEPT SELECT signature FROM promised', 'no function that is not in the list');
SELECT is_empty('SELECT signature FROM promised EXCEPT SELECT signature FROM found', 'no function of the list is missing');
SELECT is_empty('SELECT signature FROM found WHERE odd', 'no SECURITY DEFINER, LEAKPROOF, SET clause or other language');

-- Relations likewise.
SELECT bag_eq($$
	SELECT c.oid::regclass::text, c.relkind::text, CASE WHEN c.relacl IS NULL THEN 'nothing said' ELSE pg_temp.grants(c.relacl, c.relowner) END
	FROM pg_class c JOIN member m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid$$, $$VALUES
	('ml_deployments', 'v', 'public:select'),
	('ml_jobs', 'v', 'public:select'),
	('ml_metrics', 'v', 'public:select'),
	('ml_models', 'v', 'public:select'),
	('ml_training_history', 'v', 'public:select'),
	('ml_versions', 'v', 'public:select'),
	('mlplat._model', 'v', '-'),
	('mlplat.chunk', 'r', '-'),
	('mlplat.confusion', 'r', '-'),
	('mlplat.deployment', 'r', '-'),
	('mlplat.deployment_log', 'r', '-'),
	('mlplat.deployment_log_entry_seq', 'S', 'nothing said'),
	('mlplat.function', 'r', '-'),
	('mlplat.history', 'r', '-'),
	('mlplat.job', 'r', '-'),
	('mlplat.job_end', 'r', '-'),
	('mlplat.job_job_seq', 'S', 'nothing said'),
	('mlplat.metric', 'r', '-'),
	('mlplat.model', 'r', '-'),
	('mlplat.model_model_id_seq', 'S', 'nothing said'),
	('mlplat.privilege', 'r', '-'),
	('mlplat.roc', 'r', '-'),
	('mlplat.segment', 'r', '-'),
	('mlplat.version', 'r', '-'),
	('mlplat.version_version_id_seq', 'S', 'nothing said')$$,
	'relations and who may read them');

-- And no other kind of object: operators, casts, types, event triggers would need thought.
SELECT bag_eq($$SELECT DISTINCT classid::regclass::text FROM member$$, $$VALUES
	('pg_proc'), ('pg_class'), ('pg_namespace')$$,
	'functions, relations, the schema: nothing else');
SELECT is((SELECT pg_temp.grants(nspacl, nspowner) FROM pg_namespace WHERE nspname = 'mlplat'), 'public:usage', 'schema mlplat may be used, not written');

SELECT * FROM finish();
ROLLBACK;
