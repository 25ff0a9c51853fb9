/*
 * Prediction.  By name it follows a deploy, so it is STABLE; only what names a version by its id is IMMUTABLE.
 * Every function asks for the privilege "predict" itself.
 */

CREATE FUNCTION mlplat._predict_support(internal) RETURNS internal
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'mlplat_predict_support';
COMMENT ON FUNCTION mlplat._predict_support(internal) IS 'tells the planner what a prediction costs, and which columns of a row it needs';
REVOKE ALL ON FUNCTION mlplat._predict_support(internal) FROM PUBLIC;

CREATE FUNCTION ml_predict(model text, "row" record) RETURNS double precision
	LANGUAGE c STABLE STRICT PARALLEL SAFE COST 400 SUPPORT mlplat._predict_support
	AS 'MODULE_PATHNAME', 'ml_predict';
COMMENT ON FUNCTION ml_predict(text, record) IS
	'prediction for a row: value of a regression; for classification the class where it is a number or boolean (1/0). Columns are matched by name';
GRANT EXECUTE ON FUNCTION ml_predict(text, record) TO PUBLIC;

CREATE FUNCTION ml_predict_class(model text, "row" record) RETURNS text
	LANGUAGE c STABLE STRICT PARALLEL SAFE COST 400 SUPPORT mlplat._predict_support
	AS 'MODULE_PATHNAME', 'ml_predict_class';
COMMENT ON FUNCTION ml_predict_class(text, record) IS
	'predicted label for a row, as it was in the training table';
GRANT EXECUTE ON FUNCTION ml_predict_class(text, record) TO PUBLIC;

CREATE FUNCTION ml_predict_proba(model text, "row" record, class text DEFAULT NULL) RETURNS double precision
	LANGUAGE c STABLE PARALLEL SAFE COST 400 SUPPORT mlplat._predict_support
	AS 'MODULE_PATHNAME', 'ml_predict_proba';
COMMENT ON FUNCTION ml_predict_proba(text, record, text) IS
	'probability of a class for a row; without class: of the positive class (the second one) of a binary model, else of the predicted class';
GRANT EXECUTE ON FUNCTION ml_predict_proba(text, record, text) TO PUBLIC;

CREATE FUNCTION ml_predict_probs(model text, "row" record) RETURNS jsonb
	LANGUAGE c STABLE STRICT PARALLEL SAFE COST 1000 SUPPORT mlplat._predict_support
	AS 'MODULE_PATHNAME', 'ml_predict_probs';
COMMENT ON FUNCTION ml_predict_probs(text, record) IS
	'probabilities of all classes for a row, as an object {label: probability}';
GRANT EXECUTE ON FUNCTION ml_predict_probs(text, record) TO PUBLIC;

CREATE FUNCTION ml_predict_json(model text, features jsonb) RETURNS double precision
	LANGUAGE c STABLE STRICT PARALLEL SAFE COST 1000 SUPPORT mlplat._predict_support
	AS 'MODULE_PATHNAME', 'ml_predict_json';
COMMENT ON FUNCTION ml_predict_json(text, jsonb) IS
	'ml_predict from a JSON object with a key for each column; null is a missing value';
GRANT EXECUTE ON FUNCTION ml_predict_json(text, jsonb) TO PUBLIC;

CREATE FUNCTION ml_predict_class_json(model text, features jsonb) RETURNS text
	LANGUAGE c STABLE STRICT PARALLEL SAFE COST 1000 SUPPORT mlplat._predict_support
	AS 'MODULE_PATHNAME', 'ml_predict_class_json';
COMMENT ON FUNCTION ml_predict_class_json(text, jsonb) IS
	'ml_predict_class from a JSON object with a key for each column; null is a missing value';
GRANT EXECUTE ON FUNCTION ml_predict_class_json(text, jsonb) TO PUBLIC;

CREATE FUNCTION ml_predict_proba_json(model text, features jsonb, class text DEFAULT NULL) RETURNS double precision
	LANGUAGE c STABLE PARALLEL SAFE COST 1000 SUPPORT mlplat._predict_support
	AS 'MODULE_PATHNAME', 'ml_predict_proba_json';
COMMENT ON FUNCTION ml_predict_proba_json(text, jsonb, text) IS
	'ml_predict_proba from a JSON object with a key for each column; null is a missing value';
GRANT EXECUTE ON FUNCTION ml_predict_proba_json(text, jsonb, text) TO PUBLIC;

CREATE FUNCTION ml_predict_array(model text, features double precision[]) RETURNS double precision
	LANGUAGE c STABLE STRICT PARALLEL SAFE COST 400 SUPPORT mlplat._predict_support
	AS 'MODULE_PATHNAME', 'ml_predict_array';
