# A streaming standby serves the same predictions to the bit, follows deploys in sessions that have the model cached, and refuses to write.
use strict;
use warnings;
use MlplatNode;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = MlplatNode::start('primary', data => 1, init => [ allows_streaming => 1 ]);
$primary->safe_psql('postgres', <<'SQL');
	CREATE ROLE regress_guest LOGIN;
	GRANT SELECT ON ALL TABLES IN SCHEMA public TO regress_guest;
	SELECT ml_train('gbdt', 'iris', 'species', model => 'flower', params => '{"num_iterations": 10}');
	SELECT ml_train('gbdt', 'iris', 'species', model => 'flower', params => '{"num_iterations": 20}');
	SELECT ml_train('linear_regression', 'diabetes', 'progression', model => 'progression');
	SELECT ml_create_function('progression', 'diabetes', pinned => true);
	CREATE INDEX ON diabetes (progression_predict(diabetes));
	SELECT ml_train('pca', 'iris', model => 'flat', features => '{sepal_length,sepal_width,petal_length,petal_width}');
	SELECT ml_train('decision_tree', 'iris', 'species', model => 'key');
	SELECT ml_train('linear_regression', 'SELECT *, age > 0 AS elder FROM diabetes', 'progression', model => 'groups', segment_by => '{elder}', transform => '{"bmi": "quantile_buckets"}');
SQL
# Every method there is, one model each.
$primary->safe_psql('postgres', <<'SQL');
	SELECT ml_train(algorithm, 'SELECT sepal_length, sepal_width, petal_length, petal_width, species FROM iris',
		CASE task WHEN 'regression' THEN 'petal_width' WHEN 'classification' THEN 'species' END, model => algorithm || '_' || task,
		exclude => CASE WHEN task NOT IN ('regression', 'classification') THEN '{species}'::text[] END, params => jsonb_build_object('task', task))
	FROM ml_algorithms(), unnest(tasks) task;
SQL
my @every = map { [ split /\|/ ] } split /\n/, $primary->safe_psql('postgres', 'SELECT algorithm, unnest(tasks) FROM ml_algorithms()');
my $every = join('', map {
	my ($model, $task) = ("$_->[0]_$_->[1]", $_->[1]);
	my $answer = $task eq 'dimension_reduction' ? "ml_reduce('$model', i)" : $task eq 'classification' ? "ml_predict_probs('$model', i)" : "float8send(ml_predict('$model', i))";
	"SELECT '$model', $answer FROM iris i;\n" } @every);
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));

# What can be asked, as bytes.
my $answers = <<'SQL';
	SELECT ml_predict_class('flower', i), ml_predict_probs('flower@2', i) FROM iris i;
	SELECT float8send(ml_predict('progression', d)), float8send(d.progression_predict), float8send(ml_predict_json('progression', to_jsonb(d))) FROM diabetes d;
	SELECT id, float8send(prediction), version FROM ml_predict_batch('progression', 'diabetes');
	SELECT * FROM ml_evaluate('flower');
	SELECT * FROM ml_evaluate('progression', 'diabetes');
	SELECT * FROM ml_confusion_matrix('flower');
	SELECT * FROM ml_coefficients('progression');
	SELECT * FROM ml_importance('flower');
	SELECT * FROM ml_features('flower');
	SELECT ml_reduce('flat', i) FROM iris i;
	SELECT * FROM ml_reduce_batch('flat', 'iris');
	SELECT * FROM ml_rules('key');
	SELECT e.* FROM (SELECT * FROM iris LIMIT 3) i, ml_explain('key', i) e;
	SELECT * FROM ml_model_statistics('progression');
	SELECT * FROM ml_coefficient_intervals('progression');
	SELECT ml_transform('groups', d), float8send(ml_predict('groups', d)) FROM (SELECT *, age > 0 AS elder FROM diabetes) d;
	SELECT * FROM ml_segments('groups');
	SELECT * FROM ml_fit_distribution('diabetes', 'bmi', 'gamma');
	SELECT * FROM ml_estimate('gbdt', 'iris', 'species');
	SET enable_seqscan = off;
	SELECT count(*) FROM diabetes d WHERE progression_predict(d) > 150;
