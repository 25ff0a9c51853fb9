# The whole way: train, score and store, against taking the rows out to Python and bringing the predictions back.
use strict;
use warnings;
use Bench;

out("\n## The whole way\n" . group($rows) . " × 28 rows: training a gbdt of 100 trees with 31 leaves, predicting every row and storing the predictions in a table. "
  . "Against: `COPY` to CSV, pandas, XGBoost ($threads threads), predictions, `COPY` back. One run each.\n\n| | s |\n|---|---|\n");
load_kind('whole_way', 'higgs', 0, $rows);
my $ours = seconds([ "DO \$\$ BEGIN
	PERFORM * FROM ml_train('gbdt', 'whole_way', 'y', model => 'whole_way', exclude => '{id}', split => 'none', deploy => 'always', params => '{\"num_iterations\": 100, \"num_leaves\": 31}');
	CREATE TABLE whole_way_scores AS SELECT id, ml_predict_proba('whole_way', w) AS score FROM whole_way w;
END \$\$", 'DROP TABLE whole_way_scores' ], $repeats);
out(sprintf "| `ml_train` and `CREATE TABLE … AS SELECT id, ml_predict_proba(…)` | %.2f |\n", $ours);
if ($peers->{xgboost} && $peers->{pandas})
{
	wait_for_idle();
	my $answer = ask_peer('', 'export', 'whole_way', $scratch, $threads);
	my $ratio = $ours / $answer->{seconds};

	out(sprintf "| out, %.1f s; pandas, %.1f s; XGBoost, %.1f s; back, %.1f s | %.2f |\n", @$answer{qw(out load fit back)}, $answer->{seconds});
	out(sprintf "\nRatio %.2f, bound ≤ 0.25: %s.\n", $ratio, bar('training, scoring and storing, against COPY, pandas, XGBoost and COPY', $ratio, '<=', 0.25));
}
else
{
	out("| xgboost or pandas is absent | |\n");
}
sql('DROP TABLE whole_way');
1;
