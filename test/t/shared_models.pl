# Models in shared memory: one for all sessions, taken out when there is no room or when they are dropped, given back by whoever ends.
use strict;
use warnings;
use MlplatNode;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = MlplatNode::start('shared', conf => "shared_preload_libraries = 'mlplat'\nmlplat.shared_cache_size = '2MB'\nrestart_after_crash = on\nmax_connections = 40\n");

sub sql { my ($text, @more) = @_; return $node->safe_psql('postgres', $text, @more); }
sub shared { return sql('SELECT count(*) FROM mlplat._shared_models()'); }
sub checksum { my ($model) = @_; return sql("SELECT checksum FROM ml_versions WHERE model = '$model' ORDER BY version DESC LIMIT 1"); }
sub is_shared { my ($checksum) = @_; return sql("SELECT count(*) FROM mlplat._shared_models() WHERE checksum = '$checksum'"); }

# A model that doubles, triples, ...; and a forest that takes some of the memory.
sql('CREATE TABLE points AS SELECT i, i::float8 AS x, (i * 37 % 400)::float8 AS w, (i * 11 % 90)::float8 AS v FROM generate_series(1, 400) i');
sub line { my ($name, $factor, $deploy) = @_; return sql("SELECT version FROM ml_train('linear_regression', 'SELECT x, $factor * x AS y FROM points', 'y', model => '$name', split => 'none', deploy => '" . ($deploy // 'first') . "')"); }
sub forest { my ($name, $seed) = @_; return sql("SELECT version FROM ml_train('gbdt', 'SELECT x, w, v, sin(x * $seed) + w AS y FROM points', 'y', model => '$name', params => '{\"num_iterations\": 60, \"min_data_in_leaf\": 2}', split => 'none')"); }
sub answers { my ($name) = @_; return sql("SELECT md5(string_agg(float8send(ml_predict('$name', p))::text, ',' ORDER BY i)) FROM points p"); }

# -- One copy, the same answers -----------------------------------------------------------------
is(shared(), 0, 'nothing is there before anybody predicts');
forest('first', 1);
my $private = do { local $ENV{PGOPTIONS} = '-c mlplat.model_cache_size=64kB'; answers('first') };
is(answers('first'), $private, 'the same bits from every session');
is(shared(), 1, 'one copy for all of them');
is(sql(q{SELECT sum(users) FROM mlplat._shared_models()}), 0, 'and nobody has it pinned afterwards');
is(sql(q{SELECT bool_and(ml_predict('first', p) = ml_predict_json('first', to_jsonb(p))) FROM points p}), 't', 'in each shape');
is(sql(q{SELECT count(*) FROM points p, LATERAL ml_explain('first', p, 1)}), '1200', 'and it can be explained');
is(sql(q{SET max_parallel_workers_per_gather = 2; SET min_parallel_table_scan_size = 0; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;
	SELECT count(prediction) FROM ml_predict_batch('first', 'points')}), '400', 'parallel workers use it');
is(sql(q{SELECT count(*) FROM pg_backend_memory_contexts WHERE name LIKE 'mlplat%' AND (SELECT count(ml_predict('first', p)) FROM points p) = 400 HAVING sum(total_bytes) > 300000}), '',
	'a session keeps no copy of its own');
# Who reads the tables finds damage; who finds the model in memory does not read them.
sql(q{CREATE TABLE saved AS SELECT * FROM mlplat.chunk; UPDATE mlplat.chunk SET data = set_byte(data, 900, get_byte(data, 900) # 1)});
is(answers('first'), $private, 'the image in the tables is not read again');
sql(q{UPDATE mlplat.chunk c SET data = s.data FROM saved s WHERE s.version_id = c.version_id; DROP TABLE saved});

# -- Rights and databases -----------------------------------------------------------------------
sql('CREATE ROLE stranger LOGIN; GRANT SELECT ON points TO stranger');
my ($status, $out, $err) = $node->psql('postgres', q{SELECT ml_predict('first', p) FROM points p}, extra_params => [ '-U', 'stranger' ]);
like($err, qr/model "first" does not exist/, 'a model in memory is no right to use it');
($status, $out, $err) = $node->psql('postgres', 'SELECT * FROM mlplat._shared_models()', extra_params => [ '-U', 'stranger' ]);
like($err, qr/permission denied/, 'nor to know of it');
$node->safe_psql('postgres', 'CREATE DATABASE other TEMPLATE postgres');
is($node->safe_psql('other', q{SELECT sum(ml_predict('first', p)) FROM points p}), sql(q{SELECT sum(ml_predict('first', p)) FROM points p}), 'another database with the same model');
is(sql('SELECT count(DISTINCT database), count(DISTINCT checksum) FROM mlplat._shared_models()'), '2|1', 'has its own copy');
$node->safe_psql('postgres', 'DROP DATABASE other');

# -- Deploy and drop ------------------------------------------------------------------------------
line('line', 2);
my $session = $node->background_psql('postgres', on_error_stop => 0);
my $predict = q{SELECT round(ml_predict('line', p)) FROM points p WHERE i = 10};
is($session->query($predict), '20', 'a session that stays');
my $doubles = checksum('line');
line('line', 3, 'always');
is($session->query($predict), '30', 'follows a deploy');
is(is_shared($doubles), 1, 'the old version is still there');
is($session->query("BEGIN; SELECT ml_drop('line', 1); ROLLBACK; SELECT 1") =~ /1$/ ? 1 : 0, 1, 'a drop that is rolled back');
is(is_shared($doubles), 1, 'takes nothing out');
sql(q{SELECT ml_drop('line', 1)});
is(is_shared($doubles), 0, 'a drop takes it out');
# Dropped while it is in use: it goes with its last user, and nobody finds it before.
$session->query("BEGIN; DECLARE c CURSOR FOR SELECT round(ml_predict('line', p)) FROM points p ORDER BY i; FETCH 1 FROM c");
my $triples = checksum('line');
is(sql("SELECT users FROM mlplat._shared_models() WHERE checksum = '$triples'"), 1, 'a cursor has it pinned');
sql(q{SELECT ml_drop('line')});
is($session->query('FETCH 2 FROM c'), "6\n9", 'and goes on with it after it was dropped');
$session->query('COMMIT');
line('line', 3);
is($session->query($predict), '30', 'a new model of the same image');

# -- Sessions that end ----------------------------------------------------------------------------
$session->query("BEGIN; DECLARE c CURSOR FOR SELECT ml_predict('line', p) FROM points p; FETCH 1 FROM c");
is(sql('SELECT sum(users) FROM mlplat._shared_models()'), 1, 'pinned');
sql(q{SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'});
is(sql('SELECT sum(users) FROM mlplat._shared_models()'), 0, 'a terminated session gives back what it had');
eval { $session->quit };

# -- No room ----------------------------------------------------------------------------------------
forest("f$_", $_ + 100) for 1 .. 12;
my %want = map { $_ => answers("f$_") } 1 .. 12;
cmp_ok(shared(), '<', 14, 'there is no room for all');
cmp_ok(sql('SELECT sum(bytes) FROM mlplat._shared_models()'), '<=', 2 * 1024 * 1024, 'the memory is bounded');
is(is_shared(checksum('f12')), 1, 'the last one is there');
is(is_shared(checksum('f1')), 0, 'the first one is not');
is(answers("f$_"), $want{$_}, "f$_ answers as before") for 1, 5, 12;
sql(q{CREATE TABLE huge AS SELECT i AS x, random() AS y, random() AS a, random() AS b FROM generate_series(1, 20000) i});
sql(q{SELECT version FROM ml_train('gbdt', 'huge', 'y', model => 'huge', params => '{"num_iterations": 150, "num_leaves": 255, "min_data_in_leaf": 1}', split => 'none')});
cmp_ok(sql(q{SELECT count(ml_predict('huge', h)) FROM huge h}), '==', 20000, 'one that is larger than the memory serves from the session');
is(is_shared(checksum('huge')), 0, 'alone');

# -- Many at once, while others deploy, drop and take the room ----------------------------------------
sql(q{CREATE TABLE expected (name text PRIMARY KEY, sum numeric)});
for (1 .. 12) { sql("INSERT INTO expected SELECT 'f$_', sum(ml_predict('f$_', p)::numeric) FROM points p"); }
my $dir = PostgreSQL::Test::Utils::tempdir();
append_to_file("$dir/ask.sql", q{\set n random(1, 12)
SELECT 1 / (sum(ml_predict('f' || :n, p)::numeric) = (SELECT sum FROM expected WHERE name = 'f' || :n))::int FROM points p;
});
append_to_file("$dir/fresh.sql", q{\set n random(1, 12)
\set from random(1, 300)
SELECT 1 / (count(ml_predict('f' || :n, p)) = 100)::int FROM points p WHERE i >= :from AND i < :from + 100;
});
append_to_file("$dir/change.sql", q{\set n random(1, 3)
SELECT count(*) FROM ml_train('linear_regression', 'SELECT x, 2 * x AS y FROM points', 'y', model => 'moving' || :client_id, split => 'none', deploy => 'always');
SELECT 1 / (round(ml_predict('moving' || :client_id, p)) = 20)::int FROM points p WHERE i = 10;
SELECT ml_drop('moving' || :client_id);
});
chmod 0644, "$dir/$_" for 'ask.sql', 'fresh.sql', 'change.sql';
$node->command_ok([ 'pgbench', '-n', '-T', '5', '-c', '8', '-j', '2', '-f', "$dir/ask.sql\@6", '-f', "$dir/change.sql\@1", 'postgres' ], 'sessions that stay get right answers while models come and go');
$node->command_ok([ 'pgbench', '-n', '-C', '-T', '4', '-c', '8', '-j', '2', '-f', "$dir/fresh.sql", 'postgres' ], 'and new sessions');
is(sql('SELECT coalesce(sum(users), 0) FROM mlplat._shared_models()'), 0, 'nothing is left pinned');
cmp_ok(shared(), '>', 0, 'and models are there');

# -- A crash ------------------------------------------------------------------------------------------
my $victim = $node->background_psql('postgres', on_error_stop => 0);
my $pid = $victim->query('SELECT pg_backend_pid()');
$victim->query("BEGIN; DECLARE c CURSOR FOR SELECT ml_predict('f1', p) FROM points p; FETCH 1 FROM c");
kill 'KILL', $pid;
eval { $victim->quit };
$node->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()', 't') or die 'the server did not come back';
is(shared(), 0, 'after a crash shared memory is new');
is(answers('f1'), $want{1}, 'and models are loaded again');
is(sql('SELECT count(*), sum(users) FROM mlplat._shared_models()'), '1|0', 'into it');

# -- The same numbers, other models ---------------------------------------------------------------------
sql(q{SET client_min_messages = error; DROP EXTENSION mlplat CASCADE; CREATE EXTENSION mlplat});
is(line('line', 7), 1, 'a new extension');
is(sql($predict), '70', 'serves its own models');

# -- Off ------------------------------------------------------------------------------------------------
$node->append_conf('postgresql.conf', "mlplat.shared_cache_size = 0\n");
$node->restart;
is(sql($predict), '70', 'without shared memory each session has its own');
is(shared(), 0, 'and nothing is shared');
$node->stop;
my $log = slurp_file($node->logfile);
is(() = $log =~ /terminated by signal/g, 1, 'no crash but ours');
unlike($log, qr/PANIC|TRAP/, 'no failed assertion in the log');
done_testing();
