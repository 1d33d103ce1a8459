/** The rules of the contract on schedules and backups, each with the tests that show it. */
import {
  api,
  backups,
  deletion,
  edge,
  lineages,
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

export const rulesOfResources: Readonly<Record<string, readonly Rule[]>> = {
  Schedules: [
    {
      rule: 'The answer has exactly the fields of the reference example, ours beside them; `copy_to` is always an array',
      shown: [schedules('is answered as the reference page has it, and runs first on the day that it is made')],
    },
    {
      rule: '`instance_id` or `source_id` names an instance of the account; both given must agree; `source_type` "ha" is a 501',
      shown: [schedules('needs an instance of this account, said once or twice the same')],
    },
    {
      rule: 'Each field has its range and form; what is wrong is named',
      shown: [parse('is refused when %s is one of %j: it %s')],
    },
    {
      rule: 'Every numeric field rejects strings, floats (14.0 too) and booleans',
      shown: [schedules('takes no %s for an integer'), api('edge/json-body.spec.ts', 'has no integer there')],
    },
    {
      rule: 'A field that is null counts as absent, except where it is required; on PUT it is unchanged',
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
      rule: 'An unknown field is a 400 that names it',
      shown: [parse('is refused with a field that there is not, by name, in every object of it')],
    },
    { rule: 'A PUT that changes nothing is a 400', shown: [schedules('is not changed by %j, and the answer says so')] },
    {
      rule: 'A schedule runs every day: full on `day_of_week` (7: every day), else incremental',
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
      rule: '`next_run` is the first `hour:minute` after now',
      shown: [
        slots('is today when the time of day is still to come, as in the reference example'),
        slots('is tomorrow at the very instant of a slot'),
      ],
    },
    {
      rule: 'One schedule per instance: a second is a 422',
      shown: [
        schedules('is the only one of its instance: a second is refused, and names the first'),
        schedules('is the only one though many ask at once'),
      ],
    },
    {
      rule: '`copy_to` names the home region, LON or an unknown region: 400 naming it and the regions allowed',
      shown: [
        schedules('cannot copy to %j: the answer names it and the regions there are'),
        ['libs/runtime/src/config.spec.ts', 'has no copies go to LON, which may be the home region all the same'],
      ],
    },
    {
      rule: 'A `copy_to` that came to name the home region because that was moved stays right: it can be sent back, and owes no copy there',
      shown: [
        regions('can be changed and run, and can keep its regions, be it that they are sent along'),
        regions('takes regions that are right now, and no other list with the home region'),
        regions('owes no copy to the region where its backups are made'),
      ],
    },
    {
      rule: '`run_now` accepts true and "true"; false is no run; while a backup runs it is a 422',
      shown: [
        schedules('is a backup of the schedule, there as soon as it is answered: %j'),
        parse('may ask for a run, or for none, by word or by truth value'),
        schedules('is refused while a backup of the instance runs, and changes nothing then'),
      ],
    },
    { rule: 'A paused schedule has no next run', shown: [schedules('has no next run while it is paused')] },
    {
      rule: '`full_backup_retention`: how many cycles to keep, each begun by a slot that was planned full; what was asked for neither counts nor goes',
      shown: [
        retention('lets the oldest go when there are more than asked'),
        retention(
          'counts the cycles that were planned: a full in place of an incremental goes with the cycle of its time',
        ),
        retention('neither counts nor takes what somebody asked for'),
        scheduler(
          'jobs/retention/retention.int.spec.ts',
          'neither counts nor takes what somebody asked for, nor what that is built on',
        ),
        whole('deletion', 'lets the oldest full go when a newer one is in every region, and not before'),
      ],
    },
    {
      rule: 'No backup of another server takes the place of one',
      shown: [
        retention('has no backup of another server take the place of one, however many there are'),
        scheduler(
          'jobs/backup/server-lineage.int.spec.ts',
          'that appears behind the address of another takes the place of none of its backups, in no region, however often it is backed up',
        ),
      ],
    },
    {
      rule: 'A run that was planned incremental and is full says why, on the backup and in `runs`',
      shown: [
        runs('say why one is full that was to be incremental, also when its backup is gone'),
        scheduler(
          'slots/slot-parents.int.spec.ts',
          'says at once why a run is full that was planned incremental: there was nothing to build on',
        ),
      ],
    },
    { rule: 'Deleting a schedule leaves its backups', shown: [backups('stays when its schedule goes')] },
    {
      rule: '`runs`: past and coming, with slot, outcome, backup and copies',
      shown: [
        runs('tell what became of each slot: run with its backup and copies, skipped or missed with the reason'),
        runs('begin with the coming one, which has its id already'),
        runs('are of slots: one that was asked for is told by its backup'),
      ],
    },
    {
      rule: '`last_scheduled` stays when the backup goes',
      shown: [runs('stay told when their backups are deleted, and so does when the last one was')],
    },
  ],
  Backups: [
    {
      rule: 'Fields; `source` and `datastore` whole, `created` and `updated` never null',
      shown: [backups('is answered whole, with nothing that a client would stumble over')],
    },
    {
      rule: 'Statuses, and `size` in GB once complete; `fault` on FAILED',
      shown: [
        backups('is shown as it goes: building, completed, and where it is'),
        backups('that failed says why, and owes no copies'),
      ],
    },
    {
      rule: 'What known clients send besides is accepted, and not obeyed',
      shown: [backups('takes what known clients send and does not obey all of it')],
    },
    {
      rule: 'One running backup per instance: another request is a 422',
      shown: [backups('is the only one that runs of its instance, though many ask at once')],
    },
    {
      rule: '`incremental` builds on `parent_id`, or on the last that has completed; on nothing, it is full, and `made_full` says why',
      shown: [
        backups(
          'is built on the parent that is named, or on the newest that has completed; on nothing, it is full and says why',
        ),
      ],
    },
    {
      rule: '`parent_id` names the newest completed backup of its instance: another is a 422 that says which is',
      shown: [
        backups('is built on the newest only: another parent is a 422 that names the newest'),
        backups('is refused by what is known here before its server is asked anything'),
      ],
    },
    {
      rule: '`lineage`, and `another_server` where the server is another one than before; of an instance `lineages` and `warning`',
      shown: [
        lineages('is told on the backup and on the instance, with what to do'),
        lineages('is nothing to warn of where there never was another, nor when all of it is deleted'),
      ],
    },
    {
      rule: '`accept-lineage`: 202, once; 404 for a lineage without a backup; 403 for a role that may not DELETE',
      shown: [
        lineages('is accepted once, however often it is asked for, and then it is as said'),
        lineages('is one that there are backups of, of an instance of this account'),
        lineages('is not for a creator to accept, who may not delete either'),
      ],
    },
    {
      rule: '`parent_id`: COMPLETED and of the instance; 404 unknown, 422 not completed',
      shown: [backups('needs a parent of the instance that has completed')],
    },
    {
      rule: 'Deleting takes every descendant',
      shown: [backups('goes when what it was built on is deleted, and so does what was built on it')],
    },
    {
      rule: 'A running backup cannot be deleted: 422',
      shown: [deletion('is of one that has ended, be it that it failed')],
    },
    {
      rule: 'Restoring from what is not COMPLETED is a 409',
      shown: [api('instances/restore.int.spec.ts', 'needs a backup of the account that has completed')],
    },
    {
      rule: 'A malformed id in a body is a 400; an id in a path that names nothing, malformed or not, a 404',
      shown: [parse('is refused when %s is one of %j: it %s'), edge('is a 404 also where an id is none: %s')],
    },
    {
      rule: 'A `datastore` filter of an unknown type is a 404; of a known one that is not used, an empty list',
      shown: [
        backups('is not asked for with %s'),
        backups('is empty for a filter that nothing meets, and takes what it does not know for nothing'),
      ],
    },
    {
      rule: 'While it is backed up an instance is in BACKUP, else ACTIVE',
      shown: [
        backups('is shown as it goes: building, completed, and where it is'),
        backups('that failed says why, and owes no copies'),
      ],
    },
    {
      rule: 'Resizing and the like: 422 while a backup runs, 501 otherwise',
      shown: [
        api(
          'instances/instances.int.spec.ts',
          'is not resized or restarted by a service of backups, least of all while it is backed up',
        ),
      ],
    },
    {
      rule: 'Copying an incremental to a region without its parent is a 400',
      shown: [backups('is copied to no region that does not hold its parent')],
    },
    {
      rule: 'The runs of a schedule have their missing ancestors copied first',
      shown: [
        whole(
          'incrementals',
          'are what a schedule takes on the days between its full ones, ancestors copied first; and full ones where the server can take none',
        ),
      ],
    },
    {
      rule: 'Copying what is already in the region is a 202, and nothing is done twice',
      shown: [
        deletion('does nothing where the region holds it'),
        deletion('owes the region a copy, once, and says so at once'),
      ],
    },
    {
      rule: 'Copying to the region where it was made (+) puts it back there from a copy when that region has lost it',
      shown: [
        regions(
          'to the region where it was made has that looked at, and the backup put back there from a region that has it',
        ),
        whole('regions', 'has it put back from a copy when that is asked for, and restores from it again'),
      ],
    },
    {
      rule: 'A copy that was lost is owed again, with the reason; what is there is read back when it is asked for again',
      shown: [
        regions('that was lost there shows it as owed again, with the reason'),
        regions('to a region that has it has it read back there, and changes nothing that is shown'),
      ],
    },
    {
      rule: '`locationRef` of a backup that was put back where it was made is where it lies there now',
      shown: [regions('back to the region where it was made has the backup say where it lies there now')],
    },
    {
      rule: 'A copy that is being deleted is shown to nobody',
      shown: [regions('that is being deleted is shown to nobody')],
    },
    {
      rule: 'What a region without a vault is owed is FAILED, and what it still has of a deleted backup DELETE_FAILED, until it is there again',
      shown: [
        whole(
          'regions',
          'holds up nothing: what it is owed and what it still has is told, and made good when it is there again',
        ),
      ],
    },
    {
      rule: 'Forgetting an instance takes its schedule, and leaves its backups',
      shown: [deletion('takes its schedule with it, and leaves its backups')],
    },
    {
      rule: 'An instance is shown without its credentials',
      shown: [
        api(
          'instances/instances.int.spec.ts',
          'keeps its password to itself: it is in no answer, no log line and no event',
        ),
      ],
    },
  ],
};
