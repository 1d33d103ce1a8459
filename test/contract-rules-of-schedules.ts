/** The rules of the contract on schedules and their runs, each with the tests that show it. */
import {
  api,
  backups,
  parse,
  type Rule,
  regions,
  retention,
  runs,
  scheduler,
  schedules,
  slots,
  whole,
} from './contract-rule.js';

export const rulesOfSchedules: Readonly<Record<string, readonly Rule[]>> = {
  Schedules: [
    {
      rule: 'The answer has exactly the fields of the reference example, and ours beside them. `copy_to` is always an array.',
      shown: [schedules('is answered as the reference page has it, and runs first on the day that it is made')],
    },
    {
      rule: '`instance_id` or `source_id` names an instance of the account. When both are given they must agree. `source_type` "ha" is a 501.',
      shown: [schedules('needs an instance of this account, said once or twice the same')],
    },
    {
      rule: 'Each field has its range and form. The answer names a wrong field.',
      shown: [parse('is refused when %s is one of %j: it %s')],
    },
    {
      rule: 'Every integer field refuses strings, floats (14.0 too) and booleans.',
      shown: [schedules('takes no %s for an integer'), api('edge/json-body.spec.ts', 'has no integer there')],
    },
    {
      rule: 'A field that is null counts as absent, except where it is required. On PUT it stays unchanged.',
      shown: [
        parse('may leave %s out, or null'),
        schedules('takes what known clients send: nulls, and the instance as source'),
        schedules('is changed field by field, and the rest stays'),
        api(
          'instances/restore.int.spec.ts',
          'or registered: of the two fields that say which, the one that is null counts as absent',
        ),
      ],
    },
    {
      rule: 'An unknown field is a 400 that names it.',
      shown: [parse('is refused with a field that there is not, by name, in every object of it')],
    },
    {
      rule: 'A PUT that changes nothing is a 400.',
      shown: [schedules('is not changed by %j, and the answer says so')],
    },
    {
      rule: 'A schedule runs every day. The run is full on `day_of_week` (7: every day), else incremental.',
      shown: [
        slots('is full on its day of the week and incremental on the others'),
        slots('is full every day for day 7, which is no Sunday here'),
        whole(
          'incrementals',
          'are what a schedule takes on the days between its full ones, ancestors copied first; and full ones where the server can take none',
        ),
      ],
    },
    {
      rule: '`next_run` is the first `hour:minute` after now.',
      shown: [
        slots('is today when the time of day is still to come, as in the reference example'),
        slots('is tomorrow when the instant is that of a slot'),
      ],
    },
    {
      rule: 'A schedule that does not fire, because something of it cannot be read, has a `fault` that says why. A request that would change it is a 503 that changes nothing. All others are as ever.',
      shown: [
        api(
          'schedules/unreadable.int.spec.ts',
          'a schedule that can not be read says that it does not fire and why, and changes nothing; all others are as ever',
        ),
      ],
    },
    {
      rule: 'An instance has one schedule. A second is a 422.',
      shown: [
        schedules('is the only one of its instance: a second is refused, and names the first'),
        schedules('is the only one though many ask at once'),
      ],
    },
    {
      rule: 'A `copy_to` that names the home region, LON or an unknown region is a 400. It names that region and those that are allowed.',
      shown: [
        schedules('cannot copy to %j: the answer names it and the regions there are'),
        ['libs/runtime/src/config.spec.ts', 'refuses copies to LON, which may still be the home region'],
      ],
    },
    {
      rule: 'When the home region was moved to one that a `copy_to` names, that `copy_to` stays valid: it can be sent back, and owes no copy there.',
      shown: [
        regions('can be changed and run, and can keep its regions, also when they are sent along'),
        regions('takes regions that are right now, and no other list with the home region'),
        regions('owes no copy to the region where its backups are made'),
      ],
    },
    {
      rule: '`run_now` accepts true and "true". With false there is no run. While a backup runs it is a 422.',
      shown: [
        schedules('is a backup of the schedule, there as soon as it is answered: %j'),
        parse('may ask for a run, or for none, by word or by truth value'),
        schedules('is refused while a backup of the instance runs, and changes nothing then'),
      ],
    },
    { rule: 'A paused schedule has no next run.', shown: [schedules('has no next run while it is paused')] },
    {
      rule: '`full_backup_retention` says how many cycles are kept. A slot that was planned full begins a cycle. A backup that somebody asked for neither counts nor goes.',
      shown: [
        retention('deletes the oldest when there are more than are to be kept'),
        retention('counts planned cycles: a full backup in place of an incremental belongs to the cycle of its time'),
        retention('neither counts nor deletes what somebody asked for'),
        scheduler(
          'jobs/retention/retention.int.spec.ts',
          'neither counts nor takes what somebody asked for, nor what that is built on',
        ),
        whole('deletion', 'lets the oldest full go when a newer one is in every region, and not before'),
      ],
    },
    {
      rule: 'A backup of another server replaces none.',
      shown: [
        retention('never replaces a backup by those of another server, however many there are'),
        scheduler(
          'jobs/backup/server-lineage.int.spec.ts',
          'that appears behind the address of another takes the place of none of its backups, in no region, however often it is backed up',
        ),
      ],
    },
    {
      rule: 'A run that was planned incremental and is full says why, on the backup and in `runs`.',
      shown: [
        runs('say why one is full that was to be incremental, also when its backup is gone'),
        scheduler(
          'slots/slot-parents.int.spec.ts',
          'says at once why a run is full that was planned incremental: there was nothing to build on',
        ),
      ],
    },
    { rule: 'Deleting a schedule leaves its backups.', shown: [backups('stays when its schedule goes')] },
    {
      rule: '`runs` shows the past runs and the coming one, each with its slot, outcome, backup and copies.',
      shown: [
        runs('tell what became of each slot: run with its backup and copies, skipped or missed with the reason'),
        runs('begin with the coming one, which has its id already'),
        runs('are of slots: one that was asked for is told by its backup'),
      ],
    },
    {
      rule: '`last_scheduled` stays when the backup is deleted.',
      shown: [runs('stay told when their backups are deleted, and so does when the last one was')],
    },
  ],
};
