/** The rules of the contract on schedules and backups, each with the tests that show it. */
import {
  api,
  backups,
  deletion,
  edge,
  lineages,
  listOfBackups,
  parse,
  type Rule,
  regions,
  retention,
  retries,
  runs,
  scheduler,
  schedules,
  slots,
  whole,
} from './contract-rule.js';

export const rulesOfResources: Readonly<Record<string, readonly Rule[]>> = {
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
  Backups: [
    {
      rule: 'A backup has all its fields. `source` and `datastore` are whole objects, and `created` and `updated` are never null.',
      shown: [backups('is answered whole, with nothing that a client would stumble over')],
    },
    {
      rule: 'A backup goes through its statuses. It has a `size` in GB once it is complete, and a `fault` when it is FAILED.',
      shown: [
        backups('is shown as it goes: building, completed, and where it is'),
        backups('that failed says why, and owes no copies'),
      ],
    },
    {
      rule: 'A backup that failed in a way that passes is BUILDING, with its last `fault` and `retry_at`. It is FAILED when it was tried for long enough, or when nothing can help.',
      shown: [
        retries(
          'that is tried again shows its last fault, every failed attempt and the next one, and is BUILDING meanwhile',
        ),
        scheduler(
          'jobs/backup/backup-retries.int.spec.ts',
          'is FAILED when the window is used up, with the last fault, how often and how long',
        ),
        scheduler('jobs/backup/backup-retries.int.spec.ts', 'because %s is FAILED at once'),
        whole('retries', 'is backed up within a minute after it is back, though the scheduler is killed meanwhile'),
      ],
    },
    {
      rule: 'While a backup waits for its next attempt, another of its instance and its own deletion are a 422 that says when it is tried again and why. Deleting the instance ends it.',
      shown: [
        retries('gets no other backup, and the refusal says when that one is tried again and why'),
        retries('can be deleted: the backup has failed then, and says so'),
      ],
    },
    {
      rule: '`full_because` says why a backup and its run are full, and `delays` why they were late.',
      shown: [
        runs('say why each is full, why it was late and why it failed, also when its backup is gone'),
        scheduler(
          'slots/slot-dispatcher.int.spec.ts',
          'says of a slot that was due while no scheduler looked from when to when that was',
        ),
      ],
    },
    {
      rule: '`not_deleted_because` says why a backup and its run are still there though retention or a client wants them gone, since when, and which backups that waits for.',
      shown: [
        deletion(
          'that retention puts off says why, in every list and in the ledger, until it is called off or asked for',
        ),
        ...[
          'while a newer one is not in every region, once, however often retention looks and however many follow',
          'while one is built on it that retention keeps, until that is deleted',
          'while one that is built on it has not ended, until that has failed',
          'while what it waits for is not asked for, because a schedule keeps fewer since; and not when it keeps more',
        ].map((title) => scheduler('jobs/retention/reasons.int.spec.ts', title)),
        deletion('that is not taken up because something of it can not be read says so'),
        whole('deletion', 'lets the oldest full go when a newer one is in every region, and not before'),
      ],
    },
    {
      rule: 'A deletion that waits for a backup which has not ended, or for what could not be deleted of a backup that is built on it, is DELETE_FAILED and names that backup. It goes on by itself when its `fault` says so.',
      shown: [
        ...[
          'for one that was begun on the backup meanwhile says which, and goes on when that has ended',
          'for what is built on the backup and could not be deleted names it',
          'goes on by itself, as its fault says, though its parent needs somebody',
        ].map((title) => scheduler('jobs/deletion/waiting-deletions.int.spec.ts', title)),
      ],
    },
    {
      rule: 'A deletion that is refused names the backup that has not ended, and what to do: the backup itself, or one that is built on it.',
      shown: [
        deletion('is for one that has ended, also when it failed'),
        deletion(
          'is refused with the backup that is in the way, and what it does, when one that is built on it has not ended',
        ),
      ],
    },
    {
      rule: '`warnings` of a backup are what its server warned of while it gave it, at most twenty.',
      shown: [
        api(
          'backups/warnings.int.spec.ts',
          'a backup of a server that warned while it gave it is good, and shows the warnings',
        ),
      ],
    },
    {
      rule: 'A skipped run names the backup that had not ended, and says when that is tried again. A missed run says since when no scheduler ran.',
      shown: [
        scheduler(
          'slots/slot-dispatcher.int.spec.ts',
          'says of a skipped slot which backup had not ended, and when that is tried again and why',
        ),
        scheduler(
          'slots/slot-dispatcher.int.spec.ts',
          'makes up for one slot after an outage and says of the others that they were missed',
        ),
      ],
    },
    {
      rule: 'Fields that known clients send besides are accepted, and not obeyed.',
      shown: [backups('takes what known clients send and does not obey all of it')],
    },
    {
      rule: 'An instance has one running backup. Another request is a 422.',
      shown: [backups('is the only one that runs of its instance, though many ask at once')],
    },
    {
      rule: '`incremental` builds on `parent_id`, or on the last backup that has completed. With nothing to build on the backup is full, and `made_full` says why.',
      shown: [
        backups(
          'is built on the parent that is named, or on the newest that has completed; on nothing, it is full and says why',
        ),
      ],
    },
    {
      rule: '`parent_id` must name the newest completed backup of its instance. Another is a 422 that names the newest.',
      shown: [
        backups('is built on the newest only: another parent is a 422 that names the newest'),
        api(
          'backups/incrementals.int.spec.ts',
          'an incremental is refused by what is known here before its server is asked anything',
        ),
      ],
    },
    {
      rule: 'A backup has its `lineage`, and `another_server` where the server is another one than before. An instance has `lineages` and a `warning`.',
      shown: [
        lineages('is told on the backup and on the instance, with what to do'),
        lineages('is nothing to warn of where there never was another, nor when all of it is deleted'),
      ],
    },
    {
      rule: '`accept-lineage` is a 202 and has its effect once. It is a 404 for a lineage without a backup, and a 403 for a role that may not DELETE.',
      shown: [
        lineages('is accepted once, however often it is asked for, and then it is as said'),
        lineages('is one that there are backups of, of an instance of this account'),
        lineages('is not for a creator to accept, who may not delete either'),
      ],
    },
    {
      rule: '`parent_id` names a COMPLETED backup of the instance. An unknown one is a 404, one that has not completed a 422.',
      shown: [backups('needs a parent of the instance that has completed')],
    },
    {
      rule: 'Deleting a backup deletes every incremental that was made from it.',
      shown: [backups('goes when what it was built on is deleted, and so does what was built on it')],
    },
    {
      rule: 'A running backup cannot be deleted: that is a 422.',
      shown: [deletion('is for one that has ended, also when it failed')],
    },
    {
      rule: 'Restoring from a backup that is not COMPLETED is a 409.',
      shown: [api('instances/restore.int.spec.ts', 'needs a backup of the account that has completed')],
    },
    {
      rule: 'A malformed id in a body is a 400. An id in a path that names nothing is a 404, malformed or not.',
      shown: [parse('is refused when %s is one of %j: it %s'), edge('is a 404 also where an id is none: $path')],
    },
    {
      rule: 'A `datastore` filter of an unknown type is a 404. One of a known type that is not used gives an empty list.',
      shown: [
        listOfBackups('is not asked for with %s'),
        api(
          'backups/list.int.spec.ts',
          'is empty for a filter that nothing meets, and takes what it does not know for nothing',
        ),
      ],
    },
    {
      rule: 'Copying an incremental backup to a region without its parent is a 400.',
      shown: [backups('is copied to no region that does not hold its parent')],
    },
    {
      rule: 'For the runs of a schedule, missing ancestors are copied first.',
      shown: [
        whole(
          'incrementals',
          'are what a schedule takes on the days between its full ones, ancestors copied first; and full ones where the server can take none',
        ),
      ],
    },
    {
      rule: 'Copying a backup that is already in the region is a 202, and nothing is done twice.',
      shown: [
        deletion('does nothing where the region holds it'),
        deletion('owes the region a copy, once, and says so at once'),
      ],
    },
    {
      rule: 'Copying a backup to the region where it was made (+) puts it back there from a copy when that region has lost it.',
      shown: [
        regions(
          'to the region where it was made has that looked at, and the backup put back there from a region that has it',
        ),
        whole(
          'regions',
          'shows it as completed, and whole where it is, until it is put back from a copy as was asked for; it restores from it again',
        ),
      ],
    },
    {
      rule: 'A copy that was lost is owed again, with the reason. A copy that is there is read back when it is asked for again.',
      shown: [
        regions('that was lost there shows it as owed again, with the reason'),
        regions('to a region that has it has it read back there, and changes nothing that is shown'),
      ],
    },
    {
      rule: 'When a backup was put back where it was made, its `locationRef` is where it lies there now.',
      shown: [regions('back to the region where it was made has the backup say where it lies there now')],
    },
    {
      rule: 'A copy that waits says why, since when attempts fail for that reason, and when it is tried again at the latest. It also names the backup whose copy must come first.',
      shown: [
        regions('that waits says why, since when, and when it is tried again at the latest'),
        regions('of a backup that is built on another says that it waits for the copy of that one'),
        regions('that nobody can plan or make because something of it can not be read says so, and what came before'),
      ],
    },
    {
      rule: 'A copy that is being deleted is shown to nobody.',
      shown: [regions('that is being deleted is shown to nobody')],
    },
    {
      rule: 'A copy that is owed to a region without a vault is FAILED, and a deletion of a backup that such a region still has is DELETE_FAILED, until the region is there again.',
      shown: [
        whole(
          'regions',
          'holds up nothing: what it is owed and what it still has is reported, and settled when it is there again',
        ),
      ],
    },
  ],
};