SQL
$answers .= $every;
my $expected = $primary->safe_psql('postgres', $answers);
cmp_ok(scalar @every, '>=', 32, 'of every method');
like($expected, qr/virginica/, 'the primary answers');
ok($standby->safe_psql('postgres', $answers) eq $expected, 'the standby gives the same answers to the bit');
$standby->append_conf('postgresql.conf', "force_parallel_mode = on\nparallel_setup_cost = 0\nparallel_tuple_cost = 0\nmin_parallel_table_scan_size = 0");
$standby->reload;
is(sorted($standby->safe_psql('postgres', $answers)), sorted($expected), 'in parallel plans too');

# Parallel workers return rows in any order.
sub sorted
{
	return join("\n", sort split(/\n/, $_[0]));
}

# One session of the standby, before, during and after things happen on the primary.
sub on_primary
{
	my ($sql) = @_;
	my $connection = $primary->connstr('postgres');
	my $wait = $standby->connstr('postgres');
	my $script = $primary->basedir . '/on_primary.' . int(rand(1e9)) . '.sh';

	append_to_file($script, <<"SH");
lsn=\$(psql -XAtq -d "$connection" -c "$sql" -c "SELECT pg_current_wal_insert_lsn()" | tail -n 1)
i=0
while [ \$i -lt 300 ] && [ "\$(psql -XAtq -d "$wait" -c "SELECT pg_last_wal_replay_lsn() >= '\$lsn'")" != t ]; do sleep 0.1; i=\$((i + 1)); done
SH
	return "\\! sh $script >/dev/null 2>&1\n";
}

my $ask = "SELECT version FROM ml_predict_batch('flower', 'SELECT * FROM iris LIMIT 1'), LATERAL (SELECT ml_predict_class('flower', i) FROM iris i LIMIT 1) x;\n"
	. "SELECT md5(string_agg(ml_predict_probs('flower', i)::text, ',')) = (SELECT md5(string_agg(ml_predict_probs('flower\@2', i)::text, ',')) FROM iris i) FROM iris i;\n";
my $seen = $standby->safe_psql('postgres',
	$ask . on_primary("SELECT ml_deploy('flower', 2)") . $ask
	. "BEGIN ISOLATION LEVEL REPEATABLE READ;\n" . $ask . on_primary("SELECT ml_rollback('flower')") . $ask . "COMMIT;\n" . $ask);
is($seen, "1\nf\n2\nt\n2\nt\n2\nt\n1\nf", 'a session with the model in its cache follows the deploy; a snapshot keeps its version');

my $dropped = $standby->psql('postgres', "SELECT count(ml_predict_class('flower', i)) FROM iris i;\n"
	. on_primary("SELECT ml_drop('flower')") . "SELECT ml_predict_class('flower', i) FROM iris i;", stderr => \my $error);
like($error, qr/model "flower" does not exist/, 'a dropped model is gone');

# Nothing can be written, and the error says so.
foreach my $write (
	"ml_train('linear_regression', 'diabetes', 'progression')", "ml_deploy('progression', 1)", "ml_drop('progression')",
	"ml_create_function('progression', 'diabetes', name => 'another')")
{
	my ($code, $out, $err) = $standby->psql('postgres', "SELECT $write", extra_params => [ '-v', 'VERBOSITY=sqlstate' ]);
	like($err, qr/25006/, "$write is refused: " . $err);
}
my ($code, $out, $err) = $standby->psql('postgres', "SELECT ml_predict('progression', d) FROM diabetes d", extra_params => [ '-U', 'regress_guest' ]);
like($err, qr/does not exist/, 'privileges count on the standby as well');

# Promoted it goes on, and trains.
$standby->promote;
is($standby->safe_psql('postgres', "SELECT version FROM ml_train('linear_regression', 'diabetes', 'progression', model => 'progression')"), '2', 'promoted it trains');
$standby->restart;
is($standby->safe_psql('postgres', "SELECT count(DISTINCT d.progression_predict = ml_predict('progression\@1', d)) FROM diabetes d"), '1', 'restarted it predicts');

$standby->stop;
$primary->stop;
done_testing();
