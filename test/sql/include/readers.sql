-- For tests that compare ways of reading: included by them, in their own schema.

-- SQLSTATE, message and context of a training run, or the model and what it says of itself.
CREATE FUNCTION outcome(algorithm text, source text, more text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	message text;
	context text;
	answer text;
	name text = 'm_' || current_user;
	params text = CASE algorithm WHEN 'gbdt' THEN '{"num_iterations": 3}' WHEN 'sampled' THEN '{"num_iterations": 3, "bin_construct_sample_cnt": 1000}' ELSE '{}' END;
BEGIN
	EXECUTE format('SELECT row(rows, features, score, warnings) FROM ml_train(%L, %L, ''y'', %L, params => %L %s)', replace(algorithm, 'sampled', 'gbdt'), source, name, params, more) INTO answer;
	SELECT concat_ws(' ', answer, checksum, data_hash) INTO answer FROM ml_versions WHERE model = name ORDER BY version DESC LIMIT 1;
	RETURN answer;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, context = PG_EXCEPTION_CONTEXT;
	RETURN concat_ws(' | ', SQLSTATE, message, substring(context from 'row \d+ of the source'));
END $$;

-- The outcome of a table, or a query, with one thread, with several, with several that do not all read, in a process of its own, and by
-- the executor, which runs whatever has a LIMIT.
CREATE FUNCTION compare(algorithm text, source text, more text DEFAULT '') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	by_executor text = CASE WHEN source ~* '^(select|with|table|values)' THEN source ELSE 'SELECT * FROM ' || source END || ' LIMIT 1000000000';
	all_of text[];
BEGIN
	SET LOCAL mlplat.execution = 'foreground';
	SET LOCAL mlplat.threads = 1;
	all_of = ARRAY[outcome(algorithm, source, more)];
	SET LOCAL mlplat.threads = 2;
	all_of = all_of || outcome(algorithm, source, more);
	SET LOCAL mlplat.threads = 4;
	FOR workers IN REVERSE 3..0 BY 1 LOOP
		CONTINUE WHEN workers = 2;
		PERFORM set_config('mlplat.parallel_workers', workers::text, true);
		all_of = all_of || outcome(algorithm, source, more);
	END LOOP;
	SET LOCAL mlplat.parallel_workers = 3;
	SET LOCAL mlplat.execution = 'auto';
	all_of = all_of || outcome(algorithm, source, more);
	all_of = all_of || outcome(algorithm, by_executor, more);
	IF (SELECT count(DISTINCT o) FROM unnest(all_of) o) > 1 THEN
		RETURN array_to_string(all_of, E'\n');
	ELSIF all_of[1] LIKE '(%' THEN
		RETURN 'the same model from ' || substring(all_of[1] from '\d+') || ' rows';
	END IF;
	RETURN all_of[1];
END $$;
