/*
 * Why a prediction is what it is.
 */
CREATE FUNCTION ml_explain(model text, "row" record, top int DEFAULT NULL)
RETURNS TABLE (feature text, value text, contribution double precision)
LANGUAGE C STABLE PARALLEL SAFE COST 10000 ROWS 20 SUPPORT mlplat._predict_support
AS 'MODULE_PATHNAME', 'ml_explain';
COMMENT ON FUNCTION ml_explain(text, record, int) IS
	'what each feature adds to the prediction for a row, greatest effect first: exact Shapley values (TreeSHAP) of trees, forests and gbdt, coefficient x (value - training mean) of linear and logistic regression. ''(baseline)'' is the mean score of the training rows, and all rows add up to the score: the prediction of a regression, the log-odds of the second class of two, with more classes the score of the predicted class before the softmax; of trees and forests the share of that class. With top, all but so many features are summed as ''(other)''. Columns are matched by name; needs the privilege read, for contributions tell how the model works';
GRANT EXECUTE ON FUNCTION ml_explain(text, record, int) TO PUBLIC;

CREATE FUNCTION mlplat._explain_planned(model text, version_id bigint, names text[], top int, VARIADIC columns "any")
RETURNS TABLE (feature text, value text, contribution double precision)
LANGUAGE C STABLE PARALLEL SAFE COST 10000 ROWS 20
AS 'MODULE_PATHNAME', 'mlplat_explain_planned';
COMMENT ON FUNCTION mlplat._explain_planned(text, bigint, text[], int, "any") IS
	'of plans: ml_explain with the columns that the model reads, instead of the row';
GRANT EXECUTE ON FUNCTION mlplat._explain_planned(text, bigint, text[], int, "any") TO PUBLIC;
