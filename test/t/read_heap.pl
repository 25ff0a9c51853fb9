# Which sources are read page by page, and which by the executor: the server log tells.
use strict;
use warnings;
use MlplatNode;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use POSIX ();
use Time::HiRes qw(sleep time);

my $node = MlplatNode::start('pages');
$node->safe_psql('postgres', <<'SQL');
	CREATE TABLE t AS SELECT i AS k, (i % 7)::float8 AS a, (i % 13)::float8 AS y FROM generate_series(1, 2000) i;
	CREATE VIEW choice AS SELECT a, y FROM t;
	CREATE VIEW condition AS SELECT * FROM t WHERE k > 10;
	CREATE VIEW barred WITH (security_barrier) AS SELECT * FROM t WHERE k > 10;
	CREATE VIEW barred_computed WITH (security_barrier) AS SELECT a, a * 2 AS b, y FROM t WHERE k > 10;
	CREATE VIEW computed AS SELECT a, a * 2 AS b, y FROM t WHERE k > 10;
	CREATE FUNCTION mine(float8) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1 >= 0; END';
	CREATE FUNCTION inlined(float8) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 >= 0';
	CREATE TABLE indexed AS SELECT i AS k, (i % 7)::float8 AS a, (i % 13)::float8 AS y FROM generate_series(1, 10000) i;
	CREATE INDEX ON indexed (k);
	CREATE TABLE indexed_parts (LIKE t) PARTITION BY RANGE (k);
	CREATE TABLE indexed_part_1 PARTITION OF indexed_parts FOR VALUES FROM (0) TO (6000);
	CREATE TABLE indexed_part_2 PARTITION OF indexed_parts FOR VALUES FROM (6000) TO (20000);
	INSERT INTO indexed_parts SELECT * FROM indexed;
	CREATE INDEX ON indexed_parts (k);
	VACUUM ANALYZE indexed, indexed_parts;
	CREATE FUNCTION either(float8, float8) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1 >= $2 OR $2 >= 0; END';
	CREATE OPERATOR @@@ (LEFTARG = float8, RIGHTARG = float8, FUNCTION = either);
	CREATE DOMAIN checked AS text CHECK (value <> 'x' AND mine(length(value)));
	CREATE TYPE colour AS ENUM ('red', 'green');
	CREATE TYPE pair AS (x int, y int);
	CREATE TABLE coloured AS SELECT 'red'::colour AS c, chr(97 + i % 7) AS w, (i, i)::pair AS pair, sin(i) AS a, (i % 13)::float8 AS y FROM generate_series(1, 2000) i;
	CREATE MATERIALIZED VIEW stored AS SELECT * FROM t;
	CREATE TABLE parent (LIKE t);
	CREATE TABLE child () INHERITS (parent);
	INSERT INTO child SELECT * FROM t;
	CREATE TABLE parted (LIKE t) PARTITION BY RANGE (k);
	CREATE TABLE part PARTITION OF parted DEFAULT;
	INSERT INTO parted SELECT * FROM t;
	CREATE TABLE ranges (LIKE t) PARTITION BY RANGE (k);
	CREATE TABLE range_1 PARTITION OF ranges FOR VALUES FROM (0) TO (1000);
	CREATE TABLE range_2 (y float8, k int, a float8);
	ALTER TABLE ranges ATTACH PARTITION range_2 FOR VALUES FROM (1000) TO (5000);
	INSERT INTO ranges SELECT * FROM t;
	CREATE VIEW barred_parts WITH (security_barrier) AS SELECT * FROM ranges WHERE k > 10;
	CREATE EXTENSION file_fdw;
	CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
	CREATE TABLE mixed (LIKE t) PARTITION BY RANGE (k);
	CREATE TABLE mixed_1 PARTITION OF mixed FOR VALUES FROM (0) TO (5000);
	CREATE FOREIGN TABLE mixed_2 PARTITION OF mixed FOR VALUES FROM (5000) TO (6000) SERVER files OPTIONS (program 'echo 5001,3,4', format 'csv');
	INSERT INTO mixed SELECT * FROM t;
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

