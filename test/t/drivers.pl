# Predictions through each shape in which drivers send statements: simple, extended and prepared protocol with untyped
# parameters (pgbench binds them as text without types), and a session whose prepared statement sees a later deploy.
use strict;
use warnings;
use MlplatNode;
use PostgreSQL::Test::BackgroundPsql;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = MlplatNode::start('drivers', data => 1);

$node->safe_psql('postgres', q{
	SELECT * FROM ml_train('gbdt', 'iris', 'species', model => 'flowers');
	SELECT * FROM ml_train('linear_regression', 'diabetes', 'progression', model => 'p');
	CREATE TABLE answers (mode text, label text, value float8, single float8);
});
my $label = $node->safe_psql('postgres', q{SELECT ml_predict_class_json('flowers', '{"sepal_length": 6.3, "sepal_width": 2.9, "petal_length": 5.6, "petal_width": 1.8}')});
my $value = $node->safe_psql('postgres', q{SELECT ml_predict_array('p', '{50,1,25,90,180,110,50,4,4.6,90}')});
my $script = $node->basedir . '/drivers.sql';

# Each :name becomes a parameter without a type in the extended and prepared modes.
append_to_file($script, <<'SQL');
INSERT INTO answers (mode, label, value, single)
SELECT :mode, ml_predict_class_json(:flowers, :features), ml_predict_array(:p, :numbers), ml_predict_proba_json(:flowers, :features, :class);
SQL
for my $mode ('simple', 'extended', 'prepared')
{
	my %value = (mode => $mode, flowers => 'flowers', p => 'p', class => 'virginica', numbers => '{50,1,25,90,180,110,50,4,4.6,90}',
		features => '{"sepal_length": 6.3, "sepal_width": 2.9, "petal_length": 5.6, "petal_width": 1.8}');

	# The simple protocol pastes text, so there the literals carry their quotes.
	%value = map { $_ => "'$value{$_}'" } keys %value if $mode eq 'simple';
	$node->command_ok([ 'pgbench', '-n', '-t', '5', '-M', $mode, '-f', $script, (map { ('-D', "$_=$value{$_}") } sort keys %value), $node->connstr('postgres') ],
		"pgbench -M $mode");
}
is($node->safe_psql('postgres', 'SELECT mode, count(*), count(DISTINCT label), count(DISTINCT value), count(DISTINCT single) FROM answers GROUP BY mode ORDER BY mode'),
	"extended|5|1|1|1\nprepared|5|1|1|1\nsimple|5|1|1|1", 'the same answer each time');
is($node->safe_psql('postgres', 'SELECT DISTINCT label, value FROM answers'), "$label|$value", 'and in each protocol, to the bit');
is($label, 'virginica', 'the right one');

# A statement that was prepared once, also with a generic plan, follows a deploy of another session.
my $session = $node->background_psql('postgres');
$session->query_safe(q{SET plan_cache_mode = force_generic_plan; PREPARE q(jsonb) AS SELECT ml_predict_json('p', $1);
	PREPARE r AS SELECT ml_predict('p', d) FROM diabetes d WHERE bmi = 32.1 AND age = 59});
my $features = q{'{"age": 50, "sex": 1, "bmi": 25, "bp": 90, "s1": 180, "s2": 110, "s3": 50, "s4": 4, "s5": 4.6, "s6": 90}'};
my @before = map { $session->query_safe("EXECUTE $_") } ("q($features)", 'r');
is($before[0], $value, 'JSON and array agree');
$node->safe_psql('postgres', q{SELECT * FROM ml_train('linear_regression', 'diabetes', 'progression', model => 'p', params => '{"alpha": 100}', deploy => 'always')});
my @after = map { $session->query_safe("EXECUTE $_") } ("q($features)", 'r');
isnt($after[$_], $before[$_], "prepared statement $_ follows the deploy") for 0, 1;
is($after[0], $node->safe_psql('postgres', "SELECT ml_predict_json('p@2', $features)"), 'to the version deployed');
$session->quit;

# What an application builds on predictions.
$node->safe_psql('postgres', q{
	SELECT ml_create_function('flowers', 'iris', 'kind_of', kind => 'class', pinned => true);
	CREATE INDEX by_kind ON iris (kind_of(iris));
	CREATE VIEW seen AS SELECT i.*, ml_predict_class('flowers', i) AS kind FROM iris i;
	CREATE MATERIALIZED VIEW kept AS SELECT i.*, ml_predict_class('flowers', i) AS kind FROM iris i});
my $loop = $node->safe_psql('postgres', q{
	CREATE FUNCTION counted(wanted text) RETURNS int LANGUAGE plpgsql AS $$
	DECLARE r iris; n int := 0;
	BEGIN
		FOR r IN SELECT * FROM iris LOOP
			IF ml_predict_class('flowers', r) = wanted THEN n := n + 1; END IF;
		END LOOP;
		RETURN n;
	END $$;
	SELECT counted('virginica')});
is($node->safe_psql('postgres', "SELECT count(*) FROM seen WHERE kind = 'virginica'"), $loop, 'a view and a PL/pgSQL loop agree');
is($node->safe_psql('postgres', "SELECT count(*) FROM kept WHERE kind = 'virginica'"), $loop, 'a materialized view, too');
is($node->safe_psql('postgres', "SET enable_seqscan = off; SELECT count(*) FROM iris i WHERE kind_of(i) = 'virginica'"), $loop, 'an index, too');
like($node->safe_psql('postgres', "SET enable_seqscan = off; EXPLAIN SELECT count(*) FROM iris i WHERE kind_of(i) = 'virginica'"), qr/by_kind/, 'and it is used');
cmp_ok($loop, '>=', 40, 'for a number of flowers that makes sense');

$node->stop;
done_testing();
