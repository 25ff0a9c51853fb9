-- Metric aggregates: figures, what is undefined, NULLs, bad values, parallel plans.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mlplat;
RESET client_min_messages;

CREATE TABLE judged AS
SELECT i,
       (i * 53) % 97 < 40 AS actual,
       ((i * 37) % 101) / 100.0::float8 AS score,
       ((i * 71) % 113) * 0.5::float8 - 20 AS y,
       ((i * 71) % 113) * 0.5::float8 - 20 + ((i * 29) % 23 - 11) * 0.7::float8 AS p,
       (ARRAY['a', 'b', 'c'])[(i * 7) % 3 + 1] AS label,
       (ARRAY['a', 'b', 'c'])[CASE WHEN i % 5 = 0 THEN (i + 1) % 3 ELSE (i * 7) % 3 END + 1] AS predicted
FROM generate_series(1, 200) i;

CREATE VIEW figures AS
SELECT ml_auc(actual, score) AS auc, ml_logloss(actual, score) AS logloss, ml_brier(actual, score) AS brier,
       ml_rmse(y, p) AS rmse, ml_mae(y, p) AS mae, ml_r2(y, p) AS r2, ml_r2(y + 1e9, p + 1e9) AS r2_far,
       ml_accuracy(label, predicted) AS accuracy, ml_f1(label, predicted) AS f1_macro,
       ml_f1(CASE WHEN actual THEN 'yes' ELSE 'no' END, CASE WHEN score > 0.5 THEN 'yes' ELSE 'no' END) AS f1_text,
       ml_f1(CASE WHEN actual THEN '10' ELSE '9' END, CASE WHEN score > 0.5 THEN '10' ELSE '9' END) AS f1_number
FROM judged;

-- Expected: scikit-learn 1.2.1 on the same rows (log_loss with eps=1e-15; scores of 0 and 1 occur).
CREATE TABLE expected (metric text, value float8, tolerance float8);
INSERT INTO expected VALUES
  ('auc', 0.506436000411904, 1e-14), ('logloss', 1.29166803046635, 1e-12), ('brier', 0.331702, 1e-14),
  ('rmse', 4.634824700029117, 1e-13), ('mae', 4.018, 1e-13), ('r2', 0.918888194023264, 1e-14),
  ('r2_far', 0.918888194023264, 1e-7), ('accuracy', 0.8, 1e-15), ('f1_macro', 0.7999850372199154, 1e-14),
  ('f1_text', 0.46153846153846156, 1e-14), ('f1_number', 0.46153846153846156, 1e-14);
SELECT e.metric, abs(v.value::float8 - e.value) <= e.tolerance AS equal
FROM expected e LEFT JOIN (SELECT j.* FROM figures f, LATERAL jsonb_each_text(to_jsonb(f)) j(metric, value)) v USING (metric)
ORDER BY 1;

-- A partial aggregate in each of several workers gives the same.
ALTER TABLE judged SET (parallel_workers = 2);
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS OFF) SELECT ml_rmse(y, p), ml_mae(y, p), ml_r2(y, p), ml_logloss(actual, score), ml_brier(actual, score),
  ml_accuracy(label, predicted), ml_f1(label, predicted) FROM judged;
CREATE VIEW partial_figures AS
SELECT ml_rmse(y, p) AS rmse, ml_mae(y, p) AS mae, ml_r2(y, p) AS r2, ml_logloss(actual, score) AS logloss,
       ml_brier(actual, score) AS brier, ml_accuracy(label, predicted) AS accuracy, ml_f1(label, predicted) AS f1_macro
FROM judged;
SELECT j.metric, abs(j.value::float8 - e.value) <= 1e-12 AS equal
FROM partial_figures f, LATERAL jsonb_each_text(to_jsonb(f)) j(metric, value) JOIN expected e USING (metric) ORDER BY 1;
SET parallel_leader_participation = off;
SELECT j.metric, abs(j.value::float8 - e.value) <= 1e-12 AS equal
FROM partial_figures f, LATERAL jsonb_each_text(to_jsonb(f)) j(metric, value) JOIN expected e USING (metric) ORDER BY 1;
RESET parallel_leader_participation;
RESET parallel_setup_cost; RESET parallel_tuple_cost; RESET min_parallel_table_scan_size;

