# Installing: nothing that somebody put there before is adopted, and any schema will do.
use strict;
use warnings;
use MlplatNode;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = MlplatNode::start('install', extension => 0);

$node->safe_psql('postgres', 'CREATE ROLE regress_mallory LOGIN');
my %planted = (
	'a function of ours' =>
		q{CREATE FUNCTION ml_deploy(model text, version int DEFAULT NULL, alias text DEFAULT 'production', require jsonb DEFAULT NULL, note text DEFAULT NULL) RETURNS int LANGUAGE sql AS 'SELECT 1'},
	'an aggregate of ours' => q{CREATE AGGREGATE ml_rmse(float8, float8) (SFUNC = float8_regr_accum, STYPE = float8[], INITCOND = '{0,0,0,0,0,0}')},
	'a view of ours' => q{CREATE VIEW ml_models AS SELECT 'x'::text AS model},
	'our schema' => q{CREATE SCHEMA mlplat},
	'our schema with a table' => q{CREATE SCHEMA mlplat; CREATE TABLE mlplat.model (model_id bigint, name text)});
my $n = 0;

foreach my $what (sort keys %planted)
{
	my $database = 'planted_' . $n++;

	$node->safe_psql('postgres', "CREATE DATABASE $database OWNER regress_mallory");
	$node->safe_psql($database, 'GRANT CREATE ON SCHEMA public TO regress_mallory');
	$node->safe_psql($database, "SET ROLE regress_mallory; $planted{$what}");
	my ($status, $out, $err) = $node->psql($database, 'CREATE EXTENSION mlplat');
	isnt($status, 0, "$what was there: not installed");
	like($err, qr/already exists/, "$what was there: the error says so");
	is($node->safe_psql($database, "SELECT count(*) FROM pg_extension WHERE extname = 'mlplat'"), '0', "$what was there: nothing is half installed");
}

# A schema mlplat without the extension is none of ours.
$node->safe_psql('postgres', 'CREATE DATABASE impostor OWNER regress_mallory');
$node->safe_psql('impostor', q{CREATE EXTENSION mlplat; CREATE TABLE points AS SELECT i AS id, i::float8 AS x, 2.0::float8 * i AS y FROM generate_series(1, 60) i});
$node->safe_psql('impostor', q{SELECT ml_train('linear_regression', 'points', 'y', model => 'm')});
my ($status, $out, $err) = $node->psql('impostor', q{
	CREATE FUNCTION keep(text, text) RETURNS int LANGUAGE c AS '$libdir/mlplat', 'ml_rollback';
	SELECT ml_models.model FROM ml_models;
	DROP EXTENSION mlplat CASCADE;
	CREATE SCHEMA mlplat AUTHORIZATION regress_mallory;
	CREATE TABLE mlplat.model (model_id bigint, name text PRIMARY KEY);
	SELECT keep('m', 'production');});
like($err, qr/mlplat is not installed in this database/, 'tables of an impostor are not used, in the same session');
like($err, qr/CREATE EXTENSION mlplat/, 'and the hint says what to do');

# Any schema, whatever it is called.
$node->safe_psql('postgres', 'CREATE DATABASE elsewhere');
$node->safe_psql('elsewhere', q{CREATE SCHEMA "Other schema"; CREATE EXTENSION mlplat SCHEMA "Other schema";
	CREATE TABLE points AS SELECT i AS id, i::float8 AS x, 2.0::float8 * i AS y FROM generate_series(1, 60) i});
is($node->safe_psql('elsewhere', q{SELECT version FROM "Other schema".ml_train('linear_regression', 'points', 'y', model => 'm', id => 'id');
	SELECT version FROM "Other schema".ml_retrain('m');
	SELECT model, versions FROM "Other schema".ml_models;
	SELECT round("Other schema".ml_predict('m', p)) FROM points p WHERE id = 7;
	SELECT count(*) > 3 FROM "Other schema".ml_lineage('m');
	SELECT count(*) FROM "Other schema".ml_jobs;
	SELECT "Other schema".ml_deploy('m')}), "1\n2\nm|2\n14\nt\n2\n2", 'it works from another schema');
is($node->safe_psql('elsewhere', q{SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace}), '0', 'and leaves public alone');

# Two databases of one cluster do not know each other.
$node->safe_psql('postgres', 'CREATE DATABASE third');
$node->safe_psql('third', 'CREATE EXTENSION mlplat');
is($node->safe_psql('third', 'SELECT (SELECT count(*) FROM ml_models), (SELECT count(*) FROM ml_jobs)'), '0|0', 'a database sees its own models only');

$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal|TRAP/, 'no crash in the log');
done_testing();
