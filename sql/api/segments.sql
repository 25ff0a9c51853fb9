-- Models for groups of rows (segment_by of ml_train).
CREATE FUNCTION ml_segments(model text)
RETURNS TABLE (segment jsonb, rows bigint, score float8, error text, bytes bigint)
LANGUAGE C STABLE PARALLEL SAFE ROWS 1000 COST 1000
AS 'MODULE_PATHNAME', 'ml_segments';
COMMENT ON FUNCTION ml_segments(text) IS
'the segments of a model: rows, score on the hold-out, size of the model; without a size the model of all rows answers, because of the error or because rows were too few';
GRANT EXECUTE ON FUNCTION ml_segments(text) TO PUBLIC;
