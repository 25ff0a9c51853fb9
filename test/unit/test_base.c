/*-------------------------------------------------------------------------
 * test_base.c
 *	  Failures, memory, bytes, checksum, sorting, threads, numbers as text.
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include <limits.h>
#include <signal.h>
#include <unistd.h>

#include "ml/base/bytes.h"
#include "ml/base/rng.h"
#include "ml/base/sha256.h"
#include "ml/base/sort.h"
#include "ml/base/text.h"

static void
test_errors(void)
{
	MlEnv	   *env = unit_env(1);
	char		wide[2000];

	CHECK(ml_fail(env, ML_BAD_PARAM, "first %d", 1) == ML_BAD_PARAM);
	CHECK(ml_fail(env, ML_BAD_DATA, "second") == ML_BAD_PARAM);
	CHECK(ml_hint(env, "Try %s.", "this") == ML_BAD_PARAM);
	CHECK_TEXT(env->error.message, "first 1");
	CHECK_TEXT(env->error.hint, "Try this.");

	/* A cut text keeps whole characters: 511 bytes are not a multiple of 3. */
	for (int i = 0; i < 600; i++)
		memcpy(wide + 3 * i, "\xE2\x82\xAC", 3);
	wide[1800] = '\0';
	env->error.status = ML_OK;
	ml_fail(env, ML_BAD_PARAM, "x%s", wide);
	CHECK(strlen(env->error.message) == 1 + 510);
	env->error.status = ML_OK;
	ml_fail(env, ML_BAD_PARAM, "%s", wide);
	CHECK(strlen(env->error.message) == 510);

	for (int i = 0; i < 3; i++)
		ml_warn(env, "warning %d", i);
	CHECK(env->n_warnings == 3);
	CHECK_TEXT(env->warnings->text, "warning 0");
	CHECK_TEXT(env->warnings->next->next->text, "warning 2");
	ml_warn(env, "warning %d", 1);
	CHECK(env->n_warnings == 3);	/* the same once more says nothing new */
	unit_env_free(env);
}

static void
test_arena(void)
{
	MlEnv	   *env = unit_env(1);
	size_t		before;
	char	   *big;
	void	   *some[100];
	bool		aligned = true;
	bool		zero = true;

	for (size_t i = 0; i < 2000; i++)
	{
		char	   *p = ml_alloc0(env, i, 3);

		aligned &= (uintptr_t) p % 64 == 0;
		for (size_t j = 0; j < 3 * i; j++)
			zero &= p[j] == 0;
		memset(p, 1, 3 * i);
	}
	CHECK(aligned && zero);
	before = ml_arena_used(env->arena);
	big = ml_alloc(env, 3, 1 << 20);
	memset(big, 1, 3 << 20);
	CHECK(ml_arena_used(env->arena) == before + (3 << 20));
	ml_release(env, big);
	CHECK(ml_arena_used(env->arena) == before);
	CHECK(ml_arena_peak(env->arena) == before + (3 << 20));

	/* Memory that was used before is zeroed where that was asked for. */
	big = ml_alloc0(env, 3, (1 << 20) - 5000);
	for (size_t j = 0; j < 3 * ((1 << 20) - 5000); j++)
		zero &= big[j] == 0;
	CHECK(zero);
	ml_release(env, big);

	/* Giving back in another order than taking. */
	for (int i = 0; i < 100; i++)
		some[i] = ml_alloc(env, 1, 70000 + 20000 * (size_t) i);
	for (int i = 0; i < 100; i++)
		ml_release(env, some[i * 37 % 100]);
	CHECK(ml_arena_used(env->arena) == before);
	ml_release(env, NULL);
	CHECK_TEXT(ml_printf(env, "%s-%d", "a", 5), "a-5");
	CHECK_TEXT(ml_strndup(env, "abcdef", 3), "abc");

	/* Emptied, it can be used again. */
	ml_arena_clear(env->arena);
	CHECK(ml_arena_used(env->arena) == 0 && ml_arena_demand(env->arena) == 0);
	memset(ml_alloc(env, 3, 1 << 20), 1, 3 << 20);
	CHECK_TEXT(ml_strdup(env, "again"), "again");
	ml_arena_clear(env->arena);

	/* Refitted, it holds the same again and little else. */
	for (int again = 0; again < 3; again++)
	{
		size_t		demand;

		for (size_t i = 1; i < 40; i++)
		{
			memset(ml_alloc(env, i, 17), 1, 17 * i);
			CHECK(ml_printf(env, "%zu", i) != NULL);
		}
		demand = ml_arena_demand(env->arena);
		CHECK(again == 0 || ml_arena_used(env->arena) <= demand + 64);
		ml_arena_refit(env->arena);
		CHECK(ml_arena_used(env->arena) == 0);
	}
	ml_arena_clear(env->arena);

	CHECK(ml_alloc(env, SIZE_MAX / 4, 8) == NULL && env->error.status == ML_TOO_LARGE);
	env->error.status = ML_OK;
	CHECK(ml_alloc(env, SIZE_MAX / 32, 8) == NULL && env->error.status == ML_NO_MEMORY);
	unit_env_free(env);
}

