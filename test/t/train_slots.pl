# How many runs at once: the slots of mlplat.max_concurrent_jobs, the workers of the server, the queue and its priorities.
use strict;
use warnings;
use IPC::Run;
use MlplatNode;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my $node = MlplatNode::start('slots', conf => "mlplat.max_concurrent_jobs = 1\nmax_worker_processes = 8");

$node->safe_psql('postgres', <<'SQL');
CREATE TABLE t AS SELECT i AS id, i % 97 AS a, (i * 31) % 1009 / 10.0::float8 AS b,
	3 * (i % 97) + (i * 7) % 13 / 10.0 AS y FROM generate_series(1, 5000) i;
SQL
my $long = q{ml_train('gbdt', 't', 'y', model => 'long', params => '{"num_iterations": 100000}')};
my $short = q{ml_train('linear_regression', 't', 'y', model => 'short')};

# -- one slot, synchronous

my $holder = session("SELECT $long");
wait_until("SELECT EXISTS (SELECT FROM ml_jobs WHERE model = 'long' AND state = 'running' AND phase = 'fit')");

my ($status, $out, $err) = $node->psql('postgres', "SET lock_timeout = '500ms'; SELECT $short");
like($err, qr/NOTICE:  waiting, for all 1 slots for training runs are taken/, 'who must wait is told so');
like($err, qr/canceling statement due to lock timeout/, 'lock_timeout ends the wait');
is($node->safe_psql('postgres', "SELECT state, phase, sqlstate FROM ml_jobs WHERE model = 'short'"), 'failed|start|55P03', 'with 55P03, and it is recorded');
($status, $out, $err) = $node->psql('postgres', "SET statement_timeout = '500ms'; SELECT $short");
like($err, qr/canceling statement due to statement timeout/, 'statement_timeout ends it as well');

my $leaves = session("SELECT $short");
wait_until("SELECT EXISTS (SELECT FROM ml_jobs WHERE model = 'short' AND state = 'running')");
$leaves->{handle}->kill_kill(grace => 0);
wait_until("SELECT state || ' ' || sqlstate = 'cancelled 08006' FROM ml_jobs WHERE model = 'short' ORDER BY job DESC LIMIT 1");
pass('who goes away while waiting is not waited for');

# two who wait: the first at the gate polls, the second queues behind it
my @waiting = map { session("SET lock_timeout = '20s'; SELECT version FROM ml_train('linear_regression', 't', 'y', model => 'w$_')") } (1 .. 2);
wait_until("SELECT count(*) = 2 FROM ml_jobs WHERE model IN ('w1', 'w2') AND state = 'running' AND phase = 'start'");
my $third = session("SET lock_timeout = '300ms'; SELECT version FROM ml_train('linear_regression', 't', 'y', model => 'w3')");
finish($third);
like($third->{err}, qr/lock timeout/, 'lock_timeout holds at the end of the queue, too');
$node->safe_psql('postgres', "SELECT ml_cancel(job) FROM ml_jobs WHERE model = 'long' AND state = 'running'");
finish($holder);
like($holder->{err}, qr/canceling statement due to user request/, 'the run that held the slot is cancelled');
finish($_) for @waiting;
is($waiting[0]->{out} . $waiting[1]->{out}, "1\n1\n", 'and those who waited have their turn');

# the slot is free when the run has ended, not at the end of the transaction
my $open = session("BEGIN; SELECT version FROM $short; SELECT pg_sleep(30)");
wait_until("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE '%pg_sleep(30)' AND wait_event = 'PgSleep')");
is($node->safe_psql('postgres', "SET lock_timeout = '1s'; SELECT version FROM ml_train('linear_regression', 't', 'y', model => 'beside')"), '1',
	'a transaction that goes on after its run holds no slot');
is($node->safe_psql('postgres', "SELECT state FROM ml_jobs WHERE model = 'short' ORDER BY job DESC LIMIT 1"), 'running',
	'its run is not over before the transaction is');
