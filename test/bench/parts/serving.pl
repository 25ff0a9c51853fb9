# Predictions: in a scan, in bulk, one by one, and the first of a connection.
use strict;
use warnings;
use Bench;
use Time::HiRes qw(time);

my @single = ('max_parallel_workers_per_gather = 0');
my @two = ('max_parallel_workers_per_gather = 2', 'parallel_setup_cost = 0');
my @names = map { "f$_" } 0 .. 27;
my $least = 300_000;

load_kind('served', 'higgs', 0, $rows);
sql(q{SELECT * FROM ml_train('gbdt', 'SELECT * FROM served WHERE id < 100000', 'y', model => 'served', exclude => '{id}', params => '{"num_iterations": 100, "num_leaves": 31}')});
sql(q{SELECT * FROM ml_train('logistic_regression', 'SELECT * FROM served WHERE id < 100000', 'y', model => 'served_linear', exclude => '{id}')});
sql(q{SELECT ml_create_function('served', 'served', 'served_pinned', kind => 'proba', pinned => true)});
sql(q{SELECT ml_create_function('served', 'served', 'served_columns', kind => 'columns_proba')});
my $trees = sql(q{SELECT max(iteration) FROM ml_training_history WHERE model = 'served'}) || 100;

# In a scan ---------------------------------------------------------------------------------

out("\n## Serving\nA table of " . group($rows) . " rows with 28 float8 columns; a gbdt of $trees trees with 31 leaves. "
  . "The time is that of the whole statement, the scan of the table included.\n\n| Statement | processes | rows/s | µs a row | bound | |\n|---|---|---|---|---|---|\n");
