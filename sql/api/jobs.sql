-- Runs: watched, awaited, stopped.
CREATE FUNCTION ml_wait(job bigint, timeout interval DEFAULT NULL) RETURNS text
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE COST 10000
AS 'MODULE_PATHNAME', 'ml_wait';
COMMENT ON FUNCTION ml_wait(bigint, interval) IS
'waits until a job has ended, or for the given time, and returns its state';
GRANT EXECUTE ON FUNCTION ml_wait(bigint, interval) TO PUBLIC;

CREATE FUNCTION ml_cancel(job bigint) RETURNS boolean
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 10000
AS 'MODULE_PATHNAME', 'ml_cancel';
COMMENT ON FUNCTION ml_cancel(bigint) IS
'stops a job that is queued or running; false when it had ended already';
GRANT EXECUTE ON FUNCTION ml_cancel(bigint) TO PUBLIC;

/* Shows the progress of the current role's own runs, or of all to a member of pg_read_all_stats. */
CREATE FUNCTION mlplat._job_progress(OUT job bigint, OUT phase text, OUT progress float8, OUT seconds_left float8,
	OUT rows bigint, OUT iteration bigint, OUT train_loss float8, OUT validation_loss float8, OUT peak_memory bigint, OUT message text)
RETURNS SETOF record
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED ROWS 10
AS 'MODULE_PATHNAME', 'mlplat_job_progress';
COMMENT ON FUNCTION mlplat._job_progress() IS 'how far the running jobs of this database are, for the views';
GRANT EXECUTE ON FUNCTION mlplat._job_progress() TO PUBLIC;

CREATE FUNCTION mlplat._job_state(job bigint, asynchronous boolean, started_at timestamptz, attempts int, origin bigint) RETURNS text
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'mlplat_job_state';
COMMENT ON FUNCTION mlplat._job_state(bigint, boolean, timestamptz, int, bigint) IS 'queued, running or interrupted: the state of a job without an end, for the views';
GRANT EXECUTE ON FUNCTION mlplat._job_state(bigint, boolean, timestamptz, int, bigint) TO PUBLIC;

CREATE FUNCTION mlplat._job_visible(owner text, model text, queued_at timestamptz) RETURNS boolean
LANGUAGE C STABLE STRICT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'mlplat_job_visible';
COMMENT ON FUNCTION mlplat._job_visible(text, text, timestamptz) IS 'whether the current role may see a job of this owner on this model, for the views';
GRANT EXECUTE ON FUNCTION mlplat._job_visible(text, text, timestamptz) TO PUBLIC;

CREATE VIEW ml_jobs WITH (security_barrier) AS
SELECT r.job, r.model, r.version, r.state,
	CASE WHEN r.finished_at IS NOT NULL THEN r.phase WHEN r.state OPERATOR(pg_catalog.=) 'running' THEN COALESCE(p.phase, 'start') END AS phase,
	CASE WHEN r.state OPERATOR(pg_catalog.=) 'succeeded' THEN 1 WHEN r.state OPERATOR(pg_catalog.=) 'running' THEN p.progress END AS progress,
	CASE WHEN r.state OPERATOR(pg_catalog.=) 'running' THEN pg_catalog.make_interval(secs => p.seconds_left) END AS eta,
	r.queued_at,
	r.started_at,
	r.finished_at,
	EXTRACT(epoch FROM COALESCE(r.finished_at, CASE WHEN r.state OPERATOR(pg_catalog.=) 'running' THEN pg_catalog.clock_timestamp() END)
		OPERATOR(pg_catalog.-) r.started_at)::pg_catalog.float8 AS seconds,
	COALESCE(r.peak_memory, p.peak_memory) AS peak_memory,
	r.sqlstate,
	COALESCE(r.message, p.message) AS message,
	r.owner
