-- What the installation says about itself: versions, algorithms and their parameters.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mlplat;
RESET client_min_messages;

SELECT name FROM ml_version();
SELECT l.value = s.value AS library_and_sql_agree, s.value = e.extversion AS sql_is_installed
FROM ml_version() l, ml_version() s, pg_extension e
WHERE l.name = 'library' AND s.name = 'sql' AND e.extname = 'mlplat';
SET mlplat.simd = 'baseline';
SELECT value FROM ml_version() WHERE name = 'simd';
SET mlplat.threads = 3;
SELECT value FROM ml_version() WHERE name = 'threads';
RESET ALL;

-- Some of the algorithms, and any that does not say what it is for.
SELECT algorithm, tasks FROM ml_algorithms() WHERE algorithm IN ('gbdt', 'linear_regression', 'logistic_regression') ORDER BY algorithm;
SELECT algorithm FROM ml_algorithms() WHERE coalesce(summary, '') = '' OR cardinality(tasks) = 0;

-- Each algorithm describes each of its parameters, and each default lies in its range.
SELECT a.algorithm, p.name FROM ml_algorithms() a, ml_params(a.algorithm) p
WHERE p.type IS NULL OR p.default_value IS NULL OR coalesce(p.description, '') = ''
   OR (p.type IN ('integer', 'number') AND NOT (p.default_value::float8 BETWEEN coalesce(p.minimum::float8, '-infinity') AND coalesce(p.maximum::float8, 'infinity')));
-- Its defaults are what ml_train takes when they are given.
SELECT a.algorithm AS refuses_its_defaults
FROM ml_algorithms() a,
     LATERAL (SELECT jsonb_object_agg(name, CASE WHEN type IN ('integer', 'number', 'boolean', 'integer[]') THEN default_value::jsonb ELSE to_jsonb(default_value) END) AS params
              FROM ml_params(a.algorithm)) p,
     LATERAL ml_estimate(a.algorithm, 'SELECT i AS a, i % 2 = 0 AS y FROM generate_series(1, 10) i', 'y', params => p.params) e
GROUP BY a.algorithm HAVING count(*) <> 1 ORDER BY a.algorithm;
SELECT * FROM ml_params('linear_regression') WHERE name = 'task';
-- (without the hint, which names all algorithms)
\set VERBOSITY terse
SELECT * FROM ml_params('linear_regresion');
\set VERBOSITY default
SELECT * FROM ml_params(NULL);

-- A dry run checks algorithm and parameters as ml_train does.
\set VERBOSITY terse
SELECT * FROM ml_estimate('no_such', 'SELECT 1 AS a, 2 AS y', 'y');
\set VERBOSITY default
SELECT * FROM ml_estimate('linear_regression', 'SELECT 1 AS a, 2 AS y', 'y', params => '{"no_such": 1}');
SELECT * FROM ml_estimate(NULL, 'SELECT 1 AS a, 2 AS y', 'y');

-- Memory grows with the rows, and a run above the limit is announced.
CREATE TABLE estimate_rows AS SELECT i AS a, i * 0.5::float8 AS b, i % 7 AS y FROM generate_series(1, 100000) i;
ANALYZE estimate_rows;
SELECT rows, features, memory BETWEEN 100000 * 3 * 8 AND 100000 * 3 * 8 * 20 AS memory_is_sane, excluded, warnings
FROM ml_estimate('linear_regression', 'estimate_rows', 'y');
SELECT big.memory > 5 * small.memory AS grows
FROM ml_estimate('linear_regression', 'SELECT * FROM estimate_rows', 'y') big,
     ml_estimate('linear_regression', 'SELECT * FROM estimate_rows WHERE a <= 10000', 'y') small;
SET mlplat.max_training_memory = '1MB';
SELECT * FROM ml_estimate('linear_regression', 'estimate_rows', 'y');
RESET mlplat.max_training_memory;
DROP TABLE estimate_rows;
