# From a table to a deployed gbdt model, against binning and boosting of XGBoost with the rows in its memory.
use strict;
use warnings;
use Bench;

my $test_rows = 200_000;
my %loaded;
my @differences;			# in AUC from XGBoost on sets of rows like higgs

sub train_sql
{
	my ($table, $leaves) = @_;
	return "SELECT * FROM ml_train('gbdt', '$table', 'y', model => '${table}_$leaves', exclude => '{id}', split => 'none', deploy => 'always',
		params => '{\"num_iterations\": 100, \"num_leaves\": $leaves, \"learning_rate\": 0.1}')";
}

sub prepare
{
	my ($kind, $count, $first) = (@_, 0);
	my $table = "${kind}_$count" . ($first ? "_$first" : '');

	return $table if $loaded{$table}++;
	load_kind($table, $kind, $first, $count);
	load_kind("${table}_test", $kind, $first + $count, $test_rows);
	return $table;
}

# One statement of training after the other; seconds of the whole, of reading and of all else.
sub measure
{
	my ($table, $leaves) = @_;
	my $time = seconds(train_sql($table, $leaves), $repeats);
	my $read = sql("SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY read_seconds) FROM ml_versions WHERE model = '${table}_$leaves'");
	my $work = sql("SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY train_seconds) FROM ml_versions WHERE model = '${table}_$leaves'");
	return ($time, $read, $work);
}

sub quality_of
{
	my ($table, $leaves, $metric) = @_;
	return sql("SELECT value FROM ml_evaluate('${table}_$leaves', '${table}_test') WHERE metric = '$metric'");
}

# The same on other rows, where only quality counts: our AUC minus XGBoost's.
sub difference_on_rows_from
{
	my ($first) = @_;
	my $table = prepare('higgs', $rows, $first);
	sql(train_sql($table, 31));
	my $quality = quality_of($table, 31, 'auc');
	sql("DROP TABLE $table, ${table}_test");
	my $file = write_float32('higgs', $rows, $test_rows, $first);
	my $answer = peer('gbdt', $file, 28, $rows, 'classification', 31, 0, 1, $threads);
	unlink $file;
	return $quality - $answer->{score};
}

out("\n## From a table to a deployed model\n`ml_train('gbdt', …)` of 100 trees, all of the table, judging on it and storing included; XGBoost (hist, lossguide, 255 bins, the same parameters): "
  . "binning (QuantileDMatrix) and boosting of the same rows that lie in its memory as float32. $threads threads each; quality on " . group($test_rows) . " other rows; "
  . "memory: private and dynamic shared memory of the server's processes at its peak, of XGBoost's whole process.\n\n"
  . "| Data | leaves | mlplat s | reading | the rest | quality | MB | XGBoost s | binning | boosting | quality | MB | ratio | bound | |\n"
  . "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n");
my %time;
for my $case (
	[ 'higgs', $rows / 10, 31 ], [ 'higgs', $rows, 31, 0.5 ], [ 'higgs', $rows, 255, 0.6 ], [ 'reg', $rows, 31, 0.5 ], [ 'flights', $rows, 31, 0.6 ], [ 'higgs', 3 * $rows, 31 ])
{
	my ($kind, $count, $leaves, $bound) = @$case;
	my $table = prepare($kind, $count);
	my $metric = $kind eq 'reg' ? 'rmse' : 'auc';
	my ($whole, $read, $work) = measure($table, $leaves);
	my $memory = with_peak_memory(sub { sql(train_sql($table, $leaves)) });
	my $quality = quality_of($table, $leaves, $metric);
	my $name = "$kind " . group($count);
	my @columns = ($name, $leaves, sprintf('%.2f', $whole), sprintf('%.2f', $read), sprintf('%.2f', $work), sprintf('%s %.5f', $metric, $quality), sprintf('%.0f', $memory / 1e6));

	$time{"$kind $count $leaves"} = $whole;
	if ($peers->{xgboost} && $count <= $rows)
	{
		my $task = $kind eq 'reg' ? 'regression' : 'classification';
		my $width = { higgs => 28, reg => 20, flights => 8 }->{$kind};
		my $answer = peer('gbdt', write_float32($kind, $count, $test_rows), $width, $count, $task, $leaves, $kind eq 'flights' ? 4 : 0, $repeats, $threads);
		my $ratio = $whole / $answer->{seconds};

		push @columns, sprintf('%.2f', $answer->{seconds}), sprintf('%.2f', $answer->{bin}), sprintf('%.2f', $answer->{boost}),
		  sprintf('%.5f', $answer->{score}), sprintf('%.0f', $answer->{memory} / 1e6);
		push @columns, sprintf('%.2f', $ratio), $bound ? ("≤ $bound", bar("table to deployed gbdt, $name rows, 100 trees of $leaves leaves, against XGBoost's binning and boosting", $ratio, '<=', $bound)) : ('', '');
		if ($kind eq 'higgs' && $leaves == 31 && $bound)
		{
			push @differences, $quality - $answer->{score};
		}
		elsif ($bound && $metric eq 'auc')
		{
			bar("its AUC, $name, $leaves leaves, against XGBoost's", $quality - $answer->{score}, '>=', -0.002, '%+.5f');
		}
		elsif ($bound)
		{
			bar("its RMSE, $name, $leaves leaves, over XGBoost's", $quality / $answer->{score}, '<=', 1.005, '%.4f');
		}
	}
	else
	{
		push @columns, $count > $rows ? 'not run' : 'xgboost is absent', ('') x 7;
	}
	out('| ' . join(' | ', @columns) . " |\n");
	bar("peak memory of training, higgs " . group($count) . ", against the float32 matrix", $memory / (4 * 28 * $count), '<=', 1.5) if $kind eq 'higgs' && $count == $rows && $leaves == 31;
}
my $growth = $time{ "higgs " . 3 * $rows . " 31" } / $time{"higgs $rows 31"};
out("\nThree times the rows take " . sprintf('%.2f', $growth) . " times as long: " . bar('three times the rows, time', $growth, '<=', 3.2) . ".\n");
if (@differences)
{
	# Which of nearly equal conditions a tree takes first moves the AUC of either side by about 0.002.
	push @differences, map { difference_on_rows_from(2 * $_ * $rows) } 1 .. 4;
	my $mean = 0;
	$mean += $_ / @differences for @differences;
	out("\nAUC of higgs " . group($rows) . ", 31 leaves, minus XGBoost's, on " . @differences . " sets of rows: " . join(', ', map { sprintf('%+.4f', $_) } @differences) . "; mean "
		  . sprintf('%+.4f', $mean) . ', bound ≥ -0.002: ' . bar("AUC minus XGBoost's, higgs " . group($rows) . ', 31 leaves, mean of ' . @differences . ' sets of rows', $mean, '>=', -0.002, '%+.5f') . ".\n");
}
1;
