/*
 * The registry: what people do with models once they are trained, and the views
 * on them.  The functions check rights themselves, so everybody may call them;
 * the views show each role the models on which it has a right.
 */

CREATE FUNCTION ml_deploy(model text, version int DEFAULT NULL, alias text DEFAULT 'production',
						  require jsonb DEFAULT NULL, note text DEFAULT NULL) RETURNS int
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'ml_deploy';
COMMENT ON FUNCTION ml_deploy(text, int, text, jsonb, text) IS
'puts a version (NULL: the newest) under an alias if it meets the requirements on its test metrics, for example {"auc": ">= 0.8"}; returns the version';
GRANT EXECUTE ON FUNCTION ml_deploy(text, int, text, jsonb, text) TO PUBLIC;

CREATE FUNCTION ml_rollback(model text, alias text DEFAULT 'production') RETURNS int
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'ml_rollback';
COMMENT ON FUNCTION ml_rollback(text, text) IS
'points an alias back to the version it had before; called again it goes back another step; returns the version';
GRANT EXECUTE ON FUNCTION ml_rollback(text, text) TO PUBLIC;

CREATE FUNCTION ml_drop(model text, version int DEFAULT NULL) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'ml_drop';
COMMENT ON FUNCTION ml_drop(text, int) IS
'drops one version that no alias and no function uses, or (version NULL) a whole model that no function uses';
GRANT EXECUTE ON FUNCTION ml_drop(text, int) TO PUBLIC;

CREATE FUNCTION ml_rename(model text, new_name text) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'ml_rename';
COMMENT ON FUNCTION ml_rename(text, text) IS 'gives a model another name; generated functions follow';
GRANT EXECUTE ON FUNCTION ml_rename(text, text) TO PUBLIC;

CREATE FUNCTION ml_set_alias(model text, alias text, version int) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'ml_set_alias';
COMMENT ON FUNCTION ml_set_alias(text, text, int) IS 'points an alias of a model, to be used as ''model@alias'', to a version';
GRANT EXECUTE ON FUNCTION ml_set_alias(text, text, int) TO PUBLIC;

CREATE FUNCTION ml_drop_alias(model text, alias text) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'ml_drop_alias';
COMMENT ON FUNCTION ml_drop_alias(text, text) IS 'removes an alias of a model; of ''production'': takes the model out of production';
GRANT EXECUTE ON FUNCTION ml_drop_alias(text, text) TO PUBLIC;

CREATE FUNCTION ml_grant(model text, role text, privilege text) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'ml_grant';
COMMENT ON FUNCTION ml_grant(text, text, text) IS
'gives a role (or ''public'') a privilege on a model: predict, read, train, deploy or own, each including those before it';
GRANT EXECUTE ON FUNCTION ml_grant(text, text, text) TO PUBLIC;

CREATE FUNCTION ml_revoke(model text, role text, privilege text) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'ml_revoke';
COMMENT ON FUNCTION ml_revoke(text, text, text) IS
'takes away every grant of a role on a model that includes the privilege; smaller grants stay';
GRANT EXECUTE ON FUNCTION ml_revoke(text, text, text) TO PUBLIC;

CREATE FUNCTION ml_has_privilege(role text, model text, privilege text) RETURNS boolean
LANGUAGE C STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'ml_has_privilege';
COMMENT ON FUNCTION ml_has_privilege(text, text, text) IS
'whether a role (or ''public'') has a privilege on a model, by ownership, membership or grant; false, too, for a model that you may not see';
GRANT EXECUTE ON FUNCTION ml_has_privilege(text, text, text) TO PUBLIC;

CREATE FUNCTION ml_lineage(model text, direction text DEFAULT 'up')
	RETURNS TABLE (depth int, kind text, object text, relation text, at timestamptz)
