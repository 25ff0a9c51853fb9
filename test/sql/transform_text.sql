-- Texts as tf-idf of what a text search configuration makes of them.
CREATE TABLE reviews AS
SELECT i AS id,
	(ARRAY['The cat sat on the mats', 'Dogs are running in the parks', 'A cat and a dog', 'Nothing to say here, really nothing', NULL,
		'Running dogs chase running cats'])[1 + i % 6] || CASE WHEN i % 7 = 0 THEN ' good ' || i ELSE '' END AS body,
	i % 6 IN (1, 5) AS running, (i % 3)::text AS shop, i % 10 AS stars
FROM generate_series(1, 300) i;

SELECT model, rows, features FROM ml_train('logistic_regression', 'reviews', 'running', model => 'reviews', id => 'id', features => '{body,stars}',
	transform => '{"body": {"tfidf": {"config": "english", "ngram": [1, 2], "max_features": 12, "min_df": 5}}}');
SELECT * FROM ml_features('reviews');
SELECT features FROM ml_versions WHERE model = 'reviews';
SELECT key, round(value::numeric, 10) AS value FROM reviews r, jsonb_each_text(ml_transform('reviews', r)) WHERE id = 5 AND value <> '0' ORDER BY key COLLATE "C";

-- A term is there where to_tsvector() has it, of one word at least; and rows have the length 1.
SELECT every((to_tsvector('english', coalesce(body, '')) @@ to_tsquery('simple', substr(key, 7)) = (value::float8 > 0))) AS terms
FROM reviews r, jsonb_each_text(ml_transform('reviews', r)) WHERE key ~ '^body: [a-z]+$';
SELECT every(abs(norm - 1) < 1e-12) AS length_1, count(*) AS texts
FROM (SELECT sum(value::float8 ^ 2) AS norm FROM reviews r, jsonb_each_text(ml_transform('reviews', r)) WHERE key ~ '^body' GROUP BY id) x WHERE norm > 0;
SELECT (ml_transform('reviews', r)->>'body: run cat')::float8 > 0 AS two_words FROM reviews r WHERE id = 5;

-- Every way to a prediction is the same way.
SELECT every(ml_transform('reviews', r) = ml_transform_json('reviews', to_jsonb(r))) AS json,
	every(ml_predict('reviews', r) = ml_predict_json('reviews', to_jsonb(r))) AS predicted FROM reviews r;
SELECT count(*) AS same FROM reviews r JOIN ml_predict_batch('reviews', 'reviews', 'id') b ON b.id = r.id::text AND b.probability = ml_predict_proba('reviews', r);
SELECT metric, round(value::numeric, 6) AS value FROM ml_evaluate('reviews', 'SELECT id, body::varchar(200) AS body, stars, running FROM reviews');
SELECT term FROM ml_coefficients('reviews');
SELECT feature, value FROM ml_explain('reviews', (SELECT r FROM reviews r WHERE id = 3), 2);
SELECT version FROM ml_retrain('reviews');
SELECT warnings FROM ml_versions WHERE model = 'reviews' AND version = 2;
SELECT ml_transform('reviews@1', r) = ml_transform('reviews@2', r) AS same FROM reviews r WHERE id = 5;

-- In buckets, without a vocabulary; a word that training never saw falls into one.
SELECT model, features FROM ml_train('gbdt', 'reviews', 'running', model => 'hashed', id => 'id', features => '{body}',
	transform => '{"body": {"hashed_tfidf": {"n": 8, "config": "pg_catalog.english", "norm": "none", "sublinear": true}}}');
SELECT * FROM ml_features('hashed');
SELECT count(*) AS buckets FROM jsonb_each_text(ml_transform_json('hashed', '{"body": "zebra"}')) WHERE value <> '0';

-- The default is simple; a language is a matter of the data.
SELECT model FROM ml_train('gbdt', 'reviews', 'running', model => 'plain', features => '{body}', id => 'id', transform => '{"body": "tfidf"}');
SELECT count(*) AS stop_words FROM ml_features('plain') WHERE feature = 'body: the';

-- One model per group, on the words of all.
SELECT model FROM ml_train('gbdt', 'reviews', 'running', model => 'shops', id => 'id', features => '{body,stars}', segment_by => '{shop}',
	transform => '{"body": {"tfidf": {"config": "english", "max_features": 5}}, "stars": "standard"}');
SELECT segment, error FROM ml_segments('shops') ORDER BY 1;
SELECT count(ml_predict('shops', r)) AS predicted, count(ml_transform('shops', r)) AS transformed FROM reviews r;
SELECT ml_transform('shops', r) ? 'body: run' AS words FROM reviews r WHERE id = 1;

-- What cannot be.
SELECT ml_train('gbdt', 'reviews', 'running', transform => '{"body": {"tfidf": {"config": "klingon"}}}');
SELECT ml_train('gbdt', 'reviews', 'running', transform => '{"body": {"tfidf": {"ngram": [2, 1]}}}');
SELECT ml_train('gbdt', 'reviews', 'running', transform => '{"body": {"tfidf": {"max_features": 0}}}');
SELECT ml_train('gbdt', 'reviews', 'running', transform => '{"body": {"tfidf": {"min_df": 1.5}}}');
SELECT ml_train('gbdt', 'reviews', 'running', transform => '{"body": {"tfidf": {"words": 3}}}');
SELECT ml_train('gbdt', 'reviews', 'running', transform => '{"body": {"tfidf": {"norm": "l1"}}}');
SELECT ml_train('gbdt', 'reviews', 'running', transform => '{"body": ["tfidf", "standard"]}');
SELECT ml_train('gbdt', 'reviews', 'running', transform => '{"body": ["impute_most_frequent", "tfidf"]}');
SELECT ml_train('gbdt', 'reviews', 'running', transform => '{"stars": "tfidf"}');
SELECT warnings FROM ml_train('gbdt', 'reviews', 'running', model => 'rare', features => '{body,stars}', id => 'id', transform => '{"body": {"tfidf": {"min_df": 250}}}');
SELECT ml_train('gbdt', 'reviews', 'running', model => 'rare', features => '{body}', transform => '{"body": {"tfidf": {"min_df": 250}}}');
SELECT ml_predict_array('reviews', ARRAY[1, 2]);
SELECT ml_predict_json('hashed', '{"body": 3}');
SELECT ml_predict_json('hashed', '{"text": "x"}');

-- A configuration that is gone is missed when a text is to be cut, and found again when it is back.
CREATE TEXT SEARCH CONFIGURATION own (COPY = english);
SELECT model FROM ml_train('gbdt', 'reviews', 'running', model => 'own', features => '{body}', id => 'id', transform => '{"body": {"tfidf": {"config": "own"}}}');
PREPARE own(text) AS SELECT ml_predict_json('own', jsonb_build_object('body', $1)) IS NOT NULL AS predicted;
EXECUTE own('dogs run');
DROP TEXT SEARCH CONFIGURATION own;
EXECUTE own('dogs run');
CREATE TEXT SEARCH CONFIGURATION own (COPY = english);
EXECUTE own('dogs run');
DROP TEXT SEARCH CONFIGURATION own;

SELECT ml_drop(m) FROM unnest('{reviews,hashed,plain,shops,rare,own}'::text[]) m;
DROP TABLE reviews;
