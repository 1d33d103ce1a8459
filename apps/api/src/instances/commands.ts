/**
 * What can be asked of an instance. When a method returns, its effect is on disk. When the domain refuses, nothing has
 * changed, and the method throws the refusal as the contract answers it.
 */
import { Inject } from '@nestjs/common';
import { isRefusal, type RecordedEvent } from '@strongroom/contracts';
import { Credentials } from '@strongroom/credentials';
import {
  backupDecider,
  backupToBuildFrom,
  type InstanceCommand,
  instanceDecider,
  scheduleDecider,
} from '@strongroom/domain';
import { commandOn, execute, executeTogether, Ledger, stateOf } from '@strongroom/ledger';
import { type AppConfig, configToken, Ids } from '@strongroom/runtime';
import { type Caller, targetOf, withoutKey } from '../edge/caller.js';
import { HttpFault, unlessRefused } from '../edge/http-fault.js';
import { expectedVersion } from '../edge/preconditions.js';
import { ScheduleResources } from '../schedules/resource.js';
import { InstanceResources } from './resource.js';

type Registration = Extract<InstanceCommand, { type: 'RegisterInstance' }>;

export class InstanceCommands {
  constructor(
    @Inject(Ledger) readonly ledger: Ledger,
    @Inject(Ids) readonly ids: Ids,
    @Inject(Credentials) private readonly credentials: Credentials,
    @Inject(configToken) private readonly config: AppConfig,
    @Inject(InstanceResources) private readonly instances: InstanceResources,
    @Inject(ScheduleResources) private readonly schedules: ScheduleResources,
  ) {}

  /** @returns what was recorded of the new instance */
  async register(
    caller: Caller,
    server: Pick<Registration, 'name' | 'datastore' | 'endpoint'>,
    password: string,
  ): Promise<RecordedEvent[]> {
    const { newId: instanceId } = caller;
    // The password is stored first. An instance without a password could not be backed up; a password without an instance
    // is removed in time.
    await this.credentials.put(instanceId, { password });
    return this.run(caller, { type: 'RegisterInstance', instanceId, ...server }, instanceId);
  }

  /** @returns what was recorded of the instance that is to be built */
  async build(caller: Caller, name: string, backupId: string): Promise<RecordedEvent[]> {
    const { accountId, newId: instanceId } = caller;
    const backup = await stateOf(this.ledger, backupDecider, backupId);
    unlessRefused('BuildInstance', backupToBuildFrom(accountId, backupId, backup));
    if (this.config.instancesFolder === undefined) {
      throw new HttpFault(
        'notImplemented',
        'instance.restorePoint: this deployment builds no servers (STRONGROOM_INSTANCES_DIR is not set). Use: strongroom restore',
      );
    }
    return this.run(caller, { type: 'BuildInstance', accountId, instanceId, name, backupId, backup }, instanceId);
  }

  async acceptLineage(caller: Caller, instanceId: string, lineage: string): Promise<void> {
    const { accountId } = caller;
    const lineages = await this.instances.lineagesOf(instanceId);
    await this.run(caller, { type: 'AcceptLineage', accountId, instanceId, lineage, lineages }, instanceId);
  }

  /** Forgets the instance and deletes its schedule, or neither. */
  async forget(caller: Caller, instanceId: string, ifMatch: string | undefined): Promise<void> {
    const { accountId } = caller;
    const row = await this.instances.find(accountId, instanceId);
    const target = { ...targetOf(caller, instanceId, instanceId), ifVersion: expectedVersion(ifMatch, row) };
    const forget = commandOn(instanceDecider, target, { type: 'ForgetInstance', accountId, instanceId });
    const scheduleId = await this.schedules.idOfInstance(accountId, instanceId);
    const remove =
      scheduleId !== undefined &&
      commandOn(scheduleDecider, targetOf(withoutKey(caller), scheduleId, instanceId), {
        type: 'DeleteSchedule',
        accountId,
        scheduleId,
      });
    let outcome = await executeTogether(this, remove ? [remove, forget] : [forget]);
    // Somebody else has deleted the schedule meanwhile.
    if (isRefusal(outcome) && outcome.refused === 'schedule-unknown') outcome = await executeTogether(this, [forget]);
    unlessRefused('ForgetInstance', outcome);
  }

  private async run(caller: Caller, command: InstanceCommand, instanceId: string): Promise<RecordedEvent[]> {
    const target = targetOf(caller, instanceId, instanceId);
    return unlessRefused(command.type, await execute(this, instanceDecider, target, command)).events;
  }
}