static void
test_limit(void)
{
	MlEnv	   *env = unit_env(1);
	void	   *p;

	ml_arena_free(env->arena);
	env->arena = ml_arena_create(4 << 20);
	p = ml_alloc(env, 3, 1 << 20);
	CHECK(p != NULL);
	CHECK(ml_alloc(env, 2, 1 << 20) == NULL && env->error.status == ML_OVER_BUDGET);
	CHECK(strstr(env->error.hint, "max_training_memory") != NULL);
	env->error.status = ML_OK;
	ml_release(env, p);
	CHECK(ml_alloc(env, 3, 1 << 20) != NULL);

	/* A warning for which there is no room is lost and does no harm. */
	while (ml_alloc(env, 1, 1000) != NULL)
		;
	env->error.status = ML_OK;
	for (int i = 0; i < 2000; i++)
		ml_warn(env, "%0900d", i);
	CHECK(env->error.status == ML_OK && env->n_warnings < 2000);
	unit_env_free(env);
}

static void
test_bytes(void)
{
	MlEnv	   *env = unit_env(1);
	double		numbers[] = {1.5, -0.0, 1e308};
	double		bad[] = {1, NAN};
	double	   *back;
	MlWriter	w;
	MlReader	r;

	ml_writer_init(&w, env);
	ml_put_u8(&w, 200);
	ml_put_u16(&w, 60000);
	ml_put_u32(&w, 0xDEADBEEF);
	ml_put_u64(&w, UINT64_C(0x0123456789ABCDEF));
	ml_put_i32(&w, -7);
	ml_put_double(&w, -2.5);
	ml_put_text(&w, "hello");
	ml_put_text(&w, NULL);
	ml_put_text(&w, "");
	ml_put_doubles(&w, numbers, 3);
	CHECK(w.status == ML_OK && w.bytes[1] == (60000 & 255) && w.bytes[3] == 0xEF);

	ml_reader_init(&r, env, w.bytes, w.length);
	CHECK(ml_get_u8(&r) == 200 && ml_get_u16(&r) == 60000 && ml_get_u32(&r) == 0xDEADBEEF);
	CHECK(ml_get_u64(&r) == UINT64_C(0x0123456789ABCDEF) && ml_get_i32(&r) == -7 && ml_get_double(&r) == -2.5);
	CHECK_TEXT(ml_get_text(&r), "hello");
	CHECK(ml_get_text(&r) == NULL && r.status == ML_OK);
	CHECK_TEXT(ml_get_text(&r), "");
	back = ml_get_doubles(&r, 3);
	CHECK(back != NULL && back[0] == 1.5 && signbit(back[1]) && back[2] == 1e308);
	CHECK(ml_reader_end(&r) == ML_OK);
	CHECK(ml_get_u8(&r) == 0 && r.status == ML_CORRUPT && ml_get_u32(&r) == 0 && ml_get_text(&r) == NULL);
	env->error.status = ML_OK;

	/* Too short for what is announced. */
	ml_writer_init(&w, env);
	ml_put_u32(&w, 1000000000);
	ml_put_u32(&w, 4);
	ml_reader_init(&r, env, w.bytes, w.length);
	CHECK(ml_get_count(&r, 8) == 0 && r.status == ML_CORRUPT);
	env->error.status = ML_OK;
	ml_reader_init(&r, env, w.bytes, w.length);
	CHECK(ml_get_text(&r) == NULL && r.status == ML_CORRUPT);
	env->error.status = ML_OK;
	ml_reader_init(&r, env, w.bytes, w.length);
	CHECK(ml_get_doubles(&r, SIZE_MAX / 4) == NULL && r.status == ML_CORRUPT);
	env->error.status = ML_OK;
	ml_reader_init(&r, env, w.bytes, w.length);
	ml_get_u32(&r);
	CHECK(ml_reader_end(&r) == ML_CORRUPT);
	env->error.status = ML_OK;

	ml_writer_init(&w, env);
	ml_put_doubles(&w, bad, 2);
	ml_put_u32(&w, 3);
	ml_put_bytes(&w, "a\0b", 3);
	ml_reader_init(&r, env, w.bytes, w.length);
	CHECK(ml_get_doubles(&r, 2) == NULL && r.status == ML_CORRUPT);
	env->error.status = ML_OK;
	ml_reader_init(&r, env, w.bytes, w.length);
	ml_get_double(&r);
	CHECK(ml_get_finite(&r) == 0 && r.status == ML_CORRUPT);
	env->error.status = ML_OK;
	ml_reader_init(&r, env, w.bytes, w.length);
	ml_get_bytes(&r, 16);
	CHECK(ml_get_text(&r) == NULL && r.status == ML_CORRUPT);
	unit_env_free(env);
}

