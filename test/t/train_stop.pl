# A training run is stopped in each phase, by each way there is: it ends within a second, says so in ml_jobs, and
# leaves no worker, no lock, no shared memory and no model.
use strict;
use warnings;
use IPC::Run;
use MlplatNode;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

# Seconds a stop may take.  A second is promised; the machine may be busy.
my $LIMIT = 2.5;

# With mmap, shared memory segments are files below the data directory, which can be counted.
my $node = MlplatNode::start('stop', conf => "dynamic_shared_memory_type = mmap\nmax_worker_processes = 12");

$node->safe_psql('postgres', <<'SQL');
CREATE TABLE t AS SELECT i AS id, i % 97 AS a, (i * 31) % 1009 / 10.0::float8 AS b, (i * 17) % 3 = 0 AS flag,
	3 * (i % 97) + (i * 7) % 13 / 10.0 AS y FROM generate_series(1, 20000) i;
CREATE FUNCTION nap(float8) RETURNS float8 LANGUAGE plpgsql PARALLEL SAFE AS 'BEGIN PERFORM pg_sleep($1); RETURN $1; END';
SQL
my $segments_before = segments();

my %slow = (
	read => q{ml_train('gbdt', 'SELECT nap(0.01) AS n, a, y FROM t', 'y', model => 'm')},
	fit => q{ml_train('gbdt', 't', 'y', model => 'm', params => '{"num_iterations": 100000}')},
);

# -- cancelled: the session, the worker, by the server's clock

for my $mode ('worker', 'foreground')
{
	for my $phase ('read', 'fit')
	{
		my $run = train($slow{$phase}, "SET mlplat.execution = $mode");
		stopped($run, "pg_cancel_backend of a session in phase $phase, $mode",
			sub { signal_session($run, 'pg_cancel_backend') }, qr/ERROR:  57014: canceling statement due to user request/,
			"cancelled|$phase|57014");

		$run = train($slow{$phase}, "SET mlplat.execution = $mode");
		stopped($run, "pg_terminate_backend of a session in phase $phase, $mode",
			sub { signal_session($run, 'pg_terminate_backend') }, qr/57P01|server closed the connection/, "cancelled|$phase|57P01");
	}
}
for my $phase ('read', 'fit')
{
	my $run = train($slow{$phase});
	stopped($run, "pg_cancel_backend of the worker in phase $phase", sub { signal_worker('pg_cancel_backend') },
		qr/ERROR:  57014: canceling statement due to user request/, "cancelled|$phase|57014");

	$run = train($slow{$phase});
	stopped($run, "pg_terminate_backend of the worker in phase $phase", sub { signal_worker('pg_terminate_backend') },
		qr/ERROR:  57P01: terminating/, "cancelled|$phase|57P01");

	$run = train($slow{$phase});
	stopped($run, "ml_cancel in phase $phase",
		sub { is($node->safe_psql('postgres', "SELECT ml_cancel(max(job)) FROM ml_jobs WHERE state = 'running'"), 't', 'ml_cancel found it') },
		qr/ERROR:  57014: canceling statement due to user request/, "cancelled|$phase|57014");
}

# -- the client goes away