FROM (
	SELECT COALESCE(e.job, j.job) AS job, COALESCE(e.model, j.model) AS model, e.version,
		COALESCE(e.state, mlplat._job_state(j.job, j.asynchronous, j.started_at, j.attempts, j.origin)) AS state,
		e.phase, COALESCE(j.queued_at, e.started_at) AS queued_at, COALESCE(e.started_at, j.started_at) AS started_at, e.finished_at,
		e.peak_memory, e.sqlstate, e.message, COALESCE(e.owner, j.owner) AS owner
	FROM mlplat.job j FULL JOIN mlplat.job_end e ON e.job OPERATOR(pg_catalog.=) j.job
	-- What came to be a version belongs to its model; what failed may be of an earlier model of the name, with errors that are nobody else's business.
	WHERE mlplat._job_visible(COALESCE(e.owner, j.owner), COALESCE(e.model, j.model),
		CASE WHEN e.state OPERATOR(pg_catalog.=) 'succeeded' THEN 'infinity' ELSE COALESCE(j.queued_at, e.started_at, '-infinity') END)
) r LEFT JOIN mlplat._job_progress() p ON p.job OPERATOR(pg_catalog.=) r.job AND r.finished_at IS NULL;
COMMENT ON VIEW ml_jobs IS 'training runs: queued, running and ended; one''s own and those on models one may read';
COMMENT ON COLUMN ml_jobs.job IS 'number of the run';
COMMENT ON COLUMN ml_jobs.model IS 'model that is trained';
COMMENT ON COLUMN ml_jobs.version IS 'version that came out';
COMMENT ON COLUMN ml_jobs.state IS 'queued, running, succeeded, failed, cancelled or interrupted';
COMMENT ON COLUMN ml_jobs.phase IS 'what it is doing, or was doing when it ended';
COMMENT ON COLUMN ml_jobs.queued_at IS 'when it was asked for';
COMMENT ON COLUMN ml_jobs.started_at IS 'when it began';
COMMENT ON COLUMN ml_jobs.finished_at IS 'when it ended';
COMMENT ON COLUMN ml_jobs.seconds IS 'how long it took, or has been running';
COMMENT ON COLUMN ml_jobs.sqlstate IS 'SQLSTATE of its error';
COMMENT ON COLUMN ml_jobs.owner IS 'role that asked for it';
COMMENT ON COLUMN ml_jobs.progress IS 'share done, 0 to 1';
COMMENT ON COLUMN ml_jobs.eta IS 'estimated time left';
COMMENT ON COLUMN ml_jobs.peak_memory IS 'bytes';
COMMENT ON COLUMN ml_jobs.message IS 'of a running job: rows read, iteration and losses; else what the error said';
GRANT SELECT ON ml_jobs TO PUBLIC;

-- In a subselect, for the planner flattens a view that is itself a UNION ALL, barrier or not: a user's function in WHERE would
-- be asked about every row before the privilege is.
CREATE VIEW ml_training_history WITH (security_barrier) AS
SELECT a.model, a.version, a.iteration, a.split, a.metric, a.value
FROM (
	SELECT m.name AS model, v.version, h.iteration, h.split, h.metric, h.value
	FROM mlplat.history h
		JOIN mlplat.version v ON v.version_id OPERATOR(pg_catalog.=) h.version_id
		JOIN mlplat.model m ON m.model_id OPERATOR(pg_catalog.=) v.model_id
	WHERE mlplat._privilege(m.model_id) OPERATOR(pg_catalog.>=) 2
	UNION ALL
	SELECT r.model, NULL::pg_catalog.int4, r.iteration::pg_catalog.int4, r.split, 'loss', r.value
	FROM (
		SELECT j.model, p.iteration, l.split, l.value
		FROM mlplat.job j
			JOIN mlplat._job_progress() p ON p.job OPERATOR(pg_catalog.=) j.job
			CROSS JOIN LATERAL (VALUES ('train', p.train_loss), ('validation', p.validation_loss)) AS l (split, value)
		WHERE p.iteration OPERATOR(pg_catalog.>) 0 AND l.value IS NOT NULL
			AND mlplat._job_visible(j.owner, j.model, j.queued_at)
	) r
) a;
COMMENT ON VIEW ml_training_history IS 'losses by iteration: of each version one may read, and the newest iteration of each run under way (its version is null)';
COMMENT ON COLUMN ml_training_history.model IS 'model';
COMMENT ON COLUMN ml_training_history.version IS 'version; NULL for a run under way';
COMMENT ON COLUMN ml_training_history.iteration IS 'iteration, from 1';
COMMENT ON COLUMN ml_training_history.split IS 'train or validation';
COMMENT ON COLUMN ml_training_history.metric IS 'what is measured';
COMMENT ON COLUMN ml_training_history.value IS 'its value';
GRANT SELECT ON ml_training_history TO PUBLIC;