-- In groups, in windows, with FILTER.
SELECT i % 2 AS part, round(ml_auc(actual, score)::numeric, 6) AS auc, ml_accuracy(label, predicted) FILTER (WHERE i % 5 <> 0) AS easy
FROM judged GROUP BY 1 ORDER BY 1;
SELECT i, ml_auc(i % 2 = 0, -i) OVER (ORDER BY i), ml_mae(i, 0) OVER (ORDER BY i ROWS 1 PRECEDING) FROM generate_series(1, 4) i;

-- Closed forms: ties count half, perfect and inverse order.
SELECT ml_auc(a, s) FROM (VALUES (true, 1), (false, 1)) v(a, s);
SELECT ml_auc(a, s), ml_auc(a, -s) FROM (VALUES (true, 3), (true, 2), (false, 1), (false, 0)) v(a, s);
SELECT ml_auc(a, s) FROM (VALUES (true, 2), (true, 1), (false, 1), (false, 0)) v(a, s);
SELECT ml_auc(a, s) FROM (VALUES (true, 0.0::float8), (false, '-0'::float8)) v(a, s);

-- What is undefined is NULL.
SELECT ml_auc(actual, score), ml_logloss(actual, score), ml_brier(actual, score), ml_rmse(y, p), ml_mae(y, p), ml_r2(y, p),
       ml_accuracy(label, predicted), ml_f1(label, predicted) FROM judged WHERE false;
SELECT ml_auc(true, i), ml_auc(false, i), ml_r2(5, i), ml_f1('a', 'a') FROM generate_series(1, 5) i;
SELECT ml_r2(1, 1);
SELECT ml_r2(a, 5) FROM (VALUES (1.0), (2)) v(a);

-- A row with a NULL is left out.
SELECT ml_auc(a, s), ml_brier(a, s), ml_rmse(x, s), ml_mae(x, s), ml_accuracy(l, 'x'), ml_f1(l, 'x')
FROM (VALUES (true, 0.75, 1, 'x'), (false, 0.25, 0, 'y'), (NULL, 0.7, NULL, NULL), (true, NULL, 7, 'y')) v(a, s, x, l);

-- Bad values.
SELECT ml_auc(true, 'NaN'); \echo :SQLSTATE
SELECT ml_rmse(1, 'Infinity'); \echo :SQLSTATE
SELECT ml_r2('-Infinity', 1); \echo :SQLSTATE
SELECT ml_logloss(true, 1.5); \echo :SQLSTATE
SELECT ml_brier(true, -0.1); \echo :SQLSTATE
SELECT ml_rmse(1e300, -1e300); \echo :SQLSTATE
SELECT ml_accuracy(true, true); \echo :SQLSTATE

-- Labels are compared by bytes: case, blanks and empty text differ.
SELECT ml_accuracy(a, b) FROM (VALUES ('A', 'a'), ('a ', 'a'), ('', ' '), ('é', E'e\u0301')) v(a, b);

-- Nobody can call the parts.
CREATE ROLE regress_ml_aggregates;
SET ROLE regress_ml_aggregates;
SELECT mlplat._rmse_step('{0,0}', 1, 2); \echo :SQLSTATE
SELECT mlplat._mean_final('{}'); \echo :SQLSTATE
SELECT ml_rmse(1, 3);
RESET ROLE;
SELECT mlplat._mean_final('{}'); \echo :SQLSTATE
DROP ROLE regress_ml_aggregates;

-- A large state, and one whose growth is stopped.
SELECT round(ml_auc(i % 3 = 0, i)::numeric, 4) FROM generate_series(1, 300000) i;
SET statement_timeout = '300ms';
SELECT ml_auc(i % 3 = 0, hashint8(i)) FROM generate_series(1, 100000000) i; \echo :SQLSTATE
RESET statement_timeout;

DROP VIEW figures, partial_figures;
DROP TABLE judged, expected;
