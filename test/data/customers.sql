-- A table of customers who stay or leave: text, boolean, dates, numeric and NULLs, and a target with a signal that can be learnt.
--   customer_rows   how many (default 200000; 0 for none)
--
-- Each customer's properties come from the 32 bytes of two MD5 sums of the id, taken as 16 uniform numbers in (0, 1): the same table
-- on every machine and for every number of rows.  Whether a customer churned follows a known probability with effects that are
-- linear (tenure), stepwise (support calls), missing for a reason (satisfaction) and joint (a yearly contract protects less in the first year),
-- so a linear model learns much of it and trees learn more.  Ranking by the true probability has an AUC of 0.84, the best any model can reach.
\if :{?customer_rows}
\else
\set customer_rows 200000
\endif

CREATE TABLE customers (
	id bigint PRIMARY KEY,
	email text NOT NULL,
	country text NOT NULL,
	plan text NOT NULL,
	contract text NOT NULL,
	payment_method text,				-- 4 % unknown
	business boolean NOT NULL,
	paperless boolean,					-- 5 % unknown
	birth_date date,					-- 15 % unknown, and all businesses
	signup_date date NOT NULL,
	last_login timestamptz,				-- never logged in: NULL
	tenure_months int NOT NULL,
	monthly_charge numeric(8,2) NOT NULL,
	total_charge numeric(10,2),			-- NULL in the first month
	support_calls int NOT NULL,
	satisfaction int,					-- 1 to 5; most did not answer
	churned boolean NOT NULL
);

-- MATERIALIZED, for an inlined expression would be computed at each of its many uses.
INSERT INTO customers
WITH drawn AS MATERIALIZED (
	SELECT id, decode(md5('customer ' || id) || md5('churn ' || id), 'hex') AS b
	FROM generate_series(1, :customer_rows) id
), uniform AS MATERIALIZED (
	SELECT id, ARRAY(SELECT (get_byte(b, 2 * k) * 256 + get_byte(b, 2 * k + 1) + 0.5::float8) / 65536 FROM generate_series(0, 15) k) AS u
	FROM drawn
), basic AS MATERIALIZED (
	SELECT id, u,
		(ARRAY['DE','DE','DE','FR','FR','GB','GB','US','US','US','US','ES','IT','NL','PL','SE','AT','CH','PT','NZ'])[1 + floor(20 * u[1])] AS country,
		(CASE WHEN u[2] < 0.45 THEN 'basic' WHEN u[2] < 0.80 THEN 'standard' WHEN u[2] < 0.97 THEN 'premium' ELSE 'enterprise' END) AS plan,
		(CASE WHEN u[3] < 0.55 THEN 'monthly' WHEN u[3] < 0.82 THEN 'one year' ELSE 'two years' END) AS contract,
		u[4] < 0.18 AS business,
		floor(72 * u[5] * u[5])::int AS tenure,
		floor(6 * u[6] * u[6] * u[6] + 2 * u[7])::int AS calls,
		(CASE WHEN u[8] < 0.35 THEN 1 + floor(5 * sqrt(u[8] / 0.35))::int END) AS satisfaction
	FROM uniform
), priced AS MATERIALIZED (
	SELECT *,
		round(((CASE plan WHEN 'basic' THEN 19 WHEN 'standard' THEN 39 WHEN 'premium' THEN 79 ELSE 249 END)
			   * (CASE contract WHEN 'monthly' THEN 1.0 WHEN 'one year' THEN 0.9 ELSE 0.8 END) * (0.8 + 0.4 * u[9]))::numeric, 2) AS charge,
		-- how long since the last login: most a few days, some for months
		floor(3 / (0.02 + u[10]))::int AS quiet_days
	FROM basic
), scored AS (
	SELECT *,
		-2.05
		+ (CASE contract WHEN 'monthly' THEN 0.9 WHEN 'one year' THEN (CASE WHEN tenure < 12 THEN 0.2 ELSE -0.9 END) ELSE -1.7 END)
		- 0.030 * least(tenure, 48)
		+ (CASE WHEN calls >= 4 THEN 1.8 WHEN calls >= 2 THEN 0.5 ELSE 0 END)
		+ (CASE WHEN satisfaction <= 2 THEN 1.6 WHEN satisfaction >= 4 THEN -0.9 WHEN satisfaction IS NULL THEN 0.3 ELSE 0 END)
		+ (CASE WHEN quiet_days > 40 THEN 1.9 WHEN quiet_days > 14 THEN 0.8 ELSE 0 END)
		+ (CASE WHEN plan = 'premium' AND NOT business THEN 0.9 WHEN plan = 'enterprise' THEN -0.8 ELSE 0 END)
		+ (CASE WHEN country IN ('NZ', 'CH') THEN 0.5 WHEN country = 'DE' THEN -0.3 ELSE 0 END)
		+ (CASE WHEN u[11] < 0.25 AND tenure < 6 THEN 1.0 ELSE 0 END) AS logit
	FROM priced
)
SELECT id,
	'customer' || id || '@example.' || lower(country),
	country, plan, contract,
	(CASE WHEN u[11] < 0.25 THEN 'invoice' WHEN u[11] < 0.60 THEN 'card' WHEN u[11] < 0.96 THEN 'debit' END),
	business,
	(CASE WHEN u[12] >= 0.05 THEN u[12] < 0.65 END),
	(CASE WHEN NOT business AND u[13] >= 0.15 THEN date '1940-01-01' + floor(23000 * (u[13] - 0.15) / 0.85)::int END),
	date '2024-12-31' - (tenure * 30.44 + 30 * u[14])::int,
	(CASE WHEN quiet_days < 100 THEN timestamptz '2024-12-31 23:59:59+00' - quiet_days * interval '24 hours' - u[14] * interval '24 hours' END),
	tenure, charge,
	(CASE WHEN tenure > 0 THEN round(charge * tenure * (0.95 + 0.1 * u[15])::numeric, 2) END),
	calls, satisfaction,
	u[16] < 1 / (1 + exp(-logit))
FROM scored;