LANGUAGE C STABLE PARALLEL UNSAFE ROWS 30 AS 'MODULE_PATHNAME', 'ml_lineage';
COMMENT ON FUNCTION ml_lineage(text, text) IS
'where a version comes from (''up'': source, columns, data, parameters, role, code, earlier versions) or what hangs on it (''down'': aliases, functions, later versions)';
GRANT EXECUTE ON FUNCTION ml_lineage(text, text) TO PUBLIC;

/* A model is there as long as its anchor is; the anchor's owner owns it. */
CREATE VIEW mlplat._model AS
	SELECT m.model_id, m.name, m.created_by, m.created_at, m.note,
		   pg_catalog.pg_get_userbyid(a.typowner)::pg_catalog.text AS owner,
		   mlplat._privilege(m.model_id) AS privilege
	FROM mlplat.model m
	JOIN pg_catalog.pg_type a
		ON a.typname OPERATOR(pg_catalog.=) pg_catalog.concat('m_', m.model_id)::pg_catalog.name
		AND a.typnamespace OPERATOR(pg_catalog.=) 'mlplat'::pg_catalog.regnamespace
		AND a.typtype OPERATOR(pg_catalog.=) 'c';
COMMENT ON VIEW mlplat._model IS 'living models with their owners; for the views only';
REVOKE ALL ON mlplat._model FROM PUBLIC;

CREATE VIEW ml_models WITH (security_barrier) AS
	SELECT m.name AS model, m.owner, v.task, v.target, v.algorithm,
		   p.version AS production_version,
		   (SELECT pg_catalog.count(*)::int FROM mlplat.version c WHERE c.model_id OPERATOR(pg_catalog.=) m.model_id) AS versions,
		   m.created_at, m.note,
		   n.version AS latest_version,
		   (ARRAY['predict', 'read', 'train', 'deploy', 'own'])[m.privilege] AS privilege,
		   v.model_memory, v.predict_microseconds
	FROM mlplat._model m
	LEFT JOIN mlplat.deployment d
		ON d.model_id OPERATOR(pg_catalog.=) m.model_id AND d.alias OPERATOR(pg_catalog.=) 'production'
	LEFT JOIN mlplat.version p ON p.version_id OPERATOR(pg_catalog.=) d.version_id
	LEFT JOIN LATERAL (SELECT l.version_id, l.version FROM mlplat.version l
					   WHERE l.model_id OPERATOR(pg_catalog.=) m.model_id ORDER BY l.version DESC LIMIT 1) n ON true
	LEFT JOIN mlplat.version v ON v.version_id OPERATOR(pg_catalog.=) COALESCE(d.version_id, n.version_id)
	WHERE m.privilege OPERATOR(pg_catalog.>=) 1;
COMMENT ON VIEW ml_models IS 'models on which you have a right';
COMMENT ON COLUMN ml_models.model IS 'name';
COMMENT ON COLUMN ml_models.owner IS 'role that owns the model';
COMMENT ON COLUMN ml_models.task IS 'regression, classification, clustering, dimension_reduction or anomaly_detection: of the version in production, else of the newest';
COMMENT ON COLUMN ml_models.target IS 'column that is predicted, of the same version';
COMMENT ON COLUMN ml_models.algorithm IS 'algorithm of the same version';
COMMENT ON COLUMN ml_models.production_version IS 'version that answers to the bare name; NULL: none';
COMMENT ON COLUMN ml_models.versions IS 'number of versions kept';
COMMENT ON COLUMN ml_models.created_at IS 'when the first version was trained';
COMMENT ON COLUMN ml_models.note IS 'note on the model';
COMMENT ON COLUMN ml_models.latest_version IS 'newest version';
COMMENT ON COLUMN ml_models.privilege IS 'your privilege: predict, read, train, deploy or own';
COMMENT ON COLUMN ml_models.model_memory IS 'bytes that the same version takes in a session that predicts with it';
COMMENT ON COLUMN ml_models.predict_microseconds IS 'time that one of its predictions took when it was judged, without SQL around it';
GRANT SELECT ON ml_models TO PUBLIC;

