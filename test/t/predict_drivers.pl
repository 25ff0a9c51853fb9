# What a program sees that talks through libpq's extended protocol and names no parameter types: pgbench does so.
# And databases of other encodings: labels and categories that are not ASCII, and models that come from elsewhere.
use strict;
use warnings;
use MlplatNode;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = MlplatNode::start('main', data => 1);
my $directory = PostgreSQL::Test::Utils::tempdir;

# -- parameters that are mere text to the driver
$node->safe_psql('postgres', <<'SQL');
	SELECT ml_train('gbdt', 'iris', 'species', model => 'flower', params => '{"num_iterations": 10}');
	SELECT ml_train('linear_regression', 'diabetes', 'progression', model => 'progression', features => '{bmi,bp}');
	SELECT ml_train('linear_regression', 'diabetes', 'progression', model => 'progression', features => '{bmi,bp}', holdout => 0.5);
	CREATE TABLE got (mode text, label text, p float8, by_array float8, by_json float8, version float8);
SQL
my $script = "$directory/script.sql";
append_to_file($script, <<'SQL');
INSERT INTO got VALUES (:mode, ml_predict_class_json(:flower, :json), ml_predict_proba_json(:flower, :json, :class), ml_predict_array(:model, :array), ml_predict_json(:model, :object), 1);
SELECT ml_deploy(:model, :second);
INSERT INTO got VALUES (:mode, ml_predict_class_json(:flower, :json), ml_predict_proba_json(:flower, :json, :class), ml_predict_array(:model, :array), ml_predict_json(:model, :object), 2);
SELECT ml_rollback(:model);
SELECT version FROM ml_train(:algorithm, :source, :target, model => :trained, features => :features, params => :params, holdout => :holdout);
SQL
my %variables = (
	flower => 'flower', class => 'setosa', model => 'progression', array => '{0.05,NULL}', object => '{"bmi": 0.05, "bp": null}', second => 2,
	json => '{"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}',
	algorithm => 'gbdt', source => 'diabetes', target => 'progression', trained => 'by driver', features => '{bmi,bp}', params => '{"num_iterations": 3}', holdout => 0.25);
for my $mode ('extended', 'prepared')
{
	my ($out, $err) = ('', '');
	my $done = IPC::Run::run(
		[ 'pgbench', '-n', '-M', $mode, '-t', '2', '-c', '1', '-f', $script, (map { ('-D', "$_=$variables{$_}") } sort keys %variables), '-D', "mode=$mode", $node->connstr('postgres') ],
		'>', \$out, '2>', \$err);
	ok($done, "pgbench -M $mode") or diag($err);
}
is($node->safe_psql('postgres', <<'SQL'), "extended|1|2|t|t|t\nextended|2|2|t|t|t\nprepared|1|2|t|t|t\nprepared|2|2|t|t|t", 'parameters without types, also across deploys');
	SELECT mode, version, count(*), bool_and(label = 'setosa'), bool_and(p > 0.5),
		bool_and(by_array = by_json AND by_json = ml_predict_json('progression@' || version, '{"bmi": 0.05, "bp": null}'))
	FROM got GROUP BY mode, version ORDER BY mode, version
SQL
is($node->safe_psql('postgres', "SELECT count(*), count(DISTINCT checksum) FROM ml_versions WHERE model = 'by driver'"), '4|1', 'and training');

# -- databases of other encodings
my %encodings = (utf8 => 'UTF8', latin1 => 'LATIN1', ascii => 'SQL_ASCII', japan => 'EUC_JP');
my $setup = <<'SQL';
	CREATE EXTENSION mlplat;
	CREATE TABLE plain AS SELECT i AS id, i % 7 AS a, (ARRAY['x', 'y'])[i % 2 + 1] AS b, i % 7 + i % 2 AS y FROM generate_series(1, 200) i;
SQL
my $train = "SELECT ml_train('gbdt', 'plain', 'y', model => 'plain', id => 'id', params => '{\"task\": \"regression\", \"num_iterations\": 5}')";
for my $name (sort keys %encodings)
{
	$node->safe_psql('postgres', "CREATE DATABASE $name ENCODING '$encodings{$name}' TEMPLATE template0 LOCALE 'C'");
	$node->safe_psql($name, $setup);
	$node->safe_psql($name, $train);
}
my %checksums = map { $node->safe_psql($_, "SELECT checksum FROM ml_versions WHERE model = 'plain'") => 1 } keys %encodings;
is(scalar(keys %checksums), 1, 'the same image in every encoding');

# Labels, categories, names of columns and models; the client speaks UTF-8.
$ENV{PGCLIENTENCODING} = 'UTF8';
for my $name ('utf8', 'latin1')
{
	is($node->safe_psql($name, <<'SQL'), "München|Größe|rouge é", "$encodings{$name}: labels, categories and names that are not ASCII");
		CREATE TABLE städte AS SELECT i AS id, (ARRAY['é', 'è'])[i % 2 + 1] AS "Größe", CASE i % 2 WHEN 0 THEN 'München' ELSE 'Köln' END AS ort FROM generate_series(1, 100) i;
		SET client_min_messages = error;
		DO $$ BEGIN PERFORM ml_train('gbdt', 'städte', 'ort', model => 'rouge é', features => '{Größe}'); END $$;
		SELECT ml_predict_class('rouge é', s), (SELECT feature FROM ml_features('rouge é')), (SELECT model FROM ml_models WHERE model LIKE 'rouge%') FROM städte s WHERE id = 2;
SQL
}

# A model that is moved is the same, or says why it cannot be.
sub move
{
	my ($from, $to) = @_;
	my $file = "$directory/$from.sql";

	$node->safe_psql('postgres', "DROP DATABASE IF EXISTS moved");
	$node->safe_psql('postgres', "CREATE DATABASE moved ENCODING '$encodings{$to}' TEMPLATE template0 LOCALE 'C'");
	$node->run_log([ 'pg_dump', '-f', $file, $node->connstr($from) ]);
	$node->run_log([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $file, $node->connstr('moved') ]);
	return;
}
for my $pair ([ 'utf8', 'latin1' ], [ 'latin1', 'utf8' ])
{
	move(@$pair);
	is($node->safe_psql('moved', "SELECT count(ml_predict('plain', p)) FROM plain p"), '200', "$pair->[0] to $pair->[1]: a model of plain ASCII predicts");
	my ($status, $out, $err) = $node->psql('moved', "\\set VERBOSITY verbose\nSELECT ml_predict_class('rouge é', s) FROM städte s");
	like($err, qr/22P05.*model "rouge é\@1" comes from a database with another encoding.*HINT:  Train the model again/s, "$pair->[0] to $pair->[1]: another one says what to do");
	is($node->safe_psql('moved', "SELECT version FROM ml_retrain('rouge é', deploy => 'always')"), '2', 'training it again');
	is($node->safe_psql('moved', "SELECT ml_predict_class('rouge é', s) FROM städte s WHERE id = 2"), 'München', 'helps');
}

done_testing();
