# Every method on data that nobody wants to train on: it trains and says nothing but numbers, or it is refused with a reason and a way out.
# Methods come from ml_algorithms(), so a new line in methods.def is tested here by itself.
use strict;
use warnings;
use MlplatNode;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = MlplatNode::start('degenerate', conf => 'mlplat.execution = foreground');

# Features a, b, g; targets y of a regression and k of a classification.  What is not said is as in "plain".
my %plain = (rows => 80, a => 'sin(i)', b => 'i * 7 % 13', g => "'x' || i % 3", y => 'i % 17 + 0.5', k => "'k' || i % 2");
my @tables = (
	[ empty => { rows => 0 } ],
	[ one_row => { rows => 1 } ],
	[ two_rows => { rows => 2, k => "'k' || i" } ],
	[ five_rows => { rows => 5 } ],
	[ constant_column => { a => '7' } ],
	[ constant_features => { a => '7', b => '3', g => "'x'" } ],
	[ constant_target => { y => '4', k => "'k'" } ],
	[ zero_target => { y => '0' } ],
	[ rare_class => { y => '(i = 7)::int', k => "'k' || (i = 7)::int" } ],
	[ many_classes => { rows => 120, y => 'i', k => "'k' || i / 2" } ],
	[ null_target => { y => 'NULL::float8', k => 'NULL::text' } ],
	[ null_column => { a => 'NULL::float8' } ],
	[ null_features => { a => 'NULL::float8', b => 'NULL::int', g => 'NULL::text' } ],
	[ mostly_null => { a => 'CASE WHEN i % 10 = 0 THEN sin(i) END', b => 'CASE WHEN i % 11 = 0 THEN i END', g => "CASE WHEN i % 9 = 0 THEN 'x' || i % 3 END" } ],
	[ nan => { a => "CASE WHEN i % 3 = 0 THEN 'NaN' ELSE sin(i) END" } ],
	[ infinite => { a => "CASE WHEN i % 3 = 0 THEN '-Infinity' ELSE sin(i) END" } ],
	[ identical_rows => { a => '1.5', b => '2', g => "'x'", y => '5' } ],
	[ duplicated_rows => { rows => 140, a => 'sin(i % 7)', b => 'i % 7', g => "'x' || i % 7 % 3", y => 'i % 7', k => "'k' || i % 7 % 2" } ],
	[ collinear => { a => 'sin(i)', b => '2 * sin(i)', g => 'i % 2 = 0', y => '3 * sin(i)' } ],
	[ wide => { rows => 14, a => join(', ', map { "sin(i * $_.7) AS c$_" } 1 .. 60) . ', 0' } ],
	[ many_categories => { rows => 10500, g => "'c' || i % 10000" } ],
	[ huge => { a => 'CASE i % 4 WHEN 0 THEN 1e300 WHEN 1 THEN -1e300 WHEN 2 THEN 1e-310 ELSE sin(i) END', b => 'sin(i) * 1e200' } ],
	[ largest => { a => 'CASE WHEN i % 2 = 0 THEN 1.7e308 ELSE -1.7e308 END', b => 'CASE WHEN i % 3 = 0 THEN 1.7e308 ELSE 0 END' } ],
	[ huge_target => { y => '(i % 5 - 2) * 1e300' } ],
	[ denormal => { a => '1e-310 * i', b => '-1e-320 * i', y => '1e-310 * i' } ],
	[ shifted => { a => '1e15 + sin(i)', b => '1e12 + i % 7 * 1e-3', y => '1e12 + sin(i)' } ],
	[ big_integers => { a => '9223372036854775807 - i', b => '-9223372036854775807 + i * 1000', y => '9007199254740993 + i' } ]);

$node->safe_psql('postgres', 'CREATE SCHEMA odd; ' . join('', map { table_of(@$_) } @tables));

