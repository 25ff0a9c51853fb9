/*-------------------------------------------------------------------------
 * pool.c
 *	  Threads, and the handing out of tasks to them.
 *
 * One 64-bit word, the gate, says which run is on (upper half), whether it still
 * takes helpers (OPEN) and how many are inside (the rest).  A helper that wakes
 * late finds the gate closed and does nothing; so the caller waits only for
 * those that really took part, never for a thread that the system has not
 * scheduled yet.  The fields of a run change only while nobody is inside.
 *
 * Sleeping: helpers on "bell", the caller on "left".  Both are counters that are
 * read before the condition is checked, so no wake-up can be lost.
 *-------------------------------------------------------------------------
 */
#include "ml/base/pool.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* While the caller waits for others it asks so often whether it is canceled. */
#define ASK_NANOSECONDS 10000000

/* About 20 microseconds; longer gaps between runs put the helpers to sleep. */
#define SPINS 600
#define STACK_BYTES ((size_t) 1024 * 1024)

#define GATE_OPEN UINT64_C(0x80000000)
#define GATE_INSIDE UINT64_C(0x7FFFFFFF)
#define GATE_RUN(gate) ((uint32_t) ((gate) >> 32))

typedef struct Helper
{
	MlPool	   *pool;
	int			number;			/* 1 .. */
	pthread_t	thread;
} Helper;

struct MlPool
{
	int			n_helpers;
	Helper	   *helpers;
	bool		quit;

	/* Of the tasks among themselves. */
	pthread_mutex_t lock;
	pthread_cond_t changed;

	/* The run in hand. */
	MlTask_fn	function;
	void	   *arg;
	size_t		tasks;
	bool		stopping;		/* it was canceled */

	/* Each on a cache line of its own. */
	uint64_t	gate __attribute__((aligned(64)));
	size_t		next __attribute__((aligned(64)));
	uint32_t	bell __attribute__((aligned(64)));	/* number of the newest run */
	int			sleepers;
	uint32_t	left __attribute__((aligned(64)));	/* how often the last helper left a closed gate */
};

static void
futex_wait(uint32_t *word, uint32_t seen)
{
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
}

static void
futex_wait_briefly(uint32_t *word, uint32_t seen)
{
	struct timespec limit = {0, ASK_NANOSECONDS};

	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, &limit, NULL, 0);
}

static void
futex_wake(uint32_t *word, int threads)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, threads, NULL, NULL, 0);
}

static inline void
pause_briefly(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ __volatile__("yield");
#endif
}

/* The next run after "seen", spinning first and then asleep. */
static uint32_t
wait_for_run(MlPool *pool, uint32_t seen)
{
	uint32_t	bell;

	for (int i = 0; i < SPINS; i++)
	{
		bell = __atomic_load_n(&pool->bell, __ATOMIC_ACQUIRE);
		if (bell != seen)
			return bell;
		pause_briefly();
	}
	__atomic_fetch_add(&pool->sleepers, 1, __ATOMIC_SEQ_CST);
	while ((bell = __atomic_load_n(&pool->bell, __ATOMIC_SEQ_CST)) == seen)
		futex_wait(&pool->bell, seen);
	__atomic_fetch_sub(&pool->sleepers, 1, __ATOMIC_SEQ_CST);
	return bell;
}

