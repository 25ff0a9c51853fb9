-- A prediction wherever SQL lets an expression stand, and through each way a program sends statements: one answer.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mlplat;
RESET client_min_messages;
CREATE SCHEMA driver_shapes;
SET search_path = driver_shapes, public;

CREATE TABLE orders AS
SELECT i AS id, i % 23 AS items, (i * 37 % 101)::numeric(8, 2) AS price, (ARRAY['north', 'south', 'west'])[i % 3 + 1] AS region, i % 4 AS shop,
       i % 23 * 2.5 + (i * 37 % 101) * 0.5 + CASE WHEN i % 3 = 0 THEN 20 ELSE 0 END AS cost, i % 23 + i * 37 % 101 > 60 AS late
FROM generate_series(1, 2000) i;
ANALYZE orders;
SELECT version FROM ml_train('gbdt', 'orders', 'cost', model => 'cost', id => 'id', exclude => '{late}', params => '{"num_iterations": 20}');
SELECT version FROM ml_train('gbdt', 'orders', 'cost', model => 'cost', id => 'id', exclude => '{late,shop}', params => '{"num_iterations": 5}');
SELECT version FROM ml_train('logistic_regression', 'orders', 'late', model => 'late', id => 'id', features => '{items,price}');
-- A plan without the ids of versions, which hang on what was trained before.
CREATE FUNCTION plan(statement text, options text DEFAULT 'COSTS OFF') RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE format('EXPLAIN (%s) %s', options, statement) LOOP
		RETURN NEXT regexp_replace(line, $q$'\d+'::bigint$q$, 'ID', 'g');
	END LOOP;
END $$;
CREATE TABLE answers AS SELECT id, ml_predict('cost@1', o) AS one, ml_predict('cost@2', o) AS two, ml_predict_proba('late', o) AS p FROM orders o;
SELECT count(DISTINCT one) > 50 AS many_answers, count(*) FILTER (WHERE one <> two) > 1000 AS versions_differ FROM answers;

-- FROM items: alias, join, subselect, LATERAL, CTE, set-returning function, rows of a VALUES list
SELECT bool_and(ml_predict('cost', o) = one) AS joined, bool_and(l.p = one) AS lateral_, bool_and((SELECT ml_predict('cost', o)) = one) AS subselect
FROM orders o JOIN answers USING (id), LATERAL (SELECT ml_predict('cost', o) AS p) l;
WITH few AS MATERIALIZED (SELECT items, price, region, shop, id FROM orders WHERE id <= 100)
SELECT bool_and(ml_predict('cost', f) = one) AS cte FROM few f JOIN answers USING (id);
SELECT bool_and(ml_predict('cost', r) = a.one) AS recordset
FROM orders o, LATERAL jsonb_to_record(to_jsonb(o)) AS r (id int, items int, price numeric, region text, shop int) JOIN answers a ON a.id = r.id;
SELECT ml_predict('cost', v) = (SELECT ml_predict_json('cost', '{"items": 3, "price": 12.5, "region": "west", "shop": 1}')) AS values_list
FROM (VALUES (3, 12.5, 'west', 1)) v (items, price, region, shop);
SELECT ml_predict('cost', u) IS NOT NULL AS outer_join, u.id IS NULL AS unmatched FROM (VALUES (1), (-1)) k (id) LEFT JOIN orders u USING (id) ORDER BY k.id DESC;

-- WHERE, ORDER BY, CASE, GROUP BY, HAVING, FILTER, DISTINCT, window, aggregates of metrics
SELECT count(*) = (SELECT count(*) FROM answers WHERE one > 60) AS filtered FROM orders o WHERE ml_predict('cost', o) > 60;
SELECT array_agg(id) = (SELECT array_agg(id) FROM (SELECT id FROM answers ORDER BY one DESC, id LIMIT 10) q) AS ordered
FROM (SELECT id FROM orders o ORDER BY ml_predict('cost', o) DESC, id LIMIT 10) q;
SELECT bool_and(CASE WHEN o.id % 2 = 0 THEN ml_predict('cost@2', o) ELSE ml_predict('cost', o) END = CASE WHEN o.id % 2 = 0 THEN two ELSE one END) AS either
FROM orders o JOIN answers USING (id);
SELECT sum(rows) AS rows, bool_and(fine) AS grouped
FROM (SELECT ml_predict('late', o) AS class, count(*) AS rows, bool_and((p >= 0.5) = (ml_predict('late', o) = 1)) AS fine FROM orders o JOIN answers USING (id) GROUP BY 1 HAVING count(*) > 10) q;
SELECT shop, round(ml_rmse(cost::float8, ml_predict('cost', o))::numeric, 3) AS rmse, ml_auc(late, ml_predict_proba('late', o)) > 0.95 AS good,
       ml_auc(late, ml_predict_proba('late', o)) FILTER (WHERE region = 'west') > 0.95 AS good_west, ml_accuracy(late::text, ml_predict_class('late', o)) > 0.9 AS accurate
