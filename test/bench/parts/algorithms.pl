# The other algorithms: whole trainings, reading the table included, against scikit-learn's fit() on arrays in memory.
use strict;
use warnings;
use Bench;

my $test_rows = 100_000;
my %known = map { $_ => 1 } sql('SELECT algorithm FROM ml_algorithms()');

out("\n## Algorithms\nmlplat: the whole of `ml_train` on all rows, reading the table, judging and storing included; scikit-learn: `fit()` alone on float32 arrays in memory. "
  . "$threads threads each, the same parameters. Score: rows kept aside where there is a target (k-means: minus the inertia, pca: share of the variance, gmm: log-likelihood of a row). Ratio: mlplat's time / scikit-learn's.\n\n"
  . "| Algorithm | rows | mlplat s | of it reading | score | scikit-learn s | score | ratio | bound | |\n|---|---|---|---|---|---|---|---|---|---|\n");
for my $case (
	[ 'kmeans', 'blobs', 20, $rows, '{"n_clusters": 20, "n_init": 1, "max_iter": 20, "tol": 0}', 'inertia' ],
	[ 'pca', 'lowrank', 50, $rows, '{"n_components": 10}', 'explained_variance_ratio' ],
	[ 'logistic_regression', 'higgs', 28, $rows, '{}', 'auc' ],
	[ 'naive_bayes', 'higgs', 28, $rows, '{}', 'auc' ],
	[ 'random_forest', 'higgs20', 20, $rows / 5, '{"n_estimators": 100}', 'auc' ],
	[ 'mlp', 'higgs', 28, $rows / 2, '{"hidden_layer_sizes": [64, 64], "max_epochs": 1, "batch_size": 200}', 'auc' ],
	[ 'gmm', 'blobs', 20, $rows / 5, '{"n_components": 10, "covariance_type": "diag", "max_iter": 10, "tol": 0}', 'log_likelihood' ],
	[ 'elastic_net', 'reg', 20, $rows, '{"l1_ratio": 0.5, "n_alphas": 100, "cv": 5}', 'rmse' ])
{
	my ($name, $kind, $columns, $count, $params, $metric) = @$case;

	if (!$known{$name})
	{
		out("| $name | | is not there | | | | | | | |\n");
		next;
	}
	load_kind('learned', $kind, 0, $count);
	load_kind('learned_test', $kind, $count, $test_rows);
	my $target = $metric =~ /^(auc|rmse)$/ ? "'y'" : 'NULL';
	my $exclude = $target eq 'NULL' ? '{id,y}' : '{id}';
	my $time = seconds("SELECT * FROM ml_train('$name', 'learned', $target, model => 'learned_$name', exclude => '$exclude', split => 'none', params => '$params')", $repeats);
	my $read = sql("SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY read_seconds) FROM ml_versions WHERE model = 'learned_$name'");
	my $score = $target eq 'NULL' ? sql("SELECT value FROM ml_metrics WHERE model = 'learned_$name' AND metric = '$metric' LIMIT 1")
	  : sql("SELECT value FROM ml_evaluate('learned_$name', 'learned_test') WHERE metric = '$metric'");
	my @line = ($name, group($count) . " × $columns", sprintf('%.2f', $time), sprintf('%.2f', $read), sprintf('%s %.5g', $metric, $score));

	if ($peers->{sklearn})
	{
		my $answer = peer('algorithm', $name, write_float32($kind, $count, $test_rows), $columns, $count, 1, $threads);
		my $ratio = $time / $answer->{seconds};
		push @line, sprintf('%.2f', $answer->{seconds}), sprintf('%.5g', $answer->{score}), sprintf('%.2f', $ratio), '≤ 1',
		  bar("$name, table to model, against scikit-learn's fit", $ratio, '<=', 1);
	}
	else
	{
		push @line, 'sklearn is absent', ('') x 4;
	}
	out('| ' . join(' | ', @line) . " |\n");
	sql('DROP TABLE learned, learned_test');
}
1;