CREATE VIEW ml_versions WITH (security_barrier) AS
	SELECT m.name AS model, v.version, v.algorithm, v.task, v.params, v.features, v.rows, v.metric, v.score,
		   v.train_seconds, v.bytes, v.checksum, v.created_by, v.created_at, v.note,
		   ARRAY(SELECT d.alias FROM mlplat.deployment d
				 WHERE d.version_id OPERATOR(pg_catalog.=) v.version_id ORDER BY d.alias) AS aliases,
		   v.target, v.target_type, v.classes, v.rows_without_target, v.rows_train, v.rows_validation, v.rows_test,
		   v.read_seconds, v.peak_memory, v.source_relation, v.source_query, v.source_columns, v.data_hash, v.snapshot,
		   v.library_version, v.blas, v.parent_version, v.job, v.warnings, v.request,
		   v.request OPERATOR(pg_catalog.->) 'transform' AS transform,
		   v.model_memory, v.predict_microseconds
	FROM mlplat._model m
	JOIN mlplat.version v ON v.model_id OPERATOR(pg_catalog.=) m.model_id
	WHERE m.privilege OPERATOR(pg_catalog.>=) 2;
COMMENT ON VIEW ml_versions IS 'versions of models that you may read';
COMMENT ON COLUMN ml_versions.model IS 'model';
COMMENT ON COLUMN ml_versions.version IS 'number within the model; never given twice';
COMMENT ON COLUMN ml_versions.algorithm IS 'algorithm';
COMMENT ON COLUMN ml_versions.task IS 'regression, classification, clustering, dimension_reduction or anomaly_detection';
COMMENT ON COLUMN ml_versions.params IS 'hyper-parameters as they were given';
COMMENT ON COLUMN ml_versions.features IS 'features in the order of the model';
COMMENT ON COLUMN ml_versions.rows IS 'rows with a target that were read';
COMMENT ON COLUMN ml_versions.metric IS 'metric of the score';
COMMENT ON COLUMN ml_versions.score IS 'score on the test part, higher is better (errors are negated)';
COMMENT ON COLUMN ml_versions.train_seconds IS 'seconds of computing, after reading';
COMMENT ON COLUMN ml_versions.bytes IS 'length of the image';
COMMENT ON COLUMN ml_versions.checksum IS 'SHA-256 of the image as hex';
COMMENT ON COLUMN ml_versions.created_by IS 'role that trained it';
COMMENT ON COLUMN ml_versions.created_at IS 'when it was stored';
COMMENT ON COLUMN ml_versions.note IS 'note given to ml_train';
COMMENT ON COLUMN ml_versions.aliases IS 'aliases that point to it, "production" among them';
COMMENT ON COLUMN ml_versions.target IS 'column that is predicted';
COMMENT ON COLUMN ml_versions.target_type IS 'type of that column';
COMMENT ON COLUMN ml_versions.classes IS 'labels of a classifier, in the order of the model';
COMMENT ON COLUMN ml_versions.rows_without_target IS 'rows whose target was NULL: left out, or with the parameter semi_supervised used as unlabelled ones';
COMMENT ON COLUMN ml_versions.rows_train IS 'rows it was fitted on';
COMMENT ON COLUMN ml_versions.rows_validation IS 'rows for early stopping';
COMMENT ON COLUMN ml_versions.rows_test IS 'rows it was judged on';
COMMENT ON COLUMN ml_versions.read_seconds IS 'seconds of reading the data';
COMMENT ON COLUMN ml_versions.peak_memory IS 'bytes of memory at the peak of the run';
COMMENT ON COLUMN ml_versions.source_relation IS 'relation it was trained on; NULL for a query';
COMMENT ON COLUMN ml_versions.source_query IS 'query it was trained on; NULL for a relation';
COMMENT ON COLUMN ml_versions.source_columns IS 'columns that were read';
COMMENT ON COLUMN ml_versions.data_hash IS 'content hash of the rows that were read';
COMMENT ON COLUMN ml_versions.snapshot IS 'snapshot the rows were read with';
COMMENT ON COLUMN ml_versions.library_version IS 'version of mlplat';
COMMENT ON COLUMN ml_versions.blas IS 'library of dense algebra; NULL where none was used';
COMMENT ON COLUMN ml_versions.parent_version IS 'version of which it is a retraining';
COMMENT ON COLUMN ml_versions.job IS 'run that computed it';
COMMENT ON COLUMN ml_versions.warnings IS 'warnings of the run';
COMMENT ON COLUMN ml_versions.transform IS 'steps of the encoding as they were given; null without any';
COMMENT ON COLUMN ml_versions.request IS 'arguments of ml_train';
COMMENT ON COLUMN ml_versions.model_memory IS 'bytes that the model takes in a session that predicts with it';
COMMENT ON COLUMN ml_versions.predict_microseconds IS 'time that a prediction of a row took when the model was judged, without SQL around it';
GRANT SELECT ON ml_versions TO PUBLIC;

