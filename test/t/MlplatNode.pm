# A PostgreSQL node with mlplat in it, for the tests in this folder.
#
#   use MlplatNode;
#   my $node = MlplatNode::start('main', conf => "shared_preload_libraries = 'mlplat'", data => 1);
#   is($node->safe_psql('postgres', 'SELECT ...'), '...');
#
# $node is a PostgreSQL::Test::Cluster.  The runner (test/run) hands the place of the staged extension to every node
# through TEMP_CONFIG, so nodes made in another way (init_from_backup, a second Cluster->new) have it as well.
package MlplatNode;
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

# start(name, conf => lines of postgresql.conf, init => [parameters of init()], extension => 0 for none,
#       data => 1 for the tables of test/data, customers => their number)
sub start
{
	my ($name, %how) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$ENV{TEMP_CONFIG} or die "run this test with \"make test-tap\": it needs the staged extension";
	$node->init(extra => [ '--locale=C.UTF-8', '-E', 'UTF8' ], @{ $how{init} // [] });
	$node->append_conf('postgresql.conf', $how{conf}) if $how{conf};
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION mlplat') unless defined $how{extension} && !$how{extension};
	load_data($node, $how{customers}) if $how{data};
	return $node;
}

# The tables of test/data, with that many customers (default none).
sub load_data
{
	my ($node, $customers, $database) = @_;

	system_or_bail('psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($database // 'postgres'),
		'-v', "directory=$ENV{MLPLAT_WORK}/test/data", '-v', 'customer_rows=' . ($customers // 0),
		'-f', "$ENV{MLPLAT_WORK}/test/data/load.sql");
	return;
}

1;
