# One model per group: what ten thousand of them cost beside one, whether all cores work, and what it costs to find the right one.
use strict;
use warnings;
use Bench;

my $groups = int($rows / 100);
my $some = int($rows / 1000);

# Neighbours belong to different groups, which is the hardest order for reading and for serving.
sql("CREATE TABLE grouped AS SELECT i AS id, (i % $groups)::int AS store, (i % $some)::int AS region, " .
  join(', ', map { "(hashint8(i * 10 + $_) % 1000) / 1000.0::float8 AS x$_" } 1 .. 8) .
  ", (i % 97) / 97.0 * ((hashint8(i * 10 + 1) % 1000) / 1000.0) + (hashint8(i) % 100) / 300.0 AS y FROM generate_series(1::bigint, $rows) i");
sql('VACUUM ANALYZE grouped');

my $columns = 'ARRAY[' . join(',', map { "'x$_'" } 1 .. 8) . ']';
my $one = seconds("SELECT ml_train('linear_regression', 'grouped', 'y', model => 'one', features => $columns)", $repeats);
my $many = seconds("SELECT ml_train('linear_regression', 'grouped', 'y', model => 'many', features => $columns, segment_by => '{store}')", $repeats);
my $store = sql("SELECT count(bytes) FROM ml_segments('many')");

out("\n## Segments\n" . group($rows) . " rows × 8 columns. Reading, splitting, judging and storing included.\n\n| What | s |\n|---|---|\n");
out(sprintf("| linear_regression, one model | %.3f |\n", $one));
out(sprintf("| linear_regression, %s models of 100 rows and one of all | %.3f |\n", group($store), $many));
my @gbdt = map {
	seconds("SELECT ml_train('gbdt', 'grouped', 'y', model => 'trees', features => $columns, segment_by => '{region}', params => '{\"num_iterations\": 20}')", $repeats, "mlplat.threads = $_")
} 1, $threads;
out(sprintf("| gbdt of 20 trees, %s models of 1,000 rows and one of all, 1 thread | %.3f |\n", group($some), $gbdt[0]));
out(sprintf("| the same, %d threads | %.3f |\n", $threads, $gbdt[1]));
my @serve = map { seconds("SELECT sum(ml_predict('$_', g)) FROM grouped g", $repeats, 'max_parallel_workers_per_gather = 0') } qw(one many);
out(sprintf("| %s predictions, one model | %.3f |\n", group($rows), $serve[0]));
out(sprintf("| %s predictions, each row by another model than the one before | %.3f |\n", group($rows), $serve[1]));

out("\nModels of all groups within three times one model and a second: " . bar('segments: seconds for ' . group($groups) . ' linear models', $many, '<=', 3 * $one + 1) . ".\n");
out('Cores at work for groups of gbdt: ' . bar("segments: speed-up of gbdt by $threads threads", $gbdt[0] / $gbdt[1], '>=', 0.75 * $threads) . ".\n") if $threads > 1;
1;
