/** The rules of deleted backups and of what keeps them, each with the tests that show it. */
import { api, deletion, type Rule, scheduler, whole } from './contract-rule.js';

const marked = (title: string) => api('backups/marked-deletion.int.spec.ts', title);
const purge = (title: string) => scheduler('jobs/purge/purge-attempt.int.spec.ts', title);
const byRetention = (title: string) => scheduler('jobs/retention/marked-by-retention.int.spec.ts', title);

export const rulesOfDeletion: Readonly<Record<string, readonly Rule[]>> = {
  'Deleted backups': [
    {
      rule: 'A deleted backup is a 404 at once, and in no list but that of `deleted=true`. There its `deleted` says who deleted it, with what, and when its bytes go.',
      shown: [
        deletion('takes it out of sight at once, in every list'),
        marked('is a 404, and is in the list of what is deleted alone, with who did it and when its bytes go'),
        marked('is asked for by the status that it had, and in pages'),
        marked('is asked for by true or false: %j is a 400'),
      ],
    },
    {
      rule: 'Nothing is built on a deleted backup, copied from it or restored from it through the API.',
      shown: [marked('can not be built on, restored or copied, and is not the newest of its instance')],
    },
    {
      rule: 'Its bytes stay for the delay of the deployment and for the minimum retention of its account, whoever deletes it. Retention deletes in the same way.',
      shown: [
        purge('is whole in every region until the delay is over, and then goes from all of them'),
        purge('stays until the minimum retention of its account is over, though there is no delay'),
        purge('removes nothing while it is in doubt'),
        byRetention('is marked, is whole until the delay is over, and goes then'),
        byRetention('stays until the minimum retention is over'),
        whole(
          'marked-deletion',
          'goes from every region when its time has come, though schedulers are killed meanwhile',
        ),
        whole('marked-deletion', 'stays in every region while the minimum retention lasts, though there is no delay'),
      ],
    },
    {
      rule: '`restore-deleted` brings it back, with what it is built on and what was deleted together with any of these. Of a backup that is there it changes nothing; of one whose bytes go it is a 404.',
      shown: [
        marked('brings the backup back as it was, and its whole chain that was deleted with it'),
        marked('leaves deleted what was deleted apart from it'),
        marked('of what is there changes nothing, and of what is not is a 404'),
        marked('comes too late when the removal has begun'),
        marked('happens once for one Idempotency-Key'),
        whole(
          'marked-deletion',
          'is brought back with its chain, whole in every region, and can be built on and deleted again',
        ),
      ],
    },
    {
      rule: 'What retention had deleted and somebody brought back stays until somebody deletes it.',
      shown: [
        byRetention('stays when somebody brought it back, until somebody deletes it'),
        byRetention('does not come to stay by being brought back from what somebody deleted'),
      ],
    },
    {
      rule: 'A backup on `hold`, and what it is built on, is deleted by nobody: that is a 422 that names it. The bytes of one that was deleted before stay.',
      shown: [
        marked('keeps a backup, and what it is built on, from being deleted until it is lifted'),
        marked('can be put on what is deleted already, and shows there'),
        purge('keeps what it is built on as long as one of it is on hold'),
        byRetention('is not what is on hold, nor what that is built on, and says so'),
      ],
    },
    {
      rule: 'Where an account has more deleted backups than the operator allows, their bytes wait for `approve-deletion` by somebody else than who deleted them.',
      shown: [
        marked('needs a second person, who is not the one that deleted'),
        marked('is approved where something is deleted: else it is a 404'),
        api('backups/second-person.int.spec.ts', 'wait for a second person too, and begin nothing before'),
        api(
          'backups/second-person.int.spec.ts',
          'are approved by nobody under another token of the same id, and once by two who come together',
        ),
        purge('wait for a second person, who is not the one that deleted, as long as there are so many'),
      ],
    },
    {
      rule: 'To bring back, hold, lift and approve need rights that only an admin has by default: else they are a 403. So does a PUT that has a schedule keep less, copy to fewer regions, or take a full backup every day.',
      shown: [
        marked('is not for a creator, who may not delete either'),
        marked('is neither put nor lifted by a creator'),
        marked('is changed to %s only by whoever may delete'),
        marked('may be changed by a creator to keep more, and to run at another time'),
      ],
    },
    {
      rule: 'A schedule that keeps less, or copies to fewer regions, lets go of more only after the delay. `not_deleted_because` says so, with `schedule-changed`. A schedule that is moved pushes nothing out.',
      shown: [
        byRetention('lets nothing more go until the delay is over, and says until when'),
        byRetention('does not have backups without copies replace those with copies until the delay is over'),
        byRetention('that is moved makes no cycles that push others out'),
      ],
    },
  ],
};
