# The kernels without SQL around them.
use strict;
use warnings;
use Bench;

for my $name (qw(predict_kernel explain_kernel hist_kernel))
{
	my $program = build_program($name);
	my $text = `$program`;

	die "test/bench/$name failed\n" if $?;
	out("\n## Without SQL: $name\n```\n$text```\n");
}
1;
