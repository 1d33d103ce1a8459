/** The rules of the contract on what is restorable, with the tests that show it. */
import { api, type Rule } from './contract-rule.js';

const restorable = (title: string) => api('restorable/restorable.int.spec.ts', title);
const tested = (title: string) => api('backups/restore-tested.int.spec.ts', title);

export const rulesOfRestorable: readonly Rule[] = [
  {
    rule: '`GET /restorable` (+) lists the schedules in pages, by id, with what each region can restore: the newest backup of the instance that the region holds with everything that it is built on, when that was last proven and how, and how many backups the region is owed, has lost or was not given. The newest 400 backups of an instance are looked through. It has the last run and what became of the last 30 slots, too.',
    shown: [
      restorable('is nothing for a schedule that has no backup yet, which is told with all regions'),
      restorable('is the newest backup that a region holds, and what it is owed, has lost or was not given is counted'),
      restorable('is an incremental only with all that it is built on, and as well proven as the least of these'),
      restorable('has the name of its instance, the last run and what became of the slots before it'),
      restorable('says that there are older backups than those it looks through'),
      restorable('comes in pages in order of id, whose links lead to all of them once'),
    ],
  },
  {
    rule: '`restore-tested` (+) tells that a backup was restored from a region for a test, how long that took, and what it has shown or why it failed. It is a statement of the caller, and a region that does not hold the backup is a 422. A backup has the newest of each region in `restore_tests`, and `GET /restorable` has those of the instance, also when the backup is gone.',
    shown: [
      tested(
        'is shown with the backup and in what is restorable: from where, when, how long, what it has shown, and who says so',
      ),
      tested('that failed is told before the one that passed, and both are kept until a newer one ends alike'),
      tested('of any backup of the instance counts for the region, also when the backup is deleted'),
      tested('was from a region that holds the backup: any other is a 422 that names it'),
      tested('is told by whoever may make backups, and by no observer and no other account'),
      tested('is told once for one Idempotency-Key'),
      tested('with %s is a 400 that names it'),
    ],
  },
];
