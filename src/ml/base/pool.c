/*-------------------------------------------------------------------------
 * pool.c
 *	  Threads, and the handing out of tasks to them.
 *
 * A run is a number of tasks.  One 64-bit word, its gate, says which run of its
 * place is on (upper half), whether it still takes helpers (OPEN) and how many are
 * inside (the rest).  A helper that comes late finds the gate closed and does
 * nothing; so the one who opened it waits only for those that really took part,
 * never for a thread that the system has not scheduled yet.  The fields of a run
 * change only while nobody is inside.
 *
 * There is a place for the run of the pool, which helpers look for when the
 * "bell" has rung, and one for each thread: what it shares from inside a task of
 * that run.  Those are looked at by threads that wait in ml_pool_help().
 *
 * Sleeping: helpers on "bell", tasks that wait on "changes", whoever opened a gate
 * on its "left".  All are counters that are read before the condition is checked,
 * so no wake-up can be lost.
 *-------------------------------------------------------------------------
 */
#include "ml/base/pool.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* While the caller waits for others it asks so often whether it is canceled. */
#define ASK_NANOSECONDS 10000000

/* About 20 microseconds; longer gaps between runs put the helpers to sleep. */
#define SPINS 600
/* A task that waits is mostly wanted again soon, and waking it costs whoever does so several microseconds: about 100 of them. */
#define HELP_SPINS 3000
#define STACK_BYTES ((size_t) 1024 * 1024)

#define NO_TASK SIZE_MAX

#define GATE_OPEN UINT64_C(0x80000000)
#define GATE_INSIDE UINT64_C(0x7FFFFFFF)
#define GATE_RUN(gate) ((uint32_t) ((gate) >> 32))

typedef struct Helper
{
	MlPool	   *pool;
	int			number;			/* 1 .. */
	pthread_t	thread;
} Helper;

/* Tasks that one thread begins with, so that in each run over the same rows it has the same ones; then it takes those of others. */
typedef struct Stretch
{
	size_t		next;
	size_t		end;
} __attribute__((aligned(64))) Stretch;

/* Tasks to be done.  What changes often has a cache line of its own. */
typedef struct Run
{
	MlTask_fn	function;
	MlFinish_fn finish;
	void	   *arg;
	int			stretches;		/* one for each thread */
	Stretch    *stretch;
	uint64_t	gate __attribute__((aligned(64)));
	bool		empty;			/* somebody found no task any more */
	uint32_t	left __attribute__((aligned(64)));	/* how often the last helper left a closed gate */
} Run;

struct MlPool
{
	int			n_helpers;
	Helper	   *helpers;
	bool		quit;

	Run			main;			/* that of ml_pool_run */
	bool		running;		/* known to thread 0 */
	bool		stopping;		/* it was canceled */
	Run		   *shared;			/* by thread: what it shares from inside a task */
	Stretch    *stretches;		/* of all runs */

	/* Of the tasks among themselves. */
	pthread_mutex_t lock;
	uint32_t	changes __attribute__((aligned(64)));	/* how often something was woken for */
	int			waiting;		/* tasks that sleep */
	int			idle;			/* tasks that would help, if there were something to do */

