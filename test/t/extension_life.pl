# The extension as an object of the database: created, restarted, dropped, created again, with and without preloading.
use strict;
use warnings;
use MlplatNode;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = MlplatNode::start('life');
my $version = $node->safe_psql('postgres', "SELECT extversion FROM pg_extension WHERE extname = 'mlplat'");

like($version, qr/^\d+\.\d+$/, 'an installed version');
is($node->safe_psql('postgres', "SELECT value FROM ml_version() WHERE name = 'library'"), $version, 'library and SQL are of one version');

# Objects that exist already are never adopted.
$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql('other', 'CREATE SCHEMA mlplat');
my ($status, $out, $err) = $node->psql('other', 'CREATE EXTENSION mlplat');
isnt($status, 0, 'a schema mlplat that was there is not adopted');
like($err, qr/schema "?mlplat"?.* already exists/, 'and the error says so');

$node->safe_psql('postgres', 'DROP EXTENSION mlplat');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_proc WHERE proname LIKE 'ml\\_%'"), '0', 'nothing of it is left after DROP EXTENSION');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_namespace WHERE nspname = 'mlplat'"), '0', 'its schema neither');
$node->safe_psql('postgres', 'CREATE EXTENSION mlplat');
pass_after_restart($node, 'after a restart');

$node->append_conf('postgresql.conf', "shared_preload_libraries = 'mlplat'");
pass_after_restart($node, 'preloaded');
is($node->safe_psql('postgres', 'SHOW mlplat.shared_cache_size'), '64MB', 'the setting that exists only while preloading');
$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal|TRAP/, 'no crash in the log');
done_testing();

sub pass_after_restart
{
	my ($server, $when) = @_;

	$server->restart;
	is($server->safe_psql('postgres', 'SELECT count(*) > 0 FROM ml_algorithms()'), 't', "the library answers $when");
	return;
}
