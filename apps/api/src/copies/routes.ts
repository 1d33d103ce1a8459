/** The route that lists a backup's copies. */
import { Controller, Inject } from '@nestjs/common';
import { getBackupsIdCopies } from '@strongroom/contracts';
import { BackupResources } from '../backups/resource.js';
import type { Asked } from '../edge/asked.js';
import { idInPath } from '../edge/parse.js';
import { Handles } from '../edge/routing.js';
import { CopyResources } from './resource.js';

@Controller()
export class CopyRoutes {
  constructor(
    @Inject(CopyResources) private readonly resources: CopyResources,
    @Inject(BackupResources) private readonly backups: BackupResources,
  ) {}

  @Handles(getBackupsIdCopies)
  async list({ caller, id }: Asked) {
    const row = await this.backups.find(caller, idInPath('Backup', id));
    return { copies: (await this.resources.ofBackups([row])).get(row.id) ?? [], links: [] };
  }
}
