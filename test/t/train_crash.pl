# Crashes: a killed worker, a killed session, a killed postmaster, a stopped server.  No committed model is lost, nothing
# is half made, no run stays "running", and what a crash ended is tried again only after a while and not for ever.
use strict;
use warnings;
use IPC::Run;
use MlplatNode;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my $node = MlplatNode::start('crash', conf => <<'CONF');
shared_preload_libraries = 'mlplat'
restart_after_crash = on
fsync = on
mlplat.retry_wait = 2s
max_worker_processes = 12
CONF

$node->safe_psql('postgres', <<'SQL');
CREATE TABLE t AS SELECT i AS id, i % 97 AS a, (i * 31) % 1009 / 10.0::float8 AS b,
	3 * (i % 97) + (i * 7) % 13 / 10.0 AS y FROM generate_series(1, 5000) i;
SELECT version FROM ml_train('gbdt', 't', 'y', model => 'served', id => 'id', params => '{"num_iterations": 20}');
CREATE TABLE was AS SELECT id, ml_predict('served', t) AS prediction FROM t;
SQL
my $slow = q{ml_train('gbdt', 't', 'y', model => 'served', params => '{"num_iterations": 100000}')};
my $slow_async = q{ml_train_async('gbdt', 't', 'y', model => 'queued', params => '{"num_iterations": 100000}')};

is($node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'mlplat launcher' AND datname IS NULL"), '1',
	'the launcher runs, connected to no database');

# -- SIGKILL for the worker of a session, and for the session itself

for my $victim ([ 'the worker', "application_name = 'mlplat train served'" ], [ 'the session', "query LIKE 'SELECT ml_train(%'" ])
{
	my $session = session("SELECT $slow");
	wait_until("SELECT EXISTS (SELECT FROM ml_jobs WHERE model = 'served' AND state = 'running' AND phase = 'fit')");
	my $job = $node->safe_psql('postgres', "SELECT job FROM ml_jobs WHERE model = 'served' AND state = 'running'");
	kill_one($victim->[1]);
	eval { $session->{handle}->finish };
	up_again();
	is($node->safe_psql('postgres', "SELECT state, version FROM ml_jobs WHERE job = $job"), 'interrupted|', "$victim->[0] killed: the run was interrupted");
	intact("$victim->[0] killed");
}

# -- SIGKILL for the worker of a queued run: counted, waited out, tried again, given up

my $job = $node->safe_psql('postgres', "SELECT $slow_async");
my @started;
for my $attempt (1 .. 3)
{
	wait_until("SELECT EXISTS (SELECT FROM ml_jobs WHERE job = $job AND state = 'running' AND phase = 'fit')");
	is($node->safe_psql('postgres', "SELECT attempts FROM mlplat.job WHERE job = $job"), $attempt, "attempt $attempt is counted before its work");
	push @started, $node->safe_psql('postgres', "SELECT extract(epoch FROM started_at) FROM mlplat.job WHERE job = $job");
	kill_one("backend_type = 'mlplat job'");
	up_again();
	is($node->safe_psql('postgres', "SELECT state FROM ml_jobs WHERE job = $job"), 'interrupted', "attempt $attempt: interrupted");
}
cmp_ok($started[1] - $started[0], '>=', 2, 'the second waited for mlplat.retry_wait');
cmp_ok($started[2] - $started[1], '>=', 4, 'the third twice as long');
wait_until("SELECT EXISTS (SELECT FROM mlplat.job_end WHERE job = $job)");
sleep(7);
is($node->safe_psql('postgres', "SELECT state, (SELECT attempts FROM mlplat.job j WHERE j.job = s.job) FROM ml_jobs s WHERE job = $job"), 'interrupted|3', 'there is no fourth');
my $other = $node->safe_psql('postgres', "SELECT ml_train_async('linear_regression', 't', 'y', model => 'other')");
is($node->safe_psql('postgres', "SELECT ml_wait($other, '30 s')"), 'succeeded', 'other jobs run');
intact('a worker that always crashes');

# -- the server is stopped while four runs are under way

my @jobs = map { $node->safe_psql('postgres', "SELECT $slow_async") } (1 .. 4);
wait_until("SELECT count(*) = 4 FROM ml_jobs WHERE state = 'running'");
my $began = time;
$node->stop('fast');
my $took = time - $began;
cmp_ok($took, '<', 5, sprintf('stop -m fast with four runs took %.1f s', $took));
$node->append_conf('postgresql.conf', 'mlplat.retry_wait = 600s');
$node->start;
is($node->safe_psql('postgres', "SELECT string_agg(DISTINCT state, ',') FROM ml_jobs WHERE job IN (" . join(',', @jobs) . ')'), 'interrupted', 'they are interrupted');
is($node->safe_psql('postgres', "SELECT string_agg(ml_cancel(job)::text, ',') FROM ml_jobs WHERE job IN (" . join(',', @jobs) . ')'),
	'true,true,true,true', 'and can be cancelled before they are tried again');
is($node->safe_psql('postgres', "SELECT string_agg(DISTINCT state, ',') FROM ml_jobs WHERE job IN (" . join(',', @jobs) . ')'), 'cancelled', 'which is their end');

# -- queued when the server stops: started by the launcher afterwards, without a call

