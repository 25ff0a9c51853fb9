-- Evaluation: stored and measured figures agree with each other, with the aggregates and with closed forms.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS mlplat;
RESET client_min_messages;

CREATE TABLE flats AS
SELECT i AS id, i % 83 AS size, i % 7 AS rooms, (ARRAY['north', 'south', 'east'])[i % 3 + 1] AS side,
       ((i % 83) * 2 + (i % 7) * 10 + (i * 7919) % 101) * 1.0 AS price, ((i % 83) + (i * 7919) % 40 > 60) AS sold,
       (ARRAY['a', 'b', 'c'])[least(2, ((i % 83) + (i * 7919) % 40) / 45) + 1] AS class, CASE WHEN i % 10 = 0 THEN 'test' ELSE 'train' END AS part
FROM generate_series(1, 1000) i;
SELECT model, metric FROM ml_train('gbdt', 'flats', 'price', model => 'price', exclude => '{id,sold,class}', split => 'column', split_by => 'part');
SELECT model, metric FROM ml_train('gbdt', 'flats', 'sold', model => 'sold', exclude => '{id,price,class}', split => 'column', split_by => 'part');
SELECT model, metric FROM ml_train('gbdt', 'flats', 'class', model => 'class', exclude => '{id,price,sold}', split => 'column', split_by => 'part');

-- The stored figures are those of the hold-out; the aggregates say the same of the predictions.
CREATE FUNCTION differ(model text) RETURNS TABLE (metric text, stored_is_measured boolean) LANGUAGE sql AS $$
  SELECT s.metric, abs(s.value - m.value) <= 1e-12 * greatest(1, abs(s.value))
  FROM ml_evaluate(model) WITH ORDINALITY s(metric, value, n) JOIN ml_evaluate(model, 'SELECT * FROM flats WHERE part = ''test''') m USING (metric) ORDER BY n $$;
SELECT * FROM differ('price');
SELECT * FROM differ('sold');
SELECT * FROM differ('class');
SELECT e.metric, abs(e.value - (a.f ->> e.metric)::float8) < 1e-12 AS aggregate_agrees
FROM ml_evaluate('price') e, (SELECT jsonb_build_object('rmse', ml_rmse(price, ml_predict('price', f)), 'mae', ml_mae(price, ml_predict('price', f)), 'r2', ml_r2(price, ml_predict('price', f))) AS f
  FROM flats f WHERE part = 'test') a;
SELECT e.metric, abs(e.value - (a.f ->> e.metric)::float8) < 1e-12 AS aggregate_agrees
FROM ml_evaluate('sold') e, (SELECT jsonb_build_object('auc', ml_auc(sold, ml_predict_proba('sold', f)), 'logloss', ml_logloss(sold, ml_predict_proba('sold', f)), 'brier', ml_brier(sold, ml_predict_proba('sold', f)),
  'accuracy', ml_accuracy(sold::text, ml_predict_class('sold', f)), 'f1', ml_f1(sold::text, ml_predict_class('sold', f)),
  'precision', count(*) FILTER (WHERE sold AND ml_predict('sold', f) = 1)::float8 / count(*) FILTER (WHERE ml_predict('sold', f) = 1),
  'recall', count(*) FILTER (WHERE sold AND ml_predict('sold', f) = 1)::float8 / count(*) FILTER (WHERE sold)) AS f
  FROM flats f WHERE part = 'test') a;
-- Several classes: precision by predicted rows, recall by actual rows, macro average.
SELECT e.metric, abs(e.value - (a.f ->> e.metric)::float8) < 1e-12 AS by_hand
FROM ml_evaluate('class') e JOIN LATERAL (
  SELECT jsonb_build_object('accuracy', (SELECT sum(rows) FILTER (WHERE actual = predicted)::float8 / sum(rows) FROM ml_confusion_matrix('class')),
    'precision', (SELECT avg(p) FROM (SELECT sum(rows) FILTER (WHERE actual = predicted)::float8 / sum(rows) AS p FROM ml_confusion_matrix('class') GROUP BY predicted) x),
    'recall', (SELECT avg(r) FROM (SELECT sum(rows) FILTER (WHERE actual = predicted)::float8 / sum(rows) AS r FROM ml_confusion_matrix('class') GROUP BY actual) x),
    'f1', (SELECT ml_f1(class, ml_predict_class('class', f)) FROM flats f WHERE part = 'test'),
    'auc', (SELECT avg(auc) FROM (SELECT ml_auc(class = c, ml_predict_proba('class', f, c)) AS auc FROM flats f, unnest('{a,b,c}'::text[]) c WHERE part = 'test' GROUP BY c) x),
    'logloss', (SELECT avg(-ln(ml_predict_proba('class', f, class))) FROM flats f WHERE part = 'test')) AS f) a ON a.f ? e.metric;

-- Confusion: every pair of classes, the rows add up, stored equals measured.
SELECT actual, predicted, c.rows = count(f.id) AS counted FROM ml_confusion_matrix('class') c LEFT JOIN (SELECT id, class, ml_predict_class('class', f) AS label FROM flats f WHERE part = 'test') f
  ON f.class = actual AND f.label = predicted GROUP BY actual, predicted, c.rows ORDER BY 1, 2;