/* RFC 3720, B.4. */
static void
test_crc(void)
{
	uint8_t		data[1000];

	CHECK(ml_crc32c("123456789", 9) == 0xE3069283);
	memset(data, 0, 32);
	CHECK(ml_crc32c(data, 32) == 0x8A9136AA);
	memset(data, 0xFF, 32);
	CHECK(ml_crc32c(data, 32) == 0x62A8AB43);
	for (int i = 0; i < 32; i++)
		data[i] = (uint8_t) i;
	CHECK(ml_crc32c(data, 32) == 0x46DD794E);
	CHECK(ml_crc32c(data, 0) == 0);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t) ml_rng_u64(1, 2, i);
	for (size_t n = 0; n < 40; n++)
		CHECK(ml_crc32c(data + n, sizeof(data) - 2 * n) == ml_crc32c_portable(data + n, sizeof(data) - 2 * n));
}

static bool
digest_is(const void *data, size_t length, const char *expected)
{
	MlSha256	sha;
	char		hex[ML_SHA256_HEX];
	bool		right;

	ml_sha256_begin(&sha);
	ml_sha256_add(&sha, data, length);
	ml_sha256_end(&sha, hex);
	right = strcmp(hex, expected) == 0;
	ml_sha256_begin_portable(&sha);
	ml_sha256_add(&sha, data, length);
	ml_sha256_end(&sha, hex);
	return right && strcmp(hex, expected) == 0;
}

