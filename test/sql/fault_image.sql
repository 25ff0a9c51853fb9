-- Stored images that somebody has changed byte by byte and whose checksums fit again: a clean refusal of that model, nothing else.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mlplat;
RESET client_min_messages;
CREATE SCHEMA fault_image;
SET search_path = fault_image, public;
\set SHOW_CONTEXT never

CREATE TABLE towns AS
SELECT i AS id, (ARRAY['Küste', 'Berge', 'Ebene'])[i % 3 + 1] AS "größe", i % 7 * 1.5 AS x, CASE WHEN i % 2 = 0 THEN 'München' ELSE 'Köln' END AS town, i % 7 * 1.5 * 3 + 1 AS y
FROM generate_series(1, 300) i;
SELECT version FROM ml_train('gbdt', 'towns', 'town', model => 'town', features => '{größe,x}', params => '{"num_iterations": 3}');
SELECT version FROM ml_train('linear_regression', 'towns', 'y', model => 'line', features => '{x}', split => 'none');
SELECT version FROM ml_train('logistic_regression', 'towns', 'town', model => 'odds', features => '{größe,x}');

CREATE FUNCTION crc32c(b bytea) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	c bigint := 4294967295;
BEGIN
	FOR i IN 0 .. length(b) - 1 LOOP
		c := c # get_byte(b, i);
		FOR k IN 1 .. 8 LOOP
			c := CASE WHEN c & 1 = 1 THEN (c >> 1) # 2197175160 ELSE c >> 1 END;
		END LOOP;
	END LOOP;
	RETURN c # 4294967295;
END $$;
SELECT to_hex(crc32c('123456789')) AS check_value;

-- Exchanges bytes of an image for as many others wherever they occur and makes every checksum fit; the error that a prediction gives, after
-- which all is as it was.
CREATE FUNCTION damage(name text, was bytea, now bytea) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	id bigint := (SELECT version_id FROM mlplat.version v JOIN mlplat.model m USING (model_id) WHERE m.name = damage.name);
	image bytea := (SELECT data FROM mlplat.chunk WHERE version_id = id);
	changed bytea := image;
	crc bigint;
	message text;
	hint text;
BEGIN
	IF length(was) <> length(now) THEN RAISE 'not as many bytes'; END IF;
	WHILE was <> '' AND position(was IN changed) > 0 LOOP
		changed := overlay(changed PLACING now FROM position(was IN changed));
	END LOOP;
	IF was <> '' AND changed = image THEN RETURN 'these bytes do not occur'; END IF;
	crc := crc32c(substr(changed, 25));
	FOR i IN 0 .. 3 LOOP
		changed := set_byte(changed, 20 + i, (crc >> (8 * i) & 255)::int);
	END LOOP;
	IF was = '' AND changed <> image THEN RETURN 'this checksum is not that of images'; END IF;
	BEGIN
		UPDATE mlplat.chunk SET data = changed WHERE version_id = id;
		UPDATE mlplat.version SET checksum = encode(sha256(changed), 'hex') WHERE version_id = id;
		-- Another name of the same version: nothing of it is in the cache.
		message := (SELECT ml_predict_proba_json(damage.name || '@1', '{"größe": "Berge", "x": 3}', NULL))::text;
		RAISE SQLSTATE 'RB000' USING MESSAGE = 'predicts ' || (message <> 'NaN');
	EXCEPTION WHEN OTHERS THEN
		GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
		RETURN concat_ws(' / ', SQLSTATE || ' ' || message, nullif(hint, ''));
	END;
END $$;
-- Numbers stand in an image with their least byte first.
CREATE FUNCTION reversed(b bytea) RETURNS bytea LANGUAGE sql AS $$ SELECT string_agg(substr(b, i, 1), '' ORDER BY i DESC) FROM generate_series(1, length(b)) i $$;
-- Only what is in no cache is read from the tables; each connection starts with none.
\c -
SET search_path = fault_image, public;
\set SHOW_CONTEXT never

-- nothing changed: the tool is right
SELECT damage('town', '', '');
-- texts that are not valid in the encoding of the database: a label, a category, the name of a column
SELECT damage('town', convert_to('München', 'UTF8'), '\x4dc3c36e6368656e');
SELECT damage('town', convert_to('Küste', 'UTF8'), '\x4bfc73746520');
SELECT damage('town', convert_to('größe', 'UTF8'), '\x6772c3b6ffff65');
SELECT damage('odds', convert_to('Köln', 'UTF8'), '\x4bf8888080');
-- a NUL within a text; a label, a category that is there twice; a column that is
SELECT damage('town', 'Berge', '\x4265006765');
SELECT damage('town', 'Ebene', 'Berge');
SELECT damage('odds', 'town', '\x746f0000');
-- numbers that are none: a coefficient, the value of a leaf (the constant of the line is 1)
SELECT damage('line', reversed(float8send(estimate)), '\x000000000000f87f') AS nan, damage('line', reversed(float8send(estimate)), '\x000000000000f0ff') AS infinity FROM ml_coefficients('line') WHERE term = 'x';
SELECT damage('odds', reversed(float8send(estimate)), '\x000000000000f87f') AS nan FROM ml_coefficients('odds') WHERE term = '(intercept)';

-- others go on, and nothing is left of it
SELECT ml_predict_class_json('town', '{"größe": "Berge", "x": 3}') IS NOT NULL AS town, round(ml_predict_json('line', '{"x": 3}')) AS line;

SET client_min_messages = warning;
SELECT count(ml_drop(m)) FROM unnest('{town,line,odds}'::text[]) m;
DROP SCHEMA fault_image CASCADE;