COMMENT ON FUNCTION ml_predict_array(text, double precision[]) IS
	'ml_predict from an array of numbers in the order of ml_features(); categories by their codes, NULL is a missing value';
GRANT EXECUTE ON FUNCTION ml_predict_array(text, double precision[]) TO PUBLIC;

/*
 * What functions made by ml_create_function() call.  Ids and not names, so that renaming a model is
 * safe, and executable by everybody, so that the owner of such a function can create, dump and restore it.
 */

CREATE FUNCTION mlplat._predict(model_id bigint, alias text, "row" record) RETURNS double precision
	LANGUAGE c STABLE STRICT PARALLEL SAFE COST 400 SUPPORT mlplat._predict_support
	AS 'MODULE_PATHNAME', 'mlplat_predict';
COMMENT ON FUNCTION mlplat._predict(bigint, text, record) IS
	'of generated functions: predicts with the version that an alias of a model points to';
GRANT EXECUTE ON FUNCTION mlplat._predict(bigint, text, record) TO PUBLIC;

CREATE FUNCTION mlplat._predict_version(version_id bigint, "row" record) RETURNS double precision
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 400 SUPPORT mlplat._predict_support
	AS 'MODULE_PATHNAME', 'mlplat_predict_version';
COMMENT ON FUNCTION mlplat._predict_version(bigint, record) IS
	'of generated functions: predicts with one version';
GRANT EXECUTE ON FUNCTION mlplat._predict_version(bigint, record) TO PUBLIC;

CREATE FUNCTION mlplat._predict_columns(model_id bigint, alias text, names text[], VARIADIC columns "any") RETURNS double precision
	LANGUAGE c STABLE PARALLEL SAFE COST 400 SUPPORT mlplat._predict_support
	AS 'MODULE_PATHNAME', 'mlplat_predict_columns';
COMMENT ON FUNCTION mlplat._predict_columns(bigint, text, text[], "any") IS
	'of generated functions: predicts from columns with the version that an alias of a model points to';
GRANT EXECUTE ON FUNCTION mlplat._predict_columns(bigint, text, text[], "any") TO PUBLIC;

CREATE FUNCTION mlplat._predict_version_columns(version_id bigint, VARIADIC columns "any") RETURNS double precision
	LANGUAGE c IMMUTABLE PARALLEL SAFE COST 400 SUPPORT mlplat._predict_support
	AS 'MODULE_PATHNAME', 'mlplat_predict_version_columns';
COMMENT ON FUNCTION mlplat._predict_version_columns(bigint, "any") IS
	'of generated functions: predicts from columns with one version';
GRANT EXECUTE ON FUNCTION mlplat._predict_version_columns(bigint, "any") TO PUBLIC;

CREATE FUNCTION mlplat._predict_class(model_id bigint, alias text, "row" record) RETURNS text
	LANGUAGE c STABLE STRICT PARALLEL SAFE COST 400 SUPPORT mlplat._predict_support
	AS 'MODULE_PATHNAME', 'mlplat_predict_class';
COMMENT ON FUNCTION mlplat._predict_class(bigint, text, record) IS
	'of generated functions: predicts with the version that an alias of a model points to';
GRANT EXECUTE ON FUNCTION mlplat._predict_class(bigint, text, record) TO PUBLIC;

CREATE FUNCTION mlplat._predict_version_class(version_id bigint, "row" record) RETURNS text
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 400 SUPPORT mlplat._predict_support
	AS 'MODULE_PATHNAME', 'mlplat_predict_version_class';
COMMENT ON FUNCTION mlplat._predict_version_class(bigint, record) IS
	'of generated functions: predicts with one version';
GRANT EXECUTE ON FUNCTION mlplat._predict_version_class(bigint, record) TO PUBLIC;

CREATE FUNCTION mlplat._predict_columns_class(model_id bigint, alias text, names text[], VARIADIC columns "any") RETURNS text
	LANGUAGE c STABLE PARALLEL SAFE COST 400 SUPPORT mlplat._predict_support
	AS 'MODULE_PATHNAME', 'mlplat_predict_columns_class';
COMMENT ON FUNCTION mlplat._predict_columns_class(bigint, text, text[], "any") IS
	'of generated functions: predicts from columns with the version that an alias of a model points to';
GRANT EXECUTE ON FUNCTION mlplat._predict_columns_class(bigint, text, text[], "any") TO PUBLIC;

