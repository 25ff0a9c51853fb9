# Real data, ten splits each; the mean decides, for one split of a few hundred rows says little.
use strict;
use warnings;
use Bench;

my $splits = 10;

system("psql -X -q -v ON_ERROR_STOP=1 -v directory=test/data -v customer_rows=0 -f test/data/load.sql") == 0 or die "loading failed\n";
out("\n## Quality on real data\ngbdt with 100 iterations, 31 leaves, learning rate 0.1, lambda 1, no least number of rows in a leaf (a least weight of 1 instead), "
  . "both on the same rows; mean over $splits splits. Bound: not worse than the peer by more than 0.005 AUC (several classes: macro one against the rest) or 1 % RMSE.\n\n"
  . "| Data | metric | mlplat | xgboost | difference | |\n|---|---|---|---|---|---|\n");
if (!$peers->{xgboost})
{
	out("| all | | | xgboost is absent | | |\n");
	return 1;
}
for my $case ([ 'breast_cancer', 'malignant', 'classification' ], [ 'wine', 'cultivar', 'classification' ],
	[ 'digits', 'digit', 'classification' ], [ 'diabetes', 'progression', 'regression' ])
{
	my ($table, $target, $task) = @$case;
	my $metric = $task eq 'regression' ? 'rmse' : 'auc';
	my $features = $table eq 'digits' ? join(', ', map { "pixels[$_]" } 1 .. 64)
	  : sql("SELECT string_agg(attname, ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = '$table'::regclass AND attnum > 0 AND attname <> '$target'");
	my ($ours, $theirs) = (0, 0);

	sql("CREATE TABLE numbered AS SELECT row_number() OVER () AS number, * FROM $table");
	for my $split (1 .. $splits)
	{
		my $file = "$scratch/$table.csv";
		sql("SET client_min_messages = warning; DROP TABLE IF EXISTS parted; CREATE TABLE parted AS SELECT *, CASE WHEN get_byte(decode(md5('$split ' || number), 'hex'), 0) < 64 THEN 'test' ELSE 'train' END AS part FROM numbered");
		sql("SELECT * FROM ml_train('gbdt', 'parted', '$target', model => 'quality_$table', exclude => '{number}', split => 'column', split_by => 'part', deploy => 'always',
			params => '{\"num_iterations\": 100, \"num_leaves\": 31, \"learning_rate\": 0.1, \"lambda_l2\": 1, \"min_data_in_leaf\": 1, \"min_sum_hessian_in_leaf\": 1, \"min_data_in_bin\": 1}')");
		$ours += sql("SELECT value FROM ml_evaluate('quality_$table') WHERE metric = '$metric'") / $splits;
		my $as_number = $target eq 'malignant' ? "$target\::int" : $target;
		sql("\\copy (SELECT $features, $as_number AS target, part FROM parted) TO '$file' WITH (FORMAT csv, HEADER)");
		$theirs += ask_peer('', 'csv', $file, $task, 'xgboost', 1, $threads)->{score} / $splits;
	}
	sql('DROP TABLE numbered');
	my $met = $task eq 'regression' ? $ours <= $theirs * 1.01 : $ours >= $theirs - 0.005;
	out(sprintf "| %s | %s | %.5f | %.5f | %+.5f | %s |\n", $table, $metric, $ours, $theirs, $ours - $theirs, verdict($met));
}
1;
