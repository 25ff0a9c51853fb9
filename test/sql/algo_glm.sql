-- glm through SQL: families, offset and exposure by name, robust errors, statistics, explanations.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mlplat;
RESET client_min_messages;

-- Claims of insured cars: a rate per insured year that depends on age, power and region.
CREATE TABLE cars AS
SELECT i AS id, 18 + i % 60 AS age, 40 + i * 7 % 160 AS power, (ARRAY['north', 'south', 'west'])[1 + i % 3] AS region, 0.25 * (1 + i % 4) AS years, ln(1 + i % 3) AS loading,
       round(0.25 * (1 + i % 4) * exp(0.4 - 0.02 * (i % 60) + 0.005 * (i * 7 % 160) + CASE i % 3 WHEN 1 THEN 0.5 ELSE 0 END) * (0.5 + (i * 7919 % 1000) / 1000.0)) AS claims
FROM generate_series(1, 3000) i;

SELECT model, metric FROM ml_train('glm', 'cars', 'claims', model => 'claims', exclude => '{id,loading}', split => 'none', params => '{"family": "poisson", "exposure": "years"}');
SELECT term, round(estimate::numeric, 2) AS estimate, std_error > 0 AS has_error, p_value < 0.01 AS significant FROM ml_coefficients('claims') ORDER BY term;
SELECT statistic FROM ml_model_statistics('claims');
SELECT round(value::numeric, 6) AS df FROM ml_model_statistics('claims') WHERE statistic = 'df_residual';

-- Twice the years, twice the claims; the mean of the predictions is that of the claims; contributions add up to the logarithm.
SELECT abs(ml_predict('claims', b) / ml_predict('claims', a) - 2) < 1e-12 AS doubles
FROM (SELECT 30 AS age, 90 AS power, 'south' AS region, 1.0 AS years) a, (SELECT 30 AS age, 90 AS power, 'south' AS region, 2.0 AS years) b;
SELECT abs(avg(ml_predict('claims', c)) / avg(claims) - 1) < 1e-9 AS balanced FROM cars c;
SELECT max(abs(ln(ml_predict('claims', c)) - e.total)) < 1e-9 AS explained FROM cars c, LATERAL (SELECT sum(contribution) AS total FROM ml_explain('claims', c)) e WHERE c.id <= 100;
SELECT feature FROM ml_importance('claims') ORDER BY importance DESC, feature;
SELECT ml_predict('claims', c) FROM (SELECT 30 AS age, 90 AS power, 'south' AS region) c; \echo :SQLSTATE

-- Overdispersion shows in the quasi-likelihood, in robust errors and in the negative binomial.
SELECT count(*) AS models FROM (VALUES ('quasi', '{"family": "poisson", "exposure": "years", "dispersion": "pearson"}'), ('robust', '{"family": "poisson", "exposure": "years", "covariance": "HC3"}'),
	('nb', '{"family": "negative_binomial", "exposure": "years"}'), ('offset', '{"family": "poisson", "offset": "loading", "link": "log"}')) m(model, params),
	LATERAL ml_train('glm', 'cars', 'claims', model => m.model, exclude => CASE WHEN m.model = 'offset' THEN '{id,years}' ELSE '{id,loading}' END::text[], split => 'none', params => m.params::jsonb);
SELECT bool_and(abs(q.estimate - c.estimate) < 1e-12) AS same_estimates,
       max(abs(q.std_error / c.std_error - sqrt((SELECT value FROM ml_model_statistics('quasi') WHERE statistic = 'dispersion')))) < 1e-12 AS scaled_errors
FROM ml_coefficients('quasi') q JOIN ml_coefficients('claims') c USING (term);
SELECT bool_and(abs(r.estimate - c.estimate) < 1e-12) AS same_estimates, bool_and(r.std_error <> c.std_error) AS other_errors
FROM ml_coefficients('robust') r JOIN ml_coefficients('claims') c USING (term);
SELECT value >= 0 AS has_alpha FROM ml_model_statistics('nb') WHERE statistic = 'alpha';
SELECT term FROM ml_coefficients('offset') ORDER BY term;

-- One model in two ways: gaussian is least squares, binomial is logistic regression without a penalty.
CREATE TABLE pairs AS SELECT age, power, region, (claims > 1)::int AS any_claim, claims FROM cars;
SELECT count(*) FROM (SELECT * FROM ml_train('glm', 'pairs', 'any_claim', model => 'logit', exclude => '{claims}', split => 'none', params => '{"family": "binomial"}') UNION ALL
	SELECT * FROM ml_train('logistic_regression', 'pairs', 'any_claim', model => 'logistic', exclude => '{claims}', split => 'none', params => '{"penalty": "none"}') UNION ALL
	SELECT * FROM ml_train('glm', 'pairs', 'claims', model => 'gauss', exclude => '{any_claim}', split => 'none') UNION ALL
	SELECT * FROM ml_train('linear_regression', 'pairs', 'claims', model => 'ols', exclude => '{any_claim}', split => 'none')) t;
