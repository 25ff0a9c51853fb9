-- Training: at once, queued, and once more as before.
CREATE FUNCTION ml_train(
	algorithm text, source text, target text DEFAULT NULL, model text DEFAULT NULL,
	features text[] DEFAULT NULL, exclude text[] DEFAULT NULL, params jsonb DEFAULT '{}',
	id text DEFAULT NULL, weight text DEFAULT NULL,
	split text DEFAULT 'auto', holdout float8 DEFAULT 0.2, validation float8 DEFAULT 0, split_by text DEFAULT NULL,
	class_weight text DEFAULT NULL, seed bigint DEFAULT 42, max_seconds float8 DEFAULT NULL,
	deploy text DEFAULT 'first', note text DEFAULT NULL,
	segment_by text[] DEFAULT NULL, segment_min_rows int DEFAULT 30, transform jsonb DEFAULT NULL)
RETURNS TABLE (model text, version int, task text, algorithm text, rows bigint, features int,
	metric text, score float8, seconds float8, warnings text[])
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE ROWS 1 COST 1000000
AS 'MODULE_PATHNAME', 'ml_train';
COMMENT ON FUNCTION ml_train(text, text, text, text, text[], text[], jsonb, text, text, text, float8, float8, text, text, bigint, float8, text, text, text[], int, jsonb) IS
'trains a model on a table, a view or a query, in the current transaction, and says how good it is on rows kept aside; with segment_by also one for each group of rows, see ml_segments';
GRANT EXECUTE ON FUNCTION ml_train(text, text, text, text, text[], text[], jsonb, text, text, text, float8, float8, text, text, bigint, float8, text, text, text[], int, jsonb) TO PUBLIC;

CREATE FUNCTION ml_train_async(
	algorithm text, source text, target text DEFAULT NULL, model text DEFAULT NULL,
	features text[] DEFAULT NULL, exclude text[] DEFAULT NULL, params jsonb DEFAULT '{}',
	id text DEFAULT NULL, weight text DEFAULT NULL,
	split text DEFAULT 'auto', holdout float8 DEFAULT 0.2, validation float8 DEFAULT 0, split_by text DEFAULT NULL,
	class_weight text DEFAULT NULL, seed bigint DEFAULT 42, max_seconds float8 DEFAULT NULL,
	deploy text DEFAULT 'first', note text DEFAULT NULL,
	segment_by text[] DEFAULT NULL, segment_min_rows int DEFAULT 30, transform jsonb DEFAULT NULL, priority int DEFAULT 0)
RETURNS bigint
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE COST 10000
AS 'MODULE_PATHNAME', 'ml_train_async';
COMMENT ON FUNCTION ml_train_async(text, text, text, text, text[], text[], jsonb, text, text, text, float8, float8, text, text, bigint, float8, text, text, text[], int, jsonb, int) IS
'queues a training run that starts when the transaction commits, and returns its job; jobs of a higher priority start first';
GRANT EXECUTE ON FUNCTION ml_train_async(text, text, text, text, text[], text[], jsonb, text, text, text, float8, float8, text, text, bigint, float8, text, text, text[], int, jsonb, int) TO PUBLIC;

CREATE FUNCTION ml_retrain(model text, source text DEFAULT NULL, deploy text DEFAULT 'if_better')
RETURNS TABLE (model text, version int, task text, algorithm text, rows bigint, features int,
	metric text, score float8, seconds float8, warnings text[])
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE ROWS 1 COST 1000000
AS 'MODULE_PATHNAME', 'ml_retrain';
COMMENT ON FUNCTION ml_retrain(text, text, text) IS
'trains a new version of a model as its production version was trained, on the rows as they are now or on another source';
GRANT EXECUTE ON FUNCTION ml_retrain(text, text, text) TO PUBLIC;