SELECT count(*) AS differences FROM (SELECT * FROM ml_confusion_matrix('class') EXCEPT SELECT * FROM ml_confusion_matrix('class', 'SELECT * FROM flats WHERE part = ''test''')) d;
SELECT sum(rows) FROM ml_confusion_matrix('sold', 'flats');

-- The area under the ROC curve by the trapezoidal rule is the AUC; thresholds fall from infinity, both rates rise from 0 to 1.
SELECT abs(sum((fpr - last_fpr) * (tpr + last_tpr) / 2) - (SELECT value FROM ml_evaluate('sold') WHERE metric = 'auc')) < 1e-12 AS area,
       bool_and(fpr >= last_fpr AND tpr >= last_tpr AND threshold < last_threshold) AS monotone, max(last_threshold) AS first
FROM (SELECT *, lag(fpr) OVER w AS last_fpr, lag(tpr) OVER w AS last_tpr, lag(threshold) OVER w AS last_threshold FROM ml_roc_curve('sold') WITH ORDINALITY r(threshold, fpr, tpr, n) WINDOW w AS (ORDER BY n)) x WHERE last_fpr IS NOT NULL;
SELECT count(*) BETWEEN 2 AND 1000 AS points, min(fpr), max(tpr) FROM ml_roc_curve('sold', 'flats');
SELECT abs(r.tpr - (SELECT count(*) FILTER (WHERE sold AND ml_predict_proba('sold', f) >= r.threshold)::float8 / count(*) FILTER (WHERE sold) FROM flats f WHERE part = 'test')) < 1e-12 AS point
FROM ml_roc_curve('sold') WITH ORDINALITY r(threshold, fpr, tpr, n) WHERE n = 5;

-- A single class among the judged rows: what is undefined is NULL, no error. A constant target likewise.
SELECT metric, value IS NULL AS undefined FROM ml_evaluate('sold', 'SELECT * FROM flats WHERE sold') WHERE metric IN ('auc', 'accuracy');
SELECT metric, value IS NULL AS undefined FROM ml_evaluate('price', 'SELECT size, rooms, side, 5.0 AS price FROM flats');
-- Rows without a label do not count; features may be missing.
SELECT sum(rows) FROM ml_confusion_matrix('sold', 'SELECT NULL::int AS size, rooms, side, CASE WHEN id > 10 THEN sold END AS sold FROM flats');

-- What is inside.
SELECT feature, importance > 0 AS used FROM ml_importance('price');
SELECT bool_and(i.feature IN ('size', 'rooms', 'side')) AS features, bool_and(importance = round(importance)) AS counts FROM ml_importance('price', 'split') i;
SELECT version FROM ml_train('linear_regression', 'SELECT size, rooms, side, 3 + 2 * size - rooms + CASE side WHEN ''south'' THEN 10 ELSE 0 END AS y FROM flats', 'y', model => 'exact', split => 'none');
SELECT class, term, round(estimate::numeric, 6) AS estimate FROM ml_coefficients('exact') ORDER BY term;
SELECT feature, type, encoding FROM ml_features('exact');

SELECT feature FROM ml_importance('exact');

-- Errors.
SELECT * FROM ml_evaluate('exact'); \echo :SQLSTATE
SELECT * FROM ml_confusion_matrix('price'); \echo :SQLSTATE
SELECT * FROM ml_roc_curve('price'); \echo :SQLSTATE
SELECT * FROM ml_roc_curve('class'); \echo :SQLSTATE
SELECT * FROM ml_importance('price', 'magic'); \echo :SQLSTATE
SELECT * FROM ml_importance('price', NULL); \echo :SQLSTATE
SELECT * FROM ml_coefficients('price'); \echo :SQLSTATE
SELECT * FROM ml_evaluate(NULL); \echo :SQLSTATE
SELECT * FROM ml_features(NULL); \echo :SQLSTATE
SELECT * FROM ml_evaluate('nothing'); \echo :SQLSTATE
SELECT * FROM ml_evaluate('price@9'); \echo :SQLSTATE
SELECT * FROM ml_evaluate('price', 'nowhere'); \echo :SQLSTATE
SELECT * FROM ml_evaluate('price', 'SELECT size, rooms, side FROM flats'); \echo :SQLSTATE
SELECT * FROM ml_evaluate('price', 'SELECT size, rooms, price FROM flats'); \echo :SQLSTATE
SELECT * FROM ml_evaluate('price', 'SELECT size, rooms, 7 AS side, price FROM flats'); \echo :SQLSTATE
SELECT * FROM ml_evaluate('price', 'SELECT * FROM flats WHERE false'); \echo :SQLSTATE
SELECT * FROM ml_evaluate('price', 'SELECT size, rooms, side, NULL::float8 AS price FROM flats'); \echo :SQLSTATE
SELECT * FROM ml_evaluate('class', 'SELECT size, rooms, side, ''other'' AS class FROM flats'); \echo :SQLSTATE
SELECT * FROM ml_evaluate('price', 'DELETE FROM flats RETURNING *'); \echo :SQLSTATE
SELECT count(*) FROM flats;

SELECT ml_drop('price'), ml_drop('sold'), ml_drop('class'), ml_drop('exact');
DROP FUNCTION differ;
DROP TABLE flats;
