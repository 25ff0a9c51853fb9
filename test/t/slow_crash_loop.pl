# Twenty crashes at moments nobody chose: SIGKILL for a random process of a busy server, or an immediate stop of all of it.
# After each, what was committed is there to the bit, nothing half made is, no run stays "running" and training works.
# The seed is printed; MLPLAT_SEED repeats a run.
use strict;
use warnings;
use IPC::Run;
use MlplatNode;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

my $ROUNDS = 20;
my $seed = $ENV{MLPLAT_SEED} // time;
srand $seed;
note("MLPLAT_SEED=$seed");

my $node = MlplatNode::start('crashes', data => 1, customers => 20000, conf => <<'CONF');
shared_preload_libraries = 'mlplat'
restart_after_crash = on
fsync = on
mlplat.retry_wait = 1s
max_worker_processes = 12
CONF

$node->safe_psql('postgres', q{
	SELECT * FROM ml_train('gbdt', 'customers', 'churned', model => 'kept', id => 'id', params => '{"num_iterations": 20}');
	SELECT * FROM ml_train('linear_regression', 'diabetes', 'progression', model => 'line');
	CREATE TABLE was AS SELECT id, ml_predict_proba('kept', c) AS p FROM customers c});

# What is always going on: synchronous runs that commit versions, queued runs, deploys, predictions.
my @work = (
	q{SELECT * FROM ml_train('gbdt', 'customers', 'churned', model => 'busy', id => 'id', deploy => 'always', params => '{"num_iterations": 60}')},
	q{SELECT ml_train_async('gbdt', 'customers', 'churned', model => 'queued', id => 'id', params => '{"num_iterations": 60}')},
	q{SELECT ml_deploy('busy'); SELECT ml_rollback('busy')},
	q{SELECT sum(ml_predict_proba('kept', c)) FROM customers c});

for my $round (1 .. $ROUNDS)
{
	my @sessions = map { start_work($_) } @work, $work[0];
	sleep(0.2 + rand 1.5);
	my $victim = crash();
	for my $session (@sessions)
	{
		eval { $session->finish };		# its server is gone
	}
	up_again();
	my $wrong = wrong();
	is($wrong, '', "round $round, $victim: all is well");
	last if $wrong ne '';
}
$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP:|signal 11|signal 6/, 'no crash but those that were made');
done_testing();

# A client that repeats one statement until its server goes away.
sub start_work
{
	my ($sql) = @_;
	my ($in, $out) = ("$sql;\n" x 200, '');

	return IPC::Run::start([ 'psql', '-X', '-q', '-d', $node->connstr('postgres') ], '<', \$in, '>&', \$out, IPC::Run::timeout(120));
}

sub crash
{
	if (rand() < 0.2)
	{
		$node->stop('immediate');
		return 'an immediate stop';
	}
	my @processes = split /\n/, $node->safe_psql('postgres', q{
		SELECT pid || ' ' || coalesce(nullif(application_name, ''), backend_type) FROM pg_stat_activity
		WHERE pid <> pg_backend_pid() AND backend_type NOT IN ('logical replication launcher')});
	# Every other time one of those that this is about.
	my @ours = grep { /mlplat (?:train|job)|slow_crash/ } @processes;
	@processes = @ours if @ours && rand() < 0.5;
	my ($pid, $name) = split / /, $processes[ rand @processes ], 2;
	kill 'KILL', $pid;
	return "killed $name";
}

sub up_again
{
	$node->start unless -e $node->data_dir . '/postmaster.pid';
	for (1 .. 600)
	{
		return if system('pg_isready', '-q', '-d', $node->connstr('postgres')) == 0;
		sleep 0.1;
	}
	die "the server does not come back\n";
}

# '' or what is not as it should be
sub wrong
{
	my @checks = (
		[ 'predictions changed', q{SELECT count(*) FROM customers c JOIN was USING (id) WHERE ml_predict_proba('kept', c) IS DISTINCT FROM p} ],
		[ 'versions without an image', q{SELECT count(*) FROM mlplat.version v WHERE NOT EXISTS (SELECT FROM mlplat.chunk c WHERE c.version_id = v.version_id)} ],
		[ 'images without a version', q{SELECT count(*) FROM mlplat.chunk c WHERE NOT EXISTS (SELECT FROM mlplat.version v WHERE c.version_id = v.version_id)} ],
		[ 'aliases that point nowhere', q{SELECT count(*) FROM ml_models WHERE production_version IS NOT NULL AND NOT EXISTS (
			SELECT FROM ml_versions v WHERE v.model = ml_models.model AND v.version = production_version)} ],
		[ 'images that do not add up', q{SELECT count(*) FROM ml_versions v WHERE ml_predict_proba(v.model || '@' || v.version, (SELECT c FROM customers c LIMIT 1)) IS NULL AND v.model <> 'line'} ],
		[ 'succeeded runs without a version', q{SELECT count(*) FROM ml_jobs j WHERE state = 'succeeded' AND NOT EXISTS (
			SELECT FROM ml_versions v WHERE v.model = j.model AND v.version = j.version)} ],
		[ 'runs of dead processes that show as running', q{SELECT count(*) FROM ml_jobs WHERE state = 'running' AND model = 'busy'} ],
		[ 'a new run', q{SELECT count(*) - 1 FROM ml_train('linear_regression', 'diabetes', 'progression', model => 'line')} ]);
	my @wrong;

	for my $check (@checks)
	{
		my ($status, $out, $err) = $node->psql('postgres', $check->[1]);
		push @wrong, "$check->[0]: " . ($err || $out) if $status || $out ne '0';
	}
	return join '; ', @wrong;
}
