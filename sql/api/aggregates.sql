/*
 * Metric aggregates.  Their parts are executed with the rights of the aggregate's owner,
 * so nobody else may call them.
 */
CREATE FUNCTION mlplat._rmse_step(double precision[], double precision, double precision) RETURNS double precision[]
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'mlplat_rmse_step';
REVOKE ALL ON FUNCTION mlplat._rmse_step(double precision[], double precision, double precision) FROM PUBLIC;
COMMENT ON FUNCTION mlplat._rmse_step(double precision[], double precision, double precision) IS 'part of a metric aggregate';

CREATE FUNCTION mlplat._mae_step(double precision[], double precision, double precision) RETURNS double precision[]
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'mlplat_mae_step';
REVOKE ALL ON FUNCTION mlplat._mae_step(double precision[], double precision, double precision) FROM PUBLIC;
COMMENT ON FUNCTION mlplat._mae_step(double precision[], double precision, double precision) IS 'part of a metric aggregate';

CREATE FUNCTION mlplat._logloss_step(double precision[], boolean, double precision) RETURNS double precision[]
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'mlplat_logloss_step';
REVOKE ALL ON FUNCTION mlplat._logloss_step(double precision[], boolean, double precision) FROM PUBLIC;
COMMENT ON FUNCTION mlplat._logloss_step(double precision[], boolean, double precision) IS 'part of a metric aggregate';

CREATE FUNCTION mlplat._brier_step(double precision[], boolean, double precision) RETURNS double precision[]
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'mlplat_brier_step';
REVOKE ALL ON FUNCTION mlplat._brier_step(double precision[], boolean, double precision) FROM PUBLIC;
COMMENT ON FUNCTION mlplat._brier_step(double precision[], boolean, double precision) IS 'part of a metric aggregate';

CREATE FUNCTION mlplat._accuracy_step(double precision[], text, text) RETURNS double precision[]
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'mlplat_accuracy_step';
REVOKE ALL ON FUNCTION mlplat._accuracy_step(double precision[], text, text) FROM PUBLIC;
COMMENT ON FUNCTION mlplat._accuracy_step(double precision[], text, text) IS 'part of a metric aggregate';

CREATE FUNCTION mlplat._mean_combine(double precision[], double precision[]) RETURNS double precision[]
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'mlplat_mean_combine';
REVOKE ALL ON FUNCTION mlplat._mean_combine(double precision[], double precision[]) FROM PUBLIC;
COMMENT ON FUNCTION mlplat._mean_combine(double precision[], double precision[]) IS 'part of a metric aggregate';

CREATE FUNCTION mlplat._mean_final(double precision[]) RETURNS double precision
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'mlplat_mean_final';
REVOKE ALL ON FUNCTION mlplat._mean_final(double precision[]) FROM PUBLIC;
COMMENT ON FUNCTION mlplat._mean_final(double precision[]) IS 'part of a metric aggregate';

CREATE FUNCTION mlplat._rmse_final(double precision[]) RETURNS double precision
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'mlplat_rmse_final';
REVOKE ALL ON FUNCTION mlplat._rmse_final(double precision[]) FROM PUBLIC;
COMMENT ON FUNCTION mlplat._rmse_final(double precision[]) IS 'part of a metric aggregate';

CREATE FUNCTION mlplat._r2_step(double precision[], double precision, double precision) RETURNS double precision[]
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'mlplat_r2_step';
REVOKE ALL ON FUNCTION mlplat._r2_step(double precision[], double precision, double precision) FROM PUBLIC;
COMMENT ON FUNCTION mlplat._r2_step(double precision[], double precision, double precision) IS 'part of a metric aggregate';

CREATE FUNCTION mlplat._r2_combine(double precision[], double precision[]) RETURNS double precision[]
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'mlplat_r2_combine';
REVOKE ALL ON FUNCTION mlplat._r2_combine(double precision[], double precision[]) FROM PUBLIC;
COMMENT ON FUNCTION mlplat._r2_combine(double precision[], double precision[]) IS 'part of a metric aggregate';

CREATE FUNCTION mlplat._r2_final(double precision[]) RETURNS double precision
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'mlplat_r2_final';
REVOKE ALL ON FUNCTION mlplat._r2_final(double precision[]) FROM PUBLIC;
COMMENT ON FUNCTION mlplat._r2_final(double precision[]) IS 'part of a metric aggregate';

CREATE FUNCTION mlplat._auc_step(internal, boolean, double precision) RETURNS internal
	LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'mlplat_auc_step';
REVOKE ALL ON FUNCTION mlplat._auc_step(internal, boolean, double precision) FROM PUBLIC;
COMMENT ON FUNCTION mlplat._auc_step(internal, boolean, double precision) IS 'part of a metric aggregate';

CREATE FUNCTION mlplat._auc_final(internal) RETURNS double precision
	LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'mlplat_auc_final';
REVOKE ALL ON FUNCTION mlplat._auc_final(internal) FROM PUBLIC;
COMMENT ON FUNCTION mlplat._auc_final(internal) IS 'part of a metric aggregate';

CREATE FUNCTION mlplat._f1_step(internal, text, text) RETURNS internal
	LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'mlplat_f1_step';
REVOKE ALL ON FUNCTION mlplat._f1_step(internal, text, text) FROM PUBLIC;
COMMENT ON FUNCTION mlplat._f1_step(internal, text, text) IS 'part of a metric aggregate';

