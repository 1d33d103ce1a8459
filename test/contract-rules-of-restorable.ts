/** The rule of the contract on what is restorable, with the tests that show it. */
import { api, type Rule } from './contract-rule.js';

const restorable = (title: string) => api('restorable/restorable.int.spec.ts', title);

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
];
