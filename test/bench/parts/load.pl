# Training beside processes that keep the cores busy.
use strict;
use warnings;
use Bench;

my $count = $rows / 10;
my $statement = "SELECT * FROM ml_train('gbdt', 'loaded', 'y', model => 'loaded', exclude => '{id}', split => 'none', params => '{\"num_iterations\": 100, \"num_leaves\": 31}')";

out("\n## Beside other work\n`ml_train('gbdt', …)` of " . group($count) . " × 28 rows, 100 trees of 31 leaves, $threads threads, while other processes never sleep.\n\n"
  . "| Other processes | s | against alone | bound | |\n|---|---|---|---|---|\n");
load_kind('loaded', 'higgs', 0, $count);
my $alone = seconds($statement, $repeats + 2);
out(sprintf "| none | %.3f | | | |\n", $alone);
for my $case ([ 1, 2 ], [ 2, 3 ])
{
	my ($others, $bound) = @$case;
	wait_for_idle();
	my $time = busy_processes($others, sub { return median(times_of($statement, $repeats + 2)); });
	out(sprintf "| %d | %.3f | %.2f | ≤ %d | %s |\n", $others, $time, $time / $alone, $bound, bar("training beside $others busy processes, against alone", $time / $alone, '<=', $bound));
}
sql('DROP TABLE loaded');
1;
