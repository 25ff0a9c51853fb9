# From a table to a deployed gbdt model, against binning and boosting of LightGBM and XGBoost with the rows in their memory.
use strict;
use warnings;
use Bench;
use List::Util qw(max min);

my $test_rows = 200_000;
my %name_of = (lightgbm => 'LightGBM', xgboost => 'XGBoost');
my %loaded;
my @differences;			# in AUC from the better peer on sets of rows like higgs

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

# What each peer that is here makes of the same rows, LightGBM first.
sub answers_of_peers
{
	my ($kind, $count, $leaves, $times, $first) = @_;
	my $width = { higgs => 28, reg => 20, flights => 8 }->{$kind};
	my $file = write_float32($kind, $count, $test_rows, $first);

	return map {
		my $answer = peer('gbdt', $_, $file, $width, $count, $kind eq 'reg' ? 'regression' : 'classification', $leaves, $kind eq 'flights' ? 4 : 0, $times, $threads);
		$answer->{name} = $name_of{$_};
		$answer;
	} grep { $peers->{$_} } qw(lightgbm xgboost);
}

# The same on other rows, where only quality counts: our AUC minus the better peer's.
sub difference_on_rows_from
{
	my ($first) = @_;
	my $table = prepare('higgs', $rows, $first);
	sql(train_sql($table, 31));
	my $quality = quality_of($table, 31, 'auc');
	sql("DROP TABLE $table, ${table}_test");
	my $best = max(map { $_->{score} } answers_of_peers('higgs', $rows, 31, 1, $first));
	unlink write_float32('higgs', $rows, $test_rows, $first);
	return $quality - $best;
}

# A line of the page.
sub line_of
{
	my (@column) = @_;
	out('| ' . join(' | ', @column) . " |\n");
}

# Holds time and quality of one model against what the peers answered.
sub judge
{
	my ($kind, $count, $leaves, $bound, $whole, $quality, @answers) = @_;
	my $what = "$kind " . group($count) . ", $leaves leaves";
	my $best = $kind eq 'reg' ? min(map { $_->{score} } @answers) : max(map { $_->{score} } @answers);
	my $first = 1;

	for my $answer (@answers)
	{
		my $ratio = $whole / $answer->{seconds};
		my @bar = ('', '');

		@bar = ("≤ $bound", bar("table to deployed gbdt, $what, against $answer->{name}'s binning and boosting", $ratio, '<=', $bound)) if $bound && $first;
		line_of($kind . ' ' . group($count), $leaves, $answer->{name}, (map { sprintf '%.2f', $_ } @$answer{qw(seconds bin boost)}), sprintf('%.5f', $answer->{score}),
			sprintf('%.0f', $answer->{memory} / 1e6), sprintf('%.2f', $ratio), @bar);
		$first = 0;
	}
	if (!$bound)
	{
		return;
	}
	elsif ($kind eq 'higgs' && $leaves == 31)
	{
		push @differences, $quality - $best;
	}
	elsif ($kind eq 'reg')
	{
		bar("its RMSE, $what, over the best peer's", $quality / $best, '<=', 1.005, '%.4f');
	}
	else
	{
		bar("its AUC, $what, minus the best peer's", $quality - $best, '>=', -0.002, '%+.5f');
	}
	return;
}

out("\n## From a table to a deployed model\n`ml_train('gbdt', …)` of 100 trees, all of the table, judging on it and storing included. Peers: binning and boosting alone, of the same rows that lie in "
  . "their memory as float32, with the same parameters (XGBoost: hist, lossguide, 255 bins). $threads threads each; quality (AUC, of reg RMSE) on " . group($test_rows) . " other rows; "
  . "memory: private and dynamic shared memory of the server's processes at its peak, of a peer's whole process. Ratio: mlplat's time / the peer's; the bound holds against the first peer.\n\n"
  . "| Data | leaves | program | s | reading, or binning | the rest, or boosting | quality | MB | ratio | bound | |\n"
  . "|---|---|---|---|---|---|---|---|---|---|---|\n");
my %time;
for my $case (
	[ 'higgs', $rows / 10, 31 ], [ 'higgs', $rows, 31, 0.5 ], [ 'higgs', $rows, 255, 0.6 ], [ 'reg', $rows, 31, 0.5 ], [ 'flights', $rows, 31, 0.6 ], [ 'higgs', 3 * $rows, 31 ])
{
	my ($kind, $count, $leaves, $bound) = @$case;
	my $table = prepare($kind, $count);
	my ($whole, $read, $work) = measure($table, $leaves);
	my $memory = with_peak_memory(sub { sql(train_sql($table, $leaves)) });
	my $quality = quality_of($table, $leaves, $kind eq 'reg' ? 'rmse' : 'auc');

	$time{"$kind $count $leaves"} = $whole;
	line_of("$kind " . group($count), $leaves, 'mlplat', (map { sprintf '%.2f', $_ } $whole, $read, $work), sprintf('%.5f', $quality), sprintf('%.0f', $memory / 1e6), '', '', '');
	my @answers = $count <= $rows ? answers_of_peers($kind, $count, $leaves, $repeats) : ();
	judge($kind, $count, $leaves, $bound, $whole, $quality, @answers) if @answers;
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
	out("\nAUC of higgs " . group($rows) . ", 31 leaves, minus the better peer's, on " . @differences . " sets of rows: " . join(', ', map { sprintf('%+.4f', $_) } @differences) . "; mean "
		  . sprintf('%+.4f', $mean) . ', bound ≥ -0.002: ' . bar("AUC minus the better peer's, higgs " . group($rows) . ', 31 leaves, mean of ' . @differences . ' sets of rows', $mean, '>=', -0.002, '%+.5f') . ".\n");
}
1;
