/*
 * A row as the method of a model sees it, after the steps of its transform.
 */
CREATE FUNCTION ml_transform(model text, "row" record) RETURNS jsonb
	LANGUAGE c STABLE STRICT PARALLEL SAFE COST 1000
	AS 'MODULE_PATHNAME', 'ml_transform';
COMMENT ON FUNCTION ml_transform(text, record) IS
	'a row as the algorithm of a model sees it, after the steps of its transform: an object with a key for each encoded column, null for what is missing. Columns are matched by name; needs the privilege read, for encoded values tell what the model has learnt';
GRANT EXECUTE ON FUNCTION ml_transform(text, record) TO PUBLIC;

CREATE FUNCTION ml_transform_json(model text, features jsonb) RETURNS jsonb
	LANGUAGE c STABLE STRICT PARALLEL SAFE COST 1000
	AS 'MODULE_PATHNAME', 'ml_transform_json';
COMMENT ON FUNCTION ml_transform_json(text, jsonb) IS
	'ml_transform from a JSON object with a key for each column; null is a missing value';
GRANT EXECUTE ON FUNCTION ml_transform_json(text, jsonb) TO PUBLIC;

CREATE FUNCTION ml_transform_array(model text, features double precision[]) RETURNS jsonb
	LANGUAGE c STABLE STRICT PARALLEL SAFE COST 1000
	AS 'MODULE_PATHNAME', 'ml_transform_array';
COMMENT ON FUNCTION ml_transform_array(text, double precision[]) IS
	'ml_transform from an array of numbers in the order of ml_features(); categories by their codes, NULL is a missing value';
GRANT EXECUTE ON FUNCTION ml_transform_array(text, double precision[]) TO PUBLIC;

CREATE FUNCTION ml_transform_steps()
RETURNS TABLE (step text, takes text, options text, description text)
LANGUAGE c IMMUTABLE PARALLEL SAFE ROWS 20
AS 'MODULE_PATHNAME', 'ml_transform_steps';
COMMENT ON FUNCTION ml_transform_steps() IS
	'the steps that the argument transform of ml_train knows: what a column must be for them, and their options with defaults';
GRANT EXECUTE ON FUNCTION ml_transform_steps() TO PUBLIC;
