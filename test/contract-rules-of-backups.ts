/** The rules of the contract on backups and their copies, each with the tests that show it. */
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
  retries,
  runs,
  scheduler,
  whole,
} from './contract-rule.js';

export const rulesOfBackups: Readonly<Record<string, readonly Rule[]>> = {
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
