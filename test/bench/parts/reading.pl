# Reading a table against adding up its columns.
use strict;
use warnings;
use Bench;

sub sums { my ($n) = @_; return 'SELECT ' . join(', ', map { "sum(f$_)" } 0 .. $n - 1); }

my $workers = $threads - 1;
my @parallel = ("max_parallel_workers_per_gather = $workers", 'parallel_setup_cost = 0', 'parallel_tuple_cost = 0', 'min_parallel_table_scan_size = 0');

out("\n## Reading\nThe scan: `SELECT sum(f0), …` of the same columns by $threads processes. Reading into bins: what a gbdt of one tree of two leaves takes from the table to its bins and row hashes "
  . "(`ml_train` without judging and storing, by the version's own figures).\n\n| What | s | the scan s | ratio | bound | |\n|---|---|---|---|---|---|\n");
load_kind('read_higgs', 'higgs', 0, $rows);
load_kind('read_reg', 'reg', 0, $rows);

# Seconds of reading by the version's own figures.
sub read_seconds
{
	my ($source, $exclude) = @_;

	seconds("SELECT * FROM ml_train('gbdt', '$source', 'y', model => 'read_higgs', exclude => '{$exclude}', split => 'none', params => '{\"num_iterations\": 1, \"num_leaves\": 2}')", $repeats);
	return sql("SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY read_seconds) FROM (SELECT read_seconds FROM ml_versions WHERE model = 'read_higgs' ORDER BY version DESC LIMIT $repeats) q");
}

my $scan = seconds(sums(28) . ' FROM read_higgs', $repeats, @parallel);
my $read = read_seconds('read_higgs', 'id');
out(sprintf "| reading %s × 28 into bins | %.3f | %.3f | %.2f | ≤ 0.7 | %s |\n", group($rows), $read, $scan, $read / $scan,
	bar('reading ' . group($rows) . ' × 28 into bins, against the scan', $read / $scan, '<=', 0.7));

# With a condition, and with columns that are computed, which the main thread evaluates.
my $half_scan = seconds(sums(28) . ' FROM read_higgs WHERE f0 > 0', $repeats, @parallel);
my $half = read_seconds('SELECT * FROM read_higgs WHERE f0 > 0', 'id');
out(sprintf "| the same WHERE f0 > 0, half of the rows | %.3f | %.3f | %.2f | | |\n", $half, $half_scan, $half / $half_scan);
my @computed = ('ln(abs(f24) + 1)', 'f25 * f26', 'CASE WHEN f26 > 0 THEN f27 ELSE 0 END', 'sqrt(abs(f27))');
my $columns = join ', ', map { "f$_" } 0 .. 23;
my $computed_scan = seconds(sums(24) . ', ' . join(', ', map { "sum($_)" } @computed) . ' FROM read_higgs', $repeats, @parallel);
my $computing = read_seconds("SELECT $columns, " . join(', ', map { "$computed[$_] AS c$_" } 0 .. 3) . ', y FROM read_higgs', '');
out(sprintf "| %s × 28 of which 4 are computed | %.3f | %.3f | %.2f | | |\n", group($rows), $computing, $computed_scan, $computing / $computed_scan);

my $sum = seconds(sums(20) . ' FROM read_reg', $repeats, @parallel);
my $linear = seconds("SELECT * FROM ml_train('linear_regression', 'read_reg', 'y', model => 'read_reg', exclude => '{id}', split => 'none')", $repeats);
out(sprintf "| linear_regression, table to deployed model, %s × 20 | %.3f | %.3f | %.2f | ≤ 1.3 | %s |\n", group($rows), $linear, $sum, $linear / $sum,
	bar('linear_regression, table to model, ' . group($rows) . ' × 20, against the scan', $linear / $sum, '<=', 1.3));
sql('DROP TABLE read_higgs, read_reg');
1;