is($node->safe_psql('postgres', "SELECT ml_cancel(max(job)) FROM ml_jobs WHERE model = 'short'"), 'f', 'ml_cancel does not stop what the transaction does next');
$node->safe_psql('postgres', "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
finish($open);
wait_until("SELECT state = 'interrupted' FROM ml_jobs WHERE model = 'short' ORDER BY job DESC LIMIT 1");
pass('and was undone with it');

# -- one slot, queued: by priority, then by age

$node->safe_psql('postgres', q{SELECT ml_train_async('gbdt', 't', 'y', model => 'long', params => '{"num_iterations": 100000}')});
wait_until("SELECT EXISTS (SELECT FROM ml_jobs WHERE model = 'long' AND state = 'running')");
for my $one ([ 'low', -1 ], [ 'first', 0 ], [ 'second', 0 ], [ 'high', 5 ])
{
	$node->safe_psql('postgres', "SELECT ml_train_async('linear_regression', 't', 'y', model => '$one->[0]', priority => $one->[1])");
}
sleep(1);
is($node->safe_psql('postgres', "SELECT count(*) FROM ml_jobs WHERE state = 'queued'"), '4', 'jobs wait for the slot');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'mlplat dispatcher'"), '1', 'with one dispatcher');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'mlplat job'"), '1', 'and no worker before its time');
is($node->safe_psql('postgres', "SELECT ml_cancel(job) FROM ml_jobs WHERE model = 'second'"), 't', 'one of them is cancelled');
$node->safe_psql('postgres', "SELECT ml_cancel(job) FROM ml_jobs WHERE model = 'long' AND state = 'running'");
is($node->safe_psql('postgres', "SELECT string_agg(ml_wait(job, '60 s'), ',' ORDER BY model) FROM ml_jobs WHERE model IN ('low', 'first', 'second', 'high')"),
	'succeeded,succeeded,succeeded,cancelled', 'the others run');
is($node->safe_psql('postgres', "SELECT string_agg(model, ',' ORDER BY started_at) FROM ml_jobs WHERE model IN ('low', 'first', 'high')"),
	'high,first,low', 'in the order of priority and age');
wait_until("SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type LIKE 'mlplat%'");
pass('then nobody is left');

# -- a run that has the slot waits for a table of a transaction that waits for a slot