	uint32_t	bell __attribute__((aligned(64)));	/* number of the newest run */
	int			sleepers;
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

/* True when this thread is inside now, in run number "number". */
static bool
enter(Run *run, uint32_t number)
{
	uint64_t	gate = __atomic_load_n(&run->gate, __ATOMIC_ACQUIRE);

	while (GATE_RUN(gate) == number && (gate & GATE_OPEN) != 0)
	{
		if (__atomic_compare_exchange_n(&run->gate, &gate, gate + 1, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
			return true;
	}
	return false;
}

static void
leave(Run *run)
{
	uint64_t	gate = __atomic_sub_fetch(&run->gate, 1, __ATOMIC_SEQ_CST);

	if ((gate & (GATE_OPEN | GATE_INSIDE)) == 0)
	{
		__atomic_fetch_add(&run->left, 1, __ATOMIC_SEQ_CST);
		futex_wake(&run->left, 1);
	}
}

static size_t
take_from(Stretch *stretch)
{
	size_t		task;

	if (__atomic_load_n(&stretch->next, __ATOMIC_RELAXED) >= stretch->end)
		return NO_TASK;
	task = __atomic_fetch_add(&stretch->next, 1, __ATOMIC_RELAXED);
	return task < stretch->end ? task : NO_TASK;
}

static size_t
take(Run *run, int thread)
{
	for (int s = thread; s < thread + run->stretches; s++)
	{
		size_t		task = take_from(&run->stretch[s % run->stretches]);

		if (task != NO_TASK)
			return task;
	}
	__atomic_store_n(&run->empty, true, __ATOMIC_RELAXED);
	return NO_TASK;
}

static void
open_gate(Run *run, uint32_t number, size_t tasks, MlTask_fn function, MlFinish_fn finish, void *arg)
{
	run->function = function;
	run->finish = finish;
	run->arg = arg;
	for (int s = 0; s < run->stretches; s++)
	{
		size_t		per = tasks / (size_t) run->stretches;
		size_t		more = tasks % (size_t) run->stretches;
		size_t		first = (size_t) s * per + ((size_t) s < more ? (size_t) s : more);

		__atomic_store_n(&run->stretch[s].next, first, __ATOMIC_RELAXED);
		run->stretch[s].end = first + per + ((size_t) s < more);
	}
	__atomic_store_n(&run->empty, false, __ATOMIC_RELAXED);
	__atomic_store_n(&run->gate, (uint64_t) number << 32 | GATE_OPEN, __ATOMIC_SEQ_CST);
}

/* Nothing more is handed out; half of the range leaves room for late increments. */
static void
withdraw(Run *run)
{
	for (int s = 0; s < run->stretches; s++)
		__atomic_store_n(&run->stretch[s].next, SIZE_MAX / 2, __ATOMIC_RELAXED);
}

/* From inside, as a helper. */
static void
work(Run *run, int thread)
{
	bool		took_part = false;

	for (size_t task = take(run, thread); task != NO_TASK; task = take(run, thread))
	{
		run->function(run->arg, task, thread);
		took_part = true;
	}
	if (took_part && run->finish != NULL)
		run->finish(run->arg, thread);
	leave(run);
}

static void *
helper_main(void *arg)
{
	Helper	   *helper = arg;
	MlPool	   *pool = helper->pool;
	uint32_t	number = 0;

	for (;;)
	{
		number = wait_for_run(pool, number);
		if (__atomic_load_n(&pool->quit, __ATOMIC_ACQUIRE))
			return NULL;
		if (enter(&pool->main, number))
			work(&pool->main, helper->number);
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

/* The places of all runs, when the helpers that there may be are counted. */
static bool
runs_create(MlPool *pool, int threads)
{
	size_t		n = (size_t) threads;

	if (posix_memalign((void **) &pool->shared, 64, n * sizeof(Run)) != 0)
	{
		pool->shared = NULL;
		return false;
	}
	if (posix_memalign((void **) &pool->stretches, 64, (n + 1) * n * sizeof(Stretch)) != 0)
	{
		pool->stretches = NULL;
		return false;
	}
	memset(pool->shared, 0, n * sizeof(Run));
	memset(pool->stretches, 0, (n + 1) * n * sizeof(Stretch));
	for (size_t t = 0; t < n; t++)
	{
		pool->shared[t].stretch = pool->stretches + t * n;
		pool->shared[t].stretches = threads;
	}
	pool->main.stretch = pool->stretches + n * n;
	pool->main.stretches = threads;
	return true;
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
	if (threads <= 1)
		return pool;
	pool->helpers = calloc((size_t) threads - 1, sizeof(Helper));
	if (pool->helpers == NULL || !runs_create(pool, threads))
	{
		ml_pool_free(pool);
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
	free(pool->shared);
	free(pool->stretches);
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

/* Is there a task to be had from another thread? */
static bool
offers(Run *run)
{
	return (__atomic_load_n(&run->gate, __ATOMIC_SEQ_CST) & GATE_OPEN) != 0 && !__atomic_load_n(&run->empty, __ATOMIC_RELAXED);
}

static Run *
offered(MlPool *pool, int thread)
{
	for (int t = 1; t <= pool->n_helpers; t++)
	{
		Run		   *run = &pool->shared[(thread + t) % (pool->n_helpers + 1)];

		if (offers(run))
			return run;
	}
	return NULL;
}

/* Until something changes after "seen", or for ASK_NANOSECONDS. */
static void
sleep_until_change(MlPool *pool, uint32_t seen, int thread)
{
	__atomic_fetch_add(&pool->waiting, 1, __ATOMIC_SEQ_CST);
	if (thread < 0 || offered(pool, thread) == NULL)
		futex_wait_briefly(&pool->changes, seen);
	__atomic_fetch_sub(&pool->waiting, 1, __ATOMIC_SEQ_CST);
}

void
ml_pool_wait(MlPool *pool)
{
	uint32_t	seen;

	if (pool == NULL)
		return;
	seen = __atomic_load_n(&pool->changes, __ATOMIC_SEQ_CST);
	ml_pool_unlock(pool);
	sleep_until_change(pool, seen, -1);
	ml_pool_lock(pool);
}

void
ml_pool_help(MlPool *pool, int thread)
{
	uint32_t	seen;
	Run		   *run = NULL;

	if (pool == NULL)
		return;
	seen = __atomic_load_n(&pool->changes, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&pool->idle, 1, __ATOMIC_RELAXED);
	ml_pool_unlock(pool);
	for (int i = 0; i < HELP_SPINS && run == NULL && __atomic_load_n(&pool->changes, __ATOMIC_SEQ_CST) == seen; i++)
	{
		run = offered(pool, thread);
		pause_briefly();
	}
	if (run == NULL)
		sleep_until_change(pool, seen, thread);
	__atomic_fetch_sub(&pool->idle, 1, __ATOMIC_RELAXED);
	if (run != NULL && enter(run, GATE_RUN(__atomic_load_n(&run->gate, __ATOMIC_ACQUIRE))))
		work(run, thread);
	ml_pool_lock(pool);
}

void
ml_pool_wake(MlPool *pool)
{
	if (pool == NULL)
		return;
	__atomic_fetch_add(&pool->changes, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&pool->waiting, __ATOMIC_SEQ_CST) > 0)
		futex_wake(&pool->changes, INT_MAX);
}

bool
ml_pool_has_idle(const MlPool *pool)
{
	return pool != NULL && pool->n_helpers > 0 && (!pool->running || __atomic_load_n(&pool->idle, __ATOMIC_RELAXED) > 0);
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
close_gate(MlEnv *env, Run *run, bool may_cancel, bool *canceled)
{
	__atomic_fetch_and(&run->gate, ~GATE_OPEN, __ATOMIC_SEQ_CST);
	for (int i = 0;; i++)
	{
		uint32_t	left = __atomic_load_n(&run->left, __ATOMIC_SEQ_CST);

		if ((__atomic_load_n(&run->gate, __ATOMIC_SEQ_CST) & GATE_INSIDE) == 0)
			return;
		if (i < SPINS)
			pause_briefly();
		else
		{
			if (may_cancel && !*canceled && ml_canceled(env))
			{
				*canceled = true;
				stop(env->pool);
			}
			futex_wait_briefly(&run->left, left);
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

static MlStatus
run_all(MlEnv *env, size_t tasks, MlTask_fn function, MlFinish_fn finish, void *arg)
{
	MlPool	   *pool = env->pool;
	bool		canceled = false;

	if (pool == NULL || pool->n_helpers == 0 || tasks <= 1)
		return run_alone(env, tasks, function, arg);

	pool->stopping = false;
	pool->running = true;
	open_gate(&pool->main, pool->bell + 1, tasks, function, finish, arg);
	ring(pool, tasks - 1 < (size_t) pool->n_helpers ? (int) (tasks - 1) : pool->n_helpers);
	for (;;)
	{
		size_t		task;

		canceled = ml_canceled(env);
		if (canceled)
		{
			withdraw(&pool->main);
			stop(pool);
			break;
		}
		task = take(&pool->main, 0);
		if (task == NO_TASK)
			break;
		function(arg, task, 0);
	}
	close_gate(env, &pool->main, true, &canceled);
	pool->running = false;
	return canceled ? ml_fail(env, ML_CANCELED, "canceled") : ML_OK;
}

MlStatus
ml_pool_run(MlEnv *env, size_t tasks, MlTask_fn function, void *arg)
{
	return run_all(env, tasks, function, NULL, arg);
}

MlStatus
ml_pool_share(MlEnv *env, int thread, size_t tasks, MlTask_fn function, MlFinish_fn finish, void *arg)
{
	MlPool	   *pool = env->pool;
	bool		canceled = false;
	Run		   *run;

	if (thread == 0 && (pool == NULL || !pool->running))
		return run_all(env, tasks, function, finish, arg);
	if (tasks <= 1)
	{
		if (tasks == 1)
			function(arg, 0, thread);
		return ML_OK;
	}
	run = &pool->shared[thread];
	open_gate(run, GATE_RUN(__atomic_load_n(&run->gate, __ATOMIC_RELAXED)) + 1, tasks, function, finish, arg);
	if (__atomic_load_n(&pool->waiting, __ATOMIC_SEQ_CST) > 0)
		ml_pool_wake(pool);
	for (size_t task = take(run, thread); task != NO_TASK; task = take(run, thread))
		function(arg, task, thread);
	close_gate(env, run, false, &canceled);
	return ML_OK;
}