# What is known of a model: each name with the SQL that counts the numbers in it that are none.
# (Probabilities of a row add up to 1; metrics and statistics that are undefined are NULL.)
$node->safe_psql('postgres', <<'SQL');
	CREATE FUNCTION no_numbers(query text) RETURNS bigint LANGUAGE plpgsql AS $$
	DECLARE n bigint;
	BEGIN
		EXECUTE format('SELECT count(*) FROM (%s) s WHERE s::text ~* ''[,(\[{" ]-?(nan|infinity)\M''', query) INTO n;
		RETURN n;
	EXCEPTION WHEN feature_not_supported THEN
		RETURN 0;		-- the method has none
	END $$;
	CREATE FUNCTION walk(algorithm text, task text, tables text[]) RETURNS TABLE (data text, outcome text) LANGUAGE plpgsql AS $$
	DECLARE
		target text := CASE task WHEN 'regression' THEN 'y' WHEN 'classification' THEN 'k' END;
		answer text := CASE task WHEN 'regression' THEN 'ml_predict(''odd'', t)' WHEN 'classification' THEN 'ml_predict_class(''odd'', t), ml_predict_probs(''odd'', t)'
			WHEN 'dimension_reduction' THEN 'ml_reduce(''odd'', t)' ELSE 'ml_predict(''odd'', t), ml_predict_class(''odd'', t)' END;
		few text;		-- of the rows
		query text;
		state text; message text; detail text; hint text;
		n bigint;
	BEGIN
		FOREACH data IN ARRAY tables LOOP
			outcome := '';
			few := format('(SELECT * FROM odd.%I WHERE id <= 200)', data);
			BEGIN
				PERFORM ml_train(algorithm, 'odd.' || data, target, model => 'odd', id => 'id',
					exclude => CASE target WHEN 'y' THEN '{k}' WHEN 'k' THEN '{y}' ELSE '{y,k}' END::text[], params => jsonb_build_object('task', task));
				EXECUTE format('SELECT count(*) FROM %s t, LATERAL (SELECT %s) answer WHERE NOT answer IS NOT NULL', few, answer) INTO n;
				IF n > 0 THEN
					outcome := n || ' rows without an answer';
				END IF;
				IF task = 'classification' THEN
					EXECUTE format('SELECT count(*) FROM %s t WHERE abs((SELECT sum(value::float8) FROM jsonb_each_text(ml_predict_probs(''odd'', t))) - 1) < 1e-9 IS NOT TRUE', few) INTO n;
					IF n > 0 THEN
						outcome := outcome || n || ' rows whose probabilities do not add up';
					END IF;
				END IF;
				FOREACH query IN ARRAY ARRAY[
					format('SELECT %s FROM %s t', answer, few), format('SELECT * FROM ml_evaluate(''odd'', ''odd.%I'')', data),
					'SELECT value FROM ml_metrics WHERE model = ''odd''', 'SELECT score FROM ml_versions WHERE model = ''odd''',
					'SELECT estimate, std_error, statistic, p_value FROM ml_coefficients(''odd'')', 'SELECT * FROM ml_coefficient_intervals(''odd'')',
					'SELECT * FROM ml_model_statistics(''odd'')', 'SELECT importance FROM ml_importance(''odd'')', 'SELECT value, rows, share FROM ml_rules(''odd'')',
					format('SELECT e.contribution FROM (SELECT * FROM odd.%I LIMIT 2) t, ml_explain(''odd'', t) e', data)]
				LOOP
					BEGIN
						n := no_numbers(query);
						IF n > 0 THEN
							outcome := outcome || n || ' rows that are no numbers: ' || query || '; ';
						END IF;
					EXCEPTION WHEN invalid_parameter_value THEN
						IF query !~ 'ml_rules' THEN		-- of a model without a tree
							RAISE;
						END IF;
					END;
				END LOOP;
				PERFORM ml_drop('odd');
			EXCEPTION WHEN OTHERS THEN
				GET STACKED DIAGNOSTICS state := RETURNED_SQLSTATE, message := MESSAGE_TEXT, detail := PG_EXCEPTION_DETAIL, hint := PG_EXCEPTION_HINT;
				-- What the data do not allow; anything else is a fault of ours.
				IF state NOT IN ('22000', '22003') THEN
					outcome := 'SQLSTATE ' || state;
				ELSIF coalesce(hint, '') = '' THEN
					outcome := 'no hint';
				ELSIF message || detail ~ 'damaged|read back' THEN
					outcome := 'no reason';
				END IF;
				outcome := CASE WHEN outcome = '' THEN 'refused' ELSE concat_ws(': ', outcome, message, detail, hint) END;
			END;
			RETURN NEXT;
		END LOOP;
	END $$;
SQL

my @cells = map { [ split /\|/ ] } split /\n/, $node->safe_psql('postgres', 'SELECT algorithm, unnest(tasks) FROM ml_algorithms()');
cmp_ok(scalar @cells, '>=', 32, 'there are methods');
# What has to be refused, whoever is asked.
my %refused = map { $_ => 1 } qw(empty one_row constant_features null_features infinite identical_rows);

for my $cell (@cells)
{
	my ($algorithm, $task) = @$cell;
	my ($out, $error) = ('', '');
	my $status = $node->psql('postgres', "SET statement_timeout = '60s'; SET client_min_messages = warning; SELECT * FROM walk('$algorithm', '$task', '{" . join(',', map { $_->[0] } @tables) . "}')",
		stdout => \$out, stderr => \$error);
	my %seen = map { split(/\|/, $_, 2) } split(/\n/, $out);
	my $supervised = $task eq 'regression' || $task eq 'classification';

	is($status, 0, "$algorithm, $task: walked") or diag($error);
	for my $table (map { $_->[0] } @tables)
	{
		my $must = $refused{$table} || ($supervised && $table eq 'null_target') || ($task eq 'classification' && $table eq 'constant_target');
		my $outcome = $seen{$table} // 'not reached';
		ok($must ? $outcome eq 'refused' : $outcome eq '' || $outcome eq 'refused', "$algorithm, $task: $table") or diag($outcome);
	}
	# Most of it can be learnt from.
	cmp_ok(scalar(grep { $_ eq '' } values %seen), '>=', @tables / 2, "$algorithm, $task: most tables train");
}
is($node->safe_psql('postgres', "SELECT count(*) FROM ml_models"), '0', 'nothing is left');
$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal|TRAP|XX000/, 'no crash in the log');
done_testing();

sub table_of
{
	my ($name, $differing) = @_;
	my %column = (%plain, %$differing);

	return "CREATE TABLE odd.$name AS SELECT i AS id, "
	  . join(', ', map { "$column{$_} AS $_" } qw(a b g y k)) . " FROM generate_series(1, $column{rows}) i;\n";
}
