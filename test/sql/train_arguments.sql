-- Arguments of ml_train that are wrong: refused before a run exists, each with its SQLSTATE.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mlplat;
RESET client_min_messages;

CREATE SCHEMA train_arguments;
SET search_path = train_arguments, public;
CREATE TABLE rows_ AS
SELECT i AS id, i % 17 AS a, (i * 31) % 101 / 10.0::float8 AS b, i % 2 = 0 AS flag, 3 * (i % 17) - 0.5 * i AS y
FROM generate_series(1, 200) i;

-- SQLSTATE, message and hint of the error that a statement gives.
CREATE FUNCTION error_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	code text; said text; hint text;
BEGIN
	EXECUTE statement;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, said = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
	RETURN code || ': ' || said || CASE WHEN hint <> '' THEN ' / ' || regexp_replace(hint, 'Available are: [^.]*', 'Available are: ...') ELSE '' END;
END $$;
CREATE FUNCTION train_error(arguments text) RETURNS text LANGUAGE sql AS
$$ SELECT train_arguments.error_of('SELECT * FROM ml_train(' || arguments || ')') $$;
SELECT coalesce(max(job), 0) AS jobs_before FROM ml_jobs \gset

-- NULL where something is needed
SELECT train_error($$NULL, 'rows_', 'y'$$);
SELECT train_error($$'linear_regression', NULL, 'y'$$);
SELECT train_error($$'linear_regression', 'rows_', NULL$$);
SELECT train_error($$'linear_regression', 'rows_', 'y', holdout => NULL$$);
SELECT train_error($$'linear_regression', 'rows_', 'y', validation => NULL$$);
SELECT train_error($$'linear_regression', 'rows_', 'y', split => NULL$$);
SELECT train_error($$'linear_regression', 'rows_', 'y', deploy => NULL$$);
SELECT train_error($$'linear_regression', 'rows_', 'y', features => ARRAY['a', NULL]$$);
SELECT error_of($$SELECT ml_retrain(NULL)$$);
SELECT error_of($$SELECT ml_wait(NULL)$$);
SELECT error_of($$SELECT ml_train_async('linear_regression', 'rows_', 'y', priority => NULL)$$);

-- words
SELECT train_error($$'linear_regresion', 'rows_', 'y'$$);
SELECT train_error($$'linear_regression', 'rows_', 'y', split => 'half'$$);
SELECT train_error($$'linear_regression', 'rows_', 'y', split => 'time'$$);
SELECT train_error($$'linear_regression', 'rows_', 'y', split_by => 'a'$$);
SELECT train_error($$'linear_regression', 'rows_', 'y', deploy => 'sometimes'$$);
SELECT train_error($$'logistic_regression', 'rows_', 'flag', class_weight => 'heavy'$$);
SELECT train_error($$'linear_regression', 'rows_', 'y', class_weight => 'balanced'$$);

-- numbers
SELECT train_error($$'linear_regression', 'rows_', 'y', holdout => 1$$);
SELECT train_error($$'linear_regression', 'rows_', 'y', holdout => -0.1$$);
SELECT train_error($$'linear_regression', 'rows_', 'y', holdout => 'NaN'$$);
SELECT train_error($$'linear_regression', 'rows_', 'y', holdout => 0.6, validation => 0.4$$);
SELECT train_error($$'linear_regression', 'rows_', 'y', max_seconds => 0$$);
SELECT train_error($$'linear_regression', 'rows_', 'y', max_seconds => 'NaN'$$);
SELECT train_error($$'linear_regression', 'rows_', 'y', max_seconds => 'Infinity'$$);

-- names
SELECT train_error($$'linear_regression', 'rows_', 'y', model => ''$$);
SELECT train_error($$'linear_regression', 'rows_', 'y', model => 'a@b'$$);
SELECT train_error($$'linear_regression', 'rows_', 'y', model => E'a\nb'$$);
SELECT train_error($$'linear_regression', 'rows_', 'y', model => repeat('x', 64)$$);
SELECT train_error($$'linear_regression', 'SELECT * FROM rows_', 'y'$$);
SELECT train_error($$'linear_regression', 'no_such_table', 'y'$$);
SELECT train_error($$'linear_regression', 'rows_; DROP TABLE rows_', 'y'$$);
SELECT train_error($$'linear_regression', 'rows_', 'z'$$);
SELECT train_error($$'linear_regression', 'rows_', 'y', features => ARRAY['a', 'z']$$);
SELECT train_error($$'linear_regression', 'rows_', 'y', features => ARRAY['a', 'y']$$);
SELECT train_error($$'linear_regression', 'rows_', 'y', features => ARRAY['a', 'a']$$);
SELECT train_error($$'linear_regression', 'rows_', 'y', features => '{}'$$);
SELECT train_error($$'linear_regression', 'rows_', 'y', features => '{{a},{b}}'$$);

