# Every method does everything the platform offers, without a special case: a new line in methods.def is tested here by itself.
use strict;
use warnings;
use MlplatNode;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $node = MlplatNode::start('matrix');
my %target = (regression => "'y'", classification => "'kind'", clustering => 'NULL', dimension_reduction => 'NULL', anomaly_detection => 'NULL');
# What a task's answer is, as text.
my %answer = (
	regression => q{ml_predict('MODEL', m)::text}, classification => q{ml_predict_class('MODEL', m) || ' ' || ml_predict_proba('MODEL', m, 'red')},
	clustering => q{ml_predict('MODEL', m) || ' ' || ml_predict_class('MODEL', m)}, dimension_reduction => q{ml_reduce('MODEL', m)::text},
	anomaly_detection => q{ml_predict('MODEL', m) || ' ' || ml_predict_class('MODEL', m)});

$node->safe_psql('postgres', <<'SQL');
	CREATE ROLE regress_owner LOGIN; CREATE ROLE regress_guest;
	GRANT CREATE ON SCHEMA public TO regress_owner;
	CREATE TABLE matrix AS
	SELECT i AS id, CASE WHEN i % 23 <> 0 THEN sin(i) * 3 + (i % 3) END AS a, cos(i * 1.7) + (i % 3) * 2 AS b, i % 40 AS c, i % 2 = 0 AS d,
	       CASE WHEN i % 19 <> 0 THEN (ARRAY['north', 'south', 'east', 'west'])[i % 4 + 1] END AS region, i / 7 % 6 AS branch,
	       5 + sin(i) * 3 + (i % 3) * 2 + (i % 4) * 0.5 + cos(i * 7) * 0.3 AS y, (ARRAY['red', 'green', 'blue'])[i % 3 + 1] AS kind
	FROM generate_series(1, 600) i;
	CREATE TABLE long AS SELECT m.*, row_number() OVER () AS line FROM matrix m, generate_series(1, 250);
	GRANT SELECT ON matrix, long TO regress_owner, regress_guest;
	ANALYZE;
SQL
my $features = q{features => '{a,b,c,d,region}'};
my @cells = map { [ split /\|/ ] } split /\n/, $node->safe_psql('postgres', 'SELECT algorithm, unnest(tasks) FROM ml_algorithms()');
cmp_ok(scalar @cells, '>=', 4, 'there are methods');

my @models;
for my $cell (@cells)
{
	my ($algorithm, $task) = @$cell;
	my $model = "${algorithm}_$task";
	my $train = "'$algorithm', 'matrix', $target{$task}, model => '$model', $features, params => '{\"task\": \"$task\"}'";
	my $answer = $answer{$task} =~ s/MODEL/$model/gr;

	subtest "$algorithm, $task" => sub { one_method($algorithm, $task, $model, $train, $answer) };
	push @models, "SELECT '$model', id, $answer FROM matrix m";
}

# A restart, a dump and a restore change no answer.
my $answers = join(' UNION ALL ', @models) . ' ORDER BY 1, 2';
my $before = $node->safe_psql('postgres', $answers);
$node->restart;
ok($before eq $node->safe_psql('postgres', $answers), 'after a restart all methods say the same');
# No prediction needs dense algebra, so none waits until OpenBLAS is loaded; a fit that does shows that it would be seen.
my $maps = q{SELECT pg_read_file('/proc/self/maps') ~ 'openblas|lapack|mlplat_dense'};
is($node->safe_psql('postgres', "$answers; $maps") =~ /\n(\w)\z/ ? $1 : 'nothing', 'f', 'no method loads OpenBLAS to predict');
is($node->safe_psql('postgres', "SET mlplat.execution = 'foreground'; SET client_min_messages = warning;
	SELECT FROM ml_train('logistic_regression', 'SELECT a, b, y > 6 AS high FROM matrix', 'high', model => 'dense', deploy => 'never'); SELECT ml_drop('dense'); $maps") =~ /\n(\w)\z/ ? $1 : 'nothing',
	't', 'a fit that needs it does');
my $dump = $node->basedir . '/matrix.dump';
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, $node->connstr('postgres') ], 'all methods are dumped');
$node->safe_psql('postgres', 'CREATE DATABASE restored TEMPLATE template0');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', $node->connstr('restored'), $dump ], 'and restored');
ok($before eq $node->safe_psql('restored', $answers), 'and say the same');
is($node->safe_psql('restored', 'SELECT count(ml_drop(model)) FROM ml_models') + 0, 2 * @cells, 'and are dropped');
is($node->safe_psql('restored', 'SELECT (SELECT count(*) FROM mlplat.chunk) + (SELECT count(*) FROM mlplat.segment) + (SELECT count(*) FROM mlplat.version)'), 0, 'with all they had');
is($node->safe_psql('postgres', "SELECT count(*) FROM ml_jobs WHERE state IN ('running', 'queued')"), 0, 'no run is left');
done_testing();

