/*-------------------------------------------------------------------------
 * progress.c
 *	  How far a run is, in the backend-status entry of its process.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "pg/compat.h"
#include "pg/progress.h"
#include "pgstat.h"
#include "utils/backend_progress.h"
#include "utils/backend_status.h"
#include "utils/timestamp.h"

/* Not the number of any command that PostgreSQL has, so no pg_stat_progress view shows it. */
#define PROGRESS_COMMAND ((ProgressCommandType) 0x4D4C)

/*
 * Places in the array, from the end: the command around us may be a COPY, whose
 * own numbers begin at 0.
 */
enum
{
	P_JOB = PGSTAT_NUM_PROGRESS_PARAM - 12,
	P_OWNER,
	P_PHASE,
	P_STARTED,
	P_PHASE_STARTED,
	P_SHARE,
	P_ROWS,
	P_ITERATION,
	P_ITERATIONS,
	P_TRAIN_LOSS,
	P_VALIDATION_LOSS,
	P_PEAK_MEMORY
};

StaticAssertDecl(P_PEAK_MEMORY < PGSTAT_NUM_PROGRESS_PARAM, "progress has outgrown the array");

static const struct
{
	const char *name;
	double		before;			/* share of a typical run when the phase begins */
}			phases[ML_N_PHASES] = {
	{"start", 0}, {"read", 0}, {"prepare", 0.15}, {"fit", 0.2}, {"evaluate", 0.93}, {"store", 0.98}
};

static int64
double_bits(double value)
{
	int64		bits;

	memcpy(&bits, &value, sizeof(bits));
	return bits;
}