$node->safe_psql('postgres', 'CREATE TABLE u AS SELECT * FROM t');
my $signal = session('SELECT pg_advisory_lock(7); SELECT pg_sleep(60)');
$holder = session("SELECT $long");
wait_until("SELECT EXISTS (SELECT FROM ml_jobs WHERE model = 'long' AND state = 'running' AND phase = 'fit')");
$node->safe_psql('postgres', q{SELECT ml_train_async('linear_regression', 'u', 'y', model => 'crossed')});
my $crossing = session("BEGIN; LOCK TABLE u; SELECT pg_advisory_lock(7); SELECT $short");
wait_until("SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 7 AND NOT granted)");
$node->safe_psql('postgres', "SELECT ml_cancel(job) FROM ml_jobs WHERE model = 'long' AND state = 'running'");
finish($holder);
wait_until("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'mlplat job' AND wait_event_type = 'Lock')");
$node->safe_psql('postgres', "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
finish($crossing);
like($crossing->{err}, qr/ERROR:  deadlock detected.*DETAIL:  This transaction waits for a slot/s, 'who waits for a slot finds a deadlock with the run that has it');
is($node->safe_psql('postgres', "SELECT ml_wait(job, '30 s') FROM ml_jobs WHERE model = 'crossed'"), 'succeeded', 'and the other one goes on');
is($node->safe_psql('postgres', "SELECT sqlstate FROM ml_jobs WHERE model = 'short' ORDER BY job DESC LIMIT 1"), '40P01', 'it is recorded as such');

# -- many at once

$node->append_conf('postgresql.conf', 'mlplat.max_concurrent_jobs = 3');
$node->reload;
$node->safe_psql('postgres', q{SELECT count(ml_train_async('gbdt', 't', 'y', model => 'many', params => '{"num_iterations": 50}')) FROM generate_series(1, 40)});
my $most = 0;
for (1 .. 600)
{
	my ($running, $open) = split(/\|/, $node->safe_psql('postgres',
			"SELECT (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 19788 AND database = 0 AND classid = 1 AND granted),
			(SELECT count(*) FROM ml_jobs WHERE model = 'many' AND state IN ('queued', 'running'))"));
	$most = $running if $running > $most;
	last if $open == 0;
	sleep(0.05);
}
is($node->safe_psql('postgres', "SELECT count(*), count(DISTINCT version) FROM ml_jobs WHERE model = 'many' AND state = 'succeeded'"), '40|40',
	'40 jobs of one transaction all run, each a version of its own');
cmp_ok($most, '<=', 3, "never more than three at once (seen: $most)");

# -- no worker of the server is free

$node->append_conf('postgresql.conf', 'max_worker_processes = 0');
$node->restart;
is($node->safe_psql('postgres', "SELECT version FROM ml_train('linear_regression', 't', 'y', model => 'alone')"), '1', 'without any worker the session computes');
is($node->safe_psql('postgres', "SELECT state, version FROM ml_jobs WHERE model = 'alone'"), 'succeeded|1', 'the success is recorded nevertheless');
($status, $out, $err) = $node->psql('postgres', '\set VERBOSITY verbose' . "\nSET mlplat.execution = worker;\nSELECT version FROM $short");
like($err, qr/ERROR:  53400: no background worker is free to train in.*HINT:  Increase max_worker_processes/s, 'mlplat.execution = worker: 53400 with a hint');
my $log_before = -s $node->logfile;
($status, $out, $err) = $node->psql('postgres', "SELECT ml_train_async('linear_regression', 't', 'y', model => 'later')");
is($status, 0, 'queueing works');
like($err, qr/WARNING:  the training run stays queued, for no background worker is free/, 'with a warning');
is($node->safe_psql('postgres', "SELECT state FROM ml_jobs WHERE model = 'later'"), 'queued', 'it stays queued');
is($node->safe_psql('postgres', "SELECT ml_wait(job, '2 s') FROM ml_jobs WHERE model = 'later'"), 'queued', 'waiting does not help yet');
like(slurp_file($node->logfile), qr/LOG:  mlplat: run of job \d+ is not recorded, for no background worker is free/, 'a run without a record is a line in the log');
cmp_ok(-s $node->logfile, '<', $log_before + 20000, 'and nobody tries in a busy loop');
$node->append_conf('postgresql.conf', 'max_worker_processes = 8');
$node->restart;
is($node->safe_psql('postgres', "SELECT state FROM ml_jobs WHERE model = 'later'"), 'queued', 'after a restart it is still there');
is($node->safe_psql('postgres', "SELECT ml_wait(job, '30 s') FROM ml_jobs WHERE model = 'later'"), 'succeeded', 'and the next call about jobs starts it');

$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal|TRAP:|XX000/, 'no crash and no internal error');
done_testing();

sub wait_until
{
	my ($question) = @_;
	$node->poll_query_until('postgres', $question) or die "never true: $question";
	return;
}

sub session
{
	my ($sql) = @_;
	my %session = (out => '', err => '');
	$session{handle} = IPC::Run::start([ 'psql', '-X', '-q', '-A', '-t', '-d', $node->connstr('postgres'), map { ('-c', $_) } split(/; /, $sql) ],
		'<', \undef, '>', \$session{out}, '2>', \$session{err});
	return \%session;
}

sub finish
{
	my ($session) = @_;
	$session->{handle}->finish;
	return;
}
