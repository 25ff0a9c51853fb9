-- The encoding of rows: steps for columns, in training and serving.
\set VERBOSITY default
CREATE TABLE shops AS
SELECT i AS id,
	CASE WHEN i % 7 = 0 THEN NULL ELSE (i * 37 % 101)::float8 END AS income,
	(ARRAY['Rome', 'Oslo', 'Bern', 'Paris', NULL])[1 + i % 5] AS city,
	timestamp '2024-01-01' + i * interval '5 hours' AS bought,
	timestamptz '2024-01-01 00:00+02' + i * interval '7 hours' AS seen,
	date '2024-01-01' + i % 90 AS day,
	i % 4 AS store,
	ARRAY[i % 3, i % 11]::float8[] AS sizes,
	md5((i % 50)::text) AS code,
	(i * 37 % 101) * 0.3 + (i % 5) * 2 + i % 4 AS y,
	i % 3 = 0 AS big,
	(ARRAY['low', 'mid', 'high'])[1 + i % 3] AS level
FROM generate_series(1, 600) i;

\set steps '{"income": ["missing_indicator", "impute_median", "log1p", "standard"], "city": {"one_hot": {"max_categories": 2}}, "bought": {"date_parts": ["month", "weekday", "hour", "elapsed"]}, "store": "target_encode", "sizes": "min_max", "code": {"hash": {"n": 4}}, "big": "frequency", "level": {"ordinal": ["low", "mid", "high"]}, "day": {"date_parts": {"parts": ["elapsed"], "origin": "2023-12-31"}}}'
SELECT model, version, task, rows, features, metric FROM ml_train('gbdt', 'shops', 'y', model => 'shops', id => 'id', exclude => '{seen}', transform => :'steps');
SELECT * FROM ml_features('shops');
SELECT key, round(value::numeric, 10) AS value FROM shops s, jsonb_each_text(ml_transform('shops', s)) WHERE id = 8 ORDER BY key COLLATE "C";

-- By hand: what the steps say of the training rows, that is of those that are not in the hold-out.
SELECT every(abs((ml_transform('shops', s)->>'elapsed(day)')::float8 - (s.day - date '2023-12-31')) = 0) AS elapsed,
	every((ml_transform('shops', s)->>'weekday(bought)')::int = extract(isodow FROM s.bought)) AS weekday,
	every((ml_transform('shops', s)->>'hour(bought)')::int = extract(hour FROM s.bought)) AS hour,
	every((ml_transform('shops', s)->>'month(bought)')::int = extract(month FROM s.bought)) AS month,
	every((ml_transform('shops', s)->>'city (missing)')::int = (s.city IS NULL)::int) AS missing,
	every((ml_transform('shops', s)->>'income (missing)')::int = (s.income IS NULL)::int) AS indicator,
	every((ml_transform('shops', s)->>'level')::int = array_position('{low,mid,high}', s.level) - 1) AS level
FROM shops s;

-- Row, JSON and array say the same.
SELECT every(ml_transform('shops', s) = ml_transform_json('shops', to_jsonb(s))) AS json,
	every(ml_predict('shops', s) = ml_predict_json('shops', to_jsonb(s))) AS predicted FROM shops s;
SELECT ml_transform_array('shops', ARRAY[8, NULL, 0, 0, 3, 1, 2, 1, 0, 1]) IS NOT NULL AS array_form;
SELECT count(*), sum((b.prediction = ml_predict('shops', s))::int) AS same
FROM shops s JOIN ml_predict_batch('shops', 'shops', 'id') b ON b.id = s.id::text;

-- A category that training never saw, and values that are missing.
SELECT ml_transform_json('shops', to_jsonb(s) || '{"city": "Lima", "code": "new", "income": null, "bought": null}') - 'sizes[1]' - 'sizes[2]' - 'elapsed(day)' - 'target(store)' - 'income' - 'frequency(big)'
FROM shops s WHERE id = 8;

-- What speaks of columns speaks of encoded ones.
SELECT feature FROM ml_importance('shops') ORDER BY feature COLLATE "C";
SELECT feature, value FROM ml_explain('shops', (SELECT s FROM shops s WHERE id = 7)) ORDER BY feature COLLATE "C";
SELECT model FROM ml_train('linear_regression', 'shops', 'y', model => 'line', id => 'id', features => '{city,bought,income}',
	transform => '{"city": {"one_hot": {"drop": "first"}}, "bought": {"date_parts": ["hour"]}, "income": ["impute_mean", {"quantile_buckets": 3}]}');
SELECT term FROM ml_coefficients('line');
SELECT relation, object FROM ml_lineage('line') WHERE kind = 'column' ORDER BY 2;

