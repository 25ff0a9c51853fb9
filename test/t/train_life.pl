# Training and the life of what is around it: the extension, the database, the launcher, roles, dumps, a standby, threads.
use strict;
use warnings;
use IPC::Run;
use MlplatNode;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my $node = MlplatNode::start('life', init => [ allows_streaming => 1 ], conf => "shared_preload_libraries = 'mlplat'\nmlplat.threads = 3\nmlplat.max_training_memory = 8GB\nmax_worker_processes = 12");
my $table = q{CREATE TABLE t AS SELECT i AS id, i % 97 AS a, (i * 31) % 1009 / 10.0::float8 AS b,
	3 * (i % 97) + (i * 7) % 13 / 10.0 AS y FROM generate_series(1, 5000) i};
my $slow = q{('gbdt', 't', 'y', model => 'slow', params => '{"num_iterations": 500000}')};

$node->safe_psql('postgres', $table);

# -- threads of a training process have all signals blocked: no handler of the server ever runs on them

my $job = $node->safe_psql('postgres', "SELECT ml_train_async$slow");
wait_until('postgres', "SELECT state = 'running' AND phase = 'fit' FROM ml_jobs WHERE job = $job");
my $pid = $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type = 'mlplat job'");
my ($threads, $open) = (0, 0);
for my $status (glob("/proc/$pid/task/*/status"))
{
	next if $status eq "/proc/$pid/task/$pid/status";
	my ($mask) = slurp_file($status) =~ /^SigBlk:\s*([0-9a-f]+)/m;
	$threads++;
	# SIGHUP 1, SIGINT 2, SIGQUIT 3, SIGUSR1 10, SIGUSR2 12, SIGALRM 14, SIGTERM 15, SIGCHLD 17
	$open++ if grep { !(hex(substr($mask, -8)) & (1 << ($_ - 1))) } (1, 2, 3, 10, 12, 14, 15, 17);
}
cmp_ok($threads, '>=', 2, 'the run has threads');
is($open, 0, 'all of them with signals blocked');

# -- the launcher: SIGTERM, and again by itself

my $launcher = $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type = 'mlplat launcher'");
$node->safe_psql('postgres', "SELECT pg_terminate_backend($launcher)");
my $meanwhile = $node->safe_psql('postgres', "SELECT ml_train_async('linear_regression', 't', 'y', model => 'meanwhile')");
is($node->safe_psql('postgres', "SELECT ml_wait($meanwhile, '30 s')"), 'succeeded', 'without a launcher jobs start all the same');
wait_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'mlplat launcher' AND pid <> $launcher");
pass('the launcher is back');
is($node->safe_psql('postgres', "SELECT state FROM ml_jobs WHERE job = $job"), 'running', 'a run under way did not notice');

# -- a dump carries the records; what was queued or running is over where it is restored, also within the same server

my $queued = $node->safe_psql('postgres', "SELECT ml_train_async('linear_regression', 't', 'y', model => 'queued')");
$node->safe_psql('postgres', "SELECT ml_wait($queued, '30 s')");
$node->append_conf('postgresql.conf', 'mlplat.max_concurrent_jobs = 1');
$node->reload;
wait_until('postgres', "SELECT setting = '1' FROM pg_settings WHERE name = 'mlplat.max_concurrent_jobs'");
my $waiting = $node->safe_psql('postgres', "SELECT ml_train_async('linear_regression', 't', 'y', model => 'waiting')");
is($node->safe_psql('postgres', "SELECT state FROM ml_jobs WHERE job = $waiting"), 'queued', 'one job waits');
my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump';
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, '-d', $node->connstr('postgres') ], 'pg_dump while one job runs and one waits');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'pg_restore', '-d', $node->connstr('restored'), $dump ], 'pg_restore');
is($node->safe_psql('restored', "SELECT string_agg(model || ' ' || state, ', ' ORDER BY job) FROM ml_jobs WHERE job IN ($job, $queued, $waiting)"),
	'slow interrupted, queued succeeded, waiting interrupted', 'restored: what had not ended is interrupted');