FROM orders o GROUP BY shop ORDER BY shop;
SELECT count(*) FROM (SELECT DISTINCT rank() OVER (PARTITION BY shop ORDER BY ml_predict('cost', o)) FROM orders o) q;

-- views, a materialized view and its refresh, a generated column, an index, a trigger, a check, a default
CREATE VIEW scored AS SELECT id, ml_predict('cost', o) AS prediction FROM orders o;
CREATE MATERIALIZED VIEW kept AS SELECT id, ml_predict('cost', o) AS prediction FROM orders o;
SELECT ml_create_function('cost@1', 'orders', 'cost_then', pinned => true) AS pinned, ml_create_function('cost', 'orders', 'cost_now') AS follows,
       ml_create_function('late@1', 'orders', 'late_columns', 'columns_proba', true) AS columns;
CREATE INDEX orders_cost ON orders (cost_then(orders));
ALTER TABLE orders ADD risk float8 GENERATED ALWAYS AS (late_columns(items, price)) STORED;
CREATE FUNCTION judge() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.cost := ml_predict('cost', NEW); RETURN NEW; END $$;
CREATE TABLE judged (id int, items int, price numeric, region text, shop int, cost float8 CHECK (cost > 0));
CREATE TRIGGER judge BEFORE INSERT ON judged FOR EACH ROW EXECUTE FUNCTION judge();
INSERT INTO judged SELECT id, items, price, region, shop, -1 FROM orders;
SELECT (SELECT bool_and(prediction = one) FROM scored JOIN answers USING (id)) AS view, (SELECT bool_and(prediction = one) FROM kept JOIN answers USING (id)) AS matview,
       (SELECT bool_and(risk = p) FROM orders JOIN answers USING (id)) AS generated, (SELECT bool_and(cost = one) FROM judged JOIN answers USING (id)) AS trigger;
SET enable_seqscan = off;
SELECT plan('SELECT id FROM orders WHERE cost_then(orders) > 100');
SELECT count(*) = (SELECT count(*) FROM answers WHERE one > 60) AS by_index FROM orders WHERE cost_then(orders) > 60;
RESET enable_seqscan;

-- COPY, cursors, UPDATE, INSERT ... RETURNING, MERGE
COPY (SELECT id, round(ml_predict('cost', o)) FROM orders o WHERE id <= 3 ORDER BY id) TO STDOUT;
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT id, round(ml_predict('cost', o)) AS prediction FROM orders o ORDER BY id;
FETCH 2 FROM c;
SELECT ml_deploy('cost', 2);
FETCH 1 FROM c;
FETCH PRIOR FROM c;
COMMIT;
SELECT bool_and(prediction = two) AS view_follows FROM scored JOIN answers USING (id);
SELECT bool_and(prediction = one) AS kept_as_it_was FROM kept JOIN answers USING (id);
REFRESH MATERIALIZED VIEW kept;
SELECT bool_and(prediction = two) AS refreshed FROM kept JOIN answers USING (id);
SELECT bool_and(cost_then(o) = one) AS pinned_stays, bool_and(cost_now(o) = two) AS other_follows FROM orders o JOIN answers USING (id);
UPDATE judged j SET cost = ml_predict('cost', j);
SELECT bool_and(cost = two) AS updated FROM judged JOIN answers USING (id);
INSERT INTO judged (id, items, price, region, shop) VALUES (-1, 3, 12.5, 'west', 1)
RETURNING ml_predict('cost', judged) = cost AS returned;
SELECT ml_rollback('cost');