CREATE FUNCTION mlplat._predict_version_columns_class(version_id bigint, VARIADIC columns "any") RETURNS text
	LANGUAGE c IMMUTABLE PARALLEL SAFE COST 400 SUPPORT mlplat._predict_support
	AS 'MODULE_PATHNAME', 'mlplat_predict_version_columns_class';
COMMENT ON FUNCTION mlplat._predict_version_columns_class(bigint, "any") IS
	'of generated functions: predicts from columns with one version';
GRANT EXECUTE ON FUNCTION mlplat._predict_version_columns_class(bigint, "any") TO PUBLIC;

CREATE FUNCTION mlplat._predict_proba(model_id bigint, alias text, "row" record) RETURNS double precision
	LANGUAGE c STABLE STRICT PARALLEL SAFE COST 400 SUPPORT mlplat._predict_support
	AS 'MODULE_PATHNAME', 'mlplat_predict_proba';
COMMENT ON FUNCTION mlplat._predict_proba(bigint, text, record) IS
	'of generated functions: predicts with the version that an alias of a model points to';
GRANT EXECUTE ON FUNCTION mlplat._predict_proba(bigint, text, record) TO PUBLIC;

CREATE FUNCTION mlplat._predict_version_proba(version_id bigint, "row" record) RETURNS double precision
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 400 SUPPORT mlplat._predict_support
	AS 'MODULE_PATHNAME', 'mlplat_predict_version_proba';
COMMENT ON FUNCTION mlplat._predict_version_proba(bigint, record) IS
	'of generated functions: predicts with one version';
GRANT EXECUTE ON FUNCTION mlplat._predict_version_proba(bigint, record) TO PUBLIC;

CREATE FUNCTION mlplat._predict_columns_proba(model_id bigint, alias text, names text[], VARIADIC columns "any") RETURNS double precision
	LANGUAGE c STABLE PARALLEL SAFE COST 400 SUPPORT mlplat._predict_support
	AS 'MODULE_PATHNAME', 'mlplat_predict_columns_proba';
COMMENT ON FUNCTION mlplat._predict_columns_proba(bigint, text, text[], "any") IS
	'of generated functions: predicts from columns with the version that an alias of a model points to';
GRANT EXECUTE ON FUNCTION mlplat._predict_columns_proba(bigint, text, text[], "any") TO PUBLIC;

CREATE FUNCTION mlplat._predict_version_columns_proba(version_id bigint, VARIADIC columns "any") RETURNS double precision
	LANGUAGE c IMMUTABLE PARALLEL SAFE COST 400 SUPPORT mlplat._predict_support
	AS 'MODULE_PATHNAME', 'mlplat_predict_version_columns_proba';
COMMENT ON FUNCTION mlplat._predict_version_columns_proba(bigint, "any") IS
	'of generated functions: predicts from columns with one version';
GRANT EXECUTE ON FUNCTION mlplat._predict_version_columns_proba(bigint, "any") TO PUBLIC;

/*
 * What the planner makes out of the functions above when it knows the model and the row's columns.  names are those
 * of the columns, version_id is the version that reads them.
 */

CREATE FUNCTION mlplat._predict_planned(model text, version_id bigint, names text[], VARIADIC columns "any") RETURNS double precision
	LANGUAGE c STABLE PARALLEL SAFE COST 400 SUPPORT mlplat._predict_support
	AS 'MODULE_PATHNAME', 'mlplat_predict_planned';
COMMENT ON FUNCTION mlplat._predict_planned(text, bigint, text[], "any") IS
	'of plans: ml_predict with the columns that the model reads, instead of the row';
GRANT EXECUTE ON FUNCTION mlplat._predict_planned(text, bigint, text[], "any") TO PUBLIC;

CREATE FUNCTION mlplat._predict_planned_class(model text, version_id bigint, names text[], VARIADIC columns "any") RETURNS text
	LANGUAGE c STABLE PARALLEL SAFE COST 400 SUPPORT mlplat._predict_support
	AS 'MODULE_PATHNAME', 'mlplat_predict_planned_class';
COMMENT ON FUNCTION mlplat._predict_planned_class(text, bigint, text[], "any") IS
	'of plans: ml_predict_class with the columns that the model reads, instead of the row';
GRANT EXECUTE ON FUNCTION mlplat._predict_planned_class(text, bigint, text[], "any") TO PUBLIC;

CREATE FUNCTION mlplat._predict_planned_proba(model text, version_id bigint, names text[], class text, VARIADIC columns "any") RETURNS double precision
	LANGUAGE c STABLE PARALLEL SAFE COST 400 SUPPORT mlplat._predict_support
	AS 'MODULE_PATHNAME', 'mlplat_predict_planned_proba';
