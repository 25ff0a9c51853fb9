-- A generated function protects its model under every name that it, its schema or its table comes to have; a stranger's function of the same body does not.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS mlplat;
BEGIN;
SELECT no_plan();
CREATE ROLE regress_stranger;
CREATE SCHEMA elsewhere;
CREATE TABLE lines AS SELECT i::float8 AS x, i * 2.0 AS y FROM generate_series(1, 100) i;
SELECT ml_train('linear_regression', 'lines', 'y', model => 'line'), ml_train('linear_regression', 'lines', 'y', model => 'line', deploy => 'always');

SELECT ml_create_function('line@1', 'lines', 'then', pinned => true);
ALTER FUNCTION "then"(lines) RENAME TO "as it was";
SELECT throws_ok($$SELECT ml_drop('line', 1)$$, '2BP01', 'cannot drop version 1 of model "line" because function public."as it was"(public.lines) uses it');
ALTER FUNCTION "as it was"(lines) SET SCHEMA elsewhere;
SELECT throws_ok($$SELECT ml_drop('line', 1)$$, '2BP01', 'cannot drop version 1 of model "line" because function elsewhere."as it was"(public.lines) uses it');
ALTER TABLE lines RENAME TO points;
SELECT throws_ok($$SELECT ml_drop('line')$$, '2BP01', 'cannot drop model "line" because function elsewhere."as it was"(public.points) uses it');
SELECT is((SELECT round(elsewhere."as it was"(p)) FROM points p WHERE x = 10), 20::float8, 'and works as before');
DROP FUNCTION elsewhere."as it was"(points);

SELECT ml_create_function('line', 'points', 'now');
ALTER FUNCTION now(points) RENAME TO today;
SELECT lives_ok($$SELECT ml_drop('line', 1)$$, 'a function that follows production holds no version');
SELECT throws_ok($$SELECT ml_drop('line')$$, '2BP01', 'cannot drop model "line" because function public.today(public.points) uses it');

SELECT format('CREATE FUNCTION elsewhere.hold() RETURNS float8 LANGUAGE sql AS $f$SELECT mlplat._predict(%s::pg_catalog.int8, ''production''::pg_catalog.text, NULL)$f$',
			  (SELECT model_id FROM mlplat.model WHERE name = 'line')) AS definition \gset
GRANT USAGE, CREATE ON SCHEMA elsewhere TO regress_stranger;
SET ROLE regress_stranger;
:definition;
RESET ROLE;
DROP FUNCTION today(points);
SELECT lives_ok($$SELECT ml_drop('line')$$, 'a function of somebody without a right on the model holds nothing');
SELECT * FROM finish();
ROLLBACK;