-- parameters without types, as drivers send them: every predict function takes them, training as well
PREPARE by_json AS SELECT ml_predict_json($1, $2), ml_predict_class_json($1, $2), ml_predict_proba_json($1, $2, $3);
SELECT parameter_types FROM pg_prepared_statements WHERE name = 'by_json';
PREPARE by_array AS SELECT ml_predict_array($1, $2);
SELECT parameter_types FROM pg_prepared_statements WHERE name = 'by_array';
PREPARE by_row AS SELECT bool_and(ml_predict($1, o) = CASE $2 WHEN 'one' THEN one ELSE two END) AS equal FROM orders o JOIN answers USING (id);
PREPARE batch AS SELECT count(*), sum(version)::float8 / count(*) AS version FROM ml_predict_batch($1, $2, $3);
PREPARE train AS SELECT model, version, features FROM ml_train($1, $2, $3, model => $4, features => $5, params => $6, holdout => $7, seed => $8);
SELECT parameter_types FROM pg_prepared_statements WHERE name = 'train';
EXECUTE train('gbdt', 'orders', 'cost', 'driven', '{items,price}', '{"num_iterations": 3}', '0.25', '7');
EXECUTE by_json('late', '{"items": 3, "price": 12.5}', 'true');
EXECUTE by_json('late', '{"items": 22, "price": 99}', NULL);
EXECUTE by_json('late', '{"items": 22, "price": 99}', 'maybe'); \echo :SQLSTATE
EXECUTE by_array('driven', '{3,NULL}');
EXECUTE by_array('driven', 'three'); \echo :SQLSTATE
EXECUTE batch('cost', 'orders', 'id');
-- a plan of its own for each call, then one for all; a deploy in between
SET plan_cache_mode = force_generic_plan;
EXECUTE by_row('cost', 'one');
SELECT ml_deploy('cost', 2);
EXECUTE by_row('cost', 'two');
EXECUTE by_row('cost@1', 'one');
EXECUTE batch('cost', 'SELECT * FROM orders WHERE id <= 10', NULL);
SELECT ml_rollback('cost');
EXECUTE by_row('cost', 'one');
RESET plan_cache_mode;

-- PL/pgSQL: a loop over rows, a record, a row variable, dynamic SQL; a function that is kept across a deploy
CREATE FUNCTION total(model text) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
	r record;
	o orders;
	sum float8 := 0;
	v float8;
BEGIN
	FOR r IN SELECT * FROM orders WHERE id <= 50 ORDER BY id LOOP
		sum := sum + ml_predict(model, r);
	END LOOP;
	FOR o IN SELECT * FROM orders WHERE id > 50 AND id <= 100 ORDER BY id LOOP
		EXECUTE 'SELECT ml_predict($1, $2)' INTO v USING model, o;
		sum := sum + v;
	END LOOP;
	RETURN sum;
END $$;
SELECT total('cost') = (SELECT sum(one ORDER BY id) FROM answers WHERE id <= 100) AS first;
SELECT ml_deploy('cost', 2);
SELECT total('cost') = (SELECT sum(two ORDER BY id) FROM answers WHERE id <= 100) AS follows;
SELECT ml_rollback('cost');
SELECT total('cost') = (SELECT sum(one ORDER BY id) FROM answers WHERE id <= 100) AS back;
-- SQL functions, inlined or not
CREATE FUNCTION estimate(o orders) RETURNS float8 LANGUAGE sql STABLE AS $$ SELECT public.ml_predict('cost', o) $$;
CREATE FUNCTION estimate_path(o orders) RETURNS float8 LANGUAGE sql STABLE SET search_path = public AS $$ SELECT ml_predict('cost', o) $$;
SELECT bool_and(estimate(o) = one) AS inlined, bool_and(o.estimate_path = one) AS not_inlined FROM orders o JOIN answers USING (id);

-- a plan in parallel equals the serial one, in each place of a query
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 2;
ALTER TABLE orders SET (parallel_workers = 2);
SELECT plan($$SELECT region, ml_rmse(cost::float8, ml_predict('cost', o)) FROM orders o WHERE ml_predict_proba('late', o) > 0.5 GROUP BY region$$, 'COSTS OFF');
SELECT count(*), bool_and(q.c = one AND q.p = a.p AND q.t = one) AS parallel
FROM (SELECT id, ml_predict('cost', o) AS c, ml_predict_proba('late', o) AS p, cost_then(o) AS t FROM orders o WHERE ml_predict('cost', o) IS NOT NULL OFFSET 0) q JOIN answers a USING (id);
CREATE TEMP TABLE rmse AS SELECT region, ml_rmse(cost::float8, ml_predict('cost', o)) AS v, ml_auc(late, ml_predict_proba('late', o)) AS a FROM orders o GROUP BY region;
SET max_parallel_workers_per_gather = 0;
SELECT bool_and(abs(v - (SELECT ml_rmse(cost::float8, ml_predict('cost', o)) FROM orders o WHERE o.region = r.region)) < 1e-12) AS rmse,
       bool_and(a = (SELECT ml_auc(late, ml_predict_proba('late', o)) FROM orders o WHERE o.region = r.region)) AS auc FROM rmse r;
RESET ALL;
SET search_path = driver_shapes, public;

-- what a plan says of it
SET max_parallel_workers_per_gather = 0;
SELECT plan($$SELECT id, ml_predict('cost', o), cost_then(o), late_columns(items, price) FROM orders o$$, 'VERBOSE, COSTS OFF');

SET client_min_messages = warning;
DROP SCHEMA driver_shapes CASCADE;
SELECT count(ml_drop(m)) FROM unnest('{cost,late,driven}'::text[]) m;