$node->safe_psql('postgres', q{BEGIN; SELECT ml_train_async('linear_regression', 't', 'y', model => 'kept'); COMMIT});
$node->safe_psql('postgres', 'CREATE DATABASE second');
$node->safe_psql('second', 'CREATE EXTENSION mlplat; CREATE TABLE t AS SELECT i AS id, i % 7 AS a, i % 5 AS y FROM generate_series(1, 500) i');
$node->append_conf('postgresql.conf', 'max_worker_processes = 1');    # the launcher alone
$node->restart;
my $waits = $node->safe_psql('second', q{SELECT ml_train_async('linear_regression', 't', 'y', model => 'waits')});
sleep(1);
is($node->safe_psql('second', "SELECT state FROM ml_jobs WHERE job = $waits"), 'queued', 'without workers a job stays queued');
$node->append_conf('postgresql.conf', 'max_worker_processes = 12');
$node->restart;
$node->poll_query_until('second', "SELECT EXISTS (SELECT FROM mlplat.job_end WHERE job = $waits AND state = 'succeeded')")
  or die 'never started';
pass('the launcher visits each database after a start');

# -- SIGKILL for the postmaster at random moments around commits of models

for my $round (1 .. 8)
{
	my $session = session(join('; ', map { "SELECT version FROM ml_train('gbdt', 't', 'y', model => 'r$round', id => 'id', params => '{\"num_iterations\": 5}', deploy => 'always')" } (1 .. 200)));
	sleep(0.15 + rand(0.6));
	kill_postmaster();
	eval { $session->{handle}->finish };
	$node->start;
	my $acknowledged = () = $session->{out} =~ /^\d+$/mg;
	my $there = $node->safe_psql('postgres', "SELECT count(*) FROM ml_versions WHERE model = 'r$round'");
	ok($there == $acknowledged || $there == $acknowledged + 1, "round $round: $acknowledged versions were acknowledged, $there are there");
	intact("round $round");
}

is($node->safe_psql('postgres', "SELECT count(*) FROM ml_jobs WHERE state = 'running'"), '0', 'no run is said to be running');
my $log = slurp_file($node->logfile);
unlike($log, qr/PANIC|TRAP:|XX000/, 'no internal error');
my @signals = $log =~ /terminated by signal (\d+)/g;
is_deeply([ grep { $_ != 9 } @signals ], [], 'no process died of anything but our SIGKILL');
$node->stop;
done_testing();

# Every stored image is whole, every version has its parts, the model in production predicts as before.
sub intact
{
	my ($when) = @_;
	is($node->safe_psql('postgres', <<'SQL'), '0', "$when: every image is whole");
SELECT count(*) FROM mlplat.version v LEFT JOIN LATERAL
	(SELECT encode(sha256(string_agg(data, '' ORDER BY chunk)), 'hex') AS checksum, sum(length(data)) AS bytes FROM mlplat.chunk c WHERE c.version_id = v.version_id) c ON true
WHERE c.checksum IS DISTINCT FROM v.checksum OR c.bytes IS DISTINCT FROM v.bytes
	OR NOT EXISTS (SELECT FROM mlplat.metric m WHERE m.version_id = v.version_id)
SQL
	is($node->safe_psql('postgres', "SELECT count(*) FROM t JOIN was USING (id) WHERE ml_predict('served', t) IS DISTINCT FROM prediction"), '0',
		"$when: the model in production predicts as before, to the bit");
	is($node->safe_psql('postgres', "SELECT count(*) FROM mlplat.model m WHERE last_version <> (SELECT count(*) FROM mlplat.version v WHERE v.model_id = m.model_id)"), '0',
		"$when: no version is half made");
	return;
}

sub kill_one
{
	my ($which) = @_;
	my $pid = $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE $which AND pid <> pg_backend_pid() LIMIT 1");
	die "nobody to kill: $which" unless $pid =~ /^\d+$/;
	kill 9, $pid;
	sleep(0.2);
	return;
}

# In a container nobody may collect dead processes, and PostgreSQL takes a dead postmaster that is still listed for a
# living one: its lock files go once it is dead and all its children have let go of the shared memory.
sub kill_postmaster
{
	my $pid = (split(/\n/, slurp_file($node->data_dir . '/postmaster.pid')))[0];

	$node->kill9;
	for (1 .. 100)
	{
		my $state = -e "/proc/$pid/stat" ? slurp_file("/proc/$pid/stat") : 'Z';
		my $data = $node->data_dir;
		last if $state =~ /\) Z|^Z/ && !grep { (readlink($_) // '') eq $data } glob('/proc/[0-9]*/cwd');
		sleep(0.1);
	}
	unlink($node->data_dir . '/postmaster.pid', $node->host . '/.s.PGSQL.' . $node->port . '.lock');
	return;
}

# The answer, or nothing while the server is not there.
sub ask
{
	my ($question) = @_;
	my ($out, $err) = ('', '');
	my $good = IPC::Run::run([ 'psql', '-X', '-q', '-A', '-t', '-d', $node->connstr('postgres'), '-c', $question ], '<', \undef, '>', \$out, '2>', \$err);
	chomp $out;
	return $good ? $out : '';
}

sub wait_until
{
	my ($question) = @_;
	for (1 .. 1200)
	{
		return if ask($question) eq 't';
		sleep(0.1);
	}
	die "never true: $question";
}

sub up_again
{
	wait_until('SELECT true');
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