SELECT max(abs(a.estimate - b.estimate)) < 1e-8 AS estimates, max(abs(a.std_error - b.std_error)) < 1e-8 AS errors FROM ml_coefficients('logit') a JOIN ml_coefficients('logistic') b USING (term);
SELECT max(abs(a.estimate - b.estimate)) < 1e-8 AS estimates, max(abs(a.std_error - b.std_error)) < 1e-8 AS errors FROM ml_coefficients('gauss') a JOIN ml_coefficients('ols') b USING (term);
SELECT max(abs(ml_predict('logit', b) - ml_predict_proba('logistic', b))) < 1e-9 AS probabilities FROM pairs b;

-- A boolean target of the family binomial is 0 and 1, when it is learnt from and when it is judged by; of other families it is none.
CREATE TABLE truths AS SELECT age, power, region, any_claim = 1 AS any_claim FROM pairs;
SELECT task, metric FROM ml_train('glm', 'truths', 'any_claim', model => 'truth', split => 'none', params => '{"family": "binomial"}');
SELECT bool_and(a.estimate = b.estimate AND a.std_error = b.std_error) AS the_same FROM ml_coefficients('truth') a JOIN ml_coefficients('logit') b USING (term);
SELECT bool_and(ml_predict('truth', t) BETWEEN 0 AND 1) AS probabilities FROM truths t;
SELECT a.metric, a.value = b.value AS the_same FROM ml_evaluate('truth', 'truths') a JOIN ml_evaluate('logit', 'pairs') b USING (metric) ORDER BY metric;
SELECT version, metric FROM ml_retrain('truth');
SELECT count(*) FROM ml_train('glm', 'truths', 'any_claim', model => 'truth', split => 'random', params => '{"family": "binomial", "link": "probit"}', deploy => 'if_better');
SELECT features FROM ml_estimate('glm', 'truths', 'any_claim', params => '{"family": "binomial"}');
SELECT * FROM ml_train('glm', 'truths', 'any_claim', params => '{"family": "poisson"}'); \echo :SQLSTATE
DROP TABLE truths;

-- Statistics of the fit and robust errors, of linear and logistic regression as well.
SELECT statistic, value IS NOT NULL AS known FROM ml_model_statistics('ols');
SELECT statistic, value IS NOT NULL AS known FROM ml_model_statistics('logistic');
SELECT bool_and(abs(a.value - b.value) < 1e-6) AS the_same, count(*) FROM ml_model_statistics('logit') a JOIN ml_model_statistics('logistic') b USING (statistic)
WHERE statistic IN ('rows', 'df_model', 'df_residual', 'deviance', 'null_deviance', 'log_likelihood', 'aic', 'bic');
SELECT count(*) FROM ml_train('linear_regression', 'pairs', 'claims', model => 'ols', exclude => '{any_claim}', split => 'none', params => '{"cov_type": "HC3"}');
SELECT bool_and(a.estimate = b.estimate) AS same_estimates, bool_and(a.std_error <> b.std_error) AS other_errors FROM ml_coefficients('ols@1') a JOIN ml_coefficients('ols@2') b USING (term);
SELECT * FROM ml_train('linear_regression', 'pairs', 'claims', exclude => '{any_claim}', params => '{"covariance": "HC3", "alpha": 1}'); \echo :SQLSTATE
SELECT * FROM ml_train('logistic_regression', 'pairs', 'any_claim', exclude => '{claims}', params => '{"covariance": "HC3"}'); \echo :SQLSTATE

-- Refusals.
SELECT * FROM ml_train('glm', 'cars', 'claims', params => '{"family": "poisson", "link": "logit"}'); \echo :SQLSTATE
SELECT * FROM ml_train('glm', 'cars', 'claims', params => '{"family": "gamma"}'); \echo :SQLSTATE
SELECT * FROM ml_train('glm', 'cars', 'claims', params => '{"family": "poisson", "exposure": "yeers"}'); \echo :SQLSTATE
SELECT * FROM ml_train('glm', 'cars', 'claims', params => '{"family": "poisson", "exposure": "region"}'); \echo :SQLSTATE
SELECT * FROM ml_train('glm', 'cars', 'claims', params => '{"family": "poisson", "exposure": 1}'); \echo :SQLSTATE
SELECT * FROM ml_train('glm', 'cars', 'claims', params => '{"family": "poisson", "exposure": ["years"]}'); \echo :SQLSTATE
SELECT * FROM ml_train('glm', 'SELECT age, claims > 0 AS any_claim FROM cars', 'any_claim', model => 'x'); \echo :SQLSTATE

SELECT count(ml_drop(model)) FROM ml_models WHERE model IN ('claims', 'quasi', 'robust', 'nb', 'offset', 'logit', 'logistic', 'gauss', 'ols', 'truth');
DROP TABLE cars, pairs;