is(reads_pages($_), 1, "pages: $_") for 't', 'choice', 'stored', 'child', 'part', 'SELECT a, y FROM t', 'SELECT * FROM choice', 'parted', 'parent', 'ranges',
	'SELECT * FROM ranges WHERE k < 1000 OR true', 'SELECT a, y FROM t UNION ALL SELECT a, y FROM ranges', 'condition', 'barred', 'SELECT * FROM ranges WHERE k > 10', 'SELECT * FROM t WHERE inlined(a)',
	'SELECT a, y FROM t WHERE k > 10 UNION ALL SELECT a, y FROM ranges WHERE a > 1', q{SELECT * FROM t WHERE now() > ''2020-01-01''::timestamp + k * interval ''1 hour'' AND a = abs(a)},
	q{SELECT * FROM coloured WHERE c = ''red'' AND c::text || ''!'' ~ ''d!$'' AND w IN (''a'', ''b'', ''c'')}, 'SELECT * FROM t WHERE CASE WHEN k % 2 = 0 THEN a IS NOT NULL ELSE current_user IS NOT NULL END', 'SELECT a + 1 AS a, y FROM t', q{SELECT ln(k) AS l, 1 AS one, current_setting(''work_mem'') AS m, y FROM t},
	'SELECT a, y FROM barred', 'SELECT * FROM barred WHERE a >= 0', 'SELECT a, y FROM t UNION ALL SELECT k, k FROM parted', 'SELECT a, y FROM barred_computed', 'SELECT a, y FROM barred_computed WHERE b > 1', 'SELECT a, 1 AS one, y FROM ranges', 'SELECT a * 2 AS b, y FROM barred_parts WHERE k > 100',
	'computed', 'SELECT * FROM computed WHERE b > 1', 'SELECT a, y FROM t UNION ALL SELECT a + 1, y FROM ranges UNION ALL SELECT 1.0::float8, k::float8 FROM parted', 'SELECT c::text || w AS cw, ARRAY[a, y] AS ay, y FROM coloured', 'SELECT inlined(a - 3) AS i, y FROM t';
is(reads_pages($_), 0, "executor: $_")
	for 'mixed', 'SELECT * FROM t WHERE k > 10 LIMIT 100', 'SELECT * FROM t WHERE mine(a)', 'SELECT * FROM t WHERE a @@@ y', 'SELECT * FROM t WHERE a > (SELECT avg(a) FROM t)', 'SELECT * FROM t WHERE k IN (SELECT k FROM ranges)',
	'SELECT * FROM t WHERE random() < 0.9', 'SELECT * FROM barred WHERE mine(a)', q{SELECT * FROM coloured WHERE w::checked <> ''a''}, 'SELECT * FROM coloured WHERE pair IS NOT NULL', q{SELECT * FROM t WHERE pg_get_viewdef(''choice''::regclass) <> k::text},
	'SELECT a, y FROM barred_computed WHERE ln(b + 100) > 0', 'SELECT a, y FROM (SELECT DISTINCT a, y FROM t) q', 'SELECT mine(a - 3)::int AS a, y FROM t', 'SELECT a, (SELECT avg(a) FROM t) AS m, y FROM t', 'SELECT a, random() AS r, y FROM t', 'SELECT a, row_number() OVER () AS n, y FROM t', 'SELECT w::checked AS w, y FROM coloured', 'SELECT (pair).x + a AS x, y FROM coloured',
	'SELECT a, y FROM t UNION ALL SELECT either(a, y)::int::float8, y FROM ranges', 'SELECT * FROM t LIMIT 100', 'SELECT a, y FROM t ORDER BY k', 'SELECT a, y FROM t TABLESAMPLE bernoulli (50)';
# An index is left aside where the rows it finds cost more than it saves, as long as the table fits into the cache.
is(reads_pages("SELECT * FROM $_"), 1, "pages: $_") for 'indexed WHERE k > 6000', 'indexed WHERE k > 6000 AND a > 0', 'indexed_parts WHERE k > 4000';
is(reads_pages("SELECT * FROM $_"), 0, "executor: $_") for 'indexed WHERE k < 40', 'indexed ORDER BY k', 'indexed WHERE k > 4000 ORDER BY k', 'indexed WHERE k > 4000 AND mine(a - 3)', 'indexed JOIN t USING (k, a, y) WHERE k > 1000';
is(reads_pages('SELECT * FROM indexed WHERE k > 6000', "SET effective_cache_size = '80kB';"), 0, 'executor: a table larger than the cache, by an index');
is(reads_pages('t', 'SET default_transaction_isolation = serializable;'), 0, 'executor: a serializable transaction');
is(reads_pages('secured'), 1, 'pages: a superuser, whom policies do not concern');
is(reads_pages('secured', 'SET ROLE regress_owner;'), 1, 'pages: row-level security');
is(reads_pages('secured', 'CREATE POLICY own ON secured TO regress_owner USING (mine(a)); SET ROLE regress_owner;'), 0, 'executor: a policy that calls what users have written');
is($node->safe_psql('postgres', "SELECT ml_train('linear_regression', 'mixed', 'y', 'm')") =~ /regression,2001,/ ? 1 : 0, 1, 'the row of a foreign partition is among those that are read');

# While a table is read twice, others change it, and vacuum moves what is left on its pages: whoever has a snapshot reads the same rows in the same order.
my $dir = PostgreSQL::Test::Utils::tempdir;
my $figures = q{SELECT string_agg(rows || ' ' || data_hash || ' ' || checksum, ' ' ORDER BY model) FROM (SELECT DISTINCT ON (model) * FROM ml_versions WHERE model LIKE 'twice%' ORDER BY model, version DESC) q;};
my $train = q{SELECT version FROM ml_train('gbdt', 'twice', 'y', 'twice', params => '{"num_iterations": 3}');
	SELECT version FROM ml_train('gbdt', 'SELECT k, a, b * 2 AS b, later, y FROM twice WHERE k % 4 > 0 AND a < 0.9', 'y', 'twice_some', params => '{"num_iterations": 3}');} . "\n\\echo figures\n$figures\n";
