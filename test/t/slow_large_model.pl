# A model beyond what one field can carry: it is stored in pieces, served, dumped, restored, and dropped.
# Its size comes from its dictionaries: nineteen columns of 60,000 different texts of 1,000 bytes make an image of about 1.1 GB.
use strict;
use warnings;
use MlplatNode;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = MlplatNode::start('large', conf => "mlplat.max_training_memory = '8GB'\nmlplat.model_cache_size = '2GB'\nmax_wal_size = '8GB'\nfsync = off");
my $dump = $node->basedir . '/large.dump';
my $columns = join ', ', map { "c$_" } 1 .. 19;
my $texts = join ', ', map { "rpad($_ || '-' || i, 1000, 'x') AS c$_" } 1 .. 19;

# Stored as they are: the point is the model, not the table.
$node->safe_psql('postgres', "CREATE VIEW texts AS SELECT i AS id, $texts, i % 1000 AS y FROM generate_series(1, 60000) i");
my ($status, $out, $err) = $node->psql('postgres', "SELECT version FROM ml_train('gbdt', 'texts', 'y', model => 'large',
	features => '{$columns}', split => 'none', params => '{\"task\": \"regression\", \"num_iterations\": 2}')");
is("$status $out", '0 1', 'it is trained and stored') or diag($err);

my ($bytes, $chunks, $largest) = split /\|/, $node->safe_psql('postgres', q(
	SELECT bytes, count(*), max(length(data)) FROM ml_versions v, mlplat.chunk WHERE v.model = 'large' GROUP BY 1));
cmp_ok($bytes, '>', 1_073_741_824, "an image of $bytes bytes");
cmp_ok($largest, '<=', 16 * 1024 * 1024, "in $chunks pieces of at most 16 MB");

my $predict = "SELECT string_agg(float8send(ml_predict('large', t))::text, ',') FROM (SELECT * FROM texts LIMIT 20) t";
my $before = $node->safe_psql('postgres', $predict);
cmp_ok(length $before, '>', 300, 'it predicts');

$node->command_ok([ 'pg_dump', '-Fc', '-Z0', '-f', $dump, $node->connstr('postgres') ], 'pg_dump carries it');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'pg_restore', '-d', $node->connstr('restored'), $dump ], 'pg_restore brings it back');
is($node->safe_psql('restored', $predict), $before, 'and it predicts the same to the bit');

$node->safe_psql('restored', "SELECT ml_drop('large')");
is($node->safe_psql('restored', 'SELECT count(*) FROM mlplat.chunk'), '0', 'dropped, it leaves nothing behind');

# A cache that cannot hold it: loaded for the statement, right all the same, and said once.
my $offset = -s $node->logfile;
is($node->safe_psql('postgres', "SET mlplat.model_cache_size = '1MB'; $predict; $predict"), "$before\n$before", 'a small cache serves it as well');
my $lines = () = slurp_file($node->logfile, $offset) =~ /is larger than mlplat.model_cache_size/g;
is($lines, 1, 'with one line in the log');

$node->stop;
done_testing();
