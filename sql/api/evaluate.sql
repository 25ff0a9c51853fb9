/*
 * How good a model is, and what is inside it.
 */

CREATE FUNCTION ml_evaluate(model text, source text DEFAULT NULL)
	RETURNS TABLE (metric text, value double precision)
	LANGUAGE c VOLATILE PARALLEL UNSAFE COST 100000 ROWS 8
	AS 'MODULE_PATHNAME', 'ml_evaluate';
COMMENT ON FUNCTION ml_evaluate(text, text) IS
	'metrics of a model on the rows of a source, or without one those measured on its hold-out; NULL where a metric is undefined';
GRANT EXECUTE ON FUNCTION ml_evaluate(text, text) TO PUBLIC;

CREATE FUNCTION ml_confusion_matrix(model text, source text DEFAULT NULL)
	RETURNS TABLE (actual text, predicted text, rows bigint)
	LANGUAGE c VOLATILE PARALLEL UNSAFE COST 100000 ROWS 16
	AS 'MODULE_PATHNAME', 'ml_confusion_matrix';
COMMENT ON FUNCTION ml_confusion_matrix(text, text) IS
	'how many rows of each class a model predicts as which class, on the rows of a source or on its hold-out; a row for each pair of classes';
GRANT EXECUTE ON FUNCTION ml_confusion_matrix(text, text) TO PUBLIC;

CREATE FUNCTION ml_roc_curve(model text, source text DEFAULT NULL)
	RETURNS TABLE (threshold double precision, fpr double precision, tpr double precision)
	LANGUAGE c VOLATILE PARALLEL UNSAFE COST 100000 ROWS 1000
	AS 'MODULE_PATHNAME', 'ml_roc_curve';
COMMENT ON FUNCTION ml_roc_curve(text, text) IS
	'ROC curve of a binary model on the rows of a source or on its hold-out: at most 1,000 points, thresholds falling from infinity';
GRANT EXECUTE ON FUNCTION ml_roc_curve(text, text) TO PUBLIC;

CREATE FUNCTION ml_importance(model text, method text DEFAULT 'gain')
	RETURNS TABLE (feature text, importance double precision)
	LANGUAGE c STABLE PARALLEL SAFE COST 1000 ROWS 20
	AS 'MODULE_PATHNAME', 'ml_importance';
COMMENT ON FUNCTION ml_importance(text, text) IS
	'importance of each feature of a model, the greatest first; method as the algorithm offers it: gain, split';
GRANT EXECUTE ON FUNCTION ml_importance(text, text) TO PUBLIC;

CREATE FUNCTION ml_coefficients(model text)
	RETURNS TABLE (class text, term text, estimate double precision, std_error double precision,
		statistic double precision, p_value double precision)
	LANGUAGE c STABLE PARALLEL SAFE COST 1000 ROWS 20
	AS 'MODULE_PATHNAME', 'ml_coefficients';
COMMENT ON FUNCTION ml_coefficients(text) IS
	'coefficients of a linear model; the constant is (intercept), the class is NULL where there is one equation';
GRANT EXECUTE ON FUNCTION ml_coefficients(text) TO PUBLIC;

CREATE FUNCTION ml_coefficient_intervals(model text, level double precision DEFAULT 0.95)
	RETURNS TABLE (class text, term text, estimate double precision, lower double precision, upper double precision)
	LANGUAGE c STABLE PARALLEL SAFE COST 1000 ROWS 20
	AS 'MODULE_PATHNAME', 'ml_coefficient_intervals';
COMMENT ON FUNCTION ml_coefficient_intervals(text, double precision) IS
	'intervals that hold each coefficient of a linear model with the probability level: confidence intervals from the standard errors, of bayesian_linear_regression credible intervals; NULL bounds where there is no standard error';
GRANT EXECUTE ON FUNCTION ml_coefficient_intervals(text, double precision) TO PUBLIC;

CREATE FUNCTION ml_model_statistics(model text)
	RETURNS TABLE (statistic text, value double precision)
	LANGUAGE c STABLE PARALLEL SAFE COST 1000 ROWS 20
	AS 'MODULE_PATHNAME', 'ml_model_statistics';
COMMENT ON FUNCTION ml_model_statistics(text) IS
	'what is known of the fit of a model as a whole, over its training rows: R squared, deviance, AIC, degrees of freedom and so on, as its algorithm defines them; NULL where one is undefined';
GRANT EXECUTE ON FUNCTION ml_model_statistics(text) TO PUBLIC;

CREATE FUNCTION ml_features(model text)
	RETURNS TABLE ("position" int, feature text, source_column text, type text, encoding text)
	LANGUAGE c STABLE PARALLEL SAFE COST 1000 ROWS 20
	AS 'MODULE_PATHNAME', 'ml_features';
COMMENT ON FUNCTION ml_features(text) IS
	'what a model expects of a row, in the order of ml_predict_array(); categories are named to those who may read the model';
GRANT EXECUTE ON FUNCTION ml_features(text) TO PUBLIC;
