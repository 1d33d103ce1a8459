/** The rules of the contract on instances, each with the tests that show it. */
import { api, backups, changes, deletion, type Rule, scheduler, tests, whole } from './contract-rule.js';

export const rulesOfInstances: Readonly<Record<string, readonly Rule[]>> = {
  Instances: [
    {
      rule: 'An instance is in BACKUP while it is backed up, else ACTIVE.',
      shown: [
        backups('is shown as it goes: building, completed, and where it is'),
        backups('that failed says why, and owes no copies'),
      ],
    },
    {
      rule: 'Resizing and the like are a 422 while a backup runs, and a 501 otherwise.',
      shown: [
        api(
          'instances/instances.int.spec.ts',
          'is not resized or restarted by a service of backups, least of all while it is backed up',
        ),
      ],
    },
    {
      rule: 'Deleting an instance deletes its schedule, and leaves its backups.',
      shown: [deletion('takes its schedule with it, and leaves its backups')],
    },
    {
      rule: '`PATCH` and `PUT` of an instance change its name, its connection and its credential, and keep its schedule and its chain. What is left out, or null, stays. A change that changes nothing is a 400.',
      shown: [
        changes('gets another name, by PATCH and by PUT, and keeps everything else'),
        changes('is not changed by %j, and the answer says so'),
        changes('takes every one of many changes that come at once'),
        whole(
          'changed-instances',
          'keeps its schedule and its chain: the next slot is incremental on the backup before',
        ),
      ],
    },
    {
      rule: 'A new connection or credential is tried against the server first. When it does not do, the answer is a 422 with what the server said, and the one before stays. With `verify` false it counts untried.',
      shown: [
        changes('is changed alone when the server takes it, and stands in no answer, event or log line'),
        changes(
          'that the server does not take leaves the one before in force, and the answer says what the server said',
        ),
        changes('that leads nowhere is refused, with what to do when the server is down at the moment'),
        changes('is the one before until the event stands, wherever a process dies; what was left is removed in time'),
        scheduler(
          'jobs/backup/changed-instance.int.spec.ts',
          'are taken with the credential that an event names, and not with one that is only stored',
        ),
      ],
    },
    {
      rule: 'Another host, port or `ca_certificate`, and less TLS, need the password too, unless the role has the right `instance.lead-elsewhere`.',
      shown: [
        changes('is led elsewhere by somebody who may not delete only with the password: the stored one stays here'),
        api('instances/stored-password.int.spec.ts', 'is not sent by %s at the wish of somebody who could not read it'),
        api('instances/stored-password.int.spec.ts', 'is in the audit with who wanted it elsewhere'),
      ],
    },
    {
      rule: '`test-connection` is a 200 that says who the server is, whether full and incremental backups are possible, and everything that is missing. It leaves nothing on the server.',
      shown: [
        tests('says who the server is, what was tried, and that nothing is missing; the instance shows the version'),
        tests('says what is missing for full and for incremental backups, in words that can be followed'),
        tests('is an answer too when the server lets nobody in, or is not there, and tells no password'),
        tests('is over in its time when the server falls silent'),
        tests('leaves nothing on the server'),
      ],
    },
    {
      rule: 'A connection may have an authority and a client certificate of its own. Its key is shown nowhere.',
      shown: [
        changes('are taken at the registration and by a change, are shown, and the key is not'),
        changes('are refused where they can not be right: %s'),
        [
          'libs/engines/src/postgresql/tls.int.spec.ts',
          'is backed up, full and incremental, under an authority of its own',
        ],
      ],
    },
    {
      rule: '`datastore.version` is the version that the server has told; until then, the one that was declared. A backup has the version that its server was.',
      shown: [
        changes('is tried first, and counts with the version that the server told'),
        scheduler(
          'jobs/backup/changed-instance.int.spec.ts',
          'is what its server was, whatever was declared and whatever comes later',
        ),
      ],
    },
    {
      rule: 'An instance is shown without its credentials.',
      shown: [
        api(
          'instances/instances.int.spec.ts',
          'keeps its password to itself: it is in no answer, no log line and no event',
        ),
      ],
    },
  ],
};
