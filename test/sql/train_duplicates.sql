-- Equal rows without an id: copies stay on one side of the split, draws that came out alike are split one by one.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mlplat;
SET mlplat.progress = off;

-- Twelve kinds of customers, 3,000 of them; how many of a kind leave depends on the kind.
CREATE TABLE dup_draws AS
	SELECT i % 4 AS region, i % 3 AS plan, (i * 7919 % 1000) < 100 + 200 * (i % 4) AS left_us
	FROM generate_series(1, 3000) i;
-- 500 people, each of them six times.
CREATE TABLE dup_copies AS
	SELECT k.x, k.y, k.x + k.y > 100 AS left_us
	FROM (SELECT i * 7919 % 1000 / 10.0 AS x, i * 104729 % 1000 / 10.0 AS y FROM generate_series(1, 500) i) k, generate_series(1, 6);

CREATE FUNCTION dup_train(source text, target text, kind text) RETURNS TABLE (held_out bigint, near_the_truth boolean) LANGUAGE plpgsql AS $$
DECLARE
	found record;
	whole float8;
BEGIN
	SELECT * INTO found FROM ml_train(kind, source, target, model => 'dup', deploy => 'always');
	SELECT value INTO whole FROM ml_evaluate('dup', source) WHERE metric = found.metric;
	held_out := (SELECT rows_test FROM ml_versions WHERE model = 'dup' AND version = found.version);
	near_the_truth := abs(found.score - whole) < 0.06;
	RETURN NEXT;
END $$;

-- The score of the rows kept aside is about that of all: they were not chosen by their outcome.
SELECT * FROM dup_train('dup_draws', 'left_us', 'logistic_regression');
SELECT * FROM dup_train('SELECT region, plan, left_us::int AS y FROM dup_draws', 'y', 'linear_regression');
SELECT * FROM dup_train('SELECT region, plan, left_us::int::float8 / 4 AS y FROM dup_draws', 'y', 'linear_regression');
SELECT * FROM dup_train('SELECT region, plan, left_us::int::numeric AS y FROM dup_draws', 'y', 'logistic_regression');
SELECT * FROM dup_train('SELECT region, plan, CASE WHEN left_us THEN ''gone'' ELSE ''here'' END AS y FROM dup_draws', 'y', 'gbdt');

-- In another order: which of equal rows are kept aside makes no difference.
SELECT score AS before FROM ml_train('naive_bayes', 'dup_draws', 'left_us', model => 'dup_order') \gset
SELECT score = :before AS same FROM ml_train('naive_bayes', 'SELECT * FROM dup_draws ORDER BY left_us, region DESC, plan', 'left_us', model => 'dup_order');

-- Copies: six of each, so what is held out is a number of whole people.
SELECT version FROM ml_train('gbdt', 'dup_copies', 'left_us', model => 'dup_copies', params => '{"num_iterations": 5}');
SELECT rows_test % 6 AS torn, rows_test BETWEEN 588 AND 612 AS a_fifth FROM ml_versions WHERE model = 'dup_copies';

SELECT count(ml_drop(model)) FROM (VALUES ('dup'), ('dup_order'), ('dup_copies')) AS m (model);
DROP FUNCTION dup_train(text, text, text);
DROP TABLE dup_draws, dup_copies;
