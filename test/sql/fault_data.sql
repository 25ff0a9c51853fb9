-- What tables contain: nothing, one row, one class, constants, extremes, long texts; and the mistakes of a first day.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mlplat;
RESET client_min_messages;
CREATE SCHEMA fault_data;
SET search_path = fault_data, public;
\pset format unaligned
\pset tuples_only on

-- Trains on "rows" numbered i with the columns given; what came out, or the complaint.
CREATE FUNCTION train(algorithm text, columns text, more text DEFAULT '', rows int DEFAULT 100) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	r record;
	message text;
	detail text;
	hint text;
BEGIN
	EXECUTE format('SELECT * FROM public.ml_train(%L, %L, ''y'', model => ''fault data'', deploy => ''never'' %s)', algorithm,
		format('SELECT %s FROM generate_series(1, %s) i', columns, rows), more) INTO r;
	RETURN concat_ws(', ', r.task, r.rows || ' rows', r.features || ' features', r.metric || CASE WHEN r.score IS NULL THEN ' undefined' WHEN r.score > 0.999999 THEN ' 1' END)
		|| coalesce(E'\n  ' || nullif(array_to_string(r.warnings, E'\n  '), ''), '');
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(E'\n  ', SQLSTATE || ' ' || message, 'DETAIL ' || nullif(detail, ''), 'HINT ' || nullif(hint, ''));
END $$;
CREATE FUNCTION train_all(columns text, more text DEFAULT '', rows int DEFAULT 100) RETURNS SETOF text LANGUAGE sql AS
$$ SELECT a || ': ' || fault_data.train(a, columns, more, rows) FROM unnest('{gbdt,linear_regression,logistic_regression}'::text[]) a $$;

-- no row, one, five: too few to judge what would come of them; ten
SELECT train_all('i AS a, i % 2 AS y', '', 0);
SELECT train_all('i AS a, i % 2 AS y', '', 1);
SELECT train_all('i AS a, i * 1.5 AS y', '', 5);
SELECT train('gbdt', 'i AS a, i > 2 AS y', '', 5);
SELECT train_all('i AS a, nullif(i, 3) % 2 AS y', '', 10);
SELECT train_all('i AS a, i % 2 AS y', '', 10);
SELECT train_all('i AS a, i > 5 AS y', $$, features => '{a}'$$, 10);
SELECT train('gbdt', 'i AS a, i % 2 AS y', ', holdout => 0.99', 10);
SELECT train('xgboost', '(i + 1) / 2 AS a, i % 2 AS y', $$, split => 'none'$$, 10);

-- targets: unknown, some unknown, one class, one number, a class that is rare
SELECT train_all('i % 7 AS a, NULL::int AS y');
SELECT train_all('i % 7 AS a, NULL::text AS y');
SELECT train('gbdt', 'i % 7 AS a, CASE WHEN i % 5 > 0 THEN i % 7 * 1.5 END AS y');
SELECT rows_without_target, rows FROM mlplat.version v JOIN mlplat.model m USING (model_id) WHERE m.name = 'fault data' ORDER BY version DESC LIMIT 1;
SELECT train_all('i % 7 AS a, true AS y');
SELECT train_all('i % 7 AS a, 3.5 AS y');
SELECT train('gbdt', 'i % 7 AS a, i = 50 AS y', '', 1000);
SELECT train('logistic_regression', 'i % 7 AS a, i = 50 AS y', '', 1000);

-- a measurement is nothing to classify, unless it is said; many integers are classes with a warning
SELECT train('logistic_regression', 'i % 7 AS a, i * 0.5 AS y');
SELECT train('logistic_regression', 'i % 7 AS a, i % 30 * 0.5 AS y', $$, params => '{"task": "classification", "max_iter": 3}'$$, 300);
SELECT train('logistic_regression', 'i % 7 AS a, i % 30 AS y', $$, params => '{"max_iter": 3}'$$, 300);
SELECT train('linear_regression', $$i % 7 AS a, 'x' || i % 2 AS y$$);
-- a text that is no label, an identifier as a target
SELECT train('gbdt', $$i % 7 AS a, repeat(chr(65 + i % 3), 1001) AS y$$);
SELECT train('gbdt', $$i % 7 AS a, repeat(chr(65 + i % 3), 1000) AS y$$);
SELECT train('gbdt', $$i % 7 AS a, md5(i::text) AS y$$, '', 3000);

