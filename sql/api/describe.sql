/*
 * What this installation can do, and what a training run would need.
 */
CREATE FUNCTION ml_algorithms() RETURNS TABLE (algorithm text, summary text, tasks text[], description text, example text)
LANGUAGE C STABLE PARALLEL SAFE ROWS 10
AS 'MODULE_PATHNAME', 'ml_algorithms';
COMMENT ON FUNCTION ml_algorithms() IS 'the algorithms that ml_train knows: what they are for, how they work (the literature, time and memory, missing values and categories), and a statement that tries them on the tables of test/data';
GRANT EXECUTE ON FUNCTION ml_algorithms() TO PUBLIC;

CREATE FUNCTION ml_params(algorithm text)
RETURNS TABLE (name text, type text, default_value text, minimum text, maximum text, description text, aliases text)
LANGUAGE C STABLE PARALLEL SAFE ROWS 30
AS 'MODULE_PATHNAME', 'ml_params';
COMMENT ON FUNCTION ml_params(text) IS 'the hyper-parameters of an algorithm, as the params of ml_train takes them; aliases are names they have in other libraries, which are understood as well';
GRANT EXECUTE ON FUNCTION ml_params(text) TO PUBLIC;

CREATE FUNCTION ml_version() RETURNS TABLE (name text, value text)
LANGUAGE C STABLE PARALLEL SAFE ROWS 7
AS 'MODULE_PATHNAME', 'ml_version';
COMMENT ON FUNCTION ml_version() IS 'versions of the library and of the SQL objects, and what the processor offers';
GRANT EXECUTE ON FUNCTION ml_version() TO PUBLIC;

CREATE FUNCTION ml_estimate(algorithm text, source text, target text DEFAULT NULL, features text[] DEFAULT NULL,
	exclude text[] DEFAULT NULL, params jsonb DEFAULT '{}', transform jsonb DEFAULT NULL,
	segment_by text[] DEFAULT NULL, segment_min_rows int DEFAULT 30)
RETURNS TABLE (rows bigint, features int, memory bigint, excluded text[], warnings text[])
LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 1
AS 'MODULE_PATHNAME', 'ml_estimate';
COMMENT ON FUNCTION ml_estimate(text, text, text, text[], text[], jsonb, jsonb, text[], int)
	IS 'a dry run of ml_train: rows, features and bytes of memory it would need, and columns it would leave out; with segment_by for one model per group as well';
GRANT EXECUTE ON FUNCTION ml_estimate(text, text, text, text[], text[], jsonb, jsonb, text[], int) TO PUBLIC;
