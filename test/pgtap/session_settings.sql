-- What a session says about dates, numbers, quoting, planning and languages changes neither models nor predictions nor what is told about them.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS mlplat;
BEGIN;
SELECT no_plan();
CREATE TABLE sample AS
	SELECT i AS id, i / 7.0::float8 AS x, (i / 1000.0)::numeric(12, 4) AS money, date '2020-02-27' + i AS day, time '00:10' + i * interval '7 min' AS clock,
		   timestamptz '2021-03-27 22:30+00' + i * interval '31 min' AS zoned, timestamp '2021-03-27 22:30' + i * interval '31 min' AS local,
		   i * interval '1 day 3 h 7.25 s' AS span, (ARRAY['Ärger', 'İstanbul', 'ISTANBUL', 'istanbul', 'ß', 'SS', 'weiß'])[1 + i % 7] AS word,
		   'Übung macht den Meister Nr ' || i % 9 || ' ISTANBUL' AS words, i % 3 = 0 AS third, date '2022-01-01' + i % 4 AS segment, i % 2 = 0 AS even
	FROM generate_series(1, 400) i;
CREATE TABLE asked AS SELECT id, to_jsonb(s) AS features FROM sample s;

CREATE FUNCTION answers() RETURNS TABLE (what text, answer text) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
	PERFORM ml_train('gbdt', 'sample', 'even', model => 'plain', id => 'id', features => '{x,money,day,clock,zoned,local,span,word,third}', deploy => 'always');
	PERFORM ml_train('logistic_regression', 'sample', 'even', model => 'steps', id => 'id', features => '{x,money,day,zoned,local,word,words,span}', deploy => 'always',
		transform => '{"x": "quantile_buckets", "money": "standard", "day": {"date_parts": {"parts": ["year", "weekday", "elapsed"], "origin": "2020-01-01"}}, "zoned": {"date_parts": ["hour", "day"]}, "local": {"date_parts": ["hour"]}, "word": {"hash": {"n": 16}}, "words": {"tfidf": {"config": "german"}}}');
	PERFORM ml_train('gbdt', 'sample', 'even', model => 'parts', id => 'id', features => '{x,money}', segment_by => '{segment,third}', segment_min_rows => 10, deploy => 'always');
	PERFORM ml_train('naive_bayes', 'sample', 'word', model => 'words', id => 'id', features => '{x,words}', transform => '{"words": {"hashed_tfidf": {"n": 64}}}', deploy => 'always');
	RETURN QUERY SELECT 'image of ' || v.model, v.checksum || ' ' || v.source_relation FROM (SELECT DISTINCT ON (model) * FROM ml_versions ORDER BY model, version DESC) v
	UNION ALL SELECT 'prediction', md5(string_agg(ml_predict_proba('plain', s)::numeric::text || ml_predict_proba('steps', s)::numeric::text || ml_predict_class('parts', s) || ml_predict_class('words', s), ',' ORDER BY id)) FROM sample s
	UNION ALL SELECT 'prediction from jsonb', md5(string_agg(ml_predict_proba_json('plain', features)::numeric::text || ml_predict_proba_json('steps', features)::numeric::text || ml_predict_class_json('parts', features), ',' ORDER BY id)) FROM asked
	UNION ALL SELECT 'segment', md5(string_agg(segment::text || rows, ',' ORDER BY segment)) FROM ml_segments('parts')
	UNION ALL SELECT 'transform', md5(string_agg(ml_transform('steps', s)::text, ',' ORDER BY id)) FROM sample s
	UNION ALL SELECT 'explanation', string_agg(concat_ws(' ', e.feature, e.value, e.contribution::numeric), ', ') FROM sample s, ml_explain('plain', s) e WHERE id = 5
	UNION ALL SELECT 'rule', md5(string_agg(condition, ',')) FROM ml_rules('plain')
	UNION ALL SELECT 'feature', md5(string_agg(f::text, ',')) FROM ml_features('plain') f
	UNION ALL SELECT 'function', f.function FROM mlplat.function f;
END $$;
SELECT ml_train('gbdt', 'sample', 'even', model => 'held', features => '{x,word}');
SELECT ml_create_function('held', 'sample', 'guess', kind => 'columns', pinned => true);
CREATE TEMP TABLE expected AS SELECT * FROM answers();
SELECT is((SELECT count(*)::int FROM expected), 13, 'so much is compared');

CREATE FUNCTION under(VARIADIC settings text[]) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE setting text; r record;
BEGIN
	FOREACH setting IN ARRAY settings LOOP
		PERFORM set_config(split_part(setting, '=', 1), split_part(setting, '=', 2), true);
	END LOOP;
	CREATE TEMP TABLE found ON COMMIT DROP AS SELECT * FROM answers();
	FOR r IN SELECT what, e.answer AS expected, f.answer AS found FROM expected e FULL JOIN found f USING (what) ORDER BY what LOOP
		RETURN NEXT is(r.found, r.expected, array_to_string(settings, ', ') || ': ' || r.what);
	END LOOP;
	DROP TABLE found;
	FOREACH setting IN ARRAY settings LOOP
		EXECUTE format('SET LOCAL %I TO DEFAULT', split_part(setting, '=', 1));
	END LOOP;
END $$;
SELECT * FROM under('DateStyle=German, DMY');
SELECT * FROM under('DateStyle=SQL, MDY', 'IntervalStyle=iso_8601', 'TimeZone=Asia/Kathmandu');
SELECT * FROM under('IntervalStyle=sql_standard', 'TimeZone=America/St_Johns');
SELECT * FROM under('extra_float_digits=-15');
SELECT * FROM under('quote_all_identifiers=on');
SELECT * FROM under('standard_conforming_strings=off', 'escape_string_warning=off', 'bytea_output=escape', 'array_nulls=off');
SELECT * FROM under('default_text_search_config=pg_catalog.turkish', 'enable_seqscan=off', 'jit=on', 'jit_above_cost=0');
SELECT * FROM under('mlplat.execution=foreground', 'mlplat.threads=1', 'work_mem=64kB');

-- Under the setting in which it was not made, a function is still known.
SET LOCAL quote_all_identifiers = on;
SELECT throws_ok($$SELECT ml_drop('held')$$, '2BP01');
SELECT * FROM finish();
ROLLBACK;
