-- Calls with a whole row are planned with the columns that the model reads; where the answer could differ, they stay.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mlplat;
RESET client_min_messages;
\set SHOW_CONTEXT never

CREATE TABLE shop AS
SELECT i AS id, i % 60 AS age, ((i % 90) / 3.0)::numeric(10, 3) AS paid, (ARRAY['a', 'b', 'c'])[i % 3 + 1] AS city, 'note ' || i AS note,
       ARRAY[i % 4, i % 5] AS visits, i % 60 > 30 AS returns
FROM generate_series(1, 1000) i;
ALTER TABLE shop ADD gone int;
ALTER TABLE shop DROP gone;
ALTER TABLE shop ADD late int DEFAULT 7;
UPDATE shop SET late = 8 WHERE id % 7 = 0;
ANALYZE shop;
SELECT version FROM ml_train('gbdt', 'shop', 'returns', model => 'returns', features => '{age,paid,city,visits,late}', params => '{"num_iterations": 10}', split => 'none');
SELECT version FROM ml_train('gbdt', 'shop', 'returns', model => 'returns', features => '{city,age}', params => '{"num_iterations": 10}', split => 'none', deploy => 'always');

-- The lines of a plan that predict, with numbers of versions masked.
CREATE FUNCTION calls(sql text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (VERBOSE, COSTS OFF) ' || sql LOOP
    IF line ~ 'predict|_explain' THEN
      RETURN NEXT regexp_replace(line, '''\d+''::bigint', 'id', 'g');
    END IF;
  END LOOP;
END $$;

-- Tables, aliases of columns, views, subselects that are pulled up and those that are not.
SELECT calls('SELECT ml_predict(''returns'', s) FROM shop s');
SELECT calls('SELECT ml_predict(''returns@1'', shop), ml_predict_class(''returns@production'', shop) FROM shop');
SELECT calls('SELECT ml_predict_proba(''returns'', shop), ml_predict_proba(''returns'', shop, ''true''), ml_predict_proba(''returns'', shop, city) FROM shop');
SELECT calls('SELECT ml_predict_probs(''returns'', shop) FROM shop');
SELECT calls('SELECT ml_predict(''returns'', s) FROM shop AS s(a, b, c, d, e)');
CREATE VIEW elders AS SELECT note, city, age + 1 AS age, id FROM shop WHERE age > 30;
CREATE VIEW guarded WITH (security_barrier) AS SELECT * FROM elders WHERE id > 5;
SELECT calls('SELECT ml_predict(''returns'', v) FROM elders v');
SELECT calls('SELECT ml_predict(''returns'', v) FROM guarded v WHERE ml_predict(''returns'', v) = 1');
SELECT calls('SELECT ml_predict(''returns'', s) FROM (SELECT age, note, city FROM shop ORDER BY id LIMIT 3) s');
SELECT calls('SELECT ml_predict(''returns'', v) FROM (VALUES (1, ''a''), (50, ''b'')) v(age, city)');
SELECT calls('SELECT x.p FROM shop CROSS JOIN LATERAL (SELECT ml_predict(''returns'', shop) AS p) x');
SELECT calls('SELECT (SELECT ml_predict(''returns'', shop) LIMIT 1) FROM shop');
SELECT calls('UPDATE shop SET late = ml_predict(''returns'', shop) RETURNING ml_predict(''returns'', shop)');
-- A generic plan does not know the model, a custom one does.
PREPARE named(text) AS SELECT ml_predict($1, shop) FROM shop;
SELECT calls('EXECUTE named(''returns'')');
SET plan_cache_mode = force_generic_plan;
SELECT calls('EXECUTE named(''returns'')');
RESET plan_cache_mode;

-- They stay where the row may be NULL, columns are missing, twice there or of another type, the model is unknown or not named,
-- something would not be executed any more, or there are too many columns.
SELECT calls('SELECT ml_predict(''returns'', b), ml_predict(''returns'', a) FROM shop a LEFT JOIN shop b ON a.id = b.id + 1');
SELECT calls('SELECT ml_predict(''returns'', b), ml_predict(''returns'', a) FROM shop a FULL JOIN shop b ON a.id = b.id');
SELECT calls('SELECT ml_predict(''returns'', shop) FROM shop GROUP BY ROLLUP (shop)');
SELECT calls('SELECT ml_predict(''returns'', s) FROM (SELECT age, note FROM shop OFFSET 0) s');
SELECT calls('SELECT ml_predict(''returns'', s) FROM (SELECT age, city, age FROM shop OFFSET 0) s');
SELECT calls('SELECT ml_predict(''returns'', s) FROM (SELECT age::text, city FROM shop OFFSET 0) s');
SELECT calls('SELECT ml_predict(''unknown'', s), ml_predict(''returns@9'', s), ml_predict(''a@b@c'', s), ml_predict('''', s), ml_predict(note, s) FROM shop s');
SELECT calls('SELECT ml_predict(''returns'', ROW(1, ''a'')), ml_predict(''returns'', NULL::shop)');
CREATE SEQUENCE steps;
SELECT version FROM ml_train('linear_regression', 'SELECT age AS f1, id AS y FROM shop', 'y', model => 'first', split => 'none');
SELECT ml_predict('first', ROW(age, nextval('steps'))) IS NOT NULL AS predicts FROM shop WHERE id < 4;
SELECT nextval('steps');
DO $$ BEGIN EXECUTE 'CREATE TABLE broad AS SELECT ' || (SELECT string_agg(format('i %% %s AS c%s', n + 10, n), ', ') FROM generate_series(1, 98) n) || ', i % 7 * 1.0 AS y FROM generate_series(1, 300) i'; END $$;
SELECT features FROM ml_train('linear_regression', 'broad', 'y', model => 'broad', split => 'none');
SELECT calls('SELECT ml_predict(''broad'', broad) FROM broad');
SELECT count(ml_predict('broad', broad)) FROM broad;

-- The answers are the same, on every way.
CREATE TABLE whole AS SELECT id, ml_predict_json('returns', to_jsonb(s)) AS p, ml_predict_json('returns@1', to_jsonb(s)) AS first FROM shop s;
SELECT bool_and(ml_predict('returns', s) = p) AS tables, bool_and(ml_predict('returns@1', s) = first) AS arrays, count(*) FROM shop s JOIN whole USING (id);
SELECT count(*) AS rows, count(ml_predict('returns', b)) AS predicted, sum(ml_predict('returns', b)) = (SELECT sum(p) FROM whole) AS nullable
FROM generate_series(1, 1200) i LEFT JOIN shop b ON b.id = i;
SELECT count(*), count(q) FROM (SELECT ml_predict('returns', shop) AS q FROM shop GROUP BY ROLLUP (shop)) s;
SELECT sum(q) = (SELECT sum(p) FROM whole) AS grouped FROM (SELECT ml_predict('returns', shop) AS q FROM shop GROUP BY shop) s;
SELECT ml_predict('returns', shop) + 1 AS key, count(*) FROM shop GROUP BY ml_predict('returns', shop) HAVING ml_predict('returns', shop) >= 0 ORDER BY ml_predict('returns', shop);
CREATE TABLE parted (LIKE shop) PARTITION BY RANGE (id);
CREATE TABLE parted_low PARTITION OF parted FOR VALUES FROM (1) TO (300);
CREATE TABLE parted_high (returns bool, visits int[], city text, late int, note text, paid numeric(10, 3), age int, id int);
ALTER TABLE parted ATTACH PARTITION parted_high FOR VALUES FROM (300) TO (2000);
INSERT INTO parted SELECT * FROM shop;
SELECT calls('SELECT ml_predict(''returns@1'', parted) FROM parted');
SELECT bool_and(ml_predict('returns@1', m) = first) AS partitioned FROM parted m JOIN whole USING (id);
SELECT sum(ml_predict('returns', u)) = 2 * (SELECT sum(p) FROM whole) AS union_all FROM (SELECT age, note, city FROM shop UNION ALL SELECT age, 'x', city FROM parted) u;
MERGE INTO whole w USING (SELECT * FROM shop WHERE id <= 500 UNION ALL SELECT 5000, 50, 1, 'a', 'n', '{1,2}', NULL, 7) s ON w.id = s.id
  WHEN MATCHED THEN UPDATE SET first = ml_predict('returns', s) WHEN NOT MATCHED THEN INSERT VALUES (s.id, ml_predict('returns', s), NULL);
SELECT bool_and(first = p) FILTER (WHERE id <= 500) AS merged, min(p) FILTER (WHERE id = 5000) AS inserted FROM whole;
-- Values stored out of line.
CREATE TABLE letters AS SELECT id, age, CASE WHEN id % 2 = 0 THEN repeat(city || md5(id::text), 400) ELSE city END AS city FROM shop;
ALTER TABLE letters ALTER city SET STORAGE EXTERNAL;
INSERT INTO letters SELECT id + 1000, age, city FROM letters;
SELECT count(*), bool_and(ml_predict('returns', l) = ml_predict_json('returns', to_jsonb(l))) AS toasted FROM letters l;

-- Functions of models gain as well, but an index on the whole row is still used.
SELECT ml_create_function('returns', 'shop'), ml_create_function('returns', 'shop', kind => 'class'), ml_create_function('returns', 'shop', name => 'fixed', pinned => true);
SELECT calls('SELECT s.returns_predict, s.returns_class, s.fixed FROM shop s');
CREATE INDEX on_row ON shop (fixed(shop));
SELECT calls('SELECT s.fixed FROM shop s');
SET enable_seqscan = off; SET enable_bitmapscan = off;
SELECT calls('SELECT id FROM shop WHERE shop.fixed = 1');
RESET enable_seqscan; RESET enable_bitmapscan;
SELECT sum(shop.fixed) = sum(shop.returns_predict) AS same, count(*) FILTER (WHERE shop.fixed = 1) = sum(shop.fixed) AS indexed FROM shop;
DROP INDEX on_row;

-- Kept plans follow: deploys, own ones that are rolled back, the row's table.
PREPARE kept AS SELECT sum(ml_predict('returns', s)) = (SELECT sum(ml_predict('returns@1', s)) FROM shop s) AS first,
  sum(ml_predict('returns', s)) = (SELECT sum(ml_predict('returns@2', s)) FROM shop s) AS second FROM shop s;
SELECT calls('EXECUTE kept');
UPDATE shop SET returns = NOT returns;
SELECT version FROM ml_train('gbdt', 'shop', 'returns', model => 'returns', features => '{paid,note}', params => '{"num_iterations": 10}', split => 'none');
EXECUTE kept;
BEGIN;
SELECT ml_deploy('returns', 3);
SELECT calls('EXECUTE kept');
EXECUTE kept;
SAVEPOINT a;
SELECT ml_deploy('returns', 1);
EXECUTE kept;
ROLLBACK TO a;
EXECUTE kept;
ROLLBACK;
EXECUTE kept;
SELECT calls('EXECUTE kept');
SELECT ml_deploy('returns', 3);
SELECT calls('EXECUTE kept');
SELECT ml_deploy('returns', 2);
EXECUTE kept;
ALTER TABLE shop RENAME age TO years;
EXECUTE kept; \echo :SQLSTATE
ALTER TABLE shop RENAME years TO age;
EXECUTE kept;
-- In a block, too, and in one that is parallel.
CREATE FUNCTION follow() RETURNS SETOF float8 LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1..4 LOOP
    IF i > 1 THEN PERFORM ml_deploy('returns', CASE i WHEN 2 THEN 3 WHEN 3 THEN 1 ELSE 2 END); END IF;
    RETURN NEXT (SELECT sum(ml_predict('returns', s)) FROM shop s);
  END LOOP;
END $$;
SELECT array_agg(f) = ARRAY[(SELECT sum(ml_predict('returns@2', s)) FROM shop s), (SELECT sum(ml_predict('returns@3', s)) FROM shop s),
  (SELECT sum(ml_predict('returns@1', s)) FROM shop s), (SELECT sum(ml_predict('returns@2', s)) FROM shop s)] AS followed FROM follow() f;
SET force_parallel_mode = on;
SELECT sum(ml_predict('returns', s)) = (SELECT sum(p) FROM whole WHERE id <= 1000) AS parallel FROM shop s;
RESET force_parallel_mode;

-- Rights: those of the caller at run time; who has none learns nothing from a plan.
CREATE ROLE regress_ml_planner;
GRANT SELECT (id, age, city) ON shop TO regress_ml_planner;
GRANT SELECT ON elders TO regress_ml_planner;
SET ROLE regress_ml_planner;
SELECT calls('SELECT ml_predict(''returns'', v) FROM elders v');
SELECT ml_predict('returns', v) FROM elders v; \echo :SQLSTATE
RESET ROLE;
SELECT ml_grant('returns', 'regress_ml_planner', 'predict');
PREPARE by_view AS SELECT count(ml_predict('returns', v)) FROM elders v;
EXECUTE by_view;
SET ROLE regress_ml_planner;
SELECT calls('SELECT ml_predict(''returns'', v) FROM elders v');
EXECUTE by_view;
-- A whole row still needs the right to all of its columns.
SELECT ml_predict('returns', s) FROM shop s; \echo :SQLSTATE
SELECT count(ml_predict('returns', s)) FROM (SELECT age, city FROM shop) s;
RESET ROLE;
SELECT ml_revoke('returns', 'regress_ml_planner', 'predict');
SET ROLE regress_ml_planner;
EXECUTE by_view; \echo :SQLSTATE
RESET ROLE;
-- A function that may not be called is not called under another name.
SELECT ml_grant('returns', 'regress_ml_planner', 'predict');
REVOKE EXECUTE ON FUNCTION ml_predict(text, record) FROM PUBLIC;
SET ROLE regress_ml_planner;
SELECT ml_predict('returns', v) FROM elders v; \echo :SQLSTATE
RESET ROLE;
GRANT EXECUTE ON FUNCTION ml_predict(text, record) TO PUBLIC;
-- Row security is applied first.
ALTER TABLE shop ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON shop USING (id <= 10);
GRANT SELECT ON shop TO regress_ml_planner;
SET ROLE regress_ml_planner;
SELECT count(ml_predict('returns', s)) FROM shop s WHERE ml_predict('returns', s) >= 0;
RESET ROLE;

-- Called by hand with anything; an id of somebody else's version says nothing about it.
SELECT version_id AS other FROM mlplat.version JOIN mlplat.model USING (model_id) WHERE name = 'first' \gset
SET ROLE regress_ml_planner;
SELECT mlplat._predict_planned('returns', :other, '{f1}', 1); \echo :SQLSTATE
RESET ROLE;
SELECT mlplat._predict_planned('returns', :other, '{f1}', 1) IS NOT NULL AS own;
SELECT version_id AS second FROM mlplat.version JOIN mlplat.model USING (model_id) WHERE name = 'returns' AND version = 2 \gset
SELECT mlplat._predict_planned('returns', :second, '{city,age}', 'a'::text, 50), mlplat._predict_planned('returns', NULL, '{city,age}', 'a'::text, 50);
SELECT mlplat._predict_planned('returns', 0, '{city,age}', 'a'::text, 50), mlplat._predict_planned('returns', -1, '{age,city}', 50, 'a'::text);
SELECT mlplat._predict_planned('returns', -1, '{age}', 50); \echo :SQLSTATE
SELECT mlplat._predict_planned('returns', :second, '{age}', 50, 'a'::text); \echo :SQLSTATE
SELECT mlplat._predict_planned('returns', :second, '{age,NULL}', 50, 'a'::text); \echo :SQLSTATE
SELECT mlplat._predict_planned('returns', :second, '{age,city}', VARIADIC ARRAY[50]); \echo :SQLSTATE
SELECT mlplat._predict_planned('returns', :second, NULL, 50), mlplat._predict_planned_model(NULL, NULL, NULL, NULL, 1);

-- The forms that take JSON, and what explains.
SELECT calls('SELECT ml_predict_json(''returns@1'', to_jsonb(s)), ml_predict_class_json(''returns@1'', to_jsonb(s)), ml_predict_proba_json(''returns'', to_jsonb(s), city) FROM shop s');
SELECT calls('SELECT ml_predict_json(''returns'', to_jsonb(v)) FROM (SELECT city, age, note FROM shop OFFSET 0) v');
SELECT calls('SELECT e.* FROM shop s, ml_explain(''returns'', s, top => 1) e');
SELECT calls('SELECT e.* FROM (SELECT note, age, city FROM shop ORDER BY id LIMIT 3) s CROSS JOIN LATERAL ml_predict_json(''returns'', to_jsonb(s)) e');
SELECT count(*) FROM calls('SELECT (ml_explain(''returns'', s)).* FROM shop s') c WHERE c LIKE '%_explain_planned%';
-- They stay where the row may be NULL, and where the object is anything else.
SELECT calls('SELECT ml_predict_json(''returns'', to_jsonb(b)) FROM shop a LEFT JOIN shop b ON a.id = b.id + 1');
SELECT calls('SELECT ml_predict_json(''returns'', row_to_json(s)::jsonb), ml_predict_json(''returns'', to_jsonb(s) - ''note''), ml_predict_json(''returns'', to_jsonb(note)) FROM shop s');
SELECT calls('SELECT e.* FROM shop a LEFT JOIN shop b ON a.id = b.id + 1 LEFT JOIN LATERAL ml_explain(''returns'', b) e ON true');
SELECT count(*), count(ml_predict_json('broad', to_jsonb(b))) FROM broad b;
SELECT bool_and(ml_predict_json('returns', to_jsonb(s)) = p AND ml_predict_json('returns@1', to_jsonb(s)) = first AND ml_predict_class_json('returns@1', to_jsonb(s)) = ml_predict_class('returns@1', s)
  AND ml_predict_proba_json('returns', to_jsonb(s), 'false') = ml_predict_proba('returns', s, 'false') AND ml_predict_proba_json('returns', to_jsonb(s)) = ml_predict_proba('returns', s)) AS json, count(*) FROM shop s JOIN whole USING (id);
SELECT count(*), count(ml_predict_json('returns', to_jsonb(b))) FROM generate_series(1, 1200) i LEFT JOIN shop b ON b.id = i;
SELECT bool_and(planned = called) AS explains, count(*) FROM shop s,
  LATERAL (SELECT array_agg((e.feature, e.value, e.contribution)::text ORDER BY e) AS planned FROM ml_explain('returns', s, 2) e) p,
  LATERAL (SELECT array_agg((e.feature, e.value, e.contribution)::text ORDER BY e) AS called FROM ml_explain((SELECT 'returns'), s, 2) e) c WHERE s.id <= 50;
-- A LATERAL subquery that stays one gets the row, whatever is in it.
SELECT calls('SELECT x.p FROM shop, LATERAL (SELECT sum(g * ml_predict(''returns'', shop)) AS p FROM generate_series(1, 2) g) x');
SELECT count(*), sum(x.p) = 3 * (SELECT sum(ml_predict('returns', s)) FROM shop s) AS lateral FROM shop, LATERAL (SELECT sum(g * ml_predict('returns', shop)) AS p FROM generate_series(1, 2) g) x;
SELECT calls('SELECT (SELECT x.p FROM (SELECT sum(g * ml_predict(''returns'', shop)) AS p FROM generate_series(1, 2) g) x) FROM shop');
SELECT sum((SELECT x.p FROM (SELECT sum(g * ml_predict('returns', shop)) AS p FROM generate_series(1, 2) g) x)) = 3 * (SELECT sum(ml_predict('returns', s)) FROM shop s) AS correlated FROM shop;
SELECT sum((SELECT y.p FROM generate_series(1, 1) h, LATERAL (SELECT sum((g + h - 1) * ml_predict('returns', shop)) AS p FROM generate_series(1, 2) g) y)) = 3 * (SELECT sum(ml_predict('returns', s)) FROM shop s) AS both FROM shop;
SELECT feature FROM shop s, ml_explain('returns', s, -1) WHERE id = 1; \echo :SQLSTATE
SELECT ml_predict_json('returns', to_jsonb(r)) FROM (SELECT 'NaN'::float8 AS age, 'a'::text AS city, 1 AS other OFFSET 0) r; \echo :SQLSTATE
SELECT mlplat._predict_planned_json('returns', -1, '{"age": 50, "city": "a"}'), mlplat._predict_planned_json('returns', NULL, '{}'), mlplat._predict_planned_proba_json('returns', 0, NULL, NULL);
SELECT mlplat._predict_planned_json('returns', -1, '{"age": 50}'); \echo :SQLSTATE
SELECT mlplat._predict_planned_json('returns', :second, '{"age": 50}'); \echo :SQLSTATE

-- Within the transaction that deploys, calls are planned as well; a plan that is kept follows when that is rolled back.
PREPARE mine AS SELECT sum(ml_predict('returns', s)) FROM shop s;
SET plan_cache_mode = force_generic_plan;
CREATE TABLE before AS EXECUTE mine;
BEGIN;
SELECT model, version FROM ml_train('linear_regression', 'shop', 'paid', model => 'returns', features => '{late}', deploy => 'always', split => 'none');
SELECT calls('SELECT ml_predict(''returns'', s) FROM shop s');
EXECUTE mine \gset own_
SELECT :own_sum = sum(ml_predict((SELECT 'returns'), s)) AS own FROM shop s;
SAVEPOINT own;
SELECT ml_deploy('returns', 1);
SELECT calls('SELECT ml_predict(''returns'', s) FROM shop s');
EXECUTE mine \gset first_
SELECT :first_sum = sum(ml_predict('returns@1', s)) AS first FROM shop s;
ROLLBACK TO own;
SELECT calls('SELECT ml_predict(''returns'', s) FROM shop s');
EXECUTE mine \gset again_
SELECT :again_sum = :own_sum AS again;
ROLLBACK;
EXECUTE mine \gset after_
SELECT :after_sum = sum AS after FROM before;
SELECT calls('SELECT ml_predict(''returns'', s) FROM shop s');
DROP TABLE before;
RESET plan_cache_mode;

-- What a call has found out about its columns stays with the model, for those names and types, and by the name that the model has.
PREPARE one(int, text) AS SELECT ml_predict('returns', r) FROM (SELECT $1 AS age, $2 AS city) r;
PREPARE other(float8, text) AS SELECT ml_predict('returns', r) FROM (SELECT $2 AS city, $1 AS age) r;
EXECUTE one(50, 'a'); EXECUTE one(1, 'b'); EXECUTE other(1, 'b'); EXECUTE other(50, 'a'); EXECUTE one(50, 'a');
PREPARE short AS SELECT ml_predict('returns@1', r) FROM (SELECT 1 AS age, 2.5 AS paid, 'a' AS city, ARRAY[1] AS visits, 7 AS late) r;
EXECUTE short;
EXECUTE short;
SELECT ml_rename('returns', 'renamed');
SELECT ml_predict('renamed@1', r) FROM (SELECT 1 AS age, 2.5 AS paid, 'a' AS city, ARRAY[1] AS visits, 7 AS late) r;
SELECT ml_rename('renamed', 'returns');
EXECUTE short;

SET client_min_messages = warning;
DROP TABLE shop, whole, parted, letters, broad CASCADE;
DROP FUNCTION calls, follow;
DROP SEQUENCE steps;
SELECT ml_drop('returns'), ml_drop('first'), ml_drop('broad');
DROP OWNED BY regress_ml_planner;
DROP ROLE regress_ml_planner;
