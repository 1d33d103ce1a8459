/** `strongroom backup`: the backups of the account and their copies, by the service. What a vault holds is listed by `strongroom list`. */
import { deleteBackupsId, getBackups, getBackupsId, postBackups, postBackupsIdAction } from '@strongroom/contracts';
import type { Command } from 'commander';
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
  regionsArgument,
  withId,
} from './api-options.js';
import { backupColumns, showBackup } from './backup-fields.js';
import { isToBeAsked, mustBeConfirmed } from './confirm.js';
import { printList } from './printing.js';
import { inSession } from './session.js';
import { ofWaiting, type WaitOptions, waitFor } from './waiting.js';

interface CreateOptions extends ChangeOptions, WaitOptions {
  instance: string;
  name: string;
  description?: string;
  incremental?: boolean;
  parent?: string;
  copyTo?: string[];
}

interface FilterOptions extends ListOptions {
  instance?: string;
  status?: string;
  deleted?: boolean;
}

export function addBackup(program: Command): void {
  const group = program.command('backup').description('Take backups, see where they are, copy and delete them.');
  addReading(group);
  addChanging(group);
}

function addReading(group: Command): void {
  ofList(group.command('list'))
    .description('List the backups, the newest first. What a vault holds while the services are down: strongroom list.')
    .option('--instance <id>', 'only those of an instance', idArgument)
    .option('--status <status>', 'only those with a status, such as COMPLETED')
    .option('--deleted', 'those that were deleted and can be brought back, and no others')
    .action((options: FilterOptions) =>
      inSession(options, 'backup', (session) => {
        const { instance: instance_id, status, deleted } = options;
        const filter = { instance_id, status: status?.toUpperCase(), ...(deleted && { deleted: 'true' }) };
        const page = (query: object) => session.ask(getBackups, { query: { ...query, ...filter } });
        return printList({ name: 'backups', page, items: ({ backups }) => backups, columns: backupColumns }, options);
      }),
    );
  withId(ofApi(group.command('show')), 'backup')
    .description('Show a backup with its copies.')
    .action((id: string, options: ApiOptions) =>
      inSession(options, 'backup', async (session) => showBackup(await session.ask(getBackupsId, { id }), options)),
    );
}

function addChanging(group: Command): void {
  ofWaiting(ofChange(group.command('create')))
    .description('Take a backup now.')
    .requiredOption('--instance <id>', 'the instance', idArgument)
    .requiredOption('--name <name>', 'what it is called')
    .option('--description <text>', 'what it is for')
    .option('--incremental', 'build it on the newest completed backup of the instance')
    .option('--parent <id>', 'build it on this backup, which must be the newest completed one', idArgument)
    .option('--copy-to <regions>', 'the regions that it is copied to, such as IAD,ORD', regionsArgument)
    .action((options: CreateOptions) =>
      inSession(options, 'backup', async (session) => {
        const { instance, name, description, incremental, parent: parent_id, copyTo: copy_to } = options;
        const backup = { instance, name, description, incremental, parent_id, copy_to };
        const answer = await session.change(postBackups, { body: { backup } });
        if (answer) await waitFor(session, answer.body.backup, copy_to ?? [], options);
      }),
    );
  withId(ofChange(group.command('copy')), 'backup')
    .description('Copy a backup to a region, or put it back into the one where it was made.')
    .requiredOption('--to <region>', 'the region, such as IAD')
    .action((id: string, options: ChangeOptions & { to: string }) =>
      inSession(options, 'backup', async (session) => {
        const target_backup_region = options.to.toUpperCase();
        const body = { 'copy-backup': { target_backup_region } };
        if (await session.change(postBackupsIdAction, { id, body }))
          note(`The copy to ${target_backup_region} is asked for. See it: strongroom backup show ${id}`);
      }),
    );
  withId(ofDestruction(group.command('delete')), 'backup')
    .description(
      'Delete a backup, everything that is built on it, and all their copies. For a while it can be brought back.',
    )
    .action((id: string, options: DestructiveOptions) =>
      inSession(options, 'backup', async (session) => {
        if (isToBeAsked(options)) {
          const { backup } = await session.ask(getBackupsId, { id });
          const what = `Backup ${id} (${backup.name}) will be deleted, with everything that is built on it and all their copies.`;
          await mustBeConfirmed(what, [backup.name, id], options);
        }
        if (await session.change(deleteBackupsId, { id }))
          note(
            `Backup ${id} is deleted. Until its bytes go, this brings it back: strongroom backup restore-deleted ${id}`,
          );
      }),
    );
  withId(ofChange(group.command('restore-deleted')), 'backup')
    .description(
      'Bring a deleted backup back, with what it is built on and what was deleted together with any of these.',
    )
    .action((id: string, options: ChangeOptions) =>
      inSession(options, 'backup', async (session) => {
        const body = { 'restore-deleted': {} };
        if (await session.change(postBackupsIdAction, { id, body })) note(`Backup ${id} is back.`);
      }),
    );
}