my $next = $node->safe_psql('restored', "SELECT max(job) < nextval('mlplat.job_job_seq') FROM mlplat.job");
is($next, 't', 'job numbers go on');
$node->append_conf('postgresql.conf', 'mlplat.max_concurrent_jobs = 4');
$node->reload;
is($node->safe_psql('postgres', "SELECT ml_wait($waiting, '30 s')"), 'succeeded', 'more slots after a reload, and the job that waited runs');
sleep(1);
is($node->safe_psql('restored', "SELECT count(*) FROM ml_models WHERE model = 'waiting'"), '0', 'nothing of it was started where it was restored');

# -- DROP EXTENSION while a queued run computes: it stops, and nobody starts another

my $extension_job = $node->safe_psql('restored', "SELECT ml_train_async$slow");
wait_until('restored', "SELECT state = 'running' AND phase = 'fit' FROM ml_jobs WHERE job = $extension_job");
$node->safe_psql('restored', 'DROP EXTENSION mlplat CASCADE');
wait_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = 'restored'");
like(slurp_file($node->logfile), qr/LOG:  mlplat: job $extension_job: training of "slow" stopped, for the extension was dropped/, 'DROP EXTENSION stops a queued run');
$node->safe_psql('restored', 'CREATE EXTENSION mlplat');
is($node->safe_psql('restored', 'SELECT count(*) FROM ml_jobs'), '0', 'created again it is empty');
is($node->safe_psql('restored', "SELECT version FROM ml_train('linear_regression', 't', 'y', model => 'new')"), '1', 'and works');

# a synchronous run is in the way of DROP EXTENSION like any statement that uses it
my $sync = session('restored', "SELECT ml_train$slow");
wait_until('restored', "SELECT EXISTS (SELECT FROM ml_jobs WHERE model = 'slow' AND state = 'running' AND phase = 'fit')");
my ($status, $out, $err) = $node->psql('restored', "SET lock_timeout = '500ms'; DROP EXTENSION mlplat CASCADE");
like($err, qr/canceling statement due to lock timeout/, 'DROP EXTENSION waits for a synchronous run');
$node->safe_psql('restored', "SELECT ml_cancel(job) FROM ml_jobs WHERE state = 'running'");
$sync->{handle}->finish;

# -- DROP DATABASE of another database waits until each process of the server has let go of its files: so must a run

for my $mode ('worker', 'foreground')
{
	my $run = session('postgres', "SET mlplat.execution = $mode; SELECT ml_train" . $slow =~ s/'slow'/'$mode'/r);
	wait_until('postgres', "SELECT EXISTS (SELECT FROM ml_jobs WHERE model = '$mode' AND state = 'running' AND phase = 'fit')");
	my $began = time;
	$node->safe_psql('postgres', 'CREATE DATABASE passing');
	$node->safe_psql('postgres', 'DROP DATABASE passing');
	cmp_ok(time - $began, '<', 4, "CREATE and DROP DATABASE do not wait for a run, $mode");
	$node->safe_psql('postgres', "SELECT ml_cancel(job) FROM ml_jobs WHERE model = '$mode' AND state = 'running'");
	$run->{handle}->finish;
}

# -- DROP DATABASE

my $database_job = $node->safe_psql('restored', "SELECT ml_train_async$slow");
wait_until('restored', "SELECT state = 'running' FROM ml_jobs WHERE job = $database_job");
($status, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\nDROP DATABASE restored");
like($err, qr/ERROR:  55006: database "restored" is being accessed by other users/, 'DROP DATABASE with a run in it is 55006');
my $began = time;
$node->safe_psql('postgres', 'DROP DATABASE restored WITH (FORCE)');
cmp_ok(time - $began, '<', 5, 'with FORCE it works');
$node->safe_psql('postgres', 'CREATE DATABASE idle');
$node->safe_psql('idle', "CREATE EXTENSION mlplat; $table");
my $idle_job = $node->safe_psql('idle', "SELECT ml_train_async('linear_regression', 't', 'y', model => 'm')");
$node->safe_psql('idle', "SELECT ml_wait($idle_job, '30 s')");
wait_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = 'idle'");
$node->safe_psql('postgres', 'CREATE DATABASE copied TEMPLATE idle');
is($node->safe_psql('copied', 'SELECT count(*) FROM ml_jobs'), '1', 'where nothing runs, a database can be copied');
$node->safe_psql('postgres', 'ALTER DATABASE copied RENAME TO renamed');
$node->safe_psql('postgres', 'DROP DATABASE renamed');
$node->safe_psql('postgres', 'DROP DATABASE idle');
pass('renamed and dropped');

# -- a standby shows runs and models, and trains nothing

$node->backup('copy');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'copy', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);
is($standby->safe_psql('postgres', "SELECT state FROM ml_jobs WHERE job = $waiting"), 'succeeded', 'a standby shows how runs ended');
is($standby->safe_psql('postgres', "SELECT state FROM ml_jobs WHERE job = $job"), 'running', 'and takes those without an end for running');
is($standby->safe_psql('postgres', "SELECT count(*) FROM t WHERE ml_predict('waiting', t) IS NULL"), '0', 'models predict there');
for my $call ("ml_train('linear_regression', 't', 'y')", "ml_train_async('linear_regression', 't', 'y')", "ml_retrain('waiting')", "ml_cancel($job)")
{
	($status, $out, $err) = $standby->psql('postgres', "\\set VERBOSITY verbose\nSELECT $call");
	like($err, qr/ERROR:  25006: /, "$call is refused with 25006");
}
$standby->promote;
is($standby->safe_psql('postgres', "SELECT state FROM ml_jobs WHERE job = $job"), 'interrupted', 'promoted: nobody runs it here');
is($standby->safe_psql('postgres', "SELECT version FROM ml_train('linear_regression', 't', 'y', model => 'waiting')"), '2', 'and training goes on');
$standby->stop;

