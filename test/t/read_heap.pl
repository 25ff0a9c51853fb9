# Which sources are read page by page, and which by the executor: the server log tells.
use strict;
use warnings;
use MlplatNode;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = MlplatNode::start('pages');
$node->safe_psql('postgres', <<'SQL');
	CREATE TABLE t AS SELECT i AS k, (i % 7)::float8 AS a, (i % 13)::float8 AS y FROM generate_series(1, 2000) i;
	CREATE VIEW choice AS SELECT a, y FROM t;
	CREATE VIEW condition AS SELECT * FROM t WHERE k > 10;
	CREATE MATERIALIZED VIEW stored AS SELECT * FROM t;
	CREATE TABLE parent (LIKE t);
	CREATE TABLE child () INHERITS (parent);
	INSERT INTO child SELECT * FROM t;
	CREATE TABLE parted (LIKE t) PARTITION BY RANGE (k);
	CREATE TABLE part PARTITION OF parted DEFAULT;
	INSERT INTO parted SELECT * FROM t;
	CREATE TABLE secured AS SELECT * FROM t;
	ALTER TABLE secured ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
	CREATE ROLE regress_owner;
	CREATE POLICY from_six ON secured TO regress_owner USING (k > 5);
	ALTER TABLE secured OWNER TO regress_owner;
SQL

sub reads_pages
{
	my ($source, $before) = @_;
	my $log = -s $node->logfile;

	$node->safe_psql('postgres', "SET mlplat.execution = 'foreground'; SET log_min_messages = debug1;" . ($before // '') . "SELECT ml_train('linear_regression', '$source', 'y', 'm_' || current_user);");
	return slurp_file($node->logfile, $log) =~ /reading pages of/ ? 1 : 0;
}

is(reads_pages($_), 1, "pages: $_") for 't', 'choice', 'stored', 'child', 'part', 'SELECT a, y FROM t', 'SELECT * FROM choice';
is(reads_pages($_), 0, "executor: $_")
	for 'condition', 'parent', 'SELECT a + 1 AS a, y FROM t', 'SELECT * FROM t LIMIT 100', 'SELECT a, y FROM t ORDER BY k', 'SELECT a, y FROM t TABLESAMPLE bernoulli (50)';
is(reads_pages('t', 'SET default_transaction_isolation = serializable;'), 0, 'executor: a serializable transaction');
is(reads_pages('secured'), 1, 'pages: a superuser, whom policies do not concern');
is(reads_pages('secured', 'SET ROLE regress_owner;'), 0, 'executor: row-level security');
# A partitioned table of one partition is a plain scan of that one; either way is right.
$node->safe_psql('postgres', "SELECT ml_train('linear_regression', 'parted', 'y', 'm')");

$node->stop;
done_testing();
