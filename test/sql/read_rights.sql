-- A source is read with the caller's rights: column grants, views, row-level security.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mlplat;
RESET client_min_messages;
CREATE SCHEMA read_rights;
SET search_path = read_rights, public;
\pset format unaligned
\pset tuples_only on

-- What a statement complains about: SQLSTATE, message, detail, hint; or that it does not.
CREATE FUNCTION complaint(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	message text;
	detail text;
	hint text;
BEGIN
	EXECUTE statement;
	RETURN 'no complaint';
EXCEPTION WHEN OTHERS OR query_canceled THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(E'\n  ', SQLSTATE || ' ' || message, 'DETAIL ' || nullif(detail, ''), 'HINT ' || nullif(hint, ''));
END $$;

CREATE FUNCTION try(arguments text) RETURNS text LANGUAGE sql AS
	$$ SELECT complaint('SELECT * FROM ml_estimate(''linear_regression'', ' || arguments || ')') $$;
CREATE ROLE regress_reader;
GRANT USAGE ON SCHEMA read_rights TO regress_reader;
CREATE TABLE secret (a int, b int, c int, y int);
CREATE TABLE partly (a int, b int, c int, y int);
GRANT SELECT (a, y) ON partly TO regress_reader;
CREATE VIEW window_on_secret AS SELECT a, y FROM secret;
GRANT SELECT ON window_on_secret TO regress_reader;
CREATE SCHEMA read_rights_closed;
CREATE TABLE read_rights_closed.t (a int, y int);
GRANT SELECT ON read_rights_closed.t TO regress_reader;

SET ROLE regress_reader;
SELECT try($$'secret', 'y'$$);
SELECT try($$'SELECT * FROM secret', 'y'$$);
SELECT try($$'read_rights_closed.t', 'y'$$);
SELECT features FROM ml_estimate('linear_regression', 'window_on_secret', 'y');
-- Columns one may not read are left out, or refused when named.
SELECT features, excluded FROM ml_estimate('linear_regression', 'partly', 'y');
SELECT try($$'partly', 'b'$$);
SELECT try($$'partly', 'y', '{a,b}'$$);
SELECT try($$'SELECT * FROM partly', 'y'$$);
SELECT features, excluded FROM ml_estimate('linear_regression', 'SELECT a, y FROM partly', 'y');
-- A name that does not exist is not answered with names one may not read.
SELECT try($$'partly', 'zzzzzz'$$);
RESET ROLE;

-- Row-level security: an array column shows whose rows are read, for a dry run looks at its first value.
CREATE TABLE tenant (owner name, a float8[], y int);
INSERT INTO tenant VALUES ('somebody', '{1,2,3,4,5}', 1), ('regress_reader', '{1,2}', 2), ('regress_reader', '{3,4}', 3);
GRANT SELECT ON tenant TO regress_reader;
CREATE POLICY own ON tenant USING (owner = current_user);
ALTER TABLE tenant ENABLE ROW LEVEL SECURITY;
SELECT features FROM ml_estimate('linear_regression', 'tenant', 'y', '{a}');
SET ROLE regress_reader;
SELECT features FROM ml_estimate('linear_regression', 'tenant', 'y', '{a}');
SELECT features FROM ml_estimate('linear_regression', 'SELECT a, y FROM tenant', 'y');
SET row_security = off;
SELECT try($$'tenant', 'y'$$);
RESET row_security;
RESET ROLE;

-- Settings: limits belong to the superuser.
SET ROLE regress_reader;
SELECT complaint($$SET mlplat.max_training_memory = '1TB'$$);
SELECT complaint($$SET mlplat.max_concurrent_jobs = 100$$);
SELECT complaint($$SET mlplat.execution = 'somewhere'$$);
SELECT complaint($$SET mlplat.invented = 1$$);
RESET ROLE;
SELECT name, setting, unit, context, vartype, min_val, max_val, enumvals FROM pg_settings WHERE name LIKE 'mlplat.%' AND name <> 'mlplat.shared_cache_size' ORDER BY name;

\set VERBOSITY terse
SET client_min_messages = warning;
DROP SCHEMA read_rights, read_rights_closed CASCADE;
DROP ROLE regress_reader;
