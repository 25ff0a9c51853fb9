/*
 * Statistics of single columns, without a model.
 */
CREATE FUNCTION ml_fit_distribution(source text, "column" text, family text, method text DEFAULT 'mle',
	prior jsonb DEFAULT NULL, level double precision DEFAULT 0.95)
	RETURNS TABLE (parameter text, estimate double precision, std_error double precision, lower double precision, upper double precision)
	LANGUAGE c STABLE PARALLEL UNSAFE COST 10000 ROWS 7
	AS 'MODULE_PATHNAME', 'ml_fit_distribution';
COMMENT ON FUNCTION ml_fit_distribution(text, text, text, text, jsonb, double precision) IS
	'parameters of a distribution from a column of a table, view or query, with intervals, then log-likelihood, AIC, BIC and the largest distance of the distribution functions. family: normal, lognormal, exponential, gamma, beta, weibull, laplace, pareto, uniform, poisson, geometric, negative_binomial, bernoulli; method: mle, or with a conjugate prior map (its mode) or bayes (its mean), for example prior => ''{"alpha": 2, "beta": 8}''. NULL values are left out';
GRANT EXECUTE ON FUNCTION ml_fit_distribution(text, text, text, text, jsonb, double precision) TO PUBLIC;