COMMENT ON FUNCTION mlplat._predict_planned_proba(text, bigint, text[], text, "any") IS
	'of plans: ml_predict_proba with the columns that the model reads, instead of the row';
GRANT EXECUTE ON FUNCTION mlplat._predict_planned_proba(text, bigint, text[], text, "any") TO PUBLIC;

CREATE FUNCTION mlplat._predict_planned_probs(model text, version_id bigint, names text[], VARIADIC columns "any") RETURNS jsonb
	LANGUAGE c STABLE PARALLEL SAFE COST 1000 SUPPORT mlplat._predict_support
	AS 'MODULE_PATHNAME', 'mlplat_predict_planned_probs';
COMMENT ON FUNCTION mlplat._predict_planned_probs(text, bigint, text[], "any") IS
	'of plans: ml_predict_probs with the columns that the model reads, instead of the row';
GRANT EXECUTE ON FUNCTION mlplat._predict_planned_probs(text, bigint, text[], "any") TO PUBLIC;

CREATE FUNCTION mlplat._predict_planned_json(model text, version_id bigint, features jsonb) RETURNS double precision
	LANGUAGE c STABLE STRICT PARALLEL SAFE COST 1000 SUPPORT mlplat._predict_support
	AS 'MODULE_PATHNAME', 'mlplat_predict_planned_json';
COMMENT ON FUNCTION mlplat._predict_planned_json(text, bigint, jsonb) IS
	'of plans: ml_predict_json of to_jsonb(row) with the columns that the model reads, instead of all';
GRANT EXECUTE ON FUNCTION mlplat._predict_planned_json(text, bigint, jsonb) TO PUBLIC;

CREATE FUNCTION mlplat._predict_planned_class_json(model text, version_id bigint, features jsonb) RETURNS text
	LANGUAGE c STABLE STRICT PARALLEL SAFE COST 1000 SUPPORT mlplat._predict_support
	AS 'MODULE_PATHNAME', 'mlplat_predict_planned_class_json';
COMMENT ON FUNCTION mlplat._predict_planned_class_json(text, bigint, jsonb) IS
	'of plans: ml_predict_class_json of to_jsonb(row) with the columns that the model reads, instead of all';
GRANT EXECUTE ON FUNCTION mlplat._predict_planned_class_json(text, bigint, jsonb) TO PUBLIC;

CREATE FUNCTION mlplat._predict_planned_proba_json(model text, version_id bigint, features jsonb, class text) RETURNS double precision
	LANGUAGE c STABLE PARALLEL SAFE COST 1000 SUPPORT mlplat._predict_support
	AS 'MODULE_PATHNAME', 'mlplat_predict_planned_proba_json';
COMMENT ON FUNCTION mlplat._predict_planned_proba_json(text, bigint, jsonb, text) IS
	'of plans: ml_predict_proba_json of to_jsonb(row) with the columns that the model reads, instead of all';
GRANT EXECUTE ON FUNCTION mlplat._predict_planned_proba_json(text, bigint, jsonb, text) TO PUBLIC;

CREATE FUNCTION mlplat._predict_planned_model(model_id bigint, alias text, version_id bigint, names text[], VARIADIC columns "any") RETURNS double precision
	LANGUAGE c STABLE PARALLEL SAFE COST 400 SUPPORT mlplat._predict_support
	AS 'MODULE_PATHNAME', 'mlplat_predict_planned_model';
COMMENT ON FUNCTION mlplat._predict_planned_model(bigint, text, bigint, text[], "any") IS
	'of plans: _predict with the columns that the model reads, instead of the row';
GRANT EXECUTE ON FUNCTION mlplat._predict_planned_model(bigint, text, bigint, text[], "any") TO PUBLIC;

CREATE FUNCTION mlplat._predict_planned_model_class(model_id bigint, alias text, version_id bigint, names text[], VARIADIC columns "any") RETURNS text
	LANGUAGE c STABLE PARALLEL SAFE COST 400 SUPPORT mlplat._predict_support
	AS 'MODULE_PATHNAME', 'mlplat_predict_planned_model_class';
COMMENT ON FUNCTION mlplat._predict_planned_model_class(bigint, text, bigint, text[], "any") IS
	'of plans: _predict_class with the columns that the model reads, instead of the row';
GRANT EXECUTE ON FUNCTION mlplat._predict_planned_model_class(bigint, text, bigint, text[], "any") TO PUBLIC;