for my $mode ('worker', 'foreground')
{
	my $run = train($slow{fit}, "SET mlplat.execution = $mode");
	stopped($run, "the client of a session goes away, $mode", sub { $run->{handle}->kill_kill(grace => 0) }, qr//, 'cancelled|fit|08006');
}

# -- the session goes on

my ($status, $out, $err) = $node->psql('postgres', <<'SQL', on_error_stop => 0);
SET statement_timeout = '400ms';
SELECT ml_train('gbdt', 't', 'y', model => 'm', params => '{"num_iterations": 100000}');
RESET statement_timeout;
SELECT version FROM ml_train('linear_regression', 't', 'y', model => 'after');
SELECT ml_predict('after', t) IS NOT NULL FROM t LIMIT 1;
SQL
like($err, qr/canceling statement due to statement timeout/, 'statement_timeout stops a run');
is($out, "1\nt", 'and the session trains and predicts as before');

# -- judging a model whose predictions are slow

$node->safe_psql('postgres', 'CREATE TABLE many AS SELECT ' . join(', ', map { "random() AS x$_" } 1 .. 20) . ', random() AS y FROM generate_series(1, 200000) i');
my $judged = time;
($status, $out, $err) = $node->psql('postgres', "SET statement_timeout = '4s'; SELECT ml_train('knn', 'many', 'y', model => 'm')");
cmp_ok(time - $judged, '<', 4 + 2, 'knn is stopped while it is judged');
like($err, qr/canceling statement due to statement timeout/, 'by the time limit');
$node->safe_psql('postgres', 'DROP TABLE many');

# -- telling the client how far it is, from five seconds on

my $told = train($slow{fit});
sleep(6);
$told->{handle}->pump_nb;
like($told->{err}, qr/NOTICE:  00000: training "m": fit, \d+ % done, iteration \d+ of 100000, train loss [0-9.e-]+, about \d+ s left/, 'a long run says how far it is');
my @notices = $told->{err} =~ /NOTICE/g;
cmp_ok(scalar(@notices), '<=', 2, 'and does not say it too often');
stopped($told, 'that run', sub { signal_session($told, 'pg_cancel_backend') }, qr/57014/, 'cancelled|fit|57014');
my $quiet = train($slow{fit}, 'SET mlplat.progress = off');
sleep(6);
stopped($quiet, 'a quiet run', sub { signal_session($quiet, 'pg_cancel_backend') }, qr/57014/, 'cancelled|fit|57014');
unlike($quiet->{err}, qr/NOTICE/, 'mlplat.progress = off keeps it quiet');

# -- one line a run in the log; nothing left

my $log = slurp_file($node->logfile);
like($log, qr/LOG:  mlplat: job \d+: trained "after" version 1 with linear_regression on 20000 rows in [0-9.]+ s, peak memory [0-9.]+ MB\n/, 'a success is a line in the log');
like($log, qr/LOG:  mlplat: job \d+: training of "m" cancelled in phase fit: canceling statement due to user request\n/, 'a cancelled run, too');
unlike($log, qr/PANIC|terminated by signal|TRAP:|XX000/, 'no crash and no internal error');
is(segments(), $segments_before, 'no shared memory is left');
$node->stop;
done_testing();

# Starts a session that trains, and waits until it is in the phase that its name says.
sub train
{
	my ($call, @settings) = @_;
	my %run = (out => '', err => '', name => 'train_stop_' . int(rand(1e9)));

	$run{handle} = IPC::Run::start(
		[ 'psql', '-X', '-q', '-A', '-t', '-v', 'VERBOSITY=verbose', '-d', $node->connstr('postgres') . " application_name='$run{name}'",
			(map { ('-c', $_) } @settings), '-c', "SELECT $call" ], '<', \undef, '>', \$run{out}, '2>', \$run{err});
	my $phase = $call =~ /nap/ ? 'read' : 'fit';
	$node->poll_query_until('postgres', "SELECT EXISTS (SELECT FROM ml_jobs WHERE model = 'm' AND state = 'running' AND phase = '$phase')")
		or die "the run never came to phase $phase: $run{err}";
	sleep(0.2);
	return \%run;
}

sub stopped
{
	my ($run, $title, $action, $error, $record) = @_;
	my $began = time;

	$action->();
	eval { $run->{handle}->finish };
	$node->poll_query_until('postgres', q{SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'parallel worker' OR application_name = '}
		  . $run->{name} . q{')}) or die "processes of the run are left";
	my $took = time - $began;
	cmp_ok($took, '<', $LIMIT, sprintf('%s: all gone after %.2f s', $title, $took));
	like($run->{err}, $error, "$title: its error");
	# A session that ended writes no record itself: somebody does it for it.
	$node->poll_query_until('postgres', "SELECT state || '|' || coalesce(phase, '') || '|' || coalesce(sqlstate, '') = '$record' FROM ml_jobs ORDER BY job DESC LIMIT 1");
	is($node->safe_psql('postgres', 'SELECT state, phase, sqlstate FROM ml_jobs ORDER BY job DESC LIMIT 1'), $record, "$title: its record");
	is($node->safe_psql('postgres', "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"), '0', "$title: no lock");
	is($node->safe_psql('postgres', "SELECT count(*) FROM mlplat.model WHERE name = 'm'"), '0', "$title: no model");
	return;
}

sub signal_session
{
	my ($run, $function) = @_;
	$node->safe_psql('postgres', "SELECT $function(pid) FROM pg_stat_activity WHERE application_name = '$run->{name}' AND backend_type = 'client backend'");
	return;
}

sub signal_worker
{
	my ($function) = @_;
	is($node->safe_psql('postgres', "SELECT $function(pid) FROM pg_stat_activity WHERE application_name = 'mlplat train m' AND backend_type = 'parallel worker'"),
		't', 'the worker shows what it does in application_name');
	return;
}

sub segments
{
	my @files = glob($node->data_dir . '/pg_dynshmem/*');
	return scalar(@files);
}
