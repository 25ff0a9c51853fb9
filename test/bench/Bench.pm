# What the parts of a benchmark have in common: a private server, clocks, data, peers, the page of results.
package Bench;
use strict;
use warnings;
use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use JSON::PP;
use POSIX qw(strftime);
use Time::HiRes qw(sleep time);

our @EXPORT = qw($rows $repeats $threads $scratch $peers
  out sql seconds times_of median group verdict bar load_kind write_float32 make_table peer ask_peer build_program
  busy_processes with_peak_memory wait_for_idle restart_with);

our $rows = $ENV{BENCH_ROWS} // 1_000_000;
our $repeats = $ENV{BENCH_REPEATS} // 3;
our $threads = `nproc` + 0;
our ($scratch, $peers);

my ($python, $page, @bars);
my $missed = 0;
my $measured = 0;			# how often something was timed,
my $busy = 0;				# and how often on a machine that was busy with something else
my $started;

sub begin
{
	my $top = dirname(dirname(dirname(abs_path(__FILE__))));

	chdir $top or die "cannot enter $top: $!\n";
	delete @ENV{qw(MAKEFLAGS MFLAGS MAKELEVEL)};
	$ENV{PG_CONFIG} //= 'pg_config';
	$ENV{MLPLAT_SERVER} = "bench-$$";
	$started = $$;
	my $environment = `test/server start -c shared_buffers=2GB -c max_wal_size=8GB -c jit=off -c work_mem=64MB -c max_connections=150`;
	die "the private server did not start\n" if $?;
	$ENV{$1} = $2 while $environment =~ /(\w+)=(\S+)/g;
	$scratch = tempdir(CLEANUP => 1);
	chmod 0755, $scratch;

	# The peers are Debian's (python3-sklearn, python3-xgboost, python3-pandas), so it is Debian's Python that has them.
	$python = -x '/usr/bin/python3' ? '/usr/bin/python3' : 'python3';
	$peers = eval { decode_json(`$python test/bench/peers.py names 2>/dev/null`) } || {};
	sql('CREATE EXTENSION mlplat');
	return;
}

END { if (defined $started && $started == $$) { my $status = $?; system('test/server', 'stop'); $? = $status; } }
$SIG{INT} = $SIG{TERM} = sub { exit 130 };

# Begins again with other settings, name=value.
sub restart_with
{
	my (@settings) = @_;
	my $bindir = `$ENV{PG_CONFIG} --bindir`;
	my $owner = getpwuid((stat $ENV{MLPLAT_DATA})[4]);

	chomp $bindir;
	sql("ALTER SYSTEM SET $_") for @settings;
	system(($> == 0 ? ('runuser', '-u', $owner, '--') : ()), "$bindir/pg_ctl", '-D', $ENV{MLPLAT_DATA}, '-s', '-w', '-l', "$ENV{MLPLAT_DATA}/../log", 'restart') == 0
	  or die "the private server did not restart\n";
	return;
}

# The page ------------------------------------------------------------------------------------

sub out { my ($text) = @_; $page .= $text; local $| = 1; print $text; return; }

sub heading
{
	my ($processor) = `grep -m1 'model name' /proc/cpuinfo` =~ /: (.*)/;
	my $date = strftime('%Y-%m-%d', gmtime);
	my $commit = `git rev-parse --short HEAD 2>/dev/null`;
	my ($load) = `cat /proc/loadavg` =~ /^(\S+)/;
	my %version = map { split /\|/, $_, 2 } sql('SELECT name, value FROM ml_version()');

	chomp $commit;
	my @absent = grep { !$peers->{$_} } qw(lightgbm xgboost sklearn pandas);
	return "# Benchmarks\n<!-- Written by \"make bench BENCH_WRITE=1\". -->\n\n"
	  . "$date, commit $commit, mlplat $version{library}, PostgreSQL " . sql('SHOW server_version') . "; $processor, $threads cores, "
	  . "load average before the run $load. Medians of $repeats unless said otherwise.\n"
	  . 'Peers: ' . join(', ', (map { "$_ $peers->{$_}" } sort keys %$peers), (map { "$_ is absent" } @absent)) . " (Debian: python3-xgboost, python3-sklearn, python3-pandas).\n";
}

# Prints the bars and the rest of the page; the status to exit with.
sub end
{
	my ($head) = @_;
	my $summary = '';

	if (@bars)
	{
		$summary = "\n## Bars\n| What | measured | bar | |\n|---|---|---|---|\n";
		$summary .= "| $_->[0] | $_->[1] | $_->[2] | " . ($_->[3] ? 'pass' : '**miss**') . " |\n" for @bars;
	}
	$summary .= "\n$busy of $measured measurements began on a machine busy with other work: ratios against peers are not to be relied on.\n" if $busy;
	$summary .= $missed ? "\n$missed missed.\n" : "\nEvery stated bound is met.\n";
	print $summary;
	if ($ENV{BENCH_WRITE})
	{
		open(my $file, '>', 'doc/benchmarks.md') or die "cannot write doc/benchmarks.md: $!\n";
		print $file $head, $summary, $page;
		close $file;
	}
	return $missed ? 1 : 0;
}

