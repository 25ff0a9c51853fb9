# Models are ordinary data: pg_dump carries them with owners, grants, aliases and history, and they predict the same to the bit.
use strict;
use warnings;
use MlplatNode;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = MlplatNode::start('source', data => 1);
my $name = q(we"ird '%s %n \ $1 ünï 😀);
my $dumps = $node->basedir;

$node->safe_psql('postgres', <<"SQL");
	CREATE ROLE regress_alice; CREATE ROLE regress_bob; CREATE ROLE regress_carol;
	GRANT SELECT ON ALL TABLES IN SCHEMA public TO PUBLIC;
	SET ROLE regress_alice;
	SELECT ml_train('gbdt', 'iris', 'species', model => 'flower', params => '{"num_iterations": 10}');
	SELECT ml_train('gbdt', 'iris', 'species', model => 'flower', params => '{"num_iterations": 20}', note => 'longer');
	SELECT ml_train('linear_regression', 'diabetes', 'progression', model => 'flower-free');
	SELECT ml_rename('flower-free', \$n\$$name\$n\$);
	SELECT ml_deploy('flower', 2, require => '{"accuracy": "> 0.5"}', note => 'better');
	SELECT ml_set_alias('flower', 'candidate', 1);
	SELECT ml_grant('flower', 'regress_bob', 'deploy');
	SELECT ml_grant('flower', 'public', 'predict');
	RESET ROLE;
	SET ROLE regress_bob;
	SELECT ml_train('logistic_regression', 'breast_cancer', 'malignant', model => 'tumour');
	RESET ROLE;
	SET ROLE regress_alice;
	SELECT ml_train('linear_regression', 'SELECT *, (age > 0)::text AS band FROM diabetes', 'progression', model => 'bands', segment_by => '{band}',
		transform => '{"bmi": ["standard", "quantile_buckets"]}');
	SELECT ml_train('pca', 'iris', model => 'flat', features => '{sepal_length,sepal_width,petal_length,petal_width}');
	RESET ROLE;
	SELECT ml_train('gbdt', 'diabetes', 'progression', model => 'gone');
	SELECT format('DROP TYPE mlplat.m_%s', model_id) FROM mlplat.model WHERE name = 'gone' \\gexec
SQL
# Functions of models in an index, a generated column and a view are restored after the models they need.
$node->safe_psql('postgres', <<'SQL');
	SELECT ml_create_function('tumour@1', 'breast_cancer', 'tumour_now', kind => 'proba');
	SELECT ml_create_function('tumour@1', 'breast_cancer', 'tumour_then', kind => 'proba', pinned => true);
	CREATE INDEX likely ON breast_cancer (tumour_then(breast_cancer));
	CREATE VIEW judged AS SELECT tumour_now(b) AS now, tumour_then(b) AS pinned FROM breast_cancer b;
	CREATE MATERIALIZED VIEW kept AS SELECT * FROM judged;
SQL
# A run that failed, and one that went into the queue of another cluster.
$node->psql('postgres', "SELECT ml_train('gbdt', 'iris', 'no_such_column', model => 'failed')");

# Everything a user can see, and every prediction, in one text.
my $fingerprint = <<"SQL";
	SELECT * FROM ml_models ORDER BY model;
	SELECT * FROM ml_versions ORDER BY model, version;
	SELECT * FROM ml_metrics ORDER BY model, version, split, metric;
	SELECT * FROM ml_deployments ORDER BY entry;
	SELECT job, model, version, state, started_at, finished_at, sqlstate, message, owner FROM ml_jobs ORDER BY job;
	SELECT * FROM ml_training_history ORDER BY model, version, iteration, split, metric;
	SELECT * FROM mlplat.privilege ORDER BY model_id, grantee, privilege;
	SELECT version_id, chunk, md5(data), length(data) FROM mlplat.chunk ORDER BY version_id, chunk;
	SELECT * FROM mlplat.roc ORDER BY version_id, point;
	SELECT * FROM mlplat.confusion ORDER BY version_id, split, actual, predicted;
	SELECT ml_predict_class('flower', i), ml_predict_probs('flower\@candidate', i) FROM iris i;
	SELECT float8send(ml_predict(\$n\$$name\$n\$, d)) FROM diabetes d;
	SELECT float8send(ml_predict_proba('tumour', b)) FROM breast_cancer b;
	SELECT float8send(now), float8send(pinned) FROM judged;
	SELECT ml_transform('bands', d), float8send(ml_predict('bands', d)) FROM (SELECT *, (age > 0)::text AS band FROM diabetes) d;
	SELECT * FROM ml_segments('bands');
	SELECT ml_reduce('flat', i) FROM iris i;
	SELECT sum(now), sum(pinned) FROM kept;
	SELECT * FROM mlplat.function ORDER BY 1;
	SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'mlplat' ORDER BY 1;
SQL
my $expected = $node->safe_psql('postgres', $fingerprint);
like($expected, qr/virginica/, 'the source database predicts');
unlike($expected, qr/^gone\|/m, 'a model without its anchor is not there');

$node->command_ok([ 'pg_dump', '-f', "$dumps/plain.sql", $node->connstr('postgres') ], 'pg_dump');
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dumps/custom.dump", $node->connstr('postgres') ], 'pg_dump -Fc');
$node->command_ok([ 'pg_dump', '-Fd', '-j2', '-f', "$dumps/directory", $node->connstr('postgres') ], 'pg_dump -Fd -j2');

# With -j an index may be built before mlplat's tables are filled; one on a function of a model wants them, so section by section.
my @parallel = ('pg_restore', '--exit-on-error', '-j2', "$dumps/directory");
my %restore = (
	plain => [ [ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', "$dumps/plain.sql" ] ],
	custom => [ [ 'pg_restore', '--exit-on-error', "$dumps/custom.dump" ] ],
	parallel => [ map { [ @parallel, "--section=$_" ] } qw(pre-data data post-data) ]);

foreach my $way (sort keys %restore)
{
	$node->safe_psql('postgres', "CREATE DATABASE restored_$way TEMPLATE template0");
	$node->command_ok([ @$_, '-d', $node->connstr("restored_$way") ], "$way: restored into an empty database") foreach @{ $restore{$way} };
	ok($node->safe_psql("restored_$way", $fingerprint) eq $expected, "$way: everything is as it was, predictions to the bit");
	life_goes_on("restored_$way", $way);
}

# Over what is there: --clean drops everything, in a database of any name, and makes it anew.
$node->safe_psql('postgres', 'CREATE DATABASE "Restored again" TEMPLATE template0');
foreach my $time ('once', 'twice')
{
	$node->command_ok([ 'pg_restore', '--exit-on-error', ($time eq 'twice' ? ('--clean', '--if-exists') : ()), '-d', $node->connstr('Restored again'), "$dumps/custom.dump" ],
		"--clean: restored $time");
	ok($node->safe_psql('Restored again', $fingerprint) eq $expected, "--clean: everything is as it was, restored $time");
}

# Without owners everything belongs to who restores.
$node->safe_psql('postgres', 'CREATE DATABASE restored_no_owner TEMPLATE template0');
$node->command_ok([ 'pg_restore', '--exit-on-error', '--no-owner', '-d', $node->connstr('restored_no_owner'), "$dumps/custom.dump" ],
	'--no-owner: restored');
is($node->safe_psql('restored_no_owner', 'SELECT string_agg(DISTINCT owner, $$,$$) = current_user FROM ml_models'), 't',
	'--no-owner: models belong to who restored them');
is($node->safe_psql('restored_no_owner', "SELECT ml_has_privilege('regress_bob', 'flower', 'deploy'), ml_has_privilege('regress_alice', 'flower', 'read')"),
	't|f', '--no-owner: grants are kept, ownership is not');

# A cluster that has none of the roles.
my $stranger = MlplatNode::start('stranger', extension => 0);
$stranger->command_fails([ 'pg_restore', '-d', $stranger->connstr('postgres'), "$dumps/custom.dump" ], 'missing roles: pg_restore complains');
is($stranger->safe_psql('postgres', 'SELECT count(*), bool_and(owner = current_user) FROM ml_models'), '5|t',
	'missing roles: the models are there and belong to who restored them');
$stranger->safe_psql('postgres', 'CREATE ROLE regress_bob');
is($stranger->safe_psql('postgres', "SELECT ml_has_privilege('regress_bob', 'flower', 'deploy')"), 't',
	'missing roles: a grant comes to life with its role');
is($stranger->safe_psql('postgres', "SELECT count(ml_predict_class('flower', i)) FROM iris i"), '150', 'missing roles: models predict');

# CREATE DATABASE from a template is a copy as well.
$node->safe_psql('template1', 'SELECT 1');
$node->safe_psql('template1', 'CREATE DATABASE copied TEMPLATE restored_no_owner');
is($node->safe_psql('copied', "SELECT count(ml_predict_class('flower', i)) FROM iris i"), '150', 'a copied database predicts');

# Roles with models are protected and cleared like those with tables.
my ($status, $out, $err) = $node->psql('postgres', 'DROP ROLE regress_bob');
isnt($status, 0, 'DROP ROLE of an owner is refused');
like($err, qr/owner of type mlplat\.m_/, 'and names what it owns');
($status, $out, $err) = $node->psql('postgres', 'DROP EXTENSION mlplat');
like($err, qr/cannot drop extension mlplat because other objects depend on it/, 'DROP EXTENSION asks for CASCADE while there are models');
$node->safe_psql('postgres', 'REASSIGN OWNED BY regress_bob TO regress_carol; DROP OWNED BY regress_bob');
is($node->safe_psql('postgres', "SELECT owner FROM ml_models WHERE model = 'tumour'"), 'regress_carol', 'REASSIGN OWNED');
$node->safe_psql('postgres', 'DROP OWNED BY regress_carol');
is($node->safe_psql('postgres', "SELECT count(*) FROM ml_models WHERE model = 'tumour'"), '0', 'DROP OWNED drops models');
$node->safe_psql('postgres', 'DROP EXTENSION mlplat CASCADE');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_type WHERE typname ~ '^m_[0-9]+\$'"), '0', 'DROP EXTENSION CASCADE takes the anchors');

$node->stop;
$stranger->stop;
unlike(slurp_file($_->logfile), qr/PANIC|terminated by signal|TRAP/, 'no crash in the log') foreach $node, $stranger;
done_testing();

# What was restored can be worked on: numbers continue, nothing collides.
sub life_goes_on
{
	my ($database, $way) = @_;

	is($node->safe_psql($database, <<'SQL'), "3\n1\nt\n2\n1", "$way: training, deploying and rolling back go on");
		SET ROLE regress_alice;
		SELECT version FROM ml_train('gbdt', 'iris', 'species', model => 'flower', params => '{"num_iterations": 10}');
		SELECT version FROM ml_train('gbdt', 'iris', 'species', model => 'another', params => '{"num_iterations": 10}');
		SELECT checksum = (SELECT checksum FROM ml_versions WHERE model = 'flower' AND version = 1) FROM ml_versions WHERE model = 'flower' AND version = 3;
		SELECT ml_deploy('flower@2', alias => 'again');
		SELECT ml_rollback('flower');
SQL
	is($node->safe_psql($database, "SELECT max(job) - 1 = (SELECT count(*) - 1 + min(job) - 1 FROM ml_jobs) FROM ml_jobs"), 't', "$way: job numbers continue");
	is($node->safe_psql($database, "SELECT count(*) FROM pg_depend WHERE classid = 'pg_type'::regclass AND objid IN (SELECT oid FROM pg_type WHERE typname LIKE 'm\\_%') AND deptype = 'e'"),
		'0', "$way: anchors are no members of the extension");
	my ($use_status, $use_out, $use_err) = $node->psql($database, "SELECT ml_drop('tumour')");
	like($use_err, qr/because function public\.tumour_now\(public\.breast_cancer\) uses it/, "$way: functions still protect their model");
	is($node->safe_psql($database, "SET enable_seqscan = off; SELECT count(*) > 0 FROM breast_cancer b WHERE tumour_then(b) > 0.9"), 't', "$way: the index works");
	my ($drop_status, $drop_out, $drop_err) = $node->psql($database, 'DROP EXTENSION mlplat');
	isnt($drop_status, 0, "$way: models protect the extension");
	return;
}