my $sum_of_names = join ' + ', @names;
my %speed;
for my $case (
	[ "the scan alone: `count(f0 + … + f27)`", "SELECT count($sum_of_names) FROM served", 1 ],
	[ '`sum(ml_predict(name, row))`', q{SELECT sum(ml_predict('served', s)) FROM served s}, 1, $least ],
	[ 'the same, parallel', q{SELECT sum(ml_predict('served', s)) FROM served s}, 2 ],
	[ '`sum(ml_predict_proba(name, row))`', q{SELECT sum(ml_predict_proba('served', s)) FROM served s}, 1, $least ],
	[ '`ml_predict_array(name, array)`', "SELECT sum(ml_predict_array('served', ARRAY[" . join(', ', @names) . '])) FROM served', 1 ],
	[ '`ml_predict_json(name, to_jsonb(row))`', q{SELECT sum(ml_predict_json('served', to_jsonb(s))) FROM served s WHERE id < 100000}, 1, undef, 100_000 ],
	[ 'a pinned function', 'SELECT sum(s.served_pinned) FROM served s', 1 ],
	[ '`ml_predict_proba`, logistic regression', q{SELECT sum(ml_predict_proba('served_linear', s)) FROM served s}, 1 ],
	[ '`sum(prediction)` of `ml_predict_batch`', q{SELECT sum(prediction) FROM ml_predict_batch('served', 'served')}, 1 ],
	[ 'the same, parallel', q{SELECT sum(prediction) FROM ml_predict_batch('served', 'served')}, 2, 2_500_000 ])
{
	my ($name, $statement, $processes, $bound, $count) = @$case;
	my $time = seconds($statement, $repeats, $processes > 1 ? @two : @single);
	my $rate = ($count // $rows) / $time;

	$speed{"$name $processes"} = $rate;
	out(sprintf "| %s | %d | %s | %.2f | %s | %s |\n", $name, $processes, group($rate), 1e6 / $rate, $bound ? '≥ ' . group($bound) : '',
		!$bound ? '' : $processes == 1 ? verdict($rate >= $bound) : bar('`SELECT sum(prediction) FROM ml_predict_batch(…)`, rows/s, 2 workers', $rate, '>=', $bound, \&group));
}
my $best = 0;					# rows a second of the fastest peer
for my $library (grep { $peers->{$_} } qw(lightgbm xgboost))
{
	my $rate = peer('predict', $library, write_float32('higgs', $rows, 0), 28, $rows, $repeats)->{rows_per_s};

	$best = $rate if $rate > $best;
	out(sprintf "| %s, rows in memory, one batch, one thread | 1 | %s | %.2f | | |\n", { lightgbm => 'LightGBM', xgboost => 'XGBoost' }->{$library}, group($rate), 1e6 / $rate);
}
bar("`SELECT sum(ml_predict(…))`, one process, against the fastest peer's one batch", $speed{'`sum(ml_predict(name, row))` 1'} / $best, '>=', 5, '%.1f') if $best;

# Stored -------------------------------------------------------------------------------------

my $stored = seconds([ q{CREATE TABLE stored AS SELECT * FROM ml_predict_batch('served', 'served', 'id')}, 'DROP TABLE stored' ], $repeats, @two);
my $copied = seconds([ 'CREATE TABLE stored AS SELECT id::text, f0, f1 FROM served', 'DROP TABLE stored' ], $repeats, @two);
out(sprintf "\n`CREATE TABLE s AS SELECT * FROM ml_predict_batch('m', 't', 'id')`: %.2f s; `CREATE TABLE s AS SELECT id::text, f0, f1 FROM t`: %.2f s; ratio %.2f, bound ≤ 1.5: %s.\n",
	$stored, $copied, $stored / $copied, bar('`CREATE TABLE … ml_predict_batch`, against a plain one', $stored / $copied, '<=', 1.5));

# One by one ---------------------------------------------------------------------------------

# A script of one statement with 28 random parameters.
sub script_of
{
	my ($name, $expression) = @_;
	my $file = "$scratch/$name.sql";

	open(my $out, '>', $file) or die "cannot write $file: $!\n";
	print $out "\\set x$_ random(0, 1000)\n" for 0 .. 27;
	print $out "SELECT $expression;\n";
	close $out;
	return $file;
}

sub transactions_per_second
{
	my ($file) = @_;
	my $text = `pgbench -n -M prepared -c 1 -T 2 -f $file 2>/dev/null`;

	return $text =~ /tps = ([0-9.]+)/ ? $1 : die "pgbench failed\n";
}

# Client and server share the processor with whatever else there is, and its speed varies by more than what is looked
# for: each run of one is compared with that of the other right beside it, and the median of the ratios counts.
my @parameters = map { ":x$_\::float8 / 1000" } 0 .. 27;
my @scripts = (script_of('plain', join(' + ', @parameters)), script_of('predicted', 'served_columns(' . join(', ', @parameters) . ')'));
my (@plain, @predicted, @ratios);
wait_for_idle();
for my $pair (1 .. 9)
{
	my @order = $pair % 2 ? (0, 1) : (1, 0);
	my @rate;

	$rate[$_] = transactions_per_second($scripts[$_]) for @order;
	push @plain, $rate[0];
	push @predicted, $rate[1];
	push @ratios, $rate[1] / $rate[0];
}
out(sprintf "\nOne row with 28 parameters through a prepared statement (pgbench, 1 client, unix socket, medians of 9 pairs): %s predictions a second; their sum instead: %s; ratio %.2f, bound ≥ 0.9: %s.\n",
	group(median(@predicted)), group(median(@plain)), median(@ratios), bar('one row through a prepared statement, rate against a sum of the same inputs', median(@ratios), '>=', 0.9));

my $calls = 200_000;
my $time = seconds("DO \$\$ BEGIN FOR i IN 1 .. $calls LOOP PERFORM ml_predict_array('served', ARRAY[" . join(', ', map { $_ / 29 } 1 .. 28) . "]); END LOOP; END \$\$", $repeats);
out(sprintf "\nOne `PERFORM ml_predict_array` in a PL/pgSQL loop: %.2f µs.\n", 1e6 * $time / $calls);

# The first of a connection ------------------------------------------------------------------

wait_for_idle();
out(sprintf "\n100 connections, one after another, the first prediction of each, which loads library and model: median %.2f ms, bound ≤ 2: %s.\n", first_predictions());
restart_with("shared_preload_libraries = 'mlplat'");
wait_for_idle();
out(sprintf "Where the server has preloaded the library, and the model lies in shared memory: median %.2f ms, bound ≤ 2: %s.\n", first_predictions(', preloaded'));
sql('DROP FUNCTION served_columns, served_pinned');
sql('DROP TABLE served');

# Milliseconds, and the verdict.
sub first_predictions
{
	my ($how) = @_;
	my $time = 1000 * median(map { first_time() } 1 .. 100);

	return ($time, bar('first prediction of a connection, median of 100, ms' . ($how // ''), $time, '<=', 2));
}

# Seconds of a first prediction in a session that has run one other statement.
sub first_time
{
	my $array = join ', ', map { $_ / 29 } 1 .. 28;
	my $text = `psql -X -A -t -q -c 'SELECT 1' -c '\\timing on' -c "SELECT ml_predict_array('served', ARRAY[$array])"`;
	return $text =~ /^Time: ([0-9.]+) ms/m ? $1 / 1000 : die "no time\n";
}
1;
