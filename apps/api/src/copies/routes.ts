/** The routes of a backup's copies: have it copied to a region, and list them. */
import { Body, Controller, Inject, Param } from '@nestjs/common';
import { backupActionRequest, getBackupsIdCopies, postBackupsIdAction } from '@strongroom/contracts';
import { BackupResources } from '../backups/resource.js';
import { CalledBy, type Caller } from '../edge/caller.js';
import { idInPath, parseBody } from '../edge/parse.js';
import { Handles } from '../edge/routing.js';
import { CopyCommands } from './commands.js';
import { CopyResources } from './resource.js';

@Controller()
export class CopyRoutes {
  constructor(
    @Inject(CopyCommands) private readonly commands: CopyCommands,
    @Inject(CopyResources) private readonly resources: CopyResources,
    @Inject(BackupResources) private readonly backups: BackupResources,
  ) {}

  @Handles(postBackupsIdAction)
  act(@CalledBy() caller: Caller, @Param('id') id: string, @Body() body: unknown): Promise<void> {
    const { target_backup_region: region } = parseBody(backupActionRequest, body)['copy-backup'];
    return this.commands.request(caller, idInPath('Backup', id), region);
  }

  @Handles(getBackupsIdCopies)
  async list(@CalledBy() { accountId }: Caller, @Param('id') id: string) {
    const row = await this.backups.find(accountId, idInPath('Backup', id));
    return { copies: (await this.resources.ofBackups([row])).get(row.id) ?? [], links: [] };
  }
}
