# Small trainings, whole, against the peers' fit() alone.
use strict;
use warnings;
use Bench;

my $count = int($rows / 5);
my $file = "$scratch/training.csv";

make_table('trained', $count);
out("\n## Training\n" . group($count) . " rows × 20 columns, 4 of 5 train, the rest judge. mlplat: the whole of `ml_train`, reading the table, splitting, judging on the hold-out "
  . "and storing included; peers: `fit()` alone on arrays that are in memory already. $threads threads each. Ratio: peer's time / mlplat's.\n\n"
  . "| Algorithm | mlplat s | of it computing | score | peer | s | score | ratio |\n|---|---|---|---|---|---|---|---|\n");
for my $case (
	[ 'gbdt', 'classification', 'won', '{"num_iterations": 100, "num_leaves": 31, "lambda_l2": 1}', 'auc', 'xgboost', 'histgb' ],
	[ 'gbdt', 'regression', 'y', '{"num_iterations": 100, "num_leaves": 31, "lambda_l2": 1}', 'rmse', 'xgboost', 'histgb' ],
	[ 'logistic_regression', 'classification', 'won', '{}', 'auc', 'logistic' ],
	[ 'linear_regression', 'regression', 'y', '{}', 'rmse', 'linear' ])
{
	my ($algorithm, $task, $target, $params, $metric, @others) = @$case;
	my $other = $target eq 'y' ? 'won' : 'y';
	my $time = seconds("SELECT * FROM ml_train('$algorithm', 'trained', '$target', model => 'trained_${algorithm}_$target', exclude => '{id,$other}',
		params => '$params', split => 'column', split_by => 'part')", $repeats);
	my $inside = sql("SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY train_seconds) FROM ml_versions WHERE model = 'trained_${algorithm}_$target'");
	my $score = sql("SELECT value FROM ml_evaluate('trained_${algorithm}_$target') WHERE metric = '$metric'");

	sql('\copy (SELECT ' . join(', ', map { "x$_" } 1 .. 20) . ", $target" . ($target eq 'won' ? '::int' : '') . ", part FROM trained) TO '$file' WITH (FORMAT csv, HEADER)");
	for my $name (@others)
	{
		my $library = $name eq 'xgboost' ? 'xgboost' : 'sklearn';
		my @columns = ($algorithm, sprintf('%.3f', $time), sprintf('%.3f', $inside), sprintf('%s %.5f', $metric, $score));

		if ($peers->{$library})
		{
			my $answer = peer('csv', $file, $task, $name, $repeats, $threads);
			push @columns, "$library" . ($name eq 'histgb' ? ' HistGradientBoosting' : ''), sprintf('%.3f', $answer->{seconds}), sprintf('%.5f', $answer->{score}),
			  sprintf('%.2f', $answer->{seconds} / $time);
		}
		else
		{
			push @columns, "$library is absent", '', '', '';
		}
		out('| ' . join(' | ', @columns) . " |\n");
	}
}
1;
