# Fitting without SQL around it: the same float32 rows in memory for both, by threads.
use strict;
use warnings;
use Bench;

my $program = build_program('fit_kernel');

out("\n## Fitting gbdt without SQL\n" . group($rows) . " rows in memory, 100 trees of 31 leaves, binning included; quality on 200,000 other rows. Ratio: mlplat's time / XGBoost's "
  . "(hist, lossguide, max_leaves 31, max_bin 255).\n\n| Data | threads | mlplat s | quality | XGBoost s | quality | ratio |\n|---|---|---|---|---|---|---|\n");
for my $case ([ 'higgs', 28, 'classification' ], [ 'reg', 20, 'regression' ])
{
	my ($kind, $columns, $task) = @$case;
	my %time;
	wait_for_idle();
	my $text = `$program $kind $rows 31 100 $repeats 1 $threads`;

	die "test/bench/fit_kernel failed: $text\n" if $?;
	my ($quality) = $text =~ /^test \w+ ([0-9.]+)/m;
	while ($text =~ /trees, (\d+) threads?: bin ([0-9.]+) s, boost ([0-9.]+) s/g)
	{
		my ($count, $time) = ($1, $2 + $3);
		my @columns = ($kind, $count, sprintf('%.2f', $time), $quality);

		$time{$count} = $time;
		if ($peers->{xgboost})
		{
			my $answer = peer('gbdt', 'xgboost', write_float32($kind, $rows, 200_000), $columns, $rows, $task, 31, 0, $repeats, $count);
			push @columns, sprintf('%.2f', $answer->{seconds}), sprintf('%.5f', $answer->{score}), sprintf('%.2f', $time / $answer->{seconds});
		}
		else
		{
			push @columns, 'xgboost is absent', '', '';
		}
		out('| ' . join(' | ', @columns) . " |\n");
	}
	bar("fit of $kind, $threads threads against 1", $time{1} / $time{$threads}, '>=', 1.8) if $threads == 2;
}
1;
