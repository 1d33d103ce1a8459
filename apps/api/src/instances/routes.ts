/** The routes of instances: each parses what it was sent, runs a command, and answers with a resource. */
import { Controller, Inject } from '@nestjs/common';
import {
  acceptLineageRequest,
  asksForRestore,
  changeInstanceRequest,
  deleteInstancesId,
  getInstances,
  getInstancesId,
  instanceActionIn,
  patchInstancesId,
  postInstances,
  postInstancesIdAction,
  putInstancesId,
  type RecordedEvent,
  registerInstanceRequest,
  restoreInstanceRequest,
  someActionRequest,
  testConnectionRequest,
} from '@strongroom/contracts';
import { engineFor } from '@strongroom/engines';
import type { Asked } from '../edge/asked.js';
import { type Caller, mustHave, mustReachAll } from '../edge/caller.js';
import { HttpFault } from '../edge/http-fault.js';
import { Paging } from '../edge/paging.js';
import { idInPath, parseBody } from '../edge/parse.js';
import { tagWith } from '../edge/preconditions.js';
import { Handles } from '../edge/routing.js';
import { InstanceCommands } from './commands.js';
import { connectionWith, usualTls } from './connection-change.js';
import { InstanceResources } from './resource.js';

@Controller()
export class InstanceRoutes {
  constructor(
    @Inject(InstanceCommands) private readonly commands: InstanceCommands,
    @Inject(InstanceResources) private readonly resources: InstanceResources,
    @Inject(Paging) private readonly paging: Paging,
  ) {}

  @Handles(postInstances)
  async create({ caller, body }: Asked) {
    return this.resources.made(await (asksForRestore(body) ? this.restore(caller, body) : this.register(caller, body)));
  }

  @Handles(getInstances)
  async list({ caller, request }: Asked) {
    const page = await this.paging.answer(request, 'instances', (asked) => this.resources.page(caller, asked));
    return { ...page, instances_links: page.links };
  }

  @Handles(getInstancesId)
  async show({ caller, id, reply }: Asked) {
    const row = await this.resources.find(caller, idInPath('Instance', id));
    tagWith(reply, row);
    return this.resources.of(row);
  }

  @Handles(patchInstancesId)
  change({ caller, id, body, ifMatch }: Asked): Promise<void> {
    const instanceId = idInPath('Instance', id);
    return this.commands.change(caller, instanceId, parseBody(changeInstanceRequest, body).instance, ifMatch);
  }

  @Handles(putInstancesId)
  replace(asked: Asked): Promise<void> {
    return this.change(asked);
  }

  @Handles(deleteInstancesId)
  remove({ caller, id, ifMatch }: Asked): Promise<void> {
    return this.commands.forget(caller, idInPath('Instance', id), ifMatch);
  }

  @Handles(postInstancesIdAction)
  async act({ caller, id, body, reply }: Asked): Promise<object | undefined> {
    const { id: instanceId } = await this.resources.find(caller, idInPath('Instance', id));
    parseBody(someActionRequest, body);
    const action = instanceActionIn(body);
    if (action === 'test-connection') {
      parseBody(testConnectionRequest, body);
      mustHave(caller, 'instance.test', 'test-connection');
      const tested = { connection_test: await this.commands.testConnection(caller, instanceId) };
      void reply.status(200);
      return tested;
    }
    if (action === undefined) return this.refuseAction(instanceId);
    const { lineage } = parseBody(acceptLineageRequest, body)['accept-lineage'];
    // An accepted lineage lets retention delete backups of the others in time.
    mustHave(caller, 'instance.accept-lineage', 'accept-lineage');
    await this.commands.acceptLineage(caller, instanceId, lineage);
    return undefined;
  }

  private register(caller: Caller, body: unknown): Promise<RecordedEvent[]> {
    mustHave(caller, 'instance.register', 'Registering an instance');
    mustReachAll(caller, 'Registering an instance');
    const { name, datastore, connection } = parseBody(registerInstanceRequest, body).instance;
    const { usual } = engineFor(datastore.type);
    const { host, port, user, password, database = usual.database, tls = usualTls } = connection;
    const plain = { endpoint: { host, port, user, database, tls }, credential: { password } };
    const { endpoint, credential } = connectionWith(plain, connection);
    return this.commands.register(caller, { name, datastore, endpoint }, credential);
  }

  private restore(caller: Caller, body: unknown): Promise<RecordedEvent[]> {
    mustHave(caller, 'restore', 'Restoring a backup');
    mustReachAll(caller, 'Restoring a backup');
    const { name, restorePoint } = parseBody(restoreInstanceRequest, body).instance;
    return this.commands.build(caller, name, restorePoint.backupRef);
  }

  /** Every other action is refused: with a 422 while a backup runs, as known clients expect, and else with a 501. */
  private async refuseAction(id: string): Promise<never> {
    if (await this.resources.isBackedUp(id)) {
      throw new HttpFault('unprocessableEntity', `Instance ${id} is being backed up: its status is BACKUP.`);
    }
    throw new HttpFault(
      'notImplemented',
      'Strongroom backs servers up, and does not resize, restart or change them. The actions that it has are accept-lineage and test-connection.',
    );
  }
}
