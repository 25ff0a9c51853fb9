/*
 * Dimension reduction: the vector of a row.  As the predict functions of predict.sql.
 */

CREATE FUNCTION ml_reduce(model text, "row" record) RETURNS double precision[]
	LANGUAGE c STABLE STRICT PARALLEL SAFE COST 400 SUPPORT mlplat._predict_support
	AS 'MODULE_PATHNAME', 'ml_reduce';
COMMENT ON FUNCTION ml_reduce(text, record) IS
	'vector that a dimension reduction makes of a row. Columns are matched by name';
GRANT EXECUTE ON FUNCTION ml_reduce(text, record) TO PUBLIC;

CREATE FUNCTION ml_reduce_json(model text, features jsonb) RETURNS double precision[]
	LANGUAGE c STABLE STRICT PARALLEL SAFE COST 1000 SUPPORT mlplat._predict_support
	AS 'MODULE_PATHNAME', 'ml_reduce_json';
COMMENT ON FUNCTION ml_reduce_json(text, jsonb) IS
	'ml_reduce from a JSON object with a key for each column; null is a missing value';
GRANT EXECUTE ON FUNCTION ml_reduce_json(text, jsonb) TO PUBLIC;

CREATE FUNCTION ml_reduce_array(model text, features double precision[]) RETURNS double precision[]
	LANGUAGE c STABLE STRICT PARALLEL SAFE COST 400 SUPPORT mlplat._predict_support
	AS 'MODULE_PATHNAME', 'ml_reduce_array';
COMMENT ON FUNCTION ml_reduce_array(text, double precision[]) IS
	'ml_reduce from an array of numbers in the order of ml_features(); categories by their codes, NULL is a missing value';
GRANT EXECUTE ON FUNCTION ml_reduce_array(text, double precision[]) TO PUBLIC;

CREATE FUNCTION ml_reduce_batch(model text, source text, id text DEFAULT NULL)
	RETURNS TABLE (id text, vector double precision[], version int)
	LANGUAGE c VOLATILE PARALLEL UNSAFE COST 100000 ROWS 10000
	AS 'MODULE_PATHNAME', 'ml_reduce_batch';
COMMENT ON FUNCTION ml_reduce_batch(text, text, text) IS
	'vectors of all rows of a table, view or query; id names the column that identifies a row';
GRANT EXECUTE ON FUNCTION ml_reduce_batch(text, text, text) TO PUBLIC;

CREATE FUNCTION mlplat._reduce_planned(model text, version_id bigint, names text[], VARIADIC columns "any") RETURNS double precision[]
	LANGUAGE c STABLE PARALLEL SAFE COST 400 SUPPORT mlplat._predict_support
	AS 'MODULE_PATHNAME', 'mlplat_reduce_planned';
COMMENT ON FUNCTION mlplat._reduce_planned(text, bigint, text[], "any") IS
	'what the planner makes of ml_reduce() with a row';
GRANT EXECUTE ON FUNCTION mlplat._reduce_planned(text, bigint, text[], "any") TO PUBLIC;
