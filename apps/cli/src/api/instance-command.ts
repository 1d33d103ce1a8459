/** `strongroom instance`: the database servers that are backed up, and those that are built from backups. */
import {
  type DatastoreType,
  datastoreType,
  deleteInstancesId,
  getInstances,
  getInstancesId,
  type InstanceResource,
  patchInstancesId,
  postInstances,
} from '@strongroom/contracts';
import { type Command, Option } from 'commander';
import { UsageFault } from '../command-fault.js';
import { note } from '../output.js';
import {
  type ApiOptions,
  type ChangeOptions,
  type DestructiveOptions,
  idArgument,
  type ListOptions,
  ofApi,
  ofChange,
  ofDestruction,
  ofList,
  withId,
} from './api-options.js';
import { isToBeAsked, mustBeConfirmed } from './confirm.js';
import { showTest } from './connection-test.js';
import { type Column, printList, printOne } from './printing.js';
import { credentialsIn, type ServerOptions, typedPassword, withServer } from './server-options.js';
import { inSession } from './session.js';

interface RegisterOptions extends ServerOptions {
  name: string;
  host: string;
  port: number;
  user: string;
  datastore: DatastoreType;
  datastoreVersion: string;
}

interface UpdateOptions extends ServerOptions {
  name?: string;
  verify: boolean;
}

const [usualDatastore] = datastoreType.options;

const columns: readonly Column<InstanceResource>[] = [
  { title: 'INSTANCE', of: ({ id }) => id },
  { title: 'NAME', of: ({ name }) => name },
  { title: 'STATUS', of: ({ status }) => status },
  { title: 'SERVER', of: ({ hostname, port }) => (hostname === null ? null : `${hostname}:${port}`) },
  { title: 'DATASTORE', of: ({ datastore }) => `${datastore.type} ${datastore.version}` },
  { title: 'SCHEDULE', of: ({ schedule }) => schedule?.id },
];
const fields: readonly Column<InstanceResource>[] = [
  ...columns,
  { title: 'HEALTH', of: ({ operating_status }) => operating_status },
  { title: 'USER', of: ({ connection }) => connection?.user },
  { title: 'DATABASE', of: ({ connection }) => connection?.database },
  { title: 'TLS', of: ({ connection }) => connection?.tls },
  { title: 'LINEAGES', of: ({ lineages }) => lineages.map(({ id }) => id).join(', ') },
  { title: 'CREATED', of: ({ created }) => `${created}Z` },
  { title: 'WARNING', of: ({ warning }) => warning },
  { title: 'FAULT', of: ({ fault }) => fault?.message },
];

export function addInstance(program: Command): void {
  const group = program
    .command('instance')
    .description('Register the database servers that are backed up, and try them.');
  addReading(group);
  addChanging(group);
}

function addReading(group: Command): void {
  ofList(group.command('list'))
    .description('List the instances, by id.')
    .action((options: ListOptions) =>
      inSession(options, 'instance', (session) => {
        const page = (query: object) => session.ask(getInstances, { query });
        return printList({ name: 'instances', page, items: ({ instances }) => instances, columns }, options);
      }),
    );
  withId(ofApi(group.command('show')), 'instance')
    .description('Show an instance.')
    .action((id: string, options: ApiOptions) =>
      inSession(options, 'instance', async (session) => show(await session.ask(getInstancesId, { id }), options)),
    );
  withId(ofApi(group.command('test')), 'instance')
    .description(
      'Try the connection, and tell what full and incremental backups lack. Ends with 1 when no full backup could be taken.',
    )
    .action((id: string, options: ApiOptions) =>
      inSession(options, 'instance', async ({ client, signal }) =>
        showTest(id, await client.instances.testConnection(id, { signal }), options),
      ),
    );
}

function addChanging(group: Command): void {
  withServer(ofChange(group.command('register')), { isNew: true })
    .description('Register a database server. Its password comes from a file, or is typed and not shown.')
    .requiredOption('--datastore-version <version>', "the server's version, such as 18")
    .addOption(
      new Option('--datastore <type>', 'the kind of the server').choices(datastoreType.options).default(usualDatastore),
    )
    .requiredOption('--name <name>', 'what it is called')
    .action((options: RegisterOptions) =>
      inSession(options, 'instance', async (session) => {
        const { name, datastore: type, datastoreVersion: version } = options;
        const { host, port, user } = options;
        const { password = await typedPassword(options, user), ...more } = await credentialsIn(options);
        const connection = { host, port, user, password, ...more };
        const instance = { name, datastore: { type, version }, connection };
        const answer = await session.change(postInstances, { body: { instance } });
        if (answer) show(answer.body, options);
      }),
    );
  withId(withServer(ofChange(group.command('update')), { isNew: false }), 'instance')
    .description("Change an instance's name, connection or password. A connection is tried before it counts.")
    .option('--name <name>', 'what it is called')
    .option('--no-verify', 'let the connection count without being tried')
    .action((id: string, options: UpdateOptions) =>
      inSession(options, 'instance', async (session) => {
        const { host, port, user } = options;
        const place = { ...(host !== undefined && { host }), ...(port !== undefined && { port }) };
        const connection = { ...place, ...(user !== undefined && { user }), ...(await credentialsIn(options)) };
        const hasConnection = Object.keys(connection).length > 0;
        if (!hasConnection && options.name === undefined)
          throw new UsageFault('Nothing is to change.', 'Say what is, such as --password-file FILE.');
        const instance = {
          name: options.name,
          ...(hasConnection && { connection, ...(!options.verify && { verify: false }) }),
        };
        if (await session.change(patchInstancesId, { id, body: { instance } })) note(`Instance ${id} is changed.`);
      }),
    );
  ofChange(group.command('restore'))
    .description('Have a new server built from a backup, where the deployment has a place for it.')
    .argument('<backup-id>', 'the backup, a UUID', idArgument)
    .requiredOption('--name <name>', 'what it is called')
    .action((backupRef: string, options: ChangeOptions & { name: string }) =>
      inSession(options, 'backup', async (session) => {
        const instance = { name: options.name, restorePoint: { backupRef } };
        const answer = await session.change(postInstances, { body: { instance } });
        if (answer) show(answer.body, options);
      }),
    );
  withId(ofDestruction(group.command('delete')), 'instance')
    .description('Forget an instance. Its schedule goes, its backups stay.')
    .action((id: string, options: DestructiveOptions) =>
      inSession(options, 'instance', async (session) => {
        if (isToBeAsked(options)) {
          const { instance } = await session.ask(getInstancesId, { id });
          const what = `Instance ${id} (${instance.name}) will be forgotten, with its schedule. Its backups stay.`;
          await mustBeConfirmed(what, [instance.name, id], options);
        }
        if (await session.change(deleteInstancesId, { id })) note(`Instance ${id} is forgotten. Its backups stay.`);
      }),
    );
}

function show(document: { instance: InstanceResource }, options: ApiOptions): void {
  printOne(document, document.instance, fields, options);
}
