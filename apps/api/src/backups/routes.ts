/** The routes of backups: each parses what it was sent, runs a command, and answers with a resource. */
import { Controller, Inject } from '@nestjs/common';
import {
  approveDeletionRequest,
  backupActionIn,
  copyBackupRequest,
  createBackupRequest,
  datastoreType,
  deleteBackupsId,
  getBackups,
  getBackupsId,
  getInstancesIdBackups,
  holdRequest,
  liftHoldRequest,
  postBackups,
  postBackupsIdAction,
  restoreDeletedRequest,
  restoreTestedRequest,
} from '@strongroom/contracts';
import { type BackupFilter, backupStatuses } from '@strongroom/read-model';
import type { FastifyRequest } from 'fastify';
import { engineOfDatastore } from '../datastores/resource.js';
import type { Asked } from '../edge/asked.js';
import { HttpFault, quoted } from '../edge/http-fault.js';
import { instanceFilter, Paging, queryValue } from '../edge/paging.js';
import { idInPath, parseBody } from '../edge/parse.js';
import { tagWith } from '../edge/preconditions.js';
import { Handles } from '../edge/routing.js';
import { InstanceResources } from '../instances/resource.js';
import { BackupCommands } from './commands.js';
import { Copying } from './copying.js';
import { DeletionCommands } from './deletion-commands.js';
import { BackupResources } from './resource.js';
import { RestoreTesting } from './restore-testing.js';

@Controller()
export class BackupRoutes {
  constructor(
    @Inject(BackupCommands) private readonly commands: BackupCommands,
    @Inject(Copying) private readonly copying: Copying,
    @Inject(DeletionCommands) private readonly deletions: DeletionCommands,
    @Inject(RestoreTesting) private readonly testing: RestoreTesting,
    @Inject(BackupResources) private readonly resources: BackupResources,
    @Inject(InstanceResources) private readonly instances: InstanceResources,
    @Inject(Paging) private readonly paging: Paging,
  ) {}

  @Handles(postBackups)
  async create({ caller, body }: Asked) {
    return this.resources.made(await this.commands.request(caller, parseBody(createBackupRequest, body).backup));
  }

  @Handles(getBackups)
  list(asked: Asked): Promise<string> {
    return this.page(asked, instanceFilter(asked.request));
  }

  @Handles(getInstancesIdBackups)
  async ofInstance(asked: Asked): Promise<string> {
    const { id: instanceId } = await this.instances.find(asked.caller, idInPath('Instance', asked.id));
    return this.page(asked, instanceId);
  }

  @Handles(getBackupsId)
  async show({ caller, id, reply }: Asked) {
    const row = await this.resources.find(caller, idInPath('Backup', id));
    tagWith(reply, row);
    return this.resources.of(row);
  }

  @Handles(deleteBackupsId)
  remove({ caller, id, ifMatch }: Asked): Promise<void> {
    return this.deletions.remove(caller, idInPath('Backup', id), ifMatch);
  }

  @Handles(postBackupsIdAction)
  act({ caller, id, body }: Asked): Promise<void> {
    const backupId = idInPath('Backup', id);
    switch (backupActionIn(body)) {
      case 'restore-deleted':
        parseBody(restoreDeletedRequest, body);
        return this.deletions.restore(caller, backupId);
      case 'approve-deletion':
        parseBody(approveDeletionRequest, body);
        return this.deletions.approve(caller, backupId);
      case 'hold':
        return this.deletions.hold(caller, backupId, parseBody(holdRequest, body).hold.reason);
      case 'lift-hold':
        parseBody(liftHoldRequest, body);
        return this.deletions.liftHold(caller, backupId);
      case 'restore-tested':
        return this.testing.tell(caller, backupId, parseBody(restoreTestedRequest, body)['restore-tested']);
      default: {
        const { target_backup_region: region } = parseBody(copyBackupRequest, body)['copy-backup'];
        return this.copying.request(caller, backupId, region);
      }
    }
  }

  private page(asked: Asked, instanceId: string | undefined) {
    return this.paging.answerText(asked, 'backups', (page) =>
      this.resources.page(asked.caller, { ...page, instanceId, ...filtersOf(asked.request) }),
    );
  }
}

function filtersOf(request: FastifyRequest): Pick<BackupFilter, 'status' | 'datastoreType' | 'isDeleted'> {
  const asked = queryValue(request, 'datastore');
  const engine = asked === undefined ? undefined : engineOfDatastore(asked);
  if (asked !== undefined && !engine) {
    throw new HttpFault(
      'itemNotFound',
      `Datastore ${quoted(asked)} is not known here; there is: ${datastoreType.options.join(', ')}.`,
    );
  }
  const state = queryValue(request, 'status');
  const status = backupStatuses.find((each) => each === state);
  if (state !== undefined && !status) {
    throw new HttpFault('badRequest', `status: must be one of ${backupStatuses.join(', ')}.`);
  }
  const deleted = queryValue(request, 'deleted') ?? 'false';
  if (deleted !== 'true' && deleted !== 'false') throw new HttpFault('badRequest', 'deleted: must be true or false.');
  return { datastoreType: engine?.datastoreType, status, isDeleted: deleted === 'true' };
}