/* True when this helper is inside run "run" now. */
static bool
enter(MlPool *pool, uint32_t run)
{
	uint64_t	gate = __atomic_load_n(&pool->gate, __ATOMIC_ACQUIRE);

	while (GATE_RUN(gate) == run && (gate & GATE_OPEN) != 0)
	{
		if (__atomic_compare_exchange_n(&pool->gate, &gate, gate + 1, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
			return true;
	}
	return false;
}

static void
leave(MlPool *pool)
{
	uint64_t	gate = __atomic_sub_fetch(&pool->gate, 1, __ATOMIC_SEQ_CST);

	if ((gate & (GATE_OPEN | GATE_INSIDE)) == 0)
	{
		__atomic_fetch_add(&pool->left, 1, __ATOMIC_SEQ_CST);
		futex_wake(&pool->left, 1);
	}
}

static void *
helper_main(void *arg)
{
	Helper	   *helper = arg;
	MlPool	   *pool = helper->pool;
	uint32_t	run = 0;

	for (;;)
	{
		run = wait_for_run(pool, run);
		if (__atomic_load_n(&pool->quit, __ATOMIC_ACQUIRE))
			return NULL;
		if (!enter(pool, run))
			continue;
		for (;;)
		{
			size_t		task = __atomic_fetch_add(&pool->next, 1, __ATOMIC_RELAXED);

			if (task >= pool->tasks)
				break;
			pool->function(pool->arg, task, helper->number);
		}
		leave(pool);
	}
}

static bool
helper_start(MlPool *pool, int number)
{
	Helper	   *helper = &pool->helpers[number - 1];
	pthread_attr_t attr;
	bool		ok;

	helper->pool = pool;
	helper->number = number;
	if (pthread_attr_init(&attr) != 0)
		return false;
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	ok = pthread_create(&helper->thread, &attr, helper_main, helper) == 0;
	pthread_attr_destroy(&attr);
	return ok;
}

MlPool *
ml_pool_create(int threads)
{
	MlPool	   *pool;
	sigset_t	all;
	sigset_t	before;

	if (posix_memalign((void **) &pool, 64, sizeof(MlPool)) != 0)
		return NULL;
	*pool = (MlPool)
	{
		0
	};
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->changed, NULL);
	if (threads <= 1)
		return pool;
	pool->helpers = calloc((size_t) threads - 1, sizeof(Helper));
	if (pool->helpers == NULL)
	{
		free(pool);
		return NULL;
	}

	/* A thread inherits the mask: no signal handler of the server may run in it. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (pool->n_helpers < threads - 1 && helper_start(pool, pool->n_helpers + 1))
		pool->n_helpers++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return pool;
}

static void
ring(MlPool *pool, int threads)
{
	__atomic_fetch_add(&pool->bell, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&pool->sleepers, __ATOMIC_SEQ_CST) > 0)
		futex_wake(&pool->bell, threads);
}

void
ml_pool_free(MlPool *pool)
{
	if (pool == NULL)
		return;
	__atomic_store_n(&pool->quit, true, __ATOMIC_SEQ_CST);
	ring(pool, INT_MAX);
	for (int i = 0; i < pool->n_helpers; i++)
		pthread_join(pool->helpers[i].thread, NULL);
	free(pool->helpers);
	pthread_cond_destroy(&pool->changed);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

void
ml_pool_lock(MlPool *pool)
{
	if (pool != NULL)
		pthread_mutex_lock(&pool->lock);
}

void
ml_pool_unlock(MlPool *pool)
{
	if (pool != NULL)
		pthread_mutex_unlock(&pool->lock);
}

void
ml_pool_wait(MlPool *pool)
{
	if (pool != NULL)
		pthread_cond_wait(&pool->changed, &pool->lock);
}

void
ml_pool_wake(MlPool *pool)
{
	if (pool != NULL)
		pthread_cond_broadcast(&pool->changed);
}

int
ml_pool_threads(const MlPool *pool)
{
	return pool == NULL ? 1 : pool->n_helpers + 1;
}

static void
stop(MlPool *pool)
{
	__atomic_store_n(&pool->stopping, true, __ATOMIC_RELAXED);
}

bool
ml_pool_stopping(const MlPool *pool)
{
	return pool != NULL && __atomic_load_n(&pool->stopping, __ATOMIC_RELAXED);
}

/* Closes the gate and waits until the last helper is out; one with a long task may have to be told to stop. */
static void
wait_for_helpers(MlEnv *env, MlPool *pool, bool *canceled)
{
	__atomic_fetch_and(&pool->gate, ~GATE_OPEN, __ATOMIC_SEQ_CST);
	for (int i = 0;; i++)
	{
		uint32_t	left = __atomic_load_n(&pool->left, __ATOMIC_SEQ_CST);

		if ((__atomic_load_n(&pool->gate, __ATOMIC_SEQ_CST) & GATE_INSIDE) == 0)
			return;
		if (i < SPINS)
			pause_briefly();
		else
		{
			if (!*canceled && ml_canceled(env))
			{
				*canceled = true;
				stop(pool);
			}
			futex_wait_briefly(&pool->left, left);
		}
	}
}

static MlStatus
run_alone(MlEnv *env, size_t tasks, MlTask_fn function, void *arg)
{
	for (size_t task = 0; task < tasks; task++)
	{
		if (ml_canceled(env))
			return ml_fail(env, ML_CANCELED, "canceled");
		function(arg, task, 0);
	}
	return ML_OK;
}

MlStatus
ml_pool_run(MlEnv *env, size_t tasks, MlTask_fn function, void *arg)
{
	MlPool	   *pool = env->pool;
	bool		canceled = false;
	int			wanted;

	if (pool == NULL || pool->n_helpers == 0 || tasks <= 1)
		return run_alone(env, tasks, function, arg);

	pool->function = function;
	pool->arg = arg;
	pool->tasks = tasks;
	pool->stopping = false;
	__atomic_store_n(&pool->next, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&pool->gate, (uint64_t) (pool->bell + 1) << 32 | GATE_OPEN, __ATOMIC_RELEASE);
	wanted = tasks - 1 < (size_t) pool->n_helpers ? (int) (tasks - 1) : pool->n_helpers;
	ring(pool, wanted);

	for (;;)
	{
		size_t		task;

		canceled = ml_canceled(env);
		if (canceled)
		{
			/* Nothing more is handed out; half of the range leaves room for late increments. */
			__atomic_store_n(&pool->next, SIZE_MAX / 2, __ATOMIC_RELAXED);
			stop(pool);
			break;
		}
		task = __atomic_fetch_add(&pool->next, 1, __ATOMIC_RELAXED);
		if (task >= tasks)
			break;
		function(arg, task, 0);
	}
	wait_for_helpers(env, pool, &canceled);
	return canceled ? ml_fail(env, ML_CANCELED, "canceled") : ML_OK;
}