my $change = 'UPDATE twice SET a = random(), y = y + 1, later = NULL WHERE k % 3 = 0; DELETE FROM twice WHERE k % 10 = 1; VACUUM twice; INSERT INTO twice SELECT i, i, i, i, i FROM generate_series(1, 3000) i;';

$node->safe_psql('postgres', 'CREATE TABLE twice AS SELECT i AS k, sin(i) AS a, cos(i) AS b, (i % 13)::float8 AS y FROM generate_series(1, 150000) i; ALTER TABLE twice ADD later float8 DEFAULT 2.5; VACUUM ANALYZE twice');
my $changer = fork // die "fork: $!";
if ($changer == 0)
{
	sleep 0.05 until -e "$dir/go" || -e "$dir/end";
	$node->psql('postgres', $change) until -e "$dir/end";
	POSIX::_exit(0);
}
my $told = $node->safe_psql('postgres', "SET mlplat.execution = 'foreground'; BEGIN ISOLATION LEVEL REPEATABLE READ;\n$train\\! touch $dir/go\n" . "SELECT pg_sleep(0.2);\n$train" x 12 . "COMMIT;\n");
append_to_file("$dir/end", '');
waitpid $changer, 0;
my @figures = $told =~ /^figures\n(.*)$/mg;
is(scalar @figures, 13, 'a table trains while others change it');
is(scalar(grep { $_ eq $figures[0] } @figures), 13, 'and gives the same hash and the same model each time');
isnt($node->safe_psql('postgres', 'SELECT count(*) FROM twice'), '150000', 'for it did change');

# A condition that no row passes, and one that takes long for each, end when they are told to.
for my $condition ('length(repeat(k::text, 50000)) < 0', q{k || repeat('a', 500) || 'b' || repeat('a', 499) ~ '^\d+(a+)(a+)(a+)b\1$'})
{
	my $began = time;
	my ($status, $out, $err) = $node->psql('postgres', "SET mlplat.execution = 'foreground'; SET statement_timeout = '300ms';\nSELECT ml_train('gbdt', \$\$SELECT * FROM twice WHERE $condition\$\$, 'y', 'stopped')");
	like($err, qr/ERROR:  canceling statement due to statement timeout/, "stopped: $condition");
	cmp_ok(time - $began, '<', 1.5, 'within a second');
	$began = time;
	($status, $out, $err) = $node->psql('postgres', "SET mlplat.execution = 'foreground'; SET statement_timeout = '300ms';\nSELECT ml_train('gbdt', \$\$SELECT a, y, $condition AS c FROM twice\$\$, 'y', 'stopped')");
	like($err, qr/ERROR:  canceling statement due to statement timeout/, "and as a column");
	cmp_ok(time - $began, '<', 1.5, 'within a second');
}

# Where few pages may be pinned: buffers of temporary tables are a session's own and few, and a server may have hardly any.
my $fill = 'TABLE little AS SELECT i AS k, sin(i) AS a, cos(i) AS b, (i % 13)::float8 AS y FROM generate_series(1, 40000) i;';
my $learn = q{SELECT rows FROM ml_train('gbdt', 'little', 'y', 'little', params => '{"num_iterations": 3}'); SELECT checksum FROM ml_versions WHERE model = 'little';};
my $many = 'SET mlplat.parallel_workers = 15;';
my $wanted = $node->safe_psql('postgres', "CREATE $fill $many $learn");
like($wanted, qr/^40000\n\w+/, 'a table is read');
$node->safe_psql('postgres', q{SELECT ml_drop('little'); DROP TABLE little});
is($node->safe_psql('postgres', "SET temp_buffers = '800kB'; CREATE TEMP $fill $many $learn"), $wanted, 'and read alike with a hundred buffers');
$node->stop;
$node = MlplatNode::start('tiny', conf => "shared_buffers = 128kB");
$node->safe_psql('postgres', "CREATE $fill");
my @readers = map {
	my $model = "little_$_";
	my $pid = fork // die "fork: $!";
	if ($pid == 0)
	{
		my $one = $learn =~ s/'little', params/'$model', params/r =~ s/model = 'little';/model = '$model' ORDER BY version DESC LIMIT 1;/r;
		my $status = $node->psql('postgres', "SET mlplat.execution = 'foreground'; $many " . $one x 12, stdout => \my $out);
		POSIX::_exit($status == 0 && $out eq join("\n", ($wanted) x 12) ? 0 : 1);
	}
	$pid;
} 1 .. 4;
is(scalar(grep { waitpid($_, 0); $? == 0 } @readers), 4, 'and by four sessions that share sixteen');

$node->stop;
done_testing();
