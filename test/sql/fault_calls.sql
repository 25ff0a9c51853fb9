-- Every function of the extension called with NULLs, with extremes and with nonsense, by an ordinary role: an answer or a clean
-- refusal, never an internal error.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mlplat;
RESET client_min_messages;
CREATE SCHEMA fault_calls;
SET search_path = fault_calls, public;
\set SHOW_CONTEXT never
CREATE ROLE regress_caller;
GRANT USAGE ON SCHEMA fault_calls TO regress_caller;
CREATE TABLE points AS SELECT i AS id, i % 7 AS a, (i % 7 * 2)::float8 AS y FROM generate_series(1, 100) i;
GRANT SELECT ON points TO regress_caller;
SELECT version FROM ml_train('linear_regression', 'points', 'y', model => 'fault calls', features => '{a}');
SELECT ml_grant('fault calls', 'regress_caller', 'predict');

-- Values of each type of argument; every function is called with each row of them, and with each in one place and the model's name elsewhere.
CREATE TABLE nonsense (type regtype, value text);
INSERT INTO nonsense
SELECT t, v FROM (VALUES
	('text'::regtype, ARRAY[NULL, $$''$$, $$'fault calls'$$, $$'fault calls@1'$$, $$'@'$$, $$'x@9223372036854775807'$$, $$repeat('x', 100000)$$, $$E'\n%s%n"''\\'$$, $$'SELECT 1; DROP TABLE fault_calls.points'$$, $$'fault_calls.points'$$]),
	('bigint', '{NULL,0,-1,9223372036854775807,-9223372036854775808}'), ('integer', '{NULL,0,-1,2147483647,-2147483648}'), ('smallint', '{NULL,0,-1}'),
	('double precision', ARRAY['NULL', '0', '-1', $$'NaN'$$, $$'Infinity'$$, '1e308']), ('boolean', '{NULL,true,false}'),
	('jsonb', ARRAY['NULL', $$'{}'$$, $$'[]'$$, $$'null'$$, $$'{"a": {"a": [1e400]}}'$$, $$'{"a": 3}'$$]), ('text[]', ARRAY['NULL', $$'{}'$$, $$'{NULL}'$$, $$'{{a,b},{c,d}}'$$, $$'[5:6]={a,y}'$$, $$array_fill('a'::text, '{2000}')$$]),
	('double precision[]', ARRAY['NULL', $$'{}'$$, $$'{NULL}'$$, $$'{3}'$$, $$'{NaN}'$$, $$'{{1,2},{3,4}}'$$, $$'[0:0]={1}'$$, $$array_fill(1.0, '{100000}')$$]),
	('record', ARRAY['NULL', 'ROW()', 'ROW(1)', $$(SELECT p FROM points p LIMIT 1)$$, $$(SELECT q FROM (SELECT 1 AS a, 2 AS a) q)$$, $$(SELECT q FROM (SELECT 'x'::text AS a) q)$$]),
	('interval', ARRAY['NULL', $$'0'$$, $$'-1 s'$$]), ('regclass', ARRAY['NULL', '0', '4294967295', $$'pg_class'$$, $$'fault_calls.points'$$]), ('oid', '{NULL,0,4294967295}'),
	('timestamptz', ARRAY['NULL', $$'infinity'$$, $$'-infinity'$$]), ('bytea', ARRAY['NULL', $$''$$, $$'\x00'$$]), ('"any"', ARRAY['NULL', '1', $$'x'::text$$, $$'{}'::int[]$$])) n (t, vs), LATERAL unnest(vs) v;
UPDATE nonsense SET value = 'NULL' WHERE value IS NULL;

CREATE TABLE outcomes (function text, call text, sqlstate text, message text);
GRANT INSERT ON outcomes TO regress_caller;
GRANT SELECT ON nonsense TO regress_caller;
CREATE FUNCTION call_all() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	f record;
	arguments text;
	calls bigint := 0;
BEGIN
	FOR f IN
		SELECT p.oid, p.oid::regprocedure::text AS name, format('%I.%I', n.nspname, p.proname) AS call, ARRAY(SELECT unnest(p.proargtypes))::regtype[] AS types
		FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_depend d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
			JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'mlplat'
		WHERE p.prokind = 'f' AND p.prorettype <> 'trigger'::regtype AND NOT 'internal'::regtype = ANY (p.proargtypes)
		ORDER BY 2
	LOOP
		FOR arguments IN
			-- the k-th value of each type together; then one place after the other
			SELECT string_agg(format('%s::%s', v, CASE t WHEN '"any"'::regtype THEN 'text' ELSE t::text END), ', ' ORDER BY i)
			FROM generate_series(0, 9) k, unnest(f.types) WITH ORDINALITY a (t, i), LATERAL (SELECT (array_agg(value))[1 + k % count(*)] AS v FROM nonsense n WHERE n.type = t) q
			GROUP BY k
			UNION
			SELECT string_agg(CASE WHEN i = place THEN format('%s::%s', bad, t) WHEN t = 'text'::regtype AND i = 1 THEN $q$'fault calls'$q$ WHEN t = 'text'::regtype AND i = 2 THEN $q$'fault_calls.points'$q$
				ELSE format('%s::%s', (SELECT value FROM nonsense n WHERE n.type = t AND value <> 'NULL' ORDER BY value DESC LIMIT 1), t) END, ', ' ORDER BY i)
			FROM generate_subscripts(f.types, 1) place, LATERAL (SELECT value AS bad FROM nonsense n WHERE n.type = f.types[place]) b, unnest(f.types) WITH ORDINALITY a (t, i)
			WHERE NOT '"any"'::regtype = ANY (f.types)
			GROUP BY place, bad
		LOOP
			calls := calls + 1;
			BEGIN
				EXECUTE format('SELECT count(*) FROM (SELECT %s(%s)) q', f.call, coalesce(arguments, ''));
				RAISE SQLSTATE 'RB000';
			EXCEPTION WHEN OTHERS THEN
				INSERT INTO outcomes VALUES (f.name, arguments, SQLSTATE, SQLERRM);
			END;
		END LOOP;
	END LOOP;
	RETURN calls;
END $$;
SET statement_timeout = '60s';
SET jit = off;
SET client_min_messages = error;
SET mlplat.execution = foreground;
SET ROLE regress_caller;
SELECT call_all() > 1000 AS many_calls;
RESET ROLE;
SELECT call_all() > 1000 AS many_calls;
RESET client_min_messages;
-- What went wrong: an internal error, a signal, memory, or a message about a type that does not exist here
SELECT DISTINCT ON (function, message) sqlstate, function, left(call, 100) AS call, left(message, 150) AS message FROM outcomes WHERE sqlstate LIKE 'XX%' OR sqlstate LIKE '53%' OR sqlstate IN ('42883', '42725', '57014');
SELECT count(DISTINCT function) > 50 AS functions, count(DISTINCT sqlstate) > 10 AS states, count(*) FILTER (WHERE sqlstate = 'RB000') > 300 AS answers, count(*) FILTER (WHERE sqlstate = '42501') > 50 AS denied FROM outcomes;
-- nothing has changed
SELECT model, versions, production_version FROM ml_models WHERE model = 'fault calls';
SELECT to_regclass('fault_calls.points') IS NOT NULL AS still_there;

RESET mlplat.execution;
SET client_min_messages = warning;
SELECT ml_drop('fault calls');
DROP SCHEMA fault_calls CASCADE;
DROP ROLE regress_caller;