/* The examples of FIPS 180-2, appendix B, and of RFC 6234; then both ways against each other, in pieces of all lengths. */
static void
test_sha256(void)
{
	uint8_t		data[700];
	char	   *million = malloc(1000000);
	bool		same = true;

	CHECK(digest_is("", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
	CHECK(digest_is("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
	CHECK(digest_is("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
					"248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"));
	memset(million, 'a', 1000000);
	CHECK(digest_is(million, 1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"));
	free(million);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t) ml_rng_u64(3, 4, i);
	for (size_t n = 0; n < sizeof(data); n++)
	{
		MlSha256	whole;
		MlSha256	pieces;
		char		a[ML_SHA256_HEX];
		char		b[ML_SHA256_HEX];

		ml_sha256_begin_portable(&whole);
		ml_sha256_add(&whole, data, n);
		ml_sha256_end(&whole, a);
		ml_sha256_begin(&pieces);
		for (size_t at = 0, piece = n % 67; at < n; at += piece, piece = (piece + 13) % 130)
		{
			piece = piece < n - at ? piece : n - at;
			ml_sha256_add(&pieces, data + at, piece);
		}
		ml_sha256_end(&pieces, b);
		same &= strcmp(a, b) == 0;
	}
	CHECK(same);
}

/* How often a sort asks whether it is canceled, and when it is told so. */
typedef struct Asked
{
	int			times;
	int			until;
} Asked;

static bool
asked(void *state)
{
	Asked	   *a = state;

	return ++a->times > a->until;
}

static MlStatus
sort_asked(int threads, bool same, Asked *a)
{
	MlEnv	   *env = unit_env(threads);
	size_t		n = (size_t) 1 << 21;
	MlKeyed    *items = ml_alloc(env, n, sizeof(MlKeyed));
	MlStatus	status;

	for (size_t i = 0; i < n; i++)
		items[i] = (MlKeyed) {same ? 5 : ml_rng_u64(5, 0, i), i};
	env->canceled = asked;
	env->state = a;
	status = ml_sort_keyed(env, items, n);
	unit_env_free(env);
	return status;
}

/* Equal keys are all in one range: who sorts it asks on the way, and what it leaves behind is not taken for sorted. */
static void
test_sort_canceled(void)
{
	Asked		spread = {.until = INT32_MAX};
	Asked		same = {.until = INT32_MAX};

	CHECK(sort_asked(1, false, &spread) == ML_OK);
	CHECK(sort_asked(1, true, &same) == ML_OK);
	unit_check(same.times >= spread.times + 8, __FILE__, __LINE__, "asked %d times for keys that differ, %d for equal ones", spread.times, same.times);
	for (int until = 0; until < same.times; until += 37)
		CHECK(sort_asked(1, true, &(Asked) {.until = until}) == ML_CANCELED);
	CHECK(sort_asked(1, true, &(Asked) {.until = same.times - 1}) == ML_CANCELED);
	CHECK(sort_asked(2, true, &(Asked) {.until = 100}) == ML_CANCELED);
}

static void
test_sort(void)
{
	MlEnv	   *env = unit_env(1);
	static const double values[] = {-INFINITY, -1e300, -1, -0x1p-1074, 0, 0x1p-1074, 1, 1e300, INFINITY, NAN};
	static const char *const texts[] = {"b", "", "abcdefgh", "abcdefghi", "a\x80", "abcdefgg", "B"};
	static const uint32_t lengths[] = {1, 0, 8, 9, 2, 8, 1};
	static const int32_t sorted[] = {1, 6, 5, 2, 3, 4, 0};
	int32_t		order[7];
	size_t		sizes[] = {0, 1, 63, 64, 5000};

	for (size_t i = 1; i < sizeof(values) / sizeof(values[0]); i++)
		CHECK(ml_sort_key_double(values[i - 1]) < ml_sort_key_double(values[i]));
	CHECK(ml_sort_key_double(-0.0) == ml_sort_key_double(0.0));
	CHECK(ml_sort_key_int(INT64_MIN) < ml_sort_key_int(-1) && ml_sort_key_int(-1) < ml_sort_key_int(0) && ml_sort_key_int(0) < ml_sort_key_int(INT64_MAX));

	for (size_t s = 0; s < 5; s++)
	{
		size_t		n = sizes[s];
		MlKeyed    *items = ml_alloc(env, n, sizeof(MlKeyed));
		bool		ok = true;

		for (size_t i = 0; i < n; i++)
			items[i] = (MlKeyed)
			{
				(ml_rng_u64(3, s, i) % 100) << (i % 2 == 0 ? 0 : 57), i
			};
		CHECK_STATUS(env, ml_sort_keyed(env, items, n), ML_OK);
		for (size_t i = 1; i < n; i++)
			ok &= items[i - 1].key < items[i].key || (items[i - 1].key == items[i].key && items[i - 1].row < items[i].row);
		CHECK(ok);
	}
	unit_env_free(env);

	/* Many rows are dealt out first: keys of all kinds, by one thread and by two. */
	for (int kind = 0; kind < 6; kind++)
		for (int threads = 1; threads <= 2; threads++)
		{
			size_t		n = kind == 5 ? 65536 : 200003;
			MlKeyed    *items;
			bool		ok = true;
			uint64_t	sum = 0;

			env = unit_env(threads);
			items = ml_alloc(env, n, sizeof(MlKeyed));
			for (size_t i = 0; i < n; i++)
			{
				uint64_t	u = ml_rng_u64(4, 0, i);

				items[i].key = kind == 0 ? u : kind == 1 ? 7 : kind == 2 ? n - i : kind == 3 ? u % 3 : kind == 4 ? ml_sort_key_double((double) (u >> 11) * 0x1p-53) :
					u % 2 == 0 ? 0 : UINT64_MAX;
				items[i].row = i;
			}
			CHECK_STATUS(env, ml_sort_keyed(env, items, n), ML_OK);
			for (size_t i = 0; i < n; i++)
			{
				sum += items[i].row;
				ok &= i == 0 || items[i - 1].key < items[i].key || (items[i - 1].key == items[i].key && items[i - 1].row < items[i].row);
			}
			unit_check(ok && sum == (uint64_t) n * (n - 1) / 2, __FILE__, __LINE__, "%zu keys of kind %d in order, %d threads", n, kind, threads);
			unit_env_free(env);
		}
	env = unit_env(1);
	CHECK_STATUS(env, ml_sort_texts(env, 7, texts, lengths, order), ML_OK);
	CHECK(memcmp(order, sorted, sizeof(sorted)) == 0);
	unit_env_free(env);
}

/* ------------------------------------------------------------------------
 * Threads
 * ------------------------------------------------------------------------
 */

#define TASKS 1000

typedef struct Tally
{
	int			count[TASKS];
	int			thread[TASKS];
	bool		signals_blocked;
} Tally;

static void
tally_task(void *arg, size_t task, int thread)
{
	Tally	   *tally = arg;
	sigset_t	mask;

	tally->count[task]++;
	tally->thread[task] = thread;
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	if (thread > 0 && (!sigismember(&mask, SIGTERM) || !sigismember(&mask, SIGINT) || !sigismember(&mask, SIGUSR1)))
		tally->signals_blocked = false;
	if (task % 100 == 0)
		usleep(1000);			/* so that helpers find something to do */
}

static void
test_pool(int threads)
{
	MlEnv	   *env = unit_env(threads);
	bool		once = true;
	bool		in_range = true;
	int			helped = 0;
	Tally		tally;

	CHECK(ml_pool_threads(env->pool) == threads);
	tally.signals_blocked = true;
	for (int round = 0; round < 200; round++)
	{
		size_t		tasks = round % 10 == 0 ? TASKS : (size_t) round % 7;

		memset(tally.count, 0, sizeof(tally.count));
		if (ml_pool_run(env, tasks, tally_task, &tally) != ML_OK)
			once = false;
		for (size_t i = 0; i < TASKS; i++)
		{
			once &= tally.count[i] == (i < tasks ? 1 : 0);
			in_range &= i >= tasks || (tally.thread[i] >= 0 && tally.thread[i] < threads);
			helped += i < tasks && tally.thread[i] > 0;
		}
		if (round % 50 == 0)
			usleep(5000);		/* long enough for the helpers to fall asleep */
	}
	CHECK(once && in_range && tally.signals_blocked);
	CHECK(threads == 1 ? helped == 0 : helped > 0);
	unit_env_free(env);
}

static bool
cancel_after_a_while(void *state)
{
	int		   *asked = state;

	return ++*asked > 20;
}

/* Sleeps, so that no helper can finish them all before the caller has asked often enough. */
static void
slow_task(void *arg, size_t task, int thread)
{
	tally_task(arg, task, thread);
	usleep(200);
}

static void
test_cancel(int threads)
{
	MlEnv	   *env = unit_env(threads);
	Tally		tally = {.signals_blocked = true};
	int			asked = 0;
	int			done = 0;

	env->canceled = cancel_after_a_while;
	env->state = &asked;
	CHECK_STATUS(env, ml_pool_run(env, TASKS, slow_task, &tally), ML_CANCELED);
	for (int i = 0; i < TASKS; i++)
		done += tally.count[i];
	CHECK(done < TASKS);
	env->canceled = NULL;
	memset(tally.count, 0, sizeof(tally.count));
	CHECK_STATUS(env, ml_pool_run(env, TASKS, tally_task, &tally), ML_OK);
	CHECK(tally.count[0] == 1 && tally.count[TASKS - 1] == 1);
	unit_env_free(env);
}

/* Tasks of helpers that would take seconds, unless they are told to stop. */
typedef struct Endless
{
	MlPool	   *pool;
	int			at_work;		/* helpers, atomic */
	int			told;
} Endless;

static void
endless_task(void *arg, size_t task, int thread)
{
	Endless    *e = arg;

	if (thread == 0)
	{
		/* Not before somebody else has something to do. */
		for (int i = 0; i < 5000 && __atomic_load_n(&e->at_work, __ATOMIC_SEQ_CST) == 0; i++)
			usleep(1000);
		return;
	}
	__atomic_fetch_add(&e->at_work, 1, __ATOMIC_SEQ_CST);
	for (int i = 0; i < 5000; i++)
	{
		if (ml_pool_stopping(e->pool))
		{
			__atomic_fetch_add(&e->told, 1, __ATOMIC_SEQ_CST);
			return;
		}
		usleep(1000);
	}
}

/* The caller has nothing left to do: it can be canceled while it waits. */
static void
test_cancel_waiting(void)
{
	MlEnv	   *env = unit_env(3);
	Endless		endless = {.pool = env->pool};
	int			asked = 0;

	env->canceled = cancel_after_a_while;
	env->state = &asked;
	CHECK_STATUS(env, ml_pool_run(env, 3, endless_task, &endless), ML_CANCELED);
	CHECK(endless.told > 0 && endless.told == endless.at_work);
	env->canceled = NULL;
	CHECK_STATUS(env, ml_pool_run(env, 2, tally_task, &(Tally) {.signals_blocked = true}), ML_OK);
	CHECK(!ml_pool_stopping(env->pool) && !ml_pool_stopping(NULL));
	unit_env_free(env);
}

/* Owners share tasks, the others help until all owners are through. */
typedef struct Sharing
{
	MlEnv	   *env;
	int			owners;
	int			done;			/* under the lock of the pool */
	struct Shared
	{
		int			owner;
		int			count[TASKS];
		int			own_part[8];	/* by thread: what it has not handed over */
		int			sum;		/* what was handed over, and the owner's; atomic */
		int			finished;	/* helpers; atomic */
		int			unknown;	/* of them, who had nothing to hand over; atomic */
	}			shared[8];
} Sharing;

static void
shared_task(void *arg, size_t task, int thread)
{
	struct Shared *s = arg;

	s->count[task]++;
	if (thread == s->owner)
		__atomic_fetch_add(&s->sum, 1, __ATOMIC_RELAXED);
	else
		s->own_part[thread]++;
	if (task % 50 == 0)
		usleep(100);
}

static void
shared_finish(void *arg, int thread)
{
	struct Shared *s = arg;

	__atomic_fetch_add(&s->finished, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&s->unknown, s->own_part[thread] == 0 || thread == s->owner, __ATOMIC_RELAXED);
	__atomic_fetch_add(&s->sum, s->own_part[thread], __ATOMIC_RELAXED);
	s->own_part[thread] = 0;
}

static void
sharing_task(void *arg, size_t task, int thread)
{
	Sharing    *sharing = arg;
	MlPool	   *pool = sharing->env->pool;

	if ((int) task < sharing->owners)
	{
		sharing->shared[task].owner = thread;
		(void) ml_pool_share(sharing->env, thread, task % 2 == 0 ? TASKS : 1, shared_task, shared_finish, &sharing->shared[task]);
	}
	ml_pool_lock(pool);
	sharing->done += (int) task < sharing->owners;
	ml_pool_wake(pool);
	while (sharing->done < sharing->owners)
		ml_pool_help(pool, thread);
	ml_pool_unlock(pool);
}

/* Each task once, and when share() returns all of it is handed over. */
static void
check_shared(const struct Shared *s, int tasks)
{
	bool		once = true;

	for (int i = 0; i < TASKS; i++)
		once &= s->count[i] == (i < tasks ? 1 : 0);
	CHECK(once && s->sum == tasks && s->unknown == 0);
}

static void
test_share(int threads)
{
	MlEnv	   *env = unit_env(threads);
	static Sharing sharing;
	int			helped = 0;

	for (int owners = 1; owners <= threads; owners++)
		for (int round = 0; round < 20; round++)
		{
			memset(&sharing, 0, sizeof(sharing));
			sharing.env = env;
			sharing.owners = owners;
			CHECK_STATUS(env, ml_pool_run(env, (size_t) threads, sharing_task, &sharing), ML_OK);
			for (int o = 0; o < owners; o++)
				check_shared(&sharing.shared[o], o % 2 == 0 ? TASKS : 1);
			helped += sharing.shared[0].finished;
		}
	CHECK(threads == 1 ? helped == 0 : helped > 0);
	/* Outside of a run it is one. */
	memset(&sharing, 0, sizeof(sharing));
	CHECK(ml_pool_has_idle(env->pool) == (threads > 1));
	CHECK_STATUS(env, ml_pool_share(env, 0, TASKS, shared_task, shared_finish, &sharing.shared[0]), ML_OK);
	check_shared(&sharing.shared[0], TASKS);
	unit_env_free(env);
}

static void
test_text(void)
{
	char		buffer[ML_DOUBLE_TEXT];

	CHECK_TEXT(ml_double_text(buffer, 20), "20");
	CHECK_TEXT(ml_double_text(buffer, -3), "-3");
	CHECK_TEXT(ml_double_text(buffer, 0.1), "0.1");
	CHECK_TEXT(ml_double_text(buffer, 1.0 / 3), "0.3333333333333333");
	CHECK_TEXT(ml_double_text(buffer, 5e-324), "4.94065645841247e-324");
	CHECK_TEXT(ml_double_text(buffer, -0.0), "0");
	for (uint64_t i = 0; i < 1000; i++)
	{
		double		x = (ml_rng_uniform(1, 2, i) - 0.5) * pow(10, (double) (i % 600) - 300);

		if (strtod(ml_double_text(buffer, x), NULL) != x)
			CHECK(!"a number reads back as another");
	}
	CHECK(ml_hash_bytes(0, "abc", 3) != ml_hash_bytes(0, "abd", 3) && ml_hash_bytes(0, "", 0) != ml_hash_bytes(0, "\0", 1));
}

int
main(void)
{
	test_errors();
	test_arena();
	test_limit();
	test_bytes();
	test_crc();
	test_sha256();
	test_sort();
	test_sort_canceled();
	for (int threads = 1; threads <= 5; threads += 2)
	{
		test_pool(threads);
		test_cancel(threads);
		test_share(threads);
	}
	test_cancel_waiting();
	test_text();
	return unit_done();
}
