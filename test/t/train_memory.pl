# Little memory: a limit on the server's address space.  A run ends with 53200 or 53400, never by hanging inside a
# library, and the session, the server and the next run are as well as before.
use strict;
use warnings;
use IPC::Run;
use MlplatNode;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my $node = MlplatNode::start('memory', conf => "mlplat.threads = 2\nshared_buffers = 16MB\nmax_connections = 20\nstatement_timeout = 60s");

$node->safe_psql('postgres', <<'SQL');
CREATE TABLE t AS SELECT i AS id, i % 97 AS a, (i * 31) % 1009 / 10.0::float8 AS b, i % 2 = 0 AS flag,
	3 * (i % 97) + (i * 7) % 13 / 10.0 AS y FROM generate_series(1, 5000) i;
CREATE TABLE wide AS SELECT i AS id, (SELECT array_agg(((i * j) % 1013)::float8) FROM generate_series(1, 60) j) AS x, i % 97 AS y FROM generate_series(1, 100000) i;
ANALYZE;
SQL

# -- the budget of a run

for my $mode ('worker', 'foreground')
{
	my ($status, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\nSET mlplat.execution = $mode;\nSET mlplat.max_training_memory = '4MB';\nSELECT ml_train('linear_regression', 'wide', 'y', features => '{x}')");
	like($err, qr/ERROR:  53400: training would need about \d+ MB, more than mlplat.max_training_memory \(4 MB\) allows/, "refused beforehand, $mode");

	# A function says it gives ten rows and gives many: the planner is wrong, the budget is not.
	$node->safe_psql('postgres', q{CREATE OR REPLACE FUNCTION surprise() RETURNS TABLE (id int, a float8, b float8, y float8) LANGUAGE plpgsql PARALLEL SAFE ROWS 10
		AS 'BEGIN RETURN QUERY SELECT i, i::float8, i::float8, i::float8 FROM generate_series(1, 1000000) i; END'});
	($status, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\nSET mlplat.execution = $mode;\nSET mlplat.max_training_memory = '8MB';\nSELECT ml_train('linear_regression', 'SELECT * FROM surprise()', 'y', model => 'm')");
	like($err, qr/ERROR:  53400: /, "stopped when the budget is used up, $mode");
	is($node->safe_psql('postgres', "SELECT sqlstate FROM ml_jobs ORDER BY job DESC LIMIT 1"), '53400', "and recorded, $mode");
}

# -- a session that computed itself and was stopped gives its memory back

my %session = (out => '', err => '');
$session{handle} = IPC::Run::start([ 'psql', '-X', '-q', '-A', '-t', '-d', $node->connstr('postgres') . ' application_name=resident', map { ('-c', $_) }
	  ('SET mlplat.execution = foreground', "SET statement_timeout = '3s'", q{SELECT ml_train('gbdt', 'wide', 'y', model => 'm', params => '{"num_iterations": 20000, "max_bin": 300}')},
		'SET statement_timeout = 0', 'SELECT pg_sleep(60)') ], '<', \undef, '>', \$session{out}, '2>', \$session{err});
$node->poll_query_until('postgres', "SELECT EXISTS (SELECT FROM ml_jobs WHERE model = 'm' AND state = 'running' AND phase = 'fit')") or die 'never computing';
my $pid = $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE application_name = 'resident'");
my $during = resident($pid);
$node->poll_query_until('postgres', "SELECT query LIKE '%pg_sleep%' FROM pg_stat_activity WHERE pid = $pid") or die 'never stopped';
my $after = resident($pid);
cmp_ok($during, '>', 60, sprintf('%.0f MB while it computes', $during));
cmp_ok($after, '<', $during - 40, sprintf('%.0f MB after it was stopped', $after));
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
eval { $session{handle}->finish };

# -- the address space of each process

$node->stop;
my $enough = 0;
for my $megabytes (190, 220, 300, 420, 700)
{
	start_with($megabytes);
	for my $mode ('worker', 'foreground')
	{
		for my $call (
			[ 'linear_regression', q{ml_train('linear_regression', 't', 'y', model => 'small')} ],
			[ 'logistic_regression', q{ml_train('logistic_regression', 't', 'flag', model => 'small2')} ],
			[ 'gbdt', q{ml_train('gbdt', 't', 'y', model => 'small3', params => '{"num_iterations": 5}')} ],
			[ 'much data', q{ml_train('gbdt', 'wide', 'y', model => 'small4', params => '{"num_iterations": 2}')} ])
		{
			my $began = time;
			my ($status, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\nSET mlplat.execution = $mode;\nSELECT version > 0 FROM $call->[1]");
			my ($code) = $err =~ /ERROR:  (\w+):/;
			my $ended = $status == 0 ? 'trained' : ($code // "nothing: $err");
			$enough++ if $status == 0;
			like($ended, qr/^(trained|53200|53400)$/, "$megabytes MB, $mode, $call->[0]: $ended");
			cmp_ok(time - $began, '<', 30, 'in time');
		}
	}
	is($node->safe_psql('postgres', 'SELECT count(*) FROM t'), '5000', 'the server goes on');
	is($node->safe_psql('postgres', "SELECT count(*) FROM ml_jobs WHERE state IN ('queued', 'running')"), '0', 'no run is left');
	$node->stop;
}
cmp_ok($enough, '>', 0, "with enough of it they train ($enough times)");

my $log = slurp_file($node->logfile);
unlike($log, qr/PANIC|terminated by signal|TRAP:|XX000/, 'no crash and no internal error');
done_testing();

# Megabytes of private memory of a process.
sub resident
{
	my ($process) = @_;
	my ($kilobytes) = slurp_file("/proc/$process/status") =~ /^RssAnon:\s*(\d+) kB/m;
	return $kilobytes / 1024;
}

# Starts the server with a limit on the address space of each of its processes.
sub start_with
{
	my ($megabytes) = @_;
	my $kilobytes = $megabytes * 1024;

	system_or_bail('sh', '-c', "ulimit -v $kilobytes; exec pg_ctl -w -D " . $node->data_dir . ' -l ' . $node->logfile . ' start >/dev/null');
	$node->_update_pid(1);
	return;
}
