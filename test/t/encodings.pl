# Databases of other encodings and collations: labels and categories that are not ASCII, and models that come from elsewhere.
use strict;
use warnings;
use MlplatNode;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = MlplatNode::start('main');
my $directory = PostgreSQL::Test::Utils::tempdir;

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
# Turkish upper and lower case, and an order that is none of bytes.
SKIP:
{
	my ($status) = $node->psql('postgres', "CREATE DATABASE turkish TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'tr' LOCALE 'C.UTF-8' ENCODING 'UTF8'");
	skip 'no ICU', 1 if $status;
	$node->safe_psql('turkish', $setup);
	$node->safe_psql('turkish', $train);
	is($node->safe_psql('turkish', <<'SQL'), 'I|i|t', 'dotless and dotted letters');
		CREATE TABLE t AS SELECT i AS id, (ARRAY['I', 'i', 'ı', 'İ'])[(i - 1) / 50 + 1] AS c FROM generate_series(1, 200) i;
		SET client_min_messages = error;
		DO $$ BEGIN PERFORM ml_train('gbdt', 't', 'c', model => 'INCI', features => '{id}'); END $$;
		SELECT ml_predict_class('INCI', t), (SELECT CASE WHEN count(*) = 4 THEN 'i' END FROM ml_confusion_matrix('INCI') WHERE actual = predicted AND rows > 0),
			ml_predict_proba('INCI', t, 'ı') <> ml_predict_proba('INCI', t, 'I') FROM t WHERE id = 10;
SQL
}
my %checksums = map { $node->safe_psql($_, "SELECT checksum FROM ml_versions WHERE model = 'plain'") => 1 } keys %encodings, grep { $node->safe_psql('postgres', "SELECT count(*) FROM pg_database WHERE datname = '$_'") } 'turkish';
is(scalar(keys %checksums), 1, 'the same image in every encoding and collation');

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
