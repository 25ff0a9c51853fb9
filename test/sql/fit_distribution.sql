-- ml_fit_distribution: parameters with intervals, priors, what does not fit.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mlplat;
RESET client_min_messages;

SELECT parameter, round(estimate::numeric, 4) AS estimate, round(std_error::numeric, 4) AS std_error, round(lower::numeric, 3) AS lower, round(upper::numeric, 3) AS upper
FROM ml_fit_distribution('diabetes', 'bmi', 'gamma');
SELECT parameter, round(estimate::numeric, 4) AS estimate, round(lower::numeric, 4) AS lower, round(upper::numeric, 4) AS upper
FROM ml_fit_distribution('breast_cancer', 'malignant', 'bernoulli', 'bayes', prior => '{"alpha": 2, "beta": 8}', level => 0.9) WHERE parameter = 'probability';
-- The family that fits best.
SELECT family FROM unnest('{normal,lognormal,gamma,weibull,laplace}'::text[]) family,
	LATERAL (SELECT estimate FROM ml_fit_distribution('diabetes', 'bmi', family) WHERE parameter = 'aic') f ORDER BY estimate LIMIT 1;
-- NULL values are left out; a query is a source, too.
SELECT estimate FROM ml_fit_distribution('SELECT nullif(i, 3) AS n FROM generate_series(0, 5) i', 'n', 'poisson') WHERE parameter IN ('mean', 'rows');

SELECT * FROM ml_fit_distribution('diabetes', 'bmi', 'cauchy');
SELECT * FROM ml_fit_distribution('diabetes', 'bmi', 'beta');
SELECT * FROM ml_fit_distribution('diabetes', 'bmj', 'normal');
SELECT * FROM ml_fit_distribution('iris', 'species', 'normal');
SELECT * FROM ml_fit_distribution('diabetes', 'bmi', 'gamma', 'bayes');
SELECT * FROM ml_fit_distribution('diabetes', 'bmi', 'normal', 'guess');
SELECT * FROM ml_fit_distribution('diabetes', 'bmi', 'normal', 'map', prior => '{"shape": 1}');
SELECT * FROM ml_fit_distribution('diabetes', 'bmi', 'normal', 'map', prior => '{"kappa": -1}');
SELECT * FROM ml_fit_distribution('diabetes', 'bmi', 'normal', prior => '{"kappa": 1}');
SELECT * FROM ml_fit_distribution('diabetes', 'bmi', 'normal', level => 1);
SELECT * FROM ml_fit_distribution(NULL, 'bmi', 'normal');
SELECT * FROM ml_fit_distribution('SELECT i * 1e-320 AS n FROM generate_series(1, 15) i', 'n', 'gamma');
SELECT * FROM ml_fit_distribution('SELECT i * 1e307 AS n FROM generate_series(1, 15) i', 'n', 'normal');
SELECT * FROM ml_fit_distribution('SELECT NULL::float8 AS n', 'n', 'normal');