# What a statement prints, or its error.
sub as_owner
{
	my ($text) = @_;
	my ($stdout, $stderr) = ('', '');

	my $status = $node->psql('postgres', "SET ROLE regress_owner; SET client_min_messages = warning; $text", stdout => \$stdout, stderr => \$stderr);
	return $status == 0 ? $stdout : "$stdout$stderr";
}

# SQLSTATE of a statement, '' when it succeeds.
sub state_of
{
	my ($role, $text) = @_;
	my ($stderr) = ('');

	$node->psql('postgres', "SET ROLE $role; SET client_min_messages = warning; $text", stderr => \$stderr, extra_params => [ '-v', 'VERBOSITY=sqlstate' ]);
	return $stderr =~ /ERROR:\s+(\w{5})/ ? $1 : $stderr;
}

sub one_method
{
	my ($algorithm, $task, $model, $train, $answer) = @_;

	is(as_owner("SELECT task, algorithm, rows > 0 FROM ml_train($train)"), "$task|$algorithm|t", 'trains');
	my ($job) = as_owner("SELECT ml_train_async($train)") =~ /(\d+)/;
	is(as_owner("SELECT ml_wait($job); SELECT state FROM ml_jobs WHERE job = $job") =~ /(\w+)\s*\z/ ? $1 : '', 'succeeded', 'trains in the queue');
	is(as_owner("SELECT count(*), count(DISTINCT checksum) FROM ml_versions WHERE model = '$model'"), '2|1', 'both runs give the same model');
	is(as_owner("SELECT count(*), bool_and(answer IS NOT NULL AND answer !~* 'nan|infinity') FROM (SELECT $answer AS answer FROM matrix m) s"), '600|t', 'answers for each row');
	is(as_owner("SELECT bool_and(metrics > 0) FROM (SELECT count(*) AS metrics FROM ml_evaluate('$model', 'matrix')) s"), 't', 'is evaluated');
	is(as_owner("SELECT count(*) > 0 FROM ml_metrics WHERE model = '$model' AND value IS NOT NULL"), 't', 'has metrics');
	is(as_owner("SELECT model_memory > 0, predict_microseconds > 0 FROM ml_models WHERE model = '$model'"), 't|t', 'says what a prediction costs');
	like(as_owner("SELECT version FROM ml_retrain('$model', deploy => 'never')"), qr/^3$/, 'trains again');
	batch($model, $task);
	rights($model, $task, $answer);
	asides($model);
	segments($algorithm, $task, $model, $train);
	unlabelled($algorithm, $task);
	stop($algorithm, $task, "'long'", '');
}

# The same answers in bulk.
sub batch
{
	my ($model, $task) = @_;
	my $difference = $task eq 'dimension_reduction'
	  ? "SELECT count(*), count(*) FILTER (WHERE b.vector IS DISTINCT FROM ml_reduce('$model', m)) FROM ml_reduce_batch('$model', 'matrix', 'id') b JOIN matrix m ON b.id = m.id::text"
	  : $task eq 'classification'
	  ? "SELECT count(*), count(*) FILTER (WHERE b.label IS DISTINCT FROM ml_predict_class('$model', m)) FROM ml_predict_batch('$model', 'matrix', 'id') b JOIN matrix m ON b.id = m.id::text"
	  : "SELECT count(*), count(*) FILTER (WHERE b.prediction IS DISTINCT FROM ml_predict('$model', m)) FROM ml_predict_batch('$model', 'matrix', 'id') b JOIN matrix m ON b.id = m.id::text";

	is(as_owner($difference), '600|0', 'answers in bulk are the same');
	return;
}

