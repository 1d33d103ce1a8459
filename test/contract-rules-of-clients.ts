/** The rules of the contract that known clients rest on, each with the tests that show it. */
import { api, clients, edge, type Rule, whole } from './contract-rule.js';

export const rulesOfKnownClients: readonly Rule[] = [
  {
    rule: 'The `openstack` command works unchanged.',
    shown: [whole('openstack-client', 'creates, shows, lists and deletes a backup, by name and by id')],
  },
  {
    rule: 'troveclient looks a backup up by its name first, and reads a new one again at once.',
    shown: [clients('creates a backup with all that it knows, looks it up by name first, and reads it again at once')],
  },
  {
    rule: 'troveclient reads the flavor, the volume and the datastore of instances.',
    shown: [clients('lists instances with a filter of its own, and reads their flavor, volume and datastore')],
  },
  {
    rule: '`operating_status` of an instance says whether the newest of its ended backups was completed. `ip` and `addresses` have its address when `hostname` is one.',
    shown: [
      clients('reads whether the server answered its newest backup'),
      clients('reads the address %s of an instance as a %s one'),
    ],
  },
  {
    rule: 'An instance without a fault has no field `fault`. The times of an instance have no zone, and its lists have their link in `instances_links` too.',
    shown: [
      clients('takes a fault for one wherever the field is, so that an instance without a fault has no such field'),
      api(
        'edge/gophercloud.int.spec.ts',
        'reads an instance, pages of instances, datastores and versions, and deletes an instance',
      ),
    ],
  },
  {
    rule: 'Datastores and their versions are found by name and by id. The id of a version is that of `datastore.version_id` of a backup.',
    shown: [
      api(
        'datastores/datastores.int.spec.ts',
        'is listed with the versions that backups are taken of, and is found by its name and by its id',
      ),
      api(
        'datastores/datastores.int.spec.ts',
        'that an instance or a backup has is listed for its account alone, with the id that the backup shows',
      ),
      api('datastores/datastores.int.spec.ts', 'of another kind is a 404, and so is a version that nobody has'),
      whole('openstack-client', 'lists and shows instances, and reads their kinds and versions'),
    ],
  },
  {
    rule: 'cdbclient sends nulls, `run_now` with every PUT, the regions as one text, and a name that is null.',
    shown: [
      clients('creates a schedule with explicit nulls'),
      clients('sends run_now with every update, and regions as one text'),
      clients('copies a backup without a name'),
    ],
  },
  {
    rule: 'gophercloud expects 202 for POST and DELETE, and times of backups in RFC 3339.',
    shown: [clients('finds times that it can read, and 202 for what it creates and deletes')],
  },
  {
    rule: 'The body of a fault is an object with one key, whose value is an object.',
    shown: [edge('is answered by a fault with a request id too: %j')],
  },
];