CREATE FUNCTION mlplat._predict_planned_model_proba(model_id bigint, alias text, version_id bigint, names text[], VARIADIC columns "any") RETURNS double precision
	LANGUAGE c STABLE PARALLEL SAFE COST 400 SUPPORT mlplat._predict_support
	AS 'MODULE_PATHNAME', 'mlplat_predict_planned_model_proba';
COMMENT ON FUNCTION mlplat._predict_planned_model_proba(bigint, text, bigint, text[], "any") IS
	'of plans: _predict_proba with the columns that the model reads, instead of the row';
GRANT EXECUTE ON FUNCTION mlplat._predict_planned_model_proba(bigint, text, bigint, text[], "any") TO PUBLIC;

/*
 * The columns of ml_predict_batch() where the planner has put a query in its place.  They are volatile, so that they are left where they are; a
 * node of the plan computes them for blocks of rows.
 */

CREATE FUNCTION mlplat._batch_prediction(model text, version_id bigint, "row" record) RETURNS double precision
	LANGUAGE c VOLATILE PARALLEL SAFE COST 400
	AS 'MODULE_PATHNAME', 'mlplat_batch_prediction';
COMMENT ON FUNCTION mlplat._batch_prediction(text, bigint, record) IS
	'of plans: prediction of ml_predict_batch';
GRANT EXECUTE ON FUNCTION mlplat._batch_prediction(text, bigint, record) TO PUBLIC;

CREATE FUNCTION mlplat._batch_label(model text, version_id bigint, "row" record) RETURNS text
	LANGUAGE c VOLATILE PARALLEL SAFE COST 400
	AS 'MODULE_PATHNAME', 'mlplat_batch_label';
COMMENT ON FUNCTION mlplat._batch_label(text, bigint, record) IS
	'of plans: label of ml_predict_batch';
GRANT EXECUTE ON FUNCTION mlplat._batch_label(text, bigint, record) TO PUBLIC;

CREATE FUNCTION mlplat._batch_probability(model text, version_id bigint, "row" record) RETURNS double precision
	LANGUAGE c VOLATILE PARALLEL SAFE COST 400
	AS 'MODULE_PATHNAME', 'mlplat_batch_probability';
COMMENT ON FUNCTION mlplat._batch_probability(text, bigint, record) IS
	'of plans: probability of ml_predict_batch';
GRANT EXECUTE ON FUNCTION mlplat._batch_probability(text, bigint, record) TO PUBLIC;

CREATE FUNCTION mlplat._batch_version(model text, version_id bigint, "row" record) RETURNS int
	LANGUAGE c VOLATILE PARALLEL SAFE COST 400
	AS 'MODULE_PATHNAME', 'mlplat_batch_version';
COMMENT ON FUNCTION mlplat._batch_version(text, bigint, record) IS
	'of plans: version of ml_predict_batch';
GRANT EXECUTE ON FUNCTION mlplat._batch_version(text, bigint, record) TO PUBLIC;

CREATE FUNCTION mlplat._predict_batch_support(internal) RETURNS internal
	LANGUAGE c STABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'mlplat_predict_batch_support';
COMMENT ON FUNCTION mlplat._predict_batch_support(internal) IS
	'has ml_predict_batch in FROM planned as a part of the query around it';
REVOKE ALL ON FUNCTION mlplat._predict_batch_support(internal) FROM PUBLIC;

CREATE FUNCTION ml_predict_batch(model text, source text, id text DEFAULT NULL)
	RETURNS TABLE (id text, prediction double precision, label text, probability double precision, version int)
	LANGUAGE c VOLATILE PARALLEL RESTRICTED COST 100000 ROWS 10000 SUPPORT mlplat._predict_batch_support
	AS 'MODULE_PATHNAME', 'ml_predict_batch';
COMMENT ON FUNCTION ml_predict_batch(text, text, text) IS
	'predictions for all rows of a table, view or query; id names the column that identifies a row; probability as ml_predict_proba gives it';
GRANT EXECUTE ON FUNCTION ml_predict_batch(text, text, text) TO PUBLIC;

CREATE FUNCTION ml_create_function(model text, relation regclass, name text DEFAULT NULL, kind text DEFAULT 'predict',
		pinned boolean DEFAULT false)
	RETURNS regprocedure
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ml_create_function';
COMMENT ON FUNCTION ml_create_function(text, regclass, text, text, boolean) IS
	'makes a function <model>_<kind> that predicts for rows of a relation, so that it reads like a column; kind: predict, class, proba, or columns, columns_class, columns_proba, which take the columns instead of the row; pinned to the present version it is IMMUTABLE and can be indexed';
GRANT EXECUTE ON FUNCTION ml_create_function(text, regclass, text, text, boolean) TO PUBLIC;