-- features: constant, unknown, collinear, fewer rows than columns, unlimited
SELECT train_all('i % 7 AS a, 5 AS constant, NULL::int AS unknown, i % 2 AS y');
SELECT train('gbdt', 'i % 7 AS a, 5 AS constant, i % 2 AS y', $$, features => '{a,constant}'$$);
SELECT train('gbdt', '5 AS constant, NULL::int AS unknown, i % 2 AS y');
SELECT train('linear_regression', 'i % 7 AS a, i % 7 * 2 AS b, i % 7 * 3.0 AS y', ', split => ''none''');
SELECT train('linear_regression', 'i % 3 AS a, i * i % 7 AS b, i * i % 11 AS c, i * 3 % 5 AS d, i % 4 AS e, i % 6 AS f, i * i % 13 AS g, i * i % 17 AS h, i % 8 AS j, i * i % 19 AS k, i * i % 23 AS l, i * 1.0 AS y', ', split => ''none''', 10);
SELECT train('gbdt', $$'c' || i AS a, i % 5 AS b, i * 1.0 AS y$$, $$, features => '{a,b}', params => '{"num_iterations": 2}'$$, 100000);
SELECT train_all($$CASE WHEN i = 7 THEN 'infinity'::float8 ELSE i % 7 END AS a, i % 5 AS b, i % 2 AS y$$);
SELECT train('gbdt', $$i % 5 AS b, CASE WHEN i = 7 THEN '-infinity' ELSE i * 0.5 END::float8 AS y$$);
SELECT train('gbdt', $$i % 5 AS b, CASE WHEN i = 7 THEN 'NaN' ELSE i * 0.5 END::float8 AS y$$);
SELECT train('gbdt', $$1e400::numeric AS a, i % 5 AS b, i % 2 AS y$$);

-- the ends of double precision: no Infinity and no NaN in what is stored
SELECT train_all('(i % 7 * 1e307)::float8 AS a, (i % 11 * 1e306)::float8 AS y', $$, params => '{}'$$);
SELECT train_all('(i % 7 * 1e307)::float8 AS a, i % 2 AS y');
SELECT train_all('(i % 7 * 1e-320)::float8 AS a, i % 2 AS y');
SELECT train_all('(i % 7 * 1e-320)::float8 AS a, (i % 5 * 1e-320)::float8 AS y');
SELECT count(*) AS not_finite FROM ml_metrics WHERE value IN ('NaN', 'Infinity', '-Infinity');

-- weights, splits
SELECT train('gbdt', 'i % 7 AS a, i - 5 AS w, i % 2 AS y', $$, weight => 'w'$$);
SELECT train('gbdt', 'i % 7 AS a, 0 AS w, i % 2 AS y', $$, weight => 'w'$$);
SELECT train('gbdt', 'i % 7 AS a, nullif(i, 9) AS w, i % 2 AS y', $$, weight => 'w'$$);
SELECT train('gbdt', $$i % 7 AS a, 'NaN'::float8 AS w, i % 2 AS y$$, $$, weight => 'w'$$);
SELECT train('gbdt', 'i % 7 AS a, i % 2 AS w, i % 2 AS y', $$, weight => 'w'$$);
SELECT train('gbdt', $$i % 7 AS a, CASE i % 3 WHEN 0 THEN 'Test' ELSE 'train' END AS part, i % 2 AS y$$, $$, split => 'column', split_by => 'part'$$);
SELECT train('gbdt', $$i % 7 AS a, 'train' AS part, i % 2 AS y$$, $$, split => 'column', split_by => 'part'$$);
SELECT train('gbdt', $$i % 7 AS a, 'test' AS part, i % 2 AS y$$, $$, split => 'column', split_by => 'part'$$);
SELECT train('gbdt', 'i % 7 AS a, nullif(i, 3) AS day, i % 2 AS y', $$, split => 'time', split_by => 'day'$$);
SELECT train('gbdt', 'i % 7 AS a, 1 AS day, i % 2 AS y', $$, split => 'time', split_by => 'day'$$);
SELECT train('gbdt', $$i % 7 AS a, CASE WHEN i % 2 = 0 THEN 'test' ELSE 'train' END AS part, i % 2 AS y$$, $$, split => 'column', split_by => 'part'$$);

-- the request is kept as it was written
SELECT train('gbdt', 'i % 7 AS a, i % 2 AS y', ', holdout => 0.2, validation => 0.1, max_seconds => 1e6');
SELECT request ->> 'holdout' AS holdout, request ->> 'validation' AS validation, request ->> 'max_seconds' AS max_seconds
FROM mlplat.version v JOIN mlplat.model m USING (model_id) WHERE m.name = 'fault data' ORDER BY version DESC LIMIT 1;

-- a name that is nearly right: the nearest one, if the role may know it
CREATE ROLE regress_stranger;
SELECT ml_predict_json('Fault date', '{}');
SELECT ml_deploy('fault_data');
SET ROLE regress_stranger;
SELECT ml_deploy('fault_data');
RESET ROLE;

SET client_min_messages = warning;
SELECT ml_drop('fault data');
DROP SCHEMA fault_data CASCADE;
DROP ROLE regress_stranger;