CREATE FUNCTION mlplat._f1_combine(internal, internal) RETURNS internal
	LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'mlplat_f1_combine';
REVOKE ALL ON FUNCTION mlplat._f1_combine(internal, internal) FROM PUBLIC;
COMMENT ON FUNCTION mlplat._f1_combine(internal, internal) IS 'part of a metric aggregate';

CREATE FUNCTION mlplat._f1_save(internal) RETURNS bytea
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'mlplat_f1_save';
REVOKE ALL ON FUNCTION mlplat._f1_save(internal) FROM PUBLIC;
COMMENT ON FUNCTION mlplat._f1_save(internal) IS 'part of a metric aggregate';

CREATE FUNCTION mlplat._f1_load(bytea, internal) RETURNS internal
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'mlplat_f1_load';
REVOKE ALL ON FUNCTION mlplat._f1_load(bytea, internal) FROM PUBLIC;
COMMENT ON FUNCTION mlplat._f1_load(bytea, internal) IS 'part of a metric aggregate';

CREATE FUNCTION mlplat._f1_final(internal) RETURNS double precision
	LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'mlplat_f1_final';
REVOKE ALL ON FUNCTION mlplat._f1_final(internal) FROM PUBLIC;
COMMENT ON FUNCTION mlplat._f1_final(internal) IS 'part of a metric aggregate';

CREATE AGGREGATE ml_rmse(actual double precision, predicted double precision) (
	SFUNC = mlplat._rmse_step, STYPE = double precision[], INITCOND = '{0,0}',
	COMBINEFUNC = mlplat._mean_combine, FINALFUNC = mlplat._rmse_final,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE ml_rmse(double precision, double precision) IS 'root mean squared error; rows with a NULL are left out';
GRANT EXECUTE ON FUNCTION ml_rmse(double precision, double precision) TO PUBLIC;

CREATE AGGREGATE ml_mae(actual double precision, predicted double precision) (
	SFUNC = mlplat._mae_step, STYPE = double precision[], INITCOND = '{0,0}',
	COMBINEFUNC = mlplat._mean_combine, FINALFUNC = mlplat._mean_final,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE ml_mae(double precision, double precision) IS 'mean absolute error; rows with a NULL are left out';
GRANT EXECUTE ON FUNCTION ml_mae(double precision, double precision) TO PUBLIC;

CREATE AGGREGATE ml_r2(actual double precision, predicted double precision) (
	SFUNC = mlplat._r2_step, STYPE = double precision[], INITCOND = '{0,0,0,0}',
	COMBINEFUNC = mlplat._r2_combine, FINALFUNC = mlplat._r2_final,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE ml_r2(double precision, double precision) IS 'coefficient of determination: share of the variance explained; NULL when actual is constant';
GRANT EXECUTE ON FUNCTION ml_r2(double precision, double precision) TO PUBLIC;

CREATE AGGREGATE ml_logloss(actual boolean, score double precision) (
	SFUNC = mlplat._logloss_step, STYPE = double precision[], INITCOND = '{0,0}',
	COMBINEFUNC = mlplat._mean_combine, FINALFUNC = mlplat._mean_final,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE ml_logloss(boolean, double precision) IS 'mean negative log-likelihood of predicted probabilities, clipped to [1e-15, 1 - 1e-15]';
GRANT EXECUTE ON FUNCTION ml_logloss(boolean, double precision) TO PUBLIC;

CREATE AGGREGATE ml_brier(actual boolean, score double precision) (
	SFUNC = mlplat._brier_step, STYPE = double precision[], INITCOND = '{0,0}',
	COMBINEFUNC = mlplat._mean_combine, FINALFUNC = mlplat._mean_final,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE ml_brier(boolean, double precision) IS 'mean squared difference between predicted probability and outcome';
GRANT EXECUTE ON FUNCTION ml_brier(boolean, double precision) TO PUBLIC;

CREATE AGGREGATE ml_auc(actual boolean, score double precision) (
	SFUNC = mlplat._auc_step, STYPE = internal, FINALFUNC = mlplat._auc_final,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE ml_auc(boolean, double precision) IS 'area under the ROC curve, ties counted half; NULL unless both outcomes occur; keeps 8 bytes a row';
GRANT EXECUTE ON FUNCTION ml_auc(boolean, double precision) TO PUBLIC;

CREATE AGGREGATE ml_accuracy(actual text, predicted text) (
	SFUNC = mlplat._accuracy_step, STYPE = double precision[], INITCOND = '{0,0}',
	COMBINEFUNC = mlplat._mean_combine, FINALFUNC = mlplat._mean_final,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE ml_accuracy(text, text) IS 'share of rows whose predicted label is the actual one';
GRANT EXECUTE ON FUNCTION ml_accuracy(text, text) TO PUBLIC;

CREATE AGGREGATE ml_f1(actual text, predicted text) (
	SFUNC = mlplat._f1_step, STYPE = internal, COMBINEFUNC = mlplat._f1_combine,
	SERIALFUNC = mlplat._f1_save, DESERIALFUNC = mlplat._f1_load, FINALFUNC = mlplat._f1_final,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE ml_f1(text, text) IS 'F1 of the greater label where two occur (1, true, yes), mean over the labels where more do, NULL for fewer';
GRANT EXECUTE ON FUNCTION ml_f1(text, text) TO PUBLIC;