# -- the owner of a job that waits loses the right to log in

$node->safe_psql('postgres', "SELECT ml_cancel($job)");
$node->safe_psql('postgres', 'CREATE ROLE anna LOGIN; GRANT SELECT ON t TO anna');
my $hers = $node->safe_psql('postgres', "BEGIN; SET LOCAL ROLE anna; SELECT ml_train_async('linear_regression', 't', 'y', model => 'hers'); RESET ROLE; ALTER ROLE anna NOLOGIN; COMMIT");
is($node->safe_psql('postgres', "SELECT ml_wait($hers, '30 s')"), 'failed', 'a job whose owner may not log in any more fails');
is($node->safe_psql('postgres', "SELECT sqlstate FROM ml_jobs WHERE job = $hers"), '28000', 'with 28000');
# or may not connect to the database: its worker cannot start, which is counted and waited out
$node->safe_psql('postgres', 'ALTER ROLE anna LOGIN; REVOKE CONNECT ON DATABASE postgres FROM PUBLIC');
$hers = $node->safe_psql('postgres', "BEGIN; SET LOCAL ROLE anna; SELECT ml_train_async('linear_regression', 't', 'y', model => 'hers'); COMMIT");
wait_until('postgres', "SELECT attempts = 1 AND not_before > now() FROM mlplat.job WHERE job = $hers");
is($node->safe_psql('postgres', "SELECT state FROM ml_jobs WHERE job = $hers"), 'interrupted', 'a worker that cannot connect is an attempt');
is($node->safe_psql('postgres', "SELECT ml_cancel($hers)"), 't', 'it can be cancelled');

# -- records are kept for 90 days

$node->safe_psql('postgres', "UPDATE mlplat.job_end SET finished_at = finished_at - interval '91 days' WHERE job = $waiting");
$node->safe_psql('postgres', "SELECT version FROM ml_train('linear_regression', 't', 'y', model => 'waiting')");
wait_until('postgres', "SELECT NOT EXISTS (SELECT FROM mlplat.job_end WHERE job = $waiting) AND NOT EXISTS (SELECT FROM mlplat.job WHERE job = $waiting)");
is($node->safe_psql('postgres', "SELECT count(*) FROM ml_jobs WHERE job = $meanwhile"), '1', 'an old record goes, a younger one stays');

$node->stop;
my $log = slurp_file($node->logfile);
unlike($log, qr/PANIC|terminated by signal|TRAP:|XX000/, 'no crash and no internal error');
done_testing();

sub wait_until
{
	my ($database, $question) = @_;
	$node->poll_query_until($database, $question) or die "never true: $question";
	return;
}

sub session
{
	my ($database, $sql) = @_;
	my %session = (out => '', err => '');
	$session{handle} = IPC::Run::start([ 'psql', '-X', '-q', '-A', '-t', '-d', $node->connstr($database), map { ('-c', $_) } split(/; /, $sql) ], '<', \undef, '>', \$session{out}, '2>', \$session{err});
	return \%session;
}
