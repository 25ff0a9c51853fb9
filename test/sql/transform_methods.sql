-- Every algorithm behind an encoding: what speaks of columns speaks of encoded ones, or says that it has nothing to say.
CREATE TABLE towns AS
SELECT i AS id, CASE WHEN i % 9 = 0 THEN NULL ELSE (i * 37 % 101) / 50.0 END AS x, (ARRAY['Rome', 'Oslo', 'Bern', NULL])[1 + i % 4] AS city,
	'word' || i % 3 || ' and word' || i % 5 AS note, i % 2 = 0 AS flag, (i % 4) * 2.0 + (i * 37 % 101) / 50.0 + 1 AS y, (i % 4 > 1) AS yes
FROM generate_series(1, 240) i;

CREATE FUNCTION encoded_names(model text) RETURNS text[] LANGUAGE sql AS $$
	SELECT array_agg(key) FROM towns t, jsonb_object_keys(ml_transform(model, t)) key WHERE t.id = 7
$$;

-- Each function answers with encoded columns, or refuses; what else happens is shown.
CREATE FUNCTION walk(algorithm text, target text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	name text := algorithm || '_' || coalesce(target, 'none');
	source text := format('SELECT id, x, city, note, flag %s FROM towns', CASE WHEN target IS NULL THEN '' ELSE ', ' || target END);
	names text[];
	call text;
	bad text;
BEGIN
	PERFORM ml_train(algorithm, source, target, model => name, id => 'id', transform => '{"x": ["missing_indicator", "impute_mean", "min_max"],
		"city": "one_hot", "note": {"tfidf": {"max_features": 4}}, "flag": "frequency"}');
	names := encoded_names(name);
	IF cardinality(names) <> 11 THEN
		RETURN NEXT format('%s: encoded columns are %s', name, names);
	END IF;
	FOREACH call IN ARRAY ARRAY['SELECT feature FROM ml_importance(%L)', 'SELECT term FROM ml_coefficients(%L)',
		'SELECT term FROM ml_coefficient_intervals(%L)', 'SELECT statistic FROM ml_model_statistics(%L) WHERE false',
		'SELECT feature FROM ml_explain(%L, (SELECT t FROM towns t WHERE id = 7))', 'SELECT condition FROM ml_rules(%L) WHERE false'] LOOP
		BEGIN
			FOR bad IN EXECUTE format(call, name) LOOP
				IF bad !~ '^(\(.*\)|P\(class\))$' AND NOT EXISTS (SELECT FROM unnest(names) n WHERE position(n IN bad) > 0) THEN
					RETURN NEXT format('%s: %s says %s', name, call, bad);
				END IF;
			END LOOP;
		EXCEPTION
			WHEN feature_not_supported THEN NULL;
			WHEN OTHERS THEN RETURN NEXT format('%s: %s: %s', name, call, SQLERRM);
		END;
	END LOOP;
	PERFORM FROM ml_evaluate(name, source) WHERE value = 'NaN';
	IF target IS NOT NULL AND (SELECT count(*) FROM ml_predict_batch(name, source, 'id') b JOIN towns t ON t.id::text = b.id
		WHERE b.prediction IS DISTINCT FROM ml_predict(name, t)) > 0 THEN
		RETURN NEXT format('%s: a batch says something else than a row', name);
	END IF;
	PERFORM ml_drop(name);
END $$;

SELECT walk(a.algorithm, CASE t WHEN 'regression' THEN 'y' WHEN 'classification' THEN 'yes' END)
FROM ml_algorithms() a, unnest(tasks) t ORDER BY 1;
SELECT count(*) > 10 AS many FROM ml_algorithms();

DROP FUNCTION walk(text, text);
DROP FUNCTION encoded_names(text);
DROP TABLE towns;
