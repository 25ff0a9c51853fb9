-- A stored image that was tampered with is an error of that statement; other models and the server go on.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS mlplat;
BEGIN;
SELECT no_plan();
SET LOCAL mlplat.model_cache_size = 0;		-- each statement reads what is stored now
CREATE TABLE flowers AS SELECT i AS id, i::float8 AS x, (i % 10)::float8 AS z, CASE WHEN i % 10 > 4 THEN 'tall' ELSE 'low' END AS kind FROM generate_series(1, 200) i;
SELECT ml_train('gbdt', 'flowers', 'kind', model => 'good', id => 'id', params => '{"num_iterations": 5}');
SELECT ml_train('gbdt', 'flowers', 'kind', model => 'bad', id => 'id', params => '{"num_iterations": 5}');
SELECT version_id AS bad, bytes AS length FROM mlplat.version v JOIN mlplat.model m USING (model_id) WHERE m.name = 'bad' \gset

-- Predicts after a change to the tables, which is then undone.
CREATE FUNCTION after_change(change text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text;
BEGIN
	BEGIN
		EXECUTE change;
		BEGIN
			result := ml_predict_class('bad', f) FROM flowers f WHERE id = 17;
		EXCEPTION WHEN OTHERS THEN
			result := SQLSTATE;
		END;
		-- The others are well.
		IF ml_predict_class('good', f) IS DISTINCT FROM kind FROM flowers f WHERE id = 17 THEN
			result := 'damage spread';
		END IF;
		RAISE EXCEPTION USING ERRCODE = 'ZZ001';
	EXCEPTION WHEN SQLSTATE 'ZZ001' THEN
		RETURN result;
	END;
END $$;

SELECT is(after_change('SELECT 1'), 'tall', 'the model predicts');
SELECT is(after_change(format('DELETE FROM mlplat.chunk WHERE version_id = %s', :bad)), 'XX001', 'the image is gone');
SELECT is(after_change(format('UPDATE mlplat.chunk SET chunk = 1 WHERE version_id = %s', :bad)), 'XX001', 'the first chunk is missing');
SELECT is(after_change(format('INSERT INTO mlplat.chunk VALUES (%s, 1, ''x'')', :bad)), 'XX001', 'there is a chunk too many');
SELECT is(after_change(format('INSERT INTO mlplat.chunk SELECT version_id, 1, data FROM mlplat.chunk WHERE version_id = %s', :bad)), 'XX001', 'the image is there twice');
SELECT is(after_change(format('UPDATE mlplat.chunk SET data = data || ''\x00'' WHERE version_id = %s', :bad)), 'XX001', 'a byte too many');
SELECT is(after_change(format('UPDATE mlplat.chunk SET data = '''' WHERE version_id = %s', :bad)), 'XX001', 'no byte');
SELECT is(after_change(format('UPDATE mlplat.chunk SET data = substr(data, 2) WHERE version_id = %s', :bad)), 'XX001', 'the first byte is missing');
SELECT is(after_change(format('UPDATE mlplat.version SET bytes = bytes - 1 WHERE version_id = %s', :bad)), 'XX001', 'the stated length is too short');
SELECT is(after_change(format('UPDATE mlplat.version SET bytes = -1 WHERE version_id = %s', :bad)), 'XX001', 'the stated length is negative');
SELECT is(after_change(format('UPDATE mlplat.version SET bytes = 9000000000000000000 WHERE version_id = %s', :bad)), 'XX001', 'the stated length is huge');
SELECT is(after_change(format('UPDATE mlplat.chunk SET data = set_byte(data, %s, get_byte(data, %s) # 1) WHERE version_id = %s', at, at, :bad)), 'XX001',
		  format('byte %s of %s differs', at, :length))
FROM (SELECT DISTINCT (:length - 1) * i / 20 AS at FROM generate_series(0, 20) i) places ORDER BY at;
SELECT is(after_change(format($$UPDATE mlplat.chunk c SET data = o.data FROM mlplat.chunk o JOIN mlplat.version v USING (version_id) JOIN mlplat.model m USING (model_id)
		  WHERE m.name = 'good' AND c.version_id = %s$$, :bad)), 'tall', 'an image of the same bytes is the same model');
SELECT is(after_change('SELECT 1'), 'tall', 'and whole it predicts again');

-- In pieces it reads the same.
SELECT is(after_change(format($$WITH old AS (DELETE FROM mlplat.chunk WHERE version_id = %s RETURNING *)
		  INSERT INTO mlplat.chunk SELECT version_id, i, substr(data, 1 + i * 100, 100) FROM old, generate_series(0, (length(data) - 1) / 100) i ORDER BY i DESC$$, :bad)),
		  'tall', 'chunks are put together in their order');
SELECT * FROM finish();
ROLLBACK;
