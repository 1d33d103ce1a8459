/** The calls on instances, each with the resource as its result. All throw an `ApiFault`. */
import {
  type BackupResource,
  type ConnectionTest,
  type changeInstanceRequest,
  deleteInstancesId,
  getInstances,
  getInstancesId,
  getInstancesIdBackups,
  type InstanceResource,
  patchInstancesId,
  postInstances,
  postInstancesIdAction,
  type registerInstanceRequest,
} from '@strongroom/contracts';
import type { z } from 'zod';
import type { CallOptions, QueryOf } from './call.js';
import type { OperationCaller } from './operation-caller.js';

export class InstanceCalls {
  constructor(private readonly caller: OperationCaller) {}

  /** Registers an existing server. */
  async register(
    instance: z.input<typeof registerInstanceRequest>['instance'],
    options: CallOptions = {},
  ): Promise<InstanceResource> {
    return (await this.caller.call(postInstances, { ...options, body: { instance } })).body.instance;
  }

  /** Has a server built from a backup. Its instance says `BUILD` at first. */
  async restore(name: string, backupId: string, options: CallOptions = {}): Promise<InstanceResource> {
    const instance = { name, restorePoint: { backupRef: backupId } };
    return (await this.caller.call(postInstances, { ...options, body: { instance } })).body.instance;
  }

  async get(id: string, options: CallOptions = {}): Promise<InstanceResource> {
    return (await this.caller.call(getInstancesId, { ...options, id })).body.instance;
  }

  /** All of them, by id, read page by page. */
  async *list(query: QueryOf<typeof getInstances> = {}, options: CallOptions = {}): AsyncGenerator<InstanceResource> {
    for await (const page of this.caller.pages(getInstances, { ...options, query })) yield* page.instances;
  }

  /** Changes its name, its connection or its credential. Without `verify: false`, a connection is tried first. */
  async change(
    id: string,
    instance: z.input<typeof changeInstanceRequest>['instance'],
    options: CallOptions = {},
  ): Promise<void> {
    await this.caller.call(patchInstancesId, { ...options, id, body: { instance } });
  }

  /** Tries the connection, and tells everything that backups lack. It changes nothing on the server. */
  async testConnection(id: string, options: CallOptions = {}): Promise<ConnectionTest> {
    const answer = await this.caller.ask(postInstancesIdAction, { ...options, id, body: { 'test-connection': {} } });
    return answer.body.connection_test;
  }

  /** Its schedule goes with it; its backups stay. */
  async delete(id: string, options: CallOptions = {}): Promise<void> {
    await this.caller.call(deleteInstancesId, { ...options, id });
  }

  /** Says that the server of this lineage is the one that is meant. */
  async acceptLineage(id: string, lineage: string, options: CallOptions = {}): Promise<void> {
    await this.caller.call(postInstancesIdAction, { ...options, id, body: { 'accept-lineage': { lineage } } });
  }

  /** Its backups, the newest first, read page by page. */
  async *backups(
    id: string,
    query: QueryOf<typeof getInstancesIdBackups> = {},
    options: CallOptions = {},
  ): AsyncGenerator<BackupResource> {
    for await (const page of this.caller.pages(getInstancesIdBackups, { ...options, id, query })) yield* page.backups;
  }
}