sub verdict
{
	my ($met) = @_;
	$missed++ unless $met;
	return $met ? 'pass' : '**miss**';
}

# A bar of the page's first table: what, the value, "<=" or ">=", the bound, and how to print both.
sub bar
{
	my ($what, $value, $sense, $bound, $format) = @_;
	my $met = $sense eq '<=' ? $value <= $bound : $value >= $bound;
	my $text = sub { my ($v) = @_; return ref $format ? $format->($v) : sprintf($format // '%.2f', $v); };

	push @bars, [ $what, $text->($value), ($sense eq '<=' ? '≤ ' : '≥ ') . $text->($bound), $met ];
	return verdict($met);
}

# One thousand as "1,000".
sub group { my $text = sprintf '%.0f', $_[0]; 1 while $text =~ s/^(-?\d+)(\d{3})/$1,$2/; return $text; }

# The server and the clock --------------------------------------------------------------------

sub psql
{
	my (@arguments) = @_;
	open(my $pipe, '-|', 'psql', '-X', '-A', '-t', '-q', '-v', 'ON_ERROR_STOP=1', @arguments) or die "psql: $!\n";
	my @lines = <$pipe>;
	close $pipe or die "failed: @arguments\n";
	chomp @lines;
	return @lines;
}

sub sql
{
	my ($text, @settings) = @_;
	my @lines = psql((map { ('-c', "SET $_") } @settings), '-c', $text);
	return wantarray ? @lines : $lines[-1];
}

# Seconds of each of so many runs of a statement in one session, after one that is not counted.
sub times_of
{
	my ($text, $count, @settings) = @_;
	my @lines = psql((map { ('-c', "SET $_") } 'mlplat.progress = off', 'client_min_messages = warning', @settings), '-c', '\timing on',
		map { ('-c', $_) } map { ref $text ? @$text : ($text) } 0 .. $count);
	my @times = map { /^Time: ([0-9.]+) ms/ ? $1 / 1000 : () } @lines;

	# Of several statements the first is what is timed, the others clean up.
	@times = @times[ grep { $_ % @$text == 0 } 0 .. $#times ] if ref $text;
	shift @times;
	return @times;
}

sub seconds
{
	my (@arguments) = @_;
	wait_for_idle();
	return median(times_of(@arguments));
}

sub median { my @sorted = sort { $a <=> $b } @_; return $sorted[ @sorted / 2 ]; }

# Waits up to two minutes for a second in which nobody else uses the processor; counts measurements that did not get it.
sub wait_for_idle
{
	$measured++;
	for (1 .. ($ENV{BENCH_IMPATIENT} ? 1 : 120))
	{
		my ($idle, $all) = processor_time();
		sleep 1;
		my ($idle_now, $all_now) = processor_time();
		return if $idle_now - $idle > 0.85 * ($all_now - $all);
	}
	$busy++;
	return;
}

sub processor_time
{
	open(my $in, '<', '/proc/stat') or return (1, 1);
	my (undef, @ticks) = split ' ', scalar <$in>;
	my $all = 0;
	$all += $_ for @ticks;
	return ($ticks[3] + $ticks[4], $all);
}

# Runs the code beside so many processes that never sleep.
sub busy_processes
{
	my ($count, $code) = @_;
	my @children;

	for (1 .. $count)
	{
		my $child = fork // die "fork: $!\n";
		if ($child == 0) { my $x = 0; $SIG{TERM} = 'DEFAULT'; $x++ while 1; }
		push @children, $child;
	}
	sleep 0.2;
	my $result = eval { $code->() };
	my $error = $@;
	kill 'TERM', @children;
	waitpid $_, 0 for @children;
	die $error if $error;
	return $result;
}

# Runs the code and says by how many bytes the server's processes grew at most: private memory and dynamic shared memory.
sub with_peak_memory
{
	my ($code) = @_;
	my $before = server_memory();
	my $file = "$scratch/peak";
	my $child = fork // die "fork: $!\n";

	if ($child == 0)
	{
		my $peak = 0;
		my $going = 1;
		$SIG{TERM} = sub { $going = 0 };
		while ($going)
		{
			my $now = server_memory();
			$peak = $now if $now > $peak;
			sleep 0.004;
		}
		open(my $out, '>', $file);
		print $out $peak;
		close $out;
		POSIX::_exit(0);
	}
	$code->();
	kill 'TERM', $child;
	waitpid $child, 0;
	open(my $in, '<', $file) or die "no peak was measured\n";
	return <$in> - $before;
}

sub server_memory
{
	my ($postmaster) = do { open(my $in, '<', "$ENV{MLPLAT_DATA}/postmaster.pid") or die "no server\n"; scalar(<$in>) =~ /(\d+)/ };
	my $sum = 0;

	for my $child (split ' ', `cat /proc/$postmaster/task/$postmaster/children`)
	{
		open(my $status, '<', "/proc/$child/status") or next;
		while (<$status>) { $sum += 1024 * $1 if /^RssAnon:\s+(\d+)/; }
	}
	$sum += 512 * ((lstat)[12] // 0) for glob('/dev/shm/PostgreSQL.*');
	return $sum;
}

# Data ----------------------------------------------------------------------------------------

my %programs;

sub build_program
{
	my ($name) = @_;

	if (!$programs{$name})
	{
		my $program = "$scratch/$name";
		my $sources = $name eq 'make_data' ? '' : join ' ', split /\n/, `find src/ml -name '*.c'`;

		system("cc -std=gnu11 -O3 -ffp-contract=off -fno-math-errno -fno-trapping-math -Isrc -Itest/unit -o $program test/bench/$name.c $sources -llapacke -lopenblas -lm -lpthread") == 0
		  or die "cannot build test/bench/$name.c\n";
		$programs{$name} = $program;
	}
	return $programs{$name};
}

# Rows of a kind of test/bench/data.h as a table.
sub load_kind
{
	my ($table, $kind, $first, $count) = @_;
	my $program = build_program('make_data');
	my $columns = `$program $kind create`;

	sql("CREATE TABLE $table ($columns)");
	system("$program $kind $first $count copy | psql -X -q -v ON_ERROR_STOP=1 -c 'COPY $table FROM STDIN (FORMAT binary)'") == 0 or die "loading $table failed\n";
	sql("VACUUM (ANALYZE, FREEZE) $table");
	sql('CHECKPOINT');
	return;
}

# The same rows, from the first on, and so many more for the test, as float32 in a file.
sub write_float32
{
	my ($kind, $count, $test, $first) = @_;
	my $program = build_program('make_data');
	my $file = "$scratch/$kind-" . ($first //= 0) . "-$count-$test.f32";

	-e $file or system("$program $kind $first " . ($count + $test) . " float32 > $file") == 0 or die "writing $file failed\n";
	return $file;
}

# A table of 20 numeric columns, a boolean and a numeric target, and its part; the same on every machine.
sub make_table
{
	my ($name, $count) = @_;
	my $columns = join ', ', map { "u[$_] AS x$_" } 1 .. 20;

	return if sql("SELECT to_regclass('$name') IS NOT NULL") eq 't';
	sql(qq{
		CREATE TABLE $name AS
		WITH drawn AS MATERIALIZED (
			SELECT i, decode(md5('row ' || i) || md5('further ' || i) || md5('more ' || i), 'hex') AS b FROM generate_series(1, $count) i
		), uniform AS MATERIALIZED (
			SELECT i, ARRAY(SELECT (get_byte(b, 2 * k) * 256 + get_byte(b, 2 * k + 1) + 0.5::float8) / 65536 FROM generate_series(0, 21) k) AS u FROM drawn
		)
		SELECT i AS id, $columns,
			4 * u[1] + 3 * u[2] * u[3] - 2 * abs(u[4] - 0.5) + (u[5] > 0.7)::int * u[6] * 2 + u[21] AS y,
			u[21] < 1 / (1 + exp(-(6 * (u[1] - 0.5) + 8 * (u[2] - 0.5) * (u[3] - 0.5) - 3 * abs(u[4] - 0.5) + (u[5] > 0.7)::int * (u[6] * 3 - 1)))) AS won,
			CASE WHEN u[22] < 0.8 THEN 'train' ELSE 'test' END AS part
		FROM uniform});
	sql("VACUUM ANALYZE $name");
	return;
}

# Peers ---------------------------------------------------------------------------------------

# A peer at its best: threads that spin while they wait (the default of OpenMP) suffer most on a busy machine, so the
# faster of both ways of waiting counts.
sub peer
{
	my (@arguments) = @_;
	my ($best, $best_speed) = (undef, 0);

	for my $policy ('', 'OMP_WAIT_POLICY=PASSIVE GOMP_SPINCOUNT=0')
	{
		wait_for_idle();
		my $answer = ask_peer($policy, @arguments);
		my $speed = $answer->{rows_per_s} // 1 / $answer->{seconds};
		($best, $best_speed) = ($answer, $speed) if $speed > $best_speed;
	}
	return $best;
}

sub ask_peer
{
	my ($environment_of_it, @arguments) = @_;
	my $answer = `$environment_of_it $python test/bench/peers.py @arguments`;
	die "test/bench/peers.py @arguments failed\n" if $?;
	return decode_json($answer);
}

1;