-- hyper-parameters
SELECT train_error($$'gbdt', 'rows_', 'y', params => '{"num_leafs": 3}'$$);
SELECT train_error($$'gbdt', 'rows_', 'y', params => '{"num_leaves": "many"}'$$);
SELECT train_error($$'gbdt', 'rows_', 'y', params => '{"num_leaves": "NaN"}'$$);
SELECT train_error($$'gbdt', 'rows_', 'y', params => '{"num_leaves": null}'$$);
SELECT train_error($$'gbdt', 'rows_', 'y', params => '{"num_leaves": [31]}'$$);
SELECT train_error($$'gbdt', 'rows_', 'y', params => '{"num_leaves": {"a": 31}}'$$);
SELECT train_error($$'gbdt', 'rows_', 'y', params => '{"num_leaves": true}'$$);
SELECT train_error($$'gbdt', 'rows_', 'y', params => '{"num_leaves": 1.5}'$$);
SELECT train_error($$'gbdt', 'rows_', 'y', params => '{"learning_rate": -1}'$$);
SELECT train_error($$'gbdt', 'rows_', 'y', params => '{"learning_rate": 1e999}'$$);
SELECT train_error($$'gbdt', 'rows_', 'y', params => '{"num_iterations": 2147483647}'$$);
SELECT train_error($$'gbdt', 'rows_', 'y', params => '{"max_depth": 1e9}'$$);
SELECT train_error($$'gbdt', 'rows_', 'y', params => '{"n_estimators": 3, "num_iterations": 3}'$$);
SELECT train_error($$'gbdt', 'rows_', 'y', params => '[]'$$);
SELECT train_error($$'gbdt', 'rows_', 'y', params => '3'$$);
SELECT train_error($$'gbdt', 'rows_', 'y', params => '{"task": "guess"}'$$);
SELECT train_error($$'gbdt', 'rows_', 'y', params => '{"task": 1}'$$);
SELECT train_error($$'linear_regression', 'rows_', 'y', params => '{"task": "classification"}'$$);

-- a JSON bomb: too deep for PostgreSQL's parser, or deep but parsed
SELECT split_part(train_error($$'gbdt', 'rows_', 'y', params => (repeat('[', 100000) || repeat(']', 100000))::jsonb$$), ':', 1);
SELECT train_error($$'gbdt', 'rows_', 'y', params => ('{"num_leaves": ' || repeat('[', 1000) || repeat(']', 1000) || '}')::jsonb$$);
SELECT length(train_error($$'gbdt', 'rows_', 'y', params => jsonb_build_object(repeat('x', 1000000), 1)$$)) < 2000 AS short_enough;

-- more memory than allowed: refused with the numbers, before anything is read
CREATE VIEW huge AS SELECT a.i::float8 AS a, b.i::float8 AS b, c.i::float8 AS y
FROM generate_series(1, 100000) a (i), generate_series(1, 100000) b (i), generate_series(1, 100000) c (i);
SELECT regexp_replace(train_error($$'linear_regression', 'huge', 'y', model => 'huge'$$), '\d+', 'N', 'g');
CREATE TABLE large AS SELECT i::float8 AS a, i % 3 AS b, i % 5 AS y FROM generate_series(1, 200000) i;
ANALYZE large;
SET mlplat.max_training_memory = '1MB';
SELECT regexp_replace(train_error($$'linear_regression', 'large', 'y', model => 'large'$$), 'about \d+', 'about N');
RESET mlplat.max_training_memory;

-- none of these has become a run
SELECT count(*) FROM ml_jobs WHERE job > :jobs_before;

-- a seed: any bigint, and recorded when it was drawn
SELECT model, version FROM ml_train('linear_regression', 'rows_', 'y', seed => 0);
SELECT model, version FROM ml_train('linear_regression', 'rows_', 'y', seed => -9223372036854775808);
SELECT model, version FROM ml_train('linear_regression', 'rows_', 'y', seed => 9007199254740993);
SELECT model, version FROM ml_train('linear_regression', 'rows_', 'y', seed => NULL);
SELECT version, request -> 'seed' AS seed FROM mlplat.version v JOIN mlplat.model m USING (model_id)
WHERE m.name = 'rows__y' AND version < 4 ORDER BY version;
SELECT (request ->> 'seed')::bigint >= 0 AS drawn FROM mlplat.version v JOIN mlplat.model m USING (model_id)
WHERE m.name = 'rows__y' AND version = 4;

-- internal functions, called by hand: an answer or a clean refusal
CREATE ROLE regress_train_arguments;
SET ROLE regress_train_arguments;
SELECT count(*) FROM mlplat._job_progress();
SELECT mlplat._job_state(NULL, NULL, NULL, NULL, NULL), mlplat._job_state(-1, true, NULL, 0, 1),
	mlplat._job_state(9223372036854775807, NULL, NULL, NULL, NULL);
SELECT mlplat._job_visible('no such role', 'no such model', now()), mlplat._job_visible(NULL, NULL, NULL);
INSERT INTO mlplat.job_end (job, state, model, owner) VALUES (1, 'succeeded', 'x', 'y');
SELECT * FROM mlplat.job;
RESET ROLE;
DROP ROLE regress_train_arguments;

SELECT ml_drop('rows__y');
SET client_min_messages = warning;
DROP SCHEMA train_arguments CASCADE;