sub rights
{
	my ($model, $task, $answer) = @_;
	my $ask = "SELECT count($answer) FROM matrix m";

	like(state_of('regress_guest', $ask), qr/^(42501|42704)$/, 'is nobody else\'s');
	as_owner("SELECT ml_grant('$model', 'regress_guest', 'predict')");
	is(state_of('regress_guest', $ask), '', 'until granted');
	is(state_of('regress_guest', "SELECT * FROM ml_coefficients('$model')"), '42501', 'and then for predictions only');
	is(as_owner("SELECT ml_revoke('$model', 'regress_guest', 'predict'); SELECT ml_has_privilege('regress_guest', '$model', 'predict')") =~ /(\w)\s*\z/ ? $1 : '', 'f', 'and no longer');
	return;
}

# What a method may have: rows, or the answer that it has not.
sub asides
{
	my ($model) = @_;

	for my $call ("ml_importance('$model')", "ml_coefficients('$model')", "ml_model_statistics('$model')", "ml_rules('$model')",
		"(SELECT * FROM matrix LIMIT 1) m, LATERAL ml_explain('$model', m)")
	{
		like(state_of('regress_owner', "SELECT 1 / count(*) FROM $call"), qr/^(|0A000)$/, "$call: rows, or \"feature not supported\"");
	}
	return;
}

sub segments
{
	my ($algorithm, $task, $model, $train) = @_;
	my $by_branch = $train =~ s/model => '$model'/model => '${model}_by_branch', segment_by => '{branch}', segment_min_rows => 20/r;
	my $answer = $answer{$task} =~ s/MODEL/${model}_by_branch/gr;

	is(as_owner("SELECT task FROM ml_train($by_branch)"), $task, 'one model per branch');
	is(as_owner("SELECT count(*), count(*) FILTER (WHERE error IS NULL) FROM ml_segments('${model}_by_branch')"), '6|6', 'six of them');
	is(as_owner("SELECT count(*), bool_and(answer IS NOT NULL) FROM (SELECT $answer AS answer FROM matrix m) s"), '600|t', 'answers for each row, by branch');
	return;
}

# Four rows of five have no target: they help to train, or there is a clear answer.
sub unlabelled
{
	my ($algorithm, $task) = @_;
	my $few = "'SELECT *, CASE WHEN id % 5 = 0 THEN kind END AS few FROM public.SOURCE'";

	for my $how ('self_training', 'label_spreading')
	{
		my $train = "'$algorithm', " . ($few =~ s/SOURCE/matrix/r) . ", 'few', model => 'semi', id => 'id', $features, params => '{\"semi_supervised\": \"$how\"}'";

		if ($task ne 'classification')
		{
			my $refused = $train =~ s/"semi/"task": "$task", "semi/r;
			$refused =~ s/'few'/$target{$task}/;
			is(state_of('regress_owner', "SELECT * FROM ml_train($refused)"), '22023', "$how: is refused");
			next;
		}
		is(as_owner("SELECT task, rows FROM ml_train($train)"), "$task|120", "$how: trains with a few labels");
		is(as_owner("SELECT count(*), bool_and(answer IS NOT NULL AND answer !~* 'nan|infinity') FROM (SELECT " . ($answer{$task} =~ s/MODEL/semi/gr) . " AS answer FROM matrix m) s"), '600|t', "$how: answers for each row");
		is(as_owner("SELECT value FROM ml_metrics WHERE model = 'semi' AND metric = 'unlabelled_rows'"), '480', "$how: says what it learnt from");
		is(as_owner("SELECT ml_drop('semi')"), '', "$how: is dropped");
		stop($algorithm, $task, $few =~ s/SOURCE/long/r, ", \"semi_supervised\": \"$how\"");
	}
	return;
}

# Whether it ends before or is stopped: nothing hangs and nothing is left.
sub stop
{
	my ($algorithm, $task, $source, $params) = @_;
	my $target = $params eq '' ? $target{$task} : "'few'";
	my $began = time;
	my $state = state_of('regress_owner', "SET statement_timeout = 150; SELECT * FROM ml_train('$algorithm', $source, $target, model => 'stopped', $features, params => '{\"task\": \"$task\"$params}')");

	like($state, qr/^(57014|)$/, 'is stopped in the middle');
	cmp_ok(time - $began, '<', 4, 'at once');
	as_owner("SELECT ml_drop('stopped')") if $state eq '';
	return;
}
