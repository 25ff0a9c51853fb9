# Contributions of features: whole SQL statements, rows of results included, against XGBoost's function on rows in memory.
use strict;
use warnings;
use Bench;

my $count = int($rows / 10);
my $file = "$scratch/explained.csv";
my ($ours, $theirs) = (5000, 500);
my $bound = 5;

make_table('explained', $count);
sql("\\copy (SELECT " . join(', ', map { "x$_" } 1 .. 20) . ", won::int, part FROM explained) TO '$file' WITH (FORMAT csv, HEADER)");
out("\n## Explaining\n" . group($count) . " rows × 20 columns, 100 trees; exact Shapley values of each prediction. mlplat: `SELECT … FROM t, ml_explain('m', t)`, a row of results for each "
  . "feature included; XGBoost: `predict(pred_contribs=True)`. One thread each. Error: how far contributions are from adding up to the score.\n\n"
  . "| Leaves | mlplat rows/s | µs a row | error | xgboost rows/s | error | ratio | bound | |\n|---|---|---|---|---|---|---|---|---|\n");
for my $leaves (31, 255)
{
	sql("SELECT * FROM ml_train('gbdt', 'explained', 'won', model => 'explained', exclude => '{id,y}', split => 'column', split_by => 'part', deploy => 'always',
		params => '{\"num_iterations\": 100, \"num_leaves\": $leaves, \"lambda_l2\": 1}')");
	my $from = "FROM (SELECT * FROM explained LIMIT $ours) e, LATERAL ml_explain('explained', e) c";
	my $time = seconds("SELECT count(c.contribution) $from", $repeats, 'max_parallel_workers_per_gather = 0');
	my $error = sql("SELECT max(abs(s.score - ln(p / (1 - p)))) FROM (SELECT sum(c.contribution) AS score, ml_predict_proba('explained', e) AS p $from GROUP BY e.id, e) s");
	my @columns = ($leaves, group($ours / $time), sprintf('%.0f', 1e6 * $time / $ours), sprintf('%.0e', $error));

	if ($peers->{xgboost})
	{
		my $answer = peer('explain', $file, $leaves, $theirs, $repeats);
		my $ratio = $answer->{rows_per_s} && $ours / $time / $answer->{rows_per_s};
		push @columns, group($answer->{rows_per_s}), sprintf('%.0e', $answer->{error}), sprintf('%.1f', $ratio), "≥ $bound", bar("TreeSHAP, one thread, $leaves leaves, rows/s against XGBoost", $ratio, '>=', $bound, '%.1f');
	}
	else
	{
		push @columns, 'xgboost is absent', '', '', '', '';
	}
	out('| ' . join(' | ', @columns) . " |\n");
}
1;