CREATE VIEW ml_metrics WITH (security_barrier) AS
	SELECT m.name AS model, v.version, x.split, x.metric, x.value
	FROM mlplat._model m
	JOIN mlplat.version v ON v.model_id OPERATOR(pg_catalog.=) m.model_id
	JOIN mlplat.metric x ON x.version_id OPERATOR(pg_catalog.=) v.version_id
	WHERE m.privilege OPERATOR(pg_catalog.>=) 2;
COMMENT ON VIEW ml_metrics IS 'what was measured when versions were trained, of models that you may read';
COMMENT ON COLUMN ml_metrics.model IS 'model';
COMMENT ON COLUMN ml_metrics.version IS 'version';
COMMENT ON COLUMN ml_metrics.split IS 'train, validation or test';
COMMENT ON COLUMN ml_metrics.metric IS 'rmse, mae, r2, accuracy, precision, recall, f1, auc, logloss or brier';
COMMENT ON COLUMN ml_metrics.value IS 'value; NULL where it is undefined';
GRANT SELECT ON ml_metrics TO PUBLIC;

CREATE VIEW ml_deployments WITH (security_barrier) AS
	SELECT m.name AS model, l.alias, l.version, l.deployed_by, l.deployed_at, l.note, l.action,
		   l.version IS NOT NULL AND NOT EXISTS (
				SELECT FROM mlplat.deployment_log later
				WHERE later.model_id OPERATOR(pg_catalog.=) l.model_id AND later.alias OPERATOR(pg_catalog.=) l.alias
				AND later.entry OPERATOR(pg_catalog.>) l.entry) AS current,
		   l.entry
	FROM mlplat._model m
	JOIN mlplat.deployment_log l ON l.model_id OPERATOR(pg_catalog.=) m.model_id
	WHERE m.privilege OPERATOR(pg_catalog.>=) 2;
COMMENT ON VIEW ml_deployments IS 'who put which version under which alias and when, of models that you may read; "current" marks what holds now';
COMMENT ON COLUMN ml_deployments.model IS 'model';
COMMENT ON COLUMN ml_deployments.alias IS 'alias; "production" answers to the bare name';
COMMENT ON COLUMN ml_deployments.version IS 'version; NULL: the alias was dropped';
COMMENT ON COLUMN ml_deployments.deployed_by IS 'role';
COMMENT ON COLUMN ml_deployments.deployed_at IS 'when';
COMMENT ON COLUMN ml_deployments.note IS 'note given to ml_deploy';
COMMENT ON COLUMN ml_deployments.action IS 'deploy, rollback or drop';
COMMENT ON COLUMN ml_deployments.current IS 'true: this is where the alias points now';
COMMENT ON COLUMN ml_deployments.entry IS 'order of the entries';
GRANT SELECT ON ml_deployments TO PUBLIC;