-- Stored with the version, repeated by a retrain, asked for by a plan.
SELECT transform->'city' AS city FROM ml_versions WHERE model = 'line';
SELECT version FROM ml_retrain('line', deploy => 'always');
SELECT ml_transform('line@1', s) = ml_transform('line@2', s) AS same FROM shops s WHERE id = 3;
SELECT metric, round(value::numeric, 6) FROM ml_evaluate('line', 'shops');
CREATE FUNCTION calls(sql text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (VERBOSE, COSTS OFF) ' || sql LOOP
		IF line ~ 'predict' THEN
			RETURN NEXT regexp_replace(line, '''\d+''::bigint', 'id', 'g');
		END IF;
	END LOOP;
END $$;
SELECT calls('SELECT ml_predict(''line'', s) FROM shops s');
DROP FUNCTION calls(text);
SELECT features FROM ml_estimate('gbdt', 'shops', 'y', transform => :'steps');

-- Classification of several classes, and of a boolean; a timestamptz is read in UTC.
SELECT model, task FROM ml_train('gbdt', 'shops', 'level', model => 'levels', id => 'id', features => '{city,seen}',
	transform => '{"city": "target_encode", "seen": {"date_parts": ["day", "hour"]}}');
SELECT feature, encoding FROM ml_features('levels');
SET timezone = 'Asia/Tokyo';
SELECT every((ml_transform('levels', s)->>'hour(seen)')::int = extract(hour FROM s.seen AT TIME ZONE 'UTC')) AS utc FROM shops s;
RESET timezone;

-- What cannot be.
SELECT ml_train('gbdt', 'shops', 'y', transform => '{"incom": "standard"}');
SELECT ml_train('gbdt', 'shops', 'y', transform => '{"y": "standard"}');
SELECT ml_train('gbdt', 'shops', 'y', transform => '{"income": "standart"}');
SELECT ml_train('gbdt', 'shops', 'y', transform => '{"city": "standard"}');
SELECT ml_train('gbdt', 'shops', 'y', transform => '{"city": ["one_hot", "standard"]}');
SELECT ml_train('gbdt', 'shops', 'y', transform => '{"day": {"date_parts": ["hour"]}}');
SELECT ml_train('gbdt', 'shops', 'y', transform => '{"day": {"date_parts": ["decade"]}}');
SELECT ml_train('gbdt', 'shops', 'y', transform => '{"day": {"date_parts": {"origin": "soon"}}}');
SELECT ml_train('gbdt', 'shops', 'y', transform => '{"income": ["impute_mean", "missing_indicator"]}');
SELECT ml_train('gbdt', 'shops', 'y', transform => '{"income": {"clip": [5, 1]}}');
SELECT ml_train('gbdt', 'shops', 'y', transform => '{"income": {"clip": {"quantiles": [0, 2]}}}');
SELECT ml_train('gbdt', 'shops', 'y', transform => '{"income": "clip"}');
SELECT ml_train('gbdt', 'shops', 'y', transform => '{"income": {"clip": {}}}');
SELECT ml_train('gbdt', 'shops', 'y', transform => '{"income": {"min_max": [-1e308, 1e308]}}');
SELECT ml_train('gbdt', 'shops', 'y', transform => '{"income": {"quantile_buckets": 1}}');
SELECT ml_train('gbdt', 'shops', 'y', transform => '{"city": {"one_hot": {"max": 3}}}');
SELECT ml_train('gbdt', 'shops', 'y', transform => '{"city": {"impute_constant": 3}}');
SELECT ml_train('gbdt', 'shops', 'y', transform => '{"city": {"impute_constant": {"value": 3}}}');
SELECT ml_train('gbdt', 'shops', 'y', transform => '{"city": {"target_encode": {"smoothing": -1}}}');
SELECT ml_train('gbdt', 'shops', 'y', transform => '{"city": {"one_hot": {}, "hash": 3}}');
SELECT ml_train('gbdt', 'shops', 'y', transform => '{"income": {"standard": 3}}');
SELECT ml_train('gbdt', 'shops', 'y', transform => '{"level": {"ordinal": ["low", "low"]}}');
SELECT ml_train('gbdt', 'shops', 'y', transform => '{"income": []}');
SELECT ml_train('gbdt', 'shops', 'y', transform => '{"income": 3}');
SELECT ml_train('gbdt', 'shops', 'y', transform => '[1]');
SELECT ml_train('gbdt', 'SELECT income - 2 AS x, y FROM shops', 'y', model => 'x', transform => '{"x": "log1p"}');

-- What there is.
SELECT step, takes, options FROM ml_transform_steps();

-- A worker, the session itself and a queued run make the same bits.
SET mlplat.execution = foreground;
SELECT model FROM ml_train('gbdt', 'shops', 'y', model => 'here', id => 'id', exclude => '{seen}', transform => :'steps');
RESET mlplat.execution;
SELECT ml_train_async('gbdt', 'shops', 'y', model => 'queued', id => 'id', exclude => '{seen}', transform => :'steps') AS job \gset
SELECT ml_wait(:job);
SELECT count(DISTINCT checksum) FROM ml_versions WHERE model IN ('shops', 'here', 'queued');

-- Nothing to do is nothing done.
SELECT model FROM ml_train('gbdt', 'shops', 'y', model => 'plain', id => 'id', transform => '{}');
SELECT model FROM ml_train('gbdt', 'shops', 'y', model => 'bare', id => 'id');
SELECT count(DISTINCT checksum) FROM ml_versions WHERE model IN ('plain', 'bare');

-- Encoded values are for readers.
CREATE ROLE regress_prep_user;
GRANT SELECT ON shops TO regress_prep_user;
SELECT ml_grant('line', 'regress_prep_user', 'predict');
SET ROLE regress_prep_user;
SELECT ml_predict('line', s) IS NOT NULL AS predicted FROM shops s WHERE id = 3;
SELECT feature FROM ml_features('line');
SELECT ml_transform('line', s) FROM shops s WHERE id = 3;
RESET ROLE;

SELECT ml_drop(m) FROM unnest('{shops,line,levels,plain,bare,here,queued}'::text[]) m;
DROP TABLE shops;
DROP ROLE regress_prep_user;