static double
bits_double(int64 bits)
{
	double		value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

void
ml_progress_init(MlRunProgress *progress, int64 job, Oid owner)
{
	memset(progress, 0, sizeof(*progress));
	progress->job = job;
	progress->owner = owner;
	progress->started = progress->phase_started = GetCurrentTimestamp();
	progress->share = progress->train_loss = progress->validation_loss = NAN;
}

void
ml_progress_phase(MlRunProgress *progress, MlPhase phase)
{
	if (progress->phase == phase)
		return;
	progress->phase = phase;
	progress->phase_started = GetCurrentTimestamp();
	progress->share = NAN;
}

/* The words of src/ml and what they are to a user. */
static MlPhase
phase_of(const char *word)
{
	if (strcmp(word, "read") == 0)
		return ML_PHASE_READ;
	if (strcmp(word, "fit") == 0)
		return ML_PHASE_FIT;
	if (strcmp(word, "evaluate") == 0 || strcmp(word, "save") == 0)
		return ML_PHASE_EVALUATE;
	return ML_PHASE_PREPARE;
}

void
ml_progress_take(MlRunProgress *progress, const MlProgress *said)
{
	if (said->phase != NULL)
		ml_progress_phase(progress, phase_of(said->phase));
	progress->share = said->share >= 0 && said->share <= 1 ? said->share : NAN;
	if (progress->phase == ML_PHASE_FIT)
	{
		progress->iteration = said->iteration;
		progress->iterations = said->iterations;
		progress->train_loss = said->train_loss;
		progress->validation_loss = said->validation_loss;
		if (isnan(progress->share) && said->iterations > 0)
			progress->share = (double) said->iteration / (double) said->iterations;
	}
}

void
ml_progress_begin(void)
{
	pgstat_progress_start_command(PROGRESS_COMMAND, InvalidOid);
}

void
ml_progress_publish(const MlRunProgress *progress)
{
	static const int index[] = {P_JOB, P_OWNER, P_PHASE, P_STARTED, P_PHASE_STARTED, P_SHARE, P_ROWS,
		P_ITERATION, P_ITERATIONS, P_TRAIN_LOSS, P_VALIDATION_LOSS, P_PEAK_MEMORY};
	const int64 value[] = {progress->job, progress->owner, progress->phase, progress->started,
		progress->phase_started, double_bits(progress->share), progress->rows, progress->iteration, progress->iterations,
	double_bits(progress->train_loss), double_bits(progress->validation_loss), progress->peak_memory};

	pgstat_progress_update_multi_param(lengthof(index), index, value);
}

void
ml_progress_end(void)
{
	pgstat_progress_end_command();
}

const char *
ml_progress_phase_name(MlPhase phase)
{
	return phase >= 0 && phase < ML_N_PHASES ? phases[phase].name : "start";
}

double
ml_progress_share(const MlRunProgress *progress)
{
	double		begin = phases[progress->phase].before;
	double		end = progress->phase + 1 < ML_N_PHASES ? phases[progress->phase + 1].before : 1;

	return begin + (isnan(progress->share) ? 0 : progress->share) * (end - begin);
}

/* What the phase has left by its own pace; the phases after a fit are short. */
double
ml_progress_seconds_left(const MlRunProgress *progress, TimestampTz now)
{
	double		elapsed = (now - progress->phase_started) / 1000000.0;

	if (isnan(progress->share) || progress->share <= 0 || elapsed <= 0 || progress->phase < ML_PHASE_PREPARE)
		return NAN;
	return elapsed * (1 - progress->share) / progress->share;
}

char *
ml_progress_describe(const MlRunProgress *progress)
{
	StringInfoData out;

	initStringInfo(&out);
	if (progress->iterations > 0 && progress->iteration > 0)
		appendStringInfo(&out, "iteration " INT64_FORMAT " of " INT64_FORMAT, progress->iteration, progress->iterations);
	else if (progress->rows > 0)
		appendStringInfo(&out, INT64_FORMAT " rows", progress->rows);
	if (!isnan(progress->train_loss) && progress->iteration > 0)
		appendStringInfo(&out, "%strain loss %.6g", out.len > 0 ? ", " : "", progress->train_loss);
	if (!isnan(progress->validation_loss) && progress->iteration > 0)
		appendStringInfo(&out, "%svalidation loss %.6g", out.len > 0 ? ", " : "", progress->validation_loss);
	return out.data;
}

static MlRunProgress *
progress_of(const PgBackendStatus *entry)
{
	MlRunProgress *progress = palloc(sizeof(MlRunProgress));
	const int64 *param = entry->st_progress_param;

	progress->job = param[P_JOB];
	progress->owner = (Oid) param[P_OWNER];
	progress->phase = param[P_PHASE] >= 0 && param[P_PHASE] < ML_N_PHASES ? (MlPhase) param[P_PHASE] : ML_PHASE_START;
	progress->started = param[P_STARTED];
	progress->phase_started = param[P_PHASE_STARTED];
	progress->share = bits_double(param[P_SHARE]);
	progress->rows = param[P_ROWS];
	progress->iteration = param[P_ITERATION];
	progress->iterations = param[P_ITERATIONS];
	progress->train_loss = bits_double(param[P_TRAIN_LOSS]);
	progress->validation_loss = bits_double(param[P_VALIDATION_LOSS]);
	progress->peak_memory = param[P_PEAK_MEMORY];
	return progress;
}

/* The entry of process number i of the last look, NULL when it is not one that trains in this database. */
static const PgBackendStatus *
training_entry(int i)
{
	LocalPgBackendStatus *local = pgstat_fetch_stat_local_beentry(i);
	const PgBackendStatus *entry = local == NULL ? NULL : &local->backendStatus;

	if (entry == NULL || entry->st_procpid <= 0 || entry->st_databaseid != MyDatabaseId ||
		entry->st_progress_command != PROGRESS_COMMAND || entry->st_progress_param[P_JOB] == 0)
		return NULL;
	return entry;
}

/* Within a transaction the snapshot of the entries is taken once; progress wants a new one. */
static int
look_again(void)
{
	pgstat_clear_backend_activity_snapshot();
	return pgstat_fetch_stat_numbackends();
}

List *
ml_progress_list(void)
{
	List	   *list = NIL;
	int			n = look_again();

	for (int i = 1; i <= n; i++)
	{
		const PgBackendStatus *entry = training_entry(i);

		if (entry != NULL)
			list = lappend(list, progress_of(entry));
	}
	return list;
}

int
ml_progress_pid(int64 job)
{
	int			n = look_again();

	for (int i = 1; i <= n; i++)
	{
		const PgBackendStatus *entry = training_entry(i);

		if (entry != NULL && entry->st_progress_param[P_JOB] == job)
			return entry->st_procpid;
	}
	return 0;
}
